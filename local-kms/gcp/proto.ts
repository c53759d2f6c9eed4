/** Protocol buffers, version 3, on the wire: https://protobuf.dev/programming-guides/encoding. Driven by the descriptors. */
import { concat } from '../core/random.ts'
import { camel, type Field, type MessageType, type Schema, snake } from './descriptors.ts'
import { type AnyValue, isDefault, knownType, type Message, TYPE_URL } from './known-types.ts'

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5
const NESTING_MAX = 32

export function encodeMessage(schema: Schema, type: MessageType, value: Readonly<Message>): Uint8Array {
  const parts: Uint8Array[] = []
  for (const field of type.fields) {
    const member = value[field.name]
    if (member === undefined || member === null) continue
    if (field.map) {
      for (const [key, entry] of member as ReadonlyMap<string, unknown>) {
        const content = concat(...one(schema, { ...field, id: 2, map: false }, entry))
        parts.push(...block(field.id, concat(...block(1, new TextEncoder().encode(key)), content)))
      }
    } else if (field.repeated) {
      for (const entry of member as readonly unknown[]) parts.push(...one(schema, field, entry))
    } else if (field.message !== undefined || field.oneof !== undefined || !isDefault(enumNumber(field, member))) {
      parts.push(...one(schema, field, member))
    }
  }
  return concat(...parts)
}

const enumNumber = (field: Field, value: unknown): unknown =>
  field.enumType !== undefined && typeof value === 'string' ? field.enumType.numbers.get(value) : value

function one(schema: Schema, field: Field, value: unknown): Uint8Array[] {
  const { id } = field
  if (field.message !== undefined) return block(id, encodeKnown(schema, field.message(), value))
  if (field.enumType !== undefined) return [tag(id, VARINT), varint(BigInt(enumNumber(field, value) as number))]
  switch (field.scalar) {
    case 'string':
      return block(id, new TextEncoder().encode(value as string))
    case 'bytes':
      return block(id, value as Uint8Array)
    case 'bool':
      return [tag(id, VARINT), varint(value === true ? 1n : 0n)]
    case 'double':
    case 'float':
      throw new TypeError('Cloud KMS has no fields of this type')
    default:
      return [tag(id, VARINT), varint(BigInt(value as number | bigint))]
  }
}

function encodeKnown(schema: Schema, type: MessageType, value: unknown): Uint8Array {
  switch (knownType(type.name)) {
    case 'timestamp':
    case 'duration': {
      const ms = value as number
      const seconds = Math.floor(ms / 1000)
      return encodeMessage(schema, type, { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) })
    }
    case 'mask':
      return encodeMessage(schema, type, { paths: (value as readonly string[]).map(snake) })
    case 'wrapper':
      return encodeMessage(schema, type, { value })
    case 'any': {
      const { type: name, value: inner } = value as AnyValue
      return encodeMessage(schema, type, {
        type_url: `${TYPE_URL}${name}`,
        value: encodeMessage(schema, schema.message(name), inner),
      })
    }
    default:
      return encodeMessage(schema, type, value as Message)
  }
}

const tag = (id: number, wire: number): Uint8Array => varint(BigInt(id * 8 + wire))
const block = (id: number, content: Uint8Array): Uint8Array[] => [
  tag(id, BYTES),
  varint(BigInt(content.length)),
  content,
]

function varint(value: bigint): Uint8Array {
  const out: number[] = []
  let rest = BigInt.asUintN(64, value)
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  out.push(Number(rest))
  return Uint8Array.from(out)
}

/** What came does not follow the wire format, or says something the definitions do not allow. */
export class ProtoError extends Error {}

class Reader {
  at = 0
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
  varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw new ProtoError('message ends inside a number')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new ProtoError('number of more than 64 bits')
  }
  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new ProtoError('message ends inside a field')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }
  /** The content of a field that is of no interest. */
  skip(wire: number): void {
    if (wire === VARINT) this.varint()
    else if (wire === FIXED64) this.take(8)
    else if (wire === FIXED32) this.take(4)
    else if (wire === BYTES) this.take(Number(this.varint()))
    else throw new ProtoError(`wire type ${wire}`)
  }
}

/** Fields nobody knows are passed over, as protobuf asks. @throws ProtoError */
export function decodeMessage(type: MessageType, bytes: Uint8Array, depth = 0): Message {
  if (depth > NESTING_MAX) throw new ProtoError('too deeply nested')
  const reader = new Reader(bytes)
  const out: Message = {}
  while (reader.at < bytes.length) {
    const key = Number(reader.varint())
    const [id, wire] = [Math.floor(key / 8), key % 8]
    const field = type.byId.get(id)
    if (field === undefined) {
      reader.skip(wire)
      continue
    }
    if (field.oneof !== undefined)
      for (const other of type.fields) if (other.oneof === field.oneof) delete out[other.name]
    if (field.map) {
      const entry = readEntry(field, readBlock(reader, wire), depth)
      const map = (out[field.name] ??= new Map()) as Map<string, unknown>
      map.set(entry.key, entry.value)
    } else if (field.repeated) {
      const list = (out[field.name] ??= []) as unknown[]
      if (wire === BYTES && isNumeric(field)) {
        const packed = new Reader(readBlock(reader, wire))
        while (packed.at < packed.bytes.length) list.push(readOne(field, packed, VARINT, depth))
      } else list.push(readOne(field, reader, wire, depth))
    } else out[field.name] = readOne(field, reader, wire, depth)
  }
  return out
}

const isNumeric = (field: Field): boolean =>
  field.enumType !== undefined || (field.scalar !== undefined && field.scalar !== 'string' && field.scalar !== 'bytes')

function readBlock(reader: Reader, wire: number): Uint8Array {
  if (wire !== BYTES) throw new ProtoError(`wire type ${wire} where a block stands`)
  return reader.take(Number(reader.varint()))
}

function readEntry(field: Field, bytes: Uint8Array, depth: number): { key: string; value: unknown } {
  const reader = new Reader(bytes)
  let key = ''
  let value: unknown = ''
  while (reader.at < bytes.length) {
    const head = Number(reader.varint())
    if (head === 8 + BYTES) key = utf8(readBlock(reader, BYTES))
    else if (Math.floor(head / 8) === 2) value = readOne(field, reader, head % 8, depth)
    else reader.skip(head % 8)
  }
  return { key, value }
}

function readOne(field: Field, reader: Reader, wire: number, depth: number): unknown {
  if (field.message !== undefined) return readKnown(field.message(), readBlock(reader, wire), depth + 1)
  if (field.scalar === 'string') return utf8(readBlock(reader, wire))
  if (field.scalar === 'bytes') return Uint8Array.from(readBlock(reader, wire))
  if (wire !== VARINT) throw new ProtoError(`wire type ${wire} where a number stands`)
  const raw = reader.varint()
  if (field.enumType !== undefined) {
    const number = Number(BigInt.asIntN(32, raw))
    return field.enumType.names.get(number) ?? number
  }
  if (field.scalar === 'bool') return raw !== 0n
  if (field.scalar === 'int64') return BigInt.asIntN(64, raw)
  if (field.scalar === 'uint64') return raw
  return Number(field.scalar === 'uint32' ? BigInt.asUintN(32, raw) : BigInt.asIntN(32, raw))
}

function readKnown(type: MessageType, bytes: Uint8Array, depth: number): unknown {
  const inner = decodeMessage(type, bytes, depth)
  switch (knownType(type.name)) {
    case 'timestamp':
    case 'duration':
      return Number((inner['seconds'] as bigint | undefined) ?? 0n) * 1000 + ((inner['nanos'] as number) ?? 0) / 1e6
    case 'mask':
      return ((inner['paths'] as string[] | undefined) ?? []).map(camel)
    case 'wrapper':
      return inner['value'] ?? (type.byName.get('value')?.scalar === 'int64' ? 0n : undefined)
    default:
      return inner
  }
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new ProtoError('text that is not UTF-8')
  }
}
