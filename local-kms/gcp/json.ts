/** Messages as JSON, the way Google's front end reads and writes it: https://protobuf.dev/programming-guides/json. */
import { toBase64 } from '../core/random.ts'
import { camel, type Field, type MessageType, type Schema } from './descriptors.ts'
import { badField } from './errors.ts'
import { type AnyValue, isDefault, knownType, type Message, TYPE_URL } from './known-types.ts'

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'TYPE_STRING',
  bytes: 'TYPE_BYTES',
  bool: 'TYPE_BOOL',
  int32: 'TYPE_INT32',
  uint32: 'TYPE_UINT32',
  int64: 'TYPE_INT64',
  uint64: 'TYPE_UINT64',
}

/** The value itself is not repeated in messages: it may be somebody's plaintext. */
function wrong(path: string, type: string, why = ''): never {
  throw badField(path, `Invalid value at '${path}' (${type})${why === '' ? '' : `, ${why}`}`)
}

/** lowerCamelCase and the definitions' own spelling are both taken; null means absent. @throws INVALID_ARGUMENT */
export function readMessage(type: MessageType, value: unknown, path = ''): Message {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    if (path === '') throw badField('', 'Invalid JSON payload received. An object is needed at the top.')
    return wrong(path, `type.googleapis.com/${type.name}`)
  }
  const out: Message = {}
  for (const [name, entry] of Object.entries(value)) {
    const field = type.byName.get(name) ?? (name.includes('_') ? type.byName.get(camel(name)) : undefined)
    if (field === undefined) {
      const where = path === '' ? '' : ` at '${path}'`
      throw badField(path, `Invalid JSON payload received. Unknown name "${name}"${where}: Cannot find field.`)
    }
    if (entry === null) continue
    const at = path === '' ? name : `${path}.${name}`
    if (field.oneof !== undefined && type.fields.some(other => other.oneof === field.oneof && other.name in out)) {
      throw badField(at, `Invalid value at '${at}' (oneof), oneof field '${field.oneof}' is already set.`)
    }
    out[field.name] = readField(field, entry, at)
  }
  return out
}

export function readField(field: Field, value: unknown, at: string): unknown {
  if (field.map) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(at, 'Map')
    return new Map(Object.entries(value).map(([key, entry]) => [key, readOne(field, entry, `${at}[${key}]`)]))
  }
  if (!field.repeated) return readOne(field, value, at)
  if (!Array.isArray(value)) return wrong(at, 'a list')
  return value.map((entry, i) => readOne(field, entry, `${at}[${i}]`))
}

function readOne(field: Field, value: unknown, at: string): unknown {
  if (field.message !== undefined) return readKnown(field.message(), value, at)
  if (field.enumType !== undefined) {
    const { numbers, names, name } = field.enumType
    if (typeof value === 'string' && numbers.has(value)) return value
    if (typeof value === 'number' && names.has(value)) return names.get(value)
    if (typeof value === 'string' && /^-?\d{1,9}$/.test(value) && names.has(Number(value)))
      return names.get(Number(value))
    return wrong(at, `type.googleapis.com/${name}`, JSON.stringify(value))
  }
  return readScalar(field.scalar!, value, at)
}

function readScalar(scalar: string, value: unknown, at: string): unknown {
  const type = TYPE_NAMES[scalar] ?? scalar
  switch (scalar) {
    case 'string':
      return typeof value === 'string' && value.isWellFormed() ? value : wrong(at, type)
    case 'bytes':
      return typeof value === 'string'
        ? (decodeBase64(value) ?? wrong(at, type, 'Base64 decoding failed'))
        : wrong(at, type)
    case 'bool':
      if (value === true || value === 'true') return true
      return value === false || value === 'false' ? false : wrong(at, type)
    case 'int64':
    case 'uint64': {
      if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
      if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return wrong(at, type)
      const big = BigInt(value)
      return BigInt.asIntN(64, big) === big ? big : wrong(at, type)
    }
    default: {
      const number = typeof value === 'string' && /^-?\d{1,10}$/.test(value) ? Number(value) : value
      return typeof number === 'number' && (number | 0) === number ? number : wrong(at, type)
    }
  }
}

function readKnown(type: MessageType, value: unknown, at: string): unknown {
  switch (knownType(type.name)) {
    case 'timestamp': {
      const ms = typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : Number.NaN
      return Number.isNaN(ms) ? wrong(at, 'type.googleapis.com/google.protobuf.Timestamp') : ms
    }
    case 'duration':
      if (typeof value !== 'string' || !/^-?\d{1,12}(\.\d{1,9})?s$/.test(value)) {
        return wrong(at, 'type.googleapis.com/google.protobuf.Duration')
      }
      return Math.round(Number(value.slice(0, -1)) * 1000)
    case 'mask':
      if (typeof value !== 'string') return wrong(at, 'type.googleapis.com/google.protobuf.FieldMask')
      return value
        .split(',')
        .map(path => camel(path.trim()))
        .filter(path => path !== '')
    case 'wrapper':
      return readScalar(type.byName.get('value')!.scalar!, value, at)
    case 'any':
      return wrong(at, 'type.googleapis.com/google.protobuf.Any')
    default:
      return readMessage(type, value, at)
  }
}

/** Standard or URL-safe alphabet, with padding or without. Undefined: neither. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const end = text.indexOf('=')
  const body = (end < 0 ? text : text.slice(0, end)).replaceAll('-', '+').replaceAll('_', '/')
  const padding = end < 0 ? '' : text.slice(end)
  if (!/^[A-Za-z0-9+/]*$/.test(body) || body.length % 4 === 1) return undefined
  if (padding !== '' && (!/^={1,2}$/.test(padding) || (body.length + padding.length) % 4 !== 0)) return undefined
  return new Uint8Array(Buffer.from(body, 'base64'))
}

export interface JsonStyle {
  /** `$alt=json;enum-encoding=int` */
  readonly enumNumbers: boolean
}

/** Members that were never set are left out, as Google's front end does. */
export function writeMessage(
  schema: Schema,
  type: MessageType,
  value: Readonly<Message>,
  style: JsonStyle,
): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const field of type.fields) {
    const member = value[field.name]
    const present = field.message === undefined || field.map || field.repeated
    if (member === undefined || (present && isDefault(member) && field.oneof === undefined)) continue
    if (field.map) {
      const entries = [...(member as ReadonlyMap<string, unknown>)].map(([k, v]) => [
        k,
        writeOne(schema, field, v, style),
      ])
      out[field.name] = Object.fromEntries(entries) as unknown
    } else if (field.repeated) {
      out[field.name] = (member as readonly unknown[]).map(entry => writeOne(schema, field, entry, style))
    } else out[field.name] = writeOne(schema, field, member, style)
  }
  return out
}

function writeOne(schema: Schema, field: Field, value: unknown, style: JsonStyle): unknown {
  if (field.message !== undefined) return writeKnown(schema, field.message(), value, style)
  if (field.enumType !== undefined)
    return style.enumNumbers ? (field.enumType.numbers.get(value as string) ?? value) : value
  if (value instanceof Uint8Array) return toBase64(value)
  return typeof value === 'bigint' ? String(value) : value
}

function writeKnown(schema: Schema, type: MessageType, value: unknown, style: JsonStyle): unknown {
  switch (knownType(type.name)) {
    case 'timestamp':
      return new Date(value as number).toISOString()
    case 'duration':
      return `${(value as number) / 1000}s`
    case 'mask':
      return (value as readonly string[]).join(',')
    case 'wrapper':
      return typeof value === 'bigint' ? String(value) : value
    case 'any': {
      const { type: name, value: inner } = value as AnyValue
      return { '@type': `${TYPE_URL}${name}`, ...writeMessage(schema, schema.message(name), inner, style) }
    }
    default:
      return writeMessage(schema, type, value as Message, style)
  }
}
