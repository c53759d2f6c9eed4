import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { encodePkcs8, encodeSpki } from '../../core/der.ts'
import { concat, toBase64 } from '../../core/random.ts'
import { generateRsa } from '../../core/rsa.ts'
import type { Core } from '../context.ts'
import { type KeyType, rowOf } from './types.ts'

const CURVES = { p256, p384, p521 } as const
export const SCALAR_BYTES = { p256: 32, p384: 48, p521: 66 } as const
export type EcCurve = keyof typeof CURVES

/**
 * The secret as one byte string a type: the key (symmetric, HMAC), the seed (ed25519), the scalar (ECDSA), PKCS#8 (RSA).
 * Empty where only the public half is known.
 */
export interface KeyPair {
  readonly material: Uint8Array
  /** 32 bytes, uncompressed point, SPKI; empty for symmetric types. */
  readonly publicKey: Uint8Array
}

const NONE = new Uint8Array(0)

export async function generateMaterial(core: Core, type: KeyType, keySize: number): Promise<KeyPair> {
  const row = rowOf(type)
  const random = core.streams('vault keys')
  if (row.family === 'rsa')
    return pairOf(type, await generateRsa(row.bytes * 8, core.world.seeded ? random : undefined))
  if (row.family === 'hmac') return pairOf(type, random.bytes(keySize))
  if (row.family !== 'ecdsa') return pairOf(type, random.bytes(row.bytes))
  const curve = row.curve!
  for (;;) {
    const scalar = random.bytes(SCALAR_BYTES[curve])
    if (curve === 'p521') scalar[0] = scalar[0]! & 1
    if (CURVES[curve].utils.isValidSecretKey(scalar)) return pairOf(type, scalar)
  }
}

/** The pair of a secret that fits its type. */
export function pairOf(type: KeyType, material: Uint8Array): KeyPair {
  const row = rowOf(type)
  switch (row.family) {
    case 'ed25519':
      return { material, publicKey: ed25519.getPublicKey(material) }
    case 'ecdsa':
      return { material, publicKey: CURVES[row.curve!].getPublicKey(material, false) }
    case 'rsa': {
      const key = createPublicKey(privateObject(material))
      return { material, publicKey: new Uint8Array(key.export({ type: 'spki', format: 'der' })) }
    }
    default:
      return { material, publicKey: NONE }
  }
}

/** The secret fits the type. */
export function isSecretOf(type: KeyType, material: Uint8Array): boolean {
  const row = rowOf(type)
  if (row.family === 'hmac') return material.length >= 32 && material.length <= 512
  if (row.family === 'ecdsa') {
    return material.length === SCALAR_BYTES[row.curve!] && CURVES[row.curve!].utils.isValidSecretKey(material)
  }
  if (row.family !== 'rsa') return material.length === row.bytes
  try {
    return privateObject(material).asymmetricKeyDetails?.modulusLength === row.bytes * 8
  } catch {
    return false
  }
}

export function pem(label: string, der: Uint8Array): string {
  const body = toBase64(der).replaceAll(/.{64}(?=.)/g, line => `${line}\n`)
  return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`
}

export function publicDer(type: KeyType, publicKey: Uint8Array): Uint8Array {
  const row = rowOf(type)
  if (row.family === 'rsa') return publicKey
  return encodeSpki(row.curve ?? 'ed25519', publicKey)
}

/** Base64 for ed25519, PEM for the others. */
export function shownPublicKey(type: KeyType, publicKey: Uint8Array): string {
  return rowOf(type).family === 'ed25519' ? toBase64(publicKey) : pem('PUBLIC KEY', publicDer(type, publicKey))
}

// Key objects are dear to make and used over and over
const objects = new Map<string, KeyObject>()
const OBJECTS_MAX = 500

function remembered(kind: string, der: Uint8Array, make: () => KeyObject): KeyObject {
  const name = `${kind} ${toBase64(der)}`
  const known = objects.get(name)
  if (known !== undefined) return known
  if (objects.size >= OBJECTS_MAX) objects.clear()
  const made = make()
  objects.set(name, made)
  return made
}

export const privateObject = (pkcs8: Uint8Array): KeyObject =>
  remembered('private', pkcs8, () => createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }))
export const publicObject = (spki: Uint8Array): KeyObject =>
  remembered('public', spki, () => createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }))

export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(nodeSign(null, message, privateObject(encodePkcs8('ed25519', seed, NONE))))
}

export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false
  try {
    return nodeVerify(null, message, publicObject(encodeSpki('ed25519', publicKey)), signature)
  } catch {
    return false
  }
}

/** DER, s as it falls. */
export function signEcdsa(
  core: Core,
  curve: EcCurve,
  scalar: Uint8Array,
  digest: Uint8Array,
  compact: boolean,
): Uint8Array {
  const extraEntropy = core.entropy.bytes(32)
  return CURVES[curve].sign(digest, scalar, {
    prehash: false,
    lowS: false,
    format: compact ? 'compact' : 'der',
    extraEntropy,
  })
}

export function verifyEcdsa(
  curve: EcCurve,
  point: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
  compact: boolean,
): boolean {
  try {
    return CURVES[curve].verify(signature, digest, point, {
      prehash: false,
      lowS: false,
      format: compact ? 'compact' : 'der',
    })
  } catch {
    return false
  }
}

/** SEQUENCE of two INTEGERs that fill it. */
export function isEcdsaDer(curve: EcCurve, signature: Uint8Array): boolean {
  try {
    CURVES[curve].Signature.fromBytes(signature, 'der')
    return true
  } catch {
    return signature[0] === 0x30 && signature[1] === signature.length - 2 && signature[2] === 0x02
  }
}

/**
 * HKDF-SHA-256 without salt, the caller's context as info. For ed25519 the input is seed and public key together, since the
 * server takes its whole 64-byte private key for it.
 */
export function deriveBytes(material: Uint8Array, context: Uint8Array, length: number): Uint8Array {
  return hkdf(sha256, material, new Uint8Array(0), context, length)
}

/**
 * What the server derives from imported keys: HMAC-SHA-256 over a counter from nought, the context and the length in bits
 * (NIST SP 800-108 in counter mode).
 */
export function deriveByCounter(material: Uint8Array, context: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = []
  for (let counter = 0; counter * 32 < length; counter++) {
    blocks.push(hmac(sha256, material, concat(uint32(counter), context, uint32(256))))
  }
  return concat(...blocks).subarray(0, length)
}

const uint32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)

export function derivedSeed(seed: Uint8Array, context: Uint8Array): Uint8Array {
  return deriveBytes(concat(seed, ed25519.getPublicKey(seed)), context, 32)
}

export const derivedPublicKey = (seed: Uint8Array, context: Uint8Array): Uint8Array =>
  ed25519.getPublicKey(derivedSeed(seed, context))

const OAEP = 4 // RSA_PKCS1_OAEP_PADDING

export function rsaEncrypt(spki: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const options = { key: publicObject(spki), padding: OAEP, oaepHash: 'sha256' }
  return new Uint8Array(publicEncrypt(options, plaintext))
}

/** Undefined: it does not open. */
export function rsaDecrypt(pkcs8: Uint8Array, ciphertext: Uint8Array, oaepHash = 'sha256'): Uint8Array | undefined {
  try {
    return new Uint8Array(privateDecrypt({ key: privateObject(pkcs8), padding: OAEP, oaepHash }, ciphertext))
  } catch {
    return undefined
  }
}
