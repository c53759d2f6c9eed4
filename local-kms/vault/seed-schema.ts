import { z } from 'zod'
import { ENGINES, METHODS } from './kinds.ts'
import { type KeyType, TYPES } from './transit/types.ts'

const material = z.union([z.strictObject({ hex: z.string() }), z.strictObject({ base64: z.string() })])
const mountPath = z.string().regex(/^[\w.-]+(?:\/[\w.-]+)*\/?$/)
const namespace = z.string().default('')
const seconds = z.int().min(0)
const seedKey = z.strictObject({
  name: z.string().regex(/^\w(?:[\w.-]*\w)?$/),
  mount: mountPath.default('transit'),
  namespace,
  type: z.enum(Object.keys(TYPES) as [KeyType, ...KeyType[]]),
  /** The only version; or `versions`, oldest first. Without both, one is made. */
  material: material.optional(),
  versions: z.array(z.strictObject({ material: material.optional() })).optional(),
  derived: z.boolean().default(false),
  convergent: z.boolean().default(false),
  exportable: z.boolean().default(false),
  allowPlaintextBackup: z.boolean().default(false),
  deletionAllowed: z.boolean().default(false),
  /** As if it had come in through the import endpoint. */
  imported: z.boolean().default(false),
  allowRotation: z.boolean().default(true),
  minDecryptionVersion: z.int().min(1).optional(),
  minEncryptionVersion: z.int().min(0).optional(),
  autoRotateSeconds: z.int().min(3600).optional(),
  /** HMAC keys that are made: bytes. */
  keySize: z.int().min(32).max(512).default(32),
})
const tokenRole = {
  policies: z.array(z.string()).default([]),
  ttl: seconds.default(0),
  maxTtl: seconds.default(0),
  explicitMaxTtl: seconds.default(0),
  period: seconds.default(0),
  numUses: seconds.default(0),
  tokenType: z.enum(['default', 'service', 'batch']).default('default'),
  noDefaultPolicy: z.boolean().default(false),
}
const seedToken = z.strictObject({
  id: z.string().min(1),
  policies: z.array(z.string()),
  namespace,
  ttl: seconds.default(0),
  explicitMaxTtl: seconds.default(0),
  period: seconds.default(0),
  renewable: z.boolean().default(true),
  numUses: seconds.default(0),
  type: z.enum(['service', 'batch']).default('service'),
  noDefaultPolicy: z.boolean().default(false),
  displayName: z.string().default('token'),
  meta: z.record(z.string(), z.string()).optional(),
})
const seedApprole = z.strictObject({
  name: z.string().min(1),
  path: mountPath.default('approle'),
  namespace,
  roleId: z.string().optional(),
  bindSecretId: z.boolean().default(true),
  secretIds: z
    .array(z.strictObject({ id: z.string().min(1), numUses: seconds.default(0), ttl: seconds.default(0) }))
    .default([]),
  ...tokenRole,
})
const seedJwt = z.strictObject({
  path: mountPath.default('jwt'),
  namespace,
  publicKeys: z.array(z.string()).min(1),
  boundIssuer: z.string().default(''),
  defaultRole: z.string().default(''),
  roles: z.array(
    z.strictObject({
      name: z.string().min(1),
      userClaim: z.string().default('sub'),
      boundAudiences: z.array(z.string()).default([]),
      boundSubject: z.string().default(''),
      boundClaims: z.record(z.string(), z.unknown()).default({}),
      ...tokenRole,
    }),
  ),
})
const seedKubernetes = z.strictObject({
  path: mountPath.default('kubernetes'),
  namespace,
  publicKeys: z.array(z.string()).min(1),
  host: z.string().default('https://kubernetes.default.svc'),
  roles: z.array(
    z.strictObject({
      name: z.string().min(1),
      serviceAccounts: z.array(z.string()).min(1),
      namespaces: z.array(z.string()).min(1),
      audience: z.string().default(''),
      ...tokenRole,
    }),
  ),
})

/** What there is from the start. Mounts that keys and roles name are made by themselves. */
export const vaultSeed = z.strictObject({
  $comment: z.string().optional(),
  version: z.literal(1).default(1),
  namespaces: z.array(z.string().regex(/^[\w.-]+(?:\/[\w.-]+)*\/?$/)).default([]),
  mounts: z
    .array(z.strictObject({ path: mountPath, type: z.enum(ENGINES), namespace, description: z.string().default('') }))
    .default([]),
  auth: z
    .array(z.strictObject({ path: mountPath, type: z.enum(METHODS), namespace, description: z.string().default('') }))
    .default([]),
  keys: z.array(seedKey).default([]),
  policies: z.array(z.strictObject({ name: z.string().min(1), policy: z.string(), namespace })).default([]),
  tokens: z.array(seedToken).default([]),
  approle: z.array(seedApprole).default([]),
  jwt: seedJwt.optional(),
  kubernetes: seedKubernetes.optional(),
})
export type VaultSeed = z.input<typeof vaultSeed>
export type Seed = z.output<typeof vaultSeed>
export type SeedMaterial = z.output<typeof material>
export type SeedKey = z.output<typeof seedKey>
export type SeedToken = z.output<typeof seedToken>
export type SeedTokenRole = z.output<z.ZodObject<typeof tokenRole>>
export type SeedApprole = z.output<typeof seedApprole>
export type SeedJwt = z.output<typeof seedJwt>
export type SeedKubernetes = z.output<typeof seedKubernetes>
