/** REST paths, taken from the definitions' own HTTP rules (google/api/http.proto). */
import type { HttpBinding, Method, Schema } from './descriptors.ts'
import { camel } from './descriptors.ts'
import { badField } from './errors.ts'
import { readField, readMessage } from './json.ts'
import type { Message } from './known-types.ts'

interface Segment {
  readonly literal: string | undefined
  /** `**`: takes all that follows. */
  readonly rest: boolean
  /** The request's member that gets these segments. */
  readonly variable: string | undefined
}
interface Route {
  readonly method: Method
  readonly binding: HttpBinding
  readonly segments: readonly Segment[]
  readonly verb: string
}
export interface Matched {
  readonly method: Method
  readonly binding: HttpBinding
  readonly variables: ReadonlyMap<string, string>
}

const routesOf = new WeakMap<Schema, readonly Route[]>()

function routes(schema: Schema): readonly Route[] {
  const known = routesOf.get(schema)
  if (known !== undefined) return known
  const made = schema.methods.flatMap(method =>
    method.http.map(binding => ({ method, binding, ...parse(binding.template) })),
  )
  routesOf.set(schema, made)
  return made
}

/** `/v1/{name=projects/*}/locations:verb` → segments and the verb. */
function parse(template: string): { segments: Segment[]; verb: string } {
  const colon = template.lastIndexOf(':')
  const verb = colon > template.lastIndexOf('}') && colon > template.lastIndexOf('/') ? template.slice(colon + 1) : ''
  const path = verb === '' ? template : template.slice(0, colon)
  const segments: Segment[] = []
  let variable: string | undefined
  for (let part of path.slice(1).split('/')) {
    if (part.startsWith('{')) {
      const equals = part.indexOf('=')
      variable = part.slice(1, equals < 0 ? -1 : equals)
      part = equals < 0 ? '*}' : part.slice(equals + 1)
    }
    const ends = part.endsWith('}')
    const word = ends ? part.slice(0, -1) : part
    segments.push({ literal: word === '*' || word === '**' ? undefined : word, rest: word === '**', variable })
    if (ends) variable = undefined
  }
  return { segments, verb }
}

/** Undefined: no method has this path. `wrongVerb`: one has, under another HTTP verb. */
export function matchRoute(schema: Schema, verb: string, path: string): Matched | { wrongVerb: true } | undefined {
  const slash = path.lastIndexOf('/')
  const colon = path.lastIndexOf(':')
  const custom = colon > slash ? path.slice(colon + 1) : ''
  const plain = (custom === '' ? path : path.slice(0, colon)).slice(1).split('/')
  let parts: string[]
  try {
    parts = plain.map(decodeURIComponent)
  } catch {
    return undefined
  }
  let wrongVerb = false
  for (const route of routes(schema)) {
    if (route.verb !== custom) continue
    const variables = fit(route.segments, parts)
    if (variables === undefined) continue
    if (route.binding.verb === verb) return { method: route.method, binding: route.binding, variables }
    wrongVerb = true
  }
  return wrongVerb ? { wrongVerb } : undefined
}

function fit(segments: readonly Segment[], parts: readonly string[]): Map<string, string> | undefined {
  const open = segments.at(-1)?.rest === true
  if (open ? parts.length < segments.length : parts.length !== segments.length) return undefined
  const found = new Map<string, string[]>()
  for (const [i, segment] of segments.entries()) {
    const taken = segment.rest ? parts.slice(i) : [parts[i]!]
    if (taken.includes('') || (segment.literal !== undefined && segment.literal !== taken[0])) return undefined
    if (segment.variable !== undefined) found.set(segment.variable, [...(found.get(segment.variable) ?? []), ...taken])
  }
  return new Map([...found].map(([name, taken]) => [name, taken.join('/')]))
}

/** Parameters for the front end, not for the method. */
const SYSTEM = new Set(
  [
    'alt',
    '$alt',
    'fields',
    '$fields',
    'key',
    '$key',
    'access_token',
    'oauth_token',
    'prettyPrint',
    '$prettyPrint',
  ].concat([
    'quotaUser',
    '$quotaUser',
    'userProject',
    'uploadType',
    'upload_protocol',
    '$.xgafv',
    '$apiVersion',
    'callback',
  ]),
)

/** Path, query and body put together. @throws INVALID_ARGUMENT */
export function buildRequest(
  { method, binding, variables }: Matched,
  query: URLSearchParams,
  body: Uint8Array,
): Message {
  const request = binding.body === undefined ? {} : readBody(method, binding.body, body)
  for (const [name, value] of query) {
    if (!SYSTEM.has(name)) put(method, request, name, value, true)
  }
  for (const [name, value] of variables) put(method, request, name, value, false)
  return request
}

function readBody(method: Method, field: string, body: Uint8Array): Message {
  let value: unknown = {}
  if (body.length > 0) {
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    } catch {
      throw badField('', 'Invalid JSON payload received. The body is not JSON.')
    }
  }
  // The vendor's own REST client writes an empty text where it has nothing to say
  if (value === '' || value === null) value = {}
  if (field === '*') return readMessage(method.request, value)
  return { [field]: readMessage(method.request.byName.get(field)!.message!(), value) }
}

function put(method: Method, request: Message, name: string, value: string, fromQuery: boolean): void {
  const path = camel(name).split('.')
  let type = method.request
  let target = request
  for (const [i, part] of path.entries()) {
    const field = type.byName.get(part)
    if (field === undefined) {
      const reason = `Cannot bind query parameter. Field '${name}' could not be found in request message.`
      throw badField('', `Invalid JSON payload received. Unknown name "${name}": ${reason}`)
    }
    if (i < path.length - 1 && field.message !== undefined) {
      target = (target[part] ??= {}) as Message
      type = field.message()
      continue
    }
    if (!field.repeated) target[part] = fromQuery ? readField(field, value, name) : value
    else
      target[part] = [
        ...((target[part] as unknown[] | undefined) ?? []),
        ...(readField(field, [value], name) as unknown[]),
      ]
  }
}
