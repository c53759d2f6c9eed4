import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type Attempts, createTries } from '../../../src/custody/attempts.ts'
import { withRetryBudget } from '../../../src/custody/budget.ts'
import { createBulkhead } from '../../../src/custody/bulkhead.ts'
import { createResilience } from '../../../src/custody/resilience.ts'
import { isShed } from '../../../src/custody/shed.ts'
import { createTally } from '../../../src/custody/tally.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import { breakerJournal, providersCheck } from '../../../src/compose/breakers.ts'
import type { EventEntry } from '../../../src/domain/audit.ts'
import { manualClock, settle } from '../../support/audit-world.ts'
import { memoryLogger } from '../../support/rig.ts'
import { randomOf, stillClock } from './world.ts'

const call = { requestId: 'r', signal: new AbortController().signal }
const direct: Attempts = remote => remote.run(call)
const remote = { provider: 'aws', key: 'k', requestId: 'r', effect: 'read' as const }
const down = (): Promise<never> =>
  Promise.reject(new SignerError('provider/unavailable', { provider: 'aws', reason: 'fault' }))

test('a tally counts what lies in its span, to the slot', () => {
  const tally = createTally(1_000, 10)
  tally.add(0, 1, 0)
  tally.add(550, 2, 1)
  assert.deepEqual(tally.sums(999), { first: 3, second: 1 })
  assert.deepEqual(tally.sums(1_000), { first: 2, second: 1 })
  assert.deepEqual(tally.sums(1_600), { first: 0, second: 0 })
  tally.add(1_600, 5, 0)
  assert.deepEqual(tally.sums(9_999_999), { first: 0, second: 0 })
})

test('T56 the budget: retries stay within nine in a hundred of first tries over any stretch, beyond a small minimum', () => {
  const step = fc.record({ ms: fc.nat(4_000), firsts: fc.nat(60), wanted: fc.nat(60) })
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 80 }), steps => {
      const clock = manualClock()
      const around = withRetryBudget({ clock, least: 0 })
      let [firsts, retries] = [0, 0]
      for (const { ms, firsts: more, wanted } of steps) {
        clock.advance(ms)
        for (let n = 0; n < Math.max(more, wanted); n++) {
          void around(given => {
            if (n < more) void given.run(call).catch(() => {})
            if (n < more) firsts++
            if (n < wanted && given.mayRetry?.() === true) retries++
            return down()
          })({ ...remote, run: down }).catch(() => {})
        }
        assert.ok(retries <= 0.09 * firsts, `${retries} retries for ${firsts}`)
      }
    }),
    { seed: 56 },
  )
})

test('T56 a quiet service may still retry, three times a minute; providers have budgets of their own', async () => {
  const clock = manualClock()
  const around = withRetryBudget({ clock })
  const asked = async (provider: string, before?: () => boolean): Promise<boolean | undefined> => {
    let may: boolean | undefined
    const body = around(async given => {
      const answer = await given.run(call)
      may = given.mayRetry?.()
      return answer
    })
    await body({ ...remote, provider, run: async () => 'x', ...(before === undefined ? {} : { mayRetry: before }) })
    return may
  }
  assert.deepEqual(
    [await asked('aws'), await asked('aws'), await asked('aws'), await asked('aws')],
    [true, true, true, false],
  )
  assert.equal(await asked('vault'), true)
  assert.equal(await asked('vault', () => false), false, 'a guard outside has said no')
  clock.advance(60_000)
  assert.equal(await asked('aws'), true)
})

test('R-14 the bulkhead: so many at once, so many in line in order, the rest told at once; another provider has its own', async () => {
  const bulkhead = createBulkhead({ places: 2, queue: 2 })
  const attempts = bulkhead.around(direct)
  const order: number[] = []
  const open: (() => void)[] = []
  const start = (n: number, provider = 'aws'): Promise<string> =>
    attempts({
      ...remote,
      provider,
      run: () => {
        order.push(n)
        return new Promise(resolve => (open[n] = () => resolve(`answer ${n}`)))
      },
    })
  const answers = [start(0), start(1), start(2), start(3)]
  await settle()
  assert.deepEqual(order, [0, 1])
  assert.deepEqual(bulkhead.load('aws'), { inFlight: 2, waiting: 2 })
  await assert.rejects(start(4), (error: SignerError<'provider/unavailable'>) => {
    assert.deepEqual([error.code, error.detail.retryAfterMs], ['provider/unavailable', 250])
    return isShed(error)
  })
  const other = start(5, 'vault')
  await settle()
  assert.deepEqual(order, [0, 1, 5])
  open[1]?.()
  await settle()
  assert.deepEqual(order, [0, 1, 5, 2])
  for (const n of [0, 5, 2]) open[n]?.()
  await settle()
  open[3]?.()
  assert.deepEqual(await Promise.all([...answers, other]), ['answer 0', 'answer 1', 'answer 2', 'answer 3', 'answer 5'])
  assert.deepEqual(bulkhead.load('aws'), { inFlight: 0, waiting: 0 })
  assert.deepEqual(bulkhead.load('gcp'), { inFlight: 0, waiting: 0 })
})

test('R-14 the wait for a place counts towards the deadline, and nothing is sent after it', async () => {
  const clock = stillClock()
  const bulkhead = createBulkhead({ places: 1, queue: 5 })
  const attempts = bulkhead.around(createTries({ clock, random: randomOf(0), deadlineMs: 1_000 }))
  let sent = 0
  const stuck = () => {
    sent++
    return new Promise<string>(() => {})
  }
  void attempts({ ...remote, run: stuck })
  const waiting = attempts({ ...remote, run: stuck })
  await assert.rejects(clock.settle(waiting), (error: Error) => isShed(error))
  assert.deepEqual([clock.monotonic(), sent], [1_000, 1])
  assert.deepEqual(bulkhead.load('aws'), { inFlight: 1, waiting: 0 })
})

test('R-14 a provider that never settles gives its place back at the deadline, and its breaker hears of it', async () => {
  const clock = stillClock()
  const { attempts, stateOf } = createResilience({
    ...{ clock, random: randomOf(0), deadlineMs: 1_000, places: 2, breaker: { failures: 2 } },
  })
  const late: string[] = []
  const wake: ((text: string) => void)[] = []
  const mute = { ...remote, effect: 'sign' as const, run: () => new Promise<string>(resolve => wake.push(resolve)) }
  for (let n = 0; n < 2; n++) {
    await assert.rejects(clock.settle(attempts({ ...mute, onLate: text => late.push(text) })), {
      code: 'provider/ambiguous',
    })
  }
  assert.deepEqual(stateOf('aws'), { state: 'open', keysOpen: 1, inFlight: 0, waiting: 0 })
  await assert.rejects(attempts(mute), (error: Error) => isShed(error))
  assert.equal(wake.length, 2)
  wake[0]?.('an opened key')
  await settle()
  assert.deepEqual(late, ['an opened key'], 'T02 wiped even so')
})

test('T56 what was shed is not tried again', async () => {
  const clock = stillClock()
  const { attempts } = createResilience({ clock, random: randomOf(0), places: 1, breaker: { failures: 1 } })
  let sent = 0
  const counted = (): Promise<never> => {
    sent++
    return down()
  }
  await assert.rejects(clock.settle(attempts({ ...remote, run: counted })), { code: 'provider/unavailable' })
  assert.equal(sent, 1, 'the breaker opened: no retry')
  await assert.rejects(clock.settle(attempts({ ...remote, run: counted })), (error: Error) => isShed(error))
  assert.deepEqual([sent, clock.monotonic(), clock.sleepers], [1, 0, 0])
})

test('M-76 the journal: openings and closings on record, so many a minute; probes in the log alone; no reference anywhere', async () => {
  const clock = manualClock()
  const logs: Record<string, unknown>[] = []
  const entries: EventEntry[] = []
  let sealed = false
  const audit = {
    append: async (entry: never) => {
      if (sealed) throw new SignerError('audit/sealed', { reason: 'disk' })
      entries.push(entry)
      return { seq: 1, hash: '' }
    },
  }
  const journal = breakerJournal({ audit, logger: memoryLogger(logs), clock, newAuditId: () => 'a_1', perMinute: 3 })
  const key = { provider: 'aws', of: 'key', binding: 'b_1', again: false } as const
  journal({ ...key, state: 'open' })
  journal({ ...key, state: 'half-open' })
  journal({ ...key, state: 'open', again: true })
  journal({ ...key, state: 'closed' })
  assert.deepEqual(
    entries.map(({ event, detail, actor }) => [event, detail, actor.subject]),
    [
      ['breaker-open', { provider: 'aws', of: 'key', binding: 'b_1' }, 'system'],
      ['breaker-closed', { provider: 'aws', of: 'key', binding: 'b_1' }, 'system'],
    ],
  )
  assert.deepEqual(
    logs.map(({ level, event, again }) => [level, event, again]),
    [
      ['warn', 'breaker-open', undefined],
      ['info', 'breaker-half-open', undefined],
      ['info', 'breaker-open', true],
      ['warn', 'breaker-closed', undefined],
    ],
  )
  for (let n = 0; n < 50; n++) journal({ provider: 'aws', of: 'provider', state: 'open', again: false })
  assert.equal(entries.length, 3)
  clock.advance(60_000)
  journal({ provider: 'aws', of: 'provider', state: 'closed', again: false })
  assert.deepEqual(entries[3]?.detail, { provider: 'aws', of: 'provider', unrecorded: 49 })
  sealed = true
  journal({ ...key, state: 'open' })
  await settle()
  assert.equal(logs.at(-1)?.['event'], 'breaker-unrecorded')
})

test('M-76 readiness: told for each provider in trouble, and unready only when every one of them is shut', () => {
  const idle = { keysOpen: 0, inFlight: 0, waiting: 0 }
  const states: Record<string, ReturnType<Parameters<typeof providersCheck>[1]['stateOf']>> = {
    aws: { state: 'closed', ...idle },
    vault: { state: 'closed', ...idle },
  }
  const check = () =>
    providersCheck(['aws', 'vault'], { stateOf: name => states[name] ?? { state: 'closed', ...idle } })
  assert.deepEqual(check(), { name: 'providers', ok: true })
  states['aws'] = { ...idle, state: 'open', keysOpen: 2 }
  assert.deepEqual(check(), { name: 'providers', ok: true, detail: 'aws: open, 2 of its keys open' })
  states['vault'] = { ...idle, state: 'closed', keysOpen: 1 }
  assert.equal(check().ok, true)
  states['vault'] = { ...idle, state: 'open', keysOpen: 1 }
  const said = 'aws: open, 2 of its keys open; vault: open, 1 of its keys open'
  assert.deepEqual(check(), { name: 'providers', ok: false, detail: said })
  states['aws'] = { ...idle, state: 'half-open', keysOpen: 2 }
  assert.equal(check().ok, true, 'only a request can find out')
  assert.deepEqual(providersCheck([], { stateOf: () => assert.fail() }), { name: 'providers', ok: true })
})
