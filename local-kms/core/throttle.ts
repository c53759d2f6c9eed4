import type { Clock } from './clock.ts'

/** One token bucket: holds one second's worth, refills continuously on the given clock. */
interface Bucket {
  tokens: number
  at: number
}

export interface Throttle {
  /** Takes one token from the named bucket. False: the rate is exceeded. */
  take(bucket: string, perSecond: number): boolean
  reset(): void
}

export function createThrottle(clock: Clock): Throttle {
  const buckets = new Map<string, Bucket>()
  return {
    take(name, perSecond) {
      const now = clock.now()
      const capacity = Math.max(1, perSecond)
      const bucket = buckets.get(name) ?? { tokens: capacity, at: now }
      buckets.set(name, bucket)
      bucket.tokens = Math.min(capacity, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
      bucket.at = now
      if (bucket.tokens < 1) return false
      bucket.tokens -= 1
      return true
    },
    reset: () => buckets.clear(),
  }
}
