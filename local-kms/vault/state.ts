import { type Streams, toBase64, toHex, uuid } from '../core/random.ts'

/** Everything that outlives a request. Plain JSON, secrets as base64: a snapshot is a copy of it. */
export interface VaultState {
  readonly version: 1
  server: ServerState
  readonly cluster: { readonly name: string; readonly id: string }
  /** One share; any text that is a key opens. */
  readonly unsealKey: string
  /** Seals batch tokens, which are kept nowhere. */
  readonly batchKey: string
  /** Of the audit trail's HMACs. */
  readonly auditKey: string
  /** By path: '' is the root, else 'team/'. */
  namespaces: Record<string, Namespace>
  tokens: Record<string, Token>
  quotas: Record<string, Quota>
  quotaHeaders: boolean
  wrapped: Record<string, Wrapped>
}

export const SERVER_STATES = [
  'active',
  'sealed',
  'standby',
  'performance-standby',
  'dr-secondary',
  'uninitialised',
] as const
export type ServerState = (typeof SERVER_STATES)[number]

export interface Namespace {
  readonly id: string
  readonly uuid: string
  readonly path: string
  /** By path, ending in a slash. */
  mounts: Record<string, Mount>
  auths: Record<string, Mount>
  policies: Record<string, PolicyText>
  customMetadata: Record<string, string>
}

export interface PolicyText {
  readonly text: string
  readonly modifiedMs: number
  readonly version: number
}

export interface Mount {
  readonly path: string
  readonly type: string
  readonly accessor: string
  readonly uuid: string
  description: string
  readonly options: Record<string, unknown> | null
  defaultTtl: number
  maxTtl: number
  readonly local: boolean
  /** Of the engine or method that lives here; its own module knows the shape. */
  state: Record<string, unknown>
}

export interface Token {
  readonly id: string
  readonly accessor: string
  readonly type: 'service' | 'batch'
  readonly policies: readonly string[]
  readonly path: string
  readonly displayName: string
  readonly meta: Record<string, string> | null
  readonly entityId: string
  readonly orphan: boolean
  /** Id of the token it was made with; '' for none. */
  readonly parent: string
  /** Path of the namespace it belongs to. */
  readonly namespace: string
  readonly createdMs: number
  /** Seconds, as at creation; 0: never ends. */
  readonly creationTtl: number
  /** Seconds of the method's or role's limit; 0: the system's. */
  readonly maxTtl: number
  /** Seconds each renewal gives when none are asked for. */
  renewTtl: number
  readonly explicitMaxTtl: number
  readonly period: number
  readonly renewable: boolean
  /** As granted; 0: as often as wanted. */
  readonly numUses: number
  usesLeft: number
  /** 0: never. */
  expiresMs: number
  lastRenewalMs: number
}

export interface Quota {
  readonly path: string
  readonly rate: number
  readonly intervalMs: number
  readonly blockMs: number
  readonly inheritable: boolean
}

export interface Wrapped {
  readonly token: string
  readonly accessor: string
  readonly ttl: number
  readonly createdMs: number
  readonly path: string
  readonly namespace: string
  readonly answer: Record<string, unknown>
}

/** The system's limit for tokens and leases: 32 days. */
export const SYSTEM_MAX_TTL = 2_764_800

export function newMount(
  streams: Streams,
  entry: { path: string; type: string; auth: boolean } & Partial<Pick<Mount, 'description' | 'options' | 'local'>>,
): Mount {
  const random = streams('vault mounts')
  return {
    path: entry.path,
    type: entry.type,
    accessor: `${entry.auth ? 'auth_' : ''}${entry.type}_${toHex(random.bytes(4))}`,
    uuid: uuid(random),
    description: entry.description ?? '',
    options: entry.options ?? {},
    defaultTtl: 0,
    maxTtl: 0,
    local: entry.local ?? false,
    state: {},
  }
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** @param length  of the text; each character is drawn evenly */
export function base62(streams: Streams, label: string, length: number): string {
  const random = streams(label)
  let out = ''
  while (out.length < length) {
    for (const byte of random.bytes(length - out.length)) if (byte < 248) out += BASE62[byte % 62]
  }
  return out
}

/** A namespace as it stands when made: the engines every one has, the two policies every one has. */
export function newNamespace(streams: Streams, path: string, defaultPolicy: string, nowMs: number): Namespace {
  const root = path === ''
  const prefix = root ? '' : 'ns_'
  const system = (name: string, type: string, description: string, local = false): [string, Mount] => [
    name,
    { ...newMount(streams, { path: name, type, auth: false, description, local }), options: null },
  ]
  return {
    id: root ? 'root' : base62(streams, 'vault namespaces', 6),
    uuid: uuid(streams('vault namespaces')),
    path,
    mounts: Object.fromEntries([
      system('cubbyhole/', `${prefix}cubbyhole`, 'per-token private secret storage', true),
      system('identity/', `${prefix}identity`, 'identity store'),
      system('sys/', `${prefix}system`, 'system endpoints used for control, policy and debugging'),
    ]),
    auths: {
      'token/': {
        ...newMount(streams, {
          path: 'token/',
          type: root ? 'token' : 'ns_token',
          auth: true,
          description: 'token based credentials',
        }),
        options: null,
      },
    },
    policies: { default: { text: defaultPolicy, modifiedMs: nowMs, version: 1 } },
    customMetadata: {},
  }
}

export function newState(streams: Streams, defaultPolicy: string, nowMs: number): VaultState {
  const random = streams('vault cluster')
  return {
    version: 1,
    server: 'active',
    cluster: { name: `vault-cluster-${toHex(random.bytes(4))}`, id: uuid(random) },
    unsealKey: toBase64(random.bytes(32)),
    batchKey: toBase64(random.bytes(32)),
    auditKey: toBase64(random.bytes(32)),
    namespaces: { '': newNamespace(streams, '', defaultPolicy, nowMs) },
    tokens: {},
    quotas: {},
    quotaHeaders: false,
    wrapped: {},
  }
}
