import { keccak_256 } from '@noble/hashes/sha3.js'
import { toHex } from '../../bytes/hex.ts'

/** A type of the contract ABI, with what the decoder asks of it every time: is it in the tail, how wide is its head. */
export type AbiType = (
  | { readonly kind: 'uint' | 'int'; readonly bits: number }
  | { readonly kind: 'address' | 'bool' | 'bytes' | 'string' }
  | { readonly kind: 'fixed-bytes'; readonly size: number }
  /** `length` null: as long as the encoding says. */
  | { readonly kind: 'array'; readonly of: AbiType; readonly length: number | null }
  | { readonly kind: 'tuple'; readonly of: readonly AbiType[] }
) & { readonly dynamic: boolean; readonly headBytes: number }

export interface AbiFunction {
  /** As it stands in the policy: `transfer(address,uint256)`. */
  readonly signature: string
  /** First four bytes of the keccak-256 of the signature, 8 hex digits. */
  readonly selector: string
  readonly parameters: readonly AbiType[]
}

const TEXT_MAX = 1_000
const DEPTH_MAX = 8
const PARAMETERS_MAX = 64
const ARRAY_MAX = 1_024
const HEAD_BYTES_MAX = 65_536

/**
 * A function signature in the one form that is hashed: name, types without names and spaces, `uint256` in full.
 * @returns `undefined` for any other text, and for types no standard encoding has (`function`, `fixed`, `T[0]`, `()` as a tuple).
 */
export function readSignature(text: string): AbiFunction | undefined {
  if (text.length > TEXT_MAX) return undefined
  const open = text.indexOf('(')
  if (open < 1 || !isName(text.slice(0, open))) return undefined
  const reader = { text, at: open }
  const parameters = readList(reader, 0)
  if (parameters === undefined || reader.at !== text.length) return undefined
  return { signature: text, selector: selectorOf(text), parameters }
}

export const selectorOf = (signature: string): string =>
  toHex(keccak_256(new TextEncoder().encode(signature)).subarray(0, 4))

interface Reader {
  readonly text: string
  at: number
}

/** `(` types `)`, from the place of the reader to after the bracket. */
function readList(reader: Reader, depth: number): AbiType[] | undefined {
  if (depth > DEPTH_MAX) return undefined
  reader.at++
  const types: AbiType[] = []
  if (reader.text[reader.at] === ')') {
    reader.at++
    return types
  }
  for (;;) {
    const type = readType(reader, depth)
    if (type === undefined || types.length === PARAMETERS_MAX) return undefined
    types.push(type)
    const next = reader.text[reader.at++]
    if (next === ')') return types
    if (next !== ',') return undefined
  }
}

function readType(reader: Reader, depth: number): AbiType | undefined {
  let type: AbiType | undefined
  if (reader.text[reader.at] === '(') {
    const fields = readList(reader, depth + 1)
    if (fields === undefined || fields.length === 0) return undefined
    type = tuple(fields)
  } else {
    const start = reader.at
    while (isLetterOrDigit(reader.text.charCodeAt(reader.at))) reader.at++
    type = elementary(reader.text.slice(start, reader.at))
  }
  for (let nested = depth; type !== undefined && reader.text[reader.at] === '['; nested++) {
    const close = reader.text.indexOf(']', reader.at)
    if (close < 0 || nested > DEPTH_MAX) return undefined
    type = array(type, reader.text.slice(reader.at + 1, close))
    reader.at = close + 1
  }
  return type
}

function elementary(name: string): AbiType | undefined {
  const static32 = { dynamic: false, headBytes: 32 }
  switch (name) {
    case 'address':
    case 'bool':
      return { kind: name, ...static32 }
    case 'bytes':
    case 'string':
      return { kind: name, dynamic: true, headBytes: 32 }
  }
  if (name.startsWith('uint')) return integer('uint', name.slice(4))
  if (name.startsWith('int')) return integer('int', name.slice(3))
  if (!name.startsWith('bytes')) return undefined
  const size = count(name.slice(5), 32)
  return size === undefined ? undefined : { kind: 'fixed-bytes', size, ...static32 }
}

function integer(kind: 'uint' | 'int', digits: string): AbiType | undefined {
  const bits = count(digits, 256)
  return bits === undefined || bits % 8 !== 0 ? undefined : { kind, bits, dynamic: false, headBytes: 32 }
}

function tuple(of: readonly AbiType[]): AbiType | undefined {
  const dynamic = of.some(type => type.dynamic)
  return sized({ kind: 'tuple', of, dynamic, headBytes: dynamic ? 32 : headOf(of) })
}

function array(of: AbiType, digits: string): AbiType | undefined {
  if (digits === '') return { kind: 'array', of, length: null, dynamic: true, headBytes: 32 }
  const length = count(digits, ARRAY_MAX)
  if (length === undefined) return undefined
  return sized({ kind: 'array', of, length, dynamic: of.dynamic, headBytes: of.dynamic ? 32 : length * of.headBytes })
}

const sized = (type: AbiType): AbiType | undefined => (type.headBytes > HEAD_BYTES_MAX ? undefined : type)

export const headOf = (types: readonly AbiType[]): number => types.reduce((sum, type) => sum + type.headBytes, 0)

/** A whole number from 1, in its shortest form. */
function count(digits: string, max: number): number | undefined {
  if (digits.length === 0 || digits.length > 4 || digits.startsWith('0')) return undefined
  let value = 0
  for (let at = 0; at < digits.length; at++) {
    const digit = digits.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return value <= max ? value : undefined
}

function isName(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const digit = code >= 0x30 && code <= 0x39
    if (digit ? at === 0 : !isLetterOrDigit(code) && code !== 0x5f && code !== 0x24) return false
  }
  return text.length > 0
}

const isLetterOrDigit = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
