/**
 * The private key inside an opened envelope, found without a string and without an ASN.1 tree: both would leave copies
 * that cannot be wiped. Five forms are known, each of a fixed length with a fixed beginning; anything else is refused.
 */
import { equalBytes } from '../bytes/equal.ts'
import { type Frame, PKCS8_FRAMES } from '../bytes/pkcs8.ts'
import { secretRoom } from '../bytes/secret-room.ts'
import type { Scheme } from '../domain/provider.ts'

export interface OpenedSeed {
  /** 32 bytes; a view of the plaintext, or room of our own that `wipe` clears. */
  readonly seed: Uint8Array
  /** What the envelope says the public key is, where its form says so. Still to be compared with the pin. */
  readonly statedPublicKey?: Uint8Array
  wipe(): void
}

const nothingToWipe = (): void => {}

/**
 * @param plaintext  32 raw bytes; PKCS#8 (48 or 83 bytes for Ed25519, 64 or 135 for secp256k1); for Ed25519 also the 56
 *                   ASCII characters of a Stellar secret key (SEP-23, `S…`); for secp256k1 the 64 hex digits of the key
 *                   in ASCII, with `0x` before them or without.
 * @returns undefined for anything else. Length and beginning are looked at, never echoed.
 */
export function openSeed(scheme: Scheme, plaintext: Uint8Array): OpenedSeed | undefined {
  if (plaintext.length === 32) return { seed: plaintext, wipe: nothingToWipe }
  if (plaintext.length === 56 && scheme === 'ed25519') return fromStrkey(plaintext)
  if ((plaintext.length === 64 || plaintext.length === 66) && scheme === 'ecdsa-secp256k1') {
    const opened = fromHexText(plaintext)
    if (opened !== undefined) return opened
  }
  for (const frame of PKCS8_FRAMES[scheme]) {
    const opened = fromFrame(frame, plaintext)
    if (opened !== undefined) return opened
  }
  return undefined
}

function fromFrame({ head, middle, publicKeyLength }: Frame, plaintext: Uint8Array): OpenedSeed | undefined {
  const seedEnd = head.length + 32
  const publicKeyAt = seedEnd + middle.length
  if (plaintext.length !== publicKeyAt + publicKeyLength) return undefined
  if (!equalBytes(plaintext.subarray(0, head.length), head)) return undefined
  if (!equalBytes(plaintext.subarray(seedEnd, publicKeyAt), middle)) return undefined
  const seed = plaintext.subarray(head.length, seedEnd)
  if (publicKeyLength === 0) return { seed, wipe: nothingToWipe }
  return { seed, statedPublicKey: plaintext.subarray(publicKeyAt), wipe: nothingToWipe }
}

/** As EVM tools write a private key. PKCS#8 of 64 bytes begins with 0x30, which is a digit too, and goes on with what is none. */
function fromHexText(text: Uint8Array): OpenedSeed | undefined {
  const digits = text.length === 66 && text[0] === 0x30 && text[1] === 0x78 ? text.subarray(2) : text
  if (digits.length !== 64) return undefined
  const seed = secretRoom(32)
  const wipe = (): void => void seed.fill(0)
  let known = true
  for (let at = 0; at < 64; at++) {
    const value = hexValue(digits[at] ?? 0)
    known &&= value !== undefined
    seed[at >> 1] = ((seed[at >> 1] ?? 0) << 4) | (value ?? 0)
  }
  if (known) return { seed, wipe }
  wipe()
  return undefined
}

function hexValue(code: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined
}

/** SEP-23: base32 of a version byte, the seed and a CRC-16/XMODEM, low byte first. 56 characters carry 35 bytes evenly. */
function fromStrkey(text: Uint8Array): OpenedSeed | undefined {
  const raw = secretRoom(35)
  const wipe = (): void => void raw.fill(0)
  if (!decodeBase32(text, raw) || raw[0] !== SECRET_SEED_VERSION || !checksumFits(raw)) {
    wipe()
    return undefined
  }
  return { seed: raw.subarray(1, 33), wipe }
}

const SECRET_SEED_VERSION = 18 << 3

function decodeBase32(text: Uint8Array, out: Uint8Array): boolean {
  let buffer = 0
  let bits = 0
  let at = 0
  let known = true
  for (const code of text) {
    const letter = code >= 0x41 && code <= 0x5a
    const figure = code >= 0x32 && code <= 0x37
    known &&= letter || figure
    buffer = ((buffer << 5) | (letter ? code - 0x41 : code - 0x32 + 26)) & 0x1fff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      out[at++] = (buffer >> bits) & 0xff
    }
  }
  return known
}

function checksumFits(raw: Uint8Array): boolean {
  let crc = 0
  for (const byte of raw.subarray(0, 33)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff
  }
  return raw[33] === (crc & 0xff) && raw[34] === crc >> 8
}
