import type { Call, Result, Route } from '../context.ts'
import { bad, failed } from '../errors.ts'
import {
  addVersion,
  findKey,
  newKey,
  readContext,
  readType,
  shownKey,
  SOFT_DELETED,
  type TransitKey,
  transitState,
} from './model.ts'

const CREATE_FIELDS = {
  name: 'string',
  type: 'string',
  derived: 'bool',
  convergent_encryption: 'bool',
  exportable: 'bool',
  allow_plaintext_backup: 'bool',
  context: 'string',
  auto_rotate_period: 'duration',
  key_size: 'int',
  managed_key_name: 'string',
  managed_key_id: 'string',
} as const

const HOUR = 3600

function checkRotation(seconds: number): void {
  if (seconds !== 0 && seconds < HOUR) throw bad('auto rotate period must be 0 to disable or at least an hour')
}

async function create(call: Call): Promise<Result> {
  const { data, core, mount } = call
  const name = data.string('name')
  const wanted = data.string('type', 'aes256-gcm96')
  const keySize = data.int('key_size')
  if (!data.bool('derived') && data.bool('convergent_encryption')) {
    throw bad('convergent encryption requires derivation to be enabled')
  }
  const autoRotateSeconds = data.duration('auto_rotate_period')
  checkRotation(autoRotateSeconds)
  const type = readType(core, wanted)
  if (type === undefined) throw bad(`unknown key type ${wanted}`)
  if (type === 'hmac' && keySize !== 0 && (keySize < 32 || keySize > 512)) throw bad(`invalid key_size ${keySize}`)
  if (type !== 'hmac' && keySize !== 0) throw bad(`key_size is not valid for algorithm ${type}`)
  const existing = await findKey(call)
  if (existing !== undefined) {
    if (core.flavour === 'vault') call.warnings.push(`key ${name} already existed`)
    return { data: shownKey(core, existing) }
  }
  const key = newKey(name, type, {
    derived: data.bool('derived'),
    convergent: data.bool('convergent_encryption'),
    exportable: data.bool('exportable'),
    plaintextBackup: data.bool('allow_plaintext_backup'),
    autoRotateSeconds,
    keySize,
  })
  if (type === 'hmac' && keySize === 0) throw failed('invalid key size for HMAC key, must be between 32 and 512 bytes')
  await addVersion(core, key)
  transitState(mount).keys[name] = key
  return { data: shownKey(core, key) }
}

/** The wrapping key, once it is there, shows as a folder. */
function list({ mount }: Call): Result {
  const { keys, wrappingKey } = transitState(mount)
  return { data: { keys: [...Object.keys(keys), ...(wrappingKey === '' ? [] : ['import/'])].toSorted() } }
}

async function read(call: Call): Promise<Result | undefined> {
  const key = await findKey(call)
  if (key === undefined) return undefined
  const context = key.derived ? readContext(call.data.string('context')) : undefined
  return { data: shownKey(call.core, key, context) }
}

async function remove(call: Call): Promise<undefined> {
  const key = await findKey(call)
  const name = call.data.string('name')
  if (key === undefined) throw bad(`error deleting policy ${name}: could not delete key; not found`)
  if (!key.deletionAllowed) throw bad(`error deleting policy ${name}: deletion is not allowed for this key`)
  delete transitState(call.mount).keys[name]
}

async function rotate(call: Call): Promise<Result> {
  const key = await findKey(call)
  if (key === undefined) throw bad('key not found')
  if (key.softDeleted) throw failed(SOFT_DELETED)
  if (key.imported && !key.allowRotation) {
    throw failed(`imported key ${key.name} does not allow rotation within Vault`)
  }
  await addVersion(call.core, key)
  return { data: shownKey(call.core, key) }
}

const CONFIG_FIELDS = {
  name: 'string',
  min_decryption_version: 'int',
  min_encryption_version: 'int',
  deletion_allowed: 'bool',
  exportable: 'bool',
  allow_plaintext_backup: 'bool',
  auto_rotate_period: 'duration',
} as const

async function configure(call: Call): Promise<Result> {
  const { data } = call
  const key = await findKey(call)
  if (key === undefined) throw bad(`no existing key named ${data.string('name')} could be found`)
  const versions = readVersions(call, key)
  const autoRotateSeconds = data.duration('auto_rotate_period', key.autoRotateSeconds)
  checkRotation(autoRotateSeconds)
  key.minDecryption = versions.decryption
  key.minEncryption = versions.encryption
  key.autoRotateSeconds = autoRotateSeconds
  key.deletionAllowed = data.bool('deletion_allowed', key.deletionAllowed)
  // These two can be turned on only
  key.exportable ||= data.bool('exportable')
  key.plaintextBackup ||= data.bool('allow_plaintext_backup')
  return { data: shownKey(call.core, key) }
}

function readVersions({ data }: Call, key: TransitKey): { decryption: number; encryption: number } {
  let decryption = key.minDecryption
  let encryption = key.minEncryption
  if (data.has('min_decryption_version')) {
    const wanted = data.int('min_decryption_version')
    if (wanted < 0) throw bad('min decryption version cannot be negative')
    decryption = Math.max(1, wanted)
    if (decryption > key.latest) {
      throw bad(`cannot set min decryption version of ${decryption}, latest key version is ${key.latest}`)
    }
  }
  if (data.has('min_encryption_version')) {
    encryption = data.int('min_encryption_version')
    if (encryption < 0) throw bad('min encryption version cannot be negative')
    if (encryption > key.latest) {
      throw bad(`cannot set min encryption version of ${encryption}, latest key version is ${key.latest}`)
    }
  }
  const trouble = 'cannot set min encryption/decryption values;'
  if (encryption > 0 && encryption < decryption) {
    throw bad(
      `${trouble} min encryption version of ${encryption} must be greater than or equal to min decryption version of ${decryption}`,
    )
  }
  if (key.minAvailable > 0 && decryption < key.minAvailable) {
    throw bad(
      `${trouble} min decryption version of ${decryption} must be greater than or equal to min available version of ${key.minAvailable}`,
    )
  }
  return { decryption, encryption }
}

async function trim(call: Call): Promise<Result> {
  const { data } = call
  const key = await findKey(call)
  if (key === undefined) throw bad('invalid key name')
  if (!data.has('min_available_version')) throw bad('missing min_available_version')
  const wanted = data.int('min_available_version')
  const says = (text: string): Error => bad(`minimum available version cannot be ${text}`)
  if (wanted < key.minAvailable) throw says('decremented')
  if (key.minEncryption === 0) throw says('set when minimum encryption version is not set')
  if (key.minDecryption === 0) throw says('set when minimum decryption version is not set')
  if (wanted > key.latest && key.minEncryption >= wanted) throw says('higher than the latest key version')
  if (wanted > key.minEncryption) throw says('greater than minmum encryption version')
  if (wanted > key.minDecryption) throw says('greater than minimum decryption version')
  if (wanted < 0) throw says('negative')
  if (wanted === 0) throw says('zero')
  key.minAvailable = wanted
  for (const version of Object.keys(key.versions)) if (Number(version) < wanted) delete key.versions[version]
  return { data: shownKey(call.core, key) }
}

async function softDelete(call: Call, deleted: boolean): Promise<Result | undefined> {
  const key = await findKey(call)
  if (key === undefined) return undefined
  if (!deleted && !key.softDeleted) call.warnings.push('key was already restored')
  key.softDeleted = deleted
  return { data: shownKey(call.core, key) }
}

export const keyRoutes: readonly Route[] = [
  { path: 'keys', label: 'keys', list },
  { path: 'keys/:name', fields: CREATE_FIELDS, read, update: create, remove },
  { path: 'keys/:name/rotate', fields: { name: 'string', managed_key_name: 'string' }, update: rotate },
  { path: 'keys/:name/config', fields: CONFIG_FIELDS, update: configure },
  { path: 'keys/:name/trim', fields: { name: 'string', min_available_version: 'int' }, update: trim },
  { path: 'keys/:name/soft-delete', remove: call => softDelete(call, true) },
  { path: 'keys/:name/soft-delete-restore', update: call => softDelete(call, false) },
]
