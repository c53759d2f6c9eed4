import { z } from 'zod'
import { fromBase64, fromHex, type Streams, uuid } from '../core/random.ts'
import { newKey } from './keys.ts'
import { type Material, readMaterial } from './material.ts'
import { unknownOperator } from './policy.ts'
import { KEY_SPECS, isBuiltSpec, type KeySpec, type KeyUsage, specRow } from './specs.ts'
import { aliasArn, type AwsStore, keyArn, materialId, type KmsKey } from './store.ts'

const bytes = z.union([z.strictObject({ hex: z.string() }), z.strictObject({ base64: z.string() })])
const seedKey = z.strictObject({
  keyId: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/)
    .optional(),
  arn: z.string().optional(),
  spec: z.enum(KEY_SPECS),
  usage: z.enum(['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC']).optional(),
  origin: z.enum(['AWS_KMS', 'EXTERNAL']).optional(),
  /** 32 bytes (symmetric), the seed (Ed25519), the scalar (other curves), or PKCS#8 DER. */
  material: bytes.optional(),
  aliases: z.array(z.string().regex(/^alias\/[a-zA-Z0-9/_-]+$/)).optional(),
  description: z.string().optional(),
  state: z.enum(['Enabled', 'Disabled', 'PendingImport', 'Unavailable', 'Creating', 'Updating']).optional(),
  tags: z.record(z.string(), z.string()).optional(),
  policy: z.string().optional(),
  creationDate: z.iso.datetime().optional(),
})
const strings = z.array(z.string())
const oneOrMany = z.union([z.string(), strings])
const conditions = z.record(z.string(), z.record(z.string(), oneOrMany)).superRefine((value, context) => {
  const unknown = unknownOperator(value)
  if (unknown !== undefined) context.addIssue({ code: 'custom', message: `the operator ${unknown} is not played` })
})
const statement = z.strictObject({
  actions: strings,
  resources: strings.optional(),
  conditions: conditions.optional(),
})
const policyStatement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: oneOrMany.optional(),
  NotAction: oneOrMany.optional(),
  Resource: oneOrMany.optional(),
  NotResource: oneOrMany.optional(),
  Condition: conditions.optional(),
})
/** An identity policy as it stands in IAM. */
export const policyDocument = z.strictObject({
  Version: z.string().optional(),
  Id: z.string().optional(),
  Statement: z.union([policyStatement, z.array(policyStatement)]),
})
const rights = {
  allow: z.array(statement).optional(),
  deny: z.array(statement).optional(),
  policies: z.array(policyDocument).optional(),
}
const role = z.strictObject({
  arn: z.string().regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/),
  ...rights,
  trust: z
    .strictObject({
      principals: strings.optional(),
      externalId: z.string().optional(),
      webIdentity: z
        .array(
          z.strictObject({
            issuer: z.string(),
            audience: z.string(),
            subject: z.string(),
            jwks: z.array(z.record(z.string(), z.unknown())).optional(),
          }),
        )
        .optional(),
    })
    .optional(),
  maxSessionSeconds: z.int().min(3_600).max(43_200).optional(),
})
const credential = z.strictObject({
  accessKeyId: z.string().min(1),
  secretAccessKey: z.string(),
  sessionToken: z.string().optional(),
  expiresAt: z.iso.datetime().optional(),
  principalArn: z.string().optional(),
  ...rights,
})

/** What the seed document says of this face; it stands on top, the other faces have members of their own there. */
export const seedDocument = z.strictObject({
  $comment: z.string().optional(),
  version: z.literal(1),
  region: z.string().optional(),
  accountId: z
    .string()
    .regex(/^\d{12}$/)
    .optional(),
  masterSeed: z.string().optional(),
  credentials: z.array(credential).optional(),
  /** What STS hands out. Absent: any role can be assumed, with every right (except under strict SigV4). */
  roles: z.array(role).optional(),
  keys: z.array(seedKey).optional(),
})
export type SeedKey = z.output<typeof seedKey>

/** Adds the keys that are not there yet: a persisted store wins over its seed. */
export async function applySeed(
  store: AwsStore,
  keys: readonly SeedKey[],
  context: { now: number; streams: Streams; seeded: boolean },
): Promise<void> {
  for (const [i, entry] of keys.entries()) {
    const label = `seed key ${i}`
    const id = entry.keyId ?? entry.arn?.split(':key/')[1] ?? uuid(context.streams(`${label} id`))
    const arn = entry.arn ?? keyArn(store, id)
    checkArn(arn, id, label)
    if (store.keys.has(arn)) continue
    const key = await seedOne(store, entry, { id, arn, label }, context)
    store.keys.set(arn, key)
    for (const name of entry.aliases ?? []) {
      if (store.aliases.has(name)) throw new RangeError(`Cannot use the seed document: ${name} stands there twice`)
      const step = { from: key.creationDate, target: arn }
      const at = key.creationDate
      store.aliases.set(name, { name, arn: aliasArn(store, name), created: at, updated: at, steps: [step] })
    }
  }
}

function checkArn(arn: string, id: string, label: string): void {
  if (/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/.test(arn) && arn.endsWith(`/${id}`)) return
  throw new RangeError(
    `Cannot use the seed document: the ARN '${arn}' of ${label} is no key ARN that ends in its key id`,
  )
}

async function seedOne(
  store: AwsStore,
  entry: SeedKey,
  names: { id: string; arn: string; label: string },
  context: { now: number; streams: Streams; seeded: boolean },
): Promise<KmsKey> {
  if (!isBuiltSpec(entry.spec))
    throw new RangeError(`Cannot use the seed document: local-kms has no keys of spec ${entry.spec}`)
  const spec: KeySpec = entry.spec
  const usage: KeyUsage = entry.usage ?? (specRow(spec).usages.at(-1) as KeyUsage)
  if (!specRow(spec).usages.includes(usage)) {
    throw new RangeError(
      `Cannot use the seed document: ${names.label} has usage ${usage}, which ${spec} does not allow`,
    )
  }
  const origin = entry.origin ?? 'AWS_KMS'
  const now = entry.creationDate === undefined ? context.now : Date.parse(entry.creationDate)
  const given = entry.material === undefined ? undefined : seedMaterial(spec, entry.material, names.label)
  const key = await newKey(
    { store, now, stream: context.streams, seeded: context.seeded },
    // Where the document brings the material, none is made
    { ...names, spec, usage, origin: given === undefined ? origin : 'EXTERNAL' },
  )
  const seeded: KmsKey = {
    ...key,
    origin,
    description: entry.description ?? '',
    tags: new Map(Object.entries(entry.tags ?? {})),
  }
  if (given !== undefined) {
    const id = materialId(names.arn, given)
    seeded.materials = [{ id, bytes: given, since: now }]
    seeded.state = 'Enabled'
    if (origin === 'EXTERNAL') {
      seeded.importedId = id
      seeded.expirationModel = 'KEY_MATERIAL_DOES_NOT_EXPIRE'
    }
  }
  if (entry.state !== undefined) seeded.state = entry.state
  if (entry.policy !== undefined) seeded.policy = entry.policy
  return seeded
}

function seedMaterial(spec: KeySpec, text: z.output<typeof bytes>, label: string): Material {
  const raw = decode(text)
  const material = raw === undefined ? undefined : readMaterial(spec, raw, true)
  if (material !== undefined) return material
  // The value itself is not repeated: it may be somebody's key
  throw new RangeError(`Cannot use the seed document: the material of ${label} does not fit a key of spec ${spec}`)
}

function decode(text: z.output<typeof bytes>): Uint8Array | undefined {
  if ('base64' in text) return fromBase64(text.base64)
  try {
    return fromHex(text.hex)
  } catch {
    return undefined
  }
}
