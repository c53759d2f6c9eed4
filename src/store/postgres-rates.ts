import type { RateAnswer, RateClaim, RateStore } from '../domain/claims.ts'
import { SignerError } from '../domain/errors.ts'
import type { Answer } from './steps.ts'
import type { PostgresEngine, Session } from './postgres-engine.ts'

/** Admissions of one millisecond are one row. A window is named by its length too, so two of them never mix. */
const USED = `SELECT coalesce(sum(n), 0)::bigint AS used, min(at) AS oldest FROM rate_events WHERE name = $1 AND at > $2`
/** When so many have left the window that $3 more fit: the admission after which only that many are left. */
const LEAVES = `SELECT at FROM (SELECT at, sum(n) OVER (ORDER BY at) AS upto FROM rate_events WHERE name = $1 AND at > $2) AS log
  WHERE upto >= $3::bigint ORDER BY at LIMIT 1`
const ADMIT = `INSERT INTO rate_events (name, at, n, gone_at) VALUES ($1, $2, 1, $3)
  ON CONFLICT (name, at) DO UPDATE SET n = rate_events.n + 1`
const NOW = 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now'
const PURGE = 'DELETE FROM rate_events WHERE gone_at <= $1'

export interface SharedRates extends RateStore {
  purge(): Promise<number>
}

/**
 * Rate limits that several instances share, exact to the millisecond: a log of admissions for each name and window. Time is
 * that of the server, since the clocks of replicas differ; `callersTime` takes `now` instead, for tests.
 */
export function postgresRates(engine: PostgresEngine, callersTime = false): SharedRates {
  return {
    take: async (asked, now) => {
      const claims = strictest(asked)
      return engine.transaction('take from a rate limit', async session => {
        void session.lock(claims.map(claim => `rate ${nameOf(claim)}`))
        const at = callersTime ? now : Number((await session.query('rate-now', NOW)).rows[0]?.['now'])
        return take(session, claims, at)
      })
    },
    purge: async () => {
      const { rows } = await engine.single('read the time', 'rate-now', NOW)
      const now = Number(rows[0]?.['now'])
      return (await engine.single('purge rate limits', 'rate-purge', PURGE, [now])).changes
    },
  }
}

async function take(session: Session, claims: readonly RateClaim[], at: number): Promise<RateAnswer> {
  const read = await Promise.all(
    claims.map(claim => session.query('rate-used', USED, [nameOf(claim), at - claim.windowMs])),
  )
  const states = claims.map((claim, index) => stateOf(claim, read[index] as Answer))
  const full = states.filter(({ claim, used }) => used >= claim.limit)
  if (full.length > 0) {
    const waits = await Promise.all(full.map(({ claim, used }) => waitOf(session, claim, used, at)))
    const longest = waits.reduce((a, b) => (b.retryAfterMs > a.retryAfterMs ? b : a))
    return { kind: 'limited', ...longest }
  }
  for (const { claim } of states) {
    void session.query('rate-admit', ADMIT, [nameOf(claim), at, at + 2 * claim.windowMs])
  }
  const closest = states.reduce((a, b) => (b.claim.limit - b.used < a.claim.limit - a.used ? b : a))
  const { claim, used, oldest } = closest
  return {
    kind: 'admitted',
    claim,
    remaining: claim.limit - used - 1,
    resetMs: Math.min(oldest, at) + claim.windowMs - at,
  }
}

const stateOf = (claim: RateClaim, { rows }: Answer) => ({
  claim,
  used: Number(rows[0]?.['used']),
  oldest: Number(rows[0]?.['oldest'] ?? Number.POSITIVE_INFINITY),
})

async function waitOf(session: Session, claim: RateClaim, used: number, at: number) {
  const { limit, windowMs } = claim
  if (limit === 0) return { claim, retryAfterMs: windowMs }
  const { rows } = await session.query('rate-leaves', LEAVES, [nameOf(claim), at - windowMs, used - limit + 1])
  return { claim, retryAfterMs: Number(rows[0]?.['at']) + windowMs - at }
}

const nameOf = ({ name, windowMs }: RateClaim): string => `${windowMs}:${name}`

/** A name that is claimed twice for one window is taken once, under the smaller limit. */
function strictest(asked: readonly RateClaim[]): readonly RateClaim[] {
  const least = new Map<string, RateClaim>()
  for (const claim of asked) {
    const { limit, windowMs } = claim
    if (!Number.isSafeInteger(limit) || limit < 0 || !Number.isSafeInteger(windowMs) || windowMs < 1) throw notWhole()
    if (limit < (least.get(nameOf(claim))?.limit ?? Number.POSITIVE_INFINITY)) least.set(nameOf(claim), claim)
  }
  if (least.size === 0) throw notWhole()
  return [...least.values()]
}

const notWhole = () =>
  new SignerError('store/unavailable', { reason: 'could not take from a rate limit: it is not in whole numbers' })
