import { hmac as hmacOf } from '@noble/hashes/hmac.js'
import { equalBytes } from '../../core/random.ts'
import type { Call, Result, Route } from '../context.ts'
import { bad, type VaultError } from '../errors.ts'
import { decodeBase64, encodeBase64, GoError } from '../go.ts'
import { type Item, looseItems, textOf } from './batch.ts'
import { type HashRow, hashNamed } from './hashes.ts'
import { findKey, SOFT_DELETED, type TransitKey, versionOf } from './model.ts'
import { rowOf } from './types.ts'

const FIELDS = {
  name: 'string',
  input: 'string',
  algorithm: 'string',
  urlalgorithm: 'string',
  key_version: 'int',
  batch_input: 'list',
} as const

function readHash({ data }: Call): HashRow {
  const name = data.string('urlalgorithm') || data.string('hash_algorithm') || data.string('algorithm') || 'sha2-256'
  const row = hashNamed(name)
  // The server prints the number it has for no algorithm as a character
  if (row === undefined) throw bad("unsupported algorithm '\\x00'")
  return row
}

/** Keys of every type have an HMAC key beside; those of type `hmac` are it. */
function hmacKey(key: TransitKey, number: number): Uint8Array | undefined {
  const version = versionOf(key, number)
  if (version === undefined) return undefined
  return decodeBase64(rowOf(key.type).family === 'hmac' ? version.material : version.hmacKey)
}

function inWords<T>(act: () => T, words: (text: string) => VaultError): T {
  try {
    return act()
  } catch (problem) {
    if (problem instanceof GoError) throw words(problem.message)
    throw problem
  }
}

async function make(call: Call): Promise<Result> {
  const { data } = call
  const hash = readHash(call)
  const key = await findKey(call)
  if (key === undefined) throw bad('encryption key not found')
  const wanted = data.int('key_version')
  const number = readVersion(key, wanted)
  const secret = hmacKey(key, number)
  if (key.softDeleted) throw bad(SOFT_DELETED)
  if (secret === undefined) throw bad('cannot generate HMAC: key version is disallowed by policy')
  const one = (item: Item): string => {
    const text = textOf(item, 'input')
    if (text === undefined) throw bad('missing input for HMAC')
    const input = inWords(
      () => decodeBase64(text),
      problem => bad(`unable to decode input as base64: ${problem}`),
    )
    return `vault:v${number}:${encodeBase64(hmacOf(hash.hash, secret, input))}`
  }
  const batch = data.raw['batch_input']
  if (batch === undefined || batch === null) {
    return { data: { hmac: one(data.has('input') ? { input: data.string('input') } : {}) } }
  }
  return batchOf(looseItems(batch, 'transit.batchRequestHMACItem'), item => ({ hmac: one(item) }))
}

function readVersion(key: TransitKey, wanted: number): number {
  if (wanted < 0) throw bad('key version does not exist (cannot be negative)')
  if (wanted > key.latest) throw bad(`key version does not exist; latest key version is ${key.latest}`)
  if (wanted > 0 && wanted < key.minEncryption) {
    throw bad('cannot generate HMAC: version is too old (disallowed by policy)')
  }
  return wanted === 0 ? key.latest : wanted
}

function batchOf(items: readonly Item[], act: (item: Item) => Record<string, unknown>): Result {
  if (items.length === 0) throw bad('missing batch input to process')
  return {
    data: {
      batch_results: items.map(item => {
        const reference = textOf(item, 'reference') ?? ''
        try {
          return { ...act(item), reference }
        } catch (problem) {
          if (problem instanceof Error && 'texts' in problem) return { error: problem.message, reference }
          throw problem
        }
      }),
    },
  }
}

/** The part of `verify` that has HMACs to look at. */
export async function verifyHmacs(call: Call, items: readonly Item[], single: boolean): Promise<Result> {
  const hash = readHash(call)
  const key = await findKey(call)
  if (key === undefined) throw bad('encryption key not found')
  if (key.softDeleted) throw bad(SOFT_DELETED)
  const one = (item: Item): boolean => verifyOne(key, hash, item)
  return single ? { data: { valid: one(items[0]!) } } : batchOf(items, item => ({ valid: one(item) }))
}

function verifyOne(key: TransitKey, hash: HashRow, item: Item): boolean {
  const given = textOf(item, 'input')
  if (given === undefined) throw bad('missing input')
  const input = inWords(
    () => decodeBase64(given),
    problem => bad(`unable to decode input as base64: ${problem}`),
  )
  const text = textOf(item, 'hmac') ?? ''
  if (text === '') throw bad('missing hmac')
  if (!text.startsWith('vault:v')) throw bad('invalid HMAC to verify: no prefix')
  const parts = text.slice('vault:v'.length).split(':')
  if (parts.length !== 2) throw bad('invalid HMAC: wrong number of fields')
  if (!/^[+-]?\d+$/.test(parts[0]!)) throw bad('invalid HMAC: version number could not be decoded')
  const mac = inWords(
    () => decodeBase64(parts[1]!),
    problem => bad(`unable to decode verification HMAC as base64: ${problem}`),
  )
  const number = Number(parts[0])
  if (number > key.latest) throw bad('invalid HMAC: version is too new')
  if (key.minDecryption > 0 && number < key.minDecryption) {
    throw bad('cannot verify HMAC: version is too old (disallowed by policy)')
  }
  const secret = hmacKey(key, number)
  if (secret === undefined) throw bad('unsupported algorithm')
  return equalBytes(hmacOf(hash.hash, secret, input), mac)
}

export const hmacRoutes: readonly Route[] = [
  { path: 'hmac/:name/:urlalgorithm?', label: 'hmac', pure: true, fields: FIELDS, update: make },
]
