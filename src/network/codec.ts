import type { AccountState } from '../domain/stellar-network.ts'

/**
 * What this room has to know of XDR and does not decode itself; the Stellar chain module has it for each network. Base64 in
 * and out. Every reader throws on what it cannot read.
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
  /** Of TransactionResult. */
  resultCode(result: string): { readonly code: string; readonly success: boolean }
  /** Of TransactionMeta: what the contract returned, where something did. */
  returned(meta: string): string | undefined
}
