import { createCipheriv, createDecipheriv } from 'node:crypto'
import { sha256 } from '@noble/hashes/sha2.js'
import { concat, equalBytes, fromHex, type Random, toHex } from '../core/random.ts'

/**
 * What symmetric encryption gives out, AES-256-GCM throughout:
 *
 *     "LKMS" 01 | length of key id, key id | key material id, 32 bytes | check, 4 | nonce, 12 | ciphertext | tag, 16
 *
 * Everything before the nonce is bound as associated data together with the encryption context, so that a blob moved to
 * another key, another material or another context does not open. The check (start of SHA-256 over what stands before it)
 * only tells a damaged frame from one that names a key that is gone. The real service's blobs look different (README).
 */
export interface SealedBlob {
  readonly keyId: string
  readonly materialId: string
  readonly header: Uint8Array
  readonly nonce: Uint8Array
  readonly sealed: Uint8Array
}

const MAGIC = Uint8Array.of(0x4c, 0x4b, 0x4d, 0x53, 0x01)
const NONCE_BYTES = 12
const TAG_BYTES = 16
const CHECK_BYTES = 4

export type EncryptionContext = ReadonlyMap<string, string>

/**
 * Injective: entries sorted by the UTF-8 bytes of the name, then the count, then every name and value behind its length.
 * An absent context and an empty one are the same.
 */
export function encodeContext(context: EncryptionContext | undefined): Uint8Array {
  const utf8 = new TextEncoder()
  const entries = [...(context ?? [])].map(([name, value]) => [utf8.encode(name), utf8.encode(value)] as const)
  entries.sort(([a], [b]) => Buffer.compare(a, b))
  return concat(length(entries.length), ...entries.flatMap(pair => pair.flatMap(part => [length(part.length), part])))
}

function length(value: number): Uint8Array {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value)
  return out
}

export function seal(
  key: { id: string; materialId: string; material: Uint8Array },
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
  random: Random,
): Uint8Array {
  const id = new TextEncoder().encode(key.id)
  const frame = concat(MAGIC, Uint8Array.of(id.length), id, fromHex(key.materialId))
  const header = concat(frame, sha256(frame).subarray(0, CHECK_BYTES))
  const nonce = random.bytes(NONCE_BYTES)
  return concat(header, nonce, gcmSeal(key.material, nonce, plaintext, associated(header, context)))
}

/** Undefined: these bytes were never made here, or their frame is damaged. */
export function parseBlob(blob: Uint8Array): SealedBlob | undefined {
  if (MAGIC.some((byte, i) => blob[i] !== byte)) return undefined
  const idEnd = MAGIC.length + 1 + (blob[MAGIC.length] ?? 0)
  const frameEnd = idEnd + 32
  const headerEnd = frameEnd + CHECK_BYTES
  if (blob.length < headerEnd + NONCE_BYTES + TAG_BYTES) return undefined
  const check = sha256(blob.subarray(0, frameEnd)).subarray(0, CHECK_BYTES)
  if (!equalBytes(check, blob.subarray(frameEnd, headerEnd))) return undefined
  return {
    keyId: new TextDecoder().decode(blob.subarray(MAGIC.length + 1, idEnd)),
    materialId: toHex(blob.subarray(idEnd, frameEnd)),
    header: blob.subarray(0, headerEnd),
    nonce: blob.subarray(headerEnd, headerEnd + NONCE_BYTES),
    sealed: blob.subarray(headerEnd + NONCE_BYTES),
  }
}

/** Undefined: wrong context, wrong key or damage; which of them is not told. */
export function unseal(
  blob: SealedBlob,
  material: Uint8Array,
  context: EncryptionContext | undefined,
): Uint8Array | undefined {
  return gcmOpen(material, blob.nonce, blob.sealed, associated(blob.header, context))
}

const associated = (header: Uint8Array, context: EncryptionContext | undefined): Uint8Array =>
  concat(length(header.length), header, encodeContext(context))

/** @returns ciphertext ‖ tag. */
export function gcmSeal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(aad)
  return concat(
    new Uint8Array(cipher.update(plaintext)),
    new Uint8Array(cipher.final()),
    new Uint8Array(cipher.getAuthTag()),
  )
}

export function gcmOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array,
): Uint8Array | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const plaintext = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES))
  try {
    return concat(new Uint8Array(plaintext), new Uint8Array(decipher.final()))
  } catch {
    return undefined
  }
}
