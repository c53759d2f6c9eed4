import { uuid, toHex } from '../core/random.ts'
import { findKey, findManagedKey, type OpContext, operation, refuseStates } from './context.ts'
import { AwsError, invalidState, unsupported, validation } from './errors.ts'
import { generateMaterial } from './material.ts'
import * as member from './members.ts'
import { boolean, integer, oneOf, optional, required, string, struct } from './shapes.ts'
import { isBuiltSpec, KEY_SPECS, KEY_USAGES, type KeySpec, type KeyUsage, ORIGINS, specRow } from './specs.ts'
import { checkPolicy, defaultPolicy } from './policies.ts'
import { DAY_MS, type KmsKey, keyArn, materialId, metadata, seconds, settleAll } from './store.ts'
import { addTags } from './tags.ts'

export const CreateKey = operation(
  struct({
    Policy: optional(member.policyText),
    Description: optional(member.description),
    KeyUsage: optional(oneOf(KEY_USAGES)),
    CustomerMasterKeySpec: optional(oneOf(KEY_SPECS)),
    KeySpec: optional(oneOf(KEY_SPECS)),
    Origin: optional(oneOf(ORIGINS)),
    CustomKeyStoreId: optional(string({ min: 1, max: 64 })),
    BypassPolicyLockoutSafetyCheck: optional(boolean),
    Tags: optional(member.tags),
    MultiRegion: optional(boolean),
    XksKeyId: optional(string({ min: 1, max: 128 })),
  }),
  async (input, context) => {
    context.authorize('*')
    if (input.KeySpec !== undefined && input.CustomerMasterKeySpec !== undefined) {
      throw validation(
        'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
      )
    }
    const spec = input.KeySpec ?? input.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT'
    if (input.KeyUsage === undefined && spec !== 'SYMMETRIC_DEFAULT') {
      throw validation('You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.')
    }
    const usage = input.KeyUsage ?? 'ENCRYPT_DECRYPT'
    const origin = input.Origin ?? 'AWS_KMS'
    if (input.CustomKeyStoreId !== undefined || input.XksKeyId !== undefined || !isBuiltOrigin(origin)) {
      throw unsupported('local-kms has no custom key stores.')
    }
    if (!isBuiltSpec(spec)) throw unsupported(`local-kms has no keys of spec ${spec}.`)
    if (usage === 'KEY_AGREEMENT' && specRow(spec).family === 'ecdsa' && spec !== 'ECC_SECG_P256K1') {
      throw unsupported('local-kms has no keys for key agreement.')
    }
    if (!specRow(spec).usages.includes(usage as KeyUsage)) {
      throw validation(`KeyUsage ${usage} is not compatible with KeySpec ${spec}`)
    }
    if (input.Policy !== undefined) checkPolicy(input.Policy)
    const tags = new Map<string, string>()
    addTags(tags, input.Tags ?? [])
    const number = context.store.created++
    const idStream = context.stream(`key ${number} id`)
    const key = await newKey(context, {
      id: input.MultiRegion ? `mrk-${toHex(idStream.bytes(16))}` : uuid(idStream),
      spec,
      usage: usage as KeyUsage,
      origin,
      label: `key ${number}`,
    })
    key.description = input.Description ?? ''
    key.policy = input.Policy ?? key.policy
    key.tags = tags
    context.store.keys.set(key.arn, key)
    context.touched.push(key)
    return { KeyMetadata: metadata(key) }
  },
  { mutates: true },
)

const isBuiltOrigin = (origin: string): origin is KmsKey['origin'] => origin === 'AWS_KMS' || origin === 'EXTERNAL'

/** A key with fresh material, not yet in the store. `EXTERNAL` keys start without. */
export async function newKey(
  context: Pick<OpContext, 'store' | 'now' | 'stream' | 'seeded'>,
  facts: { id: string; arn?: string; spec: KeySpec; usage: KeyUsage; origin: KmsKey['origin']; label: string },
): Promise<KmsKey> {
  const { store, now } = context
  const arn = facts.arn ?? keyArn(store, facts.id)
  const material =
    facts.origin === 'EXTERNAL'
      ? undefined
      : await generateMaterial(facts.spec, context.stream(`${facts.label} material 0`), context.seeded)
  return {
    id: facts.id,
    arn,
    accountId: arn.split(':')[4]!,
    region: arn.split(':')[3]!,
    spec: facts.spec,
    usage: facts.usage,
    origin: facts.origin,
    multiRegion: facts.id.startsWith('mrk-'),
    creationDate: now,
    description: '',
    state: material === undefined ? 'PendingImport' : 'Enabled',
    materials: material === undefined ? [] : [{ id: materialId(arn, material), bytes: material, since: now }],
    policy: defaultPolicy(arn.split(':')[4]!),
    tags: new Map(),
    rotation: { enabled: false, periodDays: 365 },
  }
}

const onlyKeyId = struct({ KeyId: required(member.keyId) })

export const DescribeKey = operation(
  struct({ KeyId: required(member.keyId), GrantTokens: member.grantTokens }),
  (input, context) => {
    const key = findKey(context, input.KeyId)
    member.refuseGrantTokens(input.GrantTokens)
    return { KeyMetadata: metadata(key) }
  },
)

export const ListKeys = operation(struct({ Limit: member.limit, Marker: member.marker }), (input, context) => {
  context.authorize('*')
  settleAll(context.store, context.now)
  const { items, paging } = member.page([...context.store.keys.values()], key => key.arn, {
    limit: input.Limit ?? 100,
    marker: input.Marker,
  })
  return { Keys: items.map(key => ({ KeyArn: key.arn, KeyId: key.id })), ...paging }
})

export const EnableKey = operation(
  onlyKeyId,
  (input, context) => {
    const key = findManagedKey(context, input.KeyId)
    refuseStates(key, 'PendingDeletion', 'PendingImport', 'Unavailable', 'Creating', 'Updating')
    key.state = 'Enabled'
    return undefined
  },
  { mutates: true },
)

export const DisableKey = operation(
  onlyKeyId,
  (input, context) => {
    const key = findManagedKey(context, input.KeyId)
    refuseStates(key, 'PendingDeletion', 'PendingImport', 'Unavailable', 'Creating', 'Updating')
    key.state = 'Disabled'
    return undefined
  },
  { mutates: true },
)

export const ScheduleKeyDeletion = operation(
  struct({ KeyId: required(member.keyId), PendingWindowInDays: optional(integer(1, 365)) }),
  (input, context) => {
    const days = input.PendingWindowInDays ?? 30
    if (days < 7 || days > 30) {
      throw validation(`PendingWindowInDays must be between 7 and 30 (inclusive), but it is ${days}`)
    }
    const key = findManagedKey(context, input.KeyId)
    refuseStates(key, 'PendingDeletion', 'Creating', 'Updating')
    key.state = 'PendingDeletion'
    key.deletionDate = context.now + days * DAY_MS
    return {
      KeyId: key.arn,
      DeletionDate: seconds(key.deletionDate),
      KeyState: key.state,
      PendingWindowInDays: days,
    }
  },
  { mutates: true },
)

export const CancelKeyDeletion = operation(
  onlyKeyId,
  (input, context) => {
    const key = findManagedKey(context, input.KeyId)
    if (key.state !== 'PendingDeletion') throw invalidState(`${key.arn} is not pending deletion.`)
    key.deletionDate = undefined
    key.state = key.materials.length === 0 ? 'PendingImport' : 'Disabled'
    return { KeyId: key.arn }
  },
  { mutates: true },
)

export const UpdateKeyDescription = operation(
  struct({ KeyId: required(member.keyId), Description: required(member.description) }),
  (input, context) => {
    const key = findManagedKey(context, input.KeyId)
    refuseStates(key, 'PendingDeletion', 'Creating', 'Updating')
    key.description = input.Description
    return undefined
  },
  { mutates: true },
)

/** Operations of the model that local-kms knows and does not play. */
export const NOT_BUILT = [
  'ConnectCustomKeyStore',
  'CreateCustomKeyStore',
  'CreateGrant',
  'Decapsulate',
  'DeleteCustomKeyStore',
  'DeriveSharedSecret',
  'DescribeCustomKeyStores',
  'DisconnectCustomKeyStore',
  'Encapsulate',
  'GetKeyLastUsage',
  'ListGrants',
  'ListRetirableGrants',
  'ReplicateKey',
  'RetireGrant',
  'RevokeGrant',
  'UpdateCustomKeyStore',
  'UpdatePrimaryRegion',
] as const

export const notBuilt = (name: string): AwsError => unsupported(`local-kms does not implement ${name}.`)
