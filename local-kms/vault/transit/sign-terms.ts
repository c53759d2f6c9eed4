import type { Call } from '../context.ts'
import { bad, failed, type VaultError } from '../errors.ts'
import { decodeBase64, GoError } from '../go.ts'
import { type HashRow, hashNamed } from './hashes.ts'
import { type TransitKey } from './model.ts'
import { rowOf } from './types.ts'
import { type SaltLength } from './rsa.ts'

export const SIGN_FIELDS = {
  name: 'string',
  input: 'string',
  context: 'string',
  hash_algorithm: 'string',
  algorithm: 'string',
  urlalgorithm: 'string',
  key_version: 'int',
  prehashed: 'bool',
  signature_algorithm: 'string',
  marshaling_algorithm: 'string',
  salt_length: 'string',
  batch_input: 'list',
} as const
export const VERIFY_FIELDS = { ...SIGN_FIELDS, signature: 'string', hmac: 'string' } as const

/** What holds for the whole request. */
export interface Terms {
  readonly hash: HashRow | undefined
  readonly hashName: string
  readonly jws: boolean
  readonly prehashed: boolean
  readonly algorithm: string
  readonly salt: SaltLength
}

/** An error of one item that the server gives another status than 400 when it stands alone. */
export class Inner extends Error {}

export function readTerms({ data }: Call): Terms {
  const hashName =
    data.string('urlalgorithm') || data.string('hash_algorithm') || data.string('algorithm') || 'sha2-256'
  const hash = hashNamed(hashName)
  if (hash === undefined && hashName !== 'none') throw bad(`invalid hash algorithm ${JSON.stringify(hashName)}`)
  const marshaling = data.string('marshaling_algorithm', 'asn1')
  if (!['asn1', 'jws'].includes(marshaling)) throw bad(`invalid marshaling type ${JSON.stringify(marshaling)}`)
  return {
    hash,
    hashName,
    jws: marshaling === 'jws',
    prehashed: data.bool('prehashed'),
    algorithm: data.string('signature_algorithm'),
    salt: readSalt(data.string('salt_length', 'auto')),
  }
}

function readSalt(text: string): SaltLength {
  const word = text.toLowerCase()
  if (word === 'auto' || word === 'hash') return word
  if (!/^[+-]?\d+$/.test(word)) throw bad(`salt length neither 'auto', 'hash', nor an int: ${text}`)
  if (Number(word) < -1) throw bad(`salt length is invalid: ${Number(word)}`)
  return Number(word) === -1 ? 'hash' : Number(word) === 0 ? 'auto' : Number(word)
}

export function checkTerms(terms: Terms, key: TransitKey, verb: 'signing' | 'verification'): void {
  if (!rowOf(key.type).signs) throw bad(`key type ${key.type} does not support ${verb}`)
  if (terms.hashName === 'none' && (!terms.prehashed || terms.algorithm !== 'pkcs1v15')) {
    throw bad('hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15')
  }
}

/** Vault CE from 1.19 on signs pure Ed25519 only, and says so; OpenBao ignores the parameters. */
export function refuseHashing(call: Call, key: TransitKey, terms: Terms): void {
  if (call.core.flavour !== 'vault' || rowOf(key.type).family !== 'ed25519') return
  const says = (text: string): VaultError =>
    bad(`failed to parse batch item: only Pure Ed25519 signatures supported, ${text}`)
  if (terms.prehashed) throw says('prehashed must be false')
  // The misspelling is the server's
  if (terms.hashName === 'sha2-512') throw says('hash_alogithm should not be set')
}

export function digestOf(key: TransitKey, terms: Terms, input: Uint8Array): Uint8Array {
  if (rowOf(key.type).family === 'ed25519' || terms.prehashed || terms.hash === undefined) return input
  return terms.hash.hash(input)
}

export function readInput(text: string | undefined): Uint8Array {
  if (text === undefined) throw bad('missing input')
  try {
    return decodeBase64(text)
  } catch (problem) {
    if (problem instanceof GoError) throw bad(`unable to decode input as base64: ${problem.message}`)
    throw problem
  }
}

export function readItemContext(text: string | undefined): Uint8Array {
  try {
    return decodeBase64(text ?? '')
  } catch (problem) {
    if (problem instanceof GoError) throw bad('failed to base64-decode context')
    throw problem
  }
}

export const MISSING_CONTEXT =
  "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key"

/** One item's trouble as the answer to a request without a batch. */
export function alone<T>(act: () => T): T {
  try {
    return act()
  } catch (problem) {
    if (problem instanceof Inner) throw failed(problem.message)
    throw problem
  }
}

export function textOfProblem(problem: unknown): string {
  if (problem instanceof Error && (problem instanceof Inner || 'texts' in problem)) return problem.message
  throw problem
}
