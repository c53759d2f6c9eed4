/** The rounds of a running service: when they come, what they say, and that they end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchPins } from '../../../src/compose/pins.ts'
import type { Room } from '../../../src/compose/room.ts'
import { signature64 } from '../../../src/domain/brands.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { settle } from '../../support/audit-world.ts'
import { memoryLogger, openRig } from '../../support/rig.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** A watch over the one key of a rig, whose clock goes when it is told to. */
async function watched(everyMs: number, change: (real: EnvelopeProvider) => Partial<EnvelopeProvider> = () => ({})) {
  const rig = await openRig({ provider: real => ({ ...real, ...change(real) }) })
  const logs: Record<string, unknown>[] = []
  let failing: boolean | 'damaged' = false
  const keys: Room['store']['keys'] = {
    ...rig.store.keys,
    versions: async (...given) => {
      if (failing === 'damaged') throw new SignerError('key/mismatch', { key: 'treasury', reason: 'of this test' })
      if (failing) throw new SignerError('store/unavailable', { reason: 'of this test' })
      return rig.store.keys.versions(...given)
    },
  }
  const room = { store: { ...rig.store, keys }, audit: rig.log, provider: async () => rig.provider } as unknown as Room
  const world = { clock: rig.clock, random: { bytes: (n: number) => new Uint8Array(n).fill(0x80) }, fetch: fetch }
  const { suspect } = rig.room.deps
  const watch = watchPins(everyMs, { room, world, logger: memoryLogger(logs), environment: 'development', suspect })
  const recorded = async (): Promise<number> =>
    (await rig.records()).filter(record => record.kind === 'event' && record.event === 'pins-checked').length
  /** Waits for so many, verification having threads of its own; and a little for more than that. */
  const rounds = async (wanted = 0): Promise<number> => {
    for (let n = 0; n < 10 || ((await recorded()) < wanted && n < 2_000); n++) {
      await new Promise(resolve => setTimeout(resolve, 1))
    }
    return recorded()
  }
  /** In steps, as time goes. A round must begin with the last one: it has a deadline by this clock. */
  const pass = async (ms: number, wanted = 0): Promise<number> => {
    for (let left = ms; left > 0; left -= HOUR / 2) {
      rig.clock.advance(Math.min(left, HOUR / 2))
      await settle()
    }
    return rounds(wanted)
  }
  return { rig, watch, logs, rounds, pass, fail: (now: typeof failing) => (failing = now) }
}

test('M-60 a round at the start, one every so often after it, none after the stop; starting twice is starting once', async () => {
  const { rig, watch, rounds, pass } = await watched(DAY)
  assert.equal(await rounds(), 0, 'not before the service listens')
  watch.start()
  watch.start()
  assert.equal(await rounds(1), 1)
  // The random bytes of this test take half of the tenth off: 22.8 hours.
  assert.equal(await pass(22 * HOUR, 1), 1)
  assert.equal(await pass(HOUR, 2), 2)
  assert.equal(await pass(22 * HOUR, 2), 2)
  assert.equal(await pass(HOUR, 3), 3)
  assert.deepEqual(watch.check(), { name: 'pins', ok: true })
  await watch.stop()
  assert.equal(await pass(3 * DAY, 3), 3)
  assert.equal(rig.signatures(), 3)
})

test('M-60 thirty days are no timer that runs over: the next round comes after them, not at once', async () => {
  const { watch, rounds, pass, rig } = await watched(30 * DAY)
  const asked: number[] = []
  const { sleep } = rig.clock
  Object.assign(rig.clock, { sleep: (ms: number, signal?: AbortSignal) => (asked.push(ms), sleep(ms, signal)) })
  watch.start()
  assert.equal(await rounds(1), 1)
  assert.equal(await pass(28 * DAY, 1), 1)
  assert.equal(await pass(12 * HOUR, 2), 2)
  assert.ok(Math.max(...asked) <= HOUR, `a timer of ${Math.max(...asked)} ms`)
  await watch.stop()
})

test('M-60 a clock that jumps by a year in either direction brings no round forward and puts none off', async () => {
  const { rig, watch, rounds, pass } = await watched(DAY)
  const { now } = rig.clock
  watch.start()
  assert.equal(await rounds(1), 1)
  for (const jump of [365 * DAY, -365 * DAY]) {
    Object.assign(rig.clock, { now: () => now() + jump })
    const before = await rounds()
    assert.equal(await pass(HOUR), before)
    assert.equal(await pass(22 * HOUR, before + 1), before + 1)
  }
  await watch.stop()
})

test('M-60 T37 what a round finds: the version is out, readiness stays and says how many, the log says which', async () => {
  const { rig, watch, rounds, logs } = await watched(DAY, () => ({
    sign: async () => ({ signature: signature64(new Uint8Array(64).fill(1)) }),
  }))
  watch.start()
  assert.equal(await rounds(1), 1)
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'quarantined')
  assert.deepEqual(watch.check(), { name: 'pins', ok: true, detail: 'of 1 places 1 were wrong, 0 did not answer' })
  assert.ok(logs.some(({ event, key }) => event === 'pin-wrong' && key === 'treasury'))
  await watch.stop()
})

test('M-60 a round that the store made impossible is said, leaves no record, and is tried again within the hour', async () => {
  const { watch, rounds, pass, logs, fail } = await watched(DAY)
  fail(true)
  watch.start()
  assert.equal(await rounds(), 0)
  assert.deepEqual(logs, [{ level: 'warn', event: 'pins-not-checked', code: 'store/unavailable' }])
  fail(false)
  assert.equal(await pass(HOUR, 1), 1)
  await watch.stop()
})

test('M-60 T43 a round that a damaged row ended is an error that names the key, and shows until there was a whole one', async () => {
  const { watch, rounds, pass, logs, fail } = await watched(DAY)
  fail('damaged')
  watch.start()
  assert.equal(await rounds(), 0)
  assert.deepEqual(logs, [{ level: 'error', event: 'pins-not-checked', code: 'key/mismatch', key: 'treasury' }])
  assert.deepEqual(watch.check(), { name: 'pins', ok: true, detail: 'the last round ended with key/mismatch' })
  fail(false)
  assert.equal(await pass(HOUR, 1), 1)
  assert.deepEqual(watch.check(), { name: 'pins', ok: true })
  await watch.stop()
})

test('M-60 a service that stops does not wait for a key service that says nothing', async () => {
  const { rig, watch, rounds } = await watched(DAY, () => ({ describe: () => new Promise(() => {}) }))
  watch.start()
  await rounds()
  const stopped = watch.stop()
  for (let n = 0; n < 5; n++) await settle()
  rig.clock.advance(1_000)
  await stopped
  assert.equal(await rounds(), 0)
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'active')
})
