import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Clock, Random } from '../domain/ports.ts'
import type { Call, KeyRef } from '../domain/provider.ts'
import { fraction } from './jitter.ts'
import { isShed } from './shed.ts'

export interface AttemptsOptions {
  readonly clock: Clock
  readonly random: Random
  /** For all tries and the pauses between them together. */
  readonly deadlineMs?: number
  readonly triesMax?: number
  /** The n-th pause is a random time up to this · 2^(n-1). */
  readonly pauseMs?: number
  /** No pause is longer, whatever n. A wait that the service asks for is not bound by this. */
  readonly pauseMsMax?: number
  /** How long a provider may take to answer the abort before we speak in its place. */
  readonly graceMs?: number
}

export interface Remote<T> {
  readonly provider: string
  /** What the provider is asked about; guards tell keys apart by it. Not for logs: a reference may hold an account number. */
  readonly key: KeyRef
  /** Our id of the binding that is served, for logs. */
  readonly binding?: string
  readonly requestId: string
  /** Less time than the deadline of all calls: what is left of it when other places were asked before. */
  readonly withinMs?: number
  /** `sign`: an unanswered call may have made a signature. `read`: an unanswered call has changed nothing. */
  readonly effect: 'sign' | 'read'
  readonly run: (call: Call) => Promise<T>
  /** An answer that nobody waits for any more; an opened key is wiped here. */
  readonly onLate?: (answer: T) => void
  /** Asked before every try after the first; guards put it here. */
  readonly mayRetry?: () => boolean
}

/** Given, so that no `DOMException` with its stack is made twice for every call that went well. */
const ENDED = 'the call has ended'

/** Makes a remote call. */
export type Attempts = <T>(remote: Remote<T>) => Promise<T>

/** Deadline and tries, without guards: for operators' commands, which make a handful of calls. */
export const createAttempts = (options: AttemptsOptions): Attempts => inTime(options)(createTries(options))

/**
 * At most three tries, full jitter, one deadline for everything, and only `provider/unavailable` is tried again: it
 * alone says that nothing was signed and that another try can work. After `provider/ambiguous` a signature may exist, so
 * asking again could make two. What a guard shed is not tried again either: it would be shed again.
 *
 * @returns a function that throws what the last try threw, and hands every try the signal of the deadline.
 */
export function createTries(options: AttemptsOptions): Attempts {
  const { clock, triesMax = 3 } = options
  return async remote => {
    const deadlineMs = Math.min(options.deadlineMs ?? 5_000, remote.withinMs ?? Number.POSITIVE_INFINITY)
    const deadline = new AbortController()
    const done = new AbortController()
    const endsAt = clock.monotonic() + deadlineMs
    clock.sleep(deadlineMs, done.signal).then(
      () => deadline.abort(new Error('deadline')),
      () => {},
    )
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await remote.run({ requestId: remote.requestId, signal: deadline.signal })
        } catch (error) {
          const pause = attempt < triesMax ? pauseAfter(error, attempt, options) : undefined
          if (pause === undefined || clock.monotonic() + pause >= endsAt) throw error
          if (remote.mayRetry?.() === false) throw error
          if (!(await slept(clock, pause, deadline.signal))) throw error
        }
      }
    } finally {
      done.abort(ENDED)
    }
  }
}

/**
 * Around all other guards, so that its end of a call is the nearest to the wire: every try ends at the deadline even when
 * the provider does not, and the guards see it end.
 *
 * @returns when the deadline passes without a word from the provider: `provider/ambiguous` for a sign,
 *          `provider/unavailable` for a read.
 */
export const inTime =
  (options: Pick<AttemptsOptions, 'clock' | 'graceMs'>) =>
  (inner: Attempts): Attempts =>
  remote =>
    inner({ ...remote, run: call => once(remote, call, options) })

async function once<T>(remote: Remote<T>, call: Call, options: Pick<AttemptsOptions, 'clock' | 'graceMs'>): Promise<T> {
  const answer = remote.run(call)
  let late = false
  answer.then(
    value => (late ? remote.onLate?.(value) : undefined),
    () => {},
  )
  const over = new AbortController()
  try {
    return await Promise.race([answer, silence(remote, call.signal, over.signal, options)])
  } catch (error) {
    late = true
    throw error
  } finally {
    over.abort(ENDED)
  }
}

/** Rejects some time after the deadline; never settles before it. */
async function silence(
  remote: Pick<Remote<unknown>, 'provider' | 'requestId' | 'effect'>,
  signal: AbortSignal,
  over: AbortSignal,
  { clock, graceMs = 100 }: Pick<AttemptsOptions, 'clock' | 'graceMs'>,
): Promise<never> {
  await aborted(signal)
  await slept(clock, graceMs, over)
  throw new SignerError(remote.effect === 'sign' ? 'provider/ambiguous' : 'provider/unavailable', {
    provider: remote.provider,
    reason: 'no answer within the deadline',
    requestId: remote.requestId,
  })
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** Milliseconds to wait before the next try; undefined when there may be none. */
function pauseAfter(error: unknown, attempt: number, options: AttemptsOptions): number | undefined {
  if (!isSignerError(error) || error.code !== 'provider/unavailable' || isShed(error)) return undefined
  const { random, pauseMs = 50, pauseMsMax = 1_000 } = options
  const jitter = fraction(random) * Math.min(pauseMsMax, pauseMs * 2 ** (attempt - 1))
  return Math.max(error.detail.retryAfterMs ?? 0, jitter)
}

/** @returns false when the signal came first. */
const slept = (clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> =>
  clock.sleep(ms, signal).then(
    () => true,
    () => false,
  )
