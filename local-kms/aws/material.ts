import { createPrivateKey, createPublicKey, type KeyObject, sign as nodeSign, verify as nodeVerify } from 'node:crypto'
import { ed25519, ed25519ph } from '@noble/curves/ed25519.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { type CurveName, decodePkcs8, encodePkcs8, encodeSpki } from '../core/der.ts'
import type { Random } from '../core/random.ts'
import {
  generateRsa,
  type RsaHash,
  type RsaKey,
  readRsa,
  signPkcs1,
  signPss,
  verifyPkcs1,
  verifyPss,
} from '../core/rsa.ts'
import { type KeySpec, specRow } from './specs.ts'

/**
 * Key material as one byte string a spec: 32 bytes (symmetric), the seed (Ed25519), the scalar (other curves),
 * PKCS#8 DER (RSA), the key itself (HMAC).
 */
export type Material = Uint8Array

const CURVES = { secp256k1, p256, p384, p521 } as const
const HASHES = { SHA_224: sha224, SHA_256: sha256, SHA_384: sha384, SHA_512: sha512 } as const
const SCALAR_BYTES: Record<CurveName, number> = { ed25519: 32, secp256k1: 32, p256: 32, p384: 48, p521: 66 }

type HashName = keyof typeof HASHES
/** The hash is the end of every algorithm's name: RSASSA_PSS_SHA_256, ED25519_PH_SHA_512, HMAC_SHA_384. */
const hashName = (algorithm: string): HashName => algorithm.slice(-7) as HashName
export const digestLength = (algorithm: string): number => HASHES[hashName(algorithm)].outputLen

/** @param seeded reproducible randomness; undefined: the system's, which for RSA is much the faster. */
export async function generateMaterial(spec: KeySpec, random: Random, seeded: boolean): Promise<Material> {
  const row = specRow(spec)
  if (row.family === 'rsa') return generateRsa(row.bits!, seeded ? random : undefined)
  if (row.curve === undefined) return random.bytes(row.bytes!)
  for (;;) {
    const candidate = random.bytes(SCALAR_BYTES[row.curve])
    if (row.curve === 'p521') candidate[0] = candidate[0]! & 1
    if (isScalar(row.curve, candidate)) return candidate
  }
}

const isScalar = (curve: CurveName, secret: Uint8Array): boolean =>
  curve === 'ed25519' ? secret.length === 32 : CURVES[curve].utils.isValidSecretKey(secret)

/** What an importer or a seed file brings: raw bytes or PKCS#8 DER. Undefined: it does not fit the spec. */
export function readMaterial(spec: KeySpec, bytes: Uint8Array, allowRawScalar: boolean): Material | undefined {
  const row = specRow(spec)
  if (row.family === 'symmetric') return bytes.length === 32 ? bytes : undefined
  if (row.family === 'hmac') {
    // The service takes lengths between the digest's and the hash's block
    const block = row.bytes! > 32 ? 128 : 64
    return bytes.length >= row.bytes! && bytes.length <= block ? bytes : undefined
  }
  if (row.family === 'rsa') {
    try {
      return readRsa(bytes).key.bytes * 8 === row.bits ? bytes : undefined
    } catch {
      return undefined
    }
  }
  const curve = row.curve!
  if (allowRawScalar && bytes.length === SCALAR_BYTES[curve]) return isScalar(curve, bytes) ? bytes : undefined
  const decoded = decodePkcs8(bytes)
  return decoded?.curve === curve && isScalar(curve, decoded.secret) ? decoded.secret : undefined
}

interface Opened {
  spki: Uint8Array
  privateKey?: KeyObject
  publicKey?: KeyObject
  point?: Uint8Array
  rsa?: RsaKey
}
const opened = new WeakMap<Material, Opened>()

function open(spec: KeySpec, material: Material): Opened {
  const known = opened.get(material)
  if (known !== undefined) return known
  const fresh = openFresh(spec, material)
  opened.set(material, fresh)
  return fresh
}

function openFresh(spec: KeySpec, material: Material): Opened {
  const { family, curve } = specRow(spec)
  if (family === 'rsa') {
    const { key, privateKey, publicKey } = readRsa(material)
    return { rsa: key, privateKey, publicKey, spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) }
  }
  if (curve === undefined) throw new TypeError(`${spec} has no public key`)
  const point = publicPoint(curve, material)
  const spki = encodeSpki(curve, point)
  if (curve !== 'ed25519') return { spki, point }
  const der = Buffer.from(encodePkcs8(curve, material, point))
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return { spki, point, privateKey, publicKey: createPublicKey(privateKey) }
}

function publicPoint(curve: CurveName, secret: Uint8Array): Uint8Array {
  return curve === 'ed25519' ? ed25519.getPublicKey(secret) : CURVES[curve].getPublicKey(secret, false)
}

export const publicKeyOf = (spec: KeySpec, material: Material): Uint8Array => open(spec, material).spki
export const rsaKeys = (spec: KeySpec, material: Material): Opened => open(spec, material)

/** PKCS#8 DER, as data key pairs are handed out. */
export function privateKeyOf(spec: KeySpec, material: Material): Uint8Array {
  const { curve } = specRow(spec)
  return curve === undefined ? material : encodePkcs8(curve, material, publicPoint(curve, material))
}

export interface SignJob {
  readonly spec: KeySpec
  readonly material: Material
  readonly algorithm: string
  readonly message: Uint8Array
  /** The message is the digest already. */
  readonly isDigest: boolean
}

/** Ed25519: 64 raw bytes. ECDSA: DER, s as it falls. RSA: as long as the modulus. */
export function signWith(job: SignJob, random: Random): Uint8Array {
  const { family, curve } = specRow(job.spec)
  if (family === 'ed25519') {
    // PH hashes the 64 bytes it is given once more: the service does so to what callers call the digest
    if (job.algorithm === 'ED25519_PH_SHA_512') return ed25519ph.sign(job.message, job.material)
    return new Uint8Array(nodeSign(null, job.message, open(job.spec, job.material).privateKey!))
  }
  const digest = digestOf(job)
  if (family === 'ecdsa') {
    const ec = CURVES[curve as keyof typeof CURVES]
    const extraEntropy = random.bytes(32)
    return ec.sign(digest, job.material, { prehash: false, lowS: false, format: 'der', extraEntropy })
  }
  const { rsa } = open(job.spec, job.material)
  const hash = rsaHash(job.algorithm)
  return job.algorithm.startsWith('RSASSA_PSS') ? signPss(rsa!, digest, hash, random) : signPkcs1(rsa!, digest, hash)
}

export function verifyWith(job: SignJob, signature: Uint8Array): boolean {
  const { family, curve } = specRow(job.spec)
  const keys = open(job.spec, job.material)
  if (family === 'ed25519') {
    if (signature.length !== 64) return false
    if (job.algorithm === 'ED25519_PH_SHA_512') return ed25519ph.verify(signature, job.message, keys.point!)
    return nodeVerify(null, job.message, keys.publicKey!, signature)
  }
  const digest = digestOf(job)
  if (family === 'ecdsa') return verifyEcdsa(curve as keyof typeof CURVES, keys.point!, digest, signature)
  const hash = rsaHash(job.algorithm)
  return job.algorithm.startsWith('RSASSA_PSS')
    ? verifyPss(keys.rsa!, digest, hash, signature)
    : verifyPkcs1(keys.rsa!, digest, hash, signature)
}

/** Strict DER; high s is as good as low s. */
export function verifyEcdsa(
  curve: keyof typeof CURVES,
  point: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return CURVES[curve].verify(signature, digest, point, { prehash: false, lowS: false, format: 'der' })
  } catch {
    return false
  }
}

export function macWith(material: Material, algorithm: string, message: Uint8Array): Uint8Array {
  return hmac(HASHES[hashName(algorithm)], material, message)
}

function digestOf(job: SignJob): Uint8Array {
  return job.isDigest ? job.message : HASHES[hashName(job.algorithm)](job.message)
}

function rsaHash(algorithm: string): RsaHash {
  const name = hashName(algorithm)
  return { name: name.toLowerCase().replace('_', '') as RsaHash['name'], hash: data => HASHES[name](data) }
}
