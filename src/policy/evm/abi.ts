import { toHex } from '../../bytes/hex.ts'
import { type AbiType, headOf } from './signature.ts'

/** Integers, truth values; addresses and bytes as 0x… in lower case, strings as text; lists and tuples. */
export type AbiValue = bigint | boolean | string | readonly AbiValue[]

/**
 * Arguments of a call, from the one encoding that an encoder gives for them: offsets in order and without gaps, padding
 * zero, text in UTF-8, nothing left over. The chain accepts more spellings than this one; who writes another hides something.
 * @returns `undefined` for bytes that are not that encoding.
 * @see Solidity, Contract ABI Specification, "Strict Encoding Mode"
 */
export function decodeArguments(types: readonly AbiType[], bytes: Uint8Array): readonly AbiValue[] | undefined {
  const reader = { bytes, end: 0 }
  const values = decodeTuple(types, 0, reader)
  return values === undefined || reader.end !== bytes.length ? undefined : values
}

/** `end`: where the next tail must begin. */
interface Reader {
  readonly bytes: Uint8Array
  end: number
}

function decodeTuple(types: readonly AbiType[], base: number, reader: Reader): AbiValue[] | undefined {
  const values: AbiValue[] = []
  reader.end = base + headOf(types)
  if (reader.end > reader.bytes.length) return undefined
  let place = base
  for (const type of types) {
    const value = type.dynamic ? decodeTail(type, base, place, reader) : decodeStatic(type, place, reader.bytes)
    if (value === undefined) return undefined
    values.push(value)
    place += type.headBytes
  }
  return values
}

function decodeTail(type: AbiType, base: number, place: number, reader: Reader): AbiValue | undefined {
  const start = reader.end
  if (lengthAt(reader.bytes, place) !== start - base) return undefined
  if (type.kind === 'tuple') return decodeTuple(type.of, start, reader)
  if (type.kind === 'array' && type.length !== null) return decodeArray(type.of, type.length, start, reader)
  const length = lengthAt(reader.bytes, start)
  if (length === undefined) return undefined
  if (type.kind === 'array') return decodeArray(type.of, length, start + 32, reader)
  const from = start + 32
  const padded = from + Math.ceil(length / 32) * 32
  if (padded > reader.bytes.length || !allZero(reader.bytes, from + length, padded)) return undefined
  reader.end = padded
  const content = reader.bytes.subarray(from, from + length)
  return type.kind === 'string' ? textOf(content) : `0x${toHex(content)}`
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function decodeArray(of: AbiType, length: number, base: number, reader: Reader): AbiValue | undefined {
  // Every element is at least a word wide, so a length beyond the bytes ends here, before a list is made for it.
  if (base + length * of.headBytes > reader.bytes.length) return undefined
  return decodeTuple(
    Array.from({ length }, () => of),
    base,
    reader,
  )
}

function decodeStatic(type: AbiType, at: number, bytes: Uint8Array): AbiValue | undefined {
  switch (type.kind) {
    case 'uint': {
      const value = wordAt(bytes, at)
      return value >> BigInt(type.bits) === 0n ? value : undefined
    }
    case 'int': {
      const word = wordAt(bytes, at)
      const value = BigInt.asIntN(type.bits, word)
      return BigInt.asUintN(256, value) === word ? value : undefined
    }
    case 'address':
      return allZero(bytes, at, at + 12) ? `0x${toHex(bytes.subarray(at + 12, at + 32))}` : undefined
    case 'bool': {
      const last = bytes[at + 31]
      return last !== undefined && last <= 1 && allZero(bytes, at, at + 31) ? last === 1 : undefined
    }
    case 'fixed-bytes':
      if (!allZero(bytes, at + type.size, at + 32)) return undefined
      return `0x${toHex(bytes.subarray(at, at + type.size))}`
    case 'array':
      return decodeRow(
        Array.from({ length: type.length ?? 0 }, () => type.of),
        at,
        bytes,
      )
    case 'tuple':
      return decodeRow(type.of, at, bytes)
    default:
      return undefined
  }
}

/** Static types side by side. */
function decodeRow(types: readonly AbiType[], at: number, bytes: Uint8Array): AbiValue | undefined {
  const values: AbiValue[] = []
  let place = at
  for (const type of types) {
    const value = decodeStatic(type, place, bytes)
    if (value === undefined) return undefined
    values.push(value)
    place += type.headBytes
  }
  return values
}

const wordAt = (bytes: Uint8Array, at: number): bigint => BigInt(`0x${toHex(bytes.subarray(at, at + 32))}`)

/** An offset or a length; none can be beyond the bytes. */
function lengthAt(bytes: Uint8Array, at: number): number | undefined {
  if (at + 32 > bytes.length || !allZero(bytes, at, at + 28)) return undefined
  const value = new DataView(bytes.buffer, bytes.byteOffset + at + 28, 4).getUint32(0)
  return value <= bytes.length ? value : undefined
}

function allZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false
  return true
}
