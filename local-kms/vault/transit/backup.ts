import type { Call, Result, Route } from '../context.ts'
import { bad, failed } from '../errors.ts'
import { decodeBase64, encodeBase64, GoError, parseJson } from '../go.ts'
import { findKey, type TransitKey, transitState } from './model.ts'

/** Marks a backup as one of ours: the original's has another inside, and neither restores the other's. */
const FORMAT = 'local-kms/1'

async function backup(call: Call): Promise<Result> {
  const name = call.data.string('name')
  const key = await findKey(call)
  if (key === undefined) throw failed(`key ${JSON.stringify(name)} not found`)
  if (!key.exportable) throw failed('exporting is disallowed on the policy')
  if (!key.plaintextBackup) throw failed('plaintext backup is disallowed on the policy')
  const text = JSON.stringify({ format: FORMAT, policy: key })
  return { data: { backup: encodeBase64(new TextEncoder().encode(text)) } }
}

async function restore(call: Call): Promise<undefined> {
  const { data, mount } = call
  if (data.string('backup') === '') throw bad("'backup' must be supplied")
  const key = readBackup(data.string('backup'))
  const name = data.string('name') || key.name
  const { keys } = transitState(mount)
  if (Object.hasOwn(keys, name) && !data.bool('force')) throw failed(`key ${JSON.stringify(name)} already exists`)
  keys[name] = { ...key, name }
}

function readBackup(text: string): TransitKey {
  try {
    const content = new TextDecoder().decode(decodeBase64(text))
    const document = parseJson(content)
    if (document['format'] === FORMAT) return document['policy'] as TransitKey
  } catch (problem) {
    if (!(problem instanceof GoError)) throw problem
    const inside = problem.message.replace('failed to decode JSON input: ', '')
    throw failed(inside.replace("'\u0000'", "'\\x00'"))
  }
  throw failed('backup is of another server: local-kms restores its own')
}

export const backupRoutes: readonly Route[] = [
  { path: 'backup/:name', pure: true, read: backup },
  { path: 'restore/:name?', fields: { name: 'string', backup: 'string', force: 'bool' }, update: restore },
]
