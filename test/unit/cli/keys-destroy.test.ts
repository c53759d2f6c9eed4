/** Issue 7 part 1: `countersign keys destroy`, and the account that it asks first. */
import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { world } from '../../../src/runtime/bun.ts'
import { sealOf } from '../../../src/store/seal.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { run, scratch } from '../../support/cli.ts'
import { openStubNetwork, STUB_RPC } from '../../support/stub-network.ts'

const files = scratch()
afterAll(() => files.remove())

function place(name: string, more = ''): readonly string[] {
  mkdirSync(files.path(name), { recursive: true })
  const config = files.path(name, 'countersign.toml')
  writeFileSync(
    config,
    `environment = "development"\n[data]\ndirectory = "${files.path(name, 'data')}"\n[providers.mock]\nkind = "mock"\n${more}`,
  )
  return ['--config', config]
}

test('M-61 an account that still lists the key is reason to refuse, in the dry run too; dropped from it, or when that is said, it goes', async () => {
  const config = place('network', `[networks.testnet]\nrpc = "${STUB_RPC}"\n`)
  const stub = openStubNetwork({ now: () => Date.now() })
  const at = { world: { ...world(), fetch: stub.fetch } }
  const good = async (...argv: readonly string[]): Promise<Record<string, any>> => {
    const { exitCode, err, json } = await run([...argv, '--json', ...config], at)
    expect(exitCode, `${argv.join(' ')}\n${err}`).toBe(0)
    return json
  }
  const { address } = await good('keys', 'create', 'hot', '--provider', 'mock')
  await good('revoke', 'hot', '--local', '--reason', 'r')
  stub.account(address, { master: 3 })
  const destroy = ['keys', 'destroy', 'hot', '--at-once', '--key-version', '1', '--confirm', address]

  const planned = await run([...destroy, '--dry-run', ...config], at)
  expect([planned.exitCode, planned.out]).toEqual([1, expect.stringContaining('WOULD BE REFUSED')])
  expect(planned.out).toContain(`a signer of ${address} (weight 3)`)
  const asJson = await run([...destroy, '--dry-run', '--json', ...config], at)
  expect(asJson.json).toMatchObject({ dryRun: true, refused: true, state: 'revoked', days: 30 })
  const refused = await run([...destroy, '--json', ...config], at)
  expect([refused.exitCode, refused.json['error'].code]).toEqual([1, 'key/unsupported'])
  expect(refused.json['error'].reason).toContain(address)
  const away = { world: { ...world(), fetch: () => Promise.reject(new TypeError('refused')) } }
  const unheard = await run([...destroy, '--json', ...config], away)
  expect([unheard.exitCode, unheard.json['error'].code]).toEqual([1, 'network/unavailable'])
  expect((await good('rotate', 'hot'))['versions'][0].state).toBe('revoked')

  stub.account(address, { master: 0 })
  const clear = await good(...destroy, '--dry-run')
  expect([clear['refused'], clear['notes'], clear['look'].map((each: { id: string }) => each.id)]).toEqual([
    false,
    [],
    ['signer', 'balances', 'approvals', 'window', 'copies'],
  ])
  expect(await good(...destroy)).toMatchObject({ changed: true, done: true, notes: [] })

  const other = await good('keys', 'create', 'other', '--provider', 'mock')
  await good('revoke', 'other', '--local', '--reason', 'r')
  stub.account(other['address'])
  const asked = [
    'keys',
    'destroy',
    'other',
    '--at-once',
    '--key-version',
    '1',
    '--confirm',
    other['address'],
    '--signer-remains',
  ]
  expect(await good(...asked)).toMatchObject({ done: true })
})

test('M-61 an EVM key and a wrapped one: what nobody looked at is said, and what to look at is listed', async () => {
  const config = place('evm')
  const made = ['--chain', 'evm', '--provider', 'mock', '--custody', 'envelope', '--json', ...config]
  const { address } = (await run(['keys', 'create', 'deployer', ...made])).json
  await run(['revoke', 'deployer', '--local', '--reason', 'r', ...config])
  const destroy = ['keys', 'destroy', 'deployer', '--at-once', '--key-version', '1', '--confirm']
  // Another spelling of the same address is not to the letter.
  const lower = await run([...destroy, address.toLowerCase(), '--json', ...config])
  expect([lower.exitCode, lower.json['error']]).toMatchObject([2, { code: 'request/malformed', field: 'confirm' }])
  const planned = await run([...destroy, address, '--dry-run', ...config])
  expect(planned.exitCode).toBe(0)
  for (const text of [
    'Nobody looked at what 0x',
    'would be removed',
    '[ ] rights',
    '[ ] backups',
    'nothing was changed',
  ])
    expect(planned.out).toContain(text)
  expect(planned.out).not.toContain('[ ] window')
  const done = await run([...destroy, address, ...config])
  expect([done.exitCode, done.out]).toEqual([0, expect.stringContaining('gone  mock  envelope')])
  expect(done.err).toContain('Nobody looked')
  // Over for good: no rotation step leads back, and no rewrap touches it.
  const shown = (await run(['rotate', 'deployer', '--json', ...config])).json
  expect([shown['versions'][0].state, shown['next']]).toEqual(['destroyed', ['begin']])
  const wrapping = ['--provider', 'mock', '--wrapping-key', 'mock/wrapping/x']
  const rewrap = await run(['keys', 'rewrap', 'deployer', ...wrapping, '--json', ...config])
  expect(rewrap.json['error']).toMatchObject({ code: 'key/unknown' })
  const inventory = (await run(['keys', 'inventory', '--json', ...config])).json
  expect(inventory['keys']).toMatchObject([{ name: 'deployer', state: 'destroyed', overdue: false }])
})

test('M-61 T43 somebody writes the reference of a live key, and a fitting seal, into the row of one that is to be destroyed: the live key stays', async () => {
  const config = place('exchanged')
  const json = async (...argv: readonly string[]) => run([...argv, '--json', ...config])
  const { address } = (await json('keys', 'create', 'old', '--provider', 'mock')).json
  await json('keys', 'create', 'live', '--provider', 'mock')
  await json('revoke', 'old', '--local', '--reason', 'r')
  const path = files.path('exchanged', 'data', 'countersign.db')
  const store = await openSqliteStore({ path, clock: { now: () => 0 }, role: 'guest' })
  const [[live], [old]] = await Promise.all([store.keys.versions('live'), store.keys.versions('old')])
  store.close()
  const [binding] = old?.bindings ?? []
  const reference = live?.bindings[0]?.reference ?? ''
  if (old === undefined || binding === undefined) throw new Error('no such version')
  const raw = new DatabaseSync(path)
  raw.prepare("UPDATE bindings SET reference = ? WHERE key = 'old'").run(reference)
  raw
    .prepare("UPDATE versions SET seal = ? WHERE key = 'old'")
    .run(sealOf({ ...old, bindings: [{ ...binding, reference }] }))
  raw.close()
  const ended = await json('keys', 'destroy', 'old', '--at-once', '--key-version', '1', '--confirm', address)
  expect([ended.exitCode, ended.json]).toMatchObject([1, { done: false, places: [{ reference, outcome: 'failed' }] }])
  expect(ended.json['places'][0].reason).toContain('key/mismatch')
})
