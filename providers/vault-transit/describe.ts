import { fromBase64 } from '../../src/bytes/base64.ts'
import { SignerError } from '../../src/domain/errors.ts'
import type { Call, KeyFacts, KeyRef } from '../../src/domain/provider.ts'
import { malformed } from '../judgement.ts'
import type { VaultClient } from './client.ts'
import { parseReference, pinned, requireReference } from './reference.ts'
import { type JsonObject, objectOf } from './wire.ts'

const WANTED = 'a signing key of type ed25519'

/**
 * Reads the key, every member of it checked. Without a version the latest one is taken, once: what is returned is pinned.
 * @throws `key/unsupported` for another kind of key and for derived ones; `key/mismatch` when another key answers;
 * `provider/refused` when the key has no such version.
 */
export async function describeKey(client: VaultClient, key: KeyRef, call: Call): Promise<KeyFacts> {
  const { name: provider, mount } = client
  const { name, version: wanted } = requireReference(provider, 'ReadKey', mount, key)
  const { data, providerRequestId } = await readKey(client, name, call)
  const wrong = (reason: string) => malformed(provider, `ReadKey: ${reason}`, providerRequestId)
  requireName(data, key, name, wrong)
  const problem = kindProblem(data)
  if (problem !== undefined) throw new SignerError('key/unsupported', { key, wanted: WANTED, reason: problem })
  const version = wanted ?? data['latest_version']
  if (typeof version !== 'number' || parseReference(pinned(mount, name, version), mount)?.version !== version) {
    throw wrong('the answer names no latest version')
  }
  const entry = objectOf(data['keys'])[String(version)]
  if (entry === undefined) {
    throw new SignerError('provider/refused', { provider, reason: `ReadKey: the key has no version ${version}` })
  }
  const text = objectOf(entry)['public_key']
  const publicKey = typeof text === 'string' ? fromBase64(text) : undefined
  if (publicKey?.length !== 32) throw wrong('the version holds no Ed25519 public key')
  const protection = client.local ? 'unknown' : 'software'
  return { reference: pinned(mount, name, version), scheme: 'ed25519', publicKey, protection }
}

/** GET of the key; the answer's own members, unchecked. */
export async function readKey(
  client: VaultClient,
  name: string,
  call: Call,
): Promise<{ data: JsonObject; providerRequestId?: string }> {
  const { output, providerRequestId } = await client.attempt(
    { name: 'ReadKey', kind: 'read' },
    { method: 'GET', path: `${client.mount}/keys/${name}` },
    call,
  )
  const data = objectOf(output['data'])
  return { data, ...(providerRequestId === undefined ? {} : { providerRequestId }) }
}

/** @throws what `attempt` would, when the answer says neither */
export async function isThere(client: VaultClient, name: string, call: Call): Promise<boolean> {
  const path = `${client.mount}/keys/${name}`
  const record = await client.look({ method: 'GET', path }, 'with token', call, 'ReadKey')
  if (record.output !== undefined) return true
  // Only this is "no such key": a mount that is not there answers 404 too, with words.
  if (record.answered && record.status === 404 && record.texts.length === 0) return false
  throw client.told(record)
}

function requireName(data: JsonObject, key: KeyRef, name: string, wrong: (reason: string) => Error): void {
  const answered = data['name']
  if (typeof answered !== 'string') throw wrong('the answer does not name its key')
  if (answered !== name) throw new SignerError('key/mismatch', { key, reason: 'Vault answered for another key' })
}

/** Why the key cannot sign for us. A member that must be there and is not counts against it. */
export function kindProblem(data: JsonObject): string | undefined {
  const { type, derived, supports_signing: signs, soft_deleted: gone } = data
  if (type !== 'ed25519') return `the key is of type ${typeof type === 'string' ? shown(type) : 'unknown'}`
  if (derived !== false) return 'the key is derived: what it signs with depends on a context that nobody pins'
  if (signs === false) return 'the key does not sign'
  return gone === true ? 'the key is deleted' : undefined
}

const shown = (type: string): string => (/^[a-z0-9_-]{1,40}$/.test(type) ? type : 'unknown')
