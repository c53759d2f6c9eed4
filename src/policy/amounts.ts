/** Decimal text to integers, digit by digit: no float and no pattern comes near an amount. */

const STROOPS_MAX = 9_223_372_036_854_775_807n // int64, the protocol's own limit
const DIGITS_MAX = 19

/** `10.5` to 105000000n: digits, at most seven after one point, no sign, no exponent, no superfluous leading zero. */
export function stroopsOf(text: string): bigint | undefined {
  const point = text.indexOf('.')
  const whole = point < 0 ? text : text.slice(0, point)
  const fraction = point < 0 ? '' : text.slice(point + 1)
  if (point >= 0 && (fraction.length === 0 || fraction.length > 7 || !allDigits(fraction))) return undefined
  const units = integerOf(whole)
  if (units === undefined) return undefined
  const stroops = units * 10_000_000n + BigInt(fraction.padEnd(7, '0'))
  return stroops <= STROOPS_MAX ? stroops : undefined
}

/** `100` to 100n. */
export function integerOf(text: string): bigint | undefined {
  if (text.length === 0 || text.length > DIGITS_MAX || !allDigits(text)) return undefined
  if (text.length > 1 && text.startsWith('0')) return undefined
  const value = BigInt(text)
  return value <= STROOPS_MAX ? value : undefined
}

/** Unsigned 64 bits, as muxed ids are. */
export function uint64Of(text: string): bigint | undefined {
  if (text.length === 0 || text.length > DIGITS_MAX + 1 || !allDigits(text)) return undefined
  if (text.length > 1 && text.startsWith('0')) return undefined
  const value = BigInt(text)
  return value < 1n << 64n ? value : undefined
}

const WIDE_DIGITS_MAX = 78 // 2^256 has as many

/** `-5` to -5n: signed, 256 bits at most, as wide as an argument of a contract can be. */
export function wideIntegerOf(text: string): bigint | undefined {
  const negative = text.startsWith('-')
  const digits = negative ? text.slice(1) : text
  if (digits.length === 0 || digits.length > WIDE_DIGITS_MAX || !allDigits(digits)) return undefined
  if (digits.startsWith('0') && (digits.length > 1 || negative)) return undefined
  const value = BigInt(digits)
  if (negative) return value <= 1n << 255n ? -value : undefined
  return value < 1n << 256n ? value : undefined
}

function allDigits(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x30 || code > 0x39) return false
  }
  return true
}
