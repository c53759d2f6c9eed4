import { GoError, parseDuration, textOf } from './go.ts'
import { bad, type VaultError } from './errors.ts'

export type FieldType =
  | 'string'
  | 'lower'
  | 'int'
  | 'float'
  | 'bool'
  | 'duration'
  | 'strings'
  | 'commaStrings'
  | 'list'
  | 'map'
  | 'kv'
export type Fields = Readonly<Record<string, FieldType>>

/** Query, body and path of one request, read by a route's fields with the server's own leniency. */
export interface FieldData {
  readonly raw: Readonly<Record<string, unknown>>
  has(name: string): boolean
  string(name: string, otherwise?: string): string
  int(name: string, otherwise?: number): number
  bool(name: string, otherwise?: boolean): boolean
  /** Seconds. */
  duration(name: string, otherwise?: number): number
  strings(name: string): string[]
  map(name: string): Record<string, unknown>
}

const ZERO: Record<FieldType, unknown> = {
  string: '',
  lower: '',
  int: 0,
  float: 0,
  bool: false,
  duration: 0,
  strings: [],
  commaStrings: [],
  list: [],
  map: {},
  kv: {},
}

/** @throws VaultError 400 for a value that cannot be read as its field's type */
export function readFields(fields: Fields, raw: Readonly<Record<string, unknown>>): FieldData {
  const values = new Map<string, unknown>()
  for (const [name, type] of Object.entries(fields)) {
    if (!Object.hasOwn(raw, name)) continue
    const value = raw[name]
    values.set(name, value === null || value === undefined ? ZERO[type] : convert(name, type, value))
  }
  const get = <T>(name: string, otherwise: T): T => (values.has(name) ? (values.get(name) as T) : otherwise)
  return {
    raw,
    has: name => values.has(name),
    string: (name, otherwise = '') => get(name, otherwise),
    int: (name, otherwise = 0) => get(name, otherwise),
    bool: (name, otherwise = false) => get(name, otherwise),
    duration: (name, otherwise = 0) => get(name, otherwise),
    strings: name => get<string[]>(name, []),
    map: name => get<Record<string, unknown>>(name, {}),
  }
}

function convert(name: string, type: FieldType, value: unknown): unknown {
  try {
    return CONVERT[type](value, name)
  } catch (problem) {
    if (problem instanceof GoError) throw invalid(name, problem.message)
    throw problem
  }
}

const invalid = (name: string, text: string): VaultError =>
  bad(`Field validation failed: error converting input for field ${JSON.stringify(name)}: ${text}`)

const unconvertible = (wanted: string, value: unknown): GoError =>
  new GoError(
    `'' expected type '${wanted}', got unconvertible type '${Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}'}'`,
  )
const unparsable = (kind: 'int' | 'bool' | 'float'): GoError => {
  const call = { int: 'ParseInt', bool: 'ParseBool', float: 'ParseFloat' }[kind]
  return new GoError(
    `'' cannot parse value as '${kind === 'float' ? 'float64' : kind}': strconv.${call}: invalid syntax`,
  )
}

function text(value: unknown): string {
  if (typeof value === 'object') throw unconvertible('string', value)
  return typeof value === 'boolean' ? (value ? '1' : '0') : textOf(value)
}

function integer(value: unknown): number {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'object') throw unconvertible('int', value)
  const written = textOf(value)
  if (written === '') return 0
  if (!/^[+-]?(?:0x[0-9a-fA-F]+|\d+)$/.test(written)) throw unparsable('int')
  return Number(written)
}

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False', ''])

function truth(value: unknown): boolean {
  if (typeof value === 'object') throw unconvertible('bool', value)
  if (typeof value === 'number') return value !== 0
  if (TRUE.has(textOf(value))) return true
  if (FALSE.has(textOf(value))) return false
  throw unparsable('bool')
}

function seconds(value: unknown): number {
  if (typeof value === 'boolean' || typeof value === 'object') {
    throw new GoError('could not parse duration from input')
  }
  const amount = parseDuration(value)
  if (amount < 0) throw new GoError(`cannot provide negative value '${amount}'`)
  return amount
}

function words(value: unknown, comma: boolean): string[] {
  if (Array.isArray(value)) return value.map(text)
  const one = text(value)
  if (one === '') return []
  return comma ? one.split(',').map(part => part.trim()) : [one]
}

const goKind = (value: unknown): string =>
  typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? 'json.Number' : 'string'

function members(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  const got = Array.isArray(value) ? '[]interface {}' : goKind(value)
  throw new GoError(`'' expected type 'map[string]interface {}', got unconvertible type '${got}'`)
}

/** An object, or a list of `name=value`. */
function pairs(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  const list = Array.isArray(value) ? value.map(text) : [text(value)]
  return Object.fromEntries(
    list.map((each, i) => {
      const at = each.indexOf('=')
      if (at < 0) throw new GoError(`invalid key pair at index ${i} in field ${JSON.stringify(name)}`)
      return [each.slice(0, at), each.slice(at + 1)]
    }),
  )
}

const CONVERT: Record<FieldType, (value: unknown, name: string) => unknown> = {
  string: text,
  lower: value => text(value).toLowerCase(),
  int: integer,
  float(value) {
    const amount = typeof value === 'boolean' ? Number(value) : Number(text(value))
    if (Number.isNaN(amount)) throw unparsable('float')
    return amount
  },
  bool: truth,
  duration: seconds,
  strings: value => words(value, false),
  commaStrings: value => words(value, true),
  // Handlers look at `raw`: each says in its own words what is wrong with a batch
  list: value => value,
  map: members,
  kv: pairs,
}
