import { sha256 } from '@noble/hashes/sha2.js'
import { fromBase64, toBase64, toHex } from '../core/random.ts'
import type { Algorithm, ProtectionLevel, Purpose } from './algorithms.ts'
import { versionName } from './names.ts'

export type VersionState =
  | 'PENDING_GENERATION'
  | 'ENABLED'
  | 'DISABLED'
  | 'DESTROYED'
  | 'DESTROY_SCHEDULED'
  | 'PENDING_IMPORT'
  | 'IMPORT_FAILED'
  | 'GENERATION_FAILED'
export const VERSION_STATES: readonly VersionState[] = [
  'PENDING_GENERATION',
  'ENABLED',
  'DISABLED',
  'DESTROYED',
  'DESTROY_SCHEDULED',
  'PENDING_IMPORT',
  'IMPORT_FAILED',
  'GENERATION_FAILED',
]

/** Times are milliseconds since the epoch. */
export interface KeyVersion {
  readonly id: number
  state: VersionState
  readonly algorithm: Algorithm
  readonly protectionLevel: ProtectionLevel
  readonly createTime: number
  generateTime?: number | undefined
  destroyTime?: number | undefined
  destroyEventTime?: number | undefined
  importJob?: string | undefined
  importTime?: number | undefined
  importFailureReason?: string | undefined
  /** From when the version is no longer pending. */
  readyAt?: number | undefined
  /** See material.ts. Gone once destroyed. */
  material?: Uint8Array | undefined
  /** Names the imported material one way: only the same may come back. */
  fingerprint?: string | undefined
}

export interface CryptoKey {
  readonly name: string
  readonly purpose: Purpose
  readonly createTime: number
  nextRotationTime?: number | undefined
  rotationPeriod?: number | undefined
  template: { algorithm: Algorithm; readonly protectionLevel: ProtectionLevel }
  labels: Map<string, string>
  readonly importOnly: boolean
  readonly destroyScheduledDuration: number
  /** ENCRYPT_DECRYPT only. */
  primary?: number | undefined
  readonly versions: KeyVersion[]
}

export interface ImportJob {
  readonly name: string
  readonly importMethod: string
  readonly protectionLevel: ProtectionLevel
  readonly createTime: number
  readonly readyAt: number
  readonly expireTime: number
  expireEventTime?: number | undefined
  /** PKCS#8 of the RSA key that unwraps. Gone once expired. */
  wrappingKey?: Uint8Array | undefined
}

export interface Policy {
  readonly version: number
  readonly bindings: readonly Binding[]
  readonly auditConfigs: readonly Record<string, unknown>[]
  readonly etag: Uint8Array
}
export interface Binding {
  readonly role: string
  readonly members: readonly string[]
  readonly condition?: Record<string, unknown> | undefined
}

/** Everything by full name. */
export interface GcpStore {
  readonly rings: Map<string, { readonly name: string; readonly createTime: number }>
  readonly keys: Map<string, CryptoKey>
  readonly jobs: Map<string, ImportJob>
  readonly policies: Map<string, Policy>
}

export const DAY_MS = 86_400_000

export const createStore = (): GcpStore => ({ rings: new Map(), keys: new Map(), jobs: new Map(), policies: new Map() })

export const fingerprintOf = (material: Uint8Array): string => toHex(sha256(material))

export const findVersion = (key: CryptoKey, id: number): KeyVersion | undefined =>
  key.versions.find(version => version.id === id)

/** Lets the passing of time take effect on a key's versions. Rotation is not among it: it needs new material. */
export function settleKey(key: CryptoKey, now: number): void {
  for (const version of key.versions) {
    if (version.readyAt !== undefined && version.readyAt <= now) {
      if (version.state === 'PENDING_GENERATION') version.generateTime = version.readyAt
      if (version.state === 'PENDING_IMPORT') version.importTime = version.readyAt
      if (version.state === 'PENDING_GENERATION' || version.state === 'PENDING_IMPORT') version.state = 'ENABLED'
      version.readyAt = undefined
    }
    if (version.state === 'DESTROY_SCHEDULED' && version.destroyTime !== undefined && version.destroyTime <= now) {
      version.state = 'DESTROYED'
      version.destroyEventTime = version.destroyTime
      version.material = undefined
    }
  }
}

export function settleJob(job: ImportJob, now: number): void {
  if (job.expireTime > now || job.expireEventTime !== undefined) return
  job.expireEventTime = job.expireTime
  job.wrappingKey = undefined
}

export const jobState = (job: ImportJob, now: number): 'PENDING_GENERATION' | 'ACTIVE' | 'EXPIRED' =>
  job.expireTime <= now ? 'EXPIRED' : job.readyAt > now ? 'PENDING_GENERATION' : 'ACTIVE'

/** As the service shows it. */
export function showVersion(key: CryptoKey, version: KeyVersion): Record<string, unknown> {
  const imported = version.importJob !== undefined
  return {
    name: versionName(key.name, version.id),
    state: version.state,
    protectionLevel: version.protectionLevel,
    algorithm: version.algorithm,
    createTime: version.createTime,
    generateTime: version.generateTime,
    destroyTime: version.state === 'DESTROY_SCHEDULED' ? version.destroyTime : undefined,
    destroyEventTime: version.destroyEventTime,
    importJob: version.importJob,
    importTime: version.importTime,
    importFailureReason: version.importFailureReason,
    reimportEligible: imported && (version.state === 'DESTROYED' || version.state === 'IMPORT_FAILED'),
  }
}

export function showKey(key: CryptoKey): Record<string, unknown> {
  const primary = key.primary === undefined ? undefined : findVersion(key, key.primary)
  return {
    name: key.name,
    primary: primary === undefined ? undefined : showVersion(key, primary),
    purpose: key.purpose,
    createTime: key.createTime,
    nextRotationTime: key.nextRotationTime,
    rotationPeriod: key.rotationPeriod,
    versionTemplate: { ...key.template },
    labels: key.labels,
    importOnly: key.importOnly,
    destroyScheduledDuration: key.destroyScheduledDuration,
  }
}

/** Everything, secrets too, as plain JSON. */
export interface GcpSnapshot {
  readonly version: 1
  readonly rings: readonly unknown[]
  readonly keys: readonly unknown[]
  readonly jobs: readonly unknown[]
  readonly policies: readonly unknown[]
}

export function takeSnapshot(store: GcpStore): GcpSnapshot {
  const plain = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (_, v: unknown) => {
        if (v instanceof Uint8Array) return { base64: toBase64(v) }
        return v instanceof Map ? { map: [...v] } : v
      }),
    )
  return {
    version: 1,
    rings: [...store.rings.values()].map(plain),
    keys: [...store.keys.values()].map(plain),
    jobs: [...store.jobs.values()].map(plain),
    policies: [...store.policies].map(plain),
  }
}

/** @throws RangeError for a snapshot of another version. */
export function applySnapshot(store: GcpStore, snapshot: GcpSnapshot): void {
  if (snapshot.version !== 1) {
    throw new RangeError(`Cannot read a snapshot of version ${String(snapshot.version)}: 1 is needed`)
  }
  const revive = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_, v: unknown) => {
      if (typeof v !== 'object' || v === null) return v
      if ('base64' in v && typeof v.base64 === 'string') return fromBase64(v.base64)
      return 'map' in v && Array.isArray(v.map) ? new Map(v.map as [string, string][]) : v
    })
  for (const part of [store.rings, store.keys, store.jobs, store.policies]) part.clear()
  for (const entry of snapshot.rings.map(revive) as { name: string; createTime: number }[])
    store.rings.set(entry.name, entry)
  for (const entry of snapshot.keys.map(revive) as CryptoKey[]) store.keys.set(entry.name, entry)
  for (const entry of snapshot.jobs.map(revive) as ImportJob[]) store.jobs.set(entry.name, entry)
  for (const [name, policy] of snapshot.policies.map(revive) as [string, Policy][]) store.policies.set(name, policy)
}
