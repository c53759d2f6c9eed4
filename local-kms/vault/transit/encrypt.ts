import type { Call, Result, Route } from '../context.ts'
import { bad, VaultError } from '../errors.ts'
import { encodeBase64 } from '../go.ts'
import { type Item, strictItems, textOf } from './batch.ts'
import { addVersion, findKey, newKey, readType, type TransitKey, transitState } from './model.ts'
import { rowOf } from './types.ts'

import { decoded, decryptWith, encryptWith, readAssociatedData } from './ciphertext.ts'
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
