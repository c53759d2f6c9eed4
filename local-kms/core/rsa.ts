import { bigToBytes, bytesToBig, inverse, power } from './big.ts'
import { checkPrimeSync, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { Random } from './random.ts'
import { concat } from './random.ts'

/**
 * RSA as far as an emulator needs it. Signing works on digests the caller made, which `node:crypto` offers nowhere, so the
 * encodings of RFC 8017 stand here over plain big integers. Not constant time: test keys only.
 */
export interface RsaKey {
  readonly n: bigint
  readonly e: bigint
  readonly d: bigint
  readonly p: bigint
  readonly q: bigint
  readonly bytes: number
}

const E = 65537n

export async function generateRsa(bits: number, seeded?: Random): Promise<Uint8Array> {
  if (seeded === undefined) {
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: bits, publicExponent: 65537 })
    return new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' }))
  }
  const p = findPrime(bits / 2, seeded)
  let q = findPrime(bits / 2, seeded)
  while (q === p) q = findPrime(bits / 2, seeded)
  const [big, small] = p > q ? [p, q] : [q, p]
  const d = inverse(E, (big - 1n) * (small - 1n))
  const part = (value: bigint): string => Buffer.from(bigToBytes(value)).toString('base64url')
  const key = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'RSA',
      n: part(big * small),
      e: part(E),
      d: part(d),
      p: part(big),
      q: part(small),
      dp: part(d % (big - 1n)),
      dq: part(d % (small - 1n)),
      qi: part(inverse(small, big)),
    },
  })
  return new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }))
}

/** The two top bits are set, so that the product of two such primes has exactly twice the bits. */
function findPrime(bits: number, random: Random): bigint {
  for (;;) {
    const bytes = random.bytes(bits / 8)
    bytes[0] = bytes[0]! | 0xc0
    const last = bytes.length - 1
    bytes[last] = bytes[last]! | 1
    const candidate = bytesToBig(bytes)
    if ((candidate - 1n) % E !== 0n && checkPrimeSync(candidate)) return candidate
  }
}

export function readRsa(pkcs8: Uint8Array): { key: RsaKey; privateKey: KeyObject; publicKey: KeyObject } {
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  const jwk = privateKey.export({ format: 'jwk' })
  const number = (member: string | undefined): bigint =>
    bytesToBig(new Uint8Array(Buffer.from(member ?? '', 'base64url')))
  const n = number(jwk.n)
  const key = { n, e: number(jwk.e), d: number(jwk.d), p: number(jwk.p), q: number(jwk.q), bytes: bigToBytes(n).length }
  return { key, privateKey, publicKey: createPublicKey(privateKey) }
}

export type RsaHash = { readonly name: 'sha256' | 'sha384' | 'sha512'; readonly hash: (data: Uint8Array) => Uint8Array }

// RFC 8017 §9.2 note 1: DigestInfo without the digest
const DIGEST_INFO: Record<RsaHash['name'], string> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
}

/** EMSA-PKCS1-v1_5, RFC 8017 §9.2. */
function encodePkcs1(digest: Uint8Array, hash: RsaHash, length: number): Uint8Array {
  const info = concat(new Uint8Array(Buffer.from(DIGEST_INFO[hash.name], 'hex')), digest)
  const padding = new Uint8Array(length - info.length - 3).fill(0xff)
  return concat(Uint8Array.of(0, 1), padding, Uint8Array.of(0), info)
}

export function signPkcs1(key: RsaKey, digest: Uint8Array, hash: RsaHash): Uint8Array {
  return privateOperation(key, encodePkcs1(digest, hash, key.bytes))
}

export function verifyPkcs1(key: RsaKey, digest: Uint8Array, hash: RsaHash, signature: Uint8Array): boolean {
  const encoded = publicOperation(key, signature)
  return encoded !== undefined && Buffer.compare(encoded, encodePkcs1(digest, hash, key.bytes)) === 0
}

/** EMSA-PSS with a salt as long as the digest, RFC 8017 §9.1.1. The modulus has a multiple of eight bits. */
export function signPss(key: RsaKey, digest: Uint8Array, hash: RsaHash, random: Random): Uint8Array {
  const salt = random.bytes(digest.length)
  const h = hash.hash(concat(new Uint8Array(8), digest, salt))
  const db = new Uint8Array(key.bytes - h.length - 1)
  db[db.length - salt.length - 1] = 1
  db.set(salt, db.length - salt.length)
  const masked = xor(db, mgf1(h, db.length, hash))
  masked[0] = masked[0]! & 0x7f
  return privateOperation(key, concat(masked, h, Uint8Array.of(0xbc)))
}

/** RFC 8017 §9.1.2. */
export function verifyPss(key: RsaKey, digest: Uint8Array, hash: RsaHash, signature: Uint8Array): boolean {
  const encoded = publicOperation(key, signature)
  if (encoded === undefined || encoded[encoded.length - 1] !== 0xbc || (encoded[0]! & 0x80) !== 0) return false
  const dbLength = key.bytes - digest.length - 1
  const h = encoded.subarray(dbLength, dbLength + digest.length)
  const db = xor(encoded.subarray(0, dbLength), mgf1(h, dbLength, hash))
  db[0] = db[0]! & 0x7f
  const saltAt = dbLength - digest.length
  if (db.subarray(0, saltAt - 1).some(byte => byte !== 0) || db[saltAt - 1] !== 1) return false
  return Buffer.compare(h, hash.hash(concat(new Uint8Array(8), digest, db.subarray(saltAt)))) === 0
}

function mgf1(seed: Uint8Array, length: number, hash: RsaHash): Uint8Array {
  const out: Uint8Array[] = []
  let have = 0
  for (let counter = 0; have < length; counter++) {
    const block = hash.hash(concat(seed, Uint8Array.of(0, 0, counter >> 8, counter & 0xff)))
    out.push(block)
    have += block.length
  }
  return concat(...out).subarray(0, length)
}

function privateOperation(key: RsaKey, encoded: Uint8Array): Uint8Array {
  const m = bytesToBig(encoded)
  const mp = power(m % key.p, key.d % (key.p - 1n), key.p)
  const mq = power(m % key.q, key.d % (key.q - 1n), key.q)
  const h = ((((mp - mq) % key.p) + key.p) * inverse(key.q, key.p)) % key.p
  return bigToBytes(mq + h * key.q, key.bytes)
}

function publicOperation(key: RsaKey, signature: Uint8Array): Uint8Array | undefined {
  const s = bytesToBig(signature)
  if (signature.length !== key.bytes || s >= key.n) return undefined
  return bigToBytes(power(s, key.e, key.n), key.bytes)
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ b[i]!)
}
