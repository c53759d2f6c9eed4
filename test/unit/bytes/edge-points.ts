/**
 * Ed25519 signatures over every odd pair of points: the key A and the nonce point R each run through all fourteen
 * encodings of the small-order points (eight proper, six not canonical) and through a·B plus each small-order point.
 * S solves the equation up to the small-order part, which is left to cancel out in some vectors and to stay in others.
 * The classes are those of the CCTV Ed25519 collection; keys, messages and order are ours.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'

export interface EdgeVector {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
  /** The small-order parts do not cancel: only a verifier that multiplies by eight accepts. */
  readonly residue: boolean
  readonly oddEncoding: boolean
  readonly smallOrder: boolean
  /** k was hashed over the proper encodings instead of the given ones. */
  readonly rehashed: boolean
}

const { Point } = ed25519
const ORDER = Point.Fn.ORDER
const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array

/** A point of order 8; its multiples are all the small-order points. */
const TORSION = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
const ODD_ENCODINGS: Record<string, string[]> = {
  '0000000000000000000000000000000000000000000000000000000000000000': [
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ],
  '0000000000000000000000000000000000000000000000000000000000000080': [
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ],
  '0100000000000000000000000000000000000000000000000000000000000000': [
    '0100000000000000000000000000000000000000000000000000000000000080',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ],
  ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f: [
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ],
}

interface Candidate {
  readonly scalar: bigint
  readonly torsion: number
  readonly proper: Uint8Array
  readonly given: Uint8Array
}

function candidates(scalar: bigint): Candidate[] {
  const all: Candidate[] = []
  for (let torsion = 0; torsion < 8; torsion++) {
    const small = torsion === 0 ? Point.ZERO : TORSION.multiplyUnsafe(BigInt(torsion))
    const proper = (scalar === 0n ? small : Point.BASE.multiply(scalar).add(small)).toBytes()
    all.push({ scalar, torsion, proper, given: proper })
    const odd = scalar === 0n ? (ODD_ENCODINGS[toHex(proper)] ?? []) : []
    for (const given of odd) all.push({ scalar, torsion, proper, given: bytes(given) })
  }
  return all
}

/** The small-order points in all fourteen encodings. */
export const smallOrderEncodings = (): Uint8Array[] => candidates(0n).map(candidate => candidate.given)

export function edgeVectors(): EdgeVector[] {
  const keys = [...candidates(0n), ...candidates(0x1234567890abcdef1234567890abcdefn)]
  const nonces = [...candidates(0n), ...candidates(0xfedcba0987654321fedcba0987654321n)]
  const vectors: EdgeVector[] = []
  for (const a of keys) {
    for (const r of nonces) {
      vectors.push(...withMessages(a, r, false))
      if (a.given !== a.proper || r.given !== r.proper) vectors.push(...withMessages(a, r, true))
    }
  }
  return vectors
}

/** One vector with a residue and one without, where the pair allows either. */
function withMessages(a: Candidate, r: Candidate, rehashed: boolean): EdgeVector[] {
  const found = new Map<boolean, EdgeVector>()
  for (let round = 0; round < 64 && found.size < 2; round++) {
    const message = new TextEncoder().encode(`edge ${round}`)
    const hashed = rehashed ? [r.proper, a.proper] : [r.given, a.given]
    const k = littleEndian(sha512(join([...hashed, message]))) % ORDER
    const residue = (r.torsion + Number(k % 8n) * a.torsion) % 8 !== 0
    if (found.has(residue)) continue
    const s = (r.scalar + k * a.scalar) % ORDER
    found.set(residue, {
      publicKey: a.given,
      message,
      signature: join([r.given, toLittleEndian(s)]),
      residue,
      oddEncoding: a.given !== a.proper || r.given !== r.proper,
      smallOrder: a.scalar === 0n || r.scalar === 0n,
      rehashed,
    })
  }
  return [...found.values()]
}

export const join = (parts: Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
export const littleEndian = (value: Uint8Array): bigint => BigInt(`0x${toHex(value.toReversed())}`)
export const toLittleEndian = (value: bigint): Uint8Array => bytes(value.toString(16).padStart(64, '0')).toReversed()
