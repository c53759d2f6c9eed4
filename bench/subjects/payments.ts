import { fromBase64, toBase64 } from '../../src/bytes/base64.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { EXAMPLE_XDR } from '../../src/compose/demo.ts'

/** One transaction to sign: no two of a process take the same place on the chain, as no two of an account in life do. */
export interface Payment {
  readonly sequence: bigint
  /** JSON for the sign route. */
  readonly body: string
}

/** Where the sequence number stands in the example: after the envelope's type, the source account and the fee. */
const SEQUENCE_AT = 44
/** An envelope without signatures ends in how many there are. */
const COUNT_BYTES = 4
const NETWORK_ID = sha256(new TextEncoder().encode('Test SDF Network ; September 2015'))
const EXAMPLE = fromBase64(EXAMPLE_XDR) ?? new Uint8Array()
let last = new DataView(EXAMPLE.buffer).getBigInt64(SEQUENCE_AT)

function withSequence(sequence: bigint): Uint8Array {
  const envelope = EXAMPLE.slice()
  new DataView(envelope.buffer).setBigInt64(SEQUENCE_AT, sequence)
  return envelope
}

/** The example's XDR, as if its account had sent so many others before. */
export const xdrOf = (sequence: bigint): string => toBase64(withSequence(sequence))

export const nextSequence = (): bigint => ++last

export function nextPayment(): Payment {
  const sequence = nextSequence()
  return { sequence, body: JSON.stringify({ type: 'stellar-transaction', xdr: xdrOf(sequence) }) }
}

/** What a signature of it covers: network, then the envelope's type and transaction (Stellar-transaction.x, TransactionSignaturePayload). */
export function hashOf(sequence: bigint): Uint8Array {
  const transaction = withSequence(sequence).subarray(0, -COUNT_BYTES)
  const payload = new Uint8Array(NETWORK_ID.length + transaction.length)
  payload.set(NETWORK_ID)
  payload.set(transaction, NETWORK_ID.length)
  return sha256(payload)
}
