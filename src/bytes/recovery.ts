import { secp256k1 } from '@noble/curves/secp256k1.js'
import type { Digest32, Signature64 } from '../domain/brands.ts'
import { SignerError } from '../domain/errors.ts'
import { equalBytes } from './equal.ts'

/**
 * Which of the two points with x = r made this signature: the parity of y, from which EVM builds `v` or `yParity`.
 *
 * Ids 2 and 3 (x = r + n) do not exist for chains, and one signature in 2^127 would need them: they are refused.
 *
 * @param publicKey65  uncompressed, leading 04.
 * @throws `signature/unverified` when neither id gives the public key.
 * @see SEC 1 §4.1.6, EIP-155
 */
export function recoveryId(digest: Digest32, signature: Signature64, publicKey65: Uint8Array): 0 | 1 {
  for (const id of [0, 1] as const) {
    const recovered = recoverPublicKey(digest, signature, id)
    if (recovered !== undefined && equalBytes(recovered, publicKey65)) return id
  }
  throw new SignerError('signature/unverified', { reason: 'The signature does not recover the pinned public key' })
}

/** @returns the public key that made the signature if its point has this parity: 65 bytes, uncompressed; `undefined` for none. */
export function recoverPublicKey(digest: Digest32, signature: Signature64, id: 0 | 1): Uint8Array | undefined {
  try {
    const parsed = secp256k1.Signature.fromBytes(signature, 'compact').addRecoveryBit(id)
    return parsed.recoverPublicKey(digest).toBytes(false)
  } catch {
    // r is no x coordinate, or r or s is out of range: no key has made this.
    return undefined
  }
}
