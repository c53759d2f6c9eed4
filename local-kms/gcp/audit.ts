import type { Method } from './descriptors.ts'
import { type GcpError, SERVICE, STATUSES } from './errors.ts'
import type { Message } from './known-types.ts'
import { parseName, type ResourceName } from './names.ts'

/** One entry as Cloud Audit Logs writes it for this service. What was signed or encrypted never stands in it. */
export interface GcpAuditRecord {
  readonly protoPayload: {
    readonly '@type': 'type.googleapis.com/google.cloud.audit.AuditLog'
    readonly status: { readonly code?: number; readonly message?: string }
    readonly authenticationInfo: { readonly principalEmail: string }
    readonly requestMetadata: Readonly<Record<string, unknown>>
    readonly serviceName: typeof SERVICE
    readonly methodName: string
    readonly authorizationInfo: readonly Authorization[]
    readonly resourceName: string
    readonly request: Readonly<Record<string, unknown>>
    readonly response?: Readonly<Record<string, unknown>>
    readonly resourceLocation?: { readonly currentLocations: readonly string[] }
  }
  readonly insertId: string
  readonly resource: { readonly type: string; readonly labels: Readonly<Record<string, string>> }
  readonly timestamp: string
  readonly severity: 'INFO' | 'NOTICE' | 'ERROR'
  readonly logName: string
  readonly receiveTimestamp: string
}

export interface Authorization {
  readonly resource: string
  readonly permission: string
  readonly granted: boolean
}

export interface AuditFacts {
  readonly method: Method
  readonly admin: boolean
  readonly request: Message | undefined
  readonly response: Message | undefined
  readonly error: GcpError | undefined
  readonly principal: string
  readonly authorizations: readonly Authorization[]
  readonly now: number
  readonly insertId: string
  readonly remoteAddress: string
  readonly userAgent: string
}

const TYPES = {
  cryptoKeyVersion: 'cloudkms_cryptokeyversion',
  cryptoKey: 'cloudkms_cryptokey',
  keyRing: 'cloudkms_keyring',
  importJob: 'cloudkms_import_job',
  location: 'audited_resource',
} as const

export function auditRecord(facts: AuditFacts): GcpAuditRecord {
  const { method, error, now, request, response } = facts
  const name = resourceName(request, response)
  const parsed = parseName(name)
  const time = new Date(now).toISOString()
  const log = facts.admin ? 'activity' : 'data_access'
  return {
    protoPayload: {
      '@type': 'type.googleapis.com/google.cloud.audit.AuditLog',
      status: error === undefined ? {} : { code: STATUSES[error.status][0], message: error.message },
      authenticationInfo: { principalEmail: facts.principal },
      requestMetadata: {
        callerIp: facts.remoteAddress,
        callerSuppliedUserAgent: facts.userAgent,
        requestAttributes: { time, auth: {} },
        destinationAttributes: {},
      },
      serviceName: SERVICE,
      methodName: method.service.endsWith('KeyManagementService') ? method.name : `${method.service}.${method.name}`,
      authorizationInfo: facts.authorizations,
      resourceName: name,
      request: { '@type': `type.googleapis.com/${method.request.name}`, ...shown(request) },
      ...(facts.admin && response !== undefined
        ? { response: { '@type': `type.googleapis.com/${method.response.name}`, ...shown(response) } }
        : {}),
      ...(parsed === undefined ? {} : { resourceLocation: { currentLocations: [parsed.location] } }),
    },
    insertId: facts.insertId,
    resource: { type: parsed === undefined ? 'audited_resource' : TYPES[parsed.kind], labels: labels(parsed) },
    timestamp: time,
    severity: error !== undefined ? 'ERROR' : facts.admin ? 'NOTICE' : 'INFO',
    logName: `projects/${parsed?.project ?? 'unknown'}/logs/cloudaudit.googleapis.com%2F${log}`,
    receiveTimestamp: time,
  }
}

function resourceName(request: Message | undefined, response: Message | undefined): string {
  const nested = ['cryptoKey', 'cryptoKeyVersion'].map(member => request?.[member])
  const names = nested.map(value => (typeof value === 'object' && value !== null ? (value as Message)['name'] : value))
  // A thing that was made is the resource, not where it was made
  const made = request?.['parent'] === undefined ? undefined : response?.['name']
  const all = [made, request?.['name'], ...names, request?.['resource'], request?.['parent'], request?.['location']]
  return all.find((name): name is string => typeof name === 'string' && name !== '') ?? ''
}

function labels(name: ResourceName | undefined): Record<string, string> {
  if (name === undefined) return {}
  return {
    project_id: name.project,
    location: name.location,
    ...(name.ring === '' ? {} : { key_ring_id: name.ring }),
    ...(name.key === '' ? {} : { crypto_key_id: name.key }),
    ...(name.version === '' ? {} : { crypto_key_version_id: name.version }),
    ...(name.job === '' ? {} : { import_job_id: name.job }),
  }
}

/** Names, numbers, states and labels. Bytes and checksums of bytes are left out, whatever member they stand in. */
function shown(message: Message | undefined): Record<string, unknown> {
  const entries = Object.entries(message ?? {}).filter(
    ([name, value]) =>
      value !== undefined && name !== 'pem' && !(value instanceof Uint8Array) && typeof value !== 'bigint',
  )
  return Object.fromEntries(entries.map(([name, value]) => [name, plain(name, value)]))
}

export function plain(name: string, value: unknown): unknown {
  if (typeof value === 'number' && name.endsWith('Time')) return new Date(value).toISOString()
  if (typeof value === 'number' && (name.endsWith('Period') || name.endsWith('Duration'))) return `${value / 1000}s`
  if (value instanceof Map) return Object.fromEntries(value)
  if (Array.isArray(value)) return value.map(entry => plain('', entry))
  return typeof value === 'object' && value !== null ? shown(value as Message) : value
}
