import { secp256k1 } from '@noble/curves/secp256k1.js'
import { fromHex } from './hex.ts'

/**
 * SubjectPublicKeyInfo of the two curves we use. For a named curve everything before the key bytes is constant
 * (RFC 8410 §4, RFC 5480 §2), so comparing that prefix is the strictest parser there is: no other algorithm, no
 * parameters, no BER form, no trailing byte gets through.
 *
 * Readers answer `undefined` for anything else; the provider that was asked turns that into its own error.
 */
const prefix = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array()
const ED25519 = prefix('302a300506032b6570032100')
const SECP256K1 = prefix('3056301006072a8648ce3d020106052b8104000a034200')

/** @returns the 32-byte key. Whether it may be used as a pin is for `checkPin`. */
export const ed25519FromSpki = (spki: Uint8Array): Uint8Array | undefined => after(ED25519, spki, 32)

/** @param publicKey  32 bytes. @returns 44 bytes. */
export const ed25519ToSpki = (publicKey: Uint8Array): Uint8Array => before(ED25519, publicKey, 32)

/** @returns the 65-byte uncompressed point (leading 04), known to lie on the curve. */
export function secp256k1FromSpki(spki: Uint8Array): Uint8Array | undefined {
  const point = after(SECP256K1, spki, 65)
  return point !== undefined && secp256k1.utils.isValidPublicKey(point, false) ? point : undefined
}

/** @param publicKey  65 bytes, leading 04. @returns 88 bytes. */
export const secp256k1ToSpki = (publicKey: Uint8Array): Uint8Array => before(SECP256K1, publicKey, 65)

function after(head: Uint8Array, spki: Uint8Array, length: number): Uint8Array | undefined {
  if (spki.length !== head.length + length) return undefined
  if (!head.every((byte, at) => spki[at] === byte)) return undefined
  return spki.slice(head.length)
}

function before(head: Uint8Array, publicKey: Uint8Array, length: number): Uint8Array {
  if (publicKey.length !== length) {
    throw new RangeError(`Cannot encode ${publicKey.length} bytes as a public key: ${length} are needed`)
  }
  const spki = new Uint8Array(head.length + length)
  spki.set(head)
  spki.set(publicKey, head.length)
  return spki
}
