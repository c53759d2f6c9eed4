import type { Clock } from '../domain/ports.ts'
import type { FlagJournal } from './source.ts'

const MINUTE_MS = 60_000

export interface Health {
  good(): void
  bad(reason: string): void
  /** Nothing good was heard for longer than the limit. */
  isStale(): boolean
}

/** Remembers when a source was last good, and reports trouble: its begin, its growing stale, and then once a minute. */
export function createHealth(
  clock: Pick<Clock, 'monotonic'>,
  ageMaxMs: number,
  journal: Pick<FlagJournal, 'failed' | 'recovered'>,
): Health {
  const startedAt = clock.monotonic()
  let goodAt: number | undefined
  let reportedAt: number | undefined
  let reportedStale = false
  const isStale = () => clock.monotonic() - (goodAt ?? startedAt) > ageMaxMs
  return {
    good() {
      goodAt = clock.monotonic()
      if (reportedAt !== undefined) journal.recovered()
      reportedAt = undefined
      reportedStale = false
    },
    bad(reason) {
      const now = clock.monotonic()
      const stale = isStale()
      const isNews = reportedAt === undefined || (stale && !reportedStale) || now - reportedAt >= MINUTE_MS
      if (!isNews) return
      reportedAt = now
      reportedStale = stale
      journal.failed({ reason, ageMs: goodAt === undefined ? undefined : now - goodAt, stale })
    },
    isStale,
  }
}
