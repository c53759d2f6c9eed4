/**
 * Finds what looks like a private key in a text. Detection only: nothing is decoded to be used, and no caller ever gets
 * more than yes or no.
 */
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
/** S… of Stellar: version byte 0x90, 32 bytes, CRC-16/XMODEM little-endian, in 56 characters of base32 (SEP-23). */
const SEED_CHARACTERS = 56
const SEED_VERSION = 0x90

/** Whether a valid Stellar secret seed stands anywhere in the text. */
export function holdsStellarSeed(text: string): boolean {
  let run = 0
  for (let at = 0; at < text.length; at++) {
    run = BASE32.includes(text.charAt(at)) ? run + 1 : 0
    if (run >= SEED_CHARACTERS && isSeed(text.slice(at + 1 - SEED_CHARACTERS, at + 1))) return true
  }
  return false
}

function isSeed(word: string): boolean {
  if (!word.startsWith('S')) return false
  const bytes = new Uint8Array(35)
  let buffer = 0
  let bits = 0
  let out = 0
  for (let at = 0; at < word.length; at++) {
    buffer = ((buffer << 5) | BASE32.indexOf(word.charAt(at))) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes[out++] = (buffer >> bits) & 0xff
  }
  const checksum = (bytes[33] ?? 0) | ((bytes[34] ?? 0) << 8)
  const found = bytes[0] === SEED_VERSION && crc16(bytes.subarray(0, 33)) === checksum
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

const TELLING = ['PRIVATE_KEY', 'PRIVATEKEY', 'SECRET', 'SEED', 'SIGNING_KEY', 'SIGNER_KEY']

/** 32 bytes of hex could be anything, so the name of the variable decides. */
export function holdsRawEvmKey(variable: string, value: string): boolean {
  const name = variable.toUpperCase()
  return TELLING.some(word => name.includes(word)) && /^(0x)?[0-9a-fA-F]{64}$/.test(value.trim())
}
