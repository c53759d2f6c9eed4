import { fromBase64Url } from './base64.ts'
import { parseStrictJson } from './json.ts'

/** A JWS in compact form (RFC 7515 §7.1), taken apart and not believed. */
export interface CompactJws {
  readonly header: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

/**
 * Strict about spelling before anything is decoded, so that a token has one text (T09).
 * @returns undefined unless it is three parts of canonical base64url, none of them empty.
 */
export function readCompact(text: string): CompactJws | undefined {
  const parts = text.split('.', 4)
  const [header, payload, signature] = parts.map(part => (part === '' ? undefined : fromBase64Url(part)))
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) return undefined
  return { header, payload, signature }
}

/** @returns undefined unless the bytes are one JSON object that every parser reads alike. */
export function readJsonObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value = parseStrictJson(bytes)
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether the object has exactly these members; `optional` ones may be missing. */
export function hasExactly(
  object: Readonly<Record<string, unknown>>,
  required: readonly string[],
  optional: readonly string[] = [],
): boolean {
  const members = Object.keys(object)
  return (
    required.every(name => members.includes(name)) &&
    members.every(name => required.includes(name) || optional.includes(name))
  )
}
