import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { currentFlags, flagDocument, replaceFlags } from '../../../src/compose/flag-files.ts'
import { openFlagRoom } from '../../../src/compose/flag-room.ts'
import { hashOfFlags, NO_FLAGS, readFlagSet } from '../../../src/routing/index.ts'
import { realClock, withCode } from '../../support/audit-world.ts'

let home: string
const world = {
  clock: realClock,
  random: { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) },
  fetch: () => Promise.reject(new Error('no network in this test')),
}
const room = (name: string, environment = 'development') => openFlagRoom({ environment, file: join(home, name) }, world)
const canary = (percent: number) => ({ key: 'treasury', flag: { mode: 'canary', target: 'aws-kms', percent } })

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'countersign-flags-'))
})
after(() => rm(home, { recursive: true, force: true }))

test('M-10 set and rollback: 0600, replaced in one step, history beside it, one step back each time and never forward', async () => {
  const flags = room('steps.json')
  assert.deepEqual((await flags.show()).rules, [])
  await assert.rejects(flags.rollback(), withCode('request/malformed'), 'nothing was there before')
  for (const percent of [1, 50, 100]) await flags.set(canary(percent))
  const { rules, hash, history } = await flags.show()
  assert.deepEqual(rules, [canary(100)])
  assert.equal((await stat(join(home, 'steps.json'))).mode & 0o777, 0o600)
  assert.deepEqual(
    history.map(({ number }) => number),
    [4, 3, 2, 1],
  )
  assert.equal(history[0]?.hash, hash)
  const percents = async (view: Promise<{ rules: readonly unknown[] }>) =>
    (await view).rules.map(rule => (rule as ReturnType<typeof canary>).flag.percent)
  assert.deepEqual(await percents(flags.rollback()), [50])
  assert.deepEqual(await percents(flags.rollback()), [1])
  assert.deepEqual(await percents(flags.rollback()), [])
  await assert.rejects(flags.rollback(), withCode('request/malformed'))
  assert.deepEqual(await percents(flags.rollback(4)), [100])
  await assert.rejects(flags.rollback(99), withCode('request/malformed'))
  assert.deepEqual(
    (await readdir(home)).filter(name => name.endsWith('.new') || name.endsWith('.lock')),
    [],
  )
})

test('M-10 a change by hand is kept in the history; what cannot be read is rolled back to the last that could', async () => {
  const file = join(home, 'hand.json')
  const flags = room('hand.json')
  await flags.set(canary(1))
  await writeFile(file, JSON.stringify({ version: 1, rules: [canary(7)] }))
  await flags.set({ key: 'treasury', flag: { mode: 'off' } })
  assert.deepEqual((await flags.rollback()).rules, [canary(7)])
  await writeFile(file, '{"version":1,"rules":[{"flag":{"mode":"on"}}]}')
  await assert.rejects(flags.show(), withCode('config/invalid'))
  await assert.rejects(flags.set(canary(2)), withCode('config/invalid'))
  assert.deepEqual((await flags.rollback()).rules, [canary(7)])
})

test('M-10 two changes at once: one wins, the other is refused with the hash of the first, and nothing is lost', async () => {
  const file = join(home, 'race.json')
  const flags = room('race.json')
  const start = (await flags.set(canary(1))).hash
  const sets = [2, 3, 4, 5].map(percent => readFlagSet({ version: 1, rules: [canary(percent)] }))
  const results = await Promise.allSettled(sets.map(next => replaceFlags(file, realClock, start, next)))
  const won = results.findIndex(({ status }) => status === 'fulfilled')
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  const now = hashOfFlags(sets[won] ?? NO_FLAGS)
  assert.equal(hashOfFlags(await currentFlags(file)), now)
  for (const result of results) {
    if (result.status === 'rejected') assert.match(String(result.reason), new RegExp(`their hash is ${now}`))
  }
  await assert.rejects(flags.set(canary(9), start), withCode('request/malformed'))
  assert.deepEqual((await flags.set(canary(9), now)).rules, [canary(9)])
})

test('M-10 bad values are refused and nothing is written; TOML is read, and not written over', async () => {
  const flags = room('bad.json')
  for (const flag of [
    { mode: 'canary', target: 'x', percent: 101 },
    { mode: 'canary', target: 'x', percent: -1 },
    { mode: 'x' },
  ]) {
    await assert.rejects(flags.set({ flag }), withCode('config/invalid'))
  }
  assert.deepEqual(await flagDocument(join(home, 'bad.json')).stamp(), undefined)
  await writeFile(
    join(home, 'f.toml'),
    '# why\nversion = 1\n[[rules]]\nkey = "treasury"\nflag = { mode = "on", target = "vault" }\n',
  )
  const toml = room('f.toml')
  assert.deepEqual((await toml.show()).rules, [{ key: 'treasury', flag: { mode: 'on', target: 'vault' } }])
  await assert.rejects(toml.set(canary(1)), withCode('request/malformed'))
  await assert.rejects(toml.rollback(), withCode('request/malformed'))
  assert.match(await readFile(join(home, 'f.toml'), 'utf8'), /# why/)
  await writeFile(join(home, 'f.toml'), 'version = [')
  await assert.rejects(toml.show(), withCode('config/invalid'))
  await writeFile(join(home, 'long.json'), ' '.repeat(1_048_577))
  await assert.rejects(room('long.json').show(), withCode('config/invalid'))
})

test('M-10 a lock that a dead process left behind is taken over; one that is held is waited for', async () => {
  const file = join(home, 'lock.json')
  await writeFile(`${file}.lock`, '')
  const old = { ...realClock, now: () => Date.now() + 60_000 }
  await replaceFlags(file, old, hashOfFlags(NO_FLAGS), readFlagSet({ version: 1, rules: [canary(1)] }))
  await writeFile(`${file}.lock`, '')
  const quick = { ...realClock, sleep: async () => {} }
  const next = readFlagSet({ version: 1, rules: [canary(2)] })
  await assert.rejects(
    replaceFlags(file, quick, hashOfFlags(await currentFlags(file)), next),
    withCode('store/unavailable'),
  )
})
