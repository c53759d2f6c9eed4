/** A seed off the environment into each key service, wrapped and as a key of the service: what it signs stays what it signed. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { Keypair } from '@stellar/stellar-sdk/base'
import type { LocalKms } from '../../local-kms/index.ts'
import { type CliOptions, type Ended, ROOT, run, scratch } from '../support/cli.ts'
import { configFile, credentialsFor, signedFrom, startKeyServices, vaultAndGcp } from '../support/installation.ts'
import { numbered, passphraseRow } from '../support/migration.ts'
import { commandsOf } from '../support/walk.ts'

const SEED = Keypair.random()
const WRAPPING_ID = '00000000-0000-4000-8000-0000000000d1'
const files = scratch()
let kms: LocalKms
let env: Record<string, string>

beforeAll(async () => {
  kms = await startKeyServices({ seed: { version: 1, keys: [{ keyId: WRAPPING_ID, spec: 'SYMMETRIC_DEFAULT' }] } })
  env = credentialsFor(kms)
  writeFileSync(files.path('seed'), `${SEED.secret()}\n`, { mode: 0o600 })
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

/** An installation of its own, for on one network a public key has one name. */
const config = (name: string): string => configFile(files, kms, { name, data: name, more: vaultAndGcp(kms) })

const migrate = (file: string, argv: readonly string[], options: CliOptions = {}): Promise<Ended> =>
  run(['migrate', 'env', 'treasury', '--config', file, '--json', ...argv], {
    ...options,
    env: { ...env, ...options.env },
  })

for (const provider of ['aws', 'vault', 'gcp']) {
  for (const custody of ['envelope', 'native']) {
    test(`M-66 one seed into ${provider}, ${custody}: the same address, and the same Ed25519 signature bit for bit`, async () => {
      const file = config(`${provider}-${custody}`)
      const argv = ['--provider', provider, '--custody', custody, '--seed-file', files.path('seed')]
      const moved = await migrate(file, [...argv, '--address', SEED.publicKey()])
      expect(moved.json).toMatchObject({
        outcome: 'migrated',
        address: SEED.publicKey(),
        key: { provider, custody, state: 'active' },
      })
      const message = crypto.getRandomValues(new Uint8Array(32))
      const { signature } = await signedFrom(file, env, message)
      expect(signature).toEqual(new Uint8Array(SEED.sign(Buffer.from(message))))
      const again = await migrate(file, argv)
      expect(again.json).toMatchObject({ outcome: 'present', address: SEED.publicKey(), key: { version: 1 } })
    })
  }
}

test('M-66 M-61 the commands of docs/operations.md that bring keys here do what the page says, in its order', async () => {
  config('page')
  const client = new KMSClient({
    region: 'us-east-1',
    endpoint: kms.aws,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  const pubkey = numbered(9).publicKey()
  const { CiphertextBlob } = await client.send(
    new EncryptCommand({
      KeyId: WRAPPING_ID,
      Plaintext: numbered(9).rawSecretKey(),
      EncryptionContext: { pubkey },
    }),
  )
  client.destroy()
  const rows = [1, 2, 3].map(
    n => `${numbered(n).publicKey()},${passphraseRow(numbered(n).secret(), 'old')},channel-${n}`,
  )
  const content: Readonly<Record<string, string>> = {
    'seed.txt': `${SEED.secret()}\n`,
    'rows.csv': `${rows.join('\n')}\n`,
    'passphrase.txt': 'old\n',
    'blobs.csv': `address,ciphertext,name\n${pubkey},${Buffer.from(CiphertextBlob ?? []).toString('base64')},wallet\n`,
  }
  for (const [name, text] of Object.entries(content)) writeFileSync(files.path(name), text)
  const meant: Readonly<Record<string, string>> = {
    $WRAPPING: `arn:aws:kms:us-east-1:000000000000:key/${WRAPPING_ID}`,
    $TREASURY: SEED.publicKey(),
    'countersign.toml': files.path('page.toml'),
    ...Object.fromEntries(Object.keys(content).map(name => [name, files.path(name)])),
  }
  const plain = (text: string) => text.replaceAll(/\s+/g, ' ')
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  let printed = ''
  let ran = 0
  for (const line of commandsOf(page, 'migration')) {
    if (line.startsWith('# → ')) {
      expect(plain(printed)).toContain(plain(line.slice(4)))
      continue
    }
    const [program, ...argv] = line.split(' ').map(word => meant[word] ?? word)
    const { exitCode, out, err } = await run(argv, { env })
    expect([line, program, exitCode, err.includes('error')]).toEqual([line, 'countersign', 0, false])
    printed = out
    ran++
  }
  expect(ran).toBe(8)
})
