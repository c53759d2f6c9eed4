/**
 * Just enough JSON over bytes to take one member out of an answer before anything turns the answer into text.
 * Strings cannot be overwritten in JavaScript; bytes can. Also the place where duplicate members are refused (RFC 8259
 * §4 leaves their meaning open, and two readers of one answer must not see two keys).
 */
export interface Member {
  readonly name: string
  /** Half-open range of the value in the scanned bytes. */
  readonly from: number
  readonly to: number
}

export class ScanError extends Error {}

const DEPTH_MAX = 16
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a

/**
 * @param bytes one JSON object, nothing after it but white space.
 * @returns its own members, in order. Escapes in member names are refused at every level: no name of a key service needs one.
 * @throws ScanError; its message never quotes the input.
 */
export function scanObject(bytes: Uint8Array): Member[] {
  const start = skipSpace(bytes, 0)
  if (bytes[start] !== 0x7b) throw new ScanError('not a JSON object')
  const members: Member[] = []
  const end = skipObject(bytes, start, 0, members)
  if (skipSpace(bytes, end) !== bytes.length) throw new ScanError('something follows the JSON object')
  return members
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  for (; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
  }
  return at
}

function skipValue(bytes: Uint8Array, at: number, depth: number): number {
  if (depth > DEPTH_MAX) throw new ScanError('nested too deeply')
  switch (bytes[at]) {
    case 0x7b:
      return skipObject(bytes, at, depth, undefined)
    case 0x5b:
      return skipArray(bytes, at, depth)
    case QUOTE:
      return skipString(bytes, at)
    default:
      return skipWord(bytes, at)
  }
}

function skipObject(bytes: Uint8Array, start: number, depth: number, members: Member[] | undefined): number {
  const seen = new Set<string>()
  let at = skipSpace(bytes, start + 1)
  if (bytes[at] === 0x7d) return at + 1
  for (;;) {
    const nameEnd = skipString(bytes, at)
    const name = plainName(bytes, at + 1, nameEnd - 1)
    if (seen.has(name)) throw new ScanError('a member occurs twice')
    seen.add(name)
    at = skipSpace(bytes, nameEnd)
    if (bytes[at] !== COLON) throw new ScanError('a colon is missing')
    const from = skipSpace(bytes, at + 1)
    const to = skipValue(bytes, from, depth + 1)
    members?.push({ name, from, to })
    at = skipSpace(bytes, to)
    if (bytes[at] === 0x7d) return at + 1
    if (bytes[at] !== COMMA) throw new ScanError('a comma is missing')
    at = skipSpace(bytes, at + 1)
  }
}

function skipArray(bytes: Uint8Array, start: number, depth: number): number {
  let at = skipSpace(bytes, start + 1)
  if (bytes[at] === 0x5d) return at + 1
  for (;;) {
    at = skipSpace(bytes, skipValue(bytes, at, depth + 1))
    if (bytes[at] === 0x5d) return at + 1
    if (bytes[at] !== COMMA) throw new ScanError('a comma is missing')
    at = skipSpace(bytes, at + 1)
  }
}

/** From the opening quote to past the closing one. What an escape means is left to the parser that comes after. */
function skipString(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== QUOTE) throw new ScanError('a string is missing')
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === QUOTE) return at + 1
    if (byte < 0x20) throw new ScanError('a control character in a string')
    if (byte === BACKSLASH) at++
  }
  throw new ScanError('a string does not end')
}

function plainName(bytes: Uint8Array, from: number, to: number): string {
  const name = bytes.subarray(from, to)
  if (name.length > 128) throw new ScanError('a member name is too long')
  if (name.some(byte => byte === BACKSLASH || byte > 0x7e)) throw new ScanError('a member name is escaped or not ASCII')
  return String.fromCharCode(...name)
}

/** Numbers and literals by their characters; the parser that comes after judges their form. */
function skipWord(bytes: Uint8Array, start: number): number {
  let at = start
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    const wordy =
      (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a) || [0x2b, 0x2d, 0x2e, 0x45].includes(byte)
    if (!wordy) break
  }
  if (at === start) throw new ScanError('a value is missing')
  return at
}

/** The bytes of `body` with the value at `member` replaced; `body` is untouched. */
export function withValue(body: Uint8Array, member: Member, value: Uint8Array): Uint8Array {
  const out = new Uint8Array(member.from + value.length + body.length - member.to)
  out.set(body.subarray(0, member.from), 0)
  out.set(value, member.from)
  out.set(body.subarray(member.to), member.from + value.length)
  return out
}
