/** A whole data plane in memory, of real parts: store, log over a disk that fails on demand, mock keys, tokens, HTTP edge. */
import { readFileSync } from 'node:fs'
import { create as openMock } from '../../providers/mock/index.ts'
import { createAdmin } from '../../providers/mock/admin.ts'
import { authorize } from '../../src/access/authorize.ts'
import { createDevIssuer } from '../../src/access/dev-tokens.ts'
import { type Caller, createTokenVerifier } from '../../src/access/tokens.ts'
import { type MemoryAuditLog, openMemoryAuditLog } from '../../src/audit/memory.ts'
import { createMemoryFiles, type MemoryFiles } from '../../src/audit/memory-files.ts'
import { openAuditLog } from '../../src/audit/open.ts'
import { readRecords } from '../../src/audit/read.ts'
import { stellar } from '../../src/chains/stellar/index.ts'
import type { AuditLog, AuditRecord, OutcomeEntry } from '../../src/domain/audit.ts'
import type { Binding, KeyVersion, ResolvedKey } from '../../src/domain/key.ts'
import type { Jwks } from '../../src/domain/jwks.ts'
import type { AuditIndex, IdempotencyStore, KeyCatalogue, Logger, World } from '../../src/domain/ports.ts'
import { restorer } from '../../src/compose/restore.ts'
import type { EnvelopeProvider, Signed, SignInput } from '../../src/domain/provider.ts'
import { dataPlane } from '../../src/http/app.ts'
import { demoPolicy, parsePolicy, type PolicyDocument } from '../../src/policy/index.ts'
import { createSigner, type Signer } from '../../src/service/signer.ts'
import { lagHead } from '../../src/store/lagging-head.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { manualClock, type ManualClock } from './audit-world.ts'

export const EXAMPLE = readFileSync(new URL('../../examples/payment.xdr', import.meta.url), 'utf8').trim()
export const NOW = Date.UTC(2026, 10, 22, 12)

export interface RigOptions {
  readonly files?: MemoryFiles
  readonly store?: Store
  readonly policy?: PolicyDocument
  readonly provider?: (real: EnvelopeProvider) => EnvelopeProvider
  readonly concurrency?: number
  /** `memory`: no disk, the newest records only; for campaigns. `disk` unless told. */
  readonly log?: 'disk' | 'memory'
  /** Wrappers around the real parts, to watch them or to break them. */
  readonly audit?: (real: AuditLog) => AuditLog
  readonly catalogue?: (real: KeyCatalogue) => KeyCatalogue
  readonly idempotency?: (real: IdempotencyStore) => IdempotencyStore
}

export interface Rig {
  readonly clock: ManualClock
  readonly files: MemoryFiles
  readonly store: Store
  readonly log: AuditLog
  readonly jwks: Jwks
  readonly signer: Signer
  readonly provider: EnvelopeProvider
  readonly key: ResolvedKey
  readonly logs: readonly Record<string, unknown>[]
  readonly refusals: readonly OutcomeEntry[]
  /** How often the key service was asked to sign. */
  readonly signatures: () => number
  token(scopes?: readonly string[], seconds?: number): Promise<string>
  /** The HTTP edge, as a client sees it. */
  http(path: string, init?: RequestInit): Promise<Response>
  /** `POST /v1/keys/treasury/sign` with the example, a fresh idempotency key and a good token, unless told. */
  sign(over?: SignOptions): Promise<Response>
  records(): Promise<AuditRecord[]>
}

export interface SignOptions {
  readonly key?: string
  readonly body?: Body
  readonly idempotencyKey?: string | undefined
  readonly token?: string | undefined
  readonly type?: string
}

type Body = NonNullable<ConstructorParameters<typeof Response>[0]>

/** @returns the signer with one key, `treasury`, on the test network under the demo policy unless told. */
export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const clock = manualClock(NOW)
  const world: World = {
    clock,
    random: { bytes: length => crypto.getRandomValues(new Uint8Array(length)) },
    fetch: () => Promise.reject(new Error('no network in this test')),
  }
  const files = options.files ?? createMemoryFiles()
  const store = options.store ?? openMemoryStore()
  const ports = lagHead(store)
  const log = await openLog(options, files, clock, store, ports.auditIndex)
  const place = { ...world, environment: 'development' as const }
  const real = await openMock({ kind: 'mock' }, place)
  const provider = options.provider?.(real) ?? real
  const call = { requestId: 'setup', signal: new AbortController().signal }
  const facts = await (await createAdmin({ kind: 'mock' }, place)).create({ scheme: 'ed25519', label: 'treasury' }, call)
  const policy = options.policy === undefined ? demoPolicy() : parsePolicy(options.policy)
  const key = { name: 'treasury', chain: 'stellar', network: 'testnet', policy: policy.text, policyHash: policy.hash, createdAt: NOW } as const
  const version: KeyVersion = {
    key: 'treasury',
    version: 1,
    scheme: 'ed25519',
    publicKey: facts.publicKey,
    address: stellar.address(facts.publicKey),
    state: 'active',
  }
  const binding: Binding = { id: 'b_1', key: 'treasury', version: 1, provider: 'mock', custody: 'native', reference: facts.reference }
  if ((await store.keys.resolve('treasury')) === undefined) await store.keys.add({ key, version, binding })

  let signatures = 0
  const logs: Record<string, unknown>[] = []
  const refusals: OutcomeEntry[] = []
  const logger = memoryLogger(logs)
  const issuer = createDevIssuer({ clock })
  const signer = createSigner<Caller>({
    world,
    logger,
    limits: { bodyBytes: 65_536 },
    catalogue: options.catalogue?.(store.keys) ?? store.keys,
    idempotency: options.idempotency?.(ports.idempotency) ?? ports.idempotency,
    audit: options.audit?.(log) ?? log,
    authenticate: createTokenVerifier({ jwks: issuer.jwks, issuer: issuer.issuer, audience: issuer.audience, clock }),
    authorize,
    custody: (_key: ResolvedKey, { reference }: Binding, input: SignInput, requestId: string): Promise<Signed> => {
      signatures++
      return provider.sign(reference, input, { requestId, signal: new AbortController().signal })
    },
    mayServe: () => {},
    recordRefusal: outcome => void refusals.push(outcome),
  })
  const edge = dataPlane({
    ...signer,
    readiness: async () => [{ name: 'audit', ok: log.state.kind === 'open' }],
    random: world.random,
    logger,
    limits: { bodyBytes: 65_536, concurrency: options.concurrency ?? 256 },
  })
  const token = (scopes: readonly string[] = ['sign:*', 'read:*'], seconds = 600) =>
    issuer.issue({ subject: 'tester', scopes, seconds })
  const http: Rig['http'] = (path, init) => edge(new Request(`http://127.0.0.1${path}`, init), { peer: '127.0.0.1' })
  const good = await token()
  let count = 0
  return {
    clock,
    files,
    store,
    log,
    jwks: issuer.jwks,
    signer,
    provider,
    key: { key, version, bindings: [binding] },
    logs,
    refusals,
    signatures: () => signatures,
    token,
    http,
    sign: (over = {}) => {
      const headers: Record<string, string> = { 'content-type': over.type ?? 'application/json' }
      const bearer = 'token' in over ? over.token : good
      const idempotencyKey = 'idempotencyKey' in over ? over.idempotencyKey : `rig-${++count}`
      if (bearer !== undefined) headers['authorization'] = `Bearer ${bearer}`
      if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey
      const body = over.body ?? JSON.stringify({ type: 'stellar-transaction', xdr: EXAMPLE })
      return http(`/v1/keys/${over.key ?? 'treasury'}/sign`, { method: 'POST', headers, body })
    },
    records: async () => ('records' in log ? [...(log as MemoryAuditLog).records()] : Array.fromAsync(readRecords(files))),
  }
}

async function openLog(
  options: RigOptions,
  files: MemoryFiles,
  clock: ManualClock,
  store: Store,
  index: AuditIndex,
): Promise<AuditLog> {
  if (options.log === 'memory') return openMemoryAuditLog({ clock, instance: 'test', keep: 2_000 })
  const onRecord = restorer(store.idempotency)
  return (await openAuditLog({ files, clock, instance: 'test', index, onRecord })).log
}

export function memoryLogger(into: Record<string, unknown>[]): Logger {
  const write = (level: string) => (event: string, fields?: Record<string, unknown>) => void into.push({ level, event, ...fields })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** The members of a problem+json answer. */
export async function problemOf(response: Response): Promise<Record<string, unknown> & { code: string; status: number }> {
  return (await response.json()) as never
}
