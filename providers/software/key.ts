import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { type Signature64, signature64 } from '../../src/domain/brands.ts'
import type { Scheme, SignInput } from '../../src/domain/provider.ts'
import type { SecretBytes } from '../../src/domain/secret.ts'

/** A private key in this process. For development providers only; nothing here is a promise about memory. */
export interface SoftwareKey {
  readonly scheme: Scheme
  /** 32 bytes, or 65 with leading 04. */
  readonly publicKey: Uint8Array
  /** @param input  of this key's scheme; the provider has checked it. */
  sign(input: SignInput): Promise<Signature64>
  close(): void
}

/**
 * @param secret  Ed25519 seed or secp256k1 scalar, 32 bytes. Taken over: wiped at once where the runtime's WebCrypto can
 *                keep the key unextractable (Ed25519), at `close` where only the library knows the curve.
 * @returns undefined when the bytes are no private key of the scheme; they are wiped then too.
 */
export async function openSoftwareKey(
  scheme: Scheme,
  secret: SecretBytes,
  subtle: SubtleCrypto = crypto.subtle,
): Promise<SoftwareKey | undefined> {
  const valid =
    secret.length === 32 && (scheme === 'ed25519' || secret.use(bytes => secp256k1.utils.isValidSecretKey(bytes)))
  if (!valid) {
    secret.wipe()
    return undefined
  }
  return scheme === 'ed25519' ? ed25519Key(secret, subtle) : secp256k1Key(secret)
}

async function ed25519Key(secret: SecretBytes, subtle: SubtleCrypto): Promise<SoftwareKey> {
  const publicKey = secret.use(seed => ed25519.getPublicKey(seed))
  const held = await unextractable(secret, subtle)
  if (held !== undefined) secret.wipe()
  return {
    scheme: 'ed25519',
    publicKey,
    async sign(input) {
      const message = input.scheme === 'ed25519' ? input.message : wrongScheme()
      if (held === undefined) return signature64(secret.use(seed => ed25519.sign(message, seed)))
      return signature64(new Uint8Array(await subtle.sign('Ed25519', held, message as Uint8Array<ArrayBuffer>)))
    },
    close: () => secret.wipe(),
  }
}

/** PKCS#8 around the seed (RFC 8410 §7). Undefined where the runtime does not know Ed25519. */
async function unextractable(secret: SecretBytes, subtle: SubtleCrypto): Promise<CryptoKey | undefined> {
  const pkcs8 = new Uint8Array(PKCS8_PREFIX.length + 32)
  pkcs8.set(PKCS8_PREFIX)
  secret.use(seed => pkcs8.set(seed, PKCS8_PREFIX.length))
  try {
    return await subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign'])
  } catch {
    return undefined
  } finally {
    pkcs8.fill(0)
  }
}
const PKCS8_PREFIX = new Uint8Array([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20])

function secp256k1Key(secret: SecretBytes): SoftwareKey {
  return {
    scheme: 'ecdsa-secp256k1',
    publicKey: secret.use(scalar => secp256k1.getPublicKey(scalar, false)),
    async sign(input) {
      const digest = input.scheme === 'ecdsa-secp256k1' ? input.digest : wrongScheme()
      // The digest is signed as it is; s is low by the library's default, written out because everything depends on it.
      return signature64(secret.use(scalar => secp256k1.sign(digest, scalar, { prehash: false, lowS: true })))
    },
    close: () => secret.wipe(),
  }
}

function wrongScheme(): never {
  throw new TypeError('The provider must check the scheme before it signs')
}
