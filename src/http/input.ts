import type { z } from 'zod'
import { parseStrictJson } from '../bytes/json.ts'
import { malformed } from '../domain/errors.ts'
import { requireJson } from './body.ts'

interface Raw {
  readonly object: { readonly name: string; readonly schema: z.ZodType; readonly text: string } | undefined
  readonly body: {
    readonly schema: z.ZodType | undefined
    readonly bytes: Uint8Array
    readonly contentType: string | null
  }
  readonly query: { readonly schema: z.ZodType | undefined; readonly url: string }
}

/**
 * Path, query and body of a request under the schemas of its route. What a route has no use for is refused: a body where
 * none belongs, a parameter nobody reads, a parameter given twice.
 *
 * @throws `request/malformed`, `request/unsupported-media`; never with a value of the body in it
 */
export function readInput({ object, body, query }: Raw): { object: unknown; body: unknown; query: unknown } {
  return {
    object: object === undefined ? undefined : fit(object.schema, object.text, object.name),
    query: readQuery(query),
    body: readJson(body),
  }
}

function readJson({ schema, bytes, contentType }: Raw['body']): unknown {
  if (schema === undefined) {
    if (bytes.length === 0) return undefined
    throw malformed('body', 'this route takes none', 'send the request without a body')
  }
  requireJson(contentType)
  return fit(schema, parseStrictJson(bytes), 'body')
}

function readQuery({ schema, url }: Raw['query']): unknown {
  if (schema !== undefined) return fit(schema, Object.fromEntries(parametersOf(url)), 'query')
  const [name] = new URL(url).searchParams.keys()
  if (name === undefined) return undefined
  throw malformed(shown(name), 'this route takes no query', 'leave it out')
}

/** @throws `request/malformed` for a parameter that is given twice, or that no schema would see */
export function parametersOf(url: string): ReadonlyMap<string, string> {
  const given = new Map<string, string>()
  for (const [name, value] of new URL(url).searchParams) {
    if (given.has(name)) throw malformed(shown(name), 'is given twice', 'give every parameter once')
    if (name === '__proto__') throw malformed(name, 'is not known', 'leave it out')
    given.set(name, value)
  }
  return given
}

function fit(schema: z.ZodType, value: unknown, whole: string): unknown {
  const result = tried(schema, value)
  if (result?.success === true) return result.data
  const issue = result?.error.issues[0]
  if (issue === undefined) throw malformed(whole, 'does not fit', 'see /openapi.json')
  const at = issue.path.map(step => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  if (issue.code === 'unrecognized_keys') {
    const [name = ''] = issue.keys
    throw malformed(shown(`${at}/${name}`), 'is not a field of this request', 'correct its spelling or leave it out')
  }
  throw malformed(at === '' ? whole : shown(at), issue.message.slice(0, 300).toWellFormed(), 'see /openapi.json')
}

/** A length that is an object without a primitive value makes the library itself throw: that does not fit either. */
function tried(schema: z.ZodType, value: unknown) {
  try {
    return schema.safeParse(value)
  } catch {
    return undefined
  }
}

const FIELD_CHARACTERS_MAX = 120
const shown = (field: string): string => field.slice(0, FIELD_CHARACTERS_MAX).toWellFormed()
