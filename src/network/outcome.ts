import type { StellarCodec, StellarNetwork, Submission, TransactionStatus } from '../domain/stellar-network.ts'
import { type Answer, malformed, meaningOf } from './reading.ts'

/** What both kinds of nodes answer; each asks in its own way. What only one of them can do it has besides. */
export interface StellarNode extends Omit<StellarNetwork, 'name' | 'reached' | 'simulate'> {
  passphrase(signal: AbortSignal): Promise<string>
}

/** A transaction may be sent again so much later: about a ledger. */
const TRY_AGAIN_MS = 1_500

/** What became of a submission: both kinds of nodes say it with the words of the network, in fields of their own names. */
export function submissionOf(
  network: string,
  codec: StellarCodec,
  hash: string,
  answer: Answer,
  fields: { readonly status: string; readonly result: string },
): Submission {
  sameHash(network, answer.text('hash'), hash)
  switch (answer.text(fields.status)) {
    case 'PENDING':
    case 'DUPLICATE':
      return { kind: 'accepted', hash }
    case 'TRY_AGAIN_LATER':
      return { kind: 'try-again', afterMs: TRY_AGAIN_MS }
    case 'ERROR':
      return rejection(network, codec, answer.base64(fields.result))
    default:
      throw malformed(network, 'the status of a submission is none that there is')
  }
}

/** It could not be read, so it has no result that would say why. */
export const notWellFormed = (): Submission => ({
  kind: 'rejected',
  code: 'malformed',
  reason: meaningOf('txMalformed'),
})

export function sameHash(network: string, found: string, hash: string): void {
  if (found !== hash) throw malformed(network, 'it answers with the hash of another transaction')
}

function rejection(network: string, codec: StellarCodec, result: string): Submission {
  const { code } = decoded(network, 'the result', () => codec.resultCode(result))
  return { kind: 'rejected', code, reason: meaningOf(code) }
}

interface Settled {
  /** The hash that the answer gives it, where it does. */
  readonly named?: string
  readonly envelope: string
  readonly result: string
  readonly meta?: string
  readonly success: boolean
  readonly ledger: number
}

/**
 * A transaction in a ledger: the envelope must be the one that was asked for, and its result must say what the status says.
 * Anybody may have put it into a fee bump; then nodes answer with that one.
 */
export function settled(network: string, codec: StellarCodec, hash: string, found: Settled): TransactionStatus {
  const outer = decoded(network, 'the envelope', () => codec.hashOf(found.envelope))
  const bumped = outer !== hash
  if (bumped)
    sameHash(network, decoded(network, 'the envelope', () => codec.innerHashOf(found.envelope)) ?? outer, hash)
  if (found.named !== undefined && found.named !== outer) sameHash(network, found.named, hash)
  const { code, success } = decoded(network, 'the result', () => codec.resultCode(found.result))
  if (success !== found.success) throw malformed(network, 'the result of a transaction contradicts its status')
  const { ledger, meta } = found
  if (ledger === 0) throw malformed(network, 'the ledger of a transaction is missing')
  if (!success) {
    // A fee bump of somebody else that failed by itself says nothing of the transaction in it, which may run without it.
    const byItself = bumped && !code.startsWith('txFeeBumpInnerFailed: txFailed')
    return byItself ? { kind: 'unknown', latestLedger: ledger } : { kind: 'failed', ledger, code }
  }
  const result = meta === undefined ? undefined : decoded(network, 'the meta data', () => codec.returned(meta))
  return { kind: 'success', ledger, ...(result === undefined ? {} : { result }) }
}

/** What the decoder throws is the fault of whoever answered. */
export function decoded<T>(network: string, what: string, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    throw malformed(network, `${what} cannot be decoded`, cause)
  }
}
