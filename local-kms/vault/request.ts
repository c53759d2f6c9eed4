import type { Incoming } from '../core/server.ts'
import type { Core, OperationKind } from './context.ts'
import { bad, bare, noHandler, unsupportedOperation } from './errors.ts'
import { GoError, parseJson } from './go.ts'
import { decodePath } from './router.ts'
import type { Mount, Namespace } from './state.ts'

/** A request as far as its first line and headers tell. */
export interface Asked {
  readonly namespace: Namespace
  /** Below the namespace, without `/v1/`. */
  readonly path: string
  readonly operation: OperationKind
  readonly query: Readonly<Record<string, unknown>>
}

const OPERATIONS: Record<string, OperationKind> = {
  GET: 'read',
  POST: 'update',
  PUT: 'update',
  DELETE: 'delete',
  LIST: 'list',
  PATCH: 'patch',
}

/** @throws VaultError */
export function readTarget(core: Core, incoming: Incoming): Asked {
  const [encoded, search = ''] = splitOnce(incoming.target, '?')
  const whole = decodePath(encoded.slice('/v1/'.length))
  const query = readQuery(search)
  if (incoming.method === 'OPTIONS') throw bare(400, 'cannot handle internal-only request operation')
  if (incoming.method === 'PATCH' && !(incoming.headers['content-type'] ?? '').includes('merge-patch+json')) {
    throw bad('mime: no media type')
  }
  let operation = OPERATIONS[incoming.method] ?? 'other'
  if (operation === 'read' && ['true', '1', 't'].includes(String(query['list']))) operation = 'list'
  if (operation === 'list') delete query['list']
  const namespace = findNamespace(core, incoming.headers['x-vault-namespace'] ?? '', whole)
  const path = whole.slice(namespace.rest)
  const listed = operation === 'list' && !path.endsWith('/') ? `${path}/` : path
  return { namespace: namespace.found, path: listed, operation, query }
}

/** The header's namespace, and below it any that the path begins with. */
function findNamespace(core: Core, header: string, path: string): { found: Namespace; rest: number } {
  const trimmed = header.replace(/^\/+|\/+$/g, '')
  const base = trimmed === '' || trimmed === 'root' ? '' : `${trimmed}/`
  const named = Object.hasOwn(core.state.namespaces, base) ? core.state.namespaces[base] : undefined
  if (named === undefined) throw bare(404, 'namespace not found')
  const inside = Object.values(core.state.namespaces)
    .filter(each => each.path !== base && `${base}${path}`.startsWith(each.path) && each.path.startsWith(base))
    .toSorted((a, b) => a.path.length - b.path.length)
    .at(-1)
  return inside === undefined ? { found: named, rest: 0 } : { found: inside, rest: inside.path.length - base.length }
}

export interface Located {
  readonly mount: Mount
  readonly isAuth: boolean
  /** Below the mount. */
  readonly path: string
}

/** The longest mount the path begins with. @throws VaultError 404 */
export function locate(namespace: Namespace, path: string): Located {
  const isAuth = path.startsWith('auth/')
  const below = isAuth ? path.slice('auth/'.length) : path
  const mount = Object.values(isAuth ? namespace.auths : namespace.mounts)
    .filter(each => below.startsWith(each.path) || `${below}/` === each.path)
    .toSorted((a, b) => a.path.length - b.path.length)
    .at(-1)
  if (mount === undefined) throw noHandler(path)
  return { mount, isAuth, path: below.slice(mount.path.length) }
}

/** What the caller gave beside the path: the query of reads, the body of writes. @throws VaultError 400 */
export function readParameters(incoming: Incoming, asked: Asked): Record<string, unknown> {
  if (asked.operation === 'other') throw unsupportedOperation()
  if (!['update', 'patch'].includes(asked.operation)) return { ...asked.query }
  const text = new TextDecoder().decode(incoming.body)
  if (text.trim() === '') return {}
  const type = (incoming.headers['content-type'] ?? '').split(';')[0]!.trim()
  if (type === 'application/x-www-form-urlencoded' && !/^\s*[{[]/.test(text)) return readQuery(text)
  try {
    return parseJson(text)
  } catch (problem) {
    if (problem instanceof GoError) throw bad(problem.message)
    throw problem
  }
}

function readQuery(search: string): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [name, value] of new URLSearchParams(search)) {
    const known = out[name]
    out[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value]
  }
  return out
}

export function splitOnce(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)]
}

/** `X-Vault-Token`, else a bearer token. '' for none. */
export function tokenOf(incoming: Incoming): string {
  const own = incoming.headers['x-vault-token']
  if (own !== undefined && own !== '') return own
  const bearer = /^Bearer (\S+)$/i.exec(incoming.headers['authorization'] ?? '')
  return bearer?.[1] ?? ''
}
