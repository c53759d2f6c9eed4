import { gcm } from '@noble/ciphers/aes.js'
import { fromBase64, uuid } from '../core/random.ts'
import type { Auth, Core } from './context.ts'
import { bad } from './errors.ts'
import { decodeBase64Url, encodeBase64Url, formatDuration } from './go.ts'
import { base62, type Namespace, SYSTEM_MAX_TTL, type Token } from './state.ts'

/** What a token is to be; times in seconds, 0 for none. */
export interface TokenRequest {
  readonly namespace: Namespace
  readonly type: 'service' | 'batch'
  readonly policies: readonly string[]
  readonly noDefaultPolicy?: boolean
  readonly path: string
  readonly displayName: string
  readonly meta?: Record<string, string> | null
  readonly entityId?: string
  readonly parent?: string
  readonly orphan: boolean
  readonly ttl: number
  readonly maxTtl?: number
  readonly explicitMaxTtl?: number
  readonly period?: number
  readonly numUses?: number
  readonly renewable: boolean
  readonly id?: string
}

/** Lower case, each once, in order, with `default` unless not wanted. */
export function cleanPolicies(policies: readonly string[], noDefault = false): string[] {
  const names = new Set(policies.map(name => name.trim().toLowerCase()).filter(name => name !== ''))
  if (names.has('root')) return ['root']
  if (!noDefault) names.add('default')
  return [...names].toSorted()
}

/** @param warnings  gets what the server would say about a lifetime cut short */
export function createToken(core: Core, request: TokenRequest, warnings: string[]): Token {
  const policies = cleanPolicies(request.policies, request.noDefaultPolicy)
  const nowMs = core.now()
  const ttl = lifetime(request, policies, warnings)
  const service = request.type === 'service'
  const suffix = request.namespace.path === '' ? '' : `.${request.namespace.id}`
  const prefix = core.flavour === 'vault' ? 'hvs.' : 's.'
  const token: Token = {
    id: '',
    accessor: service ? base62(core.streams, 'vault accessors', 24) + suffix : '',
    type: request.type,
    policies,
    path: request.path,
    displayName: request.displayName,
    meta: request.meta ?? null,
    entityId: request.entityId ?? '',
    orphan: request.orphan,
    parent: request.parent ?? '',
    namespace: request.namespace.path,
    createdMs: service ? nowMs : Math.floor(nowMs / 1000) * 1000,
    creationTtl: ttl,
    maxTtl: request.maxTtl ?? 0,
    renewTtl: request.period || request.ttl || SYSTEM_MAX_TTL,
    explicitMaxTtl: request.explicitMaxTtl ?? 0,
    period: request.period ?? 0,
    renewable: service && ttl > 0 && request.renewable,
    numUses: request.numUses ?? 0,
    usesLeft: request.numUses ?? 0,
    expiresMs: ttl === 0 ? 0 : (service ? nowMs : Math.floor(nowMs / 1000) * 1000) + ttl * 1000,
    lastRenewalMs: 0,
  }
  if (!service) return { ...token, id: sealBatch(core, token) + suffix }
  const made = { ...token, id: request.id ?? prefix + base62(core.streams, 'vault tokens', 24) + suffix }
  core.state.tokens[made.id] = made
  return made
}

/** Root tokens may live for ever; all others end, at the system's limit when nothing shorter was asked for. */
function lifetime(request: TokenRequest, policies: readonly string[], warnings: string[]): number {
  const { period = 0, explicitMaxTtl = 0, maxTtl = 0 } = request
  const wanted = period || request.ttl
  if (policies.includes('root') && wanted === 0 && explicitMaxTtl === 0) return 0
  const limits = [period > 0 ? 0 : SYSTEM_MAX_TTL, period > 0 ? 0 : maxTtl, explicitMaxTtl].filter(limit => limit > 0)
  const limit = Math.min(...limits, Number.MAX_SAFE_INTEGER)
  const asked = wanted || SYSTEM_MAX_TTL
  // The role's or the method's own limit is no news to its caller
  if (asked > limit && (wanted > 0 || explicitMaxTtl > 0)) warnings.push(cappedText(asked, limit))
  return Math.min(asked, limit)
}

export const cappedText = (asked: number, limit: number): string =>
  `TTL of ${JSON.stringify(formatDuration(asked))} exceeded the effective max_ttl of ${JSON.stringify(formatDuration(limit))}; TTL value is capped accordingly`

export function authOf(token: Token, leaseSeconds = token.creationTtl): Auth {
  return {
    client_token: token.id,
    accessor: token.accessor,
    policies: token.policies,
    token_policies: token.policies,
    metadata: token.meta,
    lease_duration: leaseSeconds,
    renewable: token.renewable,
    entity_id: token.entityId,
    token_type: token.type,
    orphan: token.orphan,
    mfa_requirement: null,
    num_uses: token.numUses,
  }
}

/** Undefined: unknown, expired, or used up. Expired tokens are forgotten, with all they made. */
export function findToken(core: Core, id: string): Token | undefined {
  const token = Object.hasOwn(core.state.tokens, id) ? core.state.tokens[id] : openBatch(core, id)
  if (token === undefined) return undefined
  if (token.expiresMs !== 0 && token.expiresMs <= core.now()) {
    revokeToken(core, token)
    return undefined
  }
  return token
}

export function findAccessor(core: Core, accessor: string): Token | undefined {
  const token = Object.values(core.state.tokens).find(each => each.accessor === accessor)
  return token === undefined || accessor === '' ? undefined : findToken(core, token.id)
}

/** The token and all that were made with it, unless they are orphans. */
export function revokeToken(core: Core, token: Token, keepChildren = false): void {
  delete core.state.tokens[token.id]
  for (const child of Object.values(core.state.tokens)) {
    if (child.parent !== token.id) continue
    if (keepChildren) core.state.tokens[child.id] = { ...child, parent: '', orphan: true }
    else revokeToken(core, child)
  }
}

/** @throws VaultError when the token cannot be renewed. @returns the seconds it lives from now on */
export function renewToken(core: Core, token: Token, increment: number, warnings: string[]): number {
  if (token.type === 'batch') throw bad('batch tokens cannot be renewed')
  if (!token.renewable) throw bad('lease is not renewable')
  const nowMs = core.now()
  const endOf = (limit: number): number => (limit > 0 ? (token.createdMs + limit * 1000 - nowMs) / 1000 : Infinity)
  const limit = Math.round(
    Math.min(
      endOf(token.explicitMaxTtl),
      token.period > 0 ? Infinity : endOf(Math.min(token.maxTtl || SYSTEM_MAX_TTL, SYSTEM_MAX_TTL)),
    ),
  )
  const asked = token.period > 0 ? token.period : increment || token.renewTtl
  if (asked > limit && increment > 0) {
    const told = token.explicitMaxTtl || token.maxTtl || SYSTEM_MAX_TTL
    warnings.push(cappedText(asked, told))
  }
  const seconds = Math.max(0, Math.min(asked, limit))
  token.expiresMs = nowMs + seconds * 1000
  token.lastRenewalMs = nowMs
  // Roles give the same each time; what was made by hand goes on with what it last got
  if (token.path.startsWith('auth/token/')) token.renewTtl = seconds
  return seconds
}

/** One use less. False: it was the last. */
export function useToken(token: Token): boolean {
  if (token.numUses === 0) return true
  token.usesLeft -= 1
  return token.usesLeft > 0
}

const BATCH_NONCE_BYTES = 12

/** A batch token carries everything about itself, sealed; the server keeps nothing. */
function sealBatch(core: Core, token: Token): string {
  const nonce = core.streams('vault tokens').bytes(BATCH_NONCE_BYTES)
  const sealed = gcm(fromBase64(core.state.batchKey)!, nonce).encrypt(new TextEncoder().encode(JSON.stringify(token)))
  const bytes = new Uint8Array(nonce.length + sealed.length)
  bytes.set(nonce)
  bytes.set(sealed, nonce.length)
  return `${core.flavour === 'vault' ? 'hvb.' : 'b.'}${encodeBase64Url(bytes)}`
}

function openBatch(core: Core, id: string): Token | undefined {
  const text = /^(?:hvb|b)\.([A-Za-z0-9_-]+)(?:\.[A-Za-z0-9]+)?$/.exec(id)?.[1]
  const bytes = text === undefined ? undefined : decodeBase64Url(text)
  if (bytes === undefined || bytes.length < BATCH_NONCE_BYTES + 16) return undefined
  try {
    const key = fromBase64(core.state.batchKey)!
    const plain = gcm(key, bytes.subarray(0, BATCH_NONCE_BYTES)).decrypt(bytes.subarray(BATCH_NONCE_BYTES))
    const token = JSON.parse(new TextDecoder().decode(plain)) as Token
    const parent = token.parent === '' ? undefined : core.state.tokens[token.parent]
    // Falls with the service token it was made with
    if (!token.orphan && token.parent !== '' && parent === undefined) return undefined
    return { ...token, id }
  } catch {
    return undefined
  }
}

/** The same caller of the same method is the same entity. */
export function entityId(core: Core, mount: { state: Record<string, unknown> }, alias: string): string {
  const known = (mount.state['entities'] ??= {}) as Record<string, string>
  known[alias] ??= uuid(core.streams('vault entities'))
  return known[alias]
}
