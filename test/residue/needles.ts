/** What to look for: a seed, and everything that gives it away, in the forms a runtime or a library could hold it in. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { StrKey } from '@stellar/stellar-sdk'
import { toBase64, toBase64Url } from '../../src/bytes/base64.ts'
import { fromHex, toHex } from '../../src/bytes/hex.ts'
import type { Scheme } from '../../src/domain/provider.ts'
import type { Found, Needle } from './search.ts'

/** @param digest what was signed, from which the nonce of Ed25519 follows. */
export function needlesOf(seed: Uint8Array, scheme: Scheme, digest: Uint8Array): Needle[] {
  const texts = [
    ...text('hex', toHex(seed)),
    ...text('HEX', toHex(seed).toUpperCase()),
    ...text('base64', toBase64(seed).slice(0, 42)),
    ...text('base64url', toBase64Url(seed).slice(0, 42)),
  ].filter(unlikeBefore)
  // A big integer keeps its digits the other way round.
  const both = [...halves('seed', seed), ...halves('seed, reversed', seed.toReversed())]
  if (scheme === 'ecdsa-secp256k1') return [...both, ...texts]
  const expanded = sha512(seed)
  const scalar = expanded.slice(0, 32)
  scalar[0] = (scalar[0] ?? 0) & 248
  scalar[31] = ((scalar[31] ?? 0) & 127) | 64
  const nonce = sha512(Uint8Array.of(...expanded.slice(32), ...digest))
  return [
    ...both,
    ...halves('SHA-512, left', expanded.slice(0, 32)),
    ...halves('SHA-512, right', expanded.slice(32)),
    ...halves('scalar', scalar),
    ...halves('scalar mod L', reduced(scalar)),
    ...halves('nonce', nonce.slice(0, 32)),
    ...halves('nonce mod L', reduced(nonce)),
    ...text('strkey', StrKey.encodeEd25519SecretSeed(Buffer.from(seed))),
    ...texts,
  ]
}

/** A half of base64 with neither + nor / is the same in base64url, and is counted once. */
const unlikeBefore = ({ bytes }: Needle, at: number, all: readonly Needle[]): boolean =>
  !all.slice(0, at).some(before => Buffer.compare(before.bytes, bytes) === 0)

/** As characters of one byte and of two. The last characters of base64, which carry fewer bits of their own, are left out. */
const text = (name: string, value: string): Needle[] =>
  [value.slice(0, value.length / 2), value.slice(value.length / 2)].flatMap((half, at) => [
    { name: `${name} (${at === 0 ? 'first' : 'second'} half)`, bytes: new TextEncoder().encode(half) },
    {
      name: `${name}, UTF-16 (${at === 0 ? 'first' : 'second'} half)`,
      bytes: new Uint8Array(Buffer.from(half, 'utf16le')),
    },
  ])

/** Either half of a secret is as good as found. */
const halves = (name: string, secret: Uint8Array): Needle[] => [
  { name: `${name} (first half)`, bytes: secret.slice(0, 16) },
  { name: `${name} (second half)`, bytes: secret.slice(16, 32) },
]

function reduced(littleEndian: Uint8Array): Uint8Array {
  const value = BigInt(`0x${toHex(littleEndian.toReversed())}`) % ed25519.Point.Fn.ORDER
  return (fromHex(value.toString(16).padStart(64, '0')) as Uint8Array).toReversed()
}

export const total = ({ hits }: Found): number => Object.values(hits).reduce((sum, hit) => sum + hit, 0)
export const shown = ({ hits, searchedBytes }: Found): string => {
  const kinds = Object.entries(hits).filter(([, hit]) => hit > 0)
  const list = kinds.map(([name, hit]) => `${hit} × ${name}`).join(', ')
  return `${list === '' ? 'nothing' : list} in ${Math.round(searchedBytes / 2 ** 20)} MiB`
}
