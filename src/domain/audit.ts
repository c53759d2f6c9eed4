/** The record of what was asked, decided and done. Shapes only; the log itself lives in `src/audit`. */

import type { SpendClaim } from './claims.ts'

export type Decision =
  /** `spends`: what must have room in its window before the key is touched. */
  | { readonly kind: 'allow'; readonly policyHash: string; readonly spends?: readonly SpendClaim[] }
  | { readonly kind: 'deny'; readonly policyHash: string; readonly rule: string; readonly reason: string }
  | { readonly kind: 'undecided'; readonly policyHash: string; readonly rule: string; readonly reason: string }

export interface AuditActor {
  /** Token subject, or `operator` for the local command line, or `unknown` before authentication. */
  readonly subject: string
  readonly tokenId?: string
  /** Peer address as the socket says it; `unix` for a unix socket, `cli` for the command line. */
  readonly peer: string
}

/** Where a request went, and who said so. */
export interface RouteEntry {
  readonly mode: string
  /** Version of the flags: the first digits of their hash. */
  readonly flags: string
  /** In an intent: the binding that is asked first. In an outcome: the one that answered, or failed last. */
  readonly binding: string
  /** In an intent: the binding that signs too after the release, for comparison. */
  readonly shadow?: string
}

/** Before the key is touched. */
export interface IntentEntry {
  readonly kind: 'intent'
  readonly auditId: string
  readonly requestId: string
  readonly actor: AuditActor
  readonly operation: string // 'sign'
  readonly key: string
  readonly version: number
  readonly address: string
  /** What it signs for; absent: its address. */
  readonly account?: string
  readonly network: string
  readonly payloadType: string
  /** What is signed, hex. */
  readonly digest: string
  /** One plain sentence a human can judge. */
  readonly summary: string
  readonly decision: 'allow' | 'deny' | 'undecided'
  readonly policyHash: string
  readonly rule?: string
  readonly reason?: string
  readonly idempotency?: { readonly scope: string; readonly key: string; readonly fingerprint: string }
  readonly claims?: ClaimsEntry
  readonly route?: RouteEntry
}

/**
 * What the signature uses up, so that a store that lost its last commits in a power cut is put right from the log. Numbers
 * that have no bound are decimal text; a list is an object with its places as names, since a record holds no lists.
 */
export interface ClaimsEntry {
  readonly spends?: Readonly<
    Record<
      string,
      { readonly counter: string; readonly amount: string; readonly limit: string; readonly windowMs: number }
    >
  >
  readonly slot?: {
    readonly slot: string
    readonly hash: string
    readonly effects: string
    readonly fee: string
    readonly expiresAt?: number
  }
}

/** After it, or instead of it: exactly one for every intent. */
export interface OutcomeEntry {
  readonly kind: 'outcome'
  readonly auditId: string
  readonly requestId: string
  /** `released`: verified and about to be answered. `refused`: by us. `failed`: the key service or we broke. `interrupted`: the process died in between; nothing was released. */
  readonly result: 'released' | 'refused' | 'failed' | 'interrupted'
  readonly decision: 'allow' | 'deny' | 'undecided' | 'none'
  readonly key?: string
  readonly version?: number
  readonly provider?: string
  readonly custody?: string
  readonly providerRequestId?: string
  /** Base64, only when released. Not a secret: it is about to be public. */
  readonly signature?: string
  readonly errorCode?: string
  readonly reason?: string
  readonly durationMs?: number
  readonly actor?: AuditActor
  readonly operation?: string
  /** Control plane: what the caller would have needed, and what for. */
  readonly permission?: string
  readonly object?: string
  readonly route?: RouteEntry
}

/** Everything that is not a signature: start, stop, seal, reopen, key created, refusals in bulk. */
export interface EventEntry {
  readonly kind: 'event'
  readonly auditId: string
  readonly event: string
  readonly actor: AuditActor
  readonly detail: Readonly<Record<string, string | number | boolean>>
}

export type AuditEntry = IntentEntry | OutcomeEntry | EventEntry

/** One line of the log: the entry and its place. `prev` is the SHA-256 (hex) of the line before; of the segment header for the first. */
export type AuditRecord = AuditEntry & {
  readonly seq: number
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string
  readonly instance: string
  readonly prev: string
}

export interface AuditReceipt {
  readonly seq: number
  readonly hash: string
}

export interface AuditLog {
  /** Resolves only when the entries are on disk, in this order, with no other between them. @throws `audit/sealed` */
  append(...entries: readonly AuditEntry[]): Promise<AuditReceipt>
  readonly state: { readonly kind: 'open' } | { readonly kind: 'sealed'; readonly reason: string }
  close(): Promise<void>
}
