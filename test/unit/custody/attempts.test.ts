import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AttemptsOptions, createAttempts, type Remote } from '../../../src/custody/attempts.ts'
import { type ErrorCode, SignerError } from '../../../src/domain/errors.ts'
import type { Call } from '../../../src/domain/provider.ts'
import { randomOf, type StillClock, stillClock } from './world.ts'

const unavailable = (retryAfterMs?: number): SignerError =>
  new SignerError('provider/unavailable', {
    provider: 'fake',
    reason: 'throttled',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })

interface Run {
  readonly clock: StillClock
  readonly calls: Call[]
  /** When each call was made. */
  readonly times: number[]
  readonly result: Promise<string>
}

function run(
  script: ((call: Call, clock: StillClock) => Promise<string>)[],
  options: Partial<AttemptsOptions> = {},
  remote: Partial<Remote<string>> = {},
): Run {
  const clock = stillClock()
  const calls: Call[] = []
  const times: number[] = []
  const attempts = createAttempts({ clock, random: randomOf(0xff), ...options })
  const result = clock.settle(
    attempts<string>({
      provider: 'fake',
      key: 'key/1',
      requestId: 'req_7',
      effect: 'sign',
      run: call => {
        calls.push(call)
        times.push(clock.monotonic())
        const step = script[calls.length - 1]
        return step === undefined ? Promise.reject(new Error('one call too many')) : step(call, clock)
      },
      ...remote,
    }),
  )
  return { clock, calls, times, result }
}

const answers = (text: string) => (): Promise<string> => Promise.resolve(text)
const fails = (error: Error) => async (): Promise<string> => {
  throw error
}
const mute = (): Promise<string> => new Promise(() => {})

/** Says `code` as soon as the deadline aborts it, as a provider must. */
const saysAtAbort =
  (code: 'provider/ambiguous' | 'provider/unavailable') =>
  (call: Call): Promise<string> =>
    new Promise((_resolve, reject) => {
      const say = (): void => reject(new SignerError(code, { provider: 'fake', reason: 'its own words' }))
      call.signal.addEventListener('abort', say)
    })

test('attempts: an answer ends it, and no timer stays behind', async () => {
  const { result, calls, clock } = run([answers('done')])
  assert.equal(await result, 'done')
  assert.equal(calls.length, 1)
  assert.equal(calls[0]?.requestId, 'req_7')
  assert.equal(calls[0]?.signal.aborted, false)
  assert.equal(clock.sleepers, 0)
})

test('D26: unavailable is tried again with growing pauses, three tries in all', async () => {
  const full = run([fails(unavailable()), fails(unavailable()), answers('done')])
  assert.equal(await full.result, 'done')
  const [first = 0, second = 0, third = 0] = full.times
  assert.ok(second - first > 49 && second - first < 50, 'the first pause is below 50 ms')
  assert.ok(third - second > 99 && third - second < 100, 'the second pause is below 100 ms')

  const none = run([fails(unavailable()), fails(unavailable()), answers('done')], { random: randomOf(0) })
  assert.equal(await none.result, 'done')
  assert.deepEqual(none.times, [0, 0, 0])

  const last = unavailable()
  const spent = run([fails(unavailable()), fails(unavailable()), fails(last)])
  await assert.rejects(spent.result, error => error === last)
  assert.equal(spent.calls.length, 3)
})

test('D26: a pause never grows beyond its bound', async () => {
  const tries = Array.from({ length: 9 }, () => fails(unavailable()))
  const { result, times } = run(tries, { triesMax: 9, deadlineMs: 60_000, pauseMsMax: 200 })
  await assert.rejects(result, { code: 'provider/unavailable' })
  assert.equal(times.length, 9)
  for (let at = 1; at < times.length; at++) assert.ok((times[at] ?? 0) - (times[at - 1] ?? 0) <= 200)
})

test('T56: nothing else is tried again, ambiguous least of all', async () => {
  const facts = { provider: 'fake', reason: 'r', field: 'f', key: 'k' }
  const codes: ErrorCode[] = [
    'provider/ambiguous',
    'provider/refused',
    'provider/malformed',
    'envelope/unreadable',
    'signature/malformed',
    'key/unsupported',
    'store/unavailable',
  ]
  for (const error of [...codes.map(code => new SignerError(code, facts as never)), new TypeError('a fault of ours')]) {
    const { result, calls } = run([fails(error), answers('signed twice')])
    await assert.rejects(result, thrown => thrown === error)
    assert.equal(calls.length, 1)
  }
  const mixed = run([fails(unavailable()), fails(new SignerError('provider/ambiguous', facts)), answers('no')])
  await assert.rejects(mixed.result, { code: 'provider/ambiguous' })
  assert.equal(mixed.calls.length, 2)
})

test('R-14: the wait that the service asks for is kept, and refused when it does not fit the deadline', async () => {
  const kept = run([fails(unavailable(1_500)), answers('done')])
  assert.equal(await kept.result, 'done')
  assert.deepEqual(kept.times, [0, 1_500])

  const short = run([fails(unavailable(1)), answers('done')])
  assert.equal(await short.result, 'done')
  assert.ok((short.times[1] ?? 0) > 49, 'never shorter than the jittered pause')

  const tooLong = run([fails(unavailable(5_000)), answers('done')])
  await assert.rejects(tooLong.result, { code: 'provider/unavailable' })
  assert.equal(tooLong.calls.length, 1)
  assert.equal(tooLong.clock.monotonic(), 0, 'no time is spent on a try that cannot come')
})

test('R-14: at the deadline the provider has the word', async () => {
  for (const code of ['provider/ambiguous', 'provider/unavailable'] as const) {
    const { result, clock, calls } = run([saysAtAbort(code)])
    await assert.rejects(result, error => error instanceof SignerError && /its own words/.test(error.message))
    assert.equal(clock.monotonic(), 5_000)
    assert.equal(calls.length, 1)
  }
})

test('R-14: a provider that ignores the deadline: ambiguous for a sign, unavailable for a read', async () => {
  const sign = run([mute])
  await assert.rejects(sign.result, { code: 'provider/ambiguous' })
  assert.equal(sign.clock.monotonic(), 5_100)
  const read = run([mute], { deadlineMs: 300, graceMs: 20 }, { effect: 'read' })
  await assert.rejects(read.result, { code: 'provider/unavailable' })
  assert.equal(read.clock.monotonic(), 320)
})

test('R-14: one deadline for all tries and pauses together', async () => {
  const slow = async (_call: Call, clock: StillClock): Promise<string> => {
    await clock.sleep(2_400)
    throw unavailable(100)
  }
  const { result, clock, calls } = run([slow, slow, mute])
  await assert.rejects(result, { code: 'provider/unavailable' })
  assert.equal(calls.length, 2)
  assert.ok(clock.monotonic() <= 5_000)
})

test('T02: an answer that comes too late is handed over to be wiped; one in time is not', async () => {
  const late: string[] = []
  const onLate = (text: string): void => void late.push(text)
  let answer = (_text: string): void => {}
  const slow = run([() => new Promise(resolve => (answer = resolve))], {}, { effect: 'read', onLate })
  await assert.rejects(slow.result, { code: 'provider/unavailable' })
  assert.deepEqual(late, [])
  answer('an opened key')
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(late, ['an opened key'])

  await run([answers('in time')], {}, { onLate }).result
  assert.deepEqual(late, ['an opened key'])
  const forgotten = run([() => new Promise(resolve => (answer = resolve))])
  await assert.rejects(forgotten.result, { code: 'provider/ambiguous' })
  answer('nobody listens')
})
