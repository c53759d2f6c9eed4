import { toBase64 } from '../core/random.ts'

/** An error text as the server's language words it, for callers to put into a frame of theirs. */
export class GoError extends Error {}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const VALUES = new Int8Array(256).fill(-1)
for (let i = 0; i < 64; i++) VALUES[ALPHABET.charCodeAt(i)] = i
const PAD = 0x3d
const isBreak = (byte: number | undefined): boolean => byte === 0x0a || byte === 0x0d

/**
 * Standard base64 with padding; line breaks are skipped, spare bits are not looked at.
 * @throws GoError that names the first byte that does not fit
 */
export function decodeBase64(text: string): Uint8Array {
  const source = new TextEncoder().encode(text)
  const out = new Uint8Array(Math.ceil(source.length / 4) * 3)
  let [at, length] = [0, 0]
  const corrupt = (position: number): GoError => new GoError(`illegal base64 data at input byte ${position}`)
  const skipBreaks = (): void => {
    while (isBreak(source[at])) at++
  }
  for (let ended = false; !ended && at < source.length; ) {
    let [bits, count] = [0, 0]
    while (count < 4) {
      if (at === source.length) {
        if (count === 0) return out.slice(0, length)
        throw corrupt(at - count)
      }
      const byte = source[at++]!
      if (VALUES[byte]! >= 0) {
        bits = bits * 64 + VALUES[byte]!
        count++
        continue
      }
      if (isBreak(byte)) continue
      if (byte !== PAD || count < 2) throw corrupt(at - 1)
      if (count === 2) {
        skipBreaks()
        if (at === source.length) throw corrupt(at)
        if (source[at] !== PAD) throw corrupt(at)
        at++
      }
      skipBreaks()
      if (at < source.length) throw corrupt(at)
      ended = true
      break
    }
    const whole = bits * 64 ** (4 - count)
    for (let i = 0; i < count - 1; i++) out[length++] = Math.floor(whole / 256 ** (2 - i)) % 256
  }
  return out.slice(0, length)
}

export const encodeBase64 = toBase64

export function encodeBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Unpadded URL alphabet. Undefined: not that. */
export function decodeBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined
  return new Uint8Array(Buffer.from(text, 'base64url'))
}

const UNITS: Record<string, number> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 }
const DURATION = /^[+-]?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/

/** Text of a scalar; '' for nothing; JSON of anything else. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  return JSON.stringify(value)
}

/**
 * Seconds from a number, from text of a number, from `1h30m`, or from whole days (`2d`).
 * @throws GoError
 */
export function parseDuration(value: unknown): number {
  if (typeof value === 'number') return value
  const text = textOf(value)
  if (text === '') return 0
  if (/^-?\d+$/.test(text)) return Number(text)
  if (/^\d+d$/.test(text)) return Number(text.slice(0, -1)) * 86_400
  if (!DURATION.test(text)) throw new GoError(`time: invalid duration ${JSON.stringify(text)}`)
  let seconds = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    seconds += Number(amount) * UNITS[unit!]!
  return Math.trunc(text.startsWith('-') ? -seconds : seconds)
}

/** `768h`, `1h30m`, `10s`. */
export function formatDuration(seconds: number): string {
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  const rest = seconds % 60
  const text = `${hours > 0 ? `${hours}h` : ''}${minutes > 0 ? `${minutes}m` : ''}${rest > 0 ? `${rest}s` : ''}`
  return text === '' ? '0s' : text
}

/** RFC 3339 with as many decimals as there are. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.?0*Z$/, 'Z')
}

/** @param text  of JSON. @throws GoError that words the first trouble roughly as the server does */
export function parseJson(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new GoError(`failed to decode JSON input: ${whatIsWrong(text)}`)
  }
  if (value === null) return {}
  if (Array.isArray(value) || typeof value !== 'object') {
    const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
    throw new GoError(
      `failed to decode JSON input: json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`,
    )
  }
  return value as Record<string, unknown>
}

/** The longest beginning that could still become JSON ends before the character that is wrong. */
function whatIsWrong(text: string): string {
  const trimmed = text.trim()
  for (let length = trimmed.length - 1; length > 0; length--) {
    try {
      JSON.parse(trimmed.slice(0, length))
      const rest = trimmed.slice(length).trim()
      return `invalid character '${rest[0]}' looking for beginning of value`
    } catch {
      // not a whole value yet
    }
    if (trimmed.length - length > 256) break
  }
  const offender = trimmed.replace(/^\{\s*/, '')[0]
  return offender === undefined ? 'unexpected EOF' : `invalid character '${offender}' looking for beginning of value`
}
