/** `countersign keys inventory`, as an auditor reads it. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import { storePath } from '../../../src/compose/places.ts'
import * as bun from '../../../src/runtime/bun.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { type Ended, run, scratch } from '../../support/cli.ts'
import { configFile } from '../../support/installation.ts'

const DAY = 86_400_000
const files = scratch()
let kms: LocalKms

beforeAll(async () => {
  kms = await startLocalKms({ faces: ['aws'] })
  for (const [name, more] of [
    ['none', ''],
    ['year', '[keys]\ncryptoPeriodDays = 365\n'],
  ] as const) {
    configFile(files, kms, { name, more: `[providers.mock]\nkind = "mock"\n${more}` })
  }
  for (const argv of [
    ['treasury', '--provider', 'mock'],
    ['channel', '--provider', 'aws', '--custody', 'envelope'],
    ['deployer', '--provider', 'aws', '--chain', 'evm', '--network', 'base'],
  ]) {
    expect((await keys(['create', ...argv])).exitCode).toBe(0)
  }
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

function keys(argv: readonly string[], { config = 'none', days = 0, json = true } = {}): Promise<Ended> {
  const world = bun.world()
  const { clock } = world
  const later = { now: () => clock.now() + days * DAY, monotonic: clock.monotonic, sleep: clock.sleep }
  const env = { TEST_ID: 'test', TEST_SECRET: 'test' }
  const line = ['keys', ...argv, '--config', files.path(`${config}.toml`), ...(json ? ['--json'] : [])]
  return run(line, { env, world: { ...world, clock: later } })
}

test('M-61 the inventory as JSON: algorithm, place, protection, custody, state, age; nothing is overdue without a crypto-period', async () => {
  const { json, exitCode } = await keys(['inventory'], { days: 1 })
  const entries = json['keys'] as Record<string, any>[]
  expect({ exitCode, overdue: json['overdue'], names: entries.map(entry => entry['name']) }).toEqual({
    exitCode: 0,
    overdue: 0,
    names: ['channel', 'deployer', 'treasury'],
  })
  expect(
    entries.map(({ algorithm, places: [first], network, version, state, ageDays }) => [
      ...[algorithm, first.provider, first.custody, first.protection, network, version, state, ageDays],
    ]),
  ).toEqual([
    ['Ed25519', 'aws', 'envelope', 'software', 'testnet', 1, 'active', 1],
    ['ECDSA secp256k1', 'aws', 'native', 'unknown', 'base', 1, 'active', 1], // the emulator is no HSM
    ['Ed25519', 'mock', 'native', 'software', 'testnet', 1, 'active', 1],
  ])
  for (const { created, activeFrom, nextRotation, overdue } of entries) {
    expect(new Date(created).toISOString()).toBe(created)
    expect({ activeFrom, nextRotation, overdue }).toEqual({
      activeFrom: created,
      nextRotation: undefined,
      overdue: false,
    })
  }
  expect((await keys(['inventory', '--overdue'], { days: 9_000 })).exitCode).toBe(0)
})

test('M-61 with a crypto-period: what is overdue is marked, listed alone, and ends with 1', async () => {
  const before = await keys(['inventory', '--overdue'], { config: 'year', days: 364 })
  expect({ exitCode: before.exitCode, keys: before.json['keys'] }).toEqual({ exitCode: 0, keys: [] })
  const after = await keys(['inventory', '--overdue', '--offline'], { config: 'year', days: 366 })
  expect({ exitCode: after.exitCode, overdue: after.json['overdue'], keys: after.json['keys'].length }).toEqual({
    exitCode: 1,
    overdue: 3,
    keys: 3,
  })
  const table = await keys(['inventory', '--markdown'], { config: 'year', days: 366, json: false })
  const lines = table.out.split('\n').filter(line => line.startsWith('|'))
  expect(table.out).toContain('Crypto-period: 365 days. Overdue: 3.')
  expect(lines).toHaveLength(5)
  const columns = lines.map(line => line.split(' | ').length)
  expect(new Set([columns[0], ...columns.slice(2)])).toEqual(new Set([16]))
  expect(lines[2]).toMatch(
    /^\| channel \| 1 \| stellar \| testnet \| Ed25519 \| aws \| software \| envelope \| active \|.*\| 366 \| 365 \|.*\| OVERDUE \| G/,
  )
  const text = await keys(['inventory'], { days: 2, json: false })
  expect(text.out.split('\n')[0]).toMatch(/^NAME +VERSION +CHAIN/)
  expect((await keys(['inventory', '--markdown'])).exitCode).toBe(2)
})

test('M-61 the list can be taken beside the service that owns the registry; where there is none it is refused, not empty', async () => {
  const clock = bun.world().clock
  const owner = await openSqliteStore({ path: storePath(files.path('data')), clock })
  try {
    expect((await keys(['inventory'])).json['keys']).toHaveLength(3)
    expect((await keys(['list'])).exitCode).toBe(1)
  } finally {
    owner.close()
  }
  const nowhere = await keys(['inventory', '--data', files.path('nowhere')])
  expect([nowhere.exitCode, nowhere.json['error'].code]).toEqual([1, 'start/refused'])
})

test('M-61 a key service that does not answer makes its keys unknown, and nothing else', async () => {
  const protections = ({ json }: Ended): string[] => json['keys'].map(({ places: [first] }: any) => first.protection)
  expect(protections(await keys(['inventory', '--offline']))).toEqual(['software', 'unknown', 'unknown'])
  await kms.close()
  expect(protections(await keys(['inventory']))).toEqual(['software', 'unknown', 'software'])
})
