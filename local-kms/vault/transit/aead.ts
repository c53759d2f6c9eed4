import { gcm } from '@noble/ciphers/aes.js'
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concat, type Random } from '../../core/random.ts'
import { deriveByCounter, deriveBytes } from './material.ts'
import { rowOf, type KeyType } from './types.ts'

const NONCE_BYTES: Partial<Record<KeyType, number>> = { 'xchacha20-poly1305': 24 }

const cipherOf = (type: KeyType, key: Uint8Array, nonce: Uint8Array, aad: Uint8Array | undefined) => {
  if (type === 'chacha20-poly1305') return chacha20poly1305(key, nonce, aad)
  if (type === 'xchacha20-poly1305') return xchacha20poly1305(key, nonce, aad)
  return gcm(key, nonce, aad)
}

export interface AeadJob {
  readonly type: KeyType
  readonly material: Uint8Array
  /** Derived keys only. */
  readonly context: Uint8Array | undefined
  /** The same plaintext in the same context always gives the same ciphertext. */
  readonly convergent: boolean
  /** Derived by counter, not by HKDF. */
  readonly imported: boolean
  readonly associatedData: Uint8Array | undefined
}

/** Derived keys come out of HKDF; convergent ones bring a second key along that makes nonces of plaintexts. */
function keysOf({ type, material, context, convergent, imported }: AeadJob): { key: Uint8Array; nonceKey: Uint8Array } {
  const { bytes } = rowOf(type)
  if (context === undefined) return { key: material, nonceKey: new Uint8Array(0) }
  if (imported) return { key: deriveByCounter(material, context, bytes), nonceKey: new Uint8Array(0) }
  const derived = deriveBytes(material, context, bytes + (convergent ? 32 : 0))
  return { key: derived.subarray(0, bytes), nonceKey: derived.subarray(bytes) }
}

/** nonce ‖ ciphertext ‖ tag */
export function seal(job: AeadJob, plaintext: Uint8Array, random: Random): Uint8Array {
  const length = NONCE_BYTES[job.type] ?? 12
  const { key, nonceKey } = keysOf(job)
  const nonce = job.convergent ? hmac(sha256, nonceKey, plaintext).subarray(0, length) : random.bytes(length)
  return concat(nonce, cipherOf(job.type, key, nonce, job.associatedData).encrypt(plaintext))
}

/** Undefined: it is too short; null: it does not open. */
export function open(job: AeadJob, sealed: Uint8Array): Uint8Array | undefined | null {
  const length = NONCE_BYTES[job.type] ?? 12
  if (sealed.length < length) return undefined
  const { key } = keysOf(job)
  try {
    return cipherOf(job.type, key, sealed.subarray(0, length), job.associatedData).decrypt(sealed.subarray(length))
  } catch {
    return null
  }
}
