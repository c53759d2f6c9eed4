/** A whole control plane in memory: real log, real roles, real approvals and real policies; stores in memory, sessions by their address. */
import { StrKey } from '@stellar/stellar-sdk/base'
import { ed25519 } from '@noble/curves/ed25519.js'
import { changeText, type ApprovalRule } from '../../src/access/approval.ts'
import { sep53Digest } from '../../src/access/address-proof.ts'
import { SESSION_SCOPE } from '../../src/access/session.ts'
import { createTokenIssuer } from '../../src/access/service-tokens.ts'
import { type MemoryAuditLog, openMemoryAuditLog } from '../../src/audit/memory.ts'
import { toBase64 } from '../../src/bytes/base64.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { destroyVersion } from '../../src/service/destroy.ts'
import { revokeKey } from '../../src/service/revoke.ts'
import { unrevokeKey } from '../../src/service/unrevoke.ts'
import { beginRotation, rotationStep } from '../../src/service/rotate/index.ts'
import { realWorld } from '../../src/runtime/world.ts'
import { create as openMock } from '../../providers/mock/index.ts'
import type { Role } from '../../src/domain/admins.ts'
import type { AuditLog, AuditRecord, OutcomeEntry } from '../../src/domain/audit.ts'
import { SignerError } from '../../src/domain/errors.ts'
import type { Key } from '../../src/domain/key.ts'
import { Secret } from '../../src/domain/secret.ts'
import { controlPlane } from '../../src/http/control.ts'
import { demoPolicy } from '../../src/policy/index.ts'
import type { ControlParts } from '../../src/service/control/index.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { manualClock, type ManualClock } from './audit-world.ts'
import { memoryLogger, NOW } from './rig.ts'
import { rotationDeps } from './rotations.ts'

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
  const store = storeOf()
  const { admins, keys, tokens, changes, claims, idempotency } = store
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
    recordOpen: event => {
      audit.append(event).catch(() => {})
    },
    records: async function* (fromSeq) {
      for (const record of log.records()) if (record.seq >= fromSeq) yield record
    },
    newestSeq: async () => log.records().at(-1)?.seq ?? 0,
    idempotency,
    admins,
    tokens,
    changes,
    keys,
    claims,
    restore: async (name, { version = 1 }) => {
      const held = (await keys.list()).find(({ key }) => key.name === name)
      if (held === undefined) throw new SignerError('key/unknown', { key: name })
      const { state } = held.version
      if (await keys.setState(name, version, 'active', ['quarantined']))
        return { ...held, version: { ...held.version, state: 'active' } }
      throw new SignerError('key/unsupported', { key: name, wanted: 'restore', reason: `it is ${state}` })
    },
    revoke: (name, wish, actor) =>
      revokeKey({ registry: keys, audit, random, actor, clock: { sleep: async () => {} } }, name, wish),
    destroy: (name, wish, actor) => {
      const giveUp = async (_: unknown, days: number) => ({ at: clock.now() + days * 86_400_000 })
      const publicKeyAt = () =>
        Promise.reject(new SignerError('provider/refused', { provider: 'mock', reason: 'silent' }))
      const places = { waitDaysMax: async () => 30, publicKeyAt, giveUp, accounts: () => undefined }
      return destroyVersion({ registry: keys, audit, random, actor, clock, restMs: 0, ...places }, name, wish)
    },
    unrevoke: (name, version, actor) => unrevokeKey({ registry: keys, audit, random, actor }, name, version),
    rotate: async (name, { step, newAccount = false }, actor) => {
      const provider = await openMock({ kind: 'mock' }, { ...realWorld(), environment: 'development' })
      const deps = { ...rotationDeps({ store, log, provider }), actor }
      if (step !== 'begin') return (await rotationStep(deps, name, step, { newAccount })).changed
      await beginRotation(deps, name, { newAccount })
      return true
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

/** Same behaviour as the real ones. */
function storeOf(): Store {
  const store = openMemoryStore()
  const publicKey = StrKey.decodeEd25519PublicKey(person('treasury').address)
  const { text, hash } = demoPolicy()
  for (const [name, state] of KEYS) {
    const key: Key = { name, chain: 'stellar', network: 'testnet', policy: text, policyHash: hash, createdAt: NOW }
    const { address } = person('treasury')
    const version = { key: name, version: 1, scheme: 'ed25519', publicKey, address, account: address, state } as const
    const place = { key: name, version: 1, provider: 'mock', custody: 'native', reference: 'k' } as const
    store.keys.add({ key, version, binding: { id: `b_${name}`, ...place } }).catch(error => {
      queueMicrotask(() => {
        throw error
      })
    })
  }
  return store
}

const KEYS = [
  ['frozen', 'quarantined'],
  ['treasury', 'active'],
] as const
