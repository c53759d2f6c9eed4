/**
 * Private keys as PKCS#8 (RFC 5208, RFC 5958), by fixed frames: for a named curve everything but the key is constant, so
 * neither reading nor writing needs an ASN.1 tree, which would leave copies that nobody can wipe.
 */
import type { Scheme } from '../domain/provider.ts'
import { fromHex } from './hex.ts'
import { secretRoom } from './secret-room.ts'

/** Bytes before the 32 of the key, and before the public key if it is there. */
export interface Frame {
  readonly head: Uint8Array
  readonly middle: Uint8Array
  readonly publicKeyLength: number
}

const hex = (text: string): Uint8Array => fromHex(text) ?? new Uint8Array()
const none = new Uint8Array()

/** RFC 8410 §7 (version 1 without, version 2 with the public key); RFC 5208 around RFC 5915, as OpenSSL and AWS write it. */
const ED25519: Frame = { head: hex('302e020100300506032b657004220420'), middle: none, publicKeyLength: 0 }
const ED25519_WITH_PUBLIC: Frame = {
  head: hex('3051020101300506032b657004220420'),
  middle: hex('812100'),
  publicKeyLength: 32,
}
const SECP256K1: Frame = {
  head: hex('303e020100301006072a8648ce3d020106052b8104000a042730250201010420'),
  middle: none,
  publicKeyLength: 0,
}
const SECP256K1_WITH_PUBLIC: Frame = {
  head: hex('308184020100301006072a8648ce3d020106052b8104000a046d306b0201010420'),
  middle: hex('a144034200'),
  publicKeyLength: 65,
}

/** Every frame that is read. */
export const PKCS8_FRAMES: Readonly<Record<Scheme, readonly Frame[]>> = {
  ed25519: [ED25519, ED25519_WITH_PUBLIC],
  'ecdsa-secp256k1': [SECP256K1, SECP256K1_WITH_PUBLIC],
}

/** The one that is written: OpenSSL's, which the key services name in their instructions for import. */
const WRITTEN: Readonly<Record<Scheme, Frame>> = { ed25519: ED25519, 'ecdsa-secp256k1': SECP256K1_WITH_PUBLIC }

/**
 * @param key        32 bytes.
 * @param publicKey  65 bytes for secp256k1, written beside the key; of an Ed25519 key it is not written.
 * @returns          48 bytes (Ed25519) or 135 (secp256k1), in room of their own. Whoever asked wipes them.
 * @throws           RangeError for another length. Nothing is echoed.
 */
export function toPkcs8(scheme: Scheme, key: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const { head, middle, publicKeyLength } = WRITTEN[scheme]
  if (key.length !== 32) throw new RangeError(`Cannot encode ${key.length} bytes as a private key: 32 are needed`)
  if (publicKeyLength !== 0 && publicKey.length !== publicKeyLength) {
    throw new RangeError(`Cannot encode ${publicKey.length} bytes as a public key: ${publicKeyLength} are needed`)
  }
  const whole = secretRoom(head.length + 32 + middle.length + publicKeyLength)
  whole.set(head)
  whole.set(key, head.length)
  whole.set(middle, head.length + 32)
  if (publicKeyLength !== 0) whole.set(publicKey, head.length + 32 + middle.length)
  return whole
}
