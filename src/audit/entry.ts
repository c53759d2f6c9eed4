/** An entry as JSON text: one line, capped, with nothing in it that a terminal, a log viewer or a parser takes for more than text. */
import type { AuditEntry } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import { RECORD_BYTES_MAX } from './frame.ts'

/** Characters a field may have. */
export const FIELD_CHARS_MAX = 2_048
/** Bytes kept free for `seq`, `time`, `instance`, `prev` and `batch`. */
export const PLACE_BYTES = 768
export const INSTANCE_CHARS_MAX = 64

/** Sentences: cutting them loses words, not meaning. All other strings are exact or refused. */
const SENTENCES = new Set(['summary', 'reason', 'rule', 'subject', 'peer', 'errorCode', 'providerRequestId', 'tokenId'])
/** The log writes these; an entry that brings them along tries to look like another record. */
const RESERVED = new Set(['seq', 'time', 'instance', 'prev', 'batch'])
const DEPTH_MAX = 4

/** DEL, C1 (0x9b starts an ANSI sequence), Arabic letter mark, zero-width and bidirectional controls, line separators, BOM. */
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g
const escape = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`

/** JSON text of a string. Lone surrogates come out as escapes too (well-formed JSON.stringify). */
export const quote = (text: string): string => JSON.stringify(text).replace(UNSAFE, escape)

/** @throws `request/malformed`, `request/too-large`; nothing is cut that has to be exact */
export function entryText(entry: AuditEntry): string {
  for (const sentenceMax of [FIELD_CHARS_MAX, 256, 32]) {
    const text = object(entry as unknown as Record<string, unknown>, '', sentenceMax, 1)
    if (utf8Length(text) <= RECORD_BYTES_MAX - PLACE_BYTES) return text
  }
  throw new SignerError('request/too-large', { limitBytes: RECORD_BYTES_MAX - PLACE_BYTES })
}

function object(value: Record<string, unknown>, path: string, sentenceMax: number, depth: number): string {
  const parts: string[] = []
  for (const name of Object.keys(value)) {
    const inside = value[name]
    if (inside === undefined) continue
    const where = path === '' ? name : `${path}.${name}`
    if (path === '' && RESERVED.has(name)) throw malformed(where, 'the log writes this field itself')
    if (name.length > FIELD_CHARS_MAX) throw new SignerError('request/too-large', { limitBytes: FIELD_CHARS_MAX })
    const sentence = SENTENCES.has(name) || path === 'detail'
    parts.push(`${quote(name)}:${json(inside, where, sentence ? sentenceMax : undefined, sentenceMax, depth)}`)
  }
  return `{${parts.join(',')}}`
}

function json(value: unknown, where: string, cut: number | undefined, sentenceMax: number, depth: number): string {
  switch (typeof value) {
    case 'string':
      if (cut !== undefined) return quote(shorten(value, cut))
      if (value.length > FIELD_CHARS_MAX) throw new SignerError('request/too-large', { limitBytes: FIELD_CHARS_MAX })
      return quote(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      if (!Number.isFinite(value)) throw malformed(where, 'the number is not finite')
      return JSON.stringify(value)
    case 'object':
      if (value === null || !isPlain(value) || depth >= DEPTH_MAX) throw malformed(where, 'this is not plain data')
      return object(value as Record<string, unknown>, where, sentenceMax, depth + 1)
    default:
      throw malformed(where, `a ${typeof value} has no place in a record`)
  }
}

/** Class instances (a Secret, an Error, bytes) never reach the log by accident. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Cuts and says so; never through a surrogate pair. */
export function shorten(text: string, max: number): string {
  if (text.length <= max) return text
  const last = text.charCodeAt(max - 1)
  const kept = last >= 0xd800 && last <= 0xdbff ? max - 1 : max
  return `${text.slice(0, kept)}…[+${text.length - kept}]`
}

/** Of JSON text that `quote` made, in which every surrogate stands in a pair. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x80) continue
    // A surrogate pair is two units and four bytes: one more for each half.
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2
  }
  return bytes
}

const malformed = (field: string, reason: string): SignerError =>
  new SignerError('request/malformed', {
    field: `audit.${field}`,
    reason,
    fix: 'Give strings, finite numbers, booleans or plain objects.',
  })
