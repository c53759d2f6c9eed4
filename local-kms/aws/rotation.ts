import { findManagedKey, type OpContext, operation, refuseStates, rotate } from './context.ts'
import { AwsError, unsupported } from './errors.ts'
import * as member from './members.ts'
import { integer, oneOf, optional, required, struct } from './shapes.ts'
import { DAY_MS, type KmsKey, seconds } from './store.ts'

const ON_DEMAND_MAX = 25
const onlyKeyId = struct({ KeyId: required(member.keyId) })

/** Only symmetric keys whose material the service made rotate here; asymmetric keys never do. */
function rotatingKey(context: OpContext, id: string): KmsKey {
  const key = findManagedKey(context, id)
  if (key.spec !== 'SYMMETRIC_DEFAULT')
    throw unsupported(`${key.arn} key spec is ${key.spec} which is not valid for this operation.`)
  if (key.origin !== 'AWS_KMS')
    throw unsupported(`${key.arn} origin is ${key.origin} which is not valid for this operation.`)
  return key
}

export const EnableKeyRotation = operation(
  struct({ KeyId: required(member.keyId), RotationPeriodInDays: optional(integer(90, 2560)) }),
  (input, context) => {
    const key = rotatingKey(context, input.KeyId)
    refuseStates(key, 'Disabled', 'PendingDeletion', 'Unavailable', 'Creating', 'Updating')
    const periodDays = input.RotationPeriodInDays ?? 365
    const next = context.now + periodDays * DAY_MS
    key.rotation = { enabled: true, periodDays, next }
    return undefined
  },
  { mutates: true },
)

export const DisableKeyRotation = operation(
  onlyKeyId,
  (input, context) => {
    const key = rotatingKey(context, input.KeyId)
    refuseStates(key, 'Disabled', 'PendingDeletion', 'Unavailable', 'Creating', 'Updating')
    key.rotation = { ...key.rotation, enabled: false, next: undefined }
    return undefined
  },
  { mutates: true },
)

export const GetKeyRotationStatus = operation(onlyKeyId, (input, context) => {
  const key = rotatingKey(context, input.KeyId)
  const { enabled, periodDays, next } = key.rotation
  return {
    KeyId: key.arn,
    KeyRotationEnabled: enabled && key.state !== 'PendingDeletion',
    NextRotationDate: enabled && next !== undefined ? seconds(next) : undefined,
    RotationPeriodInDays: enabled ? periodDays : undefined,
  }
})

export const RotateKeyOnDemand = operation(
  onlyKeyId,
  (input, context) => {
    const key = rotatingKey(context, input.KeyId)
    refuseStates(key, 'Disabled', 'PendingDeletion', 'Unavailable', 'Creating', 'Updating')
    if (key.materials.filter(material => material.rotation === 'ON_DEMAND').length >= ON_DEMAND_MAX) {
      throw new AwsError(
        'LimitExceededException',
        `The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${key.arn}`,
      )
    }
    rotate(context, key, context.now, 'ON_DEMAND')
    return { KeyId: key.arn }
  },
  { mutates: true },
)

export const ListKeyRotations = operation(
  struct({
    KeyId: required(member.keyId),
    IncludeKeyMaterial: optional(oneOf(['ALL_KEY_MATERIAL', 'ROTATIONS_ONLY'])),
    Limit: member.limit,
    Marker: member.marker,
  }),
  (input, context) => {
    const key = rotatingKey(context, input.KeyId)
    const all = input.IncludeKeyMaterial === 'ALL_KEY_MATERIAL'
    const last = key.materials.length - 1
    const rows = key.materials.map((entry, i) => ({ entry, i })).filter(row => all || row.entry.rotation !== undefined)
    const { items, paging } = member.page(rows, row => String(row.i).padStart(6, '0'), {
      limit: input.Limit ?? 100,
      marker: input.Marker,
    })
    const Rotations = items.map(({ entry, i }) => ({
      KeyId: key.arn,
      KeyMaterialId: entry.id,
      KeyMaterialState: i === last ? 'CURRENT' : 'NON_CURRENT',
      RotationDate: entry.rotation === undefined ? undefined : seconds(entry.since),
      RotationType: entry.rotation,
    }))
    return { Rotations, ...paging }
  },
)
