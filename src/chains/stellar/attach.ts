import { toBase64 } from '../../bytes/base64.ts'
import { equalBytes } from '../../bytes/equal.ts'
import { SIGNATURES_MAX, type StellarParsed } from './parse.ts'
import { refuse } from '../refusal.ts'

const HINT_BYTES = 4
const SIGNATURE_BYTES = 64

/**
 * The envelope with one more signature, base64. The same arm comes back as was sent (V0 stays V0: the signature is good
 * for both spellings and the caller's tooling keeps working); signatures already there stay where they are, and ours is
 * not added twice. The inner envelope of a fee-bump is untouched. Does not verify: the service did.
 *
 * The list of signatures stands at the end, so ours goes behind the bytes that were decoded and judged, and its count goes
 * up by one; nothing is encoded anew.
 *
 * @param publicKey  32 bytes; the last four are the hint that tells a validator which key to try.
 * @param signature  64 bytes, R‖S.
 * @throws `payload/invalid` when 20 signatures are there already.
 * @see Stellar protocol: DecoratedSignature
 */
export function attach(parsed: StellarParsed, publicKey: Uint8Array, signature: Uint8Array): string {
  const { bytes, signaturesAt, envelope } = parsed
  if (publicKey.length !== 32 || signature.length !== SIGNATURE_BYTES) throw new TypeError('not an Ed25519 signature')
  const held = envelope.value.signatures
  const hint = publicKey.subarray(-HINT_BYTES)
  const there = held.some(one => equalBytes(one.hint.toBytes(), hint) && equalBytes(one.signature.toBytes(), signature))
  if (there) return toBase64(bytes)
  if (held.length >= SIGNATURES_MAX) {
    throw refuse('xdr', `holds ${held.length} signatures; there is no room for another`)
  }
  const signed = new Uint8Array(bytes.length + HINT_BYTES + 4 + SIGNATURE_BYTES)
  signed.set(bytes)
  const numbers = new DataView(signed.buffer)
  numbers.setUint32(signaturesAt, held.length + 1)
  signed.set(hint, bytes.length)
  numbers.setUint32(bytes.length + HINT_BYTES, SIGNATURE_BYTES)
  signed.set(signature, bytes.length + HINT_BYTES + 4)
  return toBase64(signed)
}
