import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import type { Diagnosis } from '../../../src/cli/context.ts'
import { run, scratch } from '../../support/cli.ts'

/** M-65 `countersign doctor` against local-kms: each right taken away in turn is the one that is named. */

const files = scratch()
const RING = 'projects/p/locations/l/keyRings/r/cryptoKeys/'
const AWS_ARN = 'arn:aws:kms:us-east-1:000000000000:key/'
const [AWS_SIGN, AWS_WRAP] = [
  `${AWS_ARN}11111111-1111-4111-8111-111111111111`,
  `${AWS_ARN}33333333-3333-4333-8333-333333333333`,
]

/** What a use of a key needs, by the name each service has for it. */
const NEEDS = {
  'aws-kms': {
    sign: { key: AWS_SIGN, rights: ['kms:Sign', 'kms:GetPublicKey'] },
    unwrap: { key: AWS_WRAP, rights: ['kms:Decrypt'] },
    wrap: { key: AWS_WRAP, rights: ['kms:Encrypt'] },
  },
  'gcp-kms': {
    sign: {
      key: `${RING}sign/cryptoKeyVersions/1`,
      rights: ['cloudkms.cryptoKeyVersions.useToSign', 'cloudkms.cryptoKeyVersions.viewPublicKey'],
    },
    unwrap: { key: `${RING}wrap`, rights: ['cloudkms.cryptoKeyVersions.useToDecrypt'] },
    wrap: { key: `${RING}wrap`, rights: ['cloudkms.cryptoKeyVersions.useToEncrypt'] },
  },
  'vault-transit': {
    sign: { key: 'transit/sign@1', rights: ['update transit/sign/sign', 'read transit/keys/sign'] },
    unwrap: { key: 'transit/wrap', rights: ['update transit/decrypt/wrap'] },
    wrap: { key: 'transit/wrap', rights: ['update transit/encrypt/wrap'] },
  },
} as const
type Kind = keyof typeof NEEDS
type Use = 'sign' | 'unwrap' | 'wrap'

const CASES = (Object.keys(NEEDS) as Kind[]).flatMap(kind =>
  (['sign', 'unwrap', 'wrap'] as const).flatMap(use => {
    const { rights } = NEEDS[kind][use]
    return [undefined, ...rights].map(missing => ({
      kind,
      use,
      missing,
      held: rights.filter(each => each !== missing),
    }))
  }),
)
const nameOf = (at: number): string => `caller-${at}`

let kms: LocalKms
beforeAll(async () => {
  kms = await startLocalKms({
    sigv4: 'strict',
    credentials: [
      ...CASES.map(({ kind, held }, at) => ({
        accessKeyId: nameOf(at),
        secretAccessKey: 'secret',
        allow: kind === 'aws-kms' ? [{ actions: [...held] }] : [],
      })),
    ],
    seed: {
      version: 1,
      keys: [
        { keyId: AWS_SIGN.slice(AWS_ARN.length), spec: 'ECC_NIST_EDWARDS25519' },
        { keyId: AWS_WRAP.slice(AWS_ARN.length), spec: 'SYMMETRIC_DEFAULT' },
      ],
      vault: {
        keys: [
          { name: 'sign', type: 'ed25519' },
          { name: 'wrap', type: 'aes256-gcm96' },
        ],
        policies: CASES.map(({ held }, at) => ({
          name: nameOf(at),
          policy: held
            .map(right => right.split(' '))
            .filter(([, path]) => path !== undefined)
            .map(([capability, path]) => `path "${path}" { capabilities = ["${capability}"] }`)
            .join('\n'),
        })),
        tokens: CASES.map((_, at) => ({ id: nameOf(at), policies: [nameOf(at)] })),
      },
      gcp: {
        cryptoKeys: [
          { name: `${RING}sign`, algorithm: 'EC_SIGN_ED25519' },
          { name: `${RING}wrap`, algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
        ],
        credentials: CASES.map(({ held }, at) => ({
          token: nameOf(at),
          permissions: held.filter(right => right.startsWith('cloudkms.')),
        })),
      },
    },
  })
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const TABLES: Readonly<Record<Kind, () => string>> = {
  'aws-kms': () => `kind = "aws-kms"
region = "us-east-1"
endpoint = "${kms.aws}"
accessKeyId = "env:CALLER"
secretAccessKey = "env:SECRET"`,
  'vault-transit': () => `kind = "vault-transit"
address = "${kms.vault}"
auth = "token"
token = "env:CALLER"`,
  'gcp-kms': () => `kind = "gcp-kms"
endpoint = "${kms.gcpRest}"
accessToken = "env:CALLER"`,
}

async function doctor(kind: Kind, use: Use, caller: string, key: string) {
  const config = files.path(`${kind}.toml`)
  writeFileSync(config, `environment = "development"\n[providers.main]\n${TABLES[kind]()}\n`)
  const argv = ['doctor', '--config', config, '--provider', 'main', '--key', key, '--use', use, '--json']
  const ended = await run(argv, { env: { CALLER: caller, SECRET: 'secret' } })
  const findings = ended.json['findings'] as Diagnosis[]
  const failed = findings.filter(({ outcome }) => outcome === 'failed')
  return { ...ended, findings, failed }
}

describe('M-65 doctor', () => {
  for (const [at, { kind, use, missing }] of CASES.entries()) {
    test(`${kind}, ${use}: ${missing === undefined ? 'with every right all is well' : `without ${missing}, exactly that is named`}`, async () => {
      const { key } = NEEDS[kind][use]
      const { exitCode, json, failed, out, err } = await doctor(kind, use, nameOf(at), key)
      const named = failed.flatMap(({ permission }) => (permission === undefined ? [] : [permission]))
      expect(named).toEqual(missing === undefined ? [] : [missing])
      expect({ exitCode, ok: json['ok'] }).toEqual(
        missing === undefined ? { exitCode: 0, ok: true } : { exitCode: 1, ok: false },
      )
      for (const { fix, meaning, vendorError, check } of failed) {
        expect(fix?.length).toBeGreaterThan(10)
        expect(meaning?.length).toBeGreaterThan(10)
        if (check === 'permission') expect(vendorError?.length).toBeGreaterThan(5)
      }
      expect(out + err).not.toContain('"secret"')
    })
  }

  test('as text: what failed is followed by what it means and the fix, and the last line counts', async () => {
    const at = CASES.findIndex(({ kind, missing }) => kind === 'aws-kms' && missing === 'kms:Sign')
    const config = files.path('text.toml')
    writeFileSync(config, `environment = "development"\n[providers.main]\n${TABLES['aws-kms']()}\n`)
    const argv = ['doctor', '--config', config, '--provider', 'main', '--key', AWS_SIGN]
    const { exitCode, out } = await run(argv, { env: { CALLER: nameOf(at), SECRET: 'secret' } })
    expect(exitCode).toBe(1)
    expect(out).toMatch(/^FAILED {2}main {2}kms:Sign/m)
    expect(out).toMatch(/^ {10}fix: /m)
    expect(out).toMatch(/\d+ ok, \d+ warnings, 1 failed, \d+ skipped\n$/)
  })

  test('a service that is not there is one finding, and what could not be asked is said to be skipped', async () => {
    const config = files.path('nobody.toml')
    for (const [kind, address] of [
      ['aws-kms', 'region = "us-east-1"\nendpoint = "http://127.0.0.1:9"'],
      ['vault-transit', 'address = "http://127.0.0.1:9"\nauth = "token"\ntoken = "env:CALLER"'],
      ['gcp-kms', 'endpoint = "http://127.0.0.1:9"'],
    ] as const) {
      writeFileSync(config, `environment = "development"\n[providers.main]\nkind = "${kind}"\n${address}\n`)
      const argv = ['doctor', '--config', config, '--provider', 'main', '--key', NEEDS[kind].sign.key, '--json']
      const { exitCode, json } = await run(argv, { env: { CALLER: 'x' } })
      expect(exitCode).toBe(1)
      const failed = (json['findings'] as Diagnosis[]).filter(({ outcome }) => outcome === 'failed')
      expect(failed.map(({ check }) => check)).toEqual(['reachable'])
    }
  })

  test('usage: --key needs --provider, an unknown provider is named with those there are', async () => {
    const config = files.path('usage.toml')
    writeFileSync(config, `environment = "development"\n[providers.main]\n${TABLES['gcp-kms']()}\n`)
    const env = { CALLER: 'x' }
    for (const argv of [
      ['--key', 'x'],
      ['--provider', 'other'],
      ['--provider', '__proto__'],
    ]) {
      const { exitCode, json } = await run(['doctor', '--config', config, ...argv, '--json'], { env })
      expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 2, code: 'request/malformed' })
    }
  })
})

describe('M-65 address --key', () => {
  test('derives the address of a key in each service, and says what to pin', async () => {
    const at = (kind: Kind) =>
      nameOf(CASES.findIndex(each => each.kind === kind && each.use === 'sign' && each.missing === undefined))
    for (const kind of Object.keys(NEEDS) as Kind[]) {
      const config = files.path(`address-${kind}.toml`)
      writeFileSync(config, `environment = "development"\n[providers.main]\n${TABLES[kind]()}\n`)
      const argv = ['address', '--config', config, '--provider', 'main', '--key', NEEDS[kind].sign.key, '--json']
      const { exitCode, json } = await run(argv, { env: { CALLER: at(kind), SECRET: 'secret' } })
      expect(exitCode).toBe(0)
      expect(json).toMatchObject({ chain: 'stellar', scheme: 'ed25519', reference: NEEDS[kind].sign.key })
      expect(json['address']).toMatch(/^G[A-Z2-7]{55}$/)
    }
  })
})
