import { DER } from '@noble/curves/abstract/der.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { numberToBytesBE } from '@noble/curves/utils.js'
import { type Signature64, signature64 } from '../domain/brands.ts'
import { SignerError } from '../domain/errors.ts'
import { toHex } from './hex.ts'

const ORDER = secp256k1.Point.Fn.ORDER
const HALF_ORDER = ORDER >> 1n

/**
 * ECDSA signature over secp256k1 as the key services send it, to the fixed form chains accept.
 *
 * AWS and Google neither normalise s nor promise to: half of their signatures come with the high one.
 *
 * @param der  SEQUENCE of INTEGER r, INTEGER s; strict DER, 8 to 72 bytes.
 * @returns    r‖s, 64 bytes, big-endian halves, left-padded with zeros; s at most n/2.
 * @throws     `signature/malformed` on BER forms, trailing bytes, zero, negative or padded integers, r or s ≥ n.
 *             The input is not echoed.
 * @see        RFC 3279 §2.2.3 (syntax), X.690 §10 (DER), EIP-2 (low s).
 */
export function ecdsaDerToCompact(der: Uint8Array): Signature64 {
  // 72 bytes hold two 33-byte integers; below 128 there is only the short form of a length.
  if (der.length < 8 || der.length > 72) throw malformed(`${der.length} bytes, where DER takes 8 to 72`)
  const { r, s } = integers(der)
  if (r < 1n || r >= ORDER) throw malformed('r is outside 1 to n-1')
  if (s < 1n || s >= ORDER) throw malformed('s is outside 1 to n-1')
  const compact = new Uint8Array(64)
  compact.set(numberToBytesBE(r, 32), 0)
  compact.set(numberToBytesBE(s > HALF_ORDER ? ORDER - s : s, 32), 32)
  return signature64(compact)
}

function integers(der: Uint8Array): { r: bigint; s: bigint } {
  let parsed: { r: bigint; s: bigint }
  try {
    parsed = DER.toSig(der, 33)
  } catch (cause) {
    throw malformed('not strict DER', cause)
  }
  // DER has one encoding for a value: writing it again proves that no other spelling was read.
  if (DER.hexFromSig(parsed) !== toHex(der)) throw malformed('not strict DER')
  return parsed
}

const malformed = (reason: string, cause?: unknown): SignerError<'signature/malformed'> =>
  new SignerError(
    'signature/malformed',
    { reason: `The ECDSA signature cannot be read: ${reason}` },
    cause === undefined ? undefined : { cause },
  )
