import { type Algorithm, algorithmRow, isAlgorithm, type ProtectionLevel, type Purpose } from './algorithms.ts'
import { findKey, findRing, materialLabel, type OpContext, operation, requirePurpose } from './context.ts'
import { alreadyExists, badField, invalidArgument, notEnabled, notFound, unimplemented } from './errors.ts'
import { type Message, textOf } from './known-types.ts'
import { listPage } from './list.ts'
import { generateMaterial } from './material.ts'
import { keyOf, requireName, versionName } from './names.ts'
import { checkId } from './rings.ts'
import { type CryptoKey, DAY_MS, findVersion, type KeyVersion, showKey } from './store.ts'

const HOUR_MS = 3_600_000
const PURPOSES: readonly Purpose[] = [
  'ENCRYPT_DECRYPT',
  'ASYMMETRIC_SIGN',
  'ASYMMETRIC_DECRYPT',
  'RAW_ENCRYPT_DECRYPT',
  'MAC',
]

const isPurpose = (name: string): name is Purpose => (PURPOSES as readonly string[]).includes(name)

/** @throws INVALID_ARGUMENT for an algorithm that does not fit the purpose, or a level the algorithm is not offered at. */
export function checkAlgorithm(
  context: Pick<OpContext, 'rules'>,
  purpose: Purpose,
  algorithm: string,
  level: ProtectionLevel,
  field: string,
): Algorithm {
  if (!isAlgorithm(algorithm)) {
    if (algorithm === '' || algorithm.endsWith('UNSPECIFIED')) {
      throw badField(field, `The request is missing the required field '${field}' for purpose ${purpose}.`)
    }
    throw unimplemented(`local-kms has no keys of algorithm ${algorithm}.`)
  }
  const row = algorithmRow(algorithm)
  if (row.purpose !== purpose) {
    throw badField(field, `Algorithm ${algorithm} is not valid for a CryptoKey with purpose ${purpose}.`)
  }
  if (context.rules.strictProtectionLevels && !row.levels.includes(level)) {
    throw badField(field, `Algorithm ${algorithm} is not supported for protection level ${level}.`)
  }
  return algorithm
}

/** Unset means software. */
export function readLevel(value: string): ProtectionLevel {
  if (value === '' || value === 'PROTECTION_LEVEL_UNSPECIFIED') return 'SOFTWARE'
  if (value === 'SOFTWARE' || value === 'HSM') return value
  throw unimplemented(`local-kms has no keys of protection level ${value}.`)
}

/** With material, at once or (asymmetric keys, where it is set so) after a while. */
export async function newVersion(
  context: Pick<OpContext, 'now' | 'rules' | 'seeded' | 'stream'>,
  key: CryptoKey,
): Promise<KeyVersion> {
  const id = key.versions.length + 1
  const { algorithm, protectionLevel } = key.template
  const material = await generateMaterial(algorithm, context.stream(materialLabel(key, id)), context.seeded)
  const waits = key.purpose.startsWith('ASYMMETRIC') && context.rules.pendingGenerationMs > 0
  const facts = { id: key.versions.length + 1, algorithm, protectionLevel, createTime: context.now, material }
  const version: KeyVersion = waits
    ? { ...facts, state: 'PENDING_GENERATION', readyAt: context.now + context.rules.pendingGenerationMs }
    : { ...facts, state: 'ENABLED', generateTime: context.now }
  key.versions.push(version)
  return version
}

export const CreateCryptoKey = operation(
  async (request, context) => {
    const parent = requireName(request['parent'], 'parent', 'keyRing')
    context.authorize('cloudkms.cryptoKeys.create', parent.full)
    findRing(context, parent.full)
    const name = `${parent.full}/cryptoKeys/${checkId(request['cryptoKeyId'], 'crypto_key_id')}`
    const skip = request['skipInitialVersionCreation'] === true
    const key = readKey(context, name, (request['cryptoKey'] ?? {}) as Message)
    if (context.store.keys.has(name)) throw alreadyExists('CryptoKey', name)
    if (key.importOnly && !skip) {
      throw invalidArgument('An import-only CryptoKey must be created with skip_initial_version_creation set.')
    }
    if (!skip) {
      const version = await newVersion(context, key)
      if (key.purpose === 'ENCRYPT_DECRYPT') key.primary = version.id
    }
    // Two calls may have waited for their keys at the same time
    if (context.store.keys.has(name)) throw alreadyExists('CryptoKey', name)
    context.store.keys.set(name, key)
    return showKey(key)
  },
  { admin: true },
)

function readKey(context: OpContext, name: string, input: Message): CryptoKey {
  const purpose = textOf(input, 'purpose')
  if (purpose === '' || purpose.endsWith('UNSPECIFIED')) {
    throw badField('crypto_key.purpose', "The request is missing the required field 'crypto_key.purpose'.")
  }
  if (!isPurpose(purpose)) throw unimplemented(`local-kms has no keys of purpose ${purpose}.`)
  const template = (input['versionTemplate'] ?? {}) as Message
  const protectionLevel = readLevel(textOf(template, 'protectionLevel'))
  const wanted = textOf(template, 'algorithm') || (purpose === 'ENCRYPT_DECRYPT' ? 'GOOGLE_SYMMETRIC_ENCRYPTION' : '')
  const algorithm = checkAlgorithm(context, purpose, wanted, protectionLevel, 'crypto_key.version_template.algorithm')
  const duration = Number(input['destroyScheduledDuration'] ?? 30 * DAY_MS)
  if (duration < DAY_MS || duration > 120 * DAY_MS) {
    throw badField(
      'crypto_key.destroy_scheduled_duration',
      'destroy_scheduled_duration must be between 24 hours and 120 days.',
    )
  }
  const rotation = readRotation(context, purpose, input)
  return {
    name,
    purpose,
    createTime: context.now,
    ...rotation,
    template: { algorithm, protectionLevel },
    labels: readLabels(input['labels']),
    importOnly: input['importOnly'] === true,
    destroyScheduledDuration: duration,
    versions: [],
  }
}

function readRotation(
  context: Pick<OpContext, 'now'>,
  purpose: Purpose,
  input: Message,
): { nextRotationTime?: number | undefined; rotationPeriod?: number | undefined } {
  const rotationPeriod = input['rotationPeriod'] as number | undefined
  const nextRotationTime = input['nextRotationTime'] as number | undefined
  if (rotationPeriod === undefined && nextRotationTime === undefined) return {}
  if (purpose !== 'ENCRYPT_DECRYPT') {
    throw badField(
      'crypto_key.rotation_period',
      `A CryptoKey with purpose ${purpose} does not support automatic rotation.`,
    )
  }
  if (rotationPeriod !== undefined && (rotationPeriod < 24 * HOUR_MS || rotationPeriod > 876_000 * HOUR_MS)) {
    throw badField('crypto_key.rotation_period', 'rotation_period must be between 24 hours and 876,000 hours.')
  }
  if (rotationPeriod !== undefined && nextRotationTime === undefined) {
    throw badField('crypto_key.next_rotation_time', 'next_rotation_time must be set if rotation_period is set.')
  }
  if (nextRotationTime !== undefined && nextRotationTime <= context.now) {
    throw badField('crypto_key.next_rotation_time', 'next_rotation_time must be in the future.')
  }
  return { nextRotationTime, rotationPeriod }
}

function readLabels(value: unknown): Map<string, string> {
  const labels = new Map((value as ReadonlyMap<string, string> | undefined) ?? [])
  const wrong = [...labels].find(
    ([key, text]) =>
      !/^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key) || !/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(text),
  )
  if (wrong !== undefined) throw badField('crypto_key.labels', `Invalid label '${wrong[0]}'.`)
  if (labels.size > 64) throw badField('crypto_key.labels', 'A CryptoKey can have at most 64 labels.')
  return labels
}

export const GetCryptoKey = operation((request, context) => {
  const name = requireName(request['name'], 'name', 'cryptoKey')
  context.authorize('cloudkms.cryptoKeys.get', name.full)
  return showKey(findKey(context, name.full))
})

export const ListCryptoKeys = operation((request, context) => {
  const parent = requireName(request['parent'], 'parent', 'keyRing')
  context.authorize('cloudkms.cryptoKeys.list', parent.full)
  findRing(context, parent.full)
  const names = [...context.store.keys.keys()].filter(name => name.startsWith(`${parent.full}/`)).toSorted()
  return listPage(
    request,
    'cryptoKeys',
    names.map(name => showKey(findKey(context, name))),
  )
})

const UPDATABLE = ['labels', 'rotationPeriod', 'nextRotationTime', 'versionTemplate', 'versionTemplate.algorithm']

export const UpdateCryptoKey = operation(
  (request, context) => {
    const input = (request['cryptoKey'] ?? {}) as Message
    const name = requireName(input['name'], 'crypto_key.name', 'cryptoKey')
    context.authorize('cloudkms.cryptoKeys.update', name.full)
    const key = findKey(context, name.full)
    const mask = (request['updateMask'] as readonly string[] | undefined) ?? []
    if (mask.length === 0) throw badField('update_mask', "The request is missing the required field 'update_mask'.")
    const wrong = mask.find(path => !UPDATABLE.includes(path) && !path.startsWith('labels.'))
    if (wrong !== undefined)
      throw badField('update_mask', `Field '${wrong}' in update_mask is unknown or cannot be changed.`)
    // All checks before the first change
    const touches = (path: string): boolean => mask.includes(path)
    const algorithm = mask.some(path => path.startsWith('versionTemplate'))
      ? readTemplate(context, key, input)
      : undefined
    const rotation =
      touches('rotationPeriod') || touches('nextRotationTime')
        ? readRotation(context, key.purpose, {
            rotationPeriod: touches('rotationPeriod') ? input['rotationPeriod'] : key.rotationPeriod,
            nextRotationTime: touches('nextRotationTime') ? input['nextRotationTime'] : key.nextRotationTime,
          })
        : undefined
    if (touches('labels')) key.labels = readLabels(input['labels'])
    if (algorithm !== undefined) key.template = { ...key.template, algorithm }
    if (rotation !== undefined) {
      key.rotationPeriod = rotation.rotationPeriod
      key.nextRotationTime = rotation.nextRotationTime
    }
    for (const path of mask.filter(each => each.startsWith('labels.'))) {
      const label = path.slice('labels.'.length)
      const value = (input['labels'] as ReadonlyMap<string, string> | undefined)?.get(label)
      if (value === undefined) key.labels.delete(label)
      else key.labels.set(label, value)
    }
    return showKey(key)
  },
  { admin: true },
)

function readTemplate(context: OpContext, key: CryptoKey, input: Message): Algorithm {
  const template = (input['versionTemplate'] ?? {}) as Message
  const level = template['protectionLevel']
  if (level !== undefined && level !== key.template.protectionLevel) {
    throw badField(
      'crypto_key.version_template.protection_level',
      'The protection level of a CryptoKey cannot be changed.',
    )
  }
  const field = 'crypto_key.version_template.algorithm'
  return checkAlgorithm(context, key.purpose, textOf(template, 'algorithm'), key.template.protectionLevel, field)
}

export const UpdateCryptoKeyPrimaryVersion = operation(
  (request, context) => {
    const name = requireName(request['name'], 'name', 'cryptoKey')
    context.authorize('cloudkms.cryptoKeys.update', name.full)
    const key = findKey(context, keyOf(name))
    requirePurpose({ key }, 'ENCRYPT_DECRYPT')
    const id = textOf(request, 'cryptoKeyVersionId')
    const version = findVersion(key, /^\d{1,9}$/.test(id) ? Number(id) : 0)
    if (version === undefined) throw notFound('CryptoKeyVersion', `${key.name}/cryptoKeyVersions/${id}`)
    if (version.state !== 'ENABLED') throw notEnabled(versionName(key.name, version.id), version.state)
    key.primary = version.id
    return showKey(key)
  },
  { admin: true },
)
