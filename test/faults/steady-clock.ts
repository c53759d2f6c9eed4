import type { Clock } from '../../src/domain/ports.ts'
import { realClock } from '../../src/runtime/world.ts'

/**
 * The real clock, without the time in which this process could not have done anything because its one thread was kept, or not
 * given a processor: between two beats of a heart that beats every 5 ms at most 10 ms pass on it. So it is the service that is
 * held to its deadline, and not the machine.
 */
export interface SteadyClock extends Clock {
  /** Milliseconds left out so far. */
  stalled(): number
  stop(): void
}

const BEAT_MS = 5
const TURN_MS_MAX = 10

export function steadyClock(): SteadyClock {
  let last = performance.now()
  let left = 0
  const beyond = (now: number): number => Math.max(0, now - last - TURN_MS_MAX)
  const timer = setInterval(() => {
    const now = performance.now()
    left += beyond(now)
    last = now
  }, BEAT_MS)
  const monotonic = (): number => {
    const now = performance.now()
    return now - left - beyond(now)
  }
  return {
    now: () => Date.now(),
    monotonic,
    async sleep(ms, signal) {
      const end = monotonic() + ms
      for (let wait = ms; wait > 0; wait = end - monotonic()) await realClock.sleep(Math.max(1, wait), signal)
    },
    stalled: () => left,
    stop: () => clearInterval(timer),
  }
}
