/** Authentications that fail are counted for the address, so that nobody tries tokens without end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countFailures } from '../../../src/access/failures.ts'
import { createMemoryRates } from '../../../src/access/rate.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import { manualClock } from '../../support/audit-world.ts'
import { openGate } from '../../support/gate-rig.ts'

const LIMIT = { limit: 5, windowMs: 60_000 }
const bad = () => Promise.reject(new SignerError('token/invalid', { reason: 'no' }))
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  )

test('T66 so many failures of an address in any window, then nothing of it is read until the oldest is out', async () => {
  const clock = manualClock()
  const failures = countFailures({ rates: createMemoryRates(), clock, limit: LIMIT })
  let read = 0
  const attempt = (body: () => Promise<unknown>) => codeOf(failures.attempt('192.0.2.1', () => (read++, body())))
  for (let at = 0; at < 5; at++) {
    assert.equal(await attempt(bad), 'token/invalid')
    clock.advance(1_000)
  }
  assert.equal(read, 5)
  for (let at = 0; at < 1_000; at++) assert.equal(await attempt(bad), 'access/limited')
  assert.equal(await attempt(async () => 'in'), 'access/limited', 'not even a good one')
  assert.equal(read, 5)
  // The first fell at 0 and 5 seconds have passed.
  const refused = await failures.attempt('192.0.2.1', bad).catch((error: unknown) => error)
  assert.ok(refused instanceof SignerError && refused.code === 'access/limited')
  assert.deepEqual(refused.detail, { scope: 'failures', limit: 5, windowSeconds: 60, retryAfterMs: 55_000 })
  clock.advance(54_999)
  assert.equal(await attempt(bad), 'access/limited')
  clock.advance(1)
  assert.equal(await attempt(bad), 'token/invalid', 'one has left the window, so there is room for one')
  assert.equal(await attempt(bad), 'access/limited')
  assert.equal(read, 6)
  clock.advance(60_000)
  assert.equal(await attempt(async () => 'in'), 'ok')
})

test('T66 200 at once: so many answers say why, all others that it is too often; other addresses are let in', async () => {
  const clock = manualClock()
  const failures = countFailures({ rates: createMemoryRates(), clock, limit: LIMIT })
  const codes = await Promise.all(Array.from({ length: 200 }, () => codeOf(failures.attempt('192.0.2.1', bad))))
  assert.equal(codes.filter(code => code === 'token/invalid').length, 5)
  assert.equal(codes.filter(code => code === 'access/limited').length, 195)
  assert.equal(await codeOf(failures.attempt('192.0.2.2', async () => 1)), 'ok')
  assert.equal(await codeOf(failures.attempt('unix', async () => 1)), 'ok')
})

test('T66 2^12 addresses of one /64 are one, and the /64 beside it is another', async () => {
  const clock = manualClock()
  const failures = countFailures({ rates: createMemoryRates(), clock, limit: LIMIT })
  let read = 0
  for (let at = 0; at < 4_096; at++)
    await codeOf(failures.attempt(`2001:db8::${(at + 1).toString(16)}`, () => (read++, bad())))
  assert.equal(read, 5)
  assert.equal(await codeOf(failures.attempt('2001:db8:0:1::1', bad)), 'token/invalid')
})

test('T66 a success, and what is no fault of the caller, count for nobody', async () => {
  const clock = manualClock()
  const taken: string[] = []
  const real = createMemoryRates()
  const rates = {
    take: (...given: Parameters<typeof real.take>) => (taken.push(given[0][0]?.name ?? ''), real.take(...given)),
  }
  const failures = countFailures({ rates, clock, limit: LIMIT })
  const outage = () => Promise.reject(new SignerError('store/unavailable', { reason: 'down' }))
  for (let at = 0; at < 20; at++) {
    await failures.attempt('192.0.2.1', async () => 1)
    assert.equal(await codeOf(failures.attempt('192.0.2.1', outage)), 'store/unavailable')
    assert.equal(await codeOf(failures.attempt('192.0.2.1', () => Promise.reject(new Error('bug')))), 'bug')
  }
  assert.deepEqual(taken, [])
  for (const code of ['token/missing', 'token/invalid', 'access/denied'] as const) {
    const error =
      code === 'access/denied'
        ? new SignerError(code, { action: 'a', reason: 'r' })
        : new SignerError(code, { reason: 'r' })
    assert.equal(await codeOf(failures.attempt('192.0.2.1', () => Promise.reject(error))), code)
  }
  assert.deepEqual(
    taken,
    Array.from({ length: 3 }, () => 'failures:192.0.2.1'),
  )
})

test('T66 instances that share a store count together: each reads one token more at most', async () => {
  const clock = manualClock()
  const rates = createMemoryRates()
  const [one, two] = [countFailures({ rates, clock, limit: LIMIT }), countFailures({ rates, clock, limit: LIMIT })]
  let read = 0
  const attempt = (instance: typeof one) => codeOf(instance.attempt('192.0.2.1', () => (read++, bad())))
  for (let at = 0; at < 50; at++) await attempt(one)
  assert.equal(read, 5)
  assert.equal(await attempt(two), 'access/limited')
  for (let at = 0; at < 50; at++) assert.equal(await attempt(two), 'access/limited')
  assert.equal(read, 6)
})

test('T66 addresses that wait are a bounded number; one that is let go too early waits again after one more', async () => {
  const clock = manualClock()
  const failures = countFailures({
    rates: createMemoryRates(),
    clock,
    limit: { limit: 1, windowMs: 60_000 },
    waitingMax: 100,
  })
  for (let at = 0; at < 250; at++) await codeOf(failures.attempt(`10.0.${at >> 8}.${at & 255}`, bad))
  assert.equal(failures.waiting, 100)
  let read = 0
  const early = () => codeOf(failures.attempt('10.0.0.0', () => (read++, bad())))
  assert.deepEqual([await early(), await early(), read], ['access/limited', 'access/limited', 1])
  clock.advance(60_001)
  await codeOf(failures.attempt('10.9.9.9', bad))
  assert.equal(failures.waiting, 1, 'what is over is forgotten')
})

test('T66 T13 data plane: bad tokens are answered 401 up to the limit, then 429 with its headers before the token is read', async () => {
  const asked: string[] = []
  const rig = await openGate({
    flags: { 'admission.limits.failures.count': 3 },
    keys: ['treasury'],
    ledger: real => ({ ...real, isRevoked: id => (asked.push(id), real.isRevoked(id)) }),
  })
  const good = await rig.issuer.issue({ subject: 'payments', scopes: ['read:*'] })
  const get = (token: string | undefined, peer?: string) =>
    rig.http('/v1/keys/treasury', token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }, peer)
  assert.equal((await get(good)).status, 200)
  assert.deepEqual(
    [(await get('x')).status, (await get(undefined)).status, (await get(`${good}x`)).status],
    [401, 401, 401],
  )
  const before = asked.length
  const shut = await get(good)
  assert.equal(shut.status, 429)
  assert.equal(((await shut.json()) as { code: string }).code, 'access/limited')
  assert.deepEqual(
    ['ratelimit-policy', 'ratelimit', 'retry-after'].map(name => shut.headers.get(name)),
    ['"failures";q=3;w=60', '"failures";r=0;t=60', '60'],
  )
  assert.equal(asked.length, before)
  assert.deepEqual([rig.refusals.at(-1)?.errorCode, rig.refusals.at(-1)?.actor?.peer], ['access/limited', '192.0.2.1'])
  assert.equal((await get(good, '192.0.2.2')).status, 200, 'another address')
  rig.clock.advance(60_000)
  assert.equal((await get(good)).status, 200)
})

test('T66 strangers with more networks than there is room for take no room from the limits of those who are let in', async () => {
  const rig = await openGate({
    flags: { 'admission.limits.failures.count': 1 },
    keys: ['treasury'],
    failures: createMemoryRates({ namesMax: 100 }),
  })
  const ask = (token: string, peer: string) =>
    rig.http('/v1/keys/treasury', { headers: { authorization: `Bearer ${token}` } }, peer)
  for (let at = 0; at < 300; at++) await ask('x', `2001:db8:${at.toString(16)}::1`)
  const good = await rig.issuer.issue({ subject: 'payments', scopes: ['read:*'] })
  assert.equal((await ask(good, '2001:db8:ffff::1')).status, 200)
  assert.equal((await ask('x', '2001:db8:fffe::1')).status, 429, 'no room for who fails')
})
