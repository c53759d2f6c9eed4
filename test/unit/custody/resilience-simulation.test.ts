/** T56: ten minutes of fault at 50 requests a second and provider, in simulated time; what reached the wire is counted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createResilience, type ResilienceOptions } from '../../../src/custody/resilience.ts'
import { isSignerError, SignerError } from '../../../src/domain/errors.ts'
import type { Call } from '../../../src/domain/provider.ts'
import { seeded } from '../../support/audit-world.ts'
import { seededRandom, simulatedClock } from '../../support/simulated-clock.ts'

const SEED = 20_261_122
const PER_SECOND = 50
const BEFORE_MS = 30_000
const FAULT_MS = 600_000
const AFTER_MS = 30_000
const RESET_MS = 5_000
const PROVIDERS = ['aws', 'vault', 'gcp'] as const
type Name = (typeof PROVIDERS)[number]
const KEYS = [1, 2, 3, 4]

/** What the fault does to one call. `hang`: no word until the deadline. */
type Answer = 'ok' | 'unavailable' | 'hang' | { readonly retryAfterMs: number }
type Fault = (provider: Name, key: number, chance: () => number) => Answer

interface Counts {
  asked: number
  signed: number
  shed: number
  wire: number
  firsts: number
  inFlight: number
  inFlightMax: number
  slowestMs: number
  /** Simulated time of the first answer after the fault, counted from its end, for each key. */
  readonly recovery: Map<number, number>
  readonly signedByKey: Map<number, number>
  readonly askedByKey: Map<number, number>
}

const newCounts = (): Counts => ({
  ...{ asked: 0, signed: 0, shed: 0, wire: 0, firsts: 0, inFlight: 0, inFlightMax: 0, slowestMs: 0 },
  ...{ recovery: new Map(), signedByKey: new Map(), askedByKey: new Map() },
})

async function simulate(fault: Fault, options: Partial<ResilienceOptions> = {}): Promise<Record<Name, Counts>> {
  const clock = simulatedClock()
  const chance = seeded(SEED)
  const { attempts } = createResilience({
    ...{ clock, random: seededRandom(SEED + 1), deadlineMs: 5_000, places: 32, breaker: { resetMs: RESET_MS } },
    ...options,
  })
  const counts: Record<Name, Counts> = { aws: newCounts(), vault: newCounts(), gcp: newCounts() }
  const isFault = (): boolean => clock.monotonic() >= BEFORE_MS && clock.monotonic() < BEFORE_MS + FAULT_MS

  const serve = async (provider: Name, key: number, call: Call): Promise<string> => {
    const count = counts[provider]
    if (isFault()) count.wire++
    count.inFlightMax = Math.max(count.inFlightMax, ++count.inFlight)
    try {
      const answer = isFault() ? fault(provider, key, chance) : 'ok'
      if (answer === 'hang') await heldUntilAbort(call)
      await clock.sleep(5 + chance() * 20)
      if (answer === 'ok') return 'signed'
      const wait = typeof answer === 'object' ? answer : {}
      throw new SignerError('provider/unavailable', { provider, reason: 'fault', ...wait })
    } finally {
      count.inFlight--
    }
  }
  const ask = async (provider: Name, key: number): Promise<void> => {
    const count = counts[provider]
    const inFault = isFault()
    const began = clock.monotonic()
    let tries = 0
    const run = (call: Call): Promise<string> => {
      if (inFault && tries++ === 0) count.firsts++
      return serve(provider, key, call)
    }
    if (inFault) {
      count.asked++
      add(count.askedByKey, key)
    }
    try {
      await attempts({ provider, key: `arn:${provider}:${key}`, requestId: 'r', effect: 'read', run })
      if (inFault) {
        count.signed++
        add(count.signedByKey, key)
      }
      const sinceEnd = clock.monotonic() - BEFORE_MS - FAULT_MS
      if (sinceEnd > 0 && !count.recovery.has(key)) count.recovery.set(key, sinceEnd)
    } catch (error) {
      assert.ok(isSignerError(error) && error.code === 'provider/unavailable', String(error))
      if (inFault && error.detail.reason.startsWith('not asked')) count.shed++
    }
    if (inFault) count.slowestMs = Math.max(count.slowestMs, clock.monotonic() - began)
  }
  const load = async (provider: Name): Promise<void> => {
    const end = BEFORE_MS + FAULT_MS + AFTER_MS
    while (clock.monotonic() < end) {
      await clock.sleep((-Math.log(1 - chance()) * 1_000) / PER_SECOND) // as independent callers come
      void ask(provider, KEYS[Math.floor(chance() * KEYS.length)] as number)
    }
  }
  for (const provider of PROVIDERS) void load(provider)
  await clock.runTo(BEFORE_MS + FAULT_MS + AFTER_MS + 10_000)
  return counts
}

const add = (map: Map<number, number>, key: number): void => void map.set(key, (map.get(key) ?? 0) + 1)

const heldUntilAbort = ({ signal }: Call): Promise<never> =>
  new Promise((_, reject) => {
    const say = (): void =>
      reject(new SignerError('provider/unavailable', { provider: 'fake', reason: 'gave up at the deadline' }))
    signal.addEventListener('abort', say, { once: true })
  })

function report(what: string, counts: Record<Name, Counts>): void {
  for (const provider of PROVIDERS) {
    const { asked, signed, shed, wire, firsts, inFlightMax, slowestMs, recovery } = counts[provider]
    const of = (part: number, whole: number): string => (part / Math.max(1, whole)).toFixed(3)
    const back = recovery.size === 0 ? 'never' : `${(Math.max(...recovery.values()) / 1000).toFixed(2)} s`
    console.log(
      `# ${what}, ${provider}: ${asked} asked, ${wire} on the wire (x${of(wire, asked)} of asked, x${of(wire, firsts)} of first tries), ` +
        `${signed} signed, ${shed} shed, at most ${inFlightMax} at once, slowest ${(slowestMs / 1000).toFixed(2)} s, last key back after ${back}`,
    )
  }
}

function boundedAmplification(counts: Record<Name, Counts>): void {
  for (const provider of PROVIDERS) {
    const { wire, asked } = counts[provider]
    assert.ok(wire <= 1.1 * asked, `${provider}: ${wire} calls for ${asked} requests`)
  }
}

const share = ({ signedByKey, askedByKey }: Counts, key: number): number =>
  (signedByKey.get(key) ?? 0) / (askedByKey.get(key) ?? 1)

test('T56 one provider dead, one with a single dead key, one well: amplification, recovery, nobody starves', {
  timeout: 120_000,
}, async () => {
  console.log(`# seed ${SEED}`)
  const counts = await simulate((provider, key) =>
    provider === 'aws' || (provider === 'vault' && key === 1) ? 'unavailable' : 'ok',
  )
  report('dead', counts)
  boundedAmplification(counts)
  const { aws, vault, gcp } = counts
  assert.ok(aws.asked > 25_000)
  // Probed once a reset time, not once a key: half of the reset time is the least pause, on two lanes.
  assert.ok(aws.wire < 100 + (2 * 2 * FAULT_MS) / RESET_MS, `${aws.wire} calls to a dead provider`)
  for (const key of KEYS) assert.ok((aws.recovery.get(key) ?? Infinity) <= RESET_MS + 1_000, `aws key ${key}`)
  for (const key of [2, 3, 4]) assert.equal(share(vault, key), 1, `key ${key} is well`)
  for (const key of KEYS) assert.equal(share(gcp, key), 1)
})

test('T56 without breakers the budget alone keeps the bound', { timeout: 120_000 }, async () => {
  const counts = await simulate(() => 'unavailable', { breaker: { failures: 1e9, ratio: 2 } })
  report('budget alone', counts)
  boundedAmplification(counts)
  for (const provider of PROVIDERS) {
    const { wire, firsts } = counts[provider]
    assert.ok(wire / firsts > 1.08 && wire / firsts <= 1.1, `x${wire / firsts} of first tries`)
  }
})

test('T56 three calls of ten fail: retries help as far as the budget goes, and no breaker opens', {
  timeout: 120_000,
}, async () => {
  const counts = await simulate((_provider, _key, chance) => (chance() < 0.3 ? 'unavailable' : 'ok'))
  report('three of ten', counts)
  boundedAmplification(counts)
  for (const provider of PROVIDERS) {
    const { signed, asked, shed } = counts[provider]
    assert.ok(signed / asked > 0.74, `${signed} of ${asked}`)
    assert.ok(shed / asked < 0.01, `${shed} of ${asked}`)
  }
})

test('T56 a provider that hangs takes its own places and no others, and callers are told at once', {
  timeout: 120_000,
}, async () => {
  const counts = await simulate(provider => (provider === 'aws' ? 'hang' : 'ok'))
  report('hang', counts)
  boundedAmplification(counts)
  assert.ok(counts.aws.inFlightMax <= 32)
  assert.ok(counts.aws.slowestMs <= 5_100 && counts.aws.shed > 0.9 * counts.aws.asked)
  // A probe may have been hanging when the fault ended: its deadline comes on top.
  for (const key of KEYS) assert.ok((counts.aws.recovery.get(key) ?? Infinity) <= RESET_MS + 5_000 + 1_000)
  for (const provider of ['vault', 'gcp'] as const)
    for (const key of KEYS) assert.equal(share(counts[provider], key), 1)
})

test('T56 Retry-After longer than the deadline: the key is left alone until then', { timeout: 120_000 }, async () => {
  const counts = await simulate((provider, key) => (provider === 'aws' && key === 1 ? { retryAfterMs: 20_000 } : 'ok'))
  report('Retry-After', counts)
  // A call each 20 s, and those that were under way when the first was told.
  assert.ok(counts.aws.wire - counts.aws.signed <= FAULT_MS / 20_000 + 5)
  for (const key of [2, 3, 4]) assert.equal(share(counts.aws, key), 1)
})
