import { toBase64 } from '../../core/random.ts'
import type { Call, Core } from '../context.ts'
import { bad, failed } from '../errors.ts'
import { decodeBase64, formatTime, GoError } from '../go.ts'
import type { Mount } from '../state.ts'
import { derivedPublicKey, generateMaterial, type KeyPair, shownPublicKey } from './material.ts'
import { type KeyType, rowOf, TYPES } from './types.ts'

export interface KeyVersion {
  /** Base64 of the secret; '' where only the public half was imported. */
  readonly material: string
  /** Base64: 32 bytes (ed25519), uncompressed point (ECDSA), SPKI (RSA); '' for symmetric types. */
  readonly publicKey: string
  readonly hmacKey: string
  readonly createdMs: number
}

/** Of the mount's state: keys by name. */
export interface TransitKey {
  name: string
  readonly type: KeyType
  readonly derived: boolean
  readonly convergent: boolean
  exportable: boolean
  plaintextBackup: boolean
  autoRotateSeconds: number
  /** HMAC keys: bytes. */
  readonly keySize: number
  deletionAllowed: boolean
  readonly imported: boolean
  readonly allowRotation: boolean
  softDeleted: boolean
  latest: number
  minAvailable: number
  minDecryption: number
  minEncryption: number
  versions: Record<string, KeyVersion>
}

/** Vault has no XChaCha20. Undefined: there is no such type. */
export function readType(core: Core, text: string): KeyType | undefined {
  if (core.flavour === 'vault' && text === 'xchacha20-poly1305') return undefined
  return Object.hasOwn(TYPES, text) ? (text as KeyType) : undefined
}

export interface TransitState {
  keys: Record<string, TransitKey>
  disableUpsert: boolean
  cacheSize: number
  /** PKCS#8 of the key that wraps imports; '' until somebody asks for it. */
  wrappingKey: string
}

export function transitState(mount: Mount): TransitState {
  const state = mount.state as unknown as Partial<TransitState>
  state.keys ??= {}
  state.disableUpsert ??= false
  state.cacheSize ??= 0
  state.wrappingKey ??= ''
  return state as TransitState
}

/** The key as it stands now: due rotations are made up for. */
export async function findKey(call: Call, name = call.data.string('name')): Promise<TransitKey | undefined> {
  const { keys } = transitState(call.mount)
  const key = Object.hasOwn(keys, name) ? keys[name] : undefined
  if (key === undefined || key.autoRotateSeconds === 0 || (key.imported && !key.allowRotation)) return key
  for (;;) {
    const due = (key.versions[key.latest]?.createdMs ?? 0) + key.autoRotateSeconds * 1000
    if (due > call.core.now()) return key
    await addVersion(call.core, key, undefined, due)
    call.changed()
  }
}

export interface KeyWishes {
  readonly derived?: boolean
  readonly convergent?: boolean
  readonly exportable?: boolean
  readonly plaintextBackup?: boolean
  readonly autoRotateSeconds?: number
  readonly keySize?: number
  readonly imported?: boolean
  readonly allowRotation?: boolean
}

/** Without a version yet. @throws VaultError */
export function newKey(name: string, type: KeyType, wishes: KeyWishes): TransitKey {
  const row = rowOf(type)
  if ((wishes.derived || wishes.convergent) && !row.derives) {
    throw failed(`key derivation and convergent encryption not supported for keys of type ${type}`)
  }
  if (wishes.convergent && row.family !== 'aead') {
    throw failed(`convergent encryption not supported for keys of type ${type}`)
  }
  return {
    name,
    type,
    derived: wishes.derived ?? false,
    convergent: wishes.convergent ?? false,
    exportable: wishes.exportable ?? false,
    plaintextBackup: wishes.plaintextBackup ?? false,
    autoRotateSeconds: wishes.autoRotateSeconds ?? 0,
    keySize: wishes.keySize ?? 0,
    deletionAllowed: false,
    imported: wishes.imported ?? false,
    allowRotation: wishes.allowRotation ?? false,
    softDeleted: false,
    latest: 0,
    minAvailable: 0,
    minDecryption: 1,
    minEncryption: 0,
    versions: {},
  }
}

/** @param pair  imported; made here when absent */
export async function addVersion(core: Core, key: TransitKey, pair?: KeyPair, atMs = core.now()): Promise<void> {
  const made = pair ?? (await generateMaterial(core, key.type, key.keySize))
  key.latest += 1
  key.versions[key.latest] = {
    material: toBase64(made.material),
    publicKey: toBase64(made.publicKey),
    hmacKey: toBase64(core.streams('vault hmac keys').bytes(32)),
    createdMs: atMs,
  }
}

export const versionOf = (key: TransitKey, version: number): KeyVersion | undefined => key.versions[version]

export const SOFT_DELETED = 'refusing to use soft-deleted key'

/** What reading a key tells. @param context  shows the public key of a derived one */
export function shownKey(core: Core, key: TransitKey, context?: Uint8Array): Record<string, unknown> {
  const row = rowOf(key.type)
  const asymmetric = row.family !== 'aead' && row.family !== 'hmac'
  const live = Object.entries(key.versions).filter(([version]) => Number(version) >= key.minDecryption)
  const shown = (version: KeyVersion): unknown =>
    asymmetric
      ? {
          certificate_chain: '',
          creation_time: formatTime(version.createdMs),
          name: row.shown,
          public_key: publicText(key, version, context),
        }
      : Math.floor(version.createdMs / 1000)
  return {
    allow_plaintext_backup: key.plaintextBackup,
    auto_rotate_period: key.autoRotateSeconds,
    ...(key.derived ? { convergent_encryption: key.convergent } : {}),
    ...(key.convergent ? { convergent_encryption_version: -1 } : {}),
    deletion_allowed: key.deletionAllowed,
    derived: key.derived,
    exportable: key.exportable,
    imported_key: key.imported,
    ...(key.imported ? { imported_key_allow_rotation: key.allowRotation } : {}),
    ...(key.derived ? kdfMembers(key) : {}),
    ...(row.family === 'hmac'
      ? { key_size: key.keySize }
      : { keys: Object.fromEntries(live.map(([number, version]) => [number, shown(version)])) }),
    latest_version: key.latest,
    min_available_version: key.minAvailable,
    min_decryption_version: key.minDecryption,
    min_encryption_version: key.minEncryption,
    name: key.name,
    ...(core.flavour === 'vault' ? {} : { soft_deleted: key.softDeleted }),
    supports_decryption: row.encrypts,
    supports_derivation: row.derives,
    supports_encryption: row.encrypts,
    supports_signing: row.signs,
    type: key.type,
  }
}

function kdfMembers(key: TransitKey): Record<string, string> {
  return key.imported ? { kdf: 'hmac-sha256-counter', kdf_mode: 'hmac-sha256-counter' } : { kdf: 'hkdf_sha256' }
}

function publicText(key: TransitKey, version: KeyVersion, context: Uint8Array | undefined): string {
  if (!key.derived) return shownPublicKey(key.type, decodeBase64(version.publicKey))
  if (context === undefined || context.length === 0) return ''
  // Derived from an imported key the public half comes out as nothing but noughts
  return toBase64(key.imported ? new Uint8Array(32) : derivedPublicKey(decodeBase64(version.material), context))
}

/** @throws VaultError 400 */
export function readContext(text: string): Uint8Array {
  try {
    return decodeBase64(text)
  } catch (problem) {
    if (problem instanceof GoError) throw bad('failed to base64-decode context')
    throw problem
  }
}
