/** What the core asks of the world. All of it is an argument, so a seeded simulation can drive the whole service. */
import type { Binding, DatedVersion, EnvelopeRow, Key, KeyVersion, ResolvedKey, VersionState } from './key.ts'

export interface Clock {
  /** Milliseconds since the epoch, UTC. May jump. For records and expiry. */
  now(): number
  /** Milliseconds that only grow. For durations and deadlines. */
  monotonic(): number
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  bytes(length: number): Uint8Array
}

export type Fetch = (input: string, init: RequestInit) => Promise<Response>

/** Read side of the registry, as the signing path uses it. */
export interface KeyCatalogue {
  /**
   * The version that signs now (state active), or the one that is asked for by number while it may sign, with its bindings in
   * order of preference. Undefined: no such key, or no such version of it.
   * @throws `key/not-active`
   */
  resolve(name: string, version?: number): Promise<ResolvedKey | undefined>
  /** Read again right before release. Undefined: no such version. */
  stateOf(key: string, version: number): Promise<VersionState | undefined>
  /** One read a signature (M-05). */
  envelope(bindingId: string): Promise<EnvelopeRow | undefined>
  list(): Promise<readonly ResolvedKey[]>
  /** All versions of the key, or of every key, whatever their state; by name, then number. Nothing for an unknown name. */
  versions(name?: string): Promise<readonly DatedVersion[]>
  /**
   * All versions, of whatever key and in whatever state, that have this public key, or this address as the chain writes it; by
   * name, then number. Its cost does not grow with the registry.
   */
  holding(what: Held): Promise<readonly DatedVersion[]>
}

export type Held = { readonly publicKey: Uint8Array } | { readonly address: string }

/**
 * Asked in the very step that adds a version, with all versions that have its public key already: of two that are added at
 * once, one is asked about the other. What it throws keeps the version out.
 */
export type Alone = (others: readonly DatedVersion[]) => void

export interface StateMove {
  readonly version: number
  readonly state: VersionState
  readonly from?: readonly VersionState[] | undefined
}

/** Write side of the registry: CLI and control plane. */
export interface KeyRegistry extends KeyCatalogue {
  /** Of every key, in order. Reads no version, so a row that was damaged hides no other. */
  names(): Promise<readonly string[]>
  /** All or nothing, in one transaction. @throws `key/exists`; what `alone` throws */
  add(entry: { key: Key; version: KeyVersion; binding: Binding; envelope?: EnvelopeRow; alone?: Alone }): Promise<void>
  /**
   * The next version of a key that is there, with a public key of its own. All or nothing.
   * @throws `key/unknown`; `key/exists` for a number, a public key or a binding that is taken; `key/unsupported` for a second
   *         active version, or a state in which no version begins; what `alone` throws
   */
  addVersion(entry: { version: KeyVersion; binding: Binding; envelope?: EnvelopeRow; alone?: Alone }): Promise<void>
  /**
   * One more place of a version, after those it has. The caller has proved that the same public key is there.
   * @throws `key/unknown` without this version, `key/exists` for a binding at this provider and reference, `key/unsupported` for a
   *         version that was destroyed
   */
  addBinding(entry: { binding: Binding; envelope?: EnvelopeRow }): Promise<void>
  /**
   * One step: the new binding takes the place of the old one in the order, and the old one, suspended as `replacedBy` it, goes
   * to the end. Its row stays readable: whoever resolved the old binding a moment ago still finds what belongs to it.
   * @throws `key/unknown`; `key/unsupported` when the old one is suspended, or the version was destroyed; `key/exists` as `addBinding`
   */
  replaceBinding(oldId: string, entry: { binding: Binding; envelope?: EnvelopeRow }): Promise<void>
  /**
   * Takes a replaced binding away, with its encrypted key. The caller has waited for those who still use it.
   * @returns false when it is not there. @throws `key/unsupported` unless another one took its place
   */
  removeBinding(bindingId: string): Promise<boolean>
  /**
   * Takes every encrypted key of a version that was destroyed away, and leaves its bindings: they say where it was. All or
   * nothing; a store of one file writes over the bytes.
   * @returns how many there were. @throws `key/unknown`; `key/unsupported` when the version was not destroyed
   */
  removeEnvelopes(key: string, version: number): Promise<number>
  /** @param reason undefined ends it. @returns false when nothing had to change. @throws `key/unknown` */
  suspendBinding(bindingId: string, reason: string | undefined): Promise<boolean>
  /**
   * One atomic step; notes when it was. With `from`, only from one of these states: what was revoked in the meantime stays
   * revoked.
   * @returns false when the version is in another state; nothing was changed then. @throws `key/unknown`; `key/unsupported`
   *          when it was destroyed, and this is neither `destroyed` nor `revoked`
   */
  setState(key: string, version: number, state: VersionState, from?: readonly VersionState[]): Promise<boolean>
  /**
   * The same for several versions of a key in one step: all of them, or none. There is no moment between two of them.
   * @returns false when one of them is in another state than `from` says. @throws `key/unknown`; `key/unsupported` when two
   *          would be active
   */
  setStates(key: string, moves: readonly StateMove[]): Promise<boolean>
}

/** What is kept under an idempotency key: enough to give the same answer again, never the payload. */
export interface StoredResult {
  readonly signature: string // base64
  readonly key: string
  readonly version: number
  readonly provider: string
  readonly custody: string
  readonly auditId: string
  readonly requestId: string
}

export type Reservation =
  | { readonly kind: 'reserved' } // ours: go on
  | { readonly kind: 'replay'; readonly result: StoredResult } // done before: give the same answer
  | { readonly kind: 'in-flight' } // another call is on it
  | { readonly kind: 'mismatch' } // the key was used for another request

/**
 * One release per idempotency key (I3). `reserve` is one atomic step. The store is an index: what must survive a power
 * cut stands in the audit log, from which `restore` rebuilds the entries after a crash.
 */
export interface IdempotencyStore {
  /** @param scope caller; @param key the caller's idempotency key; @param fingerprint SHA-256 hex of what is asked. */
  reserve(entry: IdempotencyEntry): Promise<Reservation>
  complete(entry: IdempotencyEntry, result: StoredResult): Promise<void>
  /** Nothing was released: the same request may be tried again; another body under the same key stays refused. */
  release(entry: IdempotencyEntry): Promise<void>
}

export interface IdempotencyEntry {
  readonly scope: string
  readonly key: string
  readonly fingerprint: string
  /** Milliseconds since the epoch; entries are kept 24 hours. */
  readonly at: number
}

/** How the audit index in the store follows the log. */
export interface AuditIndex {
  /** The newest record the store knows of. A log that is shorter, or differs there, was tampered with. */
  head(): Promise<{ seq: number; hash: string } | undefined>
  setHead(head: { seq: number; hash: string }): Promise<void>
}

/** Four methods, fields instead of sentences, never a secret, never an inspected error. */
export interface Logger {
  debug(event: string, fields?: Record<string, unknown>): void
  info(event: string, fields?: Record<string, unknown>): void
  warn(event: string, fields?: Record<string, unknown>): void
  error(event: string, fields?: Record<string, unknown>): void
}

export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly fetch: Fetch
}
