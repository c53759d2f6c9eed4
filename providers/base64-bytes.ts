/**
 * RFC 4648 §4 base64 from bytes to bytes, for secrets: no string in between, and no branch and no table index
 * that depends on a secret character. Strict: canonical padding, zero tail bits, no white space.
 */

import { secretRoom } from '../src/bytes/secret-room.ts'

/** @returns undefined when `text` is not canonical base64. The caller owns the result. */
export function decodeBase64Bytes(text: Uint8Array): Uint8Array | undefined {
  const length = text.length
  if (length % 4 !== 0) return undefined
  const padding = length === 0 ? 0 : text[length - 1] !== 0x3d ? 0 : text[length - 2] !== 0x3d ? 1 : 2
  const out = secretRoom((length / 4) * 3 - padding)
  let bad = 0
  for (let at = 0, to = 0; at < length; at += 4, to += 3) {
    const last = at + 4 === length
    let word = 0
    for (let i = 0; i < 4; i++) {
      const padded = last && i >= 4 - padding
      const value = padded ? 0 : sextet(text[at + i] ?? 0)
      bad |= value >> 6
      word = (word << 6) | (value & 63)
    }
    for (let i = 0; i < 3; i++) {
      const byte = (word >> (16 - 8 * i)) & 0xff
      if (to + i < out.length) out[to + i] = byte
      else bad |= byte
    }
  }
  if (bad === 0) return out
  out.fill(0)
  return undefined
}

/** 0 to 63, or -1 (all bits set) for a character outside the alphabet. */
function sextet(c: number): number {
  let value = -1
  value += within(c, 0x41, 0x5a) & (c - 0x41 + 1)
  value += within(c, 0x61, 0x7a) & (c - 0x61 + 27)
  value += within(c, 0x30, 0x39) & (c - 0x30 + 53)
  value += within(c, 0x2b, 0x2b) & 63
  value += within(c, 0x2f, 0x2f) & 64
  return value
}

/** All bits set when `low` ≤ `c` ≤ `high`, else 0. */
const within = (c: number, low: number, high: number): number => ((low - 1 - c) & (c - high - 1)) >> 31

/** @returns padded base64 as ASCII, in room of its own. The caller owns both and wipes both. */
export function encodeBase64Bytes(bytes: Uint8Array): Uint8Array {
  const out = secretRoom(Math.ceil(bytes.length / 3) * 4)
  for (let at = 0, to = 0; at < bytes.length; at += 3, to += 4) {
    const left = bytes.length - at
    const word = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    out[to] = character(word >> 18)
    out[to + 1] = character((word >> 12) & 63)
    out[to + 2] = left > 1 ? character((word >> 6) & 63) : 0x3d
    out[to + 3] = left > 2 ? character(word & 63) : 0x3d
  }
  return out
}

/** The character of 0 to 63, without a branch or a table. */
function character(value: number): number {
  let code = value + 0x41
  code += within(value, 26, 63) & 6 // a
  code += within(value, 52, 63) & -75 // 0
  code += within(value, 62, 63) & -15 // +
  code += within(value, 63, 63) & 3 // /
  return code
}
