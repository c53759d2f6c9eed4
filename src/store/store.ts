import type { AdminStore, ChallengeStore, TokenLedger } from '../domain/admins.ts'
import type { ChangeStore } from '../domain/changes.ts'
import type { Claims, ClaimStore, RateStore } from '../domain/claims.ts'
import { SignerError } from '../domain/errors.ts'
import type { NoticeQueue } from '../domain/notices.ts'
import type { ProposalStore } from '../domain/proposals.ts'
import type { TransactionStore } from '../domain/transactions.ts'
import type { AuditIndex, IdempotencyEntry, IdempotencyStore, KeyRegistry, StoredResult } from '../domain/ports.ts'

/** How long an answer is kept, in milliseconds: 24 hours. */
export const KEPT_MS = 24 * 60 * 60 * 1000

/**
 * What the store adds to the port, for start-up and housekeeping.
 *
 * An entry is in flight (a call is on it), done (its answer is kept) or released (nothing left; the fingerprint stays).
 * Done and released entries expire `keptMs` after their `at`. An entry in flight never expires by the clock: a clock
 * that jumps a day ahead would otherwise let a second call sign beside the first. It ends with its call, or with the
 * process: whoever becomes owner of the store turns what its dead predecessor left in flight into released.
 */
export interface RestorableIdempotency extends IdempotencyStore {
  /**
   * Writes what the audit log holds, record after record in the order of the log: with a result for a release, without
   * one for an intent that was not released. A kept answer is never taken back by a record that has none.
   */
  restore(entry: IdempotencyEntry, result: StoredResult | undefined): Promise<void>
  /** Forgets what is older than `before` (milliseconds since the epoch) and not in flight. @returns how many. */
  purge(before: number): Promise<number>
}

/**
 * `drop` gives back what this very reservation took, and no more: what an earlier reservation of the same entry took and
 * never gave back stays taken, because a signature may exist. So do the claims of a process that died.
 */
export interface RestorableClaims extends ClaimStore {
  /**
   * Writes what the audit log says was taken, whether or not there is room, and counts nothing twice. `drop` of the same
   * entry gives it back, where the log goes on to say that nothing was signed.
   */
  restore(entry: IdempotencyEntry, claims: Claims): Promise<void>
  /**
   * Forgets counters whose windows were over before `before`, and places on a chain and claims taken before it. A place that
   * is forgotten may be taken by another transaction, so `before` lies further back than a transaction stays good. On SQLite
   * it goes through the whole tables: once a day is often enough.
   * @returns how many rows
   */
  purge(before: number): Promise<number>
}

export interface Store {
  readonly keys: KeyRegistry
  readonly idempotency: RestorableIdempotency
  readonly auditIndex: AuditIndex
  readonly admins: AdminStore
  readonly challenges: ChallengeStore
  readonly tokens: TokenLedger
  readonly changes: ChangeStore
  readonly proposals: ProposalStore
  /** What is still to be told by webhook. */
  readonly notices: NoticeQueue
  readonly claims: RestorableClaims
  readonly transactions: TransactionStore
  /** Only where several processes share the store: one alone counts in its memory. */
  readonly rates?: RateStore
  /**
   * True: other processes use the store too. Then an answer that `complete` did not keep must not be released: another
   * replica may have taken the reservation over, or will when the lease of this one ends.
   */
  readonly shared: boolean
  /** Reservations of a dead process that opening released. */
  readonly orphans: number
  close(): void
}

export const notReserved = () =>
  new SignerError('store/unavailable', { reason: 'there is no reservation of this call to complete' })

/** @throws `audit/corrupt` when two hashes claim to be of one record. */
export function checkSameHead(known: AuditHead | undefined, head: AuditHead): void {
  if (known?.seq !== head.seq || known.hash === head.hash) return
  const reason = 'the store knows another record at this place'
  throw new SignerError('audit/corrupt', { segment: 'index', record: head.seq, reason })
}

export interface AuditHead {
  readonly seq: number
  readonly hash: string
}
