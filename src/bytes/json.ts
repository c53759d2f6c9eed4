import { SignerError } from '../domain/errors.ts'

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

export interface StrictJsonOptions {
  /** Arrays and objects inside each other; the outermost counts as one. */
  readonly maxDepth?: number
}

const DEPTH_MAX = 16
const FIELD_CHARACTERS_MAX = 120

/**
 * JSON that two parsers cannot read differently (RFC 8259, I-JSON of RFC 7493).
 *
 * On top of the grammar it refuses what readers are known to disagree on: a name twice in one object, `__proto__` as a
 * name, text that is not UTF-8, a byte order mark, surrogates without their partner, integers beyond 2^53 − 1 and
 * numbers beyond the range of a double.
 *
 * @throws `request/malformed`; `field` is a JSON pointer (RFC 6901) to the place, or `body` for the whole.
 */
export function parseStrictJson(bytes: Uint8Array, options: StrictJsonOptions = {}): Json {
  const reader: Reader = { text: decode(bytes), at: 0, path: [], maxDepth: options.maxDepth ?? DEPTH_MAX }
  skipSpace(reader)
  const value = readValue(reader)
  skipSpace(reader)
  if (reader.at < reader.text.length) throw refuse(reader, 'there is text after the end of the value')
  return value
}

interface Reader {
  readonly text: string
  at: number
  readonly path: (string | number)[]
  readonly maxDepth: number
}

function decode(bytes: Uint8Array): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw malformed('body', 'it starts with a byte order mark', 'Send the JSON without the mark')
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw malformed('body', 'it is not valid UTF-8', 'Send the JSON as UTF-8')
  }
}

function readValue(reader: Reader): Json {
  switch (reader.text[reader.at]) {
    case '{':
      return readObject(reader)
    case '[':
      return readArray(reader)
    case '"':
      return readString(reader)
    case 't':
      return readWord(reader, 'true', true)
    case 'f':
      return readWord(reader, 'false', false)
    case 'n':
      return readWord(reader, 'null', null)
    default:
      return readNumber(reader)
  }
}

function readObject(reader: Reader): Json {
  const object: { [name: string]: Json } = {}
  if (opensEmpty(reader, '}')) return object
  do {
    skipSpace(reader)
    if (reader.text[reader.at] !== '"') throw refuse(reader, 'a member name in double quotes is missing')
    const name = readString(reader)
    reader.path.push(name)
    if (name === '__proto__') {
      throw refuse(reader, 'this name is not allowed', 'Use another name')
    }
    if (Object.hasOwn(object, name)) {
      throw refuse(reader, 'the name appears twice in one object', 'Send every name once')
    }
    skipSpace(reader)
    if (reader.text[reader.at++] !== ':') throw refuse(reader, 'the colon after the name is missing')
    skipSpace(reader)
    object[name] = readValue(reader)
    reader.path.pop()
  } while (goesOn(reader, '}'))
  return object
}

function readArray(reader: Reader): Json {
  const array: Json[] = []
  if (opensEmpty(reader, ']')) return array
  do {
    skipSpace(reader)
    reader.path.push(array.length)
    array.push(readValue(reader))
    reader.path.pop()
  } while (goesOn(reader, ']'))
  return array
}

/** Steps over the opening bracket, and over the closing one when nothing stands between. */
function opensEmpty(reader: Reader, close: string): boolean {
  // Every open array or object has its place on the path, so the path is as long as the nesting is deep.
  if (reader.path.length >= reader.maxDepth) {
    throw refuse(reader, `it is nested more than ${reader.maxDepth} deep`, 'Send a flatter document')
  }
  reader.at++
  skipSpace(reader)
  if (reader.text[reader.at] !== close) return false
  reader.at++
  return true
}

/** After a member: true at a comma, false at the closing bracket. */
function goesOn(reader: Reader, close: string): boolean {
  skipSpace(reader)
  const next = reader.text[reader.at++]
  if (next === ',') return true
  if (next === close) return false
  throw refuse(reader, `a comma or ${close} is missing`)
}

function readWord<T extends Json>(reader: Reader, word: string, value: T): T {
  if (!reader.text.startsWith(word, reader.at)) throw refuse(reader, 'this is no JSON value')
  reader.at += word.length
  return value
}

function readNumber(reader: Reader): number {
  const start = reader.at
  if (reader.text[reader.at] === '-') reader.at++
  if (reader.text[reader.at] === '0') reader.at++
  else skipDigits(reader)
  let whole = true
  if (reader.text[reader.at] === '.') {
    whole = false
    reader.at++
    skipDigits(reader)
  }
  if (reader.text[reader.at] === 'e' || reader.text[reader.at] === 'E') {
    whole = false
    reader.at++
    if (reader.text[reader.at] === '+' || reader.text[reader.at] === '-') reader.at++
    skipDigits(reader)
  }
  const value = Number(reader.text.slice(start, reader.at))
  // Such numbers change on their way through a double. An amount that changes is not the amount that was approved.
  if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
    throw refuse(reader, 'the number does not fit a double without loss', 'Send it as a string')
  }
  return value
}

/** At least one. */
function skipDigits(reader: Reader): void {
  const start = reader.at
  for (let code = reader.text.charCodeAt(reader.at); code >= 0x30 && code <= 0x39; ) {
    code = reader.text.charCodeAt(++reader.at)
  }
  if (reader.at === start) throw refuse(reader, 'this is no JSON value')
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

function readString(reader: Reader): string {
  let value = ''
  let from = ++reader.at
  let escaped = false
  for (;;) {
    const code = reader.text.charCodeAt(reader.at)
    if (Number.isNaN(code)) throw refuse(reader, 'a string does not end')
    if (code < 0x20) throw refuse(reader, 'a string holds a control character', 'Escape it')
    if (code !== 0x22 && code !== 0x5c) {
      reader.at++
      continue
    }
    value += reader.text.slice(from, reader.at++)
    if (code === 0x22) break
    value += readEscape(reader)
    escaped = true
    from = reader.at
  }
  // Strict UTF-8 has no surrogates of its own, so only an escape can bring one without its partner.
  if (escaped && !value.isWellFormed()) throw refuse(reader, 'a string holds half of a surrogate pair')
  return value
}

function readEscape(reader: Reader): string {
  const letter = reader.text[reader.at++] ?? ''
  const plain = ESCAPES.get(letter)
  if (plain !== undefined) return plain
  const digits = reader.text.slice(reader.at, reader.at + 4)
  if (letter !== 'u' || !/^[0-9A-Fa-f]{4}$/.test(digits)) throw refuse(reader, 'a string holds an unknown escape')
  reader.at += 4
  return String.fromCharCode(Number.parseInt(digits, 16))
}

function skipSpace(reader: Reader): void {
  for (;;) {
    const code = reader.text.charCodeAt(reader.at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
    reader.at++
  }
}

function refuse(reader: Reader, reason: string, fix = 'Send valid JSON'): SignerError<'request/malformed'> {
  const pointer = reader.path.map(step => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  const field = pointer === '' ? 'body' : pointer.slice(0, FIELD_CHARACTERS_MAX).toWellFormed()
  return malformed(field, reason, fix)
}

const malformed = (field: string, reason: string, fix: string): SignerError<'request/malformed'> =>
  new SignerError('request/malformed', { field, reason: `The JSON cannot be read: ${reason}`, fix })
