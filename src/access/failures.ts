import type { Clock } from '../domain/ports.ts'
import type { RateStore } from '../domain/claims.ts'
import { type ErrorCode, isSignerError, SignerError } from '../domain/errors.ts'
import { bucketOf, clientOfPeer } from './addresses.ts'
import { admit, type Limit } from './admission.ts'

/** Somebody who tries tokens is at it more often than somebody whose token has just ended. */
const FAILURE_LIMIT: Limit = Object.freeze({ limit: 60, windowMs: 60_000 })

export interface FailureRules {
  /** Of those who fail alone: whoever brings many addresses must not use up the room of those who are let in. */
  readonly rates: RateStore
  readonly clock: Pick<Clock, 'monotonic'>
  readonly limit?: Limit | undefined
  /** Addresses that are remembered as waiting. */
  readonly waitingMax?: number
}

export interface FailureCount {
  /**
   * Runs `body`, which finds out who asks. When that fails, it counts for the address (IPv6: for its /64).
   * @param peer  address of the client, as the door says it
   * @throws `access/limited` instead of running it while that address has failed too often, and what `body` throws
   */
  attempt<T>(peer: string, body: () => Promise<T>): Promise<T>
  /** How many addresses wait now. */
  readonly waiting: number
}

/** What the caller did, and not the store or a server with keys: nobody is shut out for a fault of ours. */
const FAILED: ReadonlySet<string> = new Set<ErrorCode>(['token/missing', 'token/invalid', 'access/denied'])
const WAITING_MAX = 65_536

/**
 * Counts authentications that fail (T66). A success costs one look into memory. The failure that uses the limit up shuts
 * the address out at once, so that nothing more of it is parsed until its oldest failure has left the window. Instances that
 * share a store count together; each learns of a full limit by its own first failure.
 */
export function countFailures({ rates, clock, limit = FAILURE_LIMIT, ...rest }: FailureRules): FailureCount {
  const { waitingMax = WAITING_MAX } = rest
  const waiting = new Map<string, number>()

  const wait = (name: string, ms: number): void => {
    const now = clock.monotonic()
    for (const [each, until] of waiting) {
      // Oldest first. One that is let go too early costs a token more, and waits again.
      if (until > now && waiting.size < waitingMax) break
      waiting.delete(each)
    }
    waiting.set(name, now + ms)
  }
  const refuseWaiting = (name: string): void => {
    const until = waiting.get(name)
    if (until === undefined) return
    const retryAfterMs = Math.ceil(until - clock.monotonic())
    if (retryAfterMs > 0) throw limited(limit, retryAfterMs)
    waiting.delete(name)
  }
  const count = async (name: string): Promise<void> => {
    const claim = { name: `failures:${name}`, limit: limit.limit, windowMs: limit.windowMs }
    try {
      const answer = await admit(rates, [claim], clock.monotonic())
      if (answer?.remaining === 0) wait(name, answer.resetMs)
    } catch (error) {
      if (isSignerError(error) && error.code === 'access/limited') wait(name, error.detail.retryAfterMs)
      throw error
    }
  }

  return {
    async attempt(peer, body) {
      if (waiting.size > 0) refuseWaiting(bucketOf(clientOfPeer(peer)))
      try {
        return await body()
      } catch (error) {
        if (isSignerError(error) && FAILED.has(error.code)) await count(bucketOf(clientOfPeer(peer)))
        throw error
      }
    },
    get waiting() {
      return waiting.size
    },
  }
}

const limited = ({ limit, windowMs }: Limit, retryAfterMs: number) =>
  new SignerError('access/limited', {
    scope: 'failures',
    limit,
    windowSeconds: Math.max(1, Math.ceil(windowMs / 1000)),
    retryAfterMs,
  })
