import { createCipheriv, createDecipheriv } from 'node:crypto'
import { sha256 } from '@noble/hashes/sha2.js'
import { concat, equalBytes, type Random } from '../core/random.ts'

/**
 * What Encrypt gives out, AES-256-GCM throughout:
 *
 *     "LKGC" 01 | length of key name, 2 bytes | key name | version, 4 | check, 4 | nonce, 12 | ciphertext | tag, 16
 *
 * The whole header is bound behind its length, in front of the caller's additional data, so that no two pairs of header and
 * data give the same bytes, and a blob moved to another key or version does not open. The check (start of SHA-256 over what
 * stands before it) only tells a damaged header from a foreign one. The real service's blobs look different (README).
 */
export interface SealedBlob {
  readonly keyName: string
  readonly version: number
  readonly header: Uint8Array
  readonly nonce: Uint8Array
  readonly sealed: Uint8Array
}

const MAGIC = Uint8Array.of(0x4c, 0x4b, 0x47, 0x43, 0x01)
export const NONCE_BYTES = 12
const TAG_BYTES = 16
const CHECK_BYTES = 4

export interface SealingKey {
  readonly keyName: string
  readonly version: number
  readonly material: Uint8Array
}

export function seal(key: SealingKey, plaintext: Uint8Array, aad: Uint8Array, random: Random): Uint8Array {
  const name = new TextEncoder().encode(key.keyName)
  const frame = concat(MAGIC, number(name.length, 2), name, number(key.version, 4))
  const header = concat(frame, sha256(frame).subarray(0, CHECK_BYTES))
  const nonce = random.bytes(NONCE_BYTES)
  return concat(header, nonce, gcmSeal(key.material, nonce, plaintext, bound(header, aad)))
}

/** Undefined: these bytes were never made here, or their header is damaged. */
export function parseBlob(blob: Uint8Array): SealedBlob | undefined {
  if (blob.length < MAGIC.length + 2 || MAGIC.some((byte, i) => blob[i] !== byte)) return undefined
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength)
  const nameAt = MAGIC.length + 2
  const nameEnd = nameAt + view.getUint16(MAGIC.length)
  const frameEnd = nameEnd + 4
  const headerEnd = frameEnd + CHECK_BYTES
  if (blob.length < headerEnd + NONCE_BYTES + TAG_BYTES) return undefined
  const check = sha256(blob.subarray(0, frameEnd)).subarray(0, CHECK_BYTES)
  if (!equalBytes(check, blob.subarray(frameEnd, headerEnd))) return undefined
  return {
    keyName: new TextDecoder().decode(blob.subarray(nameAt, nameEnd)),
    version: view.getUint32(nameEnd),
    header: blob.subarray(0, headerEnd),
    nonce: blob.subarray(headerEnd, headerEnd + NONCE_BYTES),
    sealed: blob.subarray(headerEnd + NONCE_BYTES),
  }
}

/** Undefined: wrong additional data, wrong material or damage; which of them is not told. */
export const unseal = (blob: SealedBlob, material: Uint8Array, aad: Uint8Array): Uint8Array | undefined =>
  gcmOpen(material, blob.nonce, blob.sealed, bound(blob.header, aad))

const bound = (header: Uint8Array, aad: Uint8Array): Uint8Array => concat(number(header.length, 4), header, aad)

function number(value: number, bytes: 2 | 4): Uint8Array {
  const out = new Uint8Array(bytes)
  const view = new DataView(out.buffer)
  if (bytes === 2) view.setUint16(0, value)
  else view.setUint32(0, value)
  return out
}

const gcm = (key: Uint8Array): 'aes-128-gcm' | 'aes-256-gcm' => (key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm')

/** @returns ciphertext ‖ tag. */
export function gcmSeal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  const cipher = createCipheriv(gcm(key), key, nonce)
  cipher.setAAD(aad)
  const [body, rest] = [cipher.update(plaintext), cipher.final()]
  return concat(new Uint8Array(body), new Uint8Array(rest), new Uint8Array(cipher.getAuthTag()))
}

export function gcmOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array,
  tagBytes = TAG_BYTES,
): Uint8Array | undefined {
  if (sealed.length < tagBytes) return undefined
  const decipher = createDecipheriv(gcm(key), key, nonce, { authTagLength: tagBytes })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
  const body = decipher.update(sealed.subarray(0, sealed.length - tagBytes))
  try {
    return concat(new Uint8Array(body), new Uint8Array(decipher.final()))
  } catch {
    return undefined
  }
}

/** CBC without padding, CTR with a 128-bit counter: the caller brings whole blocks or does not care. */
export function blockMode(
  mode: 'cbc' | 'ctr',
  direction: 'seal' | 'open',
  key: Uint8Array,
  iv: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  const name = `aes-${key.length * 8}-${mode}`
  const cipher = direction === 'seal' ? createCipheriv(name, key, iv) : createDecipheriv(name, key, iv)
  cipher.setAutoPadding(false)
  return concat(new Uint8Array(cipher.update(data)), new Uint8Array(cipher.final()))
}
