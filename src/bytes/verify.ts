/**
 * The last look before a signature leaves (I1): does it verify under the pinned key, for everyone?
 *
 * Verifiers of Ed25519 disagree on odd inputs. Stellar Core asks libsodium, so libsodium's answer is the bar: native
 * verification, and on top of it S below the group order, no small-order point in R or in the key, and only the one
 * canonical encoding of either. Each check is made here and not trusted to an engine, since engines differ.
 *
 * @see RFC 8032 §5.1.7; Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs" (ePrint 2020/1244); SEC 1 §4.1.4; EIP-2.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { SignerError } from '../domain/errors.ts'
import type { Scheme, SignInput } from '../domain/provider.ts'
import { type Ed25519Verify, nativeEd25519 } from './ed25519-native.ts'
import { fromHex } from './hex.ts'

const native = nativeEd25519()

/**
 * Whether a signature may be released under this pin. Never throws: what cannot be checked is not verified.
 *
 * @param publicKey  the pin: 32 bytes (Ed25519) or 65 bytes (secp256k1, uncompressed). Checked by `checkPin` once, and
 *                   by its bytes again here.
 * @param signature  64 bytes; for secp256k1 with s at most n/2.
 * @returns          a promise only where the runtime has no synchronous verification; `await` serves both.
 */
export function verifySignature(
  input: SignInput,
  publicKey: Uint8Array,
  signature: Uint8Array,
  ed25519Verify: Ed25519Verify = native,
): boolean | Promise<boolean> {
  if (signature.length !== 64) return false
  switch (input.scheme) {
    case 'ed25519':
      return verifyEd25519(input.message, publicKey, signature, ed25519Verify)
    case 'ecdsa-secp256k1':
      return verifySecp256k1(input.digest, publicKey, signature)
    default:
      input satisfies never
      return false
  }
}

function verifyEd25519(
  message: Uint8Array,
  publicKey: Uint8Array,
  signature: Uint8Array,
  engine: Ed25519Verify,
): boolean | Promise<boolean> {
  if (encodingFault(publicKey) !== undefined) return false
  if (encodingFault(signature.subarray(0, 32)) !== undefined) return false
  if (!isBelow(signature.subarray(32), ED25519_ORDER)) return false
  try {
    const answer = engine(publicKey, message, signature)
    // `=== true` on both ways: an engine that answers with anything else has not verified anything.
    return typeof answer === 'boolean' ? answer : answer.then(isTrue, isNever)
  } catch {
    return false
  }
}

const isTrue = (answer: boolean): boolean => answer === true
const isNever = (): boolean => false

function verifySecp256k1(digest: Uint8Array, publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (digest.length !== 32 || publicKey.length !== 65) return false
  try {
    return secp256k1.verify(signature, digest, publicKey, { prehash: false, lowS: true, format: 'compact' })
  } catch {
    return false
  }
}

/**
 * Whether a public key may be pinned; for registration, for start-up and for every re-check. Slower than
 * `verifySignature`'s own look at the bytes: it also decodes the point and proves it to be in the prime-order subgroup,
 * where every honestly made key lies.
 * @throws `key/mismatch` naming the key and what is wrong
 */
export function checkPin(scheme: Scheme, publicKey: Uint8Array, key: string): void {
  const fault = scheme === 'ed25519' ? ed25519Fault(publicKey) : secp256k1Fault(publicKey)
  if (fault !== undefined) throw new SignerError('key/mismatch', { key, reason: `The ${scheme} public key ${fault}` })
}

function ed25519Fault(publicKey: Uint8Array): string | undefined {
  const fault = encodingFault(publicKey)
  if (fault !== undefined) return fault
  try {
    return ed25519.Point.fromBytes(publicKey).isTorsionFree() ? undefined : 'has a small-order part'
  } catch {
    return 'is not a point on the curve'
  }
}

function secp256k1Fault(publicKey: Uint8Array): string | undefined {
  if (publicKey.length !== 65) return `has ${publicKey.length} bytes where 65 (uncompressed) are needed`
  return secp256k1.utils.isValidPublicKey(publicKey, false) ? undefined : 'is not a point on the curve'
}

/** What is wrong with an encoded Ed25519 point, as far as its bytes tell. */
function encodingFault(point: Uint8Array): string | undefined {
  if (point.length !== 32) return `has ${point.length} bytes where 32 are needed`
  const y = point.slice()
  y[31] = (y[31] as number) & 0x7f // the top bit is the sign of x
  if (!isBelow(y, FIELD_PRIME)) return 'is not in canonical encoding'
  if (SMALL_ORDER_Y.some(small => small.every((byte, at) => byte === y[at]))) return 'is a point of small order'
  return undefined
}

/** Little-endian, both 32 bytes. */
function isBelow(value: Uint8Array, bound: Uint8Array): boolean {
  for (let at = 31; at >= 0; at--) {
    const difference = (value[at] as number) - (bound[at] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}

const little = (hex: string): Uint8Array => fromHex(hex) as Uint8Array

const ED25519_ORDER = little('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
const FIELD_PRIME = little('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f')

/** y of the eight points whose order divides 8. Either sign of x: x = 0 with the sign set is no encoding at all. */
const SMALL_ORDER_Y = [
  '0000000000000000000000000000000000000000000000000000000000000000', // order 4
  '0100000000000000000000000000000000000000000000000000000000000000', // order 1
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', // order 8
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', // order 8
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // order 2
].map(little)
