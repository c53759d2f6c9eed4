/** Hexadecimal without prefix. Not for secrets: the result of `toHex` is a string, and strings cannot be wiped. */
const BYTES = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, '0'))

/** @returns lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  const native = (bytes as { toHex?(): string }).toHex?.() // ECMAScript 2026, where the runtime has it
  if (native !== undefined) return native
  let text = ''
  for (const byte of bytes) text += BYTES[byte]
  return text
}

/**
 * @param letters  which case the digits a–f may have; `any` also takes a mixture.
 * @returns the bytes, or `undefined` for an odd length or any other character (`0x`, whitespace, sign).
 */
export function fromHex(text: string, letters: 'lower' | 'upper' | 'any' = 'any'): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined
  const bytes = new Uint8Array(text.length / 2)
  for (let at = 0; at < bytes.length; at++) {
    const high = digit(text.charCodeAt(2 * at), letters)
    const low = digit(text.charCodeAt(2 * at + 1), letters)
    if (high < 0 || low < 0) return undefined
    bytes[at] = (high << 4) | low
  }
  return bytes
}

function digit(code: number, letters: 'lower' | 'upper' | 'any'): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  if (code >= 0x61 && code <= 0x66 && letters !== 'upper') return code - 0x61 + 10
  if (code >= 0x41 && code <= 0x46 && letters !== 'lower') return code - 0x41 + 10
  return -1
}
