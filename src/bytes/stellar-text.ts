/** The text form of Stellar keys (SEP-23): version byte, 32 bytes and CRC-16/XMODEM little-endian, in 56 characters of base32. */
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const CHARACTERS = 56
const VERSIONS = { address: 0x30, seed: 0x90, contract: 0x10 } as const
const LETTERS = { address: 'G', seed: 'S', contract: 'C' } as const

export const isBase32 = (character: string): boolean => BASE32.includes(character)
export const STELLAR_CHARACTERS = CHARACTERS

/** Whether a word is G…, S… or C… with the right checksum. Nothing of it is kept. */
export function isStellarText(word: string, kind: keyof typeof VERSIONS): boolean {
  if (word.length !== CHARACTERS || !word.startsWith(LETTERS[kind])) return false
  const bytes = new Uint8Array(35)
  let buffer = 0
  let bits = 0
  let out = 0
  for (let at = 0; at < word.length; at++) {
    const digit = BASE32.indexOf(word.charAt(at))
    if (digit < 0) return false
    buffer = ((buffer << 5) | digit) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes[out++] = (buffer >> bits) & 0xff
  }
  const checksum = (bytes[33] ?? 0) | ((bytes[34] ?? 0) << 8)
  const found = bytes[0] === VERSIONS[kind] && crc16(bytes.subarray(0, 33)) === checksum
  bytes.fill(0)
  return found
}

/** CRC-16/XMODEM: polynomial 0x1021, start 0. */
function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff
  }
  return crc
}
