import type { Face, FaceWorld } from '../core/face.ts'
import { listenLazily } from '../core/lazy-port.ts'
import { rememberStreams } from '../core/random.ts'
import type { GcpCredential } from './access.ts'
import { type GcpAuditRecord, plain } from './audit.ts'
import type { Rules } from './context.ts'
import { createEngine } from './engine.ts'
import { parseName } from './names.ts'
import { createOAuth, type GcpAccount } from './oauth.ts'
import { createQuotas, type GcpThrottleOptions } from './quotas.ts'
import { handleRest } from './rest.ts'
import { applySeed, type GcpSeedDocument, parseGcpSeed } from './seed.ts'
import {
  applySnapshot,
  createStore,
  type GcpSnapshot,
  jobState,
  settleJob,
  settleKey,
  showKey,
  showVersion,
  takeSnapshot,
  VERSION_STATES,
  type VersionState,
} from './store.ts'

export type { GcpCredential } from './access.ts'
export type { GcpAuditRecord } from './audit.ts'
export type { GcpAccount } from './oauth.ts'
export type { GcpThrottleOptions } from './quotas.ts'
export { gcpSeedDocument, type GcpSeedDocument } from './seed.ts'
export type { GcpSnapshot } from './store.ts'

export interface GcpFaceOptions extends Partial<Rules> {
  readonly seed?: GcpSeedDocument | undefined
  /** A state kept before; wins over the seed. */
  readonly snapshot?: GcpSnapshot | undefined
  /** Bearer tokens. Default: those of the seed; none there: nobody is asked. */
  readonly credentials?: readonly GcpCredential[] | undefined
  /** Service accounts that get tokens on the REST port, as Google's authorization servers give them. */
  readonly accounts?: readonly GcpAccount[] | undefined
  /** Lifetime of such tokens. Default 3600. */
  readonly tokenSeconds?: number | undefined
  /** True: the service's default quotas. Default: none. */
  readonly throttle?: boolean | GcpThrottleOptions | undefined
}

export interface GrpcPort {
  /** `host:port`; no TLS. */
  readonly url: string
  readonly address: string
  close(): Promise<void>
}

export interface GcpFace extends Face {
  readonly name: 'gcp'
  /**
   * Listens at once; the gRPC server behind the port is loaded by the first connection.
   * @throws RangeError for a host beyond loopback that was not allowed in so many words
   */
  startGrpc(options: { host: string; port: number; allowNonLoopback?: boolean }): Promise<GrpcPort>
  audit(): readonly GcpAuditRecord[]
  snapshot(): GcpSnapshot
}

const TRAIL_MAX = 100_000

/**
 * Google Cloud KMS, over REST (`handle`) and gRPC (`startGrpc`), both on one table of operations.
 * @throws RangeError for options, a seed or a snapshot that cannot be used
 */
export async function createGcpFace(world: FaceWorld, options: GcpFaceOptions = {}): Promise<GcpFace> {
  const { clock } = world
  const store = createStore()
  const seed = options.seed === undefined ? undefined : parseGcpSeed(options.seed)
  const rules: Rules = {
    strictProtectionLevels: options.strictProtectionLevels ?? true,
    allowEmptyData: options.allowEmptyData ?? false,
    pendingGenerationMs: options.pendingGenerationMs ?? 0,
    pendingImportMs: options.pendingImportMs ?? 0,
  }
  let streams = rememberStreams(world.streams)
  if (options.snapshot !== undefined) applySnapshot(store, options.snapshot)
  if (seed !== undefined) await applySeed(store, seed, { ...rules, now: clock.now(), streams, seeded: world.seeded })

  const fixed = options.credentials ?? seed?.credentials
  const accounts = options.accounts ?? seed?.accounts
  const oauth =
    accounts === undefined
      ? undefined
      : createOAuth({ accounts, clock, random: () => streams('tokens'), tokenSeconds: options.tokenSeconds ?? 3600 })
  /** From the start and given out since; none of either kind configured: nobody is asked. */
  const credentials = (): readonly GcpCredential[] | undefined =>
    fixed === undefined && oauth === undefined ? undefined : [...(fixed ?? []), ...(oauth?.issued() ?? [])]
  const throttle = options.throttle === true ? {} : options.throttle || undefined
  const quotas = throttle === undefined ? undefined : createQuotas(clock, throttle)
  const ports = new Set<GrpcPort>()
  let calls = new Map<string, number>()
  let trail: GcpAuditRecord[] = []
  const count = (name: string): void => void calls.set(name, (calls.get(name) ?? 0) + 1)

  const engine = createEngine({
    world,
    store,
    streams: () => streams,
    rules,
    credentials,
    selfSigned: token => oauth?.selfSigned(token),
    quotas,
    count,
    keep(record) {
      trail.push(record)
      if (trail.length > TRAIL_MAX) trail = trail.slice(-TRAIL_MAX / 2)
    },
  })
  const saved = async (): Promise<void> => world.saved?.()

  return {
    name: 'gcp',
    handle: async request =>
      oauth?.handle(request) ??
      handleRest(
        request,
        engine,
        () => clock.now(),
        () => count('Unknown'),
      ),
    async startGrpc({ host, port, allowNonLoopback }) {
      const open = async () => (await import('./grpc.ts')).createGrpcServer({ engine, saved })
      const listening = await listenLazily({ host, port, allowNonLoopback, open })
      const { address } = listening
      const started: GrpcPort = {
        url: address,
        address,
        close: async () => {
          ports.delete(started)
          await listening.close()
        },
      }
      ports.add(started)
      return started
    },
    calls: () => Object.fromEntries([...calls].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    audit: () => [...trail],
    reset(fresh) {
      calls = new Map()
      trail = []
      quotas?.reset()
      oauth?.reset()
      streams = rememberStreams(fresh)
    },
    snapshot: () => takeSnapshot(store),
    restore: snapshot => applySnapshot(store, snapshot as GcpSnapshot),
    inspect() {
      for (const key of store.keys.values()) settleKey(key, clock.now())
      for (const job of store.jobs.values()) settleJob(job, clock.now())
      return {
        keyRings: [...store.rings.values()].map(ring => plain('', ring)),
        cryptoKeys: [...store.keys.values()].map(key => ({
          ...(plain('', showKey(key)) as object),
          versions: key.versions.map(version => plain('', showVersion(key, version))),
        })),
        importJobs: [...store.jobs.values()].map(job => ({
          ...(plain('', { ...job, readyAt: undefined, wrappingKey: undefined }) as object),
          state: jobState(job, clock.now()),
        })),
        calls: Object.fromEntries(calls),
      }
    },
    setKeyState(key, state) {
      const kind = parseName(key)?.kind
      if (kind !== 'cryptoKeyVersion' && kind !== 'cryptoKey') return false
      const [name = '', version] = key.split('/cryptoKeyVersions/')
      const versions = store.keys
        .get(name)
        ?.versions.filter(each => version === undefined || each.id === Number(version))
      if (versions === undefined || versions.length === 0) return false
      if (!VERSION_STATES.includes(state as VersionState)) {
        throw new RangeError(`Cannot set state '${state}': use one of ${VERSION_STATES.join(', ')}`)
      }
      for (const each of versions) {
        each.state = state as VersionState
        each.readyAt = undefined
      }
      world.onChange()
      return true
    },
    async close() {
      await Promise.all([...ports].map(port => port.close()))
    },
  }
}
