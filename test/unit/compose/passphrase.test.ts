/** M-08 through the command line: a passphrase pool end to end, and rows of another platform moved into it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { Keypair } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import { checkStart } from '../../../src/config/start-guard.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { type CliOptions, type Ended, run, scratch } from '../../support/cli.ts'
import { configFile, printedAndStored } from '../../support/installation.ts'
import { passphraseRow } from '../../support/migration.ts'

const files = scratch()
const WRAPPING_ID = '00000000-0000-4000-8000-0000000000b1'
const POOL = 'a pool of channel accounts, 2026'
const OLD = 'what the platform has in its environment'
const ENV = { TEST_ID: 'test', TEST_SECRET: 'canary-secret-access-key', POOL }
let kms: LocalKms

beforeAll(async () => {
  kms = await startLocalKms({ seed: { version: 1, keys: [{ keyId: WRAPPING_ID, spec: 'SYMMETRIC_DEFAULT' }] } })
  configFile(files, kms, {
    environment: 'production',
    more: `[providers.pool]
kind = "passphrase"
[providers.pool.passphrases]
channels = "env:POOL"
`,
  })
  writeFileSync(files.path('old'), `${OLD}\n`)
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const keys = (argv: readonly string[], options: CliOptions = {}): Promise<Ended> =>
  run(['keys', ...argv, '--config', files.path('countersign.toml'), '--json'], { ...options, env: ENV })
const failed = ({ exitCode, json }: Ended) => ({ exitCode, code: json['error'].code as string })

/** As the platform writes it. */
function rowFile(name: string, plaintext: string, damage: (row: Buffer) => void = () => {}): string {
  const row = Buffer.from(passphraseRow(plaintext, OLD), 'base64')
  damage(row)
  writeFileSync(files.path(name), row.toString('base64'))
  return files.path(name)
}
const importRow = (name: string, row: string, address: string, ...more: string[]): Promise<Ended> => {
  const to = more.length > 0 ? more : ['--provider', 'pool', '--wrapping-key', 'passphrase/channels']
  return keys([
    ...['import', name, '--passphrase-row', row, '--passphrase-file', files.path('old'), '--address', address],
    ...to,
  ])
}

/** Nothing of a seed or passphrase, in no form a text could have, in anything that was printed or stored. */
function expectNoTrace(ended: Ended, pair: Keypair): void {
  const text = printedAndStored(ended, files.path('data'))
  const seed = Buffer.from(pair.rawSecretKey())
  const forms = [pair.secret(), seed.toString('hex'), seed.toString('base64'), seed.toString('latin1'), OLD, POOL]
  for (const form of forms) expect(text.includes(form)).toBe(false)
}

describe('M-08 a pool under a passphrase', () => {
  test('a new key is made, wrapped, proved and registered, in production; the wrapping key has to be named', async () => {
    const made = await keys([
      ...['create', 'channel-0', '--provider', 'pool', '--custody', 'envelope', '--network', 'public'],
      ...['--wrapping-key', 'passphrase/channels'],
    ])
    expect(made.exitCode).toBe(0)
    expect(made.json).toMatchObject({ name: 'channel-0', custody: 'envelope', provider: 'pool', state: 'active' })
    const unnamed = await keys(['create', 'channel-x', '--provider', 'pool', '--custody', 'envelope'])
    expect(failed(unnamed).code).toBe('key/unsupported')
    expect(unnamed.out + unnamed.err).toContain('passphrase/channels')
    expect(failed(await keys(['create', 'channel-x', '--provider', 'pool'])).code).toBe('key/unsupported')
  })

  test('serve warns of what it is, and is not refused', async () => {
    const config = await loadConfig({
      file: files.path('countersign.toml'),
      env: ENV,
      readFile: (path: string) => readFileSync(path, 'utf8'),
    })
    const { warnings, refusals } = checkStart({ config, env: {}, command: 'serve' })
    expect(warnings.map(({ path }) => path)).toContain('providers.pool')
    expect(refusals.map(({ path }) => path)).not.toContain('providers.pool')
  })
})

describe('M-08 keys import --passphrase-row', () => {
  test('a row moves under a passphrase of ours, or under a key service', async () => {
    const pair = Keypair.random()
    const row = rowFile('row-1', pair.secret())
    const moved = await importRow('channel-1', row, pair.publicKey())
    expect(moved.exitCode).toBe(0)
    expect(moved.json).toMatchObject({ address: pair.publicKey(), custody: 'envelope', provider: 'pool' })
    expectNoTrace(moved, pair)
    const wrapping = `arn:aws:kms:us-east-1:000000000000:key/${WRAPPING_ID}`
    const target = ['--provider', 'aws', '--wrapping-key', wrapping]
    // T31: on one network a public key has one name.
    expect(failed(await importRow('channel-2', row, pair.publicKey(), ...target)).code).toBe('key/exists')
    const inKms = await importRow('channel-2', row, pair.publicKey(), ...target, '--network', 'futurenet')
    expect(inKms.json).toMatchObject({ address: pair.publicKey(), provider: 'aws', custody: 'envelope' })
    expectNoTrace(inKms, pair)
  })

  test('a wrong passphrase, a damaged row, another address or no seed inside: a typed error, and nothing is registered', async () => {
    const [pair, other] = [Keypair.random(), Keypair.random()]
    const row = rowFile('row', pair.secret())
    const flipped = rowFile('flipped', pair.secret(), bytes => void bytes.writeUInt8((bytes[20] ?? 0) ^ 1, 20))
    const cases = [
      [() => importRow('bad-address', row, other.publicKey()), 'key/mismatch'],
      [() => importRow('bad-row', flipped, pair.publicKey()), 'envelope/unreadable'],
      [() => importRow('no-address', row, 'GNOTANADDRESS'), 'request/malformed'],
      [() => importRow('no-seed', rowFile('text', 'not a seed at all'), pair.publicKey()), 'request/malformed'],
      [() => importRow('no-row', files.path('old'), pair.publicKey()), 'request/malformed'],
      [
        () => importRow('no-key', row, pair.publicKey(), '--provider', 'pool', '--wrapping-key', 'passphrase/other'),
        'provider/refused',
      ],
    ] as const
    for (const [attempt, code] of cases) {
      const ended = await attempt()
      expect(failed(ended)).toMatchObject({ code })
      expectNoTrace(ended, pair)
    }
    writeFileSync(files.path('old'), 'another passphrase than that\n')
    const wrong = await importRow('bad-passphrase', row, pair.publicKey())
    writeFileSync(files.path('old'), `${OLD}\n`)
    expect(failed(wrong).code).toBe('envelope/unreadable')
    const names = (await keys(['list'])).json['keys'].map((key: { name: string }) => key.name)
    expect(names).toEqual(['channel-0', 'channel-1', 'channel-2'])
  })

  test('what belongs together has to be given together, and secrets come from files', async () => {
    const pair = Keypair.random()
    const row = ['--passphrase-row', rowFile('row-3', pair.secret())]
    const passphrase = ['--passphrase-file', files.path('old')]
    const address = ['--address', pair.publicKey()]
    const target = ['--provider', 'pool', '--wrapping-key', 'passphrase/channels']
    const wrong = [
      [...row, ...address],
      [...row, ...passphrase],
      [...passphrase, '--seed-file', files.path('row-3')],
      [...row, ...passphrase, ...address, '--seed-file', files.path('row-3')],
      ['--passphrase-row', '-', '--passphrase-file', '-', ...address],
    ]
    for (const flags of wrong) {
      expect(failed(await keys(['import', 'channel-3', ...target, ...flags]))).toEqual({
        exitCode: 2,
        code: 'request/malformed',
      })
    }
    const fromStdin = await keys(['import', 'channel-3', ...target, ...row, '--passphrase-file', '-', ...address], {
      stdin: OLD,
    })
    expect(fromStdin.json).toMatchObject({ address: pair.publicKey() })
  })
})
