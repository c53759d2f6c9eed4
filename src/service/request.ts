import canonicalize from 'canonicalize'
import { toHex } from '../bytes/hex.ts'
import { parseStrictJson } from '../bytes/json.ts'
import { sha256 } from '../bytes/sha256.ts'
import { SignerError, malformed } from '../domain/errors.ts'

const IDEMPOTENCY_KEY_MAX = 255

/**
 * The caller's Idempotency-Key: 1 to 255 printable ASCII characters, plain or as a quoted structured-field string
 * (draft-ietf-httpapi-idempotency-key-header-07).
 * @param room  characters that must be left for what is put behind it
 */
export function readIdempotencyKey(header: string | undefined, room = 0): string {
  if (header === undefined || header === '') throw new SignerError('idempotency/missing', { header: 'Idempotency-Key' })
  const quoted = header.length >= 2 && header.startsWith('"') && header.endsWith('"')
  const key = quoted ? header.slice(1, -1) : header
  const most = IDEMPOTENCY_KEY_MAX - room
  if (key.length === 0 || key.length > most) {
    throw new SignerError('idempotency/malformed', {
      reason: `needs 1 to ${most} characters, has ${key.length}`,
    })
  }
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i)
    if (code < 0x21 || code > 0x7e || code === 0x22 || code === 0x5c || code === 0x2c) {
      throw new SignerError('idempotency/malformed', {
        reason: `character ${i + 1} is not allowed: use letters, digits and - _ . : / only, for example a UUID`,
      })
    }
  }
  return key
}

/** The request body: one strict JSON object with a `type`. Fields are checked by the chain module that knows the type. */
export function readPayload(body: Uint8Array, bodyBytesMax: number): { readonly type: string } {
  if (body.length > bodyBytesMax) throw new SignerError('request/too-large', { limitBytes: bodyBytesMax })
  const json = parseStrictJson(body)
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw malformed('', 'the body is not a JSON object', 'send {"type":"stellar-transaction","xdr":"…"}')
  }
  const { type } = json as { type?: unknown }
  if (typeof type !== 'string') {
    throw malformed(
      'type',
      `is ${type === undefined ? 'missing' : 'not a string'}`,
      'send "type":"stellar-transaction"',
    )
  }
  return json as { readonly type: string }
}

/** @param example what to send instead */
export function objectOf(value: unknown, field: string, example: string): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw malformed(field, 'is not a JSON object', example)
}

/**
 * What an idempotency key stands for: this key, this payload, whatever the spelling of the JSON (RFC 8785), and the version
 * where one was asked for by number.
 */
export function fingerprintOf(key: string, payload: object, version?: number): string {
  const facts = version === undefined ? [key, payload] : [key, payload, version]
  return toHex(sha256(new TextEncoder().encode(canonicalize(facts))))
}
