import { equalBytes } from '../../bytes/equal.ts'
import type { Signature64 } from '../../domain/brands.ts'
import { SignerError } from '../../domain/errors.ts'
import type { Scheme } from '../../domain/provider.ts'

/**
 * Signs with a key that was opened for one call. An engine holds nothing between calls; what it cannot wipe it says in
 * its own file, and `test/residue` measures it.
 */
export interface SeedEngine {
  readonly name: string
  readonly scheme: Scheme
  /**
   * @param seed  32 bytes; stays the caller's to wipe.
   * @returns     the public key in the form of a pin: 32 bytes, or 65 for secp256k1.
   * @throws      RangeError when the bytes are no key of this scheme
   */
  publicKey(seed: Uint8Array): Uint8Array
  /**
   * The signature is made with the key that the seed gives. The pin is compared with it and never used in its place:
   * signing under a public key from elsewhere would give the private key away (RUSTSEC-2022-0093).
   *
   * @param payload  the message (Ed25519) or the 32-byte digest (secp256k1), signed as it is.
   * @throws `envelope/mismatch` when the seed does not give the pinned key
   * @throws RangeError when the bytes are no key of this scheme
   */
  sign(seed: Uint8Array, payload: Uint8Array, pin: Uint8Array): Signature64 | Promise<Signature64>
}

export function refuseOtherKey(derived: Uint8Array, pin: Uint8Array): void {
  if (!equalBytes(derived, pin)) throw otherKey()
}

export const otherKey = (): SignerError<'envelope/mismatch'> =>
  new SignerError('envelope/mismatch', { reason: 'The decrypted key does not give the pinned public key' })

export function needSeed(seed: Uint8Array): void {
  if (seed.length !== 32) throw new RangeError(`Cannot use ${seed.length} bytes as a private key: 32 are needed`)
}
