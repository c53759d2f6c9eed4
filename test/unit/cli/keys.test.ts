import { secp256k1 } from '@noble/curves/secp256k1.js'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { Keypair } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import { type CliOptions, type Ended, run, scratch, start } from '../../support/cli.ts'
import { configFile } from '../../support/installation.ts'

const files = scratch()
const KEY_ID = '00000000-0000-4000-8000-0000000000a1'
const WRAPPING_ID = '00000000-0000-4000-8000-0000000000a2'
const OTHER_WRAPPING_ID = '00000000-0000-4000-8000-0000000000a3'
const SECP_ID = '00000000-0000-4000-8000-0000000000a4'
const arn = (id: string) => `arn:aws:kms:us-east-1:000000000000:key/${id}`
const NATIVE = Keypair.random()
const SEED = Keypair.random()
let kms: LocalKms

beforeAll(async () => {
  const hex = (bytes: Uint8Array) => Array.from(bytes, b => b.toString(16).padStart(2, '0')).join('')
  kms = await startLocalKms({
    seed: {
      version: 1,
      keys: [
        {
          keyId: KEY_ID,
          spec: 'ECC_NIST_EDWARDS25519',
          material: { hex: hex(NATIVE.rawSecretKey()) },
          aliases: ['alias/native'],
        },
        { keyId: WRAPPING_ID, spec: 'SYMMETRIC_DEFAULT' },
        { keyId: OTHER_WRAPPING_ID, spec: 'SYMMETRIC_DEFAULT' },
        { keyId: SECP_ID, spec: 'ECC_SECG_P256K1' },
      ],
    },
  })
  configFile(files, kms, { more: '[providers.mock]\nkind = "mock"\n' })
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const ENV = { TEST_ID: 'test', TEST_SECRET: 'canary-secret-access-key' }
const keys = (argv: readonly string[], options: CliOptions = {}): Promise<Ended> =>
  run(['keys', ...argv, '--config', files.path('countersign.toml'), '--json'], {
    ...options,
    env: { ...ENV, ...options.env },
  })
const create = (name: string, ...more: string[]) => keys(['create', name, '--provider', 'aws', ...more])
const importOne = (name: string, more: readonly string[], options: CliOptions = {}) =>
  keys(['import', name, '--provider', 'aws', ...more], options)
const seedFile = (name: string, text: string | Uint8Array): string => {
  writeFileSync(files.path(name), text, { mode: 0o600 })
  return files.path(name)
}
const failed = ({ exitCode, json }: Ended) => ({ exitCode, code: json['error'].code as string })

describe('keys create', () => {
  test('native: the key is made in the key service; hardened before the first secret is read; the default policy allows nothing', async () => {
    const made = await create('treasury')
    expect({ exitCode: made.exitCode, hardened: made.hardened }).toEqual({ exitCode: 0, hardened: 1 })
    expect(made.json).toMatchObject({
      name: 'treasury',
      network: 'testnet',
      custody: 'native',
      provider: 'aws',
      state: 'active',
      version: 1,
    })
    const shown = await keys(['show', 'treasury'])
    expect(shown.json).toMatchObject({ ...made.json, policy: { version: 1 } })
    expect(Object.keys(shown.json['policy'])).toEqual(['version'])
  })

  test('envelope: under a given wrapping key, or a new one; text output is aligned; list has a line a key', async () => {
    const made = await create('wrapped', '--custody', 'envelope', '--wrapping-key', arn(WRAPPING_ID))
    expect(made.json).toMatchObject({ name: 'wrapped', custody: 'envelope' })
    const before = kms.calls()['CreateKey'] ?? 0
    expect((await create('wrapped-new', '--custody', 'envelope')).exitCode).toBe(0)
    expect(kms.calls()['CreateKey']).toBe(before + 1)
    const config = ['--config', files.path('countersign.toml')]
    const list = await run(['keys', 'list', ...config], { env: ENV })
    expect(
      list.out
        .trimEnd()
        .split('\n')
        .map(row => row.split('\t')[0]),
    ).toEqual(['treasury', 'wrapped', 'wrapped-new'])
    expect((await keys(['list'])).json['keys'].map((key: any) => key.name)).toEqual([
      'treasury',
      'wrapped',
      'wrapped-new',
    ])
    const show = await run(['keys', 'show', 'wrapped', ...config], { env: ENV })
    expect(show.out).toContain(`address     ${made.json['address']}\n`)
    expect(show.out).toContain('policy      {"version":1}\n')
    const text = await run(['keys', 'create', 'plain', '--provider', 'mock', ...config], { env: ENV })
    expect(text.out).toContain('custody     native\n')
  })

  test('a policy is stored in our canonical form; a bad one is refused with every problem, before the service makes a key', async () => {
    const policy = seedFile(
      'policy.json',
      '{"version":1,"network":"testnet","operations":["payment"],"fee":{"maxStroops":"1000"}}\n',
    )
    expect((await create('with-policy', '--policy', policy)).exitCode).toBe(0)
    expect((await keys(['show', 'with-policy'])).json['policy']).toMatchObject({ operations: ['payment'] })
    const before = kms.calls()['CreateKey'] ?? 0
    const bad = seedFile('bad.json', '{"version":2,"operations":["paymnt"],"fee":{"maxStroops":-1},"surprise":true}')
    const refused = await create('bad-policy', '--policy', bad)
    expect(failed(refused)).toEqual({ exitCode: 1, code: 'config/invalid' })
    expect(refused.json['error'].problems.length).toBeGreaterThanOrEqual(4)
    for (const { path, problem, fix } of refused.json['error'].problems) {
      expect(refused.err).toContain(path)
      expect(problem.length > 0 && fix.length > 0).toBe(true)
    }
    for (const text of ['', 'not json', '{"version":1,"version":1}', '[]']) {
      const { exitCode } = await create('bad-policy', '--policy', seedFile('bad2.json', text))
      expect(exitCode).toBeGreaterThan(0)
    }
    expect(failed(await create('bad-policy', '--policy', files.path('none.json')))).toEqual({
      exitCode: 2,
      code: 'request/malformed',
    })
    expect(kms.calls()['CreateKey'] ?? 0).toBe(before)
  })

  test('refused: a name twice, a name that is none, an unknown provider, an unknown network, a wrapping key that wraps nothing', async () => {
    expect(failed(await create('treasury'))).toEqual({ exitCode: 1, code: 'key/exists' })
    expect(failed(await create('no good'))).toEqual({ exitCode: 2, code: 'request/malformed' })
    const provider = await keys(['create', 'x', '--provider', 'gcp'])
    expect(failed(provider)).toEqual({ exitCode: 1, code: 'config/invalid' })
    expect(provider.err).toContain('or use one of: ')
    expect(failed(await create('x', '--network', 'moonnet'))).toEqual({ exitCode: 1, code: 'config/invalid' })
    const wrapping = await create('x', '--wrapping-key', arn(WRAPPING_ID))
    expect(failed(wrapping)).toEqual({ exitCode: 2, code: 'request/malformed' })
    expect(wrapping.json['error'].field).toBe('--wrapping-key')
    const mock = await keys(['create', 'x', '--provider', 'mock', '--network', 'public'])
    expect(failed(mock)).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(failed(await keys(['show', 'x']))).toEqual({ exitCode: 1, code: 'key/unknown' })
  })

  test('the key service does not answer: exit 5', async () => {
    const toml = readFileSync(files.path('countersign.toml'), 'utf8').replace(kms.aws, 'http://127.0.0.1:1')
    writeFileSync(files.path('away.toml'), toml)
    const { exitCode, json, err } = await run(
      ['keys', 'create', 'x', '--provider', 'aws', '--config', files.path('away.toml'), '--json'],
      { env: ENV },
    )
    expect({ exitCode, code: json['error'].code }).toEqual({ exitCode: 5, code: 'provider/unavailable' })
    expect(err).not.toContain('canary')
  })
})

describe('keys import --reference', () => {
  test('an alias is resolved once and the key pinned after proof of possession; --address must agree', async () => {
    const other = await importOne('adopted', ['--reference', 'alias/native', '--address', SEED.publicKey()])
    expect(failed(other)).toEqual({ exitCode: 1, code: 'key/mismatch' })
    expect(other.err).toContain(SEED.publicKey())
    const made = await importOne('adopted', ['--reference', 'alias/native', '--address', NATIVE.publicKey()])
    expect(made).toMatchObject({ exitCode: 0 })
    expect(made.json).toMatchObject({ address: NATIVE.publicKey(), custody: 'native' })
    // T31: one public key has one name on a network, and may serve another network under another name.
    const again = await importOne('adopted-too', ['--reference', KEY_ID])
    expect(failed(again)).toEqual({ exitCode: 1, code: 'key/exists' })
    expect(again.err).toContain('sign with adopted')
    const elsewhere = await importOne('adopted-too', ['--reference', KEY_ID, '--network', 'futurenet'])
    expect(elsewhere.json['address']).toBe(NATIVE.publicKey())
  })

  test('refused: an address that is none, a key that is not there, of another scheme, or that wraps', async () => {
    expect(failed(await importOne('r', ['--reference', KEY_ID, '--address', 'GABC']))).toEqual({
      exitCode: 2,
      code: 'request/malformed',
    })
    expect(failed(await importOne('r', ['--reference', 'alias/nobody']))).toEqual({
      exitCode: 1,
      code: 'provider/refused',
    })
    expect(failed(await importOne('r', ['--reference', SECP_ID]))).toEqual({ exitCode: 1, code: 'key/unsupported' })
    expect((await importOne('r', ['--reference', WRAPPING_ID])).exitCode).toBe(1)
    expect(failed(await importOne('r', ['--reference', KEY_ID, '--wrapping-key', WRAPPING_ID]))).toEqual({
      exitCode: 2,
      code: 'request/malformed',
    })
    expect(failed(await keys(['show', 'r']))).toEqual({ exitCode: 1, code: 'key/unknown' })
  })

  test('without a source the configuration names the key: KMS_KEY_ID, or HSM_KEY_MAPPING by address', async () => {
    const byId = await importOne('by-variable', ['--network', 'local'], { env: { KMS_KEY_ID: KEY_ID } })
    expect(byId.json).toMatchObject({ address: NATIVE.publicKey() })
    const mapping = JSON.stringify({ [NATIVE.publicKey()]: KEY_ID })
    const byAddress = await importOne('by-address', ['--address', NATIVE.publicKey(), '--network', 'sandbox'], {
      env: { HSM_KEY_MAPPING: mapping, KMS_KEY_ID: SECP_ID },
    })
    expect(byAddress.json).toMatchObject({ address: NATIVE.publicKey() })
    const elsewhere = await importOne('elsewhere', ['--address', NATIVE.publicKey()], {
      env: { HSM_KEY_MAPPING: JSON.stringify({ [NATIVE.publicKey()]: `mock:${KEY_ID}` }) },
    })
    expect(failed(elsewhere)).toEqual({ exitCode: 2, code: 'request/malformed' })
    expect(elsewhere.err).toContain('is mapped to mock')
    expect(failed(await importOne('none', []))).toEqual({ exitCode: 2, code: 'request/malformed' })
    const two = await importOne('none', ['--reference', KEY_ID, '--seed-file', 'x'])
    expect(failed(two)).toEqual({ exitCode: 2, code: 'request/malformed' })
    expect(two.err).toContain('exactly one')
  })
})

describe('keys import --seed-file', () => {
  test('T41: a seed is wrapped and verified; its bytes are wiped; it stands in no output, log or file of ours', async () => {
    const handed: Uint8Array[] = []
    const terminal: CliOptions['terminal'] = {
      readFile: async path => {
        const bytes = new Uint8Array(readFileSync(path))
        handed.push(bytes)
        return bytes
      },
    }
    const path = seedFile('seed', `${SEED.secret()}\n`)
    const made = await importOne(
      'seeded',
      ['--seed-file', path, '--wrapping-key', arn(WRAPPING_ID), '--address', SEED.publicKey()],
      { terminal },
    )
    expect(made.exitCode).toBe(0)
    expect(made.json).toMatchObject({ address: SEED.publicKey(), custody: 'envelope' })
    expect(handed).toHaveLength(1)
    expect(handed[0]?.every(byte => byte === 0)).toBe(true)
    const raw = SEED.rawSecretKey()
    for (const entry of readdirSync(files.path('data'), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const content = readFileSync(`${entry.parentPath}/${entry.name}`)
      expect(content.includes(SEED.secret())).toBe(false)
      expect(content.includes(raw)).toBe(false)
    }
    expect(made.out + made.err).not.toContain(SEED.secret())
  })

  test('from stdin, as raw bytes and as a file of another system', async () => {
    const raw = Keypair.random()
    expect((await importOne('raw', ['--seed-file', seedFile('raw', raw.rawSecretKey())])).json['address']).toBe(
      raw.publicKey(),
    )
    const piped = Keypair.random()
    expect((await importOne('piped', ['--seed-file', '-'], { stdin: `${piped.secret()}\r\n` })).json['address']).toBe(
      piped.publicKey(),
    )
  })

  test('refused, and wiped: the seed of another address, no seed, a broken one, a file too long, a name taken, a bad policy', async () => {
    const handed: Uint8Array[] = []
    const terminal: CliOptions['terminal'] = {
      readFile: async path => {
        const bytes = new Uint8Array(readFileSync(path))
        if (!path.endsWith('.json')) handed.push(bytes)
        return bytes
      },
    }
    const seed = seedFile('seed', SEED.secret())
    const wrong = Keypair.random().publicKey()
    const cases: readonly (readonly [readonly string[], string, number])[] = [
      [['s1', '--seed-file', seed, '--address', wrong], 'key/mismatch', 1],
      [['s1', '--seed-file', seedFile('text', 'correct horse battery staple')], 'request/malformed', 2],
      [
        [
          's1',
          '--seed-file',
          seedFile(
            'typo',
            SEED.secret().replace(/.$/, c => (c === 'A' ? 'B' : 'A')),
          ),
        ],
        'request/malformed',
        2,
      ],
      [['s1', '--seed-file', seedFile('address', SEED.publicKey())], 'request/malformed', 2],
      [['s1', '--seed-file', seedFile('long', 'S'.repeat(4097))], 'request/malformed', 2],
      [['seeded', '--seed-file', seed], 'key/exists', 1],
      [['s1', '--seed-file', seed, '--wrapping-key', arn(KEY_ID)], 'provider/refused', 1],
    ]
    for (const [argv, code, exitCode] of cases) {
      const ended = await importOne(argv[0] ?? '', argv.slice(1), { terminal })
      expect(failed(ended)).toEqual({ exitCode, code })
      expect(ended.out + ended.err).not.toContain(SEED.secret().slice(0, 20))
      expect(ended.out + ended.err).not.toContain('horse')
    }
    expect(handed).toHaveLength(cases.length)
    expect(handed.every(bytes => bytes.every(byte => byte === 0))).toBe(true)
    const policy = await importOne('s1', ['--seed-file', seed, '--policy', seedFile('p.json', '{"version":3}')], {
      terminal,
    })
    expect(failed(policy)).toEqual({ exitCode: 1, code: 'config/invalid' })
    expect(handed.at(-1)?.every(byte => byte === 0)).toBe(true)
    expect(failed(await importOne('s1', ['--seed-file', files.path('none')]))).toEqual({
      exitCode: 2,
      code: 'request/malformed',
    })
  })
})

describe('keys import --ciphertext-file', () => {
  const owner = Keypair.random()
  let ciphertext: string

  beforeAll(async () => {
    const { KMSClient, EncryptCommand } = await import('@aws-sdk/client-kms')
    const client = new KMSClient({
      endpoint: kms.aws,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    })
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({
        KeyId: WRAPPING_ID,
        Plaintext: owner.rawSecretKey(),
        EncryptionContext: { pubkey: owner.publicKey() },
      }),
    )
    client.destroy()
    ciphertext = seedFile('ciphertext', CiphertextBlob ?? new Uint8Array())
  })
  const given = (...more: string[]) => ['--ciphertext-file', ciphertext, ...more]

  test('M-05: a row written by another program, bound to {"pubkey"} alone, is opened once to prove its address', async () => {
    const before = kms.calls()['Decrypt'] ?? 0
    const made = await importOne('legacy', given('--wrapping-key', arn(WRAPPING_ID), '--address', owner.publicKey()))
    expect(made.json).toMatchObject({ address: owner.publicKey(), custody: 'envelope' })
    expect(kms.calls()['Decrypt']).toBe(before + 1)
  })

  test('refused: another address, another wrapping key, no address, no wrapping key, no ciphertext, one too long', async () => {
    const key = ['--wrapping-key', arn(WRAPPING_ID)]
    const address = ['--address', owner.publicKey()]
    expect(failed(await importOne('c', given(...key, '--address', SEED.publicKey())))).toEqual({
      exitCode: 1,
      code: 'envelope/unreadable',
    })
    expect(failed(await importOne('c', given('--wrapping-key', arn(OTHER_WRAPPING_ID), ...address)))).toEqual({
      exitCode: 1,
      code: 'envelope/unreadable',
    })
    expect((await importOne('c', given(...address))).json['error']).toMatchObject({
      code: 'request/malformed',
      field: '--wrapping-key',
    })
    expect((await importOne('c', given(...key))).json['error']).toMatchObject({
      code: 'request/malformed',
      field: '--address',
    })
    expect((await importOne('c', given(...key, '--address', 'SABC'))).json['error']).toMatchObject({
      field: '--address',
    })
    const long = ['--ciphertext-file', seedFile('long', new Uint8Array(6145)), ...key, ...address]
    expect((await importOne('c', long)).json['error']).toMatchObject({ field: '--ciphertext-file' })
    const noise = ['--ciphertext-file', seedFile('noise', new Uint8Array(100).fill(7)), ...key, ...address]
    expect(failed(await importOne('c', noise))).toEqual({ exitCode: 1, code: 'envelope/unreadable' })
    expect(failed(await keys(['show', 'c']))).toEqual({ exitCode: 1, code: 'key/unknown' })
  })
})

describe('the registry has one owner', () => {
  test('beside a running service a command is refused, and says what to do', async () => {
    const jwks = seedFile(
      'jwks.json',
      JSON.stringify({
        keys: [
          { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: 'k1', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
        ],
      }),
    )
    const env = {
      ...ENV,
      COUNTERSIGN_TOKENS_ISSUER: 'i',
      COUNTERSIGN_TOKENS_AUDIENCE: 'a',
      COUNTERSIGN_TOKENS_JWKS: jwks,
    }
    const service = start(['serve', '--json', '--port', '0', '--config', files.path('countersign.toml')], { env })
    await service.ready
    for (const argv of [['list'], ['show', 'treasury'], ['create', 'late', '--provider', 'aws']]) {
      const ended = await keys(argv)
      expect(failed(ended)).toEqual({ exitCode: 1, code: 'start/refused' })
      expect(ended.err).toContain('another process signs from')
      expect(ended.err).toContain('stop it first')
    }
    expect((await service.stop()).exitCode).toBe(0)
    expect((await keys(['list'])).exitCode).toBe(0)
  })

  test('every registration is on record before and after; the log verifies', async () => {
    const tail = await run(['audit', 'tail', '--data', files.path('data'), '--json'])
    const events = tail.out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, any>)
    const of = (name: string) => events.filter(e => e['detail']?.key === name).map(e => e['event'])
    expect(of('treasury')).toEqual(['key-registering', 'key-registered'])
    expect(of('bad-policy')).toEqual([])
    expect((await run(['audit', 'verify', '--data', files.path('data')])).exitCode).toBe(0)
  })

  test('an environment that could leak a seed is refused outside development, and nothing is opened', async () => {
    const ended = await keys(['list'], { env: { SSLKEYLOGFILE: '/tmp/canary' } })
    expect(failed(ended)).toEqual({ exitCode: 1, code: 'start/refused' })
    expect(ended.err).toContain('SSLKEYLOGFILE')
    expect(ended.err).not.toContain('canary')
  })

  test('without a data directory: config/invalid that names it', async () => {
    const ended = await run(['keys', 'list', '--json'], { env: { COUNTERSIGN_ENVIRONMENT: 'development' } })
    expect(failed(ended)).toEqual({ exitCode: 1, code: 'config/invalid' })
    expect(ended.err).toContain('data.directory')
  })
})

describe('keygen and address', () => {
  test('keygen writes 0600, refuses to overwrite, prints the address and never the seed; address agrees', async () => {
    const path = files.path('new-seed')
    const made = await run(['keygen', '--out', path, '--json'])
    expect({ exitCode: made.exitCode, hardened: made.hardened }).toEqual({ exitCode: 0, hardened: 1 })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const seed = readFileSync(path, 'utf8').trim()
    expect(made.json).toEqual({ address: Keypair.fromSecret(seed).publicKey(), file: path })
    expect(made.out + made.err).not.toContain(seed)
    const again = await run(['keygen', '--out', path, '--json'])
    expect(failed(again)).toEqual({ exitCode: 2, code: 'request/malformed' })
    expect(again.err).toContain('no file is overwritten')
    expect(readFileSync(path, 'utf8').trim()).toBe(seed)
    expect((await run(['address', '--seed-file', path])).out).toBe(`${made.json['address']}\n`)
    const plain = await run(['keygen', '--out', files.path('another')])
    expect(plain.out).toMatch(/^G[A-Z2-7]{55}\n$/)
    expect(plain.err).toContain('keys import --seed-file')
  })

  test('keygen into a directory that is not there leaves nothing and wipes what it made', async () => {
    let seed: Uint8Array | undefined
    const terminal: CliOptions['terminal'] = {
      writeSecretFile: async (_, bytes) => {
        seed = bytes
        throw Object.assign(new Error('no'), { code: 'ENOENT' })
      },
    }
    const ended = await run(['keygen', '--out', files.path('no', 'where'), '--json'], { terminal })
    expect(failed(ended)).toEqual({ exitCode: 2, code: 'request/malformed' })
    expect(ended.err).toContain('ENOENT')
    expect(seed?.every(byte => byte === 0)).toBe(true)
    expect((await run(['keygen', '--out', files.path('no', 'where')])).exitCode).toBe(2)
    expect(existsSync(files.path('no'))).toBe(false)
  })

  test('address takes hex, base64, a seed file or stdin; SEP-23’s own example gives its address', async () => {
    const hex = '3f0c34bf93ad0d9971d04ccc90f705511c838aad9734a4a2fb0d7a03fc7fe89a'
    const address = 'GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ'
    expect((await run(['address', hex])).out).toBe(`${address}\n`)
    const base64 = Buffer.from(hex, 'hex').toString('base64')
    expect((await run(['address', base64, '--json'])).json).toEqual({
      chain: 'stellar',
      scheme: 'ed25519',
      address,
      publicKey: base64,
    })
    const stdin = new TextEncoder().encode(`${SEED.secret()}\n`)
    expect((await run(['address', '--seed-file', '-'], { stdin })).out).toBe(`${SEED.publicKey()}\n`)
    expect(stdin.every(byte => byte === 0)).toBe(true)
  })

  test('M-65 address derives an EVM address from any form of a secp256k1 public key', async () => {
    const point = secp256k1.Point.BASE // the public key of the secret key 1
    const forms = [point.toHex(true), point.toHex(false), point.toHex(false).slice(2), `0x${point.toHex(false)}`]
    for (const form of forms)
      expect((await run(['address', form])).out).toBe('0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf\n')
    const offCurve = `${point.toHex(false).slice(0, -2)}00`
    expect(failed(await run(['address', offCurve, '--json']))).toEqual({ exitCode: 2, code: 'request/malformed' })
  })

  test('address refuses what is no key (exit 2) and repeats no seed', async () => {
    for (const argv of [
      [],
      ['00'],
      [SEED.publicKey()],
      ['AAAA', '--seed-file', 'x'],
      ['--seed-file', files.path('none')],
      ['--provider', 'main'],
      ['--key', 'alias/x'],
      ['00', '--provider', 'main', '--key', 'alias/x'],
    ])
      expect(failed(await run(['address', ...argv, '--json']))).toEqual({ exitCode: 2, code: 'request/malformed' })
    const ended = await run(['address', '--seed-file', '-', '--json'], { stdin: `${SEED.secret()}x` })
    expect(failed(ended)).toEqual({ exitCode: 2, code: 'request/malformed' })
    expect(ended.out + ended.err).not.toContain(SEED.secret().slice(0, 16))
  })

  test('an unsafe environment is warned of when a seed is handled', async () => {
    const { err, exitCode } = await run(['keygen', '--out', files.path('warned')], {
      env: { LD_PRELOAD: '/tmp/canary.so' },
    })
    expect(exitCode).toBe(0)
    expect(err).toContain('LD_PRELOAD')
    expect(err).not.toContain('canary')
  })
})

describe('keys import --native', () => {
  const FRESH = Keypair.random()
  const EVM = '0x' + '46'.repeat(32)

  test('M-60 M-66 the seed of a file becomes a key of the key service; it is nowhere in what this machine keeps', async () => {
    const file = seedFile('native.seed', `${FRESH.secret()}\n`)
    const made = await importOne('moved', ['--seed-file', file, '--native', '--address', FRESH.publicKey()])
    expect({ exitCode: made.exitCode, text: made.out }).toMatchObject({ exitCode: 0 })
    expect(made.json).toMatchObject({ custody: 'native', address: FRESH.publicKey(), state: 'active' })
    const { reference } = (await keys(['show', 'moved'])).json['bindings'][0]
    expect(reference).toMatch(/^arn:aws:kms:us-east-1:000000000000:key\//)
    for (const name of readdirSync(files.path('data'), { recursive: true })) {
      const path = files.path('data', String(name))
      if (statSync(path).isDirectory()) continue
      const kept = readFileSync(path)
      expect(kept.includes(FRESH.secret())).toBe(false)
      expect(kept.includes(FRESH.rawSecretKey())).toBe(false)
    }
    const evm = await importOne('moved-evm', ['--chain', 'evm', '--seed-file', seedFile('evm.key', EVM), '--native'])
    expect(evm.json).toMatchObject({ custody: 'native', address: '0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F' })
  })

  test('M-60 another address, a name that is taken, a source that does not fit, a provider of this process: nothing is made', async () => {
    const file = () => seedFile('another.seed', Keypair.random().secret())
    const before = kms.calls()['CreateKey'] ?? 0
    const wrong = await importOne('wrong', ['--seed-file', file(), '--native', '--address', FRESH.publicKey()])
    expect(failed(wrong)).toMatchObject({ code: 'key/mismatch' })
    expect(failed(await importOne('moved', ['--seed-file', file(), '--native']))).toMatchObject({ code: 'key/exists' })
    const same = await importOne('second', ['--seed-file', seedFile('same.seed', FRESH.secret()), '--native'])
    expect(failed(same)).toMatchObject({ code: 'key/exists' })
    expect((await importOne('x', ['--native', '--reference', KEY_ID])).exitCode).toBe(2)
    const wrapped = ['--seed-file', file(), '--native', '--wrapping-key', arn(WRAPPING_ID)]
    expect((await importOne('x', wrapped)).exitCode).toBe(2)
    expect(failed(await keys(['import', 'x', '--provider', 'mock', '--seed-file', file(), '--native']))).toMatchObject({
      code: 'key/unsupported',
    })
    expect(kms.calls()['CreateKey'] ?? 0).toBe(before)
  })

  test('M-62 countersign revoke --local stops an imported key at the key service too; a wrapping key is left', async () => {
    const config = ['--config', files.path('countersign.toml')]
    const stopped = async (name: string) =>
      (await run(['revoke', name, '--local', '--reason', 'test', '--json', ...config], { env: ENV })).json['places']
    expect(await stopped('moved')).toMatchObject([{ version: 1, provider: 'aws', outcome: 'disabled' }])
    expect(kms.calls()['DisableKey']).toBe(1)
    expect(await stopped('wrapped')).toMatchObject([{ version: 1, provider: 'aws', outcome: 'left' }])
    expect(kms.calls()['DisableKey']).toBe(1)
  })
})

describe('M-60 --account: a key that signs for an account as one of its signers', () => {
  const account = Keypair.random().publicKey()

  test('created, imported in every way, shown where it is not the address', async () => {
    const seed = Keypair.random()
    const from = seedFile('signer.txt', seed.secret())
    const made = [
      await create('signer', '--account', account),
      await importOne('signer-seed', ['--seed-file', from, '--wrapping-key', arn(WRAPPING_ID), '--account', account]),
      await importOne('signer-native', ['--seed-file', from, '--native', '--shared', '--account', account]),
    ]
    for (const { exitCode, json } of made) expect([exitCode, json['account']]).toEqual([0, account])
    expect(made[1]?.json['address']).toBe(seed.publicKey())
    const bound = await keys(['bind', 'signer-seed', '--provider', 'aws', '--seed-file', from])
    expect([bound.exitCode, bound.json['account'], bound.json['bindings'].length]).toEqual([0, account, 2])
    expect((await keys(['show', 'signer'])).json['account']).toBe(account)
    const plain = await run(['keys', 'list', '--config', files.path('countersign.toml')], { env: ENV })
    expect(plain.out).toContain(`${made[0]?.json['address']}\tfor ${account}\n`)
    expect(plain.out.split('\n').filter(line => line.includes('\tfor ')).length).toBe(3)
    const inventory = await keys(['inventory', '--offline'])
    const table = await run(['keys', 'inventory', '--offline', '--config', files.path('countersign.toml')], {
      env: ENV,
    })
    expect(table.out).toContain(`${made[0]?.json['address']} for ${account}\n`)
    expect(inventory.json['keys']).toContainEqual(expect.objectContaining({ name: 'signer', account }))
  })

  test('bad input: a chain without, and what is no account', async () => {
    const contract = 'CAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSABOV'
    for (const [says, ...argv] of [
      ['of an EVM key is its address', '--chain', 'evm', '--account', account],
      ['checksum', '--account', `${account.slice(0, -1)}${account.endsWith('A') ? 'B' : 'A'}`],
      ['a contract', '--account', contract],
      ['checksum', '--account', Keypair.random().secret()],
      ['checksum', '--account', ''],
    ] as const) {
      const ended = await create('nobody', ...argv)
      expect(failed(ended)).toEqual({ exitCode: 2, code: 'request/malformed' })
      expect(JSON.stringify(ended.json)).toContain(says)
    }
    expect(failed(await keys(['show', 'nobody'])).code).toBe('key/unknown')
  })
})
