import { SignerError } from '../domain/errors.ts'
import type { ResolvedKey } from '../domain/key.ts'
import type { KeyRegistry } from '../domain/ports.ts'
import { agedOf, cellOf } from '../keys/lifecycle.ts'
import { type EventDeps, recordEvent } from './events.ts'

interface UnrevokeDeps extends EventDeps {
  readonly registry: Pick<KeyRegistry, 'versions' | 'setState'>
}

/**
 * Takes a revocation back, as far as quarantine: the version signs nothing until `restoreKey` has seen it prove itself. Whether
 * enough people stand behind it is the caller's to know; nothing but a statement of custodians leads here. A key service that
 * was told to stop the key is not told otherwise: who runs it enables the key there, or the proof fails.
 *
 * On record before the state changes.
 *
 * @throws `key/unknown`; `key/unsupported` when the version is not revoked, or was destroyed. Nothing changes then.
 */
export async function unrevokeKey(deps: UnrevokeDeps, name: string, version: number): Promise<ResolvedKey> {
  const held = (await deps.registry.versions(name)).find(each => each.version.version === version)
  if (held === undefined) throw new SignerError('key/unknown', { key: `${name} version ${version}` })
  const { state } = held.version
  const cell = cellOf(agedOf(held), 'unrevoke')
  if ('no' in cell) throw refused(name, `version ${version} is ${state}: ${cell.no}`)
  await recordEvent(deps, 'key-unrevoked', { key: name, version })
  if (await deps.registry.setState(name, version, cell.to, [state]))
    return { ...held, version: { ...held.version, state: cell.to } }
  throw refused(name, 'its state was changed meanwhile')
}

const refused = (key: string, reason: string): SignerError =>
  new SignerError('key/unsupported', { key, wanted: 'unrevoke', reason })
