/** Transactions that are built, signed and sent here: templates of contract calls, and what is kept of each request. */
import type { IdempotencyEntry } from './ports.ts'
import type { CONTRACT_INTEGERS } from './stellar.ts'

export type IntegerType = (typeof CONTRACT_INTEGERS)[number]

/** What a template takes at one place, and within which bounds. Both ends of a bound are included. */
export type ArgumentShape =
  | { readonly type: 'bool' }
  | { readonly type: IntegerType; readonly min?: bigint; readonly max?: bigint }
  | {
      readonly type: 'symbol' | 'string'
      readonly oneOf?: readonly string[]
      readonly minLength: number
      readonly maxLength: number
    }
  /** Hex; lengths in bytes. */
  | { readonly type: 'bytes'; readonly minLength: number; readonly maxLength: number }
  /** G… or C…. `signer`: one of those that the template has a key for, and the call must ask for its authorization. */
  | { readonly type: 'address'; readonly oneOf?: readonly string[]; readonly signer: boolean }
  | { readonly type: 'vec'; readonly items: ArgumentShape; readonly minLength: number; readonly maxLength: number }
  /** A map from symbols, as contracts encode their structs. */
  | { readonly type: 'struct'; readonly fields: readonly { readonly name: string; readonly shape: ArgumentShape }[] }

export interface TemplateArgument {
  readonly name: string
  readonly shape: ArgumentShape
  /**
   * What becomes of it: an argument of the call in the order of the list; the contract that is called; or the address whose
   * authorization the call needs, which is not handed to the contract.
   */
  readonly as: 'argument' | 'contract' | 'signer'
  /** Present: fixed, and the caller gives none. In the form a caller would send it. */
  readonly value?: unknown
  /** Present: the address of this key, and the caller gives none. */
  readonly key?: string
}

/** A contract call that callers may ask for by name, with their own values inside its bounds. */
export interface TransactionTemplate {
  readonly name: string
  readonly network: string
  /** C…; absent when an argument says which. */
  readonly contract?: string
  readonly function: string
  /** Name of the key whose account is the source. */
  readonly source: string
  /** Name of the key that pays, by a fee bump. */
  readonly feeSource?: string
  readonly arguments: readonly TemplateArgument[]
  /** Addresses that may have to authorize the call, and the key of each. */
  readonly signers: ReadonlyMap<string, string>
  /** Contract calls below the one that is made which may stand in authorizations. */
  readonly authorizes: readonly { readonly contract: string; readonly functions: readonly string[] }[]
  /** Stroops: what is offered for inclusion, and the most that the resources may cost. */
  readonly maxFee: number
  readonly maxResourceFee: number
  readonly validSeconds: number
}

/** A value for a contract, read and within bounds. */
export type CallValue =
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'integer'; readonly type: IntegerType; readonly value: bigint }
  | { readonly kind: 'symbol' | 'string'; readonly text: string }
  | { readonly kind: 'bytes'; readonly hex: string }
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'vec'; readonly items: readonly CallValue[] }
  | { readonly kind: 'struct'; readonly fields: readonly { readonly name: string; readonly value: CallValue }[] }

/** Decided before anything is signed, and never changed: whatever is signed and sent for a request is made of this. JSON. */
export interface PreparedTransaction {
  readonly network: string
  /** Name of the template; null for an envelope that a caller brought. */
  readonly template: string | null
  /** Base64 XDR without signatures, authorization entries included. */
  readonly envelope: string
  /** Of `envelope`, hex; the hash that is submitted is another one where authorizations are signed first. */
  readonly hash: string
  /** Names of our keys: who signs authorization entries of the operation, and which. */
  readonly authorizers: readonly { readonly entry: number; readonly key: string }[]
  /** Names of the keys that sign the envelope, the source first. */
  readonly signers: readonly string[]
  readonly source: string
  readonly feeSource: string | null
  /** Stroops that the fee source bids in all; only with a fee source. */
  readonly feeBump: string | null
  /** Milliseconds since the epoch after which it can never run; null: it has no end. */
  readonly expiresAt: number | null
}

/** How a transaction ended, for good. JSON. */
export type TransactionEnd =
  | { readonly status: 'success'; readonly ledger: number; readonly result?: string }
  | { readonly status: 'failed'; readonly ledger: number; readonly code: string }
  /** The network would not take it, or its time is over: it is in no ledger. */
  | { readonly status: 'rejected'; readonly code: string; readonly reason: string }

export interface SignedTransaction {
  /** Hex: what is submitted. */
  readonly hash: string
  readonly envelope: string
  /** Whose signatures are in it, of our keys. */
  readonly by: readonly SignedBy[]
}

export interface SignedBy {
  readonly key: string
  readonly version: number
}

export interface KeptTransaction {
  readonly entry: IdempotencyEntry
  /** Absent until it is decided. */
  readonly prepared?: PreparedTransaction
  /** Absent until every signature is on it. */
  readonly signed?: SignedTransaction
  /** Absent while it may still get into a ledger. */
  readonly end?: TransactionEnd
}

export type Begun =
  /** Ours until the lease ends, with what was done before. */
  | { readonly kind: 'yours'; readonly kept: KeptTransaction }
  | { readonly kind: 'in-flight' }
  /** The key was used for another request. */
  | { readonly kind: 'mismatch' }

/**
 * One transaction for each idempotency key: what was prepared for a request stands here before it is signed, so whoever
 * goes on with the request after a crash signs and sends the very same. Each method is one atomic step.
 */
export interface TransactionStore {
  /** @param leaseUntil milliseconds since the epoch; until then nobody else works on the request */
  begin(entry: IdempotencyEntry, leaseUntil: number): Promise<Begun>
  /** @throws `idempotency/in-flight` when the lease is no longer ours or something else was prepared */
  prepare(entry: IdempotencyEntry, leaseUntil: number, prepared: PreparedTransaction): Promise<void>
  /** @throws `idempotency/in-flight` as above, or when something else was signed */
  sign(entry: IdempotencyEntry, leaseUntil: number, signed: SignedTransaction): Promise<void>
  /** The first end stays. */
  settle(entry: Pick<IdempotencyEntry, 'scope' | 'key'>, end: TransactionEnd): Promise<void>
  /** Ends the lease, if it is still ours. `forget`: nothing was signed, so the next attempt decides anew. */
  release(entry: IdempotencyEntry, leaseUntil: number, options: { readonly forget: boolean }): Promise<void>
  /** By the hash that was submitted; of several requests the oldest. */
  find(hash: string): Promise<KeptTransaction | undefined>
  /** What the log holds and a crash kept out of the store, in the order of the log. Changes nothing that was signed or began later. */
  restore(entry: IdempotencyEntry, prepared: PreparedTransaction): Promise<void>
  /** Forgets what began before `before`. @returns how many */
  purge(before: number): Promise<number>
}
