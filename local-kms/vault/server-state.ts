import type { Incoming, Reply } from '../core/server.ts'
import type { Core } from './context.ts'
import { bad, bare, sealed, VaultError } from './errors.ts'
import { decodeBase64, GoError, parseJson } from './go.ts'
import { empty, json } from './wire.ts'
import { splitOnce } from './request.ts'

/** How a standby treats what only the active server can do. */
export interface StandbyOptions {
  /** `forward`: as if the active server stood behind it (default). `redirect`: 307 to `leader`. `lost`: there is none. */
  readonly mode?: 'forward' | 'redirect' | 'lost'
  /** Base address of the active server. */
  readonly leader?: string
}

const COMMIT_DATE = '2026-10-26T20:32:27Z'

/** Calls that are answered below tokens and policies. Undefined: it is none of them. */
export function answerBelow(core: Core, path: string, incoming: Incoming, standby: StandbyOptions): Reply | undefined {
  const now = core.now()
  const method = incoming.method
  const only = (...methods: string[]): void => {
    if (!methods.includes(method)) throw new VaultError(405, [])
  }
  switch (path) {
    case 'sys/health':
      if ((incoming.headers['x-vault-namespace'] ?? '') !== '') throw bad('operation unavailable in namespaces')
      only('GET', 'HEAD')
      return health(core, incoming)
    case 'sys/seal-status':
      only('GET')
      return json(200, sealStatus(core), now)
    case 'sys/leader':
      only('GET')
      if (core.state.server === 'sealed' || core.state.server === 'uninitialised')
        return json(200, { ha_enabled: false }, now)
      return json(200, leaderStatus(core, standby), now)
    case 'sys/init':
      if (method === 'GET') return json(200, { initialized: core.state.server !== 'uninitialised' }, now)
      return undefined
    case 'sys/unseal':
      only('POST', 'PUT')
      return json(200, unseal(core, incoming), now)
    default:
      return undefined
  }
}

function leaderStatus(core: Core, { mode, leader }: StandbyOptions): Record<string, unknown> {
  if (!['standby', 'performance-standby'].includes(core.state.server)) return { ha_enabled: false }
  return {
    ha_enabled: true,
    is_self: false,
    leader_address: mode === 'lost' ? '' : (leader ?? ''),
    leader_cluster_address: '',
    performance_standby: core.state.server === 'performance-standby',
  }
}

export function sealStatus(core: Core): Record<string, unknown> {
  const initialized = core.state.server !== 'uninitialised'
  const open = initialized && core.state.server !== 'sealed'
  const shares = initialized ? 1 : 0
  return {
    type: 'shamir',
    initialized,
    sealed: !open,
    t: shares,
    n: shares,
    progress: 0,
    nonce: '',
    recovery_seal: false,
    version: core.serverVersion,
    [core.flavour === 'vault' ? 'build_date' : 'commit_date']: COMMIT_DATE,
    migration: false,
    ...(open ? { cluster_name: core.state.cluster.name, cluster_id: core.state.cluster.id } : {}),
    storage_type: 'inmem',
  }
}

/** What Vault adds. */
const VAULT_HEALTH = { enterprise: false, echo_duration_ms: 0, clock_skew_ms: 0, replication_primary_canary_age_ms: 0 }

function health(core: Core, incoming: Incoming): Reply {
  const query = new URLSearchParams(splitOnce(incoming.target, '?')[1] ?? '')
  const code = (name: string, standard: number): number => {
    const value = query.get(name)
    if (value === null) return standard
    if (!/^\d{3}$/.test(value)) throw new VaultError(400, [])
    return Number(value)
  }
  const isSet = (name: string): boolean => query.has(name) && !['false', '0'].includes(query.get(name)!)
  const codes = {
    uninitialised: code('uninitcode', 501),
    sealed: code('sealedcode', 503),
    'dr-secondary': code('drsecondarycode', 472),
    'performance-standby': code('performancestandbycode', 473),
    standby: code('standbycode', 429),
    active: code('activecode', 200),
  }
  const { server, cluster } = core.state
  const lenient =
    (server === 'standby' && isSet('standbyok')) ||
    (server === 'performance-standby' && (isSet('perfstandbyok') || isSet('standbyok')))
  const open = server !== 'sealed' && server !== 'uninitialised'
  const mode = open ? 'disabled' : 'unknown'
  const body = {
    initialized: server !== 'uninitialised',
    sealed: !open,
    standby: !open || server === 'standby' || server === 'performance-standby',
    ...(core.flavour === 'vault' || server === 'performance-standby'
      ? { performance_standby: server === 'performance-standby' }
      : {}),
    replication_performance_mode: mode,
    replication_dr_mode: server === 'dr-secondary' ? 'secondary' : mode,
    server_time_utc: Math.floor(core.now() / 1000),
    version: core.serverVersion,
    ...(core.flavour === 'vault' ? VAULT_HEALTH : {}),
    ...(open ? { cluster_name: cluster.name, cluster_id: cluster.id } : {}),
  }
  const status = lenient ? codes.active : codes[server]
  return incoming.method === 'HEAD' ? empty(status, core.now()) : json(status, body, core.now())
}

/** Any text of 16 to 33 bytes in hex or base64 is the one share that opens. */
function unseal(core: Core, incoming: Incoming): Record<string, unknown> {
  const body = readBody(incoming)
  if (body['reset'] === true) return sealStatus(core)
  const key = body['key']
  if (typeof key !== 'string' || key === '') {
    throw bad("'key' must be specified in request body as JSON, or 'reset' set to true")
  }
  if (core.state.server === 'uninitialised') throw bare(400, 'Vault is not initialized')
  const bytes = keyBytes(key)
  if (core.state.server !== 'sealed') return sealStatus(core)
  if (bytes.length < 16) throw bad('invalid key: key is shorter than minimum 16 bytes')
  if (bytes.length > 33) throw bad('invalid key: key is longer than maximum 33 bytes')
  core.state.server = 'active'
  core.world.onChange()
  return sealStatus(core)
}

function keyBytes(text: string): Uint8Array {
  if (text.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(text)) return new Uint8Array(Buffer.from(text, 'hex'))
  try {
    return decodeBase64(text)
  } catch {
    throw bad("'key' must be a valid hex or base64 string")
  }
}

function readBody(incoming: Incoming): Record<string, unknown> {
  try {
    return incoming.body.length === 0 ? {} : parseJson(new TextDecoder().decode(incoming.body))
  } catch (problem) {
    throw problem instanceof GoError ? bad(problem.message) : problem
  }
}

/** What a server that is not the active one makes of a call. Undefined: it serves it. @throws VaultError */
export function turnAway(
  core: Core,
  incoming: Incoming,
  { mode = 'forward', leader }: StandbyOptions,
): Reply | undefined {
  switch (core.state.server) {
    case 'sealed':
    case 'uninitialised':
      throw sealed()
    case 'dr-secondary':
      throw bad('path disabled in replication DR secondary mode')
    case 'standby': {
      const unforwarded = incoming.headers['x-vault-no-request-forwarding'] !== undefined
      if (mode === 'forward' && !unforwarded) return undefined
      if (mode === 'lost' || leader === undefined) {
        throw bare(500, 'local node not active but active cluster node not found')
      }
      return empty(307, core.now(), { Location: `${leader}${incoming.target}` })
    }
    default:
      return undefined
  }
}
