import { fromBase64, toBase64 } from '../../src/bytes/base64.ts'
import { secretRoom } from '../../src/bytes/secret-room.ts'
import type { EnvelopeContext } from '../../src/domain/provider.ts'
import { encodeBase64Bytes } from '../base64-bytes.ts'
import { contextBytes } from '../context-bytes.ts'
import type { JsonObject } from './wire.ts'

/** Nonce (12) and tag (16) beside up to 4096 bytes, in base64, behind the prefix. */
const CIPHERTEXT_BYTES_MAX = 6144
const TEXT = new TextEncoder()

/** `associated_data` of a context. To open a row by hand: `printf '{"pubkey":"G…"}' | base64`. */
const associatedData = (context: EnvelopeContext): string => toBase64(contextBytes(context))

/**
 * Body of `encrypt`, as bytes, because it holds the plaintext; whoever asks wipes it.
 *
 * `type` is our guard: Vault reads it only when the key does not exist and the policy would let it make one, and then it
 * must be a type that can encrypt. This one cannot, so a missing key stays missing whatever the policy says, in the same
 * request; a key that exists is not touched by it. (`convergent_encryption` without a context would do the same.)
 */
export function encryptBody(plaintext: Uint8Array, context: EnvelopeContext): Uint8Array {
  const secret = encodeBase64Bytes(plaintext)
  try {
    const before = TEXT.encode('{"plaintext":"')
    const after = TEXT.encode(`","associated_data":"${associatedData(context)}","type":"ecdsa-p256"}`)
    const body = secretRoom(before.length + secret.length + after.length)
    body.set(before)
    body.set(secret, before.length)
    body.set(after, before.length + secret.length)
    return body
  } finally {
    secret.fill(0)
  }
}

export const decryptBody = ({ text }: Versioned, context: EnvelopeContext): JsonObject => ({
  ciphertext: text,
  associated_data: associatedData(context),
})

/** `vault:vN:BASE64`: what Transit calls a ciphertext or a signature. */
export interface Versioned {
  readonly text: string
  readonly version: number
  readonly bytes: Uint8Array
}

/**
 * Strict: one text for one value. Vault would also take version 0 for version 1 and base64 with line breaks or surplus
 * bits, so that a row could be changed and still open.
 */
export function parseVersioned(text: unknown): Versioned | undefined {
  if (typeof text !== 'string' || text.length > CIPHERTEXT_BYTES_MAX) return undefined
  const [vendor, version = '', base64 = '', ...rest] = text.split(':')
  if (vendor !== 'vault' || rest.length > 0 || !/^v[1-9][0-9]{0,8}$/.test(version)) return undefined
  const bytes = fromBase64(base64)
  return bytes === undefined || bytes.length === 0 ? undefined : { text, version: Number(version.slice(1)), bytes }
}

/** Rows keep the ciphertext as Vault spells it, in ASCII. */
export function parseCiphertext(row: Uint8Array): Versioned | undefined {
  if (row.length > CIPHERTEXT_BYTES_MAX || row.some(byte => byte < 0x21 || byte > 0x7e)) return undefined
  return parseVersioned(new TextDecoder().decode(row))
}

export const rowOf = ({ text }: Versioned): Uint8Array => TEXT.encode(text)
