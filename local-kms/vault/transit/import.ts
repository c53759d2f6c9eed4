import { aeskwp } from '@noble/ciphers/aes.js'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { decodePkcs8 } from '../../core/der.ts'
import { fromBase64, toBase64 } from '../../core/random.ts'
import { generateRsa } from '../../core/rsa.ts'
import type { Call, Result, Route } from '../context.ts'
import { bad, failed } from '../errors.ts'
import { decodeBase64, GoError } from '../go.ts'
import { isSecretOf, type KeyPair, pairOf, pem, privateObject, rsaDecrypt } from './material.ts'
import { addVersion, findKey, newKey, readType, type TransitKey, transitState, versionOf } from './model.ts'
import { type KeyType, rowOf } from './types.ts'

const IMPORT_FIELDS = {
  name: 'string',
  type: 'string',
  hash_function: 'string',
  ciphertext: 'string',
  public_key: 'string',
  allow_rotation: 'bool',
  derived: 'bool',
  exportable: 'bool',
  allow_plaintext_backup: 'bool',
  auto_rotate_period: 'duration',
  context: 'string',
  // Known so that it can be refused
  convergent_encryption: 'bool',
} as const

const WRAPPED_KEY_BYTES = 512
const HASH_FUNCTIONS: Record<string, string> = {
  SHA1: 'sha1',
  SHA224: 'sha224',
  SHA256: 'sha256',
  SHA384: 'sha384',
  SHA512: 'sha512',
}

/** RSA-4096, made when first asked for, by the system's randomness: no name or key depends on it. */
async function wrappingKey(call: Call): Promise<Uint8Array> {
  const state = transitState(call.mount)
  if (state.wrappingKey === '') {
    state.wrappingKey = toBase64(await generateRsa(4096))
    call.changed()
  }
  return fromBase64(state.wrappingKey)!
}

async function readWrappingKey(call: Call): Promise<Result> {
  const key = createPublicKey(privateObject(await wrappingKey(call)))
  return { data: { public_key: pem('PUBLIC KEY', new Uint8Array(key.export({ type: 'spki', format: 'der' }))) } }
}

async function importKey(call: Call): Promise<undefined> {
  const { data, core, mount } = call
  if ('convergent_encryption' in data.raw) {
    throw failed('import cannot be used on keys with convergent encryption enabled')
  }
  const autoRotateSeconds = data.duration('auto_rotate_period')
  const allowRotation = data.bool('allow_rotation')
  if (autoRotateSeconds > 0 && !allowRotation) {
    throw failed('allow_rotation must be set to true if auto-rotation is enabled')
  }
  const wanted = data.string('type', 'aes256-gcm96').toLowerCase()
  const type = readType(core, wanted)
  if (type === undefined) throw bad(`unknown key type: ${wanted}`)
  if ((await findKey(call)) !== undefined) {
    throw failed(
      'the import path cannot be used with an existing key; use import-version to rotate an existing imported key',
    )
  }
  const pair = await readPair(call, type, 'error importing key: ')
  const key = newKey(data.string('name'), type, {
    derived: data.bool('derived'),
    exportable: data.bool('exportable'),
    plaintextBackup: data.bool('allow_plaintext_backup'),
    autoRotateSeconds,
    keySize: rowOf(type).family === 'hmac' ? pair.material.length : 0,
    imported: true,
    allowRotation,
  })
  await addVersion(core, key, pair)
  transitState(mount).keys[key.name] = key
}

async function importVersion(call: Call): Promise<undefined> {
  const { data, core } = call
  const key = await findKey(call)
  if (key === undefined) {
    throw failed(`no key found with name ${data.string('name')}; to import a new key, use the import/ endpoint`)
  }
  if (!key.imported) throw failed('the import_version endpoint can only be used with an imported key')
  const pair = await readPair(call, key.type, '')
  if (!data.has('version')) return addVersion(core, key, pair).then(() => undefined)
  completeVersion(key, data.int('version'), pair)
}

/** The private half of a version that has the public one only. */
function completeVersion(key: TransitKey, number: number, pair: KeyPair): void {
  const version = versionOf(key, number)
  if (version === undefined) throw failed('no such key version')
  if (version.material !== '') throw failed('private key imported, key version cannot be updated')
  if (version.publicKey !== toBase64(pair.publicKey)) {
    throw failed('cannot import key, key pair does not match')
  }
  key.versions[number] = { ...version, material: toBase64(pair.material) }
}

async function readPair(call: Call, type: KeyType, before: string): Promise<KeyPair> {
  const { data } = call
  if (!data.has('ciphertext')) {
    if (['aead', 'hmac'].includes(rowOf(type).family)) throw failed('provided type does not support public_key import')
    return readPublicPem(type, data.string('public_key'), before)
  }
  const hash = HASH_FUNCTIONS[data.string('hash_function', 'SHA256').toUpperCase()]
  if (hash === undefined) throw bad(`unknown hash function: ${data.string('hash_function')}`)
  const material = await unwrap(call, data.string('ciphertext'), hash)
  return readSecret(type, material, before)
}

async function unwrap(call: Call, text: string, hash: string): Promise<Uint8Array> {
  let bytes: Uint8Array
  try {
    bytes = decodeBase64(text)
  } catch (problem) {
    if (problem instanceof GoError) throw failed(problem.message)
    throw problem
  }
  if (bytes.length <= WRAPPED_KEY_BYTES) throw failed('provided ciphertext is too short')
  const ephemeral = rsaDecrypt(await wrappingKey(call), bytes.subarray(0, WRAPPED_KEY_BYTES), hash)
  if (ephemeral === undefined) throw failed('crypto/rsa: decryption error')
  if (ephemeral.length !== 32) throw failed('expected ephemeral AES key to be 256-bit')
  const wrapped = bytes.subarray(WRAPPED_KEY_BYTES)
  if (wrapped.length < 24) throw failed('kwp: wrapped key size too small')
  if (wrapped.length % 8 !== 0) throw failed('kwp: wrapped key size must be a multiple of 8 bytes')
  try {
    return aeskwp(ephemeral).decrypt(wrapped)
  } catch {
    throw failed('kwp: unwrap failed integrity check')
  }
}

const GO_TYPES: Record<string, string> = {
  ed25519: 'ed25519.PrivateKey',
  ec: '*ecdsa.PrivateKey',
  rsa: '*rsa.PrivateKey',
}

/** Raw bytes for symmetric keys, PKCS#8 for the others. */
function readSecret(type: KeyType, bytes: Uint8Array, before: string): KeyPair {
  const row = rowOf(type)
  if (row.family === 'aead' || row.family === 'hmac') {
    if (!isSecretOf(type, bytes)) throw failed(`${before}invalid key size ${bytes.length} bytes for key type ${type}`)
    return pairOf(type, bytes)
  }
  let object: KeyObject
  try {
    object = privateObject(bytes)
  } catch {
    throw failed(`${before}error parsing asymmetric key: asn1: structure error: tags don't match`)
  }
  const secret = row.family === 'rsa' ? bytes : decodePkcs8(bytes)?.secret
  const expected = row.family === 'ed25519' ? 'ed25519' : row.family === 'ecdsa' ? 'ec' : 'rsa'
  if (object.asymmetricKeyType !== expected) {
    const got = GO_TYPES[object.asymmetricKeyType ?? ''] ?? String(object.asymmetricKeyType)
    throw failed(`${before}invalid key type: expected ${type}, got ${got}`)
  }
  if (secret === undefined || !isSecretOf(type, secret)) throw failed(`${before}${unfit(type, object)}`)
  return pairOf(type, secret)
}

function unfit(type: KeyType, object: KeyObject): string {
  const row = rowOf(type)
  if (row.family === 'ecdsa') return `invalid curve: expected ${row.shown}, got ${shownCurve(object)}`
  return `invalid key size: expected ${row.bytes} bytes, got ${(object.asymmetricKeyDetails?.modulusLength ?? 0) / 8} bytes`
}

const CURVE_NAMES: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }
const shownCurve = (object: KeyObject): string => {
  const name = object.asymmetricKeyDetails?.namedCurve ?? ''
  return CURVE_NAMES[name] ?? name
}

const PUBLIC_GO_TYPES: Record<string, string> = {
  ed25519: 'ed25519.PublicKey',
  ec: '*ecdsa.PublicKey',
  rsa: '*rsa.PublicKey',
}

function readPublicPem(type: KeyType, text: string, before: string): KeyPair {
  const row = rowOf(type)
  if (!text.includes('-----BEGIN ')) throw failed(`${before}error parsing public key: not in PEM format`)
  let object: KeyObject
  try {
    object = createPublicKey(text)
  } catch {
    throw failed(`${before}error parsing public key: asn1: structure error: tags don't match`)
  }
  const expected = row.family === 'ed25519' ? 'ed25519' : row.family === 'ecdsa' ? 'ec' : 'rsa'
  if (object.asymmetricKeyType !== expected) {
    const got = PUBLIC_GO_TYPES[object.asymmetricKeyType ?? '']
    throw failed(`${before}invalid key type: expected ${type}, got ${got ?? String(object.asymmetricKeyType)}`)
  }
  const spki = new Uint8Array(object.export({ type: 'spki', format: 'der' }))
  const jwk = object.export({ format: 'jwk' })
  const part = (value: string | undefined): Uint8Array => new Uint8Array(Buffer.from(value ?? '', 'base64url'))
  if (row.family === 'rsa') {
    if (object.asymmetricKeyDetails?.modulusLength !== row.bytes * 8) throw failed(`${before}${unfit(type, object)}`)
    return { material: new Uint8Array(0), publicKey: spki }
  }
  if (row.family === 'ed25519') return { material: new Uint8Array(0), publicKey: part(jwk.x) }
  if (shownCurve(object) !== row.shown) throw failed(`${before}${unfit(type, object)}`)
  const point = Buffer.concat([Uint8Array.of(4), part(jwk.x), part(jwk.y)])
  return { material: new Uint8Array(0), publicKey: new Uint8Array(point) }
}

export const importRoutes: readonly Route[] = [
  { path: 'wrapping_key', pure: true, read: readWrappingKey },
  { path: 'keys/:name/import', fields: IMPORT_FIELDS, update: importKey },
  { path: 'keys/:name/import_version', fields: { ...IMPORT_FIELDS, version: 'int' }, update: importVersion },
]
