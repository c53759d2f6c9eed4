import type { Doctor, Finding, Patient } from '../../src/domain/doctor.ts'
import { isSignerError } from '../../src/domain/errors.ts'
import type { Call } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../world.ts'
import type { VaultClient } from './client.ts'
import type { VaultTransitConfig } from './config.ts'
import { examineKey, type KeyReading } from './doctor-keys.ts'
import { examinePermissions } from './doctor-permissions.ts'
import { meaningOf, vendorErrorOf } from './doctor-words.ts'
import { openVaultClient } from './provider.ts'
import { type CallRecord, objectOf } from './wire.ts'

/** JWT logins and our own records suffer from a clock that is further off than this. */
const OFFSET_MS_MAX = 30_000
const SAMPLES = 5

/** Reads health, token, keys and rights; its only writes are requests that Vault cannot carry out. */
export async function createDoctor(config: VaultTransitConfig, world: ProviderWorld): Promise<Doctor> {
  const { openNodeVault } = await import('./node-vault.ts')
  const client = openVaultClient(config, world, openNodeVault)
  return Object.freeze({
    examine: (patients, call) => examine(client, config, world, patients, call),
    close: async () => client.close(),
  } satisfies Doctor)
}

async function* examine(
  client: VaultClient,
  config: VaultTransitConfig,
  world: ProviderWorld,
  patients: readonly Patient[],
  call: Call,
): AsyncIterable<Finding> {
  const health = await client.look({ method: 'GET', path: 'sys/health', root: true }, 'without token', call)
  const reachable = ofHealth(client, health, config.address)
  yield reachable
  yield ofClock(health, world)
  if (reachable.outcome === 'failed') return yield* skippedFrom('credentials', 'the server does not serve')

  const credentials = await ofCredentials(client, config, call)
  yield credentials
  if (credentials.outcome === 'failed') return yield* skippedFrom('key', 'there is no token to ask with')

  const readings: KeyReading[] = []
  for (const patient of patients) {
    const reading = await examineKey(client, patient, call)
    readings.push(reading)
    yield* reading.findings
  }
  yield* await examinePermissions(client, readings, call)
  yield await sample(client, world, readings, call)
}

function* skippedFrom(first: 'credentials' | 'key', meaning: string): Iterable<Finding> {
  const checks = ['credentials', 'key', 'permission', 'latency'] as const
  for (const check of checks.slice(checks.indexOf(first))) yield { check, outcome: 'skipped', meaning }
}

function ofHealth(client: VaultClient, record: CallRecord, address: string): Finding {
  const check = 'reachable'
  const { output } = record
  if (output === undefined) {
    return {
      check,
      outcome: 'failed',
      ...vendorErrorOf(record),
      meaning: meaningOf(client, record),
      fix: `check address = "${address}": name, port, certificate and route; \`curl ${address}/v1/sys/health\` must answer`,
    }
  }
  const { initialized, sealed, standby, version } = output
  const facts = {
    ...(typeof version === 'string' ? { version } : {}),
    ...(typeof standby === 'boolean' ? { standby } : {}),
  }
  const state = (outcome: 'failed' | 'warning', meaning: string, fix: string): Finding => ({
    check,
    outcome,
    vendorError: `status ${record.status}`,
    meaning,
    fix,
    facts,
  })
  if (initialized === false) {
    return state('failed', 'the server is not initialised', 'run `vault operator init`, then unseal it')
  }
  if (sealed !== false) {
    return state(
      'failed',
      'the server is sealed and serves nothing',
      'run `vault operator unseal`, or mend its auto-unseal',
    )
  }
  if (standby === true || (record.status ?? 200) !== 200) {
    const meaning = 'this server is a standby: it passes requests on, or answers with a redirect that is never followed'
    return state('warning', meaning, 'use the address of the active server, or of a balancer that finds it')
  }
  return { check, outcome: 'ok', facts }
}

function ofClock({ serverTimeMs }: CallRecord, world: ProviderWorld): Finding {
  const check = 'clock'
  if (serverTimeMs === undefined) return { check, outcome: 'skipped', meaning: 'the server does not tell its time' }
  // The header has whole seconds.
  const offsetMs = Math.round(world.clock.now() - serverTimeMs)
  if (Math.abs(offsetMs) <= OFFSET_MS_MAX) return { check, outcome: 'ok', facts: { offsetMs } }
  const meaning = 'our clock and that of the server differ: logins by JWT fail, and records do not line up'
  return { check, outcome: 'warning', meaning, fix: 'run a time service (NTP) on both machines', facts: { offsetMs } }
}

const LOGIN_FIX = {
  token: 'make a new token (`vault token create -policy=…`) and give it as `token` or in `tokenFile`',
  approle:
    'check roleId and secretId: `vault read auth/approle/role/NAME/role-id`, `vault write -f auth/approle/role/NAME/secret-id`',
  kubernetes:
    'check role, its bound service account and namespace, and its audience: `vault read auth/kubernetes/role/NAME`',
  jwt: 'check role, bound audience, subject and claims, and that the token has not expired: `vault read auth/jwt/role/NAME`',
} as const

async function ofCredentials(client: VaultClient, config: VaultTransitConfig, call: Call): Promise<Finding> {
  const check = 'credentials'
  const method = config.auth ?? 'token'
  const fix = LOGIN_FIX[method]
  let record: CallRecord
  try {
    record = await client.look({ method: 'GET', path: 'auth/token/lookup-self' }, 'with token', call)
  } catch (error) {
    if (!isSignerError(error)) throw error
    const meaning = 'reason' in error.detail ? error.detail.reason : error.code
    const { cause } = error
    const vendorError =
      cause instanceof Error && cause.message.startsWith('Vault answered') ? { vendorError: cause.message } : {}
    return { check, outcome: 'failed', ...vendorError, meaning, fix }
  }
  if (record.output === undefined) {
    const denied =
      record.answered && record.status === 403 && record.texts.some(text => text.includes('* permission denied'))
    if (!denied || record.texts.some(text => text.includes('invalid token')))
      return { check, outcome: 'failed', ...vendorErrorOf(record), meaning: meaningOf(client, record), fix }
    return {
      check,
      outcome: 'warning',
      ...vendorErrorOf(record),
      meaning: 'the token is accepted, but may not look at itself, so nothing is known of its life and rights',
      fix: 'add to the policy: path "auth/token/lookup-self" { capabilities = ["read"] }',
    }
  }
  return ofToken(objectOf(record.output['data']), config)
}

/** Of the answer only what is named here is used: it also holds the token itself. */
function ofToken(data: Readonly<Record<string, unknown>>, config: VaultTransitConfig): Finding {
  const check = 'credentials'
  const { display_name: identity, policies, ttl, renewable, type, num_uses: uses } = data
  const names = Array.isArray(policies) ? policies.map(String) : []
  const facts = {
    auth: config.auth ?? 'token',
    policies: names.join(' '),
    ...(typeof identity === 'string' ? { identity } : {}),
    ...(typeof ttl === 'number' ? { ttlSeconds: ttl } : {}),
    ...(typeof renewable === 'boolean' ? { renewable } : {}),
    ...(typeof type === 'string' ? { type } : {}),
  }
  const warning = (meaning: string, fix: string): Finding => ({ check, outcome: 'warning', meaning, fix, facts })
  if (names.includes('root')) {
    return warning(
      'this is a root token: it may do everything',
      'make a token with the policies of deploy/iam/vault only',
    )
  }
  if (typeof uses === 'number' && uses > 0) {
    return warning(`the token may be used ${uses} more times only`, 'make it without a limit of uses')
  }
  if (config.token !== undefined && typeof ttl === 'number' && ttl > 0) {
    const meaning = `the token ends in ${ttl} s, and a token given in the configuration is not renewed`
    return warning(meaning, 'use auth = "approle", "kubernetes" or "jwt", or let an agent keep a tokenFile fresh')
  }
  return { check, outcome: 'ok', facts }
}

async function sample(
  client: VaultClient,
  world: ProviderWorld,
  readings: readonly KeyReading[],
  call: Call,
): Promise<Finding> {
  const readable = readings.find(({ data }) => data !== undefined)
  const path = readable === undefined ? 'sys/health' : `${client.mount}/keys/${readable.name}`
  const took: number[] = []
  for (let i = 0; i < SAMPLES; i++) {
    const since = world.clock.monotonic()
    const ask = { method: 'GET', path, ...(readable === undefined ? { root: true as const } : {}) } as const
    const record = await client.look(ask, readable === undefined ? 'without token' : 'with token', call)
    if (record.output !== undefined) took.push(world.clock.monotonic() - since)
  }
  const sorted = took.toSorted((a, b) => a - b)
  const p50 = sorted[Math.floor(sorted.length / 2)]
  if (p50 === undefined) return { check: 'latency', outcome: 'skipped', meaning: 'no sample was answered' }
  const rounded = (ms: number) => Math.round(ms * 100) / 100
  const facts = {
    p50Ms: rounded(p50),
    maxMs: rounded(sorted.at(-1) ?? p50),
    samples: took.length,
    request: `GET ${path}`,
  }
  return { check: 'latency', outcome: 'ok', facts }
}
