import { SignerError } from '../../src/domain/errors.ts'
import type { Call, Destruction, KeyRef } from '../../src/domain/provider.ts'
import { malformed } from '../judgement.ts'
import type { VaultClient } from './client.ts'
import { isThere, readKey } from './describe.ts'
import { requirePinned } from './reference.ts'
import type { Operation } from './translate.ts'
import type { JsonObject } from './wire.ts'

/**
 * Transit has no state of a version. What it has is `min_encryption_version`: no version below it signs. So a version is
 * stopped by raising that number, which stops all older ones too (refused while one of them may still sign) and needs a
 * newer one (made by rotation when there is none; nobody refers to it).
 */
interface Held {
  readonly name: string
  readonly version: number
  readonly latest: number
  /** Versions from here on sign. */
  readonly first: number
  /** Versions before it were trimmed: their private keys are gone. */
  readonly kept: number
}

async function hold(client: VaultClient, operation: Operation['name'], key: KeyRef, call: Call): Promise<Held> {
  const { name, version } = requirePinned(client.name, operation, client.mount, key)
  const { data } = await readKey(client, name, call)
  if (data['name'] !== name) throw new SignerError('key/mismatch', { key, reason: 'Vault answered for another key' })
  const latest = numberOf(client, data, 'latest_version')
  const first = Math.max(
    1,
    numberOf(client, data, 'min_encryption_version'),
    numberOf(client, data, 'min_decryption_version'),
  )
  const kept = data['min_available_version'] === undefined ? 0 : numberOf(client, data, 'min_available_version')
  if (version <= latest) return { name, version, latest, first, kept }
  const reason = `${operation}: the key has no version ${version}`
  throw new SignerError('provider/refused', { provider: client.name, reason })
}

function numberOf({ name: provider }: VaultClient, data: JsonObject, member: string): number {
  const value = data[member]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw malformed(provider, `ReadKey: the answer says no ${member}`)
}

/** @throws `key/unsupported` while an older version may sign, which would be stopped too */
export async function disable(client: VaultClient, key: KeyRef, call: Call): Promise<void> {
  const held = await hold(client, 'ConfigureKey', key, call)
  if (held.first <= held.version) await raise(client, key, held, call)
}

async function raise(
  client: VaultClient,
  key: KeyRef,
  { name, version, latest, first }: Held,
  call: Call,
): Promise<void> {
  if (first < version) {
    const reason = `Transit stops a version only with all before it, and version ${first} may still sign`
    throw new SignerError('key/unsupported', { key, wanted: 'disable', reason })
  }
  if (latest === version) await post(client, 'RotateKey', `${name}/rotate`, {}, call)
  await configure(client, key, { min_encryption_version: version + 1 }, call)
}

/** @throws `key/unsupported` when a newer version would have to sign no more; nothing lower can be set then */
export async function enable(client: VaultClient, key: KeyRef, call: Call): Promise<void> {
  const { version, first } = await hold(client, 'ConfigureKey', key, call)
  if (first <= version) return
  if (first > version + 1) {
    const reason = `Transit enables a version only with all after it, and version ${first - 1} is stopped too`
    throw new SignerError('key/unsupported', { key, wanted: 'enable', reason })
  }
  await configure(client, key, { min_encryption_version: version }, call)
}

/**
 * Transit gives a key up at once or not at all: a key of one version is deleted, older versions are trimmed.
 * @throws `key/unsupported` for any wait, and while an older version is there, which would go too: one that was stopped may be
 *         enabled again
 */
export async function destroy(client: VaultClient, key: KeyRef, days: number, call: Call): Promise<Destruction> {
  if (days !== 0) {
    const reason = 'Transit does not wait: what it gives up is gone at once; ask for 0 days, once nothing needs the key'
    throw new SignerError('key/unsupported', {
      key,
      wanted: `destruction after ${String(days).slice(0, 20)} days`,
      reason,
    })
  }
  const { name: asked } = requirePinned(client.name, 'DeleteKey', client.mount, key)
  if (!(await isThere(client, asked, call))) return { absent: true }
  const held = await hold(client, 'DeleteKey', key, call)
  const { name, version, latest, first, kept } = held
  if (version < kept) return {}
  if (latest === 1) {
    await deleteKey(client, name, call)
    return {}
  }
  if (version > Math.max(1, kept)) {
    const reason = `Transit gives a version up only with all before it, and version ${Math.max(1, kept)} is still there: give it up first`
    throw new SignerError('key/unsupported', { key, wanted: 'destroy', reason })
  }
  if (first <= version) await raise(client, key, held, call)
  const next = version + 1
  await configure(client, key, { min_encryption_version: Math.max(first, next), min_decryption_version: next }, call)
  await post(client, 'TrimKey', `${name}/trim`, { min_available_version: next }, call)
  return {}
}

/** Of a key that nobody refers to. */
export async function deleteKey(client: VaultClient, name: string, call: Call): Promise<void> {
  await post(client, 'ConfigureKey', `${name}/config`, { deletion_allowed: true }, call)
  await client.attempt(
    { name: 'DeleteKey', kind: 'read' },
    { method: 'DELETE', path: `${client.mount}/keys/${name}` },
    call,
  )
}

/** Sets, and reads back: some servers answer with nothing. */
async function configure(client: VaultClient, key: KeyRef, wanted: Record<string, number>, call: Call): Promise<void> {
  const { name } = requirePinned(client.name, 'ConfigureKey', client.mount, key)
  await post(client, 'ConfigureKey', `${name}/config`, wanted, call)
  const { data } = await readKey(client, name, call)
  if (Object.entries(wanted).every(([member, value]) => data[member] === value)) return
  throw malformed(client.name, 'ConfigureKey: the key is not as it was set')
}

// All but a rotation set a state, so an unanswered one can be sent again.
const post = (client: VaultClient, name: Operation['name'], path: string, body: JsonObject, call: Call) =>
  client.attempt(
    { name, kind: name === 'RotateKey' ? 'effect' : 'read' },
    { method: 'POST', path: `${client.mount}/keys/${path}`, body },
    call,
  )
