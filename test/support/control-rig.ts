/** A whole control plane in memory: real log, real roles, real approvals and real policies; stores and logins of a few lines. */
import { StrKey } from '@stellar/stellar-sdk/base'
import { ed25519 } from '@noble/curves/ed25519.js'
import { changeText, type ApprovalRule } from '../../src/access/approval.ts'
import { sep53Digest } from '../../src/access/address-proof.ts'
import { SESSION_SCOPE } from '../../src/access/session.ts'
import { createTokenIssuer } from '../../src/access/service-tokens.ts'
import { type MemoryAuditLog, openMemoryAuditLog } from '../../src/audit/memory.ts'
import { toBase64 } from '../../src/bytes/base64.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import type { Admin, AdminStore, Role, TokenLedger, TokenRecord } from '../../src/domain/admins.ts'
import type { AuditLog, AuditRecord, OutcomeEntry } from '../../src/domain/audit.ts'
import type { ChangeStore, PolicyChange } from '../../src/domain/changes.ts'
import { SignerError } from '../../src/domain/errors.ts'
import type { Key, ResolvedKey, VersionState } from '../../src/domain/key.ts'
import { Secret } from '../../src/domain/secret.ts'
import { controlPlane } from '../../src/http/control.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import type { ControlParts } from '../../src/service/control/index.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { manualClock, type ManualClock } from './audit-world.ts'
import { memoryLogger, NOW } from './rig.ts'

export interface Person {
  readonly address: string
  /** Over a text, as SEP-53 has it. */
  sign(text: string): string
}

const people = new Map<string, Person>()

/** The same name is the same person. */
export function person(name: string): Person {
  const known = people.get(name)
  if (known !== undefined) return known
  const seed = sha256(new TextEncoder().encode(name))
  const made: Person = {
    address: StrKey.encodeEd25519PublicKey(ed25519.getPublicKey(seed)),
    sign: text => toBase64(ed25519.sign(sep53Digest(new TextEncoder().encode(text)), seed)),
  }
  people.set(name, made)
  return made
}

export const RULE: ApprovalRule = { environment: 'test', loosening: 2, tightening: 1, coolDownMs: 0 }

export interface ControlRigOptions {
  readonly audit?: (real: AuditLog) => AuditLog
  readonly parts?: (real: ControlParts) => ControlParts
  readonly limits?: Partial<ControlParts['limits']>
}

export interface CallOptions {
  /** An address, or a text that stands in the Authorization header as it is. */
  readonly as?: string | undefined
  readonly token?: string
  readonly body?: unknown
  /** Instead of `body`. */
  readonly raw?: NonNullable<ConstructorParameters<typeof Response>[0]>
  readonly idempotencyKey?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

export interface ControlRig {
  readonly clock: ManualClock
  readonly log: MemoryAuditLog
  readonly parts: ControlParts
  readonly refusals: readonly OutcomeEntry[]
  readonly logs: readonly Record<string, unknown>[]
  /** Log in and out of nothing: a person of this role, known and active. */
  admin(role: Role, name?: string): Promise<Person>
  call(method: string, path: string, options?: CallOptions): Promise<Response>
  http(path: string, init?: RequestInit): Promise<Response>
  records(): readonly AuditRecord[]
}

/** `treasury` signs; `frozen` is in quarantine. */
export function openControlRig(options: ControlRigOptions = {}): ControlRig {
  const clock = manualClock(NOW)
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
  const logs: Record<string, unknown>[] = []
  const refusals: OutcomeEntry[] = []
  const log = openMemoryAuditLog({ clock, instance: 'test', keep: 100_000 })
  const audit = options.audit?.(log) ?? log
  const keys = memoryKeys()
  const admins = memoryAdmins()
  const d = toBase64(sha256(new TextEncoder().encode('issuer')))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace('=', '')
  const x = StrKey.decodeEd25519PublicKey(person('issuer').address)
  const jwk = { kid: 'test', kty: 'OKP', crv: 'Ed25519', x: base64Url(x), d }
  const real: ControlParts = {
    world: { clock, random },
    logger: memoryLogger(logs),
    limits: { bodyBytes: 262_144, concurrency: 64, ...options.limits },
    audit,
    recordRefusal: outcome => {
      refusals.push(outcome)
      audit.append(outcome).catch(() => {})
    },
    records: async function* (fromSeq) {
      for (const record of log.records()) if (record.seq >= fromSeq) yield record
    },
    newestSeq: async () => log.records().at(-1)?.seq ?? 0,
    idempotency: openMemoryStore().idempotency,
    admins,
    tokens: memoryTokens(),
    changes: memoryChanges(keys),
    keys: { list: async () => keys.all() },
    restore: async name => {
      const held = keys.all().find(({ key }) => key.name === name)
      if (held === undefined) throw new SignerError('key/unknown', { key: name })
      if (held.version.state !== 'quarantined')
        throw new SignerError('key/unsupported', {
          key: name,
          wanted: 'restore',
          reason: `it is ${held.version.state}`,
        })
      return keys.setState(name, 'active')
    },
    authenticate: async ({ headers }) => {
      const header = headers.get('authorization')
      if (header === null) throw new SignerError('token/missing', { reason: 'send a token' })
      const [kind, subject = '', issuedAt = ''] = header.split(' ')
      if (kind === 'Session') {
        const seconds = issuedAt === '' ? Math.floor(clock.now() / 1000) : Number(issuedAt)
        return { subject, tokenId: `jti_${subject}`, scope: SESSION_SCOPE, issuedAt: seconds * 1000 }
      }
      if (kind === 'Service')
        return { subject, tokenId: 'jti_s', scope: 'sign:* read:*', issuedAt: Math.floor(clock.now() / 1000) }
      throw new SignerError('token/invalid', { reason: 'not a token of this test' })
    },
    admit: async () => ({ 'ratelimit-policy': '"address";q=10;w=60' }),
    login: {
      challenge: async () => ({ kind: 'eip-4361', message: 'sign me' }),
      answer: async () => {
        throw new SignerError('login/refused', { reason: 'no logins here' })
      },
    },
    issuer: createTokenIssuer({
      key: new Secret(JSON.stringify(jwk), 'issuer'),
      issuer: 'https://control.test',
      audience: 'countersign',
      clock,
      random,
    }),
    claims: { used: async counters => counters.map(() => 0n) },
    approvals: RULE,
    changeLifeMs: 86_400_000,
    about: { version: '1.2.3', environment: 'test', instance: 'test' },
    readiness: async () => [{ name: 'audit', ok: log.state.kind === 'open' }],
  }
  const parts = options.parts?.(real) ?? real
  const edge = controlPlane(parts)
  const http: ControlRig['http'] = (path, init) =>
    edge(new Request(`http://127.0.0.1${path}`, init), { peer: '127.0.0.1' })
  let count = 0
  return {
    clock,
    log,
    parts,
    refusals,
    logs,
    http,
    admin: async (role, name = role) => {
      const who = person(name)
      const at = clock.now() - 10_000
      await admins.add({ address: who.address, name, roles: [role], active: true, createdAt: at, changedAt: at })
      return who
    },
    call: (method, path, over = {}) => {
      const headers = new Headers(over.headers)
      if (over.as !== undefined) headers.set('authorization', `Session ${over.as}`)
      if (over.token !== undefined) headers.set('authorization', over.token)
      const key = 'idempotencyKey' in over ? over.idempotencyKey : `rig-${++count}`
      if (key !== undefined && method !== 'GET') headers.set('idempotency-key', key)
      const body = over.raw ?? (over.body === undefined ? null : JSON.stringify(over.body))
      if (body !== null && !headers.has('content-type')) headers.set('content-type', 'application/json')
      return http(path, { method, headers, body })
    },
    records: () => log.records(),
  }
}

const base64Url = (bytes: Uint8Array): string =>
  toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

/** The text that approvers of this rig sign. */
export const textOf = (change: Parameters<typeof changeText>[0]): string => changeText(change, RULE.environment)

interface Keys {
  all(): readonly ResolvedKey[]
  setPolicy(name: string, text: string, hash: string): void
  setState(name: string, state: VersionState): ResolvedKey
}

function memoryKeys(): Keys {
  const publicKey = StrKey.decodeEd25519PublicKey(person('treasury').address)
  const { text, hash } = demoPolicy()
  const make = (name: string, state: VersionState): ResolvedKey => {
    const key: Key = { name, chain: 'stellar', network: 'testnet', policy: text, policyHash: hash, createdAt: NOW }
    const address = StrKey.encodeEd25519PublicKey(publicKey)
    const version = { key: name, version: 1, scheme: 'ed25519', publicKey, address, state } as const
    const binding = {
      id: `b_${name}`,
      key: name,
      version: 1,
      provider: 'mock',
      custody: 'native',
      reference: 'k',
    } as const
    return { key, version, bindings: [binding] }
  }
  let held = [make('frozen', 'quarantined'), make('treasury', 'active')]
  const change = (name: string, how: (each: ResolvedKey) => ResolvedKey): ResolvedKey => {
    held = held.map(each => (each.key.name === name ? how(each) : each))
    return held.find(({ key }) => key.name === name) as ResolvedKey
  }
  return {
    all: () => held,
    setPolicy: (name, policy, policyHash) =>
      void change(name, each => ({ ...each, key: { ...each.key, policy, policyHash } })),
    setState: (name, state) => change(name, each => ({ ...each, version: { ...each.version, state } })),
  }
}

function memoryAdmins(): AdminStore {
  const all = new Map<string, Admin>()
  return {
    list: async () => [...all.values()],
    find: async address => all.get(address),
    add: async admin => {
      if (all.has(admin.address)) throw new SignerError('admin/exists', { address: admin.address })
      all.set(admin.address, admin)
    },
    change: async (address, { at, ...wanted }) => {
      const before = all.get(address)
      if (before === undefined) throw new SignerError('admin/unknown', { address })
      const after: Admin = { ...before, ...wanted, changedAt: at }
      const rules = (admin: Admin) => admin.active && admin.roles.includes('policy-admin')
      const others = [...all.values()].filter(admin => admin.address !== address)
      if (rules(before) && !rules(after) && !others.some(rules))
        throw new SignerError('admin/last', { address, reason: 'no policy-admin would be left' })
      all.set(address, after)
      return after
    },
  }
}

function memoryTokens(): TokenLedger {
  const all = new Map<string, TokenRecord>()
  const revoked = new Map<string, number>()
  const read = (record: TokenRecord): TokenRecord => {
    const revokedAt = revoked.get(record.id)
    return revokedAt === undefined ? record : { ...record, revokedAt }
  }
  return {
    record: async token => void all.set(token.id, token),
    find: async id => {
      const found = all.get(id)
      return found === undefined ? undefined : read(found)
    },
    list: async ({ now, limit }) =>
      [...all.values()]
        .filter(({ expiresAt }) => expiresAt > now)
        .slice(0, limit)
        .map(read),
    revoke: async (id, at) => void revoked.set(id, at),
    isRevoked: async id => revoked.has(id),
  }
}

function memoryChanges(keys: Keys): ChangeStore {
  const all = new Map<string, PolicyChange>()
  const known = (id: string): PolicyChange => {
    const change = all.get(id)
    if (change === undefined) throw new SignerError('change/unknown', { id })
    if (change.state !== 'proposed') throw new SignerError('change/conflict', { id, reason: `it is ${change.state}` })
    return change
  }
  const put = (change: PolicyChange): PolicyChange => {
    all.set(change.id, change)
    return change
  }
  return {
    propose: async change => {
      if (all.has(change.id)) throw new SignerError('change/conflict', { id: change.id, reason: 'its id is taken' })
      put({ ...change, state: 'proposed', approvals: [] })
    },
    find: async id => all.get(id),
    list: async (key, limit) =>
      [...all.values()].filter(change => key === undefined || change.key === key).slice(0, limit),
    approve: async (id, approval) => {
      const { approvals, ...change } = known(id)
      if (approvals.some(({ address }) => address === approval.address))
        throw new SignerError('change/conflict', { id, reason: 'approved by this address before' })
      return put({ ...change, approvals: [...approvals, approval] })
    },
    activate: async id => {
      const change = known(id)
      const held = keys.all().find(({ key }) => key.name === change.key)
      if (held?.key.policyHash !== change.fromHash)
        throw new SignerError('change/conflict', { id, reason: 'another policy' })
      keys.setPolicy(change.key, change.toText, change.toHash)
      return put({ ...change, state: 'activated' })
    },
    withdraw: async id => put({ ...known(id), state: 'withdrawn' }),
  }
}
