import { SignerError } from '../domain/errors.ts'
import type { Claims, SlotClaim, SpendClaim } from '../domain/claims.ts'

/**
 * Spend windows in sixtieths. A bucket says only when it ends, so a counter may be asked about windows of any length: a
 * bucket counts as long as any of it is inside the window. Buckets that lie ahead count too, for a clock may have gone back,
 * and they are kept for twice the longest window, for a clock may have gone ahead.
 */
export interface Bucket {
  readonly until: number
  readonly amount: bigint
}

export interface Counter {
  /** Longest window that ever counted here. */
  readonly longestMs: number
  readonly buckets: readonly Bucket[]
}

export const EMPTY: Counter = { longestMs: 0, buckets: [] }

const PARTS = 60

/** End of the sixtieth that `at` falls into. */
export function endOf(at: number, windowMs: number): number {
  const width = Math.max(1, Math.ceil(windowMs / PARTS))
  return (Math.floor(at / width) + 1) * width
}

export function usedIn({ buckets }: Counter, windowMs: number, now: number): bigint {
  let sum = 0n
  for (const { until, amount } of buckets) if (until > now - windowMs) sum += amount
  return sum
}

/** When `room` will have left the window again; undefined when all of it together is not enough. */
export function freeAt({ buckets }: Counter, windowMs: number, now: number, room: bigint): number | undefined {
  let free = 0n
  for (const { until, amount } of buckets.toSorted((a, b) => a.until - b.until)) {
    if (until <= now - windowMs) continue
    free += amount
    if (free >= room) return until + windowMs
  }
  return undefined
}

export function added(counter: Counter, until: number, amount: bigint, windowMs: number): Counter {
  const longestMs = Math.max(counter.longestMs, windowMs)
  const buckets = counter.buckets.filter(each => each.until > until - 2 * longestMs)
  const index = buckets.findIndex(each => each.until === until)
  const before = buckets[index]
  if (before === undefined) buckets.push({ until, amount })
  else buckets[index] = { until, amount: before.amount + amount }
  return { longestMs, buckets }
}

export function without(counter: Counter, until: number, amount: bigint): Counter {
  const buckets = counter.buckets
    .map(each => (each.until === until ? { until, amount: each.amount - amount } : each))
    .filter(each => each.amount > 0n)
  return { ...counter, buckets }
}

/** From when on nothing in it counts for anybody. */
export const idleAt = ({ longestMs, buckets }: Counter): number =>
  buckets.reduce((latest, { until }) => Math.max(latest, until), 0) + 2 * longestMs

/** What one entry added to one counter. */
export interface Spent {
  readonly counter: string
  readonly until: number
  readonly amount: bigint
}

export interface Exceeded {
  readonly kind: 'exceeded'
  readonly claim: SpendClaim
  readonly used: bigint
  readonly freeAtMs?: number
}

/**
 * Takes what is asked from `counters`, which it changes, or finds the first claim that has no room; then nothing was
 * changed. Claims on one counter are added up, and each limit holds for the sum.
 * @param counters  every counter named by a claim, without what the same entry took before
 */
export function spend(
  counters: Map<string, Counter>,
  spends: readonly SpendClaim[],
  at: number,
): Exceeded | { readonly kind: 'spent'; readonly spent: readonly Spent[] } {
  const wanted = new Map<string, bigint>()
  for (const { counter, amount } of spends) wanted.set(counter, (wanted.get(counter) ?? 0n) + amount)
  for (const claim of spends) {
    const counter = counters.get(claim.counter) ?? EMPTY
    const used = usedIn(counter, claim.windowMs, at)
    const over = used + (wanted.get(claim.counter) ?? 0n) - claim.limit
    if (over <= 0n) continue
    const freeAtMs = freeAt(counter, claim.windowMs, at, over)
    return { kind: 'exceeded', claim, used, ...(freeAtMs === undefined ? {} : { freeAtMs }) }
  }
  return { kind: 'spent', spent: taken(counters, spends, at) }
}

/** As `spend`, whether or not there is room. */
export function taken(counters: Map<string, Counter>, spends: readonly SpendClaim[], at: number): readonly Spent[] {
  return spends.map(({ counter, amount, windowMs }) => {
    const until = endOf(at, windowMs)
    counters.set(counter, added(counters.get(counter) ?? EMPTY, until, amount, windowMs))
    return { counter, until, amount }
  })
}

export function giveBack(counters: Map<string, Counter>, spent: readonly Spent[]): void {
  for (const { counter, until, amount } of spent) {
    counters.set(counter, without(counters.get(counter) ?? EMPTY, until, amount))
  }
}

/** What another reservation of the same entry left behind may stand for a signature: it stays taken. */
export const leftBehind = (
  before: { readonly held: boolean; readonly at: number } | undefined,
  { at }: { readonly at: number },
): boolean => before !== undefined && (before.held || before.at !== at)

export interface SlotHolder {
  readonly hash: string
  readonly effects: string
  readonly fee: bigint
  readonly expiresAt: number | undefined
}

/** How far our clock and the time of a ledger may be apart before a transaction that has ended is taken for one. */
const EXPIRED_FOR_MS = 600_000

/** What can never run any more holds no place: else a payment that came too late would block its account. */
export const holdsAt =
  (now: number) =>
  ({ expiresAt }: Pick<SlotHolder, 'expiresAt'>): boolean =>
    expiresAt === undefined || now <= expiresAt + EXPIRED_FOR_MS

/**
 * @param holders  others that hold the same place
 * @returns the holder in the way: one with another transaction, unless `claim` has the same effects as all of them and pays
 *          more than any. The very transaction of a holder is never in its own way.
 */
export function inTheWay(claim: SlotClaim, holders: readonly SlotHolder[]): SlotHolder | undefined {
  if (holders.some(({ hash }) => hash === claim.hash)) return undefined
  const dearest = holders.reduce<SlotHolder | undefined>(
    (best, each) => (best === undefined || each.fee > best.fee ? each : best),
    undefined,
  )
  return (
    holders.find(({ effects }) => effects !== claim.effects) ??
    (dearest !== undefined && claim.fee <= dearest.fee ? dearest : undefined)
  )
}

/** @throws `policy/undecided` for what cannot be counted: it must not sign. */
export function checkClaims({ spends, slot }: Claims): void {
  for (const { rule, counter, amount, limit, windowMs } of spends) {
    const bad = (reason: string) => new SignerError('policy/undecided', { rule, reason })
    if (counter === '') throw bad('a spend counter has no name')
    if (amount < 0n || limit < 0n) throw bad('an amount or a limit is below zero')
    if (!Number.isSafeInteger(windowMs) || windowMs < 1) throw bad('a window is not a whole number of milliseconds')
  }
  if (slot === undefined) return
  if (slot.slot === '' || slot.hash === '' || slot.effects === '' || slot.fee < 0n) {
    throw new SignerError('policy/undecided', { rule: 'equivocation', reason: 'the place on the chain is not whole' })
  }
}
