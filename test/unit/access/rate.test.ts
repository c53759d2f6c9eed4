import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { bucketOf, clientOfPeer } from '../../../src/access/addresses.ts'
import { ADDRESS_LIMIT, claimsFor } from '../../../src/access/admission.ts'
import { createMemoryRates } from '../../../src/access/rate.ts'
import type { RateAnswer, RateClaim } from '../../../src/domain/claims.ts'
import { seeded } from '../../support/audit-world.ts'

const EVENTS = process.env['COUNTERSIGN_TEST_LONG'] === undefined ? 50_000 : 5_000_000
const idOf = ({ name, windowMs }: RateClaim) => `${name}/${windowMs}`

/** Keeps every admission for ever and counts anew for each question. */
function slowRates() {
  const all = new Map<string, number[]>()
  const timesOf = (claim: RateClaim) => all.get(idOf(claim)) ?? []
  const inside = (claim: RateClaim, at: number) => {
    const times = timesOf(claim)
    let count = 0
    while (count < times.length && (times[times.length - 1 - count] as number) > at - claim.windowMs) count++
    return count
  }
  let latest = 0
  return {
    all,
    take(claims: readonly RateClaim[], now: number): { admitted: boolean; waitMs: number; remaining: number } {
      latest = Math.max(latest, now)
      const full = claims.filter(claim => inside(claim, latest) >= claim.limit)
      const waits = full.map(claim => {
        const leaving = timesOf(claim)
          .slice(-inside(claim, latest))
          .map(time => time + claim.windowMs)
        return (leaving.find(time => inside(claim, time) < claim.limit) as number) - latest
      })
      if (full.length > 0) return { admitted: false, waitMs: Math.max(...waits), remaining: 0 }
      for (const claim of claims) all.set(idOf(claim), all.get(idOf(claim)) ?? [])
      for (const claim of claims) timesOf(claim).push(latest)
      const remaining = Math.min(...claims.map(claim => claim.limit - inside(claim, latest)))
      return { admitted: true, waitMs: 0, remaining }
    },
  }
}

/** However they fall: from every admission on, no more than the limit before the window ends. */
function assertNeverExceeded(
  all: ReadonlyMap<string, readonly number[]>,
  limits: ReadonlyMap<string, RateClaim>,
): void {
  for (const [id, times] of all) {
    const { limit, windowMs } = limits.get(id) as RateClaim
    for (let at = limit; at < times.length; at++)
      assert.ok(
        (times[at] as number) - (times[at - limit] as number) >= windowMs,
        `${id} more than ${limit} in ${windowMs}`,
      )
  }
}

test(`rates M-45 R-21: ${EVENTS.toLocaleString('en')} events exact against a slow count, clock going back among them`, async () => {
  const seed = 20_261_122
  const chance = seeded(seed)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(chance() * list.length)] as T
  const kinds: readonly RateClaim[] = [
    ...Array.from({ length: 12 }, (_, at) => ({ name: `address:198.51.100.${at}`, limit: 10, windowMs: 60_000 })),
    ...Array.from({ length: 6 }, (_, at) => ({ name: `token:${at}`, limit: 25, windowMs: 60_000 })),
    ...Array.from({ length: 3 }, (_, at) => ({ name: `key:${at}`, limit: 3, windowMs: 1000 })),
    { name: 'key:0', limit: 200, windowMs: 3_600_000 },
    { name: 'global', limit: 60, windowMs: 60_000 },
    { name: 'single', limit: 1, windowMs: 7 },
  ]
  const limits = new Map(kinds.map(claim => [idOf(claim), claim]))
  const [rates, slow] = [createMemoryRates(), slowRates()]
  const admittedAt = new Map<string, number[]>()
  const seen = { admitted: 0, limited: 0 }
  let [now, latest] = [1_000_000, 0]
  for (let event = 0; event < EVENTS; event++) {
    const luck = chance()
    if (luck < 0.5) now += Math.floor(chance() * 400)
    else if (luck < 0.55) now += Math.floor(chance() * 60_000)
    else if (luck < 0.6) now -= Math.floor(chance() * 30_000)
    latest = Math.max(latest, now)
    const claims = [...new Set(Array.from({ length: 1 + Math.floor(chance() * 4) }, () => pick(kinds)))]
    const truth = slow.take(claims, now)
    const answer = await rates.take(claims, now)
    const note = `seed ${seed}, event ${event}`
    assert.equal(answer.kind === 'admitted', truth.admitted, note)
    if (answer.kind === 'limited') {
      seen.limited++
      assert.equal(answer.retryAfterMs, truth.waitMs, note)
      continue
    }
    seen.admitted++
    assert.equal(answer.remaining, truth.remaining, note)
    const oldest = slow.all.get(idOf(answer.claim))?.find(time => time > latest - answer.claim.windowMs) as number
    if (event < 2000) assert.equal(answer.resetMs, oldest + answer.claim.windowMs - latest, note)
    for (const claim of claims)
      admittedAt.set(idOf(claim), [...(admittedAt.get(idOf(claim)) ?? []).slice(-400), latest])
  }
  assertNeverExceeded(slow.all, limits)
  assertNeverExceeded(admittedAt, limits)
  assert.ok(seen.admitted > EVENTS / 20 && seen.limited > EVENTS / 20, JSON.stringify(seen))
})

test('rates M-45: what the answer promises is so, to the millisecond', async () => {
  const claim = fc.record({
    name: fc.constant('n'),
    limit: fc.integer({ min: 1, max: 6 }),
    windowMs: fc.integer({ min: 1, max: 50 }),
  })
  await fc.assert(
    fc.asyncProperty(claim, fc.array(fc.nat(20), { maxLength: 60 }), async (limit, steps) => {
      const build = async () => {
        const rates = createMemoryRates()
        let now = 0
        for (const step of steps) await rates.take([limit], (now += step))
        return { rates, now }
      }
      const { rates, now } = await build()
      const answer = await rates.take([limit], now)
      if (answer.kind === 'admitted') return
      assert.ok(answer.retryAfterMs >= 1)
      assert.equal((await rates.take([limit], now + answer.retryAfterMs - 1)).kind, 'limited')
      assert.equal((await rates.take([limit], now + answer.retryAfterMs)).kind, 'admitted')
    }),
    { numRuns: 300 },
  )
})

test('rates T66: 65,536 addresses in one /64 are admitted 10 times a minute between them', async () => {
  const rates = createMemoryRates()
  let admitted = 0
  for (let address = 0; address < 2 ** 16; address++) {
    const client = clientOfPeer(`2001:db8:7:8::${(address + 1).toString(16)}`.replace('10000', '1:0'))
    assert.equal(client.kind, 'ip')
    const claims = claimsFor({ operation: 'interactive', client })
    if ((await rates.take(claims, Math.floor(address / 1200))).kind === 'admitted') admitted++
  }
  assert.equal(admitted, 10)
  assert.equal(rates.size, 1)
  const neighbour = claimsFor({ operation: 'interactive', client: clientOfPeer('2001:db8:7:9::1') })
  assert.equal((await rates.take(neighbour, 60)).kind, 'admitted')
})

test('rates M-45: all or nothing, whichever claim has no room', async () => {
  const rates = createMemoryRates()
  const wide = { name: 'wide', limit: 5, windowMs: 1000 }
  const narrow = { name: 'narrow', limit: 1, windowMs: 1000 }
  assert.equal((await rates.take([wide, narrow], 0)).kind, 'admitted')
  for (const order of [
    [wide, narrow],
    [narrow, wide],
  ])
    for (let again = 0; again < 10; again++) assert.equal((await rates.take(order, 1)).kind, 'limited')
  const answer = await rates.take([wide], 2)
  assert.ok(answer.kind === 'admitted')
  assert.equal(answer.remaining, 3)
})

test('rates M-45: the claim that makes wait longest is the one that is named', async () => {
  const rates = createMemoryRates()
  const [second, hour] = [
    { name: 'a', limit: 1, windowMs: 1000 },
    { name: 'b', limit: 1, windowMs: 3_600_000 },
  ]
  await rates.take([second, hour], 0)
  assert.deepEqual(await rates.take([second, hour], 10), { kind: 'limited', claim: hour, retryAfterMs: 3_599_990 })
  assert.deepEqual(await rates.take([{ ...second, limit: 0 }], 5000), {
    kind: 'limited',
    claim: { ...second, limit: 0 },
    retryAfterMs: 1000,
  })
})

test('rates M-45: a name under two limits at once counts once, under the smaller', async () => {
  const rates = createMemoryRates()
  const [loose, tight] = [
    { name: 'x', limit: 9, windowMs: 1000 },
    { name: 'x', limit: 2, windowMs: 1000 },
  ]
  const kinds: RateAnswer['kind'][] = []
  for (let at = 0; at < 4; at++) kinds.push((await rates.take([loose, tight, loose], at)).kind)
  assert.deepEqual(kinds, ['admitted', 'admitted', 'limited', 'limited'])
  assert.equal((await rates.take([loose], 4)).kind, 'admitted')
})

test('rates T66: the end of the window is outside it, one millisecond earlier is inside', async () => {
  const rates = createMemoryRates()
  const claim = { name: 'x', ...ADDRESS_LIMIT }
  for (let at = 0; at < 10; at++) assert.equal((await rates.take([claim], at)).kind, 'admitted')
  assert.equal((await rates.take([claim], 59_999)).kind, 'limited')
  assert.equal((await rates.take([claim], 60_000)).kind, 'admitted')
  assert.equal((await rates.take([claim], 60_000)).kind, 'limited')
  assert.equal((await rates.take([claim], 60_001)).kind, 'admitted')
})

test('rates T66: empty names are forgotten; when no more fit, new ones are refused and old ones go on', async () => {
  const rates = createMemoryRates({ namesMax: 100 })
  const claim = (name: string, windowMs = 1000): RateClaim => ({ name, limit: 2, windowMs })
  for (let at = 0; at < 100; at++)
    assert.equal((await rates.take([claim(`n${at}`, at < 50 ? 1000 : 5000)], at)).kind, 'admitted')
  assert.equal(rates.size, 100)
  assert.deepEqual(await rates.take([claim('new')], 400), { kind: 'limited', claim: claim('new'), retryAfterMs: 600 })
  assert.equal((await rates.take([claim('n7'), claim('n8')], 400)).kind, 'admitted')
  assert.equal((await rates.take([claim('n9'), claim('newer')], 400)).kind, 'limited')
  assert.equal((await rates.take([claim('n9')], 400)).kind, 'admitted') // nothing was taken of it
  assert.equal((await rates.take([claim('new')], 999)).kind, 'limited')
  assert.equal((await rates.take([claim('new')], 1000)).kind, 'admitted')
  assert.ok(rates.size <= 100)
  // A flood of names that come once leaves nothing behind.
  for (let at = 0; at < 20_000; at++) await rates.take([claim(`flood${at}`)], 10_000 + at * 20)
  assert.ok(rates.size <= 51, String(rates.size))
})

test('rates T63: a clock that goes back gives nothing anew', async () => {
  const rates = createMemoryRates()
  const claim = { name: 'x', limit: 3, windowMs: 1000 }
  for (let at = 0; at < 3; at++) await rates.take([claim], 5000)
  for (const now of [4999, 4000, 3000, 0, -1_000_000]) assert.equal((await rates.take([claim], now)).kind, 'limited')
  assert.equal((await rates.take([claim], 5999)).kind, 'limited')
  assert.equal((await rates.take([claim], 6000)).kind, 'admitted')
})

test('rates M-45: claims and times that cannot be counted are thrown out, not let in', async () => {
  const rates = createMemoryRates()
  const good = { name: 'x', limit: 1, windowMs: 1000 }
  for (const change of [
    { limit: -1 },
    { limit: 1.5 },
    { limit: Number.NaN },
    { windowMs: 0 },
    { windowMs: 0.5 },
    { windowMs: Infinity },
  ])
    await assert.rejects(rates.take([{ ...good, ...change }], 0), RangeError)
  await assert.rejects(rates.take([], 0), RangeError)
  await assert.rejects(rates.take([good], Number.NaN), RangeError)
  await assert.rejects(rates.take([good], Number.NEGATIVE_INFINITY), RangeError)
  assert.equal((await rates.take([good], 0)).kind, 'admitted')
  assert.equal((await createMemoryRates({ namesMax: 0 }).take([good], 0)).kind, 'limited')
})

test('rates M-45: fractions of a millisecond are counted, and waits are whole', async () => {
  const rates = createMemoryRates()
  const claim = { name: 'x', limit: 1, windowMs: 1000 }
  await rates.take([claim], 0.9)
  assert.deepEqual(await rates.take([claim], 1000.1), { kind: 'limited', claim, retryAfterMs: 1 })
  assert.equal((await rates.take([claim], 1000.9)).kind, 'admitted')
})

test('rates M-45: a busy name takes the room of its milliseconds, not of its events', async () => {
  const rates = createMemoryRates()
  const claim = { name: bucketOf(clientOfPeer('unix')), limit: 100_000, windowMs: 1000 }
  let admitted = 0
  for (let event = 0; event < 30_000; event++)
    if ((await rates.take([claim], Math.floor(event / 10))).kind === 'admitted') admitted++
  assert.equal(admitted, 30_000)
  const answer = await rates.take([claim], 2999)
  assert.ok(answer.kind === 'admitted')
  assert.equal(answer.remaining, 100_000 - 10_000 - 1)
})
