import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { fromBase64, toHex } from '../core/random.ts'
import type { Incoming } from '../core/server.ts'
import type { Auth, Core, OperationKind } from './context.ts'
import { formatTime } from './go.ts'
import type { Mount, Namespace, Token } from './state.ts'

/** One line of an audit device: the request before it is served, or the response with the request once more. */
export interface VaultAuditRecord {
  readonly time: string
  readonly type: 'request' | 'response'
  readonly auth: Readonly<Record<string, unknown>>
  readonly request: Readonly<Record<string, unknown>>
  readonly response?: Readonly<Record<string, unknown>>
  readonly error?: string
}

export interface AuditFacts {
  readonly requestId: string
  readonly operation: OperationKind
  readonly path: string
  readonly namespace: Namespace | undefined
  readonly mount: Mount | undefined
  readonly isAuth: boolean
  readonly token: Token | undefined
  readonly clientToken: string
  readonly allowed: boolean
  readonly data: Readonly<Record<string, unknown>>
  readonly incoming: Incoming
}

/** The same text always gives the same mark, so that records can be matched by whoever has the text. */
export function auditHmac(core: Core, text: string): string {
  return `hmac-sha256:${toHex(hmac(sha256, fromBase64(core.state.auditKey)!, new TextEncoder().encode(text)))}`
}

/** Every text in it becomes a mark; numbers, truth values and names of members stay. */
function marked(core: Core, value: unknown): unknown {
  if (typeof value === 'string') return auditHmac(core, value)
  if (Array.isArray(value)) return value.map(each => marked(core, each))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, marked(core, each)]))
}

export function requestRecord(core: Core, facts: AuditFacts, error: string | undefined): VaultAuditRecord {
  return {
    time: formatTime(core.now()),
    type: 'request',
    auth: authMembers(core, facts),
    request: requestMembers(core, facts),
    ...(error === undefined ? {} : { error }),
  }
}

export function responseRecord(
  core: Core,
  facts: AuditFacts,
  answer: {
    data?: Record<string, unknown> | null | undefined
    auth?: Auth | null | undefined
    warnings?: readonly string[] | null
  },
  error: string | undefined,
): VaultAuditRecord {
  const shown = error === undefined ? answer.data : { error }
  return {
    time: formatTime(core.now()),
    type: 'response',
    auth: authMembers(core, facts),
    request: requestMembers(core, facts),
    response: {
      ...(answer.auth ? { auth: issued(core, answer.auth) } : {}),
      ...mountMembers(facts, 'mount_running_plugin_version', core),
      ...(shown ? { data: marked(core, shown) } : {}),
      ...(answer.warnings?.length ? { warnings: answer.warnings } : {}),
    },
    ...(error === undefined ? {} : { error }),
  }
}

function authMembers(core: Core, { token, allowed }: AuditFacts): Record<string, unknown> {
  if (token === undefined) return { token_type: 'default' }
  const policy = token.policies[0] ?? ''
  return {
    client_token: auditHmac(core, token.id),
    accessor: auditHmac(core, token.accessor),
    display_name: token.displayName,
    policies: token.policies,
    token_policies: token.policies,
    ...(token.meta === null ? {} : { metadata: token.meta }),
    ...(token.entityId === '' ? {} : { entity_id: token.entityId }),
    policy_results: {
      allowed,
      ...(allowed ? { granting_policies: [{ name: policy, namespace_id: 'root', type: 'acl' }] } : {}),
    },
    token_type: token.type,
    ...(token.creationTtl === 0 ? {} : { token_ttl: token.creationTtl }),
    token_issue_time: formatTime(token.createdMs),
  }
}

function requestMembers(core: Core, facts: AuditFacts): Record<string, unknown> {
  const { namespace, token, clientToken, data, incoming } = facts
  return {
    id: facts.requestId,
    operation: facts.operation,
    ...mountMembers(facts, 'mount_running_version', core),
    ...(clientToken === '' ? {} : { client_token: auditHmac(core, clientToken) }),
    ...(token === undefined || token.accessor === '' ? {} : { client_token_accessor: auditHmac(core, token.accessor) }),
    namespace:
      namespace === undefined ? {} : { id: namespace.id, ...(namespace.path === '' ? {} : { path: namespace.path }) },
    path: facts.path,
    ...(Object.keys(data).length === 0 ? {} : { data: marked(core, data) }),
    remote_address: incoming.remoteAddress,
  }
}

function mountMembers({ mount, isAuth }: AuditFacts, versionMember: string, core: Core): Record<string, unknown> {
  if (mount === undefined) return {}
  return {
    mount_point: `${isAuth ? 'auth/' : ''}${mount.path}`,
    mount_type: mount.type,
    mount_accessor: mount.accessor,
    [versionMember]: pluginVersion(core),
    mount_class: isAuth ? 'auth' : 'secret',
  }
}

function issued(core: Core, auth: Auth): Record<string, unknown> {
  return {
    client_token: auditHmac(core, auth.client_token),
    accessor: auditHmac(core, auth.accessor),
    policies: auth.policies,
    token_policies: auth.token_policies,
    ...(auth.metadata === null ? {} : { metadata: auth.metadata }),
    token_type: auth.token_type,
    ...(auth.lease_duration === 0 ? {} : { token_ttl: auth.lease_duration }),
  }
}

export const pluginVersion = (core: Core): string =>
  `v${core.serverVersion}+builtin.${core.flavour === 'vault' ? 'vault' : 'bao'}`
