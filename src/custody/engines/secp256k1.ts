import { secp256k1 } from '@noble/curves/secp256k1.js'
import { signature64 } from '../../domain/brands.ts'
import { needSeed, refuseOtherKey, type SeedEngine } from './engine.ts'

/**
 * ECDSA over secp256k1 in plain JavaScript: no runtime of ours signs on this curve everywhere. Deterministic nonces
 * (RFC 6979), s at most n/2 (EIP-2), the digest is not hashed again.
 *
 * The private key passes through big integers, which the language can neither wipe nor place: copies of it stay in
 * memory until the collector reuses their cells. Prefer native custody for this curve; SECURITY.md has the figures.
 */
export const secp256k1Engine = (): SeedEngine =>
  Object.freeze<SeedEngine>({
    name: 'noble-secp256k1',
    scheme: 'ecdsa-secp256k1',
    publicKey: derive,
    sign: (seed, digest, pin) => {
      if (digest.length !== 32) throw new RangeError(`Cannot sign ${digest.length} bytes: a digest has 32`)
      refuseOtherKey(derive(seed), pin)
      return signature64(secp256k1.sign(digest, seed, { prehash: false, lowS: true, format: 'compact' }))
    },
  })

function derive(seed: Uint8Array): Uint8Array {
  needSeed(seed)
  if (!secp256k1.utils.isValidSecretKey(seed))
    throw new RangeError('Cannot use the bytes as a private key: out of range')
  return secp256k1.getPublicKey(seed, false)
}
