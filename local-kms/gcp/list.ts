import { camel } from './descriptors.ts'
import { invalidArgument } from './errors.ts'
import { type Message, textOf } from './known-types.ts'

const PAGE_DEFAULT = 100
const PAGE_MAX = 1000
const TOKEN = 'local-kms:'

/** Filters, sorts and cuts a list the way every List method does. */
export function listPage(request: Message, member: string, rows: readonly Message[]): Message {
  const filter = textOf(request, 'filter').trim()
  const size = Number(request['pageSize'] ?? 0)
  if (size < 0) throw invalidArgument(`page_size must not be negative, but it is ${size}.`)
  const kept = filter === '' ? rows : rows.filter(compile(filter))
  const sorted = order(kept, textOf(request, 'orderBy'))
  const token = textOf(request, 'pageToken')
  const from = token === '' ? 0 : readToken(token, sorted)
  const to = from + Math.min(size === 0 ? PAGE_DEFAULT : size, PAGE_MAX)
  const next = to < sorted.length ? writeToken(textOf(sorted[to - 1]!, 'name')) : undefined
  return { [member]: sorted.slice(from, to), nextPageToken: next, totalSize: kept.length }
}

const writeToken = (name: string): string => Buffer.from(TOKEN + name, 'utf8').toString('base64url')

/** A token names the last entry of the page before, so that entries may be added in between. */
function readToken(token: string, rows: readonly Message[]): number {
  const text = Buffer.from(token, 'base64url').toString('utf8')
  const at = rows.findIndex(row => row['name'] === text.slice(TOKEN.length))
  if (!text.startsWith(TOKEN) || at < 0) throw invalidArgument('The page_token is not valid.')
  return at + 1
}

function order(rows: readonly Message[], text: string): readonly Message[] {
  const terms = text
    .split(',')
    .map(term => term.trim().split(/\s+/))
    .filter(([field]) => field !== undefined && field !== '')
  for (const [field, direction = 'asc', ...rest] of terms) {
    if (rest.length > 0 || !['asc', 'desc'].includes(direction)) {
      throw invalidArgument(`Invalid order_by clause '${text}' at '${field ?? ''}'.`)
    }
  }
  if (terms.length === 0) return rows
  return rows.toSorted((a, b) => {
    for (const [field, direction] of terms) {
      const [x, y] = [valueAt(a, field!), valueAt(b, field!)]
      const sign = x === y ? 0 : (x ?? '') < (y ?? '') ? -1 : 1
      if (sign !== 0) return direction === 'desc' ? -sign : sign
    }
    return 0
  })
}

type Test = (row: Message) => boolean

function valueAt(row: Message, path: string): string | number | undefined {
  let at: unknown = row
  for (const part of path.split('.')) {
    if (at instanceof Map) at = at.get(part)
    else at = typeof at === 'object' && at !== null ? (at as Message)[camel(part)] : undefined
  }
  if (typeof at === 'boolean') return at ? 'true' : 'false'
  return typeof at === 'string' || typeof at === 'number' ? at : undefined
}

/** The common part of AIP-160: `field op value`, AND (also by a blank), OR, NOT or `-`, brackets. */
function compile(filter: string): Test {
  const tokens = filter.match(/"[^"]*"|\(|\)|!=|<=|>=|[=:<>]|[^\s()=:<>!"]+|!/g) ?? []
  let at = 0
  const fail = (): never => {
    throw invalidArgument(`Invalid filter '${filter}'.`)
  }

  function conjunction(): Test {
    const parts = [disjunction()]
    while (at < tokens.length && tokens[at] !== ')') {
      if (tokens[at] === 'AND') at++
      parts.push(disjunction())
    }
    return row => parts.every(test => test(row))
  }
  function disjunction(): Test {
    const parts = [term()]
    while (tokens[at] === 'OR') {
      at++
      parts.push(term())
    }
    return row => parts.some(test => test(row))
  }
  function term(): Test {
    if (tokens[at] === 'NOT' || tokens[at] === '-') {
      at++
      const inner = term()
      return row => !inner(row)
    }
    if (tokens[at] === '(') {
      at++
      const inner = conjunction()
      if (tokens[at++] !== ')') fail()
      return inner
    }
    const [field, operator, raw] = [tokens[at++], tokens[at++], tokens[at++]]
    if (field === undefined || raw === undefined || !['=', '!=', ':', '<', '<=', '>', '>='].includes(operator ?? ''))
      fail()
    return comparison(field!, operator!, raw!.replaceAll('"', ''))
  }

  const test = conjunction()
  if (at < tokens.length) fail()
  return test
}

function comparison(field: string, operator: string, wanted: string): Test {
  return row => {
    const value = valueAt(row, field)
    if (operator === ':') return value !== undefined && (wanted === '*' || String(value).includes(wanted))
    if (operator === '=') return matches(String(value ?? ''), wanted)
    if (operator === '!=') return !matches(String(value ?? ''), wanted)
    if (value === undefined) return false
    // Times are milliseconds inside and RFC 3339 outside
    const time = Date.parse(wanted)
    const bound = typeof value === 'number' && !Number.isNaN(time) && wanted.includes('-') ? time : wanted
    const sign =
      typeof value === 'number' ? value - Number(bound) : value < String(bound) ? -1 : value > String(bound) ? 1 : 0
    return operator === '<' ? sign < 0 : operator === '<=' ? sign <= 0 : operator === '>' ? sign > 0 : sign >= 0
  }
}

/** `*` at the start or the end stands for anything. */
function matches(value: string, wanted: string): boolean {
  if (wanted.length > 1 && wanted.startsWith('*') && wanted.endsWith('*')) return value.includes(wanted.slice(1, -1))
  if (wanted.endsWith('*')) return value.startsWith(wanted.slice(0, -1))
  return wanted.startsWith('*') ? value.endsWith(wanted.slice(1)) : value === wanted
}
