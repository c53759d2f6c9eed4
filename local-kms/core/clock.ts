/** What local-kms asks of time. Milliseconds since the epoch, UTC. */
export interface Clock {
  now(): number
  /** Resolves once the clock has moved on by `ms`. */
  sleep(ms: number): Promise<void>
}

export interface VirtualClock extends Clock {
  /** Moves time on by `ms` and wakes every sleeper whose time has come, earliest first. */
  advance(ms: number): Promise<void>
  set(ms: number): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: ms => new Promise(resolve => setTimeout(resolve, ms)),
}

/** A clock that stands still until told to move, for deletion windows, token expiry and quotas. */
export function virtualClock(startMs = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = startMs
  const sleepers: { at: number; wake: () => void }[] = []

  async function set(ms: number): Promise<void> {
    for (;;) {
      sleepers.sort((a, b) => a.at - b.at)
      const next = sleepers[0]
      if (next === undefined || next.at > ms) break
      sleepers.shift()
      now = Math.max(now, next.at)
      next.wake()
      await Promise.resolve() // what was woken may go to sleep again within the same step
    }
    now = Math.max(now, ms)
  }

  return {
    now: () => now,
    sleep: ms => (ms <= 0 ? Promise.resolve() : new Promise(wake => void sleepers.push({ at: now + ms, wake }))),
    advance: ms => set(now + ms),
    set,
  }
}

export function isVirtual(clock: Clock): clock is VirtualClock {
  return 'advance' in clock && typeof clock.advance === 'function'
}
