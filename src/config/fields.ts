import { z } from 'zod'
import type { Secret } from '../domain/secret.ts'
import { configSchema } from './schema.ts'

/** What a secret looks like in the file: where it is, never what it is. */
export const SECRET_REFERENCE = /^(env:[A-Za-z_][A-Za-z0-9_]{0,254}|file:\/[^\0]{1,4095})$/

/** The schema with secrets as references: for the JSON Schema, the table, and to know what may stand where. */
export const documentSchema = configSchema(
  z.string().regex(SECRET_REFERENCE).meta({ secret: true }) as unknown as z.ZodType<Secret>,
)

export interface Field {
  /** Dotted, with `<name>` for the name of a provider. */
  readonly path: string
  readonly type: 'text' | 'number' | 'boolean' | 'table' | 'list'
  /** What a list holds. */
  readonly items?: 'text' | 'number' | 'table'
  readonly secret: boolean
  readonly required: boolean
  readonly default?: unknown
  readonly unit?: string
  readonly meaning?: string
  readonly values?: readonly string[]
  /** Kind of provider this field belongs to. */
  readonly kind?: string
}

/** The little of a zod schema that a walk needs (zod 4, `def`). */
interface Node {
  readonly def: {
    readonly type: string
    readonly innerType?: Node
    readonly shape?: Readonly<Record<string, Node>>
    readonly options?: readonly Node[]
    readonly valueType?: Node
    readonly element?: Node
    readonly defaultValue?: unknown
    readonly entries?: Readonly<Record<string, string>>
    readonly values?: readonly unknown[]
  }
  meta(): { description?: string; unit?: string; secret?: boolean } | undefined
}

const TYPES: Readonly<Record<string, Field['type']>> = {
  record: 'table',
  array: 'list',
  number: 'number',
  boolean: 'boolean',
}

const ITEMS: Readonly<Record<string, 'number' | 'table'>> = { number: 'number', object: 'table' }

/** Every leaf of the configuration, in the order of the schema. */
export const FIELDS: readonly Field[] = Object.freeze(walk(documentSchema as unknown as Node, ''))

function walk(node: Node, path: string, kind?: string): Field[] {
  const { node: inner, wrapped, optional, preset } = unwrap(node)
  const { type, shape, options, valueType } = inner.def
  if (type === 'object') {
    return Object.entries(shape ?? {}).flatMap(([member, child]) =>
      walk(child, path === '' ? member : `${path}.${member}`, kind),
    )
  }
  if (type === 'union') return (options ?? []).flatMap(option => walk(option, path, kindOf(option)))
  if (type === 'record' && path === 'providers') return walk(valueType as Node, 'providers.<name>')
  const meta = { ...inner.meta(), ...wrapped }
  const values = inner.def.entries === undefined ? inner.def.values?.map(String) : Object.values(inner.def.entries)
  return [
    {
      path,
      type: TYPES[type] ?? 'text',
      ...(type === 'array' ? { items: ITEMS[inner.def.element?.def.type ?? ''] ?? 'text' } : {}),
      secret: meta.secret === true || unwrap(valueType ?? inner).node.meta()?.secret === true,
      required: !optional,
      ...(preset === undefined ? {} : { default: preset }),
      ...(meta.unit === undefined ? {} : { unit: meta.unit }),
      ...(meta.description === undefined ? {} : { meaning: meta.description }),
      ...(values === undefined ? {} : { values }),
      ...(kind === undefined ? {} : { kind }),
    },
  ]
}

function kindOf(option: Node): string {
  return String(option.def.shape?.['kind']?.def.values?.[0])
}

function unwrap(node: Node) {
  let inner = node
  let wrapped: ReturnType<Node['meta']> = {}
  let optional = false
  let preset: unknown
  while (inner.def.innerType !== undefined) {
    wrapped = { ...inner.meta(), ...wrapped }
    optional ||= inner.def.type === 'optional' || inner.def.type === 'default' || inner.def.type === 'prefault'
    if (inner.def.type === 'default') preset = inner.def.defaultValue
    inner = inner.def.innerType
  }
  return { node: inner, wrapped, optional, preset }
}

/** The field at a real path such as `providers.aws.region`. */
export function fieldAt(path: readonly string[]): Field | undefined {
  const wanted = generic(path)
  return FIELDS.find(field => field.path === wanted)
}

/** Names that may stand below a path, for "did you mean". */
export function namesBelow(path: readonly string[], kind?: string): readonly string[] {
  const prefix = path.length === 0 ? '' : `${generic(path)}.`
  const below = FIELDS.filter(
    field => field.path.startsWith(prefix) && (kind === undefined || field.kind === undefined || field.kind === kind),
  )
  return [...new Set(below.map(field => field.path.slice(prefix.length).split('.')[0] as string))]
}

/** Places of a list are the list. */
const generic = (path: readonly string[]): string =>
  path
    .map((step, index) => (index === 1 && path[0] === 'providers' ? '<name>' : step))
    .filter(step => !/^\d+$/.test(step))
    .join('.')
