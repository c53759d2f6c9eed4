/** REST and JSON, as Google's front end speaks them. */
import { brokenReply, damageHttp } from '../core/damage.ts'
import type { Fault } from '../core/faults.ts'
import type { Incoming, Reply } from '../core/server.ts'
import { damageJson, errorOf, twice } from './damage.ts'
import { loadSchema, type Schema } from './descriptors.ts'
import type { CallOut, Engine } from './engine.ts'
import { GcpError } from './errors.ts'
import { type JsonStyle, writeMessage } from './json.ts'
import { buildRequest, matchRoute, type Matched } from './routes.ts'

interface Style extends JsonStyle {
  readonly compact: boolean
}

/** @param now  of the face's clock @param miss  counts a request to a path nobody serves */
export async function handleRest(
  request: Incoming,
  engine: Engine,
  now: () => number,
  miss: () => void,
): Promise<Reply> {
  const schema = await loadSchema()
  const question = request.target.indexOf('?')
  const path = question < 0 ? request.target : request.target.slice(0, question)
  const query = new URLSearchParams(question < 0 ? '' : request.target.slice(question + 1))
  const route = matchRoute(schema, request.method, path)
  if (route === undefined || 'wrongVerb' in route) {
    miss()
    return notFoundPage(path, now())
  }
  const out = await engine({
    method: route.method,
    read: () => buildRequest(route, query, request.body),
    authorization: request.headers['authorization'] ?? bearer(query.get('access_token')),
    userAgent: request.headers['user-agent'] ?? '',
    remoteAddress: request.remoteAddress,
    freshConnection: request.freshConnection,
  })
  return write(schema, route, out, styleOf(query), now())
}

const bearer = (token: string | null): string | undefined => (token === null ? undefined : `Bearer ${token}`)

/** `$alt=json;enum-encoding=int`: enums as numbers. `prettyPrint=false`: no blanks. */
function styleOf(query: URLSearchParams): Style {
  const alt = query.get('$alt') ?? query.get('alt') ?? ''
  const pretty = query.get('$prettyPrint') ?? query.get('prettyPrint')
  return { enumNumbers: alt.split(';').includes('enum-encoding=int'), compact: pretty === 'false' || pretty === '0' }
}

function write(schema: Schema, { method }: Matched, out: CallOut, style: Style, now: number): Reply {
  if (out.broken !== undefined) return broken(schema, out.broken, style, now)
  if (out.error !== undefined) return damageHttp(failure(schema, out.error, style, now), out.faults, now)
  const json = damageJson(writeMessage(schema, method.response, out.output!, style), out.faults)
  const doubled = out.faults.find(fault => fault.kind === 'duplicate-json-keys')
  const text = doubled === undefined ? textOf(json, style) : twice(json, doubled.second ?? {})
  return damageHttp(reply(200, text, now), out.faults, now)
}

const textOf = (value: unknown, { compact }: Style): string =>
  compact ? JSON.stringify(value) : `${JSON.stringify(value, null, 2)}\n`

function reply(status: number, text: string, now: number, type = 'application/json; charset=UTF-8'): Reply {
  const headers = {
    'Content-Type': type,
    Vary: 'Origin, X-Origin, Referer',
    Date: new Date(now).toUTCString(),
    Server: 'ESF',
    'X-XSS-Protection': '0',
    'X-Frame-Options': 'SAMEORIGIN',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'private',
    'x-local-kms': 'emulator; not a secure store',
  }
  return { status, headers, body: new TextEncoder().encode(text) }
}

function failure(schema: Schema, error: GcpError, style: Style, now: number): Reply {
  const details = error.details.map(({ type, value }) => ({
    '@type': `type.googleapis.com/${type}`,
    ...writeMessage(schema, schema.message(type), value, style),
  }))
  const { httpStatus: code, message, status } = error
  const body = { error: { code, message, status, ...(details.length === 0 ? {} : { details }) } }
  const answer = reply(code, textOf(body, style), now)
  if (code !== 401) return answer
  const challenge = 'Bearer realm="https://accounts.google.com/"'
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': challenge } }
}

/** What a fault puts in place of an answer. */
function broken(schema: Schema, fault: Fault, style: Style, now: number): Reply {
  if (fault.kind === 'error') return failure(schema, errorOf(fault), style, now)
  if (fault.kind === 'status') return reply(fault.status, fault.body ?? '', now)
  if (fault.kind === 'redirect') {
    const answer = reply(fault.status ?? 307, '', now)
    return { ...answer, headers: { ...answer.headers, Location: fault.location } }
  }
  return brokenReply(fault) ?? failure(schema, new GcpError('INTERNAL', 'Internal error encountered.'), style, now)
}

/** The front end answers unknown paths with a page for people, whatever the client accepts. */
function notFoundPage(path: string, now: number): Reply {
  const shown = path.replace(/[^A-Za-z0-9/_.:-]/g, '')
  const page = `<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p>The requested URL <code>${shown}</code> was not found on this server.\n`
  return reply(404, page, now, 'text/html; charset=UTF-8')
}
