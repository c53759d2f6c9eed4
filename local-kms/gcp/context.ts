import type { Random } from '../core/random.ts'
import { type AlgorithmRow, algorithmRow, type Purpose } from './algorithms.ts'
import { crc32c } from './crc32c.ts'
import { invalidArgument, notEnabled, notFound, precondition } from './errors.ts'
import type { Message } from './known-types.ts'
import { generateMaterial } from './material.ts'
import { keyOf, parseName, requireName, ringOf, versionName } from './names.ts'
import { type CryptoKey, findVersion, type GcpStore, type KeyVersion, settleKey } from './store.ts'

/** How strict and how slow this instance is. */
export interface Rules {
  /** Ed25519 only in software, secp256k1 only in HSMs, as the service has it. Default true. */
  readonly strictProtectionLevels: boolean
  /** Lets AsymmetricSign and MacSign take data of no bytes. Default false. */
  readonly allowEmptyData: boolean
  /** How long new asymmetric versions and import jobs stay PENDING_GENERATION. */
  readonly pendingGenerationMs: number
  /** How long imported versions stay PENDING_IMPORT. */
  readonly pendingImportMs: number
}

/** What one call has at hand. */
export interface OpContext {
  readonly store: GcpStore
  readonly now: number
  /** For nonces and ECDSA: never repeats, whatever seed is set. */
  readonly entropy: Random
  /** For keys and random bytes: reproducible when a master seed is set. */
  stream(label: string): Random
  readonly seeded: boolean
  readonly rules: Rules
  /** @throws PERMISSION_DENIED */
  authorize(permission: string, resource: string): void
  /** Which of these the caller has on the resource. */
  held(permissions: readonly string[], resource: string): string[]
  /** A fault wants the answer of a key nobody asked for. */
  readonly stranger: boolean
  /** Something other than the operation itself changed the store: a due rotation. */
  changed: boolean
}

export interface Operation {
  readonly run: (request: Message, context: OpContext) => Message | Promise<Message>
  /** Changes the store: an Admin Activity entry, against the write quota. */
  readonly admin: boolean
  /** Uses key material: against the cryptographic quota. */
  readonly crypto: boolean
}

export const operation = (
  run: Operation['run'],
  flags: { readonly admin?: boolean; readonly crypto?: boolean } = {},
): Operation => ({ run, admin: flags.admin === true, crypto: flags.crypto === true })

export function findRing(context: OpContext, name: string): { readonly name: string; readonly createTime: number } {
  const ring = context.store.rings.get(name)
  if (ring === undefined) throw notFound('KeyRing', name)
  return ring
}

/** @throws NOT_FOUND. Brings the key up to date first. */
export function findKey(context: OpContext, name: string): CryptoKey {
  const key = context.store.keys.get(name)
  if (key === undefined) throw notFound('CryptoKey', name)
  settleKey(key, context.now)
  while (
    key.nextRotationTime !== undefined &&
    key.rotationPeriod !== undefined &&
    key.nextRotationTime <= context.now
  ) {
    const due = key.nextRotationTime
    key.nextRotationTime = due + key.rotationPeriod
    const id = key.versions.length + 1
    const material = context.stream(materialLabel(key, id)).bytes(32)
    const facts = { ...key.template, createTime: due, generateTime: due }
    key.versions.push({ id, state: 'ENABLED', ...facts, material })
    key.primary = id
    context.changed = true
  }
  return key
}

export const materialLabel = (key: { readonly name: string }, id: number): string =>
  `${versionName(key.name, id)} material`

export interface Located {
  readonly key: CryptoKey
  readonly version: KeyVersion
  readonly name: string
  readonly row: AlgorithmRow
}

/** The version a request names in full. @param on which resource the permission is asked. */
export function locate(context: OpContext, request: Message, permission: string, on: 'key' | 'version'): Located {
  const name = requireName(request['name'], 'name', 'cryptoKeyVersion')
  context.authorize(permission, on === 'key' ? keyOf(name) : name.full)
  const key = findKey(context, keyOf(name))
  const version = findVersion(key, Number(name.version))
  if (version === undefined) throw notFound('CryptoKeyVersion', name.full)
  return { key, version, name: name.full, row: algorithmRow(version.algorithm) }
}

export function requirePurpose(context: { readonly key: CryptoKey }, ...purposes: Purpose[]): void {
  const { key } = context
  if (purposes.includes(key.purpose)) return
  throw precondition(
    `${key.name} has purpose ${key.purpose}, this operation needs ${purposes.join(' or ')}.`,
    'KEY_PURPOSE_MISMATCH',
    key.name,
  )
}

export function requireEnabled({ version, name }: Pick<Located, 'version' | 'name'>): void {
  if (version.state !== 'ENABLED') throw notEnabled(name, version.state)
}

/** The material of a version that may be used; that of a stranger when a fault wants it so. */
export async function materialOf(context: OpContext, located: Pick<Located, 'version' | 'name'>): Promise<Uint8Array> {
  requireEnabled(located)
  const { version, name } = located
  if (version.material === undefined) throw notEnabled(name, version.state)
  return context.stranger ? generateMaterial(version.algorithm, context.entropy, false) : version.material
}

export const bytesOf = (request: Message, member: string): Uint8Array =>
  (request[member] as Uint8Array | undefined) ?? new Uint8Array(0)

const wireName = (member: string): string => member.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

/** True: a checksum came and fits. False: none came. @throws INVALID_ARGUMENT */
export function verifyCrc(request: Message, member: string, bytes = bytesOf(request, member)): boolean {
  const sent = request[`${member}Crc32c`] as bigint | undefined
  if (sent === undefined) return false
  if (sent === crc32c(bytes)) return true
  const field = wireName(member)
  throw invalidArgument(`The checksum in field ${field}_crc32c did not match the data in field ${field}.`)
}

export function checkLength(field: string, bytes: Uint8Array, max: number): void {
  if (bytes.length <= max) return
  throw invalidArgument(
    `The length of field '${wireName(field)}' must be at most ${max} bytes, but it is ${bytes.length}.`,
  )
}

/** SOFTWARE keys take 64 KiB of each, HSM keys 8 KiB of both together. */
export function checkAeadLengths(version: KeyVersion, data: Uint8Array, aad: Uint8Array, field: string): void {
  checkLength(field, data, 65_536)
  checkLength('additionalAuthenticatedData', aad, 65_536)
  if (version.protectionLevel !== 'HSM' || data.length + aad.length <= 8192) return
  throw invalidArgument(
    `The combined length of '${wireName(field)}' and 'additional_authenticated_data' must be at most 8192 bytes for HSM keys.`,
  )
}

/** Full names of the keys a request speaks of, as far as they can be told: for faults, latency and quotas. */
export function keysNamed(request: Message): { readonly keys: string[]; readonly project: string } {
  const nested = ['cryptoKey', 'cryptoKeyVersion'].map(member => {
    const value = request[member]
    return typeof value === 'object' && value !== null ? (value as Message)['name'] : value
  })
  const names = [request['name'], request['parent'], request['resource'], request['location'], ...nested]
  const parsed = names
    .flatMap(name => (typeof name === 'string' ? [parseName(name)] : []))
    .filter(name => name !== undefined)
  const keys = parsed.flatMap(name => {
    if (name.key !== '') return name.version === '' ? [name.full] : [name.full, keyOf(name)]
    return name.ring === '' ? [] : [ringOf(name)]
  })
  return { keys, project: parsed[0]?.project ?? '' }
}
