/** What a signature uses up: room in spend windows, and a sequence number. Taken before the key is touched. */
import type { IdempotencyEntry } from './ports.ts'

/** So much of a counter, if it has room. */
export interface SpendClaim {
  /** Names what is counted: key, rule, asset, destination. Whoever makes the same name shares the window. */
  readonly counter: string
  /** In the smallest unit. */
  readonly amount: bigint
  /** The most within any window. */
  readonly limit: bigint
  readonly windowMs: number
  /** Policy rule that asks, for the refusal. */
  readonly rule: string
}

/**
 * A place on the chain that one transaction takes: (network, account, sequence) or (chain, address, nonce). Another
 * transaction for the same place is refused unless it has the same effects and a higher fee.
 */
export interface SlotClaim {
  readonly slot: string
  /** Hash of the transaction, hex. */
  readonly hash: string
  /** Hash of what it does, hex: neither its fee nor when it may run is part of it. */
  readonly effects: string
  readonly fee: bigint
  /** Milliseconds since the epoch after which it can never run; absent: it has no end. The place is free some time later. */
  readonly expiresAt?: number
}

export interface Claims {
  readonly spends: readonly SpendClaim[]
  readonly slot?: SlotClaim
}

export type ClaimAnswer =
  | { readonly kind: 'claimed' }
  /** `used` by others in the window; nothing was taken. `freeAtMs`: when enough may have left the window; absent: never. */
  | { readonly kind: 'exceeded'; readonly claim: SpendClaim; readonly used: bigint; readonly freeAtMs?: number }
  /** The place is taken by this transaction. */
  | { readonly kind: 'taken'; readonly slot: string; readonly hash: string }

/**
 * Spend windows slide. A window is counted in sixtieths, and a sixtieth counts as long as any of it is inside, so a cap is
 * never exceeded, and room comes back at most a sixtieth late.
 */
export interface ClaimStore {
  /**
   * All or nothing, one atomic step for all who share the store. A claim belongs to the reservation `entry` and replaces
   * what the same entry claimed before, so a retry is not counted twice.
   */
  claim(entry: IdempotencyEntry, claims: Claims): Promise<ClaimAnswer>
  /** Nothing was signed: everything `entry` claimed is free again. */
  drop(entry: IdempotencyEntry): Promise<void>
  /** For explain and dry-run. In the order of `counters`. */
  used(
    counters: readonly { readonly counter: string; readonly windowMs: number }[],
    now: number,
  ): Promise<readonly bigint[]>
  purge(before: number): Promise<number>
}

/** So many events within any window of this length, for this name. */
export interface RateClaim {
  /** Names who or what is limited. */
  readonly name: string
  readonly limit: number
  readonly windowMs: number
}

export type RateAnswer =
  /** `remaining` and `resetMs` of the claim that is closest to its limit. */
  | { readonly kind: 'admitted'; readonly claim: RateClaim; readonly remaining: number; readonly resetMs: number }
  /** Nothing was taken, of any claim. `retryAfterMs`: until one more fits. */
  | { readonly kind: 'limited'; readonly claim: RateClaim; readonly retryAfterMs: number }

export interface RateStore {
  /** All or nothing, exact: never more than `limit` admissions in any window, however they fall. */
  take(claims: readonly RateClaim[], now: number): Promise<RateAnswer>
}
