/** A whole data plane in memory, of real parts: store, log over a disk that fails on demand, mock keys, custody, tokens, HTTP edge. */
import { readFileSync } from 'node:fs'
import { createAdmin } from '../../providers/mock/admin.ts'
import { create as openMock } from '../../providers/mock/index.ts'
import { authorize, type Caller } from '../../src/access/authorize.ts'
import { createDevIssuer, type DevIssuer } from '../../src/access/dev-tokens.ts'
import { createTokenVerifier } from '../../src/access/tokens.ts'
import { createMemoryFiles, type MemoryFiles } from '../../src/audit/memory-files.ts'
import { type MemoryAuditLog, openMemoryAuditLog } from '../../src/audit/memory.ts'
import { openAuditLog } from '../../src/audit/open.ts'
import { readRecords } from '../../src/audit/read.ts'
import { replayInto } from '../../src/compose/restore.ts'
import { contextFor, createAttempts, createCustody, createEngines } from '../../src/custody/index.ts'
import type { AuditLog, AuditRecord, OutcomeEntry } from '../../src/domain/audit.ts'
import type { Jwks } from '../../src/domain/jwks.ts'
import {
  type Binding,
  type Chain,
  type Custody,
  type EnvelopeRow,
  type KeyVersion,
  type ResolvedKey,
  SCHEME_OF,
} from '../../src/domain/key.ts'
import type { AuditIndex, IdempotencyStore, KeyCatalogue, KeyRegistry, Logger, World } from '../../src/domain/ports.ts'
import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { type Check, dataPlane, type DataRoutes } from '../../src/http/app.ts'
import { demoPolicy, type PolicyDocument, parsePolicy } from '../../src/policy/index.ts'
import { addressOf } from '../../src/service/payloads.ts'
import { openSignerRoom, signerIn, type Signer, type SignerParts, type SignerRoom } from '../../src/service/signer.ts'
import { lagHead } from '../../src/store/lagging-head.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { type ManualClock, manualClock } from './audit-world.ts'

export const EXAMPLE = readFileSync(new URL('../../examples/payment.xdr', import.meta.url), 'utf8').trim()
export const NOW = Date.UTC(2026, 10, 22, 12)
const BODY_BYTES = 65_536

export interface RigOptions {
  /** Without the guard against two transactions for one sequence number. */
  readonly unguarded?: boolean
  readonly files?: MemoryFiles
  readonly store?: Store
  readonly policy?: PolicyDocument
  readonly provider?: (real: EnvelopeProvider) => EnvelopeProvider
  readonly custody?: Custody
  /** Of the key in envelope custody; it is wrapped and wiped. */
  readonly seed?: Uint8Array
  readonly concurrency?: number
  /** `memory`: no disk, the newest records only; for campaigns. `disk` unless told. */
  readonly log?: 'disk' | 'memory'
  /** Wrappers around the real parts, to watch them or to break them. */
  readonly audit?: (real: AuditLog) => AuditLog
  readonly catalogue?: (real: KeyCatalogue) => KeyCatalogue
  readonly setState?: (real: KeyRegistry['setState']) => KeyRegistry['setState']
  readonly idempotency?: (real: IdempotencyStore) => IdempotencyStore
  readonly mayServe?: (key: ResolvedKey, binding: Binding) => void
  /** More keys beside `treasury`. */
  readonly keys?: readonly RigKey[]
  /** Another way in than a bearer token of the issuer. */
  readonly door?: (parts: { issuer: DevIssuer; store: Store; world: World }) => Partial<SignerParts<Caller>>
  /** Families of routes beside the signatures. */
  readonly families?: (room: SignerRoom<Caller>, world: World) => readonly DataRoutes[]
}

export interface RigKey {
  readonly name: string
  /** Stellar on testnet unless told; an EVM key is on sepolia unless told. */
  readonly chain?: Chain
  readonly network?: string
  /** The demo policy unless told. */
  readonly policy?: PolicyDocument
  readonly custody?: Custody
  readonly seed?: Uint8Array
}

type Body = NonNullable<ConstructorParameters<typeof Response>[0]>

export interface SignOptions {
  readonly key?: string
  readonly body?: Body
  /** Instead of the example. */
  readonly xdr?: string
  readonly idempotencyKey?: string | undefined
  readonly token?: string | undefined
  readonly type?: string
}

export interface PostOptions {
  readonly idempotencyKey?: string | undefined
  readonly token?: string | undefined
}

export interface Rig {
  readonly clock: ManualClock
  readonly files: MemoryFiles
  readonly store: Store
  readonly log: AuditLog
  readonly jwks: Jwks
  readonly issuer: DevIssuer
  readonly signer: Signer
  readonly provider: EnvelopeProvider
  readonly key: ResolvedKey
  /** All of them, by name. */
  readonly keys: ReadonlyMap<string, ResolvedKey>
  readonly room: SignerRoom<Caller>
  readonly logs: readonly Record<string, unknown>[]
  /** Refusals before an intent, as they go to the bounded recorder. */
  readonly refusals: readonly OutcomeEntry[]
  /** How often the key service was asked to sign or to open a key. */
  readonly signatures: () => number
  token(scopes?: readonly string[], seconds?: number, subject?: string): Promise<string>
  /** The HTTP edge, as a client sees it. */
  http(path: string, init?: RequestInit): Promise<Response>
  /** `POST /v1/keys/treasury/sign` with the example, a fresh idempotency key and a good token, unless told. */
  sign(over?: SignOptions): Promise<Response>
  /** JSON, or no body at all, with a fresh idempotency key and a good token, unless told. */
  post(path: string, body?: unknown, over?: PostOptions): Promise<Response>
  records(): Promise<AuditRecord[]>
}

/** @returns the signer with one key, `treasury`, on the test network under the demo policy unless told. */
export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const clock = manualClock(NOW)
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
  const world: World = { clock, random, fetch: () => Promise.reject(new Error('no network in this test')) }
  const files = options.files ?? createMemoryFiles()
  const store = options.store ?? openMemoryStore()
  const ports = lagHead(store)
  const log = await openLog(options, files, clock, store, ports.auditIndex)
  const real = await openMock({ kind: 'mock' }, { ...world, environment: 'development' })
  const provider = counting(options.provider?.(real) ?? real)
  const known = (await store.keys.list()).find(each => each.key.name === 'treasury') // whatever its state
  const key = known ?? (await addKey({ ...options, name: 'treasury' }, store, real, world))
  const keys = new Map([[key.key.name, key]])
  for (const more of options.keys ?? []) keys.set(more.name, await addKey(more, store, real, world))

  const logs: Record<string, unknown>[] = []
  const refusals: OutcomeEntry[] = []
  const logger = memoryLogger(logs)
  const issuer = createDevIssuer({ clock })
  const signerParts: SignerParts<Caller> = {
    world,
    logger,
    limits: { bodyBytes: BODY_BYTES },
    catalogue: options.catalogue?.(store.keys) ?? store.keys,
    setState: options.setState?.(store.keys.setState) ?? store.keys.setState,
    idempotency: options.idempotency?.(ports.idempotency) ?? ports.idempotency,
    claims: store.claims,
    unguarded: new Set(options.unguarded === true ? ['treasury'] : []),
    audit: options.audit?.(log) ?? log,
    authenticate: createTokenVerifier({ jwks: issuer.jwks, issuer: issuer.issuer, audience: issuer.audience, clock }),
    authorize,
    custody: createCustody({
      provider: async () => provider,
      readRow: id => store.keys.envelope(id),
      engines: createEngines({ wasmFromBytes: true }),
      attempts: createAttempts({ clock, random, triesMax: 1 }),
    }),
    mayServe: options.mayServe ?? (() => {}),
    recordRefusal: outcome => void refusals.push(outcome),
    ...options.door?.({ issuer, store, world }),
  }
  const room = openSignerRoom(signerParts)
  const signer = signerIn(signerParts, room)
  const readiness = async (): Promise<Check[]> => [{ name: 'audit', ok: log.state.kind === 'open' }]
  const limits = { bodyBytes: BODY_BYTES, concurrency: options.concurrency ?? 256 }
  const edge = dataPlane({ ...signer, readiness, random, clock, logger, limits }, options.families?.(room, world))
  const token: Rig['token'] = (scopes = ['sign:*', 'read:*'], seconds = 600, subject = 'tester') =>
    issuer.issue({ subject, scopes, seconds })
  const http: Rig['http'] = (path, init) => edge(new Request(`http://127.0.0.1${path}`, init), { peer: '127.0.0.1' })
  const good = await token()
  let count = 0
  const sign: Rig['sign'] = (over = {}) => {
    const headers: Record<string, string> = { 'content-type': over.type ?? 'application/json' }
    const bearer = 'token' in over ? over.token : good
    const idempotencyKey = 'idempotencyKey' in over ? over.idempotencyKey : `rig-${++count}`
    if (bearer !== undefined) headers['authorization'] = `Bearer ${bearer}`
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey
    const body = over.body ?? JSON.stringify({ type: 'stellar-transaction', xdr: over.xdr ?? EXAMPLE })
    return http(`/v1/keys/${over.key ?? 'treasury'}/sign`, { method: 'POST', headers, body })
  }
  const post: Rig['post'] = (path, body, over = {}) => {
    const idempotencyKey = 'idempotencyKey' in over ? over.idempotencyKey : `post-${++count}`
    const headers = {
      authorization: `Bearer ${over.token ?? good}`,
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    }
    if (body === undefined) return http(path, { method: 'POST', headers })
    const json = { ...headers, 'content-type': 'application/json' }
    return http(path, { method: 'POST', headers: json, body: JSON.stringify(body) })
  }
  const records = async (): Promise<AuditRecord[]> =>
    options.log === 'memory' ? [...(log as MemoryAuditLog).records()] : Array.fromAsync(readRecords(files))
  const { signatures } = provider
  const parts = {
    clock,
    files,
    store,
    log,
    issuer,
    jwks: issuer.jwks,
    signer,
    provider,
    key,
    keys,
    room,
    logs,
    refusals,
  }
  return { ...parts, signatures, token, http, sign, post, records }
}

async function openLog(
  { log }: RigOptions,
  files: MemoryFiles,
  clock: ManualClock,
  store: Store,
  index: AuditIndex,
): Promise<AuditLog> {
  if (log === 'memory') return openMemoryAuditLog({ clock, instance: 'test', keep: 2_000 })
  const onRecord = replayInto(store)
  return (await openAuditLog({ files, clock, instance: 'test', index, onRecord })).log
}

/** One for all keys that tests make: each library is started once. */
const SETUP_ENGINES = createEngines({ wasmFromBytes: true })

async function addKey(asked: RigKey, store: Store, real: EnvelopeProvider, world: World): Promise<ResolvedKey> {
  const { name, custody = 'native', chain = 'stellar', network = chain === 'stellar' ? 'testnet' : 'sepolia' } = asked
  const scheme = SCHEME_OF[chain]
  const call = { requestId: 'setup', signal: new AbortController().signal }
  const admin = await createAdmin({ kind: 'mock' }, { ...world, environment: 'development' })
  const policy = asked.policy === undefined ? demoPolicy() : parsePolicy(asked.policy)
  const about = { name, chain, network, createdAt: NOW }
  const key = { ...about, policy: policy.text, policyHash: policy.hash }
  const seed = new SecretBytes(asked.seed?.slice() ?? world.random.bytes(32), `seed of ${name}`)
  const engine = await SETUP_ENGINES(scheme)
  const { reference, publicKey } =
    custody === 'native'
      ? await admin.create({ scheme, label: name }, call)
      : {
          reference: await admin.createWrappingKey({ label: name }, call),
          publicKey: seed.use(bytes => engine.publicKey(bytes)),
        }
  const address = addressOf(chain, publicKey)
  const version: KeyVersion = {
    key: key.name,
    version: 1,
    scheme,
    publicKey,
    address,
    account: address,
    state: 'active',
  }
  const binding: Binding = {
    id: name === 'treasury' ? 'b_1' : `b_${name}`,
    key: key.name,
    version: 1,
    provider: 'mock',
    custody,
    reference,
  }
  const context = contextFor(version, key.network)
  const envelope: EnvelopeRow | undefined =
    custody === 'native'
      ? undefined
      : { bindingId: binding.id, ciphertext: await real.wrap(reference, seed, context, call), context }
  seed.wipe()
  await store.keys.add({ key, version, binding, ...(envelope === undefined ? {} : { envelope }) })
  return { key, version, bindings: [binding] }
}

function counting(provider: EnvelopeProvider): EnvelopeProvider & { readonly signatures: () => number } {
  let count = 0
  const counted = <A extends unknown[], R>(body: (...given: A) => R) => {
    return (...given: A): R => {
      count++
      return body(...given)
    }
  }
  return { ...provider, sign: counted(provider.sign), unwrap: counted(provider.unwrap), signatures: () => count }
}

export function memoryLogger(into: Record<string, unknown>[]): Logger {
  const write = (level: string) => (event: string, fields?: Record<string, unknown>) =>
    void into.push({ level, event, ...fields })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** The members of a problem+json answer. */
export async function problemOf(
  response: Response,
): Promise<Record<string, unknown> & { code: string; status: number }> {
  return (await response.json()) as never
}
