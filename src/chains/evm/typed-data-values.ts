import { refuse } from '../refusal.ts'
import { addressOf, bytesOf, inside, isFields, quantityOf, textOf } from './fields.ts'
import { type Member, reached, type Shape, type Types } from './typed-data-types.ts'

/**
 * In bytes that are hashed: each struct in the message hashes the text of its type once more, and each value costs as much
 * as `VALUE_WORK` of them besides its own length. A tenth of a second.
 */
const WORK_MAX = 1_048_576
const VALUE_WORK = 128
const DEPTH_MAX = 32

/** What reading a message has cost so far. */
interface Reading {
  readonly types: Types
  /** Struct to the length of its type text, with the structs inside it. */
  readonly weights: Map<string, number>
  work: number
}

/**
 * A message against its types: every member there, none besides, every value in its range and spelling. Integers come back
 * as bigint, addresses with their checksum, bytes in lower case.
 * @throws `payload/invalid` with the path of the member
 */
export function messageOf(value: unknown, types: Types, primaryType: string, at: string): Record<string, unknown> {
  return structOf(value, primaryType, at, { types, weights: new Map(), work: 0 }, 0)
}

/** @param name  of the struct. */
function structOf(value: unknown, name: string, at: string, reading: Reading, depth: number): Record<string, unknown> {
  const members = reading.types.get(name) ?? []
  spend(weightOf(name, reading), at, reading)
  return readMembers(value, members, at, (shape, given, here) => valueOf(shape, given, here, reading, depth + 1))
}

/** @throws for members that are missing, and for others than these. */
export function readMembers(
  value: unknown,
  members: readonly Member[],
  at: string,
  read: (shape: Shape, given: unknown, at: string) => unknown,
): Record<string, unknown> {
  if (!isFields(value)) throw refuse(at, 'must be an object')
  const names = new Set(members.map(({ name }) => name))
  for (const name of Object.keys(value)) {
    if (!names.has(name)) throw refuse(inside(at, name), 'is not a member of its type')
  }
  return Object.fromEntries(
    members.map(({ name, shape }) => {
      if (!Object.hasOwn(value, name)) throw refuse(inside(at, name), 'is missing')
      return [name, read(shape, value[name], inside(at, name))]
    }),
  )
}

function valueOf(shape: Shape, value: unknown, at: string, reading: Reading, depth: number): unknown {
  if (depth > DEPTH_MAX) throw refuse(at, `is nested deeper than ${DEPTH_MAX}`)
  spend(VALUE_WORK + (typeof value === 'string' ? value.length : 0), at, reading)
  if (shape.kind === 'struct') return structOf(value, shape.name, at, reading, depth)
  if (shape.kind !== 'array') return atomOf(shape, value, at)
  if (!Array.isArray(value)) throw refuse(at, 'must be a list')
  const { of, length } = shape
  if (length !== undefined && value.length !== length) {
    throw refuse(at, `has ${value.length} entries; the type has ${length}`)
  }
  return value.map((each: unknown, place) => valueOf(of, each, `${at}[${place}]`, reading, depth + 1))
}

function spend(work: number, at: string, reading: Reading): void {
  reading.work += work
  if (reading.work > WORK_MAX)
    throw refuse(at, 'is more than can be hashed: too many values, or structs with long types')
}

/** A value of an atomic type, or of `bytes` or `string`. */
export function atomOf(shape: Shape, value: unknown, at: string): unknown {
  switch (shape.kind) {
    case 'uint':
    case 'int':
      return integerOf(value, shape.kind, shape.bits, at)
    case 'bytes':
      return bytesOf(value, at, shape.size)
    case 'address':
      return addressOf(value, at)
    case 'string':
      return textOf(value, at)
    default:
      if (typeof value !== 'boolean') throw refuse(at, 'must be true or false')
      return value
  }
}

/** A JSON integer, or text: decimal, or a hex quantity. Wallets write all three. */
function integerOf(value: unknown, kind: 'uint' | 'int', bits: number, at: string): bigint {
  const integer = typeof value === 'number' ? whole(value, at) : textInteger(textOf(value, at), at)
  const [least, end] = kind === 'uint' ? [0n, 1n << BigInt(bits)] : [-(1n << BigInt(bits - 1)), 1n << BigInt(bits - 1)]
  if (integer < least || integer >= end) throw refuse(at, `is out of the range of ${kind}${bits}`)
  return integer
}

function whole(value: number, at: string): bigint {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw refuse(at, 'is not an integer that a double can hold')
  return BigInt(value)
}

function textInteger(text: string, at: string): bigint {
  if (text.startsWith('0x')) return quantityOf(text, at)
  if (text.length > 79 || !/^(0|-?[1-9][0-9]*)$/.test(text)) {
    throw refuse(at, 'must be an integer: a number, decimal text without leading zeros, or a hex quantity')
  }
  return BigInt(text)
}

/** Of the text that is hashed for a struct: its own members and those of all structs inside it. */
function weightOf(name: string, { types, weights }: Reading): number {
  const known = weights.get(name)
  if (known !== undefined) return known
  let weight = 0
  for (const struct of reached(types, name)) {
    weight += struct.length + 2
    for (const { name: member, type } of types.get(struct) ?? []) weight += member.length + type.length + 2
  }
  weights.set(name, weight)
  return weight
}
