/** What a Stellar network says of a transaction that was sent to it. */
import { networkCodec } from '../chains/stellar/index.ts'
import type { TransactionStatus } from '../domain/stellar-network.ts'

interface SentTransaction {
  /** Our name of it. */
  readonly network: string
  readonly hash: string
  /** As it was sent, base64 XDR. */
  readonly envelope: string
}

/** Whoever sees a fee bump can send the transaction in it alone, and then that is what ran. */
export async function statusOf(
  { network, hash, envelope }: SentTransaction,
  ask: (hash: string) => Promise<TransactionStatus>,
): Promise<TransactionStatus> {
  const found = await ask(hash)
  const inner = found.kind === 'unknown' ? networkCodec(network).innerHashOf(envelope) : undefined
  return inner === undefined ? found : ask(inner)
}

/** Nothing more comes of it after so many ledgers: what was on its way when it was refused has arrived by then. */
const LEDGERS_TO_WAIT = 2

/**
 * Of a transaction that was refused and is in no ledger. A sequence number that is used up may have been used by this very
 * transaction a moment ago.
 * @param first  the ledger in which it was looked for first
 */
export const isRefusedForGood = (code: string, first: number, latest: number): boolean =>
  !isUsedUp(code) || latest >= first + LEDGERS_TO_WAIT

const isUsedUp = (code: string): boolean => /bad_?seq/i.test(code)
