import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Attempts } from '../../../src/custody/attempts.ts'
import { type BreakerChange, type BreakerOptions, createBreakers } from '../../../src/custody/breaker.ts'
import { createCircuit } from '../../../src/custody/circuit.ts'
import { isShed } from '../../../src/custody/shed.ts'
import { type ErrorCode, isSignerError, SignerError } from '../../../src/domain/errors.ts'
import { type ManualClock, manualClock } from '../../support/audit-world.ts'
import { randomOf } from './world.ts'

const call = { requestId: 'r', signal: new AbortController().signal }
/** One try, as the loop makes it. */
const direct: Attempts = remote => remote.run(call)

const fails =
  (code: ErrorCode, more: object = {}) =>
  (): Promise<string> =>
    Promise.reject(new SignerError(code, { provider: 'aws', reason: 'fault', key: 'k', wanted: 'w', ...more }))
const answers = async (): Promise<string> => 'signed'
const down = fails('provider/unavailable')

interface Bench {
  readonly clock: ManualClock
  readonly changes: BreakerChange[]
  readonly ask: (key: string, run?: () => Promise<string>, provider?: string) => Promise<string>
  readonly stateOf: (provider: string) => { state: string; keysOpen: number }
}

/** Random bytes of zero: an open breaker waits half of the reset time. */
function bench(options: Partial<BreakerOptions> = {}, random = randomOf(0)): Bench {
  const clock = manualClock()
  const changes: BreakerChange[] = []
  const breakers = createBreakers({
    clock,
    random,
    resetMs: 1_000,
    onChange: change => changes.push(change),
    ...options,
  })
  const attempts = breakers.around(direct)
  const ask: Bench['ask'] = (key, run = answers, provider = 'aws') =>
    attempts({ provider, key, binding: `b-${key}`, requestId: 'r', effect: 'read', run }).catch((error: unknown) => {
      if (!isSignerError(error)) return 'thrown'
      return isShed(error) ? 'shed' : error.code
    })
  return { clock, changes, ask, stateOf: breakers.stateOf }
}

async function times(count: number, body: () => Promise<string>): Promise<string[]> {
  const found: string[] = []
  for (let n = 0; n < count; n++) found.push(await body())
  return found
}

test('D26 five failures in a row open the breaker of a key; nothing is sent until one probe, which closes or reopens it', async () => {
  const { ask, clock, changes, stateOf } = bench()
  await ask('b')
  assert.deepEqual(await times(7, () => ask('a', down)), [...Array(5).fill('provider/unavailable'), 'shed', 'shed'])
  assert.equal(await ask('b'), 'signed', 'another key of the same provider goes on')
  assert.deepEqual(stateOf('aws'), { state: 'closed', keysOpen: 1 })
  clock.advance(499)
  assert.equal(await ask('a'), 'shed')
  clock.advance(1)
  assert.equal(await ask('a', down), 'provider/unavailable')
  assert.equal(await ask('a'), 'shed')
  clock.advance(500)
  assert.deepEqual(await times(2, () => ask('a')), ['signed', 'signed'])
  assert.deepEqual(stateOf('aws'), { state: 'closed', keysOpen: 0 })
  const about = { provider: 'aws', of: 'key', binding: 'b-a' }
  assert.deepEqual(changes, [
    { ...about, state: 'open', again: false },
    { ...about, state: 'half-open', again: false },
    { ...about, state: 'open', again: true },
    { ...about, state: 'half-open', again: false },
    { ...about, state: 'closed', again: false },
  ])
})

test('D26 ambiguous counts as unavailable does; a refusal, a wrong answer and what was never sent do not', async () => {
  const ambiguous = bench()
  await ambiguous.ask('b')
  assert.deepEqual((await times(6, () => ambiguous.ask('a', fails('provider/ambiguous')))).at(-1), 'shed')
  const others: ErrorCode[] = [
    ...(['provider/refused', 'provider/malformed', 'provider/corrupt', 'envelope/unreadable'] as const),
    ...(['signature/malformed', 'key/mismatch', 'key/unsupported'] as const),
  ]
  for (const code of others) {
    const { ask } = bench()
    assert.deepEqual([...new Set(await times(50, () => ask('a', fails(code))))], [code])
  }
  const { ask } = bench()
  assert.deepEqual(
    [...new Set(await times(50, () => ask('a', () => Promise.reject(new TypeError('a fault of ours')))))],
    ['thrown'],
  )
})

test('D26 a refusal ends a row of failures, what was never sent does not; a probe that was not sent leaves the next one its turn', async () => {
  const { ask, clock } = bench()
  await ask('b')
  await times(4, () => ask('a', down))
  await ask('a', fails('provider/refused'))
  await times(4, () => ask('a', down))
  await ask('a', fails('key/unsupported'))
  assert.equal(await ask('a', down), 'provider/unavailable')
  assert.equal(await ask('a'), 'shed')
  clock.advance(500)
  assert.equal(await ask('a', fails('key/unsupported')), 'key/unsupported')
  assert.equal(await ask('a', fails('provider/refused')), 'provider/refused', 'the service is there')
  assert.equal(await ask('a'), 'signed')
})

test('D26 half of the calls of ten seconds open it too, if there were twenty', async () => {
  const half = bench({ failures: 1_000 })
  await half.ask('b')
  const told = await times(19, () => half.ask('a', down))
  assert.ok(!told.includes('shed'))
  assert.equal(await half.ask('a', down), 'provider/unavailable')
  assert.equal(await half.ask('a'), 'shed')

  const third = bench({ failures: 1_000 })
  for (let n = 0; n < 100; n++) {
    assert.equal(await third.ask('a'), 'signed')
    assert.equal(await third.ask('a'), 'signed')
    assert.equal(await third.ask('a', down), 'provider/unavailable')
  }
  // What was longer ago is forgotten.
  const old = bench({ failures: 1_000 })
  await times(19, () => old.ask('a', down))
  old.clock.advance(11_000)
  assert.ok(!(await times(19, () => old.ask('a', down))).includes('shed'))
})

test('D26 under load a few failures in a row open nothing', async () => {
  const { ask } = bench()
  await times(200, () => ask('a'))
  assert.ok(!(await times(20, () => ask('a', down))).includes('shed'))
  assert.equal((await times(10, () => ask('a', down))).at(-1), 'shed')
})

test('D26 one probe at a time; its lane is free again whatever comes of it', async () => {
  const { ask, clock, stateOf } = bench()
  await times(5, () => ask('a', down))
  clock.advance(500)
  let answer = (_text: string): void => {}
  const probe = ask('a', () => new Promise(resolve => (answer = resolve)))
  assert.equal(stateOf('aws').state, 'half-open')
  assert.deepEqual(await times(3, () => ask('a')), ['shed', 'shed', 'shed'])
  answer('signed')
  assert.equal(await probe, 'signed')
  assert.equal(await ask('a'), 'signed')
})

test('D26 answers to calls from before it opened tell of the past', async () => {
  const { ask } = bench()
  await ask('b')
  const late: ((text: string) => void)[] = []
  const slow = Array.from({ length: 3 }, () => ask('a', () => new Promise(resolve => late.push(resolve))))
  await times(5, () => ask('a', down))
  for (const answer of late) answer('signed')
  assert.deepEqual(await Promise.all(slow), ['signed', 'signed', 'signed'])
  assert.equal(await ask('a'), 'shed')
})

test('D26 a dead provider is probed once a reset time, not once for each of its keys', async () => {
  const { ask, clock, changes, stateOf } = bench({ failures: 3 })
  let sent = 0
  const dead = (): Promise<string> => {
    sent++
    return down()
  }
  for (let n = 0; n < 1_000; n++) await ask(`key-${n % 100}`, dead)
  assert.equal(sent, 3)
  assert.equal(stateOf('aws').state, 'open')
  for (let round = 0; round < 10; round++) {
    clock.advance(500)
    for (let n = 0; n < 300; n++) await ask(`key-${n % 100}`, dead)
  }
  assert.ok(sent <= 3 + 2 * 10, `${sent} calls`)
  assert.deepEqual(changes.filter(({ of, again, state }) => of === 'provider' && state === 'open' && !again).length, 1)
  clock.advance(500)
  assert.equal(await ask('key-1'), 'signed')
  for (let n = 0; n < 100; n++) assert.equal(await ask(`key-${n}`), 'signed', 'one answer is enough for all')
  assert.equal(await ask('any', answers, 'vault'), 'signed', 'another provider never noticed')
})

test('T56 keys that are well do not starve: bad neighbours cannot open the provider while anybody is answered', async () => {
  const { ask, stateOf } = bench()
  for (let n = 0; n < 300; n++) {
    await ask('bad-1', down)
    await ask('bad-2', down)
    assert.equal(await ask('well'), 'signed')
  }
  assert.deepEqual(stateOf('aws'), { state: 'closed', keysOpen: 2 })
})

test('T56 a key that was silent while its neighbours opened the provider gets through on the lane of its own', async () => {
  const { ask, clock, stateOf } = bench()
  await ask('well')
  for (let n = 0; n < 20; n++) for (const key of ['bad-1', 'bad-2']) await ask(key, down)
  assert.equal(stateOf('aws').state, 'open')
  for (let round = 0; round < 4; round++) {
    clock.advance(500)
    for (const key of ['bad-1', 'bad-2', 'bad-1']) await ask(key, down)
  }
  assert.equal(await ask('well'), 'signed')
  assert.equal(stateOf('aws').state, 'closed')
})

test('a provider with one key needs no second witness; a provider nobody asked is closed', async () => {
  const { ask, stateOf } = bench()
  await times(5, () => ask('only', down))
  assert.deepEqual(stateOf('aws'), { state: 'open', keysOpen: 1 })
  assert.deepEqual(stateOf('vault'), { state: 'closed', keysOpen: 0 })
})

test('R-14 a wait that no call could sit out holds the key back until then, and not longer than a minute', async () => {
  const { ask, clock } = bench({ deadlineMs: 5_000 })
  assert.equal(await ask('a', fails('provider/unavailable', { retryAfterMs: 4_999 })), 'provider/unavailable')
  assert.equal(await ask('a'), 'signed', 'a wait that fits is kept by the tries themselves')
  assert.equal(await ask('a', fails('provider/unavailable', { retryAfterMs: 20_000 })), 'provider/unavailable')
  clock.advance(19_999)
  assert.equal(await ask('a'), 'shed')
  assert.equal(await ask('b'), 'signed')
  clock.advance(1)
  assert.equal(await ask('a'), 'signed')
  await ask('a', fails('provider/unavailable', { retryAfterMs: 300_000 }))
  clock.advance(59_999)
  assert.equal(await ask('a'), 'shed')
  clock.advance(1)
  assert.equal(await ask('a'), 'signed')
})

test('T56 shed: says when to come again, and names no key of the vendor', async () => {
  const clock = manualClock()
  const breakers = createBreakers({ clock, random: randomOf(0xff), resetMs: 1_000 })
  const remote = { provider: 'aws', key: 'arn:aws:kms:1', requestId: 'r', effect: 'sign' as const, run: down }
  for (let n = 0; n < 5; n++) await assert.rejects(breakers.around(direct)(remote))
  await assert.rejects(breakers.around(direct)(remote), (error: SignerError<'provider/unavailable'>) => {
    assert.equal(error.code, 'provider/unavailable')
    assert.ok(!error.message.includes('arn:'))
    assert.equal(error.detail.retryAfterMs, 1_000)
    return isShed(error)
  })
})

test('a retry is not made once the breaker is open', async () => {
  const clock = manualClock()
  const breakers = createBreakers({ clock, random: randomOf(0), failures: 1 })
  const seen: (boolean | undefined)[] = []
  const loop: Attempts = async remote => {
    try {
      return await remote.run(call)
    } catch (error) {
      seen.push(remote.mayRetry?.())
      throw error
    }
  }
  const remote = { provider: 'aws', key: 'a', requestId: 'r', effect: 'read' as const, mayRetry: () => true }
  await assert.rejects(breakers.around(loop)({ ...remote, run: fails('provider/refused') }))
  await assert.rejects(breakers.around(loop)({ ...remote, run: down }))
  await assert.rejects(
    breakers.around(loop)({ ...remote, key: 'b', run: fails('provider/refused'), mayRetry: () => false }),
  )
  assert.deepEqual(seen, [true, false])
})

test('keys are remembered up to a bound, the last used ones', async () => {
  const { ask } = bench({ keysMax: 3, failures: 1 })
  await ask('well')
  assert.equal(await ask('bad', down), 'provider/unavailable')
  await ask('well')
  assert.equal(await ask('bad'), 'shed')
  for (const key of ['1', '2', '3']) await ask(key)
  assert.equal(await ask('bad'), 'signed', 'forgotten, and so asked')
})

test('D26 circuit: whatever comes in whatever order, it waits at most the reset time, and lets one probe through', () => {
  const step = fc.record({
    ms: fc.nat(1_500),
    verdict: fc.constantFrom('answered', 'failed', 'unsent'),
    byte: fc.nat(255),
  } as const)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      let now = 0
      let byte = 0
      const random = { bytes: (length: number) => new Uint8Array(length).fill(byte) }
      const circuit = createCircuit({ random, failures: 3, resetMs: 1_000, ratio: 0.5 })
      for (const { ms, verdict, byte: drawn } of steps) {
        now += ms
        byte = drawn
        const wait = circuit.waitMs(now)
        assert.ok(wait <= 1_000)
        assert.equal(wait > 0, circuit.state(now) === 'open')
        if (wait > 0) continue
        const pass = circuit.enter(now)
        if (pass.probe !== undefined) assert.ok(circuit.waitMs(now) > 0, 'a second probe is not let through')
        const change = circuit.leave(now, pass, verdict)
        if (change === 'opened' || change === 'reopened')
          assert.ok(circuit.waitMs(now) >= 500 && circuit.waitMs(now) <= 1_000)
        if (verdict === 'answered') assert.equal(circuit.state(now), 'closed')
      }
    }),
    { seed: 26 },
  )
})

test('D26 a watcher that throws takes no answer away and keeps no breaker open', async () => {
  const onChange = (): void => assert.fail('the watcher broke')
  const { ask, clock, stateOf } = bench({ failures: 2, onChange })
  assert.deepEqual(await times(3, () => ask('a', down)), ['provider/unavailable', 'provider/unavailable', 'shed'])
  clock.advance(1_000)
  assert.equal(await ask('a'), 'signed')
  assert.deepEqual([await ask('a'), stateOf('aws').state, stateOf('aws').keysOpen], ['signed', 'closed', 0])
})
