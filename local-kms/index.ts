import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { AuditRecord } from './aws/audit.ts'
import { createAwsFace } from './aws/face.ts'
import type { ThrottleOptions } from './aws/quotas.ts'
import { applySeed, parseSeed, type SeedDocument } from './aws/seed.ts'
import type { Credential, SigV4Mode } from './aws/sigv4.ts'
import {
  type AwsSnapshot,
  aliasTarget,
  applySnapshot,
  createStore,
  type KeyState,
  metadata,
  settleAll,
  takeSnapshot,
} from './aws/store.ts'
import { ADMIN_PREFIX, handleAdmin } from './core/admin.ts'
import { type Clock, systemClock } from './core/clock.ts'
import { createFaults, type FaultRule } from './core/faults.ts'
import { createLatency, type LatencyName, type LatencyOptions } from './core/latency.ts'
import { type Random, seededStreams, type Streams, systemRandom } from './core/random.ts'
import { startServer } from './core/server.ts'

export type { AuditRecord } from './aws/audit.ts'
export type { ThrottleOptions } from './aws/quotas.ts'
export type { SeedDocument } from './aws/seed.ts'
export type { Credential, SigV4Mode } from './aws/sigv4.ts'
export type { AwsSnapshot, KeyState } from './aws/store.ts'
export { type Clock, type VirtualClock, virtualClock } from './core/clock.ts'
export type { Fault, FaultRule } from './core/faults.ts'
export { LATENCY_PROFILES, type LatencyName, type LatencyOptions, type LatencyProfile } from './core/latency.ts'
export type { Random } from './core/random.ts'

export interface LocalKmsOptions {
  /** Loopback addresses only, unless `allowNonLoopback`. Default 127.0.0.1. */
  readonly host?: string | undefined
  readonly allowNonLoopback?: boolean | undefined
  /** Default 0: any free port. */
  readonly port?: number | undefined
  /** Default us-east-1. */
  readonly region?: string | undefined
  /** Default 000000000000. */
  readonly accountId?: string | undefined
  /** How requests' signatures are checked. Default off. */
  readonly sigv4?: SigV4Mode | undefined
  /** Default: access key `test`, secret `test`. */
  readonly credentials?: readonly Credential[] | undefined
  readonly seed?: SeedDocument | undefined
  /** A file with a seed document; read once, at start. */
  readonly seedFile?: string | undefined
  /** Reproduces ids, keys, data keys and random bytes in the order they are asked for. */
  readonly masterSeed?: string | Uint8Array | undefined
  /** Default none. Figures are our own assumption (README). */
  readonly latency?: LatencyName | LatencyOptions | undefined
  /** True: the service's default quotas. Default: none. */
  readonly throttle?: boolean | ThrottleOptions | undefined
  readonly faults?: readonly FaultRule[] | undefined
  readonly clock?: Clock | undefined
  /** Keeps everything in this file, keys in the clear. */
  readonly persist?: string | undefined
  readonly onAudit?: ((record: AuditRecord) => void) | undefined
  /** Lets Sign and Verify take a message of no bytes, which the service refuses. */
  readonly allowEmptyMessage?: boolean | undefined
  /** How long readers of an alias see what it was before. Default 0. */
  readonly aliasLagMs?: number | undefined
  /** Nonces and ECDSA blinding; the system's own by default, whatever `masterSeed` says. */
  readonly entropy?: Random | undefined
}

export interface LocalKms {
  /** Base URL of the AWS KMS face. */
  readonly aws: string
  readonly region: string
  readonly accountId: string
  close(): Promise<void>
  /** Back to how it stood after start: keys, counters, faults, quotas, trail, streams. The clock goes on. */
  reset(): void
  /** The whole state, secrets too. */
  snapshot(): LocalKmsSnapshot
  restore(snapshot: LocalKmsSnapshot): void
  /** What there is, without secrets. */
  inspect(): LocalKmsInspection
  /** Requests by operation since start or reset. */
  calls(): Record<string, number>
  /** The events so far, shaped like AWS CloudTrail. */
  audit(): readonly AuditRecord[]
  faults(): readonly FaultRule[]
  addFaults(...rules: FaultRule[]): void
  clearFaults(): void
  setLatency(latency: LatencyName | LatencyOptions): void
  /** Forces a state that callers cannot bring about, such as Unavailable. @throws RangeError unknown key or state. */
  setKeyState(keyId: string, state: string): void
}

export interface LocalKmsSnapshot {
  readonly aws: AwsSnapshot
}

export interface LocalKmsInspection {
  readonly warning: string
  readonly region: string
  readonly accountId: string
  readonly sigv4: SigV4Mode
  readonly now: number
  readonly keys: readonly { readonly metadata: unknown; readonly aliases: readonly string[]; readonly tags: unknown }[]
  readonly calls: Record<string, number>
  readonly faults: readonly FaultRule[]
}

const WARNING = 'local-kms is an emulator and no secure store: keys lie in memory, snapshots and files in the clear'
const STATES: readonly string[] = [
  'Creating',
  'Enabled',
  'Disabled',
  'PendingImport',
  'Unavailable',
  'Updating',
] satisfies KeyState[]
const BODY_BYTES_MAX = 1024 * 1024

/**
 * Starts an emulator of AWS KMS on a loopback port.
 * @throws RangeError for options or a seed document that cannot be used.
 */
export async function startLocalKms(options: LocalKmsOptions = {}): Promise<LocalKms> {
  const clock = options.clock ?? systemClock
  const seed = readSeed(options)
  const masterSeed = options.masterSeed ?? seed?.masterSeed
  const streamsFrom = (): Streams => (masterSeed === undefined ? () => systemRandom : seededStreams(masterSeed))
  const store = createStore(
    options.accountId ?? seed?.accountId ?? '000000000000',
    options.region ?? seed?.region ?? 'us-east-1',
  )
  if (options.persist !== undefined && existsSync(options.persist)) {
    applySnapshot(store, (JSON.parse(readFileSync(options.persist, 'utf8')) as LocalKmsSnapshot).aws)
  }
  const seeded = masterSeed !== undefined
  await applySeed(store, seed?.keys ?? [], { now: clock.now(), streams: streamsFrom(), seeded })
  const initial = takeSnapshot(store)

  // Latency and faults draw from streams of their own: the same seed, or none, gives the same row in every run
  const playStreams = (): Streams => seededStreams(masterSeed ?? 'local-kms')
  const latencyFrom = (latency: LatencyName | LatencyOptions) =>
    createLatency(typeof latency === 'string' ? { profile: latency } : latency, playStreams()('latency'))
  let latencyOptions: LatencyName | LatencyOptions = options.latency ?? 'none'
  let latency = latencyFrom(latencyOptions)
  const faults = createFaults(options.faults ?? [], () => playStreams()('faults'))
  const sigv4 = options.sigv4 ?? 'off'

  const save = (): void => {
    if (options.persist === undefined) return
    writeFileSync(`${options.persist}.new`, JSON.stringify({ warning: WARNING, aws: takeSnapshot(store) }), {
      mode: 0o600,
    })
    renameSync(`${options.persist}.new`, options.persist)
  }
  const face = createAwsFace({
    store,
    clock,
    streams: streamsFrom(),
    seeded,
    entropy: options.entropy ?? systemRandom,
    sigv4: {
      mode: sigv4,
      credentials: options.credentials ?? seed?.credentials ?? [{ accessKeyId: 'test', secretAccessKey: 'test' }],
      region: store.region,
    },
    faults,
    latency: () => latency,
    throttle: options.throttle === true ? {} : options.throttle || undefined,
    allowEmptyMessage: options.allowEmptyMessage === true,
    aliasLagMs: options.aliasLagMs ?? 0,
    onAudit: options.onAudit,
    onChange: save,
  })

  const control = {
    clock,
    reset() {
      applySnapshot(store, initial)
      latency = latencyFrom(latencyOptions)
      faults.reset()
      face.reset(streamsFrom())
      save()
    },
    inspect: (): LocalKmsInspection => {
      settleAll(store, clock.now())
      return {
        warning: WARNING,
        region: store.region,
        accountId: store.accountId,
        sigv4,
        now: clock.now(),
        keys: [...store.keys.values()].map(key => ({
          metadata: metadata(key),
          aliases: [...store.aliases.values()].filter(a => aliasTarget(a, clock.now()) === key.arn).map(a => a.name),
          tags: Object.fromEntries(key.tags),
        })),
        calls: face.calls(),
        faults: faults.list(),
      }
    },
    calls: () => face.calls(),
    audit: () => face.audit(),
    faults: () => faults.list(),
    addFaults: (...rules: FaultRule[]) => faults.add(...rules),
    clearFaults: () => faults.clear(),
    setLatency(next: LatencyName | LatencyOptions) {
      latency = latencyFrom(next)
      latencyOptions = next
    },
    setKeyState(keyId: string, state: string) {
      const key = [...store.keys.values()].find(entry => entry.id === keyId || entry.arn === keyId)
      if (key === undefined) throw new RangeError(`Cannot set the state of '${keyId}': there is no such key`)
      if (!STATES.includes(state)) throw new RangeError(`Cannot set state '${state}': use one of ${STATES.join(', ')}`)
      key.state = state as KeyState
      save()
    },
  }
  const server = await startServer({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    allowNonLoopback: options.allowNonLoopback === true,
    bodyBytesMax: BODY_BYTES_MAX,
    clock,
    handle: request => (request.target.startsWith(ADMIN_PREFIX) ? handleAdmin(request, control) : face.handle(request)),
  })
  save()

  const { clock: _, ...surface } = control
  return {
    ...surface,
    aws: server.url,
    region: store.region,
    accountId: store.accountId,
    close: () => server.close(),
    snapshot: () => ({ aws: takeSnapshot(store) }),
    restore(snapshot) {
      applySnapshot(store, snapshot.aws)
      save()
    },
  }
}

function readSeed(options: LocalKmsOptions): ReturnType<typeof parseSeed> | undefined {
  if (options.seed !== undefined && options.seedFile !== undefined) {
    throw new RangeError('Cannot use both seed and seedFile: give one of them')
  }
  if (options.seed !== undefined) return parseSeed(options.seed)
  if (options.seedFile === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(readFileSync(options.seedFile, 'utf8'))
  } catch (cause) {
    throw new RangeError(`Cannot read the seed file ${options.seedFile}: it must be there and hold JSON`, { cause })
  }
  return parseSeed(value)
}
