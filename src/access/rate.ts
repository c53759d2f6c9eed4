import type { RateAnswer, RateClaim, RateStore } from '../domain/claims.ts'

export interface MemoryRates extends RateStore {
  /** How many names are held now. */
  readonly size: number
}

/** Some 50 MB when all are in use. */
const NAMES_MAX = 65_536

/**
 * Rate limits of one process: a log of admissions for each name and length of window, exact to the millisecond. An
 * admission at t counts until t + windowMs, which is outside.
 *
 * `now` should be the monotonic clock. Time never goes back here: an earlier `now` is taken for the latest seen, so a
 * clock that is set back makes limits last longer, never shorter.
 *
 * A name is forgotten when its window is empty. When `namesMax` names are in use, new ones are limited until one is
 * empty: forgetting one early would hand out its limit twice, and whoever can bring so many names must not be able to.
 * Names that are held go on as before.
 */
export function createMemoryRates({ namesMax = NAMES_MAX }: { readonly namesMax?: number } = {}): MemoryRates {
  const windows = new Map<number, RateWindow>()
  let latest = Number.NEGATIVE_INFINITY
  const size = (): number => windows.values().reduce((sum, { logs }) => sum + logs.size, 0)

  const take = (asked: readonly RateClaim[], now: number): RateAnswer => {
    const claims = strictest(asked)
    latest = Math.max(latest, checked(now))
    const at = latest
    // Lengths of window come from the configuration and are few.
    for (const [windowMs, window] of windows) {
      window.forget(at)
      if (window.logs.size === 0) windows.delete(windowMs)
    }
    const states = claims.map(claim => {
      const window = windowOf(windows, claim.windowMs)
      const log = window.logs.get(claim.name)
      log?.expire(at - claim.windowMs)
      return { claim, window, log }
    })
    let refusal: Extract<RateAnswer, { kind: 'limited' }> | undefined
    const refuse = (claim: RateClaim, waitMs: number): void => {
      const retryAfterMs = Math.ceil(waitMs) // a monotonic clock counts in fractions
      if (refusal === undefined || retryAfterMs > refusal.retryAfterMs)
        refusal = { kind: 'limited', claim, retryAfterMs }
    }
    for (const { claim, log } of states) {
      const { limit, windowMs } = claim
      if (limit === 0) refuse(claim, windowMs)
      else if (log !== undefined && log.total >= limit) refuse(claim, log.leaves(log.total - limit + 1) + windowMs - at)
    }
    const fresh = states.filter(({ log }) => log === undefined)
    if (refusal === undefined && fresh[0] !== undefined && size() + fresh.length > namesMax) {
      const { claim } = fresh[0]
      refuse(claim, Math.min(claim.windowMs, ...[...windows.values()].map(window => window.emptyAt() - at)))
    }
    if (refusal !== undefined) return refusal

    let closest: Extract<RateAnswer, { kind: 'admitted' }> | undefined
    for (const { claim, window } of states) {
      const log = window.admit(claim.name, at)
      const remaining = claim.limit - log.total
      const resetMs = Math.ceil(log.leaves(1) + claim.windowMs - at)
      if (closest === undefined || remaining < closest.remaining)
        closest = { kind: 'admitted', claim, remaining, resetMs }
    }
    return closest as RateAnswer
  }
  return {
    // The body runs in one go, so it is one atomic step.
    take: async (claims, now) => take(claims, now),
    get size() {
      return size()
    },
  }
}

const checked = (now: number): number => {
  if (Number.isFinite(now)) return now
  throw new RangeError(`Cannot count at the time ${now}: milliseconds are needed`)
}

/** A name that is claimed twice for one window is taken once, under the smaller limit. */
function strictest(asked: readonly RateClaim[]): readonly RateClaim[] {
  if (asked.length === 0) throw new RangeError('Cannot take nothing: at least one claim is needed')
  const least = new Map<string, RateClaim>()
  for (const claim of asked) {
    const { name, limit, windowMs } = claim
    if (!Number.isSafeInteger(limit) || limit < 0 || !Number.isSafeInteger(windowMs) || windowMs < 1)
      throw new RangeError(
        `Cannot admit ${limit} in ${windowMs} ms: whole numbers are needed, and a window of 1 ms or more`,
      )
    const id = `${windowMs}:${name}`
    if (limit < (least.get(id)?.limit ?? Number.POSITIVE_INFINITY)) least.set(id, claim)
  }
  return [...least.values()]
}

function windowOf(windows: Map<number, RateWindow>, windowMs: number): RateWindow {
  const known = windows.get(windowMs)
  if (known !== undefined) return known
  const made = new RateWindow(windowMs)
  windows.set(windowMs, made)
  return made
}

/** The names that share a length of window. The order is that of their newest admission, so the first is empty first. */
class RateWindow {
  readonly logs = new Map<string, RateLog>()
  readonly #windowMs: number
  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }
  /** Drops the names that have nothing left. */
  forget(at: number): void {
    for (const [name, log] of this.logs) {
      if (log.newest + this.#windowMs > at) return
      this.logs.delete(name)
    }
  }
  admit(name: string, at: number): RateLog {
    const log = this.logs.get(name) ?? new RateLog()
    this.logs.delete(name)
    this.logs.set(name, log)
    log.add(at)
    return log
  }
  emptyAt(): number {
    const [first] = this.logs.values()
    return first === undefined ? Number.POSITIVE_INFINITY : first.newest + this.#windowMs
  }
}

/** When admissions fell, oldest first; those of one millisecond together. */
class RateLog {
  #times: number[] = []
  #counts: number[] = []
  #head = 0
  total = 0
  newest = Number.NEGATIVE_INFINITY
  add(at: number): void {
    this.total++
    if (this.newest === at && this.#counts.length > this.#head) this.#counts[this.#counts.length - 1]! += 1
    else {
      this.#times.push(at)
      this.#counts.push(1)
      this.newest = at
    }
  }
  /** Forgets what is no later than `before`. */
  expire(before: number): void {
    while (this.#head < this.#times.length && (this.#times[this.#head] as number) <= before)
      this.total -= this.#counts[this.#head++] as number
    if (this.#head < 64 || this.#head * 2 < this.#times.length) return
    this.#times = this.#times.slice(this.#head)
    this.#counts = this.#counts.slice(this.#head)
    this.#head = 0
  }
  /** When the oldest `count` of them fell. */
  leaves(count: number): number {
    let left = count
    let at = this.#head
    while (left > (this.#counts[at] as number) && at < this.#times.length - 1) left -= this.#counts[at++] as number
    return this.#times[at] as number
  }
}
