import { bigToBytes, bytesToBig, inverse, power } from '../../core/big.ts'
import type { Random } from '../../core/random.ts'
import { concat } from '../../core/random.ts'
import { GoError } from '../go.ts'
import type { HashRow } from './hashes.ts'
import { privateObject, publicObject } from './material.ts'

/**
 * RSASSA-PSS and PKCS#1 v1.5 over digests the caller may have made, with every hash and salt length the engine takes, which
 * `node:crypto` offers in no one place. RFC 8017. Not constant time: test keys only.
 */
interface PublicNumbers {
  readonly n: bigint
  readonly e: bigint
  readonly bytes: number
}

interface PrivateNumbers extends PublicNumbers {
  readonly d: bigint
  readonly p: bigint
  readonly q: bigint
}

const number = (text: string | undefined): bigint => bytesToBig(new Uint8Array(Buffer.from(text ?? '', 'base64url')))

function readPublic(spki: Uint8Array): PublicNumbers {
  const { n, e } = publicObject(spki).export({ format: 'jwk' })
  return { n: number(n), e: number(e), bytes: Buffer.from(n ?? '', 'base64url').length }
}

function readPrivate(pkcs8: Uint8Array): PrivateNumbers {
  const { n, e, d, p, q } = privateObject(pkcs8).export({ format: 'jwk' })
  const bytes = Buffer.from(n ?? '', 'base64url').length
  return { n: number(n), e: number(e), d: number(d), p: number(p), q: number(q), bytes }
}

function privately(key: PrivateNumbers, encoded: Uint8Array): Uint8Array {
  const m = bytesToBig(encoded)
  const mp = power(m % key.p, key.d % (key.p - 1n), key.p)
  const mq = power(m % key.q, key.d % (key.q - 1n), key.q)
  const h = ((((mp - mq) % key.p) + key.p) * inverse(key.q % key.p, key.p)) % key.p
  return bigToBytes(mq + h * key.q, key.bytes)
}

function publicly(key: PublicNumbers, signature: Uint8Array): Uint8Array | undefined {
  const s = bytesToBig(signature)
  if (signature.length !== key.bytes || s >= key.n) return undefined
  return bigToBytes(power(s, key.e, key.n), key.bytes)
}

/** @param hash  absent: the input stands alone, without naming a hash. */
function encodePkcs1(input: Uint8Array, hash: HashRow | undefined, length: number): Uint8Array {
  const info = hash === undefined ? input : concat(new Uint8Array(Buffer.from(hash.digestInfo, 'hex')), input)
  if (info.length + 11 > length) throw new GoError('crypto/rsa: message too long for RSA key size')
  return concat(Uint8Array.of(0, 1), new Uint8Array(length - info.length - 3).fill(0xff), Uint8Array.of(0), info)
}

/** @throws GoError for a digest of another length than the hash has */
export function signPkcs1(pkcs8: Uint8Array, digest: Uint8Array, hash: HashRow | undefined): Uint8Array {
  if (hash !== undefined && digest.length !== hash.hash.outputLen) {
    throw new GoError('crypto/rsa: input must be hashed message')
  }
  const key = readPrivate(pkcs8)
  return privately(key, encodePkcs1(digest, hash, key.bytes))
}

export function verifyPkcs1(
  spki: Uint8Array,
  digest: Uint8Array,
  hash: HashRow | undefined,
  signature: Uint8Array,
): boolean {
  if (hash !== undefined && digest.length !== hash.hash.outputLen) return false
  const key = readPublic(spki)
  const encoded = publicly(key, signature)
  return encoded !== undefined && Buffer.compare(encoded, encodePkcs1(digest, hash, key.bytes)) === 0
}

/** `auto`: as long as the key allows when signing, any when verifying; `hash`: as long as the digest. */
export type SaltLength = number | 'auto' | 'hash'

/** @throws GoError */
export function signPss(
  pkcs8: Uint8Array,
  digest: Uint8Array,
  { hash }: HashRow,
  saltLength: SaltLength,
  random: Random,
): Uint8Array {
  const key = readPrivate(pkcs8)
  const longest = key.bytes - 2 - hash.outputLen
  const length = saltLength === 'auto' ? longest : saltLength === 'hash' ? hash.outputLen : saltLength
  if (length < 0 || length > longest) throw new GoError(`requested salt length ${length} is invalid`)
  if (digest.length !== hash.outputLen) throw new GoError('crypto/rsa: input must be hashed with given hash')
  const salt = random.bytes(length)
  const h = hash(concat(new Uint8Array(8), digest, salt))
  const db = new Uint8Array(key.bytes - h.length - 1)
  db[db.length - salt.length - 1] = 1
  db.set(salt, db.length - salt.length)
  const masked = xor(db, mgf1(h, db.length, hash))
  masked[0] = masked[0]! & 0x7f
  return privately(key, concat(masked, h, Uint8Array.of(0xbc)))
}

export function verifyPss(
  spki: Uint8Array,
  digest: Uint8Array,
  { hash }: HashRow,
  saltLength: SaltLength,
  signature: Uint8Array,
): boolean {
  const key = readPublic(spki)
  const encoded = publicly(key, signature)
  if (encoded === undefined || digest.length !== hash.outputLen) return false
  if (encoded.at(-1) !== 0xbc || (encoded[0]! & 0x80) !== 0) return false
  const dbLength = key.bytes - hash.outputLen - 1
  const h = encoded.subarray(dbLength, dbLength + hash.outputLen)
  const db = xor(encoded.subarray(0, dbLength), mgf1(h, dbLength, hash))
  db[0] = db[0]! & 0x7f
  const mark = db.findIndex(byte => byte !== 0)
  if (mark < 0 || db[mark] !== 1) return false
  const salt = db.subarray(mark + 1)
  const wanted = saltLength === 'hash' ? hash.outputLen : saltLength
  if (wanted !== 'auto' && salt.length !== wanted) return false
  return Buffer.compare(h, hash(concat(new Uint8Array(8), digest, salt))) === 0
}

function mgf1(seed: Uint8Array, length: number, hash: HashRow['hash']): Uint8Array {
  const out: Uint8Array[] = []
  for (let counter = 0; counter * hash.outputLen < length; counter++) {
    out.push(hash(concat(seed, Uint8Array.of(0, 0, counter >> 8, counter & 0xff))))
  }
  return concat(...out).subarray(0, length)
}

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ b[i]!)
