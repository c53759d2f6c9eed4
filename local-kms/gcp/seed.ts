import { z } from 'zod'
import { fromBase64, fromHex, type Streams } from '../core/random.ts'
import { ALGORITHM_NAMES, algorithmRow } from './algorithms.ts'
import { materialLabel } from './context.ts'
import { generateMaterial, readMaterial } from './material.ts'
import { parseName } from './names.ts'
import { type CryptoKey, DAY_MS, type GcpStore, type KeyVersion, VERSION_STATES } from './store.ts'

const bytes = z.union([z.strictObject({ hex: z.string() }), z.strictObject({ base64: z.string() })])
const duration = z.string().regex(/^\d{1,12}s$/, 'write seconds, for example 86400s')

const seedVersion = z.strictObject({
  /** The key itself (AES, HMAC), the seed (Ed25519), the scalar (other curves), or PKCS#8 DER. Absent: one is made. */
  material: bytes.optional(),
  state: z.enum(VERSION_STATES as [string, ...string[]]).optional(),
  /** Default: that of the key. */
  algorithm: z.enum(ALGORITHM_NAMES).optional(),
  createTime: z.iso.datetime().optional(),
})
const seedKey = z.strictObject({
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K`; the key ring comes with it. */
  name: z.string(),
  algorithm: z.enum(ALGORITHM_NAMES),
  /** Default: what the algorithm is offered at, SOFTWARE where it may be. */
  protectionLevel: z.enum(['SOFTWARE', 'HSM']).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  importOnly: z.boolean().optional(),
  rotationPeriod: duration.optional(),
  nextRotationTime: z.iso.datetime().optional(),
  destroyScheduledDuration: duration.optional(),
  /** In the order of their numbers, from 1. Default: one, with material made here. */
  versions: z.array(seedVersion).optional(),
  /** ENCRYPT_DECRYPT: default the last version. */
  primary: z.number().int().min(1).optional(),
  createTime: z.iso.datetime().optional(),
})
const credential = z.strictObject({
  token: z.string().min(1),
  principal: z.string().optional(),
  permissions: z.array(z.string()).optional(),
  resources: z.array(z.string()).optional(),
  expiresAt: z.iso.datetime().optional(),
})
const account = z.strictObject({
  email: z.string().min(1),
  publicKey: z.string().optional(),
  subjectTokens: z.array(z.string()).optional(),
  federation: z
    .strictObject({
      provider: z.string(),
      issuer: z.string(),
      subjects: z.array(z.string()),
      jwks: z.array(z.record(z.string(), z.unknown())),
      audiences: z.array(z.string()).optional(),
    })
    .optional(),
  actors: z.array(z.string()).optional(),
  metadata: z.boolean().optional(),
  permissions: z.array(z.string()).optional(),
  resources: z.array(z.string()).optional(),
})
const policy = z.strictObject({
  resource: z.string(),
  bindings: z.array(z.strictObject({ role: z.string(), members: z.array(z.string()) })),
})

/** The `gcp` part of a seed document. */
export const gcpSeedDocument = z.strictObject({
  $comment: z.string().optional(),
  keyRings: z.array(z.strictObject({ name: z.string() })).optional(),
  cryptoKeys: z.array(seedKey).optional(),
  credentials: z.array(credential).optional(),
  accounts: z.array(account).optional(),
  policies: z.array(policy).optional(),
})
export type GcpSeedDocument = z.input<typeof gcpSeedDocument>
export type GcpSeed = z.output<typeof gcpSeedDocument>
type SeedKey = z.output<typeof seedKey>

/** @throws RangeError that names every field in question. */
export function parseGcpSeed(value: unknown): GcpSeed {
  const result = gcpSeedDocument.safeParse(value)
  if (result.success) return result.data
  const problems = result.error.issues.map(issue => `${issue.path.join('.') || '(document)'}: ${issue.message}`)
  throw new RangeError(`Cannot use the seed document: ${problems.join('; ')}`)
}

const refuse = (text: string): never => {
  throw new RangeError(`Cannot use the seed document: ${text}`)
}

interface SeedContext {
  readonly now: number
  readonly streams: Streams
  readonly seeded: boolean
  readonly strictProtectionLevels: boolean
}

/** Adds what is not there yet: a persisted store wins over its seed. */
export async function applySeed(store: GcpStore, seed: GcpSeed, context: SeedContext): Promise<void> {
  const addRing = (name: string): void => {
    if (!store.rings.has(name)) store.rings.set(name, { name, createTime: context.now })
  }
  for (const { name } of seed.keyRings ?? []) {
    if (parseName(name)?.kind !== 'keyRing') refuse(`'${name}' is no name of a key ring`)
    addRing(name)
  }
  for (const entry of seed.cryptoKeys ?? []) {
    if (parseName(entry.name)?.kind !== 'cryptoKey') refuse(`'${entry.name}' is no name of a crypto key`)
    if (store.keys.has(entry.name)) continue
    addRing(entry.name.slice(0, entry.name.indexOf('/cryptoKeys/')))
    store.keys.set(entry.name, await seedOne(entry, context))
  }
  for (const { resource, bindings } of seed.policies ?? []) {
    if (parseName(resource) === undefined) refuse(`'${resource}' is no name of a resource`)
    if (store.policies.has(resource)) continue
    store.policies.set(resource, { version: 1, bindings, auditConfigs: [], etag: Uint8Array.of(0, 0x20, 0x01) })
  }
}

async function seedOne(entry: SeedKey, context: SeedContext): Promise<CryptoKey> {
  const row = algorithmRow(entry.algorithm)
  const protectionLevel = entry.protectionLevel ?? row.levels[0]!
  if (context.strictProtectionLevels && !row.levels.includes(protectionLevel)) {
    refuse(`${entry.name}: ${entry.algorithm} is not offered at protection level ${protectionLevel}`)
  }
  const createTime = entry.createTime === undefined ? context.now : Date.parse(entry.createTime)
  const key: CryptoKey = {
    name: entry.name,
    purpose: row.purpose,
    createTime,
    rotationPeriod: entry.rotationPeriod === undefined ? undefined : Number(entry.rotationPeriod.slice(0, -1)) * 1000,
    nextRotationTime: entry.nextRotationTime === undefined ? undefined : Date.parse(entry.nextRotationTime),
    template: { algorithm: entry.algorithm, protectionLevel },
    labels: new Map(Object.entries(entry.labels ?? {})),
    importOnly: entry.importOnly === true,
    destroyScheduledDuration:
      entry.destroyScheduledDuration === undefined
        ? 30 * DAY_MS
        : Number(entry.destroyScheduledDuration.slice(0, -1)) * 1000,
    versions: [],
  }
  for (const [i, version] of (entry.versions ?? [{}]).entries()) {
    const algorithm = version.algorithm ?? entry.algorithm
    if (algorithmRow(algorithm).purpose !== row.purpose) refuse(`${entry.name}: ${algorithm} has another purpose`)
    const since = version.createTime === undefined ? createTime : Date.parse(version.createTime)
    const facts = { id: i + 1, algorithm, protectionLevel, createTime: since, generateTime: since }
    const label = materialLabel(key, i + 1)
    const material =
      version.material === undefined
        ? await generateMaterial(algorithm, context.streams(label), context.seeded)
        : (readMaterial(algorithm, decode(version.material) ?? new Uint8Array(0), true) ??
          // The value itself is not repeated: it may be somebody's key
          refuse(`the material of version ${i + 1} of ${entry.name} does not fit algorithm ${algorithm}`))
    key.versions.push({ ...facts, state: (version.state ?? 'ENABLED') as KeyVersion['state'], material })
  }
  if (row.purpose === 'ENCRYPT_DECRYPT') key.primary = entry.primary ?? key.versions.at(-1)?.id
  return key
}

function decode(text: z.output<typeof bytes>): Uint8Array | undefined {
  if ('base64' in text) return fromBase64(text.base64)
  try {
    return fromHex(text.hex)
  } catch {
    return undefined
  }
}
