import type { Clock } from '../domain/ports.ts'
import type { Attempts } from './attempts.ts'
import { createTally, type Tally } from './tally.ts'

export interface BudgetOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Retries for each first try. */
  readonly ratio?: number
  /** Retries that a span may hold however few first tries there were: a quiet service may still try again. */
  readonly least?: number
  readonly spanMs?: number
}

/**
 * Tries after the first are at most nine in a hundred of the first tries of the last minute, at each provider: when
 * everything fails, three tries a request would be three times the load on a service that is down already (T56). Nine
 * and not ten, so that a fault of ten minutes stays below 1.1 together with what the minute before it left over.
 *
 * A retry is charged to first tries before it and counted for as long as they are, so the bound holds over any stretch
 * of time, not only over one span: the spans that end at its last retry, at the last one before that span, and so on, do
 * not overlap, and each keeps the ratio.
 */
export function withRetryBudget(options: BudgetOptions): (inner: Attempts) => Attempts {
  const { clock, ratio = 0.09, least = 3, spanMs = 60_000 } = options
  const tallies = new Map<string, Tally>()
  const tallyOf = (provider: string): Tally => {
    const known = tallies.get(provider) ?? createTally(spanMs)
    tallies.set(provider, known)
    return known
  }
  return inner => remote => {
    const tally = tallyOf(remote.provider)
    let tries = 0
    return inner({
      ...remote,
      run: call => {
        if (tries++ === 0) tally.add(clock.monotonic(), 1, 0)
        return remote.run(call)
      },
      mayRetry: () => {
        if (remote.mayRetry?.() === false) return false
        const now = clock.monotonic()
        const { first, second } = tally.sums(now)
        if (second + 1 > Math.max(least, ratio * first)) return false
        tally.add(now, 0, 1)
        return true
      },
    })
  }
}
