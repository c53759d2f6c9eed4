import { pluginVersion } from '../audit.ts'
import { ENGINES, METHODS } from '../kinds.ts'
import type { Call, Core, Result, Route } from '../context.ts'
import { bad } from '../errors.ts'
import { GoError, parseDuration } from '../go.ts'
import { type Mount, newMount, SYSTEM_MAX_TTL } from '../state.ts'
import { findToken } from '../tokens.ts'

/** As `sys/mounts` and `sys/auth` show it. */
export function shownMount(core: Core, mount: Mount, isAuth: boolean): Record<string, unknown> {
  const builtIn = mount.options === null
  const passed: Record<string, string[]> = { system: ['Accept'], identity: ['Authorization'] }
  const headers = passed[mount.type.replace(/^ns_/, '')]
  return {
    accessor: mount.accessor,
    config: {
      default_lease_ttl: mount.defaultTtl,
      force_no_cache: false,
      max_lease_ttl: mount.maxTtl,
      ...(headers === undefined ? {} : { passthrough_request_headers: headers }),
      ...(isAuth ? { token_type: 'default-service' } : {}),
    },
    ...(builtIn ? {} : { deprecation_status: 'supported' }),
    description: mount.description,
    external_entropy_access: false,
    local: mount.local,
    options: mount.options,
    plugin_version: '',
    running_plugin_version: pluginVersion(core),
    running_sha256: '',
    seal_wrap: mount.type.endsWith('system'),
    type: mount.type,
    uuid: mount.uuid,
  }
}

const TABLE_FIELDS = {
  type: 'string',
  description: 'string',
  config: 'map',
  options: 'kv',
  local: 'bool',
  seal_wrap: 'bool',
  external_entropy_access: 'bool',
  plugin_name: 'string',
  plugin_version: 'string',
} as const
const TUNE_FIELDS = {
  default_lease_ttl: 'string',
  max_lease_ttl: 'string',
  description: 'string',
  audit_non_hmac_request_keys: 'commaStrings',
  audit_non_hmac_response_keys: 'commaStrings',
  listing_visibility: 'string',
  passthrough_request_headers: 'commaStrings',
  allowed_response_headers: 'commaStrings',
  token_type: 'string',
  options: 'kv',
} as const

function tableRoutes(name: 'mounts' | 'auth'): Route[] {
  const isAuth = name === 'auth'
  const table = (call: Call): Record<string, Mount> => (isAuth ? call.namespace.auths : call.namespace.mounts)
  const pathOf = (call: Call): string => `${call.data.string('path').replace(/\/+$/, '')}/`
  const what = isAuth ? 'auth engine' : 'secret engine'
  const found = (call: Call): Mount => {
    const mount = table(call)[pathOf(call)]
    if (mount === undefined) throw bad(`No ${what} mount at ${pathOf(call)}`)
    return mount
  }
  return [
    {
      path: name,
      read: call => ({
        flat: true,
        data: Object.fromEntries(
          Object.entries(table(call)).map(([path, mount]) => [path, shownMount(call.core, mount, isAuth)]),
        ),
      }),
    },
    { path: `${name}/:path/tune`, anyName: true, root: isAuth, fields: TUNE_FIELDS, read: readTune, update: writeTune },
    {
      path: `${name}/*path`,
      root: isAuth,
      fields: TABLE_FIELDS,
      read: call => ({ flat: true, data: shownMount(call.core, found(call), isAuth) }),
      update: call => mountSomething(call, table(call), pathOf(call), isAuth),
      remove(call) {
        const path = pathOf(call)
        const mount = table(call)[path]
        if (mount?.options === null) throw bad(`cannot ${isAuth ? 'disable' : 'unmount'} ${JSON.stringify(path)}`)
        delete table(call)[path]
        if (isAuth) revokeUnder(call.core, call.namespace.path, `auth/${path}`)
        return undefined
      },
    },
  ]

  function readTune(call: Call): Result {
    const mount = table(call)[pathOf(call)]
    if (mount === undefined)
      throw bad(`cannot fetch sysview for path ${JSON.stringify(`${isAuth ? 'auth/' : ''}${pathOf(call)}`)}`)
    return {
      flat: true,
      data: {
        default_lease_ttl: mount.defaultTtl || SYSTEM_MAX_TTL,
        description: mount.description,
        force_no_cache: false,
        max_lease_ttl: mount.maxTtl || SYSTEM_MAX_TTL,
        ...(isAuth ? { token_type: 'default-service' } : {}),
      },
    }
  }

  function writeTune(call: Call): undefined {
    const mount = found(call)
    if (call.data.has('description')) mount.description = call.data.string('description')
    if (call.data.has('default_lease_ttl')) mount.defaultTtl = seconds(call.data.string('default_lease_ttl'))
    if (call.data.has('max_lease_ttl')) mount.maxTtl = seconds(call.data.string('max_lease_ttl'))
  }
}

function mountSomething(call: Call, table: Record<string, Mount>, path: string, isAuth: boolean): undefined {
  const { data, core } = call
  const type = data.string('type')
  if (type === '') throw bad('backend type must be specified as a string')
  const reserved = ['auth/', 'cubbyhole/', 'identity/', 'sys/', 'audit/']
  if (!isAuth && reserved.some(each => path.startsWith(each))) throw bad(`cannot mount ${JSON.stringify(path)}`)
  if (isAuth && path === 'token/') throw bad('token credential backend cannot be instantiated')
  const taken = Object.keys(table).find(each => path.startsWith(each) || each.startsWith(path))
  if (taken !== undefined) throw bad(`path is already in use at ${taken}`)
  if (!(isAuth ? METHODS : ENGINES).includes(type)) throw bad(`plugin not found in the catalog: ${type}`)
  const config = data.map('config')
  const mount = newMount(core.streams, {
    path,
    type,
    auth: isAuth,
    description: data.string('description'),
    options: data.map('options'),
    local: data.bool('local'),
  })
  mount.defaultTtl = seconds(config['default_lease_ttl'])
  mount.maxTtl = seconds(config['max_lease_ttl'])
  table[path] = mount
}

function seconds(value: unknown): number {
  try {
    return value === 'system' ? 0 : parseDuration(value ?? 0)
  } catch (problem) {
    if (problem instanceof GoError) throw bad(`unable to parse default TTL of ${String(value)}: ${problem.message}`)
    throw problem
  }
}

/** Tokens a method gave end with it. */
function revokeUnder(core: Core, namespace: string, prefix: string): void {
  for (const token of Object.values(core.state.tokens)) {
    if (token.namespace === namespace && token.path.startsWith(prefix) && findToken(core, token.id) !== undefined) {
      delete core.state.tokens[token.id]
    }
  }
}

export const mountRoutes: readonly Route[] = [
  ...tableRoutes('mounts'),
  ...tableRoutes('auth'),
  {
    path: 'internal/ui/mounts',
    read: call => ({
      data: {
        auth: shownAll(call, call.namespace.auths, true),
        secret: shownAll(call, call.namespace.mounts, false),
      },
    }),
  },
  {
    path: 'internal/ui/mounts/*path',
    read(call) {
      const path = `${call.data.string('path').replace(/\/+$/, '')}/`
      const mount = Object.values(call.namespace.mounts).find(each => path.startsWith(each.path))
      if (mount === undefined) throw bad(`No secret engine mount at ${path}`)
      return { data: { ...shownMount(call.core, mount, false), path: mount.path } }
    },
  },
]

const shownAll = (call: Call, table: Record<string, Mount>, isAuth: boolean): Record<string, unknown> =>
  Object.fromEntries(Object.entries(table).map(([path, mount]) => [path, shownMount(call.core, mount, isAuth)]))
