/**
 * Messages, inside this face: plain objects with lowerCamelCase members; what is absent has its default. Well-known types
 * are what they mean: Timestamp and Duration milliseconds, FieldMask a list of lowerCamelCase paths, wrappers their value,
 * int64 a bigint, enums their names, maps a Map, Any `{ type, value }`.
 */
export type Message = Record<string, unknown>

export interface AnyValue {
  readonly type: string
  readonly value: Readonly<Record<string, unknown>>
}

const WRAPPERS: Readonly<Record<string, string>> = {
  'google.protobuf.Int64Value': 'int64',
  'google.protobuf.UInt64Value': 'uint64',
  'google.protobuf.Int32Value': 'int32',
  'google.protobuf.UInt32Value': 'uint32',
  'google.protobuf.BoolValue': 'bool',
  'google.protobuf.StringValue': 'string',
  'google.protobuf.BytesValue': 'bytes',
}

export type Known = 'timestamp' | 'duration' | 'mask' | 'any' | 'wrapper' | 'message'

export function knownType(name: string): Known {
  if (name === 'google.protobuf.Timestamp') return 'timestamp'
  if (name === 'google.protobuf.Duration') return 'duration'
  if (name === 'google.protobuf.FieldMask') return 'mask'
  if (name === 'google.protobuf.Any') return 'any'
  return Object.hasOwn(WRAPPERS, name) ? 'wrapper' : 'message'
}

/** The value of a field nobody set, which is not written. Wrappers and messages say by their presence that they are set. */
export function isDefault(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === 0n || value === false)
    return true
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0
  return value instanceof Map && value.size === 0
}

export const TYPE_URL = 'type.googleapis.com/'

/** A text member, or an enum's name (its number, where nobody knows a name). Empty when it is not set. */
export function textOf(message: Readonly<Message>, member: string): string {
  const value = message[member]
  return typeof value === 'string' ? value : typeof value === 'number' ? value.toString() : ''
}
