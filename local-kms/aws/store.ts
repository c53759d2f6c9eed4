import { sha256 } from '@noble/hashes/sha2.js'
import { concat, fromBase64, toBase64, toHex } from '../core/random.ts'
import type { Material } from './material.ts'
import { type KeySpec, type KeyUsage, specRow } from './specs.ts'

export type KeyState =
  | 'Creating'
  | 'Enabled'
  | 'Disabled'
  | 'PendingDeletion'
  | 'PendingImport'
  | 'Unavailable'
  | 'Updating'

export interface MaterialEntry {
  readonly id: string
  readonly bytes: Material
  readonly since: number
  readonly rotation?: 'AUTOMATIC' | 'ON_DEMAND'
}

export interface KmsKey {
  readonly id: string
  readonly arn: string
  readonly accountId: string
  readonly region: string
  readonly spec: KeySpec
  readonly usage: KeyUsage
  readonly origin: 'AWS_KMS' | 'EXTERNAL'
  readonly multiRegion: boolean
  readonly creationDate: number
  description: string
  state: KeyState
  deletionDate?: number | undefined
  expirationModel?: string | undefined
  validTo?: number | undefined
  /** The last one is current; the ones before still decrypt. */
  materials: MaterialEntry[]
  /** What may ever be imported again: the id of the first import. */
  importedId?: string | undefined
  policy: string
  tags: Map<string, string>
  rotation: { enabled: boolean; periodDays: number; next?: number | undefined }
}

/** Where an alias points, and from when readers see it. No target: deleted. */
interface AliasStep {
  readonly from: number
  readonly target?: string // key ARN
}
export interface Alias {
  readonly name: string
  readonly arn: string
  readonly created: number
  updated: number
  steps: AliasStep[]
}

export interface ImportTicket {
  readonly token: string // hex
  readonly keyArn: string
  readonly algorithm: string
  readonly wrappingKey: Uint8Array // PKCS#8 of the RSA key that unwraps
  readonly validTo: number
}

export interface AwsStore {
  readonly accountId: string
  readonly region: string
  readonly keys: Map<string, KmsKey> // by ARN
  readonly aliases: Map<string, Alias> // by name
  readonly imports: Map<string, ImportTicket> // by token
  /** Keys ever created: numbers the seeded streams. */
  created: number
}

export const DAY_MS = 86_400_000

export function createStore(accountId: string, region: string): AwsStore {
  return { accountId, region, keys: new Map(), aliases: new Map(), imports: new Map(), created: 0 }
}

export const keyArn = (store: AwsStore, id: string): string =>
  `arn:aws:kms:${store.region}:${store.accountId}:key/${id}`
export const aliasArn = (store: AwsStore, name: string): string =>
  `arn:aws:kms:${store.region}:${store.accountId}:${name}`

/** Names the material without giving it away to readers of answers: bound to the key, one way. */
export function materialId(arn: string, material: Material): string {
  return toHex(sha256(concat(new TextEncoder().encode(`local-kms key material\0${arn}\0`), material)))
}

export const currentMaterial = (key: KmsKey): MaterialEntry | undefined => key.materials.at(-1)

/** Lets the passing of time take effect on one key: deletion, expiry of material. False: the key is gone. */
export function settle(store: AwsStore, key: KmsKey, now: number): boolean {
  if (key.deletionDate !== undefined && key.deletionDate <= now) {
    store.keys.delete(key.arn)
    for (const alias of store.aliases.values()) {
      if (alias.steps.at(-1)?.target === key.arn) store.aliases.delete(alias.name)
    }
    return false
  }
  if (key.validTo !== undefined && key.validTo <= now) dropMaterial(key)
  return true
}

export function settleAll(store: AwsStore, now: number): void {
  for (const key of store.keys.values()) settle(store, key, now)
}

/** Imported material goes; what the key may import again stays known. */
export function dropMaterial(key: KmsKey): void {
  key.materials = []
  key.validTo = undefined
  key.expirationModel = undefined
  if (key.state !== 'PendingDeletion') key.state = 'PendingImport'
}

export function aliasTarget(alias: Alias, now: number): string | undefined {
  return alias.steps.findLast(step => step.from <= now)?.target
}

/** @param lagMs how long readers go on seeing what was before. */
export function pointAlias(alias: Alias, target: string | undefined, now: number, lagMs: number): void {
  const before = alias.steps.filter(step => step.from > now || step === alias.steps.findLast(s => s.from <= now))
  alias.steps = [
    ...(lagMs > 0 ? before : []),
    target === undefined ? { from: now + lagMs } : { from: now + lagMs, target },
  ]
  alias.updated = now
}

/** Epoch seconds with milliseconds after the point, as the wire has them. */
export const seconds = (ms: number): number => Math.round(ms) / 1000

/** `KeyMetadata` of the API, every member that applies and no other. */
export function metadata(key: KmsKey): Record<string, unknown> {
  const row = specRow(key.spec)
  const symmetric = key.spec === 'SYMMETRIC_DEFAULT'
  return {
    AWSAccountId: key.accountId,
    Arn: key.arn,
    CreationDate: seconds(key.creationDate),
    CurrentKeyMaterialId: symmetric ? currentMaterial(key)?.id : undefined,
    CustomerMasterKeySpec: key.spec,
    DeletionDate: key.deletionDate === undefined ? undefined : seconds(key.deletionDate),
    Description: key.description,
    Enabled: key.state === 'Enabled',
    EncryptionAlgorithms: key.usage === 'ENCRYPT_DECRYPT' ? row.encryption : undefined,
    ExpirationModel: key.expirationModel,
    KeyId: key.id,
    KeyManager: 'CUSTOMER',
    KeySpec: key.spec,
    KeyState: key.state,
    KeyUsage: key.usage,
    MacAlgorithms: key.usage === 'GENERATE_VERIFY_MAC' ? row.mac : undefined,
    MultiRegion: key.multiRegion,
    MultiRegionConfiguration: key.multiRegion
      ? { MultiRegionKeyType: 'PRIMARY', PrimaryKey: { Arn: key.arn, Region: key.region }, ReplicaKeys: [] }
      : undefined,
    Origin: key.origin,
    SigningAlgorithms: key.usage === 'SIGN_VERIFY' ? row.signing : undefined,
    ValidTo: key.validTo === undefined ? undefined : seconds(key.validTo),
  }
}

/** Everything, secrets too, as plain JSON. */
export interface AwsSnapshot {
  readonly version: 1
  readonly accountId: string
  readonly region: string
  readonly created: number
  readonly keys: readonly unknown[]
  readonly aliases: readonly unknown[]
  readonly imports: readonly unknown[]
}

export function takeSnapshot(store: AwsStore): AwsSnapshot {
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? { base64: toBase64(v) } : v)))
  return {
    version: 1,
    accountId: store.accountId,
    region: store.region,
    created: store.created,
    keys: [...store.keys.values()].map(key => plain({ ...key, tags: [...key.tags] })),
    aliases: [...store.aliases.values()].map(plain),
    imports: [...store.imports.values()].map(plain),
  }
}

/** @throws RangeError when the snapshot is of another version, account or Region. */
export function applySnapshot(store: AwsStore, snapshot: AwsSnapshot): void {
  if (snapshot.version !== 1)
    throw new RangeError(`Cannot read a snapshot of version ${String(snapshot.version)}: 1 is needed`)
  if (snapshot.accountId !== store.accountId || snapshot.region !== store.region) {
    throw new RangeError(
      `Cannot read a snapshot of account ${snapshot.accountId} in ${snapshot.region}: this instance is ` +
        `${store.accountId} in ${store.region}`,
    )
  }
  const revive = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_, v: unknown) => {
      const coded = typeof v === 'object' && v !== null && 'base64' in v ? v.base64 : undefined
      return typeof coded === 'string' ? fromBase64(coded) : v
    })
  store.keys.clear()
  store.aliases.clear()
  store.imports.clear()
  store.created = snapshot.created
  for (const entry of snapshot.keys) {
    const key = revive(entry) as Omit<KmsKey, 'tags'> & { tags: [string, string][] }
    store.keys.set(key.arn, { ...key, tags: new Map(key.tags) })
  }
  for (const entry of snapshot.aliases) store.aliases.set((entry as Alias).name, revive(entry) as Alias)
  for (const entry of snapshot.imports) store.imports.set((entry as ImportTicket).token, revive(entry) as ImportTicket)
}
