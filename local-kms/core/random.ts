import { randomBytes } from 'node:crypto'
import { sha256 } from '@noble/hashes/sha2.js'

export interface Random {
  bytes(length: number): Uint8Array
}

/** Gives a separate stream for each label, so that one kind of call never shifts what another kind gets. */
export type Streams = (label: string) => Random

export const systemRandom: Random = { bytes: length => new Uint8Array(randomBytes(length)) }

/**
 * Streams that a seed reproduces. Block n of a stream is SHA-256(length of label ‖ label ‖ n ‖ seed).
 * Good for repeatable tests, worthless for keeping anything secret.
 */
export function seededStreams(seed: string | Uint8Array): Streams {
  const seedBytes = typeof seed === 'string' ? new TextEncoder().encode(seed) : seed
  return label => {
    const name = new TextEncoder().encode(label)
    let block = 0
    let rest: Uint8Array = new Uint8Array(0)
    return {
      bytes(length) {
        const out = new Uint8Array(length)
        let filled = 0
        while (filled < length) {
          if (rest.length === 0) rest = blockOf(name, block++, seedBytes)
          const take = Math.min(rest.length, length - filled)
          out.set(rest.subarray(0, take), filled)
          rest = rest.subarray(take)
          filled += take
        }
        return out
      },
    }
  }
}

function blockOf(name: Uint8Array, block: number, seed: Uint8Array): Uint8Array {
  const input = new Uint8Array(8 + name.length + seed.length)
  const view = new DataView(input.buffer)
  view.setUint32(0, name.length)
  input.set(name, 4)
  view.setUint32(4 + name.length, block)
  input.set(seed, 8 + name.length)
  return sha256(input)
}

/** One stream a label for good, so that each call goes on where the last one stopped. */
export function rememberStreams(streams: Streams): Streams {
  const known = new Map<string, Random>()
  return label => {
    const stream = known.get(label) ?? streams(label)
    if (stream !== systemRandom) known.set(label, stream)
    return stream
  }
}

/** RFC 9562 version 4 layout over 16 random bytes. */
export function uuid(random: Random): string {
  const b = random.bytes(16)
  b[6] = (b[6]! & 0x0f) | 0x40
  b[8] = (b[8]! & 0x3f) | 0x80
  const hex = toHex(b)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** A number in [0, 1) with 48 bits. */
export function uniform(random: Random): number {
  const b = random.bytes(6)
  let value = 0
  for (const byte of b) value = value * 256 + byte
  return value / 2 ** 48
}

export function toHex(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) out += byte.toString(16).padStart(2, '0')
  return out
}

export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new RangeError('Not hexadecimal')
  const out = new Uint8Array(text.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return out
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** Standard alphabet with padding, nothing else. Undefined: not base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  return new Uint8Array(Buffer.from(text, 'base64'))
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}
