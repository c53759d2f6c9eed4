import { toHex } from '../bytes/hex.ts'
import { verifySignature } from '../bytes/verify.ts'
import type { Signature64 } from '../domain/brands.ts'
import { SignerError } from '../domain/errors.ts'
import type { SignInput } from '../domain/provider.ts'

/** Evidence that a signature verified under a pinned key; only this module makes one. */
export interface Verified {
  /** The pin it verified under, hex. */
  readonly under: string
}

/**
 * Never release what we cannot verify (I1). Imported by the path itself, so that no configuration and no provider can
 * leave it out.
 * @param pin  the public key stored at registration, never one that came with the answer.
 * @throws     `signature/unverified`; the signature is not echoed.
 */
export async function verifyAfterSign(input: SignInput, pin: Uint8Array, signature: Signature64): Promise<Verified> {
  if (!(await verifySignature(input, pin, signature))) {
    throw new SignerError('signature/unverified', {
      reason: 'the answer of the key service does not verify under the pinned public key; nothing was released',
    })
  }
  return { under: toHex(pin) }
}
