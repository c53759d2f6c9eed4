/** The wait for the disk: an answer within the deadline, or an error. */
import type { Clock } from '../domain/ports.ts'
import type { Bound } from './segment.ts'

export interface Overdue {
  readonly bound: Bound
  /** Calls that are overdue and have not come back: they may still write. */
  stuck(): number
  stop(): void
}

interface Waiting {
  readonly dueAt: number
  readonly giveUp: () => void
}

/**
 * One alarm for all calls, set for the oldest. A call that answers takes itself off the list and leaves the alarm alone: a
 * timer for each of two calls a signature is what a signature would pay for, and next to none of them ever goes off.
 */
export function watchOverdue(clock: Clock, deadlineMs: number): Overdue {
  /** In the order of their deadlines. */
  const waiting = new Set<Waiting>()
  const stopped = new AbortController()
  let watching = false
  let stuck = 0

  const watch = async (): Promise<void> => {
    try {
      for (let [oldest] = waiting; oldest !== undefined; [oldest] = waiting) {
        const left = oldest.dueAt - clock.monotonic()
        if (left > 0) await clock.sleep(left, stopped.signal)
        else {
          waiting.delete(oldest)
          oldest.giveUp()
        }
      }
    } catch {
      // Stopped: nobody waits any more.
    } finally {
      watching = false
    }
  }

  return {
    bound: (what, work) =>
      new Promise((resolve, reject) => {
        let late = false
        const entry: Waiting = {
          dueAt: clock.monotonic() + deadlineMs,
          giveUp: () => {
            late = true
            stuck++
            reject(new Error(`${what} took longer than ${deadlineMs} ms`))
          },
        }
        /** @returns whether anybody still waits; a late answer changes nothing. */
        const ended = (): boolean => {
          waiting.delete(entry)
          if (late) stuck--
          return !late
        }
        work.then(
          value => void (ended() && resolve(value)),
          cause => void (ended() && reject(new Error(`${what} failed: ${errno(cause)}`, { cause }))),
        )
        waiting.add(entry)
        if (watching) return
        watching = true
        void watch()
      }),
    stuck: () => stuck,
    stop: () => stopped.abort(),
  }
}

/** Only the error number; the rest of a system error names paths. */
const errno = (cause: unknown): string => {
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && /^[A-Z0-9_]{1,32}$/.test(code) ? code : 'unknown error'
}
