/** What we ask of a Stellar network: through Soroban RPC, Horizon, or a stub that checks as the network would. */

export interface AccountState {
  readonly address: string
  readonly sequence: bigint
  readonly thresholds: { readonly low: number; readonly medium: number; readonly high: number }
  /** The master key among them, with its weight. G…, T…, X… or P…. */
  readonly signers: readonly { readonly key: string; readonly weight: number }[]
}

export interface Simulation {
  /** Base64 XDR of SorobanTransactionData. */
  readonly transactionData: string
  /** Stroops. */
  readonly minResourceFee: bigint
  /** Base64 XDR of the authorization entries that the call asks for. */
  readonly authorizations: readonly string[]
  /** Base64 XDR of what the call returns (ScVal), where it does. */
  readonly result?: string
  readonly latestLedger: number
  /** The ledger entries that must be restored first; then the call cannot run now. */
  readonly restore?: { readonly transactionData: string; readonly minResourceFee: bigint }
}

export type Submission =
  /** In the queue, or there already; `hash` is what the network says it is. */
  | { readonly kind: 'accepted'; readonly hash: string }
  /** It will never run as it is: the code of the network and what it means. */
  | { readonly kind: 'rejected'; readonly code: string; readonly reason: string }
  /** Busy: the same transaction may be sent again. */
  | { readonly kind: 'try-again'; readonly afterMs: number }

export type TransactionStatus =
  | { readonly kind: 'unknown'; readonly latestLedger: number }
  | {
      readonly kind: 'success'
      readonly ledger: number /** Base64 XDR of the returned ScVal. */
      readonly result?: string
    }
  | { readonly kind: 'failed'; readonly ledger: number; readonly code: string }

/**
 * What a client of a Stellar network has to know of XDR; the chain module has it for each network. Base64 in and out. Every
 * reader throws on what it cannot read.
 */
export interface StellarCodec {
  /** Hex; what the network calls the transaction. */
  hashOf(envelope: string): string
  /** Of a fee bump: the hash of the transaction in it; undefined for every other. */
  innerHashOf(envelope: string): string | undefined
  /** Ledger key of an account. */
  accountKey(address: string): string
  /** Of LedgerEntryData. */
  account(data: string): AccountState
  /** Of TransactionResult, such as `txBadSeq`, or of the first operation that failed: `txFailed: invokeHostFunctionTrapped`. */
  resultCode(result: string): { readonly code: string; readonly success: boolean }
  /** Of TransactionMeta: what the contract returned, where something did. */
  returned(meta: string): string | undefined
}

/**
 * One network, by name. Every method takes a signal with the deadline, reads answers with a cap on their size, follows no
 * redirect, and believes nothing: what can be checked against what was sent is checked.
 * @throws `network/unavailable` when nobody answers in time, `network/malformed` when the answer is no answer to the question
 */
export interface StellarNetwork {
  readonly name: string
  latestLedger(signal: AbortSignal): Promise<{ readonly sequence: number; readonly closedAt: number }>
  /** @returns undefined: there is no such account */
  account(address: string, signal: AbortSignal): Promise<AccountState | undefined>
  /** @throws `transaction/rejected` when the call fails in simulation */
  simulate(envelope: string, signal: AbortSignal): Promise<Simulation>
  /** Asks what must be known before it is told anything; asked once. Then `submit` sends as soon as it is called. */
  reached(signal: AbortSignal): Promise<void>
  submit(envelope: string, signal: AbortSignal): Promise<Submission>
  transaction(hash: string, signal: AbortSignal): Promise<TransactionStatus>
}
