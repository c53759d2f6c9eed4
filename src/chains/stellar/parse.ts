import { xdr } from '@stellar/stellar-sdk/base'
import { fromBase64 } from '../../bytes/base64.ts'
import { equalBytes } from '../../bytes/equal.ts'
import type { Digest32 } from '../../domain/brands.ts'
import { isSignerError, SignerError } from '../../domain/errors.ts'
import type { StellarTransactionView } from '../../domain/stellar.ts'
import { refuse } from '../refusal.ts'
import { fieldsOf, textOf } from './fields.ts'
import { networkIdOf } from './networks.ts'
import { hashOf } from './to-sign.ts'
import { viewOf } from './view.ts'

/** Base64 characters; the most a request body can carry. 100 classic operations need about 20,000. */
export const XDR_CHARS_MAX = 65_536
/** Nested XDR types: what the Soroban host itself accepts. Deep enough for any call tree that can run. */
export const XDR_DEPTH_MAX = 500
/** The protocol's limit on signatures of one envelope. */
export const SIGNATURES_MAX = 20

export interface StellarParsed {
  readonly network: string
  /** Decoded from the very bytes that `hash` covers. */
  readonly view: StellarTransactionView
  /** What was sent, which is also our own encoding of `envelope`. */
  readonly bytes: Uint8Array
  /** Where in `bytes` the list of signatures begins; before it stand the type and the transaction. */
  readonly signaturesAt: number
  /** The arm the caller sent: V0, V1 or fee-bump. */
  readonly envelope: xdr.TransactionEnvelope
  /** SHA-256 of network id, envelope type and our own encoding of the transaction; V0 hashed as the V1 it stands for. */
  readonly hash: Digest32
}

/**
 * `{type: 'stellar-transaction', xdr: '<base64>'}` to a typed transaction. The network is the key's.
 *
 * Accepted only when our own encoding of what was decoded equals the input byte for byte, so what is judged is what is
 * signed. An envelope that already holds 20 signatures is refused here, before any key is touched.
 * @throws `payload/invalid` with field and reason on anything else, whatever the input; `payload/unsupported` on
 *         another `type`; `config/invalid` when the key's own network is unknown.
 * @see Stellar protocol: TransactionEnvelope, TransactionSignaturePayload
 */
export function parse(payload: unknown, network: string): StellarParsed {
  const text = decoding('payload', 'a stellar-transaction', () => xdrOf(payload))
  const parsed = readEnvelope(text, network)
  const held = parsed.envelope.value.signatures.length
  if (held >= SIGNATURES_MAX) throw refuse('xdr', `holds ${held} signatures; there is no room for another`)
  return parsed
}

/** As `parse`, of the envelope alone, and with as many signatures as it may hold. @throws as `parse` */
export function readEnvelope(text: string, network: string, field = 'xdr'): StellarParsed {
  const networkId = networkIdOf(network)
  const bytes = bytesOf(field, text)
  return decoding(field, 'a transaction envelope', () => decode(bytes, network, networkId))
}

/**
 * Runs a decoder of the SDK, which throws XdrError on most bad input and TypeError or RangeError on some: all of it is the
 * input's fault.
 * @throws `payload/invalid`
 */
export function decoding<T>(field: string, what: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (isSignerError(error)) throw error
    const reason = error instanceof xdr.XdrError ? error.message : `cannot be decoded as ${what}`
    throw refuse(field, reason, error)
  }
}

/**
 * Decoded with a bounded depth, and taken only when our own encoding of it is the input byte for byte.
 * @throws `payload/invalid`, and whatever the SDK throws: see `decoding`
 */
export function canonical<W, T extends { toXdr(): Uint8Array }>(
  field: string,
  type: {
    readonly schema: { decode(bytes: Uint8Array, options: { readonly maxDepth: number }): W }
    fromXdrObject(wire: W): T
  },
  bytes: Uint8Array,
): T {
  const value = type.fromXdrObject(type.schema.decode(bytes, { maxDepth: XDR_DEPTH_MAX }))
  if (!equalBytes(value.toXdr(), bytes)) {
    throw refuse(field, 'is not in canonical form: decoding and encoding it gives other bytes')
  }
  return value
}

function xdrOf(payload: unknown): string {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw refuse('payload', 'must be an object with the fields type and xdr')
  }
  const fields: Partial<Record<string, unknown>> = { ...payload }
  const type = fields['type']
  if (typeof type !== 'string') throw refuse('type', 'must be the text stellar-transaction')
  if (type !== 'stellar-transaction') {
    throw new SignerError('payload/unsupported', { payloadType: type.slice(0, 64), chain: 'stellar' })
  }
  return textOf(fieldsOf(fields, type, ['xdr']), 'xdr', 'a transaction envelope in base64')
}

/** @throws `payload/invalid` on text that is too long or not exact base64 */
export function bytesOf(field: string, text: string): Uint8Array {
  if (text.length > XDR_CHARS_MAX) throw refuse(field, `has ${text.length} characters; ${XDR_CHARS_MAX} is the limit`)
  const bytes = fromBase64(text)
  if (bytes === undefined) {
    throw refuse(field, 'is not exact base64: standard alphabet, padded, no white space, unused bits zero')
  }
  return bytes
}

function decode(bytes: Uint8Array, network: string, networkId: Digest32): StellarParsed {
  const envelope = canonical('xdr', xdr.TransactionEnvelope, bytes)
  const view = viewOf(envelope, network)
  const signaturesAt = signaturesIn(bytes, envelope.value.signatures)
  const hash = hashOf(envelope, networkId, bytes.subarray(0, signaturesAt))
  return { network, view, bytes, signaturesAt, envelope, hash }
}

/** The list ends the envelope, and the length of each of its entries is known. */
function signaturesIn(bytes: Uint8Array, held: readonly xdr.DecoratedSignature[]): number {
  const size = held.reduce((sum, { signature }) => sum + 8 + 4 * Math.ceil(signature.toBytes().length / 4), 4)
  const at = bytes.length - size
  const { buffer, byteOffset } = bytes
  if (new DataView(buffer, byteOffset).getUint32(at) !== held.length)
    throw new Error('the list of signatures is elsewhere')
  return at
}
