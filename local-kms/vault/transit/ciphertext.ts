import type { Call } from '../context.ts'
import { bad, failed, VaultError } from '../errors.ts'
import { decodeBase64, encodeBase64, GoError } from '../go.ts'
import { type AeadJob, open, seal } from './aead.ts'
import { rsaDecrypt, rsaEncrypt } from './material.ts'
import { SOFT_DELETED, type TransitKey, versionOf } from './model.ts'
import { rowOf } from './types.ts'

const MISSING_CONTEXT =
  "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key"

export function decoded(text: string): Uint8Array {
  try {
    return decodeBase64(text)
  } catch (problem) {
    if (problem instanceof GoError) throw bad(problem.message)
    throw problem
  }
}

/** @throws VaultError 500, or 400 for a key that takes no associated data */
export function readAssociatedData(key: TransitKey, text: string, index: number): Uint8Array | undefined {
  if (text === '') return undefined
  if (rowOf(key.type).family !== 'aead') {
    throw bad(`'[${index}].associated_data' provided for non-AEAD cipher suite ${key.type}`)
  }
  try {
    return decodeBase64(text)
  } catch (problem) {
    if (!(problem instanceof GoError)) throw problem
    throw failed(`unable to get associated_data/additional_data from factory[0]: ${problem.message}`)
  }
}

function jobOf(key: TransitKey, number: number, context: Uint8Array, associatedData: Uint8Array | undefined): AeadJob {
  if (key.derived && context.length === 0) throw bad(MISSING_CONTEXT)
  const version = versionOf(key, number)
  if (version === undefined) throw failed('could not find key version')
  return {
    type: key.type,
    material: decodeBase64(version.material),
    context: key.derived ? context : undefined,
    convergent: key.convergent,
    imported: key.imported,
    associatedData,
  }
}

/** @param version  0: the latest. @throws VaultError */
export function encryptWith(
  call: Call,
  key: TransitKey,
  plaintext: Uint8Array,
  options: { context: Uint8Array; associatedData?: Uint8Array | undefined; version: number },
): { ciphertext: string; version: number } {
  const row = rowOf(key.type)
  if (key.softDeleted) throw bad(SOFT_DELETED)
  if (!row.encrypts) throw bad(`message encryption not supported for key type ${key.type}`)
  const says = (text: string): VaultError => bad(`requested version for encryption is ${text}`)
  if (options.version < 0) throw says('negative')
  if (options.version > key.latest) throw says('higher than the latest key version')
  const number = options.version === 0 ? key.latest : options.version
  if (options.version !== 0 && number < key.minEncryption) throw says('less than the minimum encryption key version')
  const bytes =
    row.family === 'rsa'
      ? rsaSeal(key, number, plaintext)
      : seal(jobOf(key, number, options.context, options.associatedData), plaintext, call.core.entropy)
  return { ciphertext: `vault:v${number}:${encodeBase64(bytes)}`, version: number }
}

function rsaSeal(key: TransitKey, number: number, plaintext: Uint8Array): Uint8Array {
  try {
    return rsaEncrypt(decodeBase64(versionOf(key, number)?.publicKey ?? ''), plaintext)
  } catch {
    throw failed('failed to RSA encrypt the plaintext: crypto/rsa: message too long for RSA key size')
  }
}

/** @throws VaultError */
export function decryptWith(
  key: TransitKey,
  text: string,
  context: Uint8Array,
  readAad: () => Uint8Array | undefined,
): Uint8Array {
  const row = rowOf(key.type)
  if (key.softDeleted) throw bad(SOFT_DELETED)
  if (!row.encrypts) throw bad(`message decryption not supported for key type ${key.type}`)
  if (!text.startsWith('vault:v')) throw bad('invalid ciphertext: no prefix')
  const parts = text.slice('vault:v'.length).split(':')
  if (parts.length !== 2) throw bad('invalid ciphertext: wrong number of fields')
  if (!/^[+-]?\d+$/.test(parts[0]!)) throw bad('invalid ciphertext: version number could not be decoded')
  // Version 0 was written before there were versions, and is taken as the first
  const number = Number(parts[0]) === 0 ? 1 : Number(parts[0])
  if (number > key.latest) throw bad('invalid ciphertext: version is too new')
  if (number < key.minDecryption) throw bad('ciphertext or signature version is disallowed by policy (too old)')
  if (key.derived && context.length === 0) throw bad(MISSING_CONTEXT)
  const sealed = fitting(parts[1]!)
  if (row.family === 'rsa') {
    const plain = rsaDecrypt(decodeBase64(versionOf(key, number)?.material ?? ''), sealed)
    if (plain === undefined) throw failed('failed to RSA decrypt the ciphertext: crypto/rsa: decryption error')
    return plain
  }
  const plain = open(jobOf(key, number, context, readAad()), sealed)
  if (plain === undefined) throw bad('invalid ciphertext length')
  if (plain === null)
    throw bad(`${key.type.includes('chacha') ? 'chacha20poly1305' : 'cipher'}: message authentication failed`)
  return plain
}

function fitting(text: string): Uint8Array {
  try {
    return decodeBase64(text)
  } catch (problem) {
    if (problem instanceof GoError) throw bad('invalid ciphertext: could not decode base64')
    throw problem
  }
}
