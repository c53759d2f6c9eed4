/** `countersign migrate`: off the environment, off a passphrase, and with the ciphertexts of another program. */
import { EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Keypair } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import { addressOfPublicKey } from '../../../src/bytes/evm-address.ts'
import { type CliOptions, type Ended, run, scratch, start } from '../../support/cli.ts'
import { awsProvider, configFile, printedAndStored } from '../../support/installation.ts'
import { jsonLines, numbered, passphraseRow } from '../../support/migration.ts'

const files = scratch()
const WRAPPING_ID = '00000000-0000-4000-8000-0000000000c1'
const OTHER_ID = '00000000-0000-4000-8000-0000000000c2'
const arn = (id: string) => `arn:aws:kms:us-east-1:000000000000:key/${id}`
const WRAPPING = arn(WRAPPING_ID)
const OLD = 'what the platform has in its environment'
const ENV = { TEST_ID: 'test', TEST_SECRET: 'canary-secret-access-key' }
let kms: LocalKms
let count = 0

beforeAll(async () => {
  kms = await startLocalKms({
    faces: ['aws'],
    seed: { version: 1, keys: [WRAPPING_ID, OTHER_ID].map(keyId => ({ keyId, spec: 'SYMMETRIC_DEFAULT' })) } as never,
  })
  file('old', `${OLD}\n`)
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(files.path(name), content, { mode: 0o600 })
  return files.path(name)
}

interface House {
  readonly data: string
  migrate(argv: readonly string[], options?: CliOptions): Promise<Ended>
  keys(argv: readonly string[]): Promise<Ended>
  list(): Promise<{ name: string; address: string }[]>
  /** What the log says of migrations. */
  events(): Promise<Record<string, any>[]>
}

/** An installation of its own. */
function house(more = ''): House {
  const folder = `data-${++count}`
  const data = files.path(folder)
  const nobody = awsProvider('http://127.0.0.1:1', 'nobody')
  const config = configFile(files, kms, { name: `c-${count}`, data: folder, more: `${nobody}${more}` })
  const keys = (argv: readonly string[]) => run(['keys', ...argv, '--config', config, '--json'], { env: ENV })
  return {
    data,
    keys,
    migrate: (argv, options = {}) =>
      run(
        ['migrate', ...argv, '--config', config, ...(argv.includes('--text') ? [] : ['--json'])].filter(
          each => each !== '--text',
        ),
        {
          ...options,
          env: { ...ENV, ...options.env },
        },
      ),
    list: async () => ((await keys(['list'])).json['keys'] as { name: string; address: string }[]) ?? [],
    events: async () => {
      const { out } = await run(['audit', 'tail', '--data', data, '--json'])
      const lines = out.split('\n').filter(line => line !== '')
      const records = lines.map(line => JSON.parse(line) as Record<string, any>)
      return records.filter(({ event }) => String(event).startsWith('migration-'))
    },
  }
}

const failed = ({ exitCode, json }: Ended) => ({ exitCode, code: json['error'].code as string })
const codes = ({ json }: Ended) =>
  (json['failed'] as { line: number; code: string }[]).map(({ line, code }) => [line, code] as const)

/** Nothing of a seed or passphrase, in no form a text could have, in anything that was printed or stored. */
function expectNoTrace({ data }: House, ended: Ended, ...secrets: (string | Uint8Array)[]): void {
  const text = printedAndStored(ended, existsSync(data) ? data : undefined)
  for (const secret of secrets) {
    const bytes = Buffer.from(secret as string)
    const forms = [bytes.toString('latin1'), bytes.toString('hex'), bytes.toString('base64')]
    for (const form of forms) expect(text.includes(form)).toBe(false)
  }
}

describe('migrate env', () => {
  const pair = Keypair.random()
  const seed = file('seed', `${pair.secret()}\n`)
  const to = ['--provider', 'aws', '--wrapping-key', WRAPPING]

  test('M-66 a seed of a key that is a signer of another account: --account', async () => {
    const one = house()
    const account = Keypair.random().publicKey()
    const env = (name: string, ...more: string[]) => one.migrate(['env', name, ...to, '--seed-file', seed, ...more])
    const bad = await env('signer', '--account', `M${account.slice(1)}`, '--dry-run')
    expect(failed(bad)).toEqual({ exitCode: 2, code: 'request/malformed' })
    expect((await env('signer', '--account', account, '--dry-run')).json['outcome']).toBe('would-migrate')
    const moved = await env('signer', '--account', account)
    expect([moved.json['key'].address, moved.json['key'].account]).toEqual([pair.publicKey(), account])
    expect((await env('signer')).json['outcome']).toBe('present')
    expect((await env('signer', '--account', account)).json['outcome']).toBe('present')
    const other = await env('signer', '--account', pair.publicKey())
    expect(failed(other)).toEqual({ exitCode: 1, code: 'key/mismatch' })
    expect(JSON.stringify(other.json)).toContain(`registered for ${account}`)
    const evm = await env('evm', '--chain', 'evm', '--account', account)
    expect(evm.exitCode).toBe(2)
  })

  test('M-66 a seed from a file: wrapped, proved, pinned, on record; the list of old copies follows; the seed is wiped', async () => {
    const one = house()
    const handed: Uint8Array[] = []
    const readFile = async (path: string) => {
      const bytes = new Uint8Array(readFileSync(path))
      handed.push(bytes)
      return bytes
    }
    const moved = await one.migrate(['env', 'treasury', ...to, '--seed-file', seed, '--address', pair.publicKey()], {
      terminal: { readFile },
    })
    expect(moved.json).toMatchObject({
      source: 'env',
      outcome: 'migrated',
      address: pair.publicKey(),
      key: { name: 'treasury', custody: 'envelope', provider: 'aws', state: 'active', network: 'testnet' },
    })
    const ids = (moved.json['checklist'] as { id: string }[]).map(({ id }) => id)
    expect(ids).toEqual([
      ...['source', 'env-files', 'processes', 'shell-history', 'ci-secrets', 'orchestrator', 'images', 'backups'],
      ...['logs', 'people', 'rotate'],
    ])
    expect({ hardened: moved.hardened, files: handed.length }).toEqual({ hardened: 1, files: 1 })
    expect(handed[0]?.every(byte => byte === 0)).toBe(true)
    expectNoTrace(one, moved, pair.secret(), pair.rawSecretKey())
    const events = await one.events()
    expect(events.map(({ event, detail }) => [event, detail.key, detail.address])).toEqual([
      ['migration-started', 'treasury', pair.publicKey()],
      ['migration-finished', 'treasury', pair.publicKey()],
    ])
    expect(events[1]?.['detail'].checklist).toBe(ids.join(' '))

    // Done twice, it is done once; what stands there proves itself again.
    const decrypts = kms.calls()['Decrypt'] ?? 0
    const again = await one.migrate(['env', 'treasury', ...to, '--seed-file', seed, '--text'])
    expect(again.out).toContain('was there already')
    expect(again.out).toContain('[ ] shell-history')
    expect(again.err).toContain(pair.publicKey())
    expect(kms.calls()['Decrypt']).toBe(decrypts + 1)
    expect(await one.list()).toHaveLength(1)
    expect((await one.events())[2]).toMatchObject({ event: 'migration-finished', detail: { outcome: 'present' } })
  })

  test('M-66 from standard input, and from a variable that is named, with a warning; never from an argument', async () => {
    const one = house()
    const piped = await one.migrate(['env', 'piped', ...to, '--seed-file', '-'], { stdin: pair.secret() })
    expect(piped.json).toMatchObject({ outcome: 'migrated', address: pair.publicKey() })
    const env = { OLD_SEED: numbered(1).secret() }
    const named = await one.migrate(['env', 'named', ...to, '--seed-env', 'OLD_SEED'], { env })
    expect(named.json).toMatchObject({ outcome: 'migrated', address: numbered(1).publicKey() })
    expect(named.err).toContain('warning: a seed in the environment')
    expectNoTrace(one, named, numbered(1).secret(), pair.secret())
    for (const argv of [[], ['--seed-file', seed, '--seed-env', 'OLD_SEED'], ['--seed-env', 'NO_SUCH_VARIABLE']]) {
      expect(failed(await one.migrate(['env', 'none', ...to, ...argv]))).toEqual({
        exitCode: 2,
        code: 'request/malformed',
      })
    }
    expect((await one.migrate(['env', 'none', ...to, pair.secret()])).exitCode).toBe(2)
    expect(await one.list()).toHaveLength(2)
  })

  test('M-66 a dry run says what would be, and writes nothing', async () => {
    const one = house()
    const encrypts = kms.calls()['Encrypt'] ?? 0
    const dry = await one.migrate(['env', 'treasury', ...to, '--seed-file', seed, '--dry-run'])
    expect(dry.json).toMatchObject({ outcome: 'would-migrate', address: pair.publicKey() })
    expect(await one.list()).toEqual([])
    expect(kms.calls()['Encrypt'] ?? 0).toBe(encrypts)
    expect(await one.events()).toEqual([])
  })

  test('M-66 the key of an EVM account from its hex, in envelope custody', async () => {
    const one = house()
    const scalar = secp256k1.utils.randomSecretKey()
    const address = addressOfPublicKey(secp256k1.getPublicKey(scalar, false))
    const hex = file('hex', `0x${Buffer.from(scalar).toString('hex')}\n`)
    const asked = ['env', 'deployer', ...to, '--chain', 'evm', '--seed-file', hex, '--address', address.toLowerCase()]
    const moved = await one.migrate(asked)
    expect(moved.json).toMatchObject({
      outcome: 'migrated',
      address,
      key: { network: 'sepolia', scheme: 'ecdsa-secp256k1' },
    })
    expectNoTrace(one, moved, scalar)
  })

  const typo = (text: string) => `${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'A'}`

  test('refused, and nothing is registered: another address, no address, no seed, another chain, a name or key that is taken', async () => {
    const one = house()
    const other = Keypair.random().publicKey()
    const refuse = async (code: string, argv: readonly string[], from = seed) => {
      const ended = await one.migrate(['env', ...argv, ...to, '--seed-file', from])
      expect({ argv, code: failed(ended).code }).toEqual({ argv, code })
      expectNoTrace(one, ended, pair.secret(), pair.rawSecretKey())
    }
    await refuse('key/mismatch', ['a', '--address', other])
    await refuse('request/malformed', ['a', '--address', typo(pair.publicKey())])
    await refuse('request/malformed', ['a', '--address', pair.publicKey().toLowerCase()])
    await refuse('request/malformed', ['a', '--address', 'M' + pair.publicKey().slice(1)])
    await refuse('request/malformed', ['a'], file('noise', 'no seed at all\n'))
    await refuse('request/malformed', ['a'], file('empty', ''))
    await refuse('request/malformed', ['a'], file('damaged', typo(pair.secret())))
    await refuse('request/malformed', ['a', '--chain', 'evm'])
    await refuse('request/malformed', ['a'], file('hex-for-stellar', `${'a1'.repeat(32)}\n`))
    await refuse('request/malformed', ['a', '--chain', 'evm'], file('zero', `${'00'.repeat(32)}\n`))
    await refuse('request/malformed', ['../a'])
    await refuse('request/malformed', [pair.secret()])
    await refuse('config/invalid', ['a', '--network', 'nowhere'])
    await refuse('request/malformed', ['a', '--custody', 'native'])
    expect(await one.list()).toEqual([])
    await one.migrate(['env', 'taken', ...to, '--seed-file', seed])
    await refuse('key/exists', ['second'])
    await refuse('key/exists', ['taken'], file('another', Keypair.random().secret()))
    expect(await one.list()).toHaveLength(1)
  })
})

describe('migrate passphrase-rows', () => {
  const to = ['--provider', 'aws', '--wrapping-key', WRAPPING]
  const pass = ['--passphrase-file', files.path('old')]
  const row = (number: number, name?: string, secret = numbered(number).secret(), under = OLD) => ({
    address: numbered(number).publicKey(),
    row: passphraseRow(secret, under),
    ...(name === undefined ? {} : { name }),
  })
  const rows = (name: string, list: readonly object[]) => [
    'passphrase-rows',
    '--rows',
    file(name, jsonLines(list)),
    ...pass,
    ...to,
  ]

  test('M-66 JSON Lines and CSV, with names and without; progress goes to stderr; a second run skips all', async () => {
    const one = house()
    const list = [row(1, 'channel-1'), row(2), row(3, 'channel-3')]
    const moved = await one.migrate(rows('three', list))
    expect({ exitCode: moved.exitCode, ...moved.json }).toMatchObject({
      exitCode: 0,
      rows: 3,
      migrated: 3,
      present: 0,
      failed: [],
    })
    expect(moved.err).toContain('3 of 3 rows · 3 migrated')
    expect((await one.list()).map(({ name }) => name).toSorted()).toEqual(
      ['channel-1', 'channel-3', numbered(2).publicKey()].toSorted(),
    )
    expectNoTrace(one, moved, OLD, ...[1, 2, 3].flatMap(n => [numbered(n).secret(), numbered(n).rawSecretKey()]))
    const events = await one.events()
    expect(events.map(({ event, detail }) => [event, detail.rows, detail.migrated])).toEqual([
      ['migration-started', 3, undefined],
      ['migration-finished', 3, 3],
    ])

    const four = row(4, 'channel-4')
    const csv = [...list, four].map(each => `"${each.address}",${each.row}${'name' in each ? `,${each.name}` : ''}`)
    const path = file('four.csv', `address,row,name\r\n${csv.join('\r\n')}\r\n`)
    const again = await one.migrate(['passphrase-rows', '--rows', path, ...pass, ...to, '--text'])
    expect(again.out).toContain('4 rows: 1 migrated, 3 were there already, 0 failed')
    expect(again.out).toContain('[ ] column')
    const bare = file('bare.csv', `${four.address},${four.row},channel-4\n`)
    expect((await one.migrate(['passphrase-rows', '--rows', bare, ...pass, ...to])).json).toMatchObject({ present: 1 })
  })

  test('M-66 rows that fail are told by their line, the others move, the exit code is 1; put right, the same file moves the rest', async () => {
    const one = house()
    const list = [
      row(10, 'a'),
      row(11, 'b', numbered(99).secret()), // the seed of another account
      row(12, 'c', 'no seed at all'),
      row(13, 'd', numbered(13).secret(), 'another passphrase'),
      { ...row(14, 'e'), address: numbered(14).publicKey().toLowerCase() },
      { ...row(15, 'f'), row: 'not base64!' },
      { ...row(16, 'g'), row: 'AAAA' },
      row(10, 'second-name'),
      row(17, 'a'), // a name that is taken
      row(18, '../h'),
      { ...row(19, 'i'), unknown: '1' },
      row(20, numbered(20).secret()),
      { row: row(21).row },
      { address: numbered(22).publicKey() },
      { ...row(23), name: 5 },
      row(24, 'z'),
    ]
    const moved = await one.migrate(rows('bad', list))
    expect(moved.exitCode).toBe(1)
    expect(codes(moved)).toEqual([
      [2, 'key/mismatch'],
      [3, 'request/malformed'],
      [4, 'envelope/unreadable'],
      [5, 'request/malformed'],
      [6, 'request/malformed'],
      [7, 'request/malformed'],
      [8, 'key/exists'],
      [9, 'key/exists'],
      [10, 'request/malformed'],
      [11, 'request/malformed'],
      [12, 'request/malformed'],
      [13, 'request/malformed'],
      [14, 'request/malformed'],
      [15, 'request/malformed'],
    ])
    expect(moved.json).toMatchObject({ rows: 16, migrated: 2, present: 0 })
    expect((await one.list()).map(({ name }) => name)).toEqual(['a', 'z'])
    expectNoTrace(one, moved, OLD, ...[10, 11, 20, 99].map(n => numbered(n).secret()))

    const right = list.map((each, at) => (at === 1 ? row(11, 'b') : each))
    expect((await one.migrate(rows('better', right))).json).toMatchObject({ migrated: 1, present: 2 })
    const text = await one.migrate([...rows('better', right), '--text'])
    expect(text.out).toContain('line 4')
    expect(text.out).toContain('envelope/unreadable')
  })

  test('M-66 a line that is there twice moves once; of two rows of one account the good one counts', async () => {
    const one = house()
    const twice = row(30, 'a')
    const list = [twice, twice, row(31, 'b', numbered(31).secret(), 'another passphrase'), row(31, 'b')]
    const moved = await one.migrate([...rows('twice', list), '--concurrency', '4'])
    expect(moved.json).toMatchObject({ rows: 4, migrated: 2, present: 1 })
    expect(codes(moved)).toEqual([[3, 'envelope/unreadable']])
    expect((await one.list()).map(({ name }) => name)).toEqual(['a', 'b'])
  })

  test('M-66 a dry run finds the same faults, and writes nothing', async () => {
    const one = house()
    const list = [row(40, 'a'), row(41, 'b', numbered(99).secret()), row(42, 'c', numbered(42).secret(), 'another')]
    const encrypts = kms.calls()['Encrypt'] ?? 0
    const dry = await one.migrate([...rows('dry', list), '--dry-run'])
    expect(dry.json).toMatchObject({ dryRun: true, migrated: 1 })
    expect(codes(dry)).toEqual([
      [2, 'key/mismatch'],
      [3, 'envelope/unreadable'],
    ])
    expect({ list: await one.list(), events: await one.events() }).toEqual({ list: [], events: [] })
    expect(kms.calls()['Encrypt'] ?? 0).toBe(encrypts)
  })

  test('refused whole: an empty file, a wrong passphrase is said as such, no wrapping key, nobody at the key service', async () => {
    const one = house()
    for (const [name, text] of [
      ['void', ''],
      ['blank', '\n\n'],
      ['head', 'address,row,name\n'],
    ] as const) {
      const ended = await one.migrate(['passphrase-rows', '--rows', file(name, text), ...pass, ...to])
      expect(failed(ended)).toEqual({ exitCode: 2, code: 'request/malformed' })
    }
    const list = Array.from({ length: 20 }, (_, n) => row(50 + n))
    const path = file('twenty', jsonLines(list))
    const wrong = ['passphrase-rows', '--rows', path, '--passphrase-file', file('wrong', 'wrong\n'), ...to, '--text']
    expect((await one.migrate(wrong)).out).toContain('is it the right passphrase')
    const unwrapped = ['passphrase-rows', '--rows', path, ...pass, '--provider', 'aws']
    expect((await one.migrate(unwrapped)).exitCode).toBe(2)
    const stdin = ['passphrase-rows', '--rows', '-', '--passphrase-file', '-', ...to]
    expect(failed(await one.migrate(stdin)).code).toBe('request/malformed')
    for (const concurrency of ['0', '33']) {
      expect(failed(await one.migrate([...rows('one', [row(1)]), '--concurrency', concurrency])).exitCode).toBe(2)
    }
    // A key that is not there: after some rows in a row nobody is asked any more.
    const gone = arn('00000000-0000-4000-8000-0000000000ff')
    const stopped = await one.migrate([
      'passphrase-rows',
      '--rows',
      path,
      ...pass,
      '--provider',
      'aws',
      '--wrapping-key',
      gone,
    ])
    expect({ exitCode: stopped.exitCode, stopped: stopped.json['stopped'] }).toMatchObject({
      exitCode: 1,
      stopped: expect.stringContaining('8 rows one after the other ended with provider/refused'),
    })
    expect(codes(stopped).length).toBeLessThan(20)
    expect(await one.list()).toEqual([])
  })

  test('asked to stop, it ends after the rows that are under way, and goes on when it is started again', async () => {
    const one = house()
    const list = Array.from({ length: 30 }, (_, n) => row(100 + n, `n${n}`))
    const argv = [...rows('thirty', list), '--json', '--config', files.path(`c-${count}.toml`), '--concurrency', '1']
    const started = start(['migrate', ...argv], { env: ENV })
    while (!/^[1-9]\d* of 30/m.test(started.text.err)) await new Promise(resolve => setImmediate(resolve))
    const ended = await started.stop()
    expect({ exitCode: ended.exitCode, stopped: ended.json['stopped'] }).toEqual({
      exitCode: 1,
      stopped: 'stopped by the operator',
    })
    const { migrated } = ended.json as { migrated: number }
    expect(migrated).toBeLessThan(30)
    expect((await one.migrate(rows('thirty', list))).json).toMatchObject({ migrated: 30 - migrated, present: migrated })
    expect(await one.list()).toHaveLength(30)
  })
})

describe('migrate kms-blob', () => {
  async function blob(number: number, pubkey = numbered(number).publicKey(), key = WRAPPING_ID) {
    const client = new KMSClient({
      region: 'us-east-1',
      endpoint: kms.aws,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    })
    const Plaintext = numbered(number).rawSecretKey()
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: key, Plaintext, EncryptionContext: { pubkey } }),
    )
    client.destroy()
    return Buffer.from(CiphertextBlob ?? []).toString('base64')
  }
  const to = ['--provider', 'aws', '--wrapping-key', WRAPPING]

  test('M-66 M-05 ciphertexts under {"pubkey"} are taken as they are; each is opened once; bad ones are told by their line', async () => {
    const one = house()
    const [first, second, other] = [numbered(200), numbered(201), numbered(202)]
    const list = [
      { address: first.publicKey(), ciphertext: await blob(200), name: 'wallet-1' },
      {
        address: second.publicKey(),
        ciphertext: await blob(201, undefined, OTHER_ID),
        wrappingKey: arn(OTHER_ID),
        name: 'wallet-2',
      },
      { address: other.publicKey(), ciphertext: await blob(200), name: 'context' },
      { address: other.publicKey(), ciphertext: await blob(203, other.publicKey()), name: 'context' },
      { address: numbered(204).publicKey(), ciphertext: '?', name: 'text' },
    ]
    const path = file('blobs.jsonl', jsonLines(list))
    const dry = await one.migrate(['kms-blob', '--rows', path, ...to, '--dry-run'])
    const faults = [
      [3, 'envelope/unreadable'],
      [4, 'envelope/mismatch'],
      [5, 'request/malformed'],
    ] as const
    expect(codes(dry)).toEqual([...faults])
    expect({ migrated: dry.json['migrated'], list: await one.list() }).toEqual({ migrated: 2, list: [] })
    const decrypts = kms.calls()['Decrypt'] ?? 0
    const moved = await one.migrate(['kms-blob', '--rows', path, ...to])
    expect(codes(moved)).toEqual([...faults])
    expect(moved.json).toMatchObject({ migrated: 2, present: 0, rows: 5 })
    expect(kms.calls()['Decrypt']).toBe(decrypts + 4)
    expect((await one.list()).map(({ name, address }) => [name, address])).toEqual([
      ['wallet-1', first.publicKey()],
      ['wallet-2', second.publicKey()],
    ])
    expect((await one.migrate(['kms-blob', '--rows', path, ...to])).json).toMatchObject({ migrated: 0, present: 2 })
    const ids = (moved.json['checklist'] as { id: string }[]).map(({ id }) => id)
    expect(ids[0]).toBe('permissions')
  })

  test('refused by line: no wrapping key, and an EVM address, which does not hold the key', async () => {
    const one = house()
    const path = file('bare.jsonl', jsonLines([{ address: numbered(210).publicKey(), ciphertext: await blob(210) }]))
    expect(codes(await one.migrate(['kms-blob', '--rows', path, '--provider', 'aws']))).toEqual([
      [1, 'request/malformed'],
    ])
    const evm = addressOfPublicKey(secp256k1.getPublicKey(secp256k1.utils.randomSecretKey(), false))
    const other = file('evm.jsonl', jsonLines([{ address: evm, ciphertext: 'AAAA' }]))
    expect(codes(await one.migrate(['kms-blob', '--rows', other, ...to, '--chain', 'evm']))).toEqual([
      [1, 'key/unsupported'],
    ])
  })
})
