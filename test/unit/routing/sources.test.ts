import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createRemoteFlags,
  createWatchedFlags,
  type FlagSet,
  hashOfFlags,
  readFlagSet,
} from '../../../src/routing/index.ts'
import { memoryJournal, steppingClock, turns } from './world.ts'

const CONTEXT = { environment: 'production', key: 'treasury', caller: 'web' }
const setOf = (target: string): FlagSet =>
  readFlagSet({ version: 1, rules: [{ key: 'treasury', flag: { mode: 'on', target } }] })

function watched(more: { whenStale?: 'keep' | 'off'; problems?: () => Promise<readonly string[]> } = {}) {
  const clock = steppingClock()
  const journal = memoryJournal()
  const file = { stamp: '1' as string | undefined, read: async () => setOf('aws'), reads: 0 }
  const flags = createWatchedFlags({
    clock,
    journal,
    document: {
      stamp: async () => file.stamp,
      read: () => {
        file.reads++
        return file.read()
      },
    },
    problems: more.problems ?? (async () => []),
    ageMaxMs: 60_000,
    ...(more.whenStale === undefined ? {} : { whenStale: more.whenStale }),
  })
  const target = async () => {
    const { flag } = await flags.evaluate(CONTEXT)
    return flag.mode === 'on' ? flag.target : flag.mode
  }
  return { clock, journal, file, flags, target }
}

test('M-10 a document is read once, looked at once a second at most, and read again when its stamp changes', async () => {
  const { clock, journal, file, flags, target } = watched()
  await flags.load()
  assert.equal(await target(), 'aws')
  clock.advance(999)
  file.stamp = '2'
  file.read = async () => setOf('vault')
  assert.equal(await target(), 'aws', 'not a second yet')
  clock.advance(1)
  assert.equal(await target(), 'vault', 'the request that looks waits for the answer')
  clock.advance(5_000)
  await Promise.all([target(), target(), target()])
  assert.equal(file.reads, 2)
  const [first, second] = journal.changes
  assert.deepEqual([first?.before, first?.after], ['', hashOfFlags(setOf('aws'))])
  assert.deepEqual([second?.before, second?.after], [first?.after, hashOfFlags(setOf('vault'))])
  assert.match(String(second?.came), /"vault"/)
  assert.equal((await flags.evaluate(CONTEXT)).version, hashOfFlags(setOf('vault')).slice(0, 16))
})

test('M-10 what cannot be read, is unknown or cannot be recorded: the last good value, one alarm a minute, stale after the limit', async () => {
  let problem = ''
  const { clock, journal, file, flags, target } = watched({ problems: async () => (problem === '' ? [] : [problem]) })
  await flags.load()
  const breakIt = async (what: () => void, said: RegExp): Promise<void> => {
    what()
    file.stamp = `${file.stamp}+`
    clock.advance(61_000)
    assert.equal(await target(), 'aws')
    assert.match(journal.troubles.at(-1)?.reason ?? '', said)
  }
  await breakIt(() => (file.read = () => Promise.reject(new Error('is not JSON'))), /is not JSON/)
  assert.ok(journal.troubles.at(-1)?.stale, 'a minute is the limit here')
  const told = journal.troubles.length
  clock.advance(2_000)
  await target()
  assert.equal(journal.troubles.length, told, 'not twice in a minute')
  await breakIt(() => {
    file.read = async () => setOf('nowhere')
    problem = 'no binding there'
  }, /no binding there/)
  await breakIt(() => {
    problem = ''
    journal.state.refuse = true
  }, /sealed/)
  journal.state.refuse = false
  const { stamp } = file
  file.stamp = undefined
  clock.advance(61_000)
  await target()
  assert.match(journal.troubles.at(-1)?.reason ?? '', /gone/)
  file.stamp = stamp
  file.read = async () => setOf('vault')
  clock.advance(1_000)
  assert.equal(await target(), 'vault')
  assert.ok(journal.state.recovered > 0)
})

test('M-10 whenStale off: after the limit the first binding serves again; a start with nothing is off, and a broken file stops it', async () => {
  const { clock, file, flags, target } = watched({ whenStale: 'off' })
  await flags.load()
  file.stamp = '2'
  file.read = () => Promise.reject(new Error('no'))
  clock.advance(59_000)
  assert.equal(await target(), 'aws')
  clock.advance(2_000)
  assert.equal(await target(), 'off')
  assert.match((await flags.evaluate(CONTEXT)).version, /-stale$/)

  const missing = watched()
  missing.file.stamp = undefined
  await missing.flags.load()
  assert.equal(await missing.target(), 'off')
  assert.deepEqual(missing.journal.changes, [])
  missing.file.stamp = '1'
  missing.clock.advance(1_000)
  assert.equal(await missing.target(), 'aws', 'made later, it is seen')

  const unknown = watched({ problems: async () => ['there is no key "treasury"'] })
  await unknown.flags.load()
  assert.match(unknown.journal.troubles[0]?.reason ?? '', /no key/)
  assert.equal(await unknown.target(), 'aws', 'the router leaves out what it cannot follow')

  const broken = watched()
  broken.file.read = () => Promise.reject(new Error('no'))
  await assert.rejects(broken.flags.load(), /no/)
})

test('M-10 a disk that does not answer holds nobody up for long', async () => {
  const { clock, file, flags, target } = watched()
  await flags.load()
  file.stamp = '2'
  file.read = () => new Promise(() => {})
  clock.advance(1_000)
  const answer = target()
  await turns()
  clock.advance(250)
  assert.equal(await answer, 'aws')
})

function remote(ask: () => Promise<unknown>, more: { whenStale?: 'keep' | 'off'; remembered?: number } = {}) {
  const clock = steppingClock()
  const journal = memoryJournal()
  const state = { ask, asked: 0, problems: [] as string[] }
  const flags = createRemoteFlags({
    clock,
    journal,
    ask: () => {
      state.asked++
      return state.ask()
    },
    problems: async () => state.problems,
    ageMaxMs: 60_000,
    ...more,
  })
  const target = async (caller = 'web') => {
    const { flag } = await flags.evaluate({ ...CONTEXT, caller })
    return flag.mode === 'on' ? flag.target : flag.mode
  }
  return { clock, journal, state, flags, target }
}

test('M-10 a flag service: asked once a second and caller, a change is on record, and what it says is not believed', async () => {
  const { clock, journal, state, target } = remote(async () => ({ mode: 'on', target: 'aws' }))
  assert.deepEqual(await Promise.all([target(), target(), target()]), ['aws', 'aws', 'aws'])
  assert.equal(state.asked, 1)
  await target('batch')
  assert.equal(state.asked, 2)
  assert.deepEqual(
    journal.changes.map(({ context, before }) => [context?.caller, before]),
    [
      ['web', ''],
      ['batch', ''],
    ],
  )
  for (const answer of [{ mode: 'on' }, 'on', null, { mode: 'canary', target: 'x', percent: 101 }]) {
    state.ask = async () => answer
    clock.advance(61_000)
    assert.equal(await target(), 'aws')
    assert.equal(journal.troubles.at(-1)?.stale, true)
  }
  state.ask = async () => ({ mode: 'on', target: 'nowhere' })
  state.problems = ['no binding there']
  clock.advance(1_000)
  assert.equal(await target(), 'aws')
  state.problems = []
  journal.state.refuse = true
  clock.advance(1_000)
  assert.equal(await target(), 'aws', 'not on record, not used')
  journal.state.refuse = false
  clock.advance(1_000)
  assert.equal(await target(), 'nowhere')
  assert.ok(journal.state.recovered > 0)
})

test('M-10 a flag service that is slow or down: a short wait, the last good value, off when there is none, off after the limit if so chosen', async () => {
  const { clock, state, target } = remote(() => new Promise(() => {}), { whenStale: 'off', remembered: 2 })
  const first = target()
  await turns()
  clock.advance(100)
  assert.equal(await first, 'off')
  state.ask = async () => ({ mode: 'on', target: 'aws' })
  clock.advance(1_000)
  assert.equal(await target(), 'aws')
  state.ask = () => Promise.reject(new Error('connection refused'))
  clock.advance(59_000)
  assert.equal(await target(), 'aws')
  clock.advance(2_000)
  assert.equal(await target(), 'off')
  await target('b')
  await target('c')
  assert.equal(await target(), 'off', 'forgotten, and asked again')
})
