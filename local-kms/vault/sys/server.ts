import { toHex, uuid } from '../../core/random.ts'
import { pluginVersion } from '../audit.ts'
import type { Call, Route } from '../context.ts'
import { bad, VaultError } from '../errors.ts'
import { decodeBase64, formatTime } from '../go.ts'
import { createToken } from '../tokens.ts'

/** The server itself; what needs no token stands in `server-state.ts`. */
export const serverRoutes: readonly Route[] = [
  {
    path: 'seal',
    root: true,
    read() {
      throw new VaultError(405, [])
    },
    update(call) {
      call.core.state.server = 'sealed'
      return undefined
    },
  },
  { path: 'step-down', root: true, update: () => undefined },
  { path: 'init', open: true, fields: { secret_shares: 'int', secret_threshold: 'int' }, update: initialise },
  {
    path: 'host-info',
    read: call => ({ data: { timestamp: formatTime(call.core.now()), host: { hostname: 'local-kms' } } }),
  },
  {
    path: 'version-history',
    list(call) {
      const { serverVersion } = call.core
      return {
        data: {
          keys: [serverVersion],
          key_info: {
            [serverVersion]: {
              commit_date: '2026-10-26T20:32:27Z',
              previous_version: null,
              timestamp_installed: formatTime(Object.values(call.core.state.tokens)[0]?.createdMs ?? call.core.now()),
            },
          },
        },
      }
    },
  },
  {
    path: 'key-status',
    read: call => ({
      flat: true,
      data: { term: 1, install_time: formatTime(call.namespace.policies['default']?.modifiedMs ?? 0), encryptions: 1 },
    }),
  },
  { path: 'audit', root: true, read: () => ({ data: {} }) },
  {
    path: 'audit/*path',
    root: true,
    fields: { type: 'string', options: 'kv', description: 'string', local: 'bool' },
    update() {
      throw bad('cannot enable audit device via API; use declarative, config-based audit device management instead')
    },
    remove: () => undefined,
  },
  { path: 'plugins/catalog', read: call => ({ data: catalog(call) }) },
]

function catalog(call: Call): Record<string, unknown> {
  const auth = ['approle', 'jwt', 'kubernetes']
  const secret = ['transit']
  const version = pluginVersion(call.core)
  return {
    auth,
    secret,
    database: [],
    detailed: [...auth.map(name => [name, 'auth']), ...secret.map(name => [name, 'secret'])].map(([name, type]) => ({
      builtin: true,
      deprecation_status: 'supported',
      name,
      type,
      version,
    })),
  }
}

/** For a server set to `uninitialised`: one share and a root token, sealed after. */
function initialise(call: Call): { flat: true; data: Record<string, unknown> } {
  const { core, data, namespace } = call
  if (core.state.server !== 'uninitialised') {
    if (data.int('secret_shares') < 1) throw bad('invalid seal configuration: shares must be at least one')
    throw bad('Vault is already initialized')
  }
  const token = createToken(
    core,
    {
      namespace,
      type: 'service',
      policies: ['root'],
      path: 'auth/token/root',
      displayName: 'root',
      orphan: true,
      ttl: 0,
      renewable: false,
    },
    [],
  )
  core.state.server = 'sealed'
  const key = core.state.unsealKey
  return {
    flat: true,
    data: {
      keys: [toHex(decodeBase64(key))],
      keys_base64: [key],
      root_token: token.id,
      nonce: uuid(core.streams('vault cluster')),
    },
  }
}
