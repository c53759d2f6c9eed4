import { parseStrictJson } from '../bytes/json.ts'
import type { ConfigProblem } from '../domain/errors.ts'
import { FIELDS, fieldAt } from './fields.ts'
import { camel, nearest, upperSnake } from './words.ts'

export type Table = Record<string, unknown>
export type Environment = Readonly<Record<string, string | undefined>>

/** Values by path, and where each came from when it was not the file. */
export interface Layers {
  readonly values: Table
  readonly sources: Map<string, string>
  readonly problems: ConfigProblem[]
}

const PREFIX = 'COUNTERSIGN_'
/** Read elsewhere: by the command line as a client, and as the place of the file. */
const ELSEWHERE = new Set(['COUNTERSIGN_URL', 'COUNTERSIGN_TOKEN', 'COUNTERSIGN_CONFIG'])
/** Kubernetes puts these into every container of a namespace that has a Service named `countersign`. */
const SERVICE_LINKS = /^COUNTERSIGN_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$/

/**
 * The rule of names: `COUNTERSIGN_`, then the path in capitals, words apart by `_`: `server.trustProxy` is
 * `COUNTERSIGN_SERVER_TRUST_PROXY`, `providers.aws-kms.region` is `COUNTERSIGN_PROVIDERS_AWS_KMS_REGION`.
 */
export const variableOf = (path: string): string => PREFIX + path.split('.').map(upperSnake).join('_')

const VARIABLES: ReadonlyMap<string, readonly string[]> = new Map(
  FIELDS.filter(({ path }) => !path.startsWith('providers.')).map(({ path }) => [variableOf(path), path.split('.')]),
)

/** Lays the variables over the file. An unknown variable of ours is a mistake, and is refused as an unknown field is. */
export function layEnvironment(layers: Layers, env: Environment): void {
  const referenced = referencedVariables(layers.values)
  for (const variable of Object.keys(env).toSorted()) {
    const value = env[variable]
    if (!variable.startsWith(PREFIX) || value === undefined || value === '') continue
    if (ELSEWHERE.has(variable) || SERVICE_LINKS.test(variable) || referenced.has(variable)) continue
    const path = VARIABLES.get(variable) ?? providerPath(variable, layers.values)
    if (path === undefined) {
      const meant = nearest(variable, [...VARIABLES.keys(), ...ELSEWHERE])
      const fix = meant === undefined ? 'unset it' : `did you mean ${meant}?`
      layers.problems.push({ path: variable, problem: 'is a variable that means nothing here', fix })
    } else setAt(layers, path, value, variable)
  }
}

/** Lays flags, given by dotted path, over everything. */
export function layFlags(layers: Layers, flags: Readonly<Record<string, unknown>>): void {
  for (const [path, value] of Object.entries(flags)) {
    if (value !== undefined) setAt(layers, path.split('.'), value, `flag ${path}`)
  }
}

/** `COUNTERSIGN_PROVIDERS_<NAME>_<FIELD>`; a name of the file wins over the first word. */
function providerPath(variable: string, values: Table): readonly string[] | undefined {
  const start = `${PREFIX}PROVIDERS_`
  if (!variable.startsWith(start)) return undefined
  const rest = variable.slice(start.length)
  const known = Object.keys(tableAt(values, 'providers') ?? {}).toSorted((a, b) => b.length - a.length)
  const name =
    known.find(candidate => rest.startsWith(`${upperSnake(candidate)}_`)) ?? rest.split('_')[0]?.toLowerCase()
  if (name === undefined || name === '') return undefined
  const path = ['providers', name, camel(rest.slice(name.length + 1))]
  return fieldAt(path) === undefined ? undefined : path
}

/** Environment and flags are text: here it becomes what the field takes. What does not fit stays text, and is refused as such. */
function fromText(value: unknown, path: readonly string[]): unknown {
  if (typeof value !== 'string') return value
  const field = fieldAt(path)
  switch (field?.type) {
    case 'number':
      return numbered(value)
    case 'list':
      return listed(value, field.items === 'number')
    case 'boolean':
      return value === 'true' ? true : value === 'false' ? false : value
    case 'table':
      return parsed(value)
    default:
      return value
  }
}

const numbered = (text: string): number | string => (/^-?\d{1,15}$/.test(text) ? Number(text) : text)

/** JSON, or parted by commas. */
function listed(text: string, numbers: boolean): unknown {
  if (text.trimStart().startsWith('[')) return parsed(text)
  const items = text.split(',').map(item => item.trim())
  return numbers ? items.map(numbered) : items
}

function parsed(text: string): unknown {
  try {
    return parseStrictJson(new TextEncoder().encode(text)) // a name twice is no table
  } catch {
    return text
  }
}

export function setAt({ values, sources }: Layers, path: readonly string[], value: unknown, source: string): void {
  let table = values
  for (const step of path.slice(0, -1)) {
    const below = tableAt(table, step)
    const next = below ?? {}
    if (below === undefined) define(table, step, next)
    table = next
  }
  define(table, path.at(-1) as string, fromText(value, path))
  sources.set(path.join('.'), source)
}

export const tableAt = (table: Table, name: string): Table | undefined => {
  const value = Object.hasOwn(table, name) ? table[name] : undefined
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Table) : undefined
}

/** A plain own member whatever its name is, `__proto__` included; the schema then refuses it as unknown. */
const define = (table: Table, name: string, value: unknown): void => {
  Object.defineProperty(table, name, { value, enumerable: true, configurable: true, writable: true })
}

/** Variables that the file points to as secrets may be called anything, also COUNTERSIGN_…. */
function referencedVariables(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value === 'string' && value.startsWith('env:')) found.add(value.slice('env:'.length))
  if (value !== null && typeof value === 'object')
    for (const inner of Object.values(value)) referencedVariables(inner, found)
  return found
}
