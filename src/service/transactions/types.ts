import type { Decision } from '../../domain/audit.ts'
import type { StellarNetwork } from '../../domain/stellar-network.ts'
import type { TransactionStore, TransactionTemplate } from '../../domain/transactions.ts'
import type { SignerRoom } from '../signer.ts'
import type { Asking, CallerLike } from '../types.ts'
import type { Turns } from './turns.ts'

/** What building and sending transactions takes besides the path of a signature. */
export interface TransactionParts<Caller extends CallerLike = CallerLike> {
  readonly room: SignerRoom<Caller>
  readonly store: TransactionStore
  /** By our name; those that the configuration has an endpoint for. */
  readonly networks: ReadonlyMap<string, StellarNetwork>
  readonly templates: ReadonlyMap<string, TransactionTemplate>
  readonly limits: TransactionLimits
  /** One after the other for each source account: of two at once, one would have a sequence number that is taken. */
  readonly turns: Turns
}

export interface TransactionLimits {
  /** For a request as a whole: simulation, signatures, submission, and the wait for a ledger. */
  readonly deadlineMs: number
  /** Between two looks at a transaction on its way. */
  readonly pollMs: number
}

export const TRANSACTION_LIMITS: TransactionLimits = { deadlineMs: 25_000, pollMs: 1_000 }

export interface TransactionRequest extends Asking {
  readonly body: Uint8Array
}
export interface ExecuteRequest extends TransactionRequest {
  readonly idempotencyKey: string | undefined
}
export interface LookupRequest extends Asking {
  readonly hash: string
}

/** One of our keys in a transaction, and what its policy would say now. */
export interface NeededKey {
  readonly key: string
  readonly address: string
  /** What it signs for. */
  readonly account: string
  readonly role: 'source' | 'fee-source' | 'authorization'
  readonly decision: Decision['kind']
  readonly rule?: string
  readonly reason?: string
}

export interface PreparedAnswer {
  readonly template: string
  readonly network: string
  /** Hex. Where authorizations are signed first, the transaction that is sent has another one. */
  readonly hash: string
  /** Base64, without signatures. */
  readonly xdr: string
  readonly summary: string
  readonly sentences: readonly string[]
  /** Stroops, decimal text. */
  readonly fee: { readonly inclusion: string; readonly resource: string; readonly total: string }
  readonly keys: readonly NeededKey[]
  /** ISO 8601; afterwards it can never run. */
  readonly expires: string
  /** SEP-51 JSON of what the call returned in the simulation. */
  readonly simulated?: unknown
}

export interface TransactionAnswer {
  readonly hash: string
  readonly network: string
  readonly status: 'pending' | 'success' | 'failed'
  readonly ledger?: number
  /** Base64 XDR of what the contract returned, and the same as JSON (SEP-51). */
  readonly result?: string
  readonly value?: unknown
  /** Of a transaction that failed in its ledger. */
  readonly code?: string
  /** Absent in what was submitted without a template. */
  readonly template?: string
  readonly keys: readonly string[]
}
