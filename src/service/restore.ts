import { equalBytes } from '../bytes/equal.ts'
import { SignerError } from '../domain/errors.ts'
import type { Binding, ResolvedKey } from '../domain/key.ts'
import { recordEvent } from './events.ts'
import { provePossession, type RegisterDeps } from './register.ts'

/**
 * Out of quarantine, for operators who have found out what was wrong: every binding of the version proves possession
 * again, as at registration, against the pin of that day. On record before the state changes; a crash in between leaves
 * the key where it was, or the next start carries out what is on record.
 *
 * @throws `key/unknown`; `key/unsupported` when the key is not in quarantine or another version took its place; and what
 *         the proof says when it fails: `key/mismatch`, `signature/*`, `envelope/*`, `provider/*`. Nothing changes then.
 */
export async function restoreKey(deps: RegisterDeps, name: string): Promise<ResolvedKey> {
  const versions = (await deps.registry.list()).filter(({ key }) => key.name === name)
  const newest = versions.at(-1)
  if (newest === undefined) throw new SignerError('key/unknown', { key: name })
  const held = versions.find(({ version }) => version.state === 'quarantined')
  const { version, state } = newest.version
  if (held === undefined) throw refused(name, `version ${version} is ${state}, not in quarantine`)
  const active = versions.find(each => each.version.state === 'active')
  if (active !== undefined) throw refused(name, `version ${active.version.version} is active in its place`)
  for (const binding of held.bindings) await prove(deps, held, binding)

  const detail = { key: name, version: held.version.version, bindings: held.bindings.length }
  await recordEvent(deps, 'key-restored', detail)
  if (await deps.registry.setState(name, held.version.version, 'active', ['quarantined']))
    return { ...held, version: { ...held.version, state: 'active' } }
  throw refused(name, 'its state was changed meanwhile')
}

/** A binding signs a challenge again, and gives the pinned public key where it gives one. */
export async function prove(deps: RegisterDeps, held: ResolvedKey, binding: Binding): Promise<void> {
  const provider = await deps.provider(binding.provider)
  deps.mayServe(held.key, provider)
  if (binding.custody === 'native') {
    const facts = await deps.call(call => provider.describe(binding.reference, call))
    if (!equalBytes(facts.publicKey, held.version.publicKey)) {
      const reason = 'the key service gives another public key for it than the one that was pinned'
      throw new SignerError('key/mismatch', { key: binding.key, reason })
    }
  }
  const row = await deps.registry.envelope(binding.id)
  await provePossession(deps, { ...held, bindings: [binding] }, row)
}

const refused = (key: string, reason: string): SignerError =>
  new SignerError('key/unsupported', { key, wanted: 'restore', reason })
