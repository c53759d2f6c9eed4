import { xdr } from '@stellar/stellar-sdk/base'
import { fromBase64, toBase64 } from '../../src/bytes/base64.ts'

export { corpus } from './xdr-corpus.ts'

/** A number in [0, below). Seeded, so that every run can be had again. */
export interface Rng {
  int(below: number): number
}

/** mulberry32: small, portable, the same numbers on every runtime. */
export function seeded(seed: number): Rng {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return { int: below => Math.floor((next() / 0x1_0000_0000) * below) }
}

const pick = <T>(rng: Rng, list: readonly T[]): T => {
  const chosen = list[rng.int(list.length)]
  if (chosen === undefined) throw new RangeError('Cannot pick from an empty list')
  return chosen
}

/** What a mutant is decoded as: the class of an XDR type. */
interface Coded {
  readonly schema: { decode(bytes: Uint8Array): unknown; encode(wire: never): Uint8Array }
}

/**
 * One mutant of an envelope, or of another XDR type, in base64: of its structure (fields of the decoded value, encoded
 * again), of its bytes (bits, 32-bit words, slices), or of its text.
 */
export function mutate(rng: Rng, xdrBase64: string, type: Coded = xdr.TransactionEnvelope): string {
  const kind = rng.int(100)
  if (kind < 55) return mutateStructure(rng, xdrBase64, type) ?? mutateBytes(rng, xdrBase64)
  if (kind < 95) return mutateBytes(rng, xdrBase64)
  return mutateText(rng, xdrBase64)
}

const WORDS = [0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 100, 101, 255, 256, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]

/** Cheaper than of the structure: bits, words and slices. */
export function mutateBytes(rng: Rng, text: string): string {
  let bytes = fromBase64(text) ?? new Uint8Array()
  for (let round = 1 + rng.int(3); round > 0 && bytes.length > 0; round--) bytes = mutateOnce(rng, bytes)
  return toBase64(bytes)
}

function mutateOnce(rng: Rng, bytes: Uint8Array): Uint8Array {
  const at = rng.int(bytes.length)
  const word = at & ~3
  switch (rng.int(8)) {
    case 0: {
      const changed = bytes.slice()
      changed[at] = (changed[at] ?? 0) ^ (1 << rng.int(8))
      return changed
    }
    case 1: {
      const changed = bytes.slice()
      changed[at] = rng.int(256)
      return changed
    }
    case 2:
    case 3: {
      if (word + 4 > bytes.length) return bytes.slice(0, at)
      const changed = bytes.slice()
      new DataView(changed.buffer).setUint32(word, pick(rng, WORDS))
      return changed
    }
    case 4:
      return bytes.slice(0, at)
    case 5:
      return join(
        bytes,
        Uint8Array.from({ length: 1 + rng.int(9) }, () => rng.int(3) * 127),
      )
    case 6: {
      const length = 4 * rng.int(12)
      return join(bytes.subarray(0, word), bytes.subarray(word, word + length), bytes.subarray(word))
    }
    default:
      return join(bytes.subarray(0, word), bytes.subarray(word + 4 * (1 + rng.int(6))))
  }
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

/** A place in the decoded envelope. */
interface Slot {
  readonly holder: Record<string, unknown> | unknown[]
  readonly key: string | number
  readonly value: unknown
}

function mutateStructure(rng: Rng, text: string, { schema }: Coded): string | undefined {
  try {
    const wire = schema.decode(fromBase64(text) ?? new Uint8Array())
    for (let round = 1 + rng.int(3); round > 0; round--) {
      const slots: Slot[] = []
      collect(wire, slots)
      const { holder, key, value } = pick(rng, slots)
      Object.assign(holder, { [key]: changed(rng, value, slots) })
    }
    return toBase64(schema.encode(wire as never))
  } catch {
    return undefined // not every change has an encoding
  }
}

function collect(value: unknown, slots: Slot[]): void {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  if (value instanceof xdr.XdrString) return
  const holder = value as Record<string, unknown> | unknown[]
  for (const [key, inner] of Object.entries(holder)) {
    slots.push({ holder, key, value: inner })
    collect(inner, slots)
  }
}

const BIGS = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n, 10_000_000n, 100_000_000_001n]

function changed(rng: Rng, value: unknown, slots: readonly Slot[]): unknown {
  switch (typeof value) {
    case 'number':
      return rng.int(3) === 0 ? pick(rng, WORDS) : Math.max(0, value + rng.int(5) - 2)
    case 'bigint':
      return rng.int(2) === 0 ? pick(rng, BIGS) : value + BigInt(rng.int(5) - 2)
    case 'boolean':
      return !value
    default:
  }
  if (value instanceof Uint8Array) {
    const bytes = value.slice()
    if (bytes.length > 0) bytes[rng.int(bytes.length)] = rng.int(256)
    return rng.int(4) === 0 ? bytes.slice(0, rng.int(bytes.length + 1)) : bytes
  }
  if (value instanceof xdr.XdrString) return pick(rng, ['', 'a"b\\c', '\u0000\n', 'x'.repeat(1 + rng.int(70))])
  if (Array.isArray(value)) return changedList(rng, value)
  // A struct, a union or an absent option: something of the same shape from elsewhere, or nothing.
  const others = slots.filter(
    slot => typeof slot.value === 'object' && slot.value !== value && !Array.isArray(slot.value),
  )
  return rng.int(3) === 0 || others.length === 0 ? null : structuredCopy(pick(rng, others).value)
}

function changedList(rng: Rng, list: readonly unknown[]): unknown[] {
  const copy = list.map(structuredCopy)
  switch (rng.int(4)) {
    case 0:
      return []
    case 1:
      return copy.toReversed()
    case 2:
      return copy.slice(rng.int(copy.length + 1))
    default:
      return Array.from({ length: 1 + rng.int(24) }, () => list.map(structuredCopy)).flat()
  }
}

function structuredCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return value.slice()
  if (value instanceof xdr.XdrString) return value
  if (Array.isArray(value)) return value.map(structuredCopy)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, structuredCopy(inner)]))
}

function mutateText(rng: Rng, text: string): string {
  const at = rng.int(text.length + 1)
  switch (rng.int(6)) {
    case 0:
      return `${text}\n`
    case 1:
      return `${text.slice(0, at)}${pick(rng, [' ', '\n', '=', '-', '_', '\u0000', 'é', '\ud800'])}${text.slice(at)}`
    case 2:
      return text.replaceAll('=', '')
    case 3:
      return text.replaceAll('+', '-').replaceAll('/', '_')
    case 4:
      return text.slice(0, at)
    default:
      return ''
  }
}
