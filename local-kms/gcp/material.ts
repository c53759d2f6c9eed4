import {
  constants,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  privateEncrypt,
  sign as nodeSign,
} from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha1 } from '@noble/hashes/legacy.js'
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { type CurveName, decodePkcs8, encodePkcs8, encodeSpki } from '../core/der.ts'
import type { Random } from '../core/random.ts'
import { generateRsa, type RsaHash, type RsaKey, readRsa, signPkcs1, signPss } from '../core/rsa.ts'
import { type Algorithm, type AlgorithmRow, algorithmRow, type HashName } from './algorithms.ts'

/**
 * Key material is one byte string an algorithm: the key itself (AES, HMAC), the seed (Ed25519), the scalar (other curves),
 * PKCS#8 DER (RSA).
 */
export type Material = Uint8Array

const CURVES = { secp256k1, p256, p384, p521 } as const
const HASHES = { sha1, sha224, sha256, sha384, sha512 } as const
const SCALAR_BYTES: Record<CurveName, number> = { ed25519: 32, secp256k1: 32, p256: 32, p384: 48, p521: 66 }

export const hashWith = (name: HashName, data: Uint8Array): Uint8Array => HASHES[name](data)

/** @param seeded reproducible randomness asked for; otherwise RSA keys come from the runtime, much faster. */
export async function generateMaterial(algorithm: Algorithm, random: Random, seeded: boolean): Promise<Material> {
  const row = algorithmRow(algorithm)
  if (row.family === 'rsa') return generateRsa(row.bits!, seeded ? random : undefined)
  if (row.curve === undefined) return random.bytes(row.bytes!)
  for (;;) {
    const candidate = random.bytes(SCALAR_BYTES[row.curve])
    if (isScalar(row.curve, candidate)) return candidate
  }
}

const isScalar = (curve: CurveName, secret: Uint8Array): boolean =>
  curve === 'ed25519' ? secret.length === 32 : CURVES[curve].utils.isValidSecretKey(secret)

/**
 * What an importer or a seed document brings. The service takes PKCS#8 DER for asymmetric keys and raw bytes otherwise.
 * @param allowRaw seeds and scalars as they are, too. @returns undefined when it does not fit the algorithm.
 */
export function readMaterial(algorithm: Algorithm, bytes: Uint8Array, allowRaw: boolean): Material | undefined {
  const row = algorithmRow(algorithm)
  if (row.family === 'rsa') {
    try {
      return readRsa(bytes).key.bytes * 8 === row.bits ? bytes : undefined
    } catch {
      return undefined
    }
  }
  if (row.curve === undefined) return bytes.length === row.bytes ? bytes : undefined
  if (allowRaw && bytes.length === SCALAR_BYTES[row.curve]) return isScalar(row.curve, bytes) ? bytes : undefined
  const decoded = decodePkcs8(bytes)
  return decoded?.curve === row.curve && isScalar(row.curve, decoded.secret) ? decoded.secret : undefined
}

interface Opened {
  readonly spki: Uint8Array
  readonly privateKey?: KeyObject
  readonly rsa?: RsaKey
}
const opened = new WeakMap<Material, Opened>()

function open(row: AlgorithmRow, material: Material): Opened {
  const known = opened.get(material)
  if (known !== undefined) return known
  const fresh = openFresh(row, material)
  opened.set(material, fresh)
  return fresh
}

function openFresh({ family, curve }: AlgorithmRow, material: Material): Opened {
  if (family === 'rsa') {
    const { key, privateKey, publicKey } = readRsa(material)
    return { rsa: key, privateKey, spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) }
  }
  if (curve === undefined) throw new TypeError('Symmetric keys have no public key')
  if (curve !== 'ed25519') return { spki: encodeSpki(curve, CURVES[curve].getPublicKey(material, false)) }
  const point = ed25519.getPublicKey(material)
  const der = Buffer.from(encodePkcs8('ed25519', material, point))
  return {
    spki: encodeSpki('ed25519', point),
    privateKey: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }),
  }
}

/** SubjectPublicKeyInfo, DER. */
export const publicKeyOf = (algorithm: Algorithm, material: Material): Uint8Array =>
  open(algorithmRow(algorithm), material).spki

/** RFC 7468: 64 columns, a line feed at the end. */
export function pemOf(spki: Uint8Array): string {
  const lines =
    Buffer.from(spki)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN PUBLIC KEY-----\n${lines.join('\n')}\n-----END PUBLIC KEY-----\n`
}

/** @returns 64 raw bytes. */
export function signEd25519(material: Material, data: Uint8Array): Uint8Array {
  const { privateKey } = open(algorithmRow('EC_SIGN_ED25519'), material)
  return new Uint8Array(nodeSign(null, data, privateKey!))
}

/** ECDSA: DER, s as it falls. RSA: as long as the modulus. */
export function signDigest(algorithm: Algorithm, material: Material, digest: Uint8Array, random: Random): Uint8Array {
  const row = algorithmRow(algorithm)
  if (row.family === 'ecdsa') {
    const extraEntropy = random.bytes(32)
    const curve = CURVES[row.curve as keyof typeof CURVES]
    return curve.sign(digest, material, { prehash: false, lowS: false, format: 'der', extraEntropy })
  }
  const hash: RsaHash = { name: row.hash as RsaHash['name'], hash: HASHES[row.hash!] }
  const { rsa } = open(row, material)
  return row.scheme === 'pss' ? signPss(rsa!, digest, hash, random) : signPkcs1(rsa!, digest, hash)
}

/** PKCS #1 v1.5 padding straight around the data, without a DigestInfo. */
export function signRawPkcs1(algorithm: Algorithm, material: Material, data: Uint8Array): Uint8Array {
  const { privateKey } = open(algorithmRow(algorithm), material)
  return new Uint8Array(privateEncrypt({ key: privateKey!, padding: constants.RSA_PKCS1_PADDING }, data))
}

/** Undefined: not made for this key, or damaged. */
export function decryptOaep(algorithm: Algorithm, material: Material, ciphertext: Uint8Array): Uint8Array | undefined {
  const row = algorithmRow(algorithm)
  const { privateKey } = open(row, material)
  return oaep(privateKey!, row.hash!, ciphertext)
}

export function oaep(key: KeyObject, oaepHash: HashName, ciphertext: Uint8Array): Uint8Array | undefined {
  try {
    return new Uint8Array(privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, ciphertext))
  } catch {
    return undefined
  }
}

export const rsaPublicPem = (pkcs8: Uint8Array): string => {
  const key = createPublicKey(createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }))
  return pemOf(new Uint8Array(key.export({ type: 'spki', format: 'der' })))
}

export const macOf = (algorithm: Algorithm, material: Material, data: Uint8Array): Uint8Array =>
  hmac(HASHES[algorithmRow(algorithm).hash!], material, data)
