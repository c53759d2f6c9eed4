import type { Call, Result, Route } from '../context.ts'
import { bad, failed, VaultError } from '../errors.ts'
import { decodeBase64, encodeBase64, GoError } from '../go.ts'
import { type AeadJob, open, seal } from './aead.ts'
import { type Item, strictItems, textOf } from './batch.ts'
import { rsaDecrypt, rsaEncrypt } from './material.ts'
import {
  addVersion,
  findKey,
  newKey,
  readType,
  SOFT_DELETED,
  type TransitKey,
  transitState,
  versionOf,
} from './model.ts'
import { rowOf } from './types.ts'

const FIELDS = {
  name: 'string',
  plaintext: 'string',
  context: 'string',
  associated_data: 'string',
  type: 'string',
  convergent_encryption: 'bool',
  key_version: 'int',
  partial_failure_response_code: 'int',
  batch_input: 'list',
} as const
const DECRYPT_FIELDS = {
  name: 'string',
  ciphertext: 'string',
  context: 'string',
  associated_data: 'string',
  partial_failure_response_code: 'int',
  batch_input: 'list',
} as const
const REWRAP_FIELDS = {
  name: 'string',
  ciphertext: 'string',
  context: 'string',
  key_version: 'int',
  batch_input: 'list',
} as const

const MISSING_CONTEXT =
  "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key"

function decoded(text: string): Uint8Array {
  try {
    return decodeBase64(text)
  } catch (problem) {
    if (problem instanceof GoError) throw bad(problem.message)
    throw problem
  }
}

/** @throws VaultError 500, or 400 for a key that takes no associated data */
function readAssociatedData(key: TransitKey, text: string, index: number): Uint8Array | undefined {
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
function decryptWith(
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

const isBatch = ({ data }: Call): boolean => data.raw['batch_input'] !== undefined && data.raw['batch_input'] !== null

interface Outcome {
  readonly members?: Record<string, unknown>
  readonly problem?: VaultError
  readonly reference: string
}

function attempt(item: Item, act: () => Record<string, unknown>): Outcome {
  const reference = textOf(item, 'reference') ?? ''
  try {
    return { members: act(), reference }
  } catch (problem) {
    if (problem instanceof VaultError) return { problem, reference }
    throw problem
  }
}

/** 400 when an item was wrong, 500 when one failed; another status where some did well and the caller asked for it. */
function batchAnswer(call: Call, outcomes: readonly Outcome[], blank: Record<string, unknown>): Result {
  const results = outcomes.map(({ members, problem, reference }) =>
    problem === undefined ? { ...members, reference } : { ...blank, error: problem.message, reference },
  )
  const problems = outcomes.flatMap(({ problem }) => problem ?? [])
  if (problems.length === 0) return { data: { batch_results: results } }
  let status = problems.some(({ status }) => status < 500) ? 400 : 500
  const member = 'partial_failure_response_code'
  if (call.data.has(member) && problems.length < outcomes.length) {
    const wanted = call.data.int(member)
    if (wanted >= 1 && wanted <= 599) status = wanted
    else call.warnings.push(`invalid HTTP response code override from ${member}, reverting to ${status}`)
  }
  return { status, data: { batch_results: results } }
}

async function encrypt(call: Call): Promise<Result> {
  const { data } = call
  const batch = isBatch(call)
  if (!batch && !data.has('plaintext')) throw bad('missing plaintext to encrypt')
  const items: readonly Item[] = batch
    ? strictItems(data.raw['batch_input'], { member: 'plaintext', missing: 'missing plaintext to encrypt' })
    : [
        {
          plaintext: data.string('plaintext'),
          context: data.string('context'),
          key_version: data.int('key_version'),
          associated_data: data.string('associated_data'),
        },
      ]
  if (items.length === 0) throw bad('missing batch input to process')
  const withContext = items.filter(item => (textOf(item, 'context') ?? '') !== '').length
  if (withContext !== 0 && withContext !== items.length) {
    throw bad('context should be set either in all the request blocks or in none')
  }
  const key = await keyToEncrypt(call, withContext > 0)
  const outcomes = items.map((item, i) =>
    attempt(item, () => {
      const plaintext = decoded(textOf(item, 'plaintext') ?? '')
      const context = decoded(textOf(item, 'context') ?? '')
      const associatedData = readAssociatedData(key, textOf(item, 'associated_data') ?? '', i)
      const version = Number(item['key_version'] ?? 0)
      const made = encryptWith(call, key, plaintext, { context, associatedData, version })
      return { ciphertext: made.ciphertext, key_version: made.version }
    }),
  )
  return batch ? batchAnswer(call, outcomes, {}) : { data: single(outcomes[0]!) }
}

function single({ members, problem }: Outcome): Record<string, unknown> {
  if (problem !== undefined) throw problem
  return members!
}

/** A key that is not there is made, where the caller may and the engine is not told otherwise. */
async function keyToEncrypt(call: Call, derived: boolean): Promise<TransitKey> {
  const { data, core, mount } = call
  const existing = await findKey(call)
  if (existing !== undefined) return existing
  const convergent = data.bool('convergent_encryption')
  if (convergent && !derived) {
    throw bad('convergent encryption requires derivation to be enabled, so context is required')
  }
  const wanted = data.string('type', 'aes256-gcm96')
  const type = readType(core, wanted)
  if (wanted.startsWith('ecdsa-') && type !== undefined)
    throw bad(`key type ${wanted} not supported for this operation`)
  if (type === undefined || rowOf(type).family !== 'aead') throw bad(`unknown key type ${wanted}`)
  const state = transitState(mount)
  if (state.disableUpsert) throw bad('encryption key not found')
  const key = newKey(data.string('name'), type, { derived, convergent })
  await addVersion(core, key)
  state.keys[key.name] = key
  call.changed()
  return key
}

async function existingKey(call: Call): Promise<TransitKey> {
  const key = await findKey(call)
  if (key === undefined) throw bad('encryption key not found')
  return key
}

function sealedItems(call: Call): readonly Item[] {
  const { data } = call
  if (!isBatch(call)) {
    if (data.string('ciphertext') === '') throw bad('missing ciphertext to decrypt')
    const members = ['ciphertext', 'context', 'associated_data']
    return [
      { ...Object.fromEntries(members.map(name => [name, data.string(name)])), key_version: data.int('key_version') },
    ]
  }
  const items = strictItems(data.raw['batch_input'], { member: 'ciphertext', missing: 'missing ciphertext to decrypt' })
  if (items.length === 0) throw bad('missing batch input to process')
  return items
}

function opened(key: TransitKey, item: Item, index: number): Uint8Array {
  const ciphertext = textOf(item, 'ciphertext') ?? ''
  if (ciphertext === '') throw bad('missing ciphertext to decrypt')
  const context = decoded(textOf(item, 'context') ?? '')
  return decryptWith(key, ciphertext, context, () =>
    readAssociatedData(key, textOf(item, 'associated_data') ?? '', index),
  )
}

async function decrypt(call: Call): Promise<Result> {
  const items = sealedItems(call)
  const key = await existingKey(call)
  const outcomes = items.map((item, i) => attempt(item, () => ({ plaintext: encodeBase64(opened(key, item, i)) })))
  return isBatch(call) ? batchAnswer(call, outcomes, { plaintext: '' }) : { data: single(outcomes[0]!) }
}

async function rewrap(call: Call): Promise<Result> {
  const items = sealedItems(call)
  const key = await existingKey(call)
  const outcomes = items.map((item, i) =>
    attempt(item, () => {
      const plaintext = opened(key, { ...item, associated_data: '' }, i)
      const context = decoded(textOf(item, 'context') ?? '')
      const made = encryptWith(call, key, plaintext, { context, version: Number(item['key_version'] ?? 0) })
      return { ciphertext: made.ciphertext, key_version: made.version }
    }),
  )
  if (!isBatch(call)) return { data: single(outcomes[0]!) }
  // Rewrapping says 200 whatever became of the items
  const { data } = batchAnswer(call, outcomes, {})
  return { data: data! }
}

const BITS = [128, 256, 512]

async function dataKey(call: Call): Promise<Result> {
  const { data, core } = call
  const kind = data.string('plaintext')
  if (!['plaintext', 'wrapped'].includes(kind)) throw bad("Invalid path, must be 'plaintext' or 'wrapped'")
  const key = await existingKey(call)
  const context = decoded(data.string('context'))
  const bits = data.int('bits', 256)
  if (!BITS.includes(bits)) throw bad('invalid bit length')
  const plaintext = core.streams('vault data keys').bytes(bits / 8)
  const made = encryptWith(call, key, plaintext, { context, version: data.int('key_version') })
  return {
    data: {
      ciphertext: made.ciphertext,
      key_version: made.version,
      ...(kind === 'plaintext' ? { plaintext: encodeBase64(plaintext) } : {}),
    },
  }
}

export const encryptRoutes: readonly Route[] = [
  {
    path: 'encrypt/:name',
    pure: true,
    fields: FIELDS,
    exists: call => Object.hasOwn(transitState(call.mount).keys, call.data.string('name')),
    update: encrypt,
  },
  { path: 'decrypt/:name', pure: true, fields: DECRYPT_FIELDS, update: decrypt },
  { path: 'rewrap/:name', pure: true, fields: REWRAP_FIELDS, update: rewrap },
  {
    path: 'datakey/:plaintext/:name',
    label: 'datakey',
    pure: true,
    fields: { name: 'string', plaintext: 'string', context: 'string', bits: 'int', key_version: 'int' },
    update: dataKey,
  },
]
