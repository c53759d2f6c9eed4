import { type ConfigProblem, isSignerError } from '../../../src/domain/errors.ts'
import { loadConfig, type Sources } from '../../../src/config/load.ts'
import type { Config } from '../../../src/config/schema.ts'

/** RFC 8037 A.2. */
export const JWKS = JSON.stringify({
  keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: 'k1', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
})

export const FULL = `
environment = "production"

[server]
port = 9000

[data]
directory = "/var/lib/countersign"

[tokens]
issuer = "https://issuer.example"
audience = "countersign"
jwks = "/etc/countersign/jwks.json"

[providers.aws-kms]
kind = "aws-kms"
region = "eu-central-1"
`

/** Files in memory; any other path cannot be read. */
export const files =
  (content: Readonly<Record<string, string>>) =>
  (path: string): string => {
    const text = content[path]
    if (text === undefined) throw new Error(`ENOENT: ${path}`)
    return text
  }

interface Given extends Partial<Omit<Sources, 'readFile'>> {
  readonly toml?: string
  readonly more?: Readonly<Record<string, string>>
}

export const load = ({ toml = FULL, more = {}, env = {}, ...rest }: Given = {}): Promise<Config> =>
  loadConfig({
    file: '/c.toml',
    env,
    readFile: files({ '/c.toml': toml, '/etc/countersign/jwks.json': JWKS, ...more }),
    ...rest,
  })

/** The problems a configuration is refused with; throws when it is not. */
export async function problemsOf(given: Given): Promise<readonly ConfigProblem[]> {
  try {
    await load(given)
  } catch (error) {
    if (isSignerError(error) && error.code === 'config/invalid') return error.detail.problems
    throw error
  }
  throw new Error('the configuration was accepted')
}

/** A published test seed (SEP-5 test vector 1, account 0) and an EVM key of a public development chain. */
export const STELLAR_SEED = 'SBGWSG6BTNCKCOB3DIFBGCVMUPQFYPA2G4O34RMTB343OYPXU5DJDVMN'
export const EVM_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'

/** Accounts of published keys: SEP-5 test vector 1, account 0, and the example of SEP-23. */
export const ACCOUNT = 'GDRXE2BQUC3AZNPVFSCEZ76NJ3WWL25FYFK6RGZGIEKWE4SOOHSUJUJ6'
export const ACCOUNT_2 = 'GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ'
/** First example of EIP-55. */
export const EVM_ACCOUNT = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
