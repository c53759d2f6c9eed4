import { isSignerError, SignerError } from '../domain/errors.ts'
import { type Binding, type ResolvedKey, VERSION_STATES, type VersionState } from '../domain/key.ts'
import type { KeyRegistry } from '../domain/ports.ts'
import { TRANSITIONS } from '../keys/lifecycle.ts'
import { type EventDeps, recordEvent } from './events.ts'

export interface RevokeDeps extends EventDeps {
  readonly registry: Pick<KeyRegistry, 'list' | 'setState'>
  /**
   * Stops the key at its key service too, within a deadline of its own. Absent: nobody here may.
   * @throws what the service says
   */
  disable?(binding: Binding): Promise<void>
}

export interface Revocation {
  /** Versions that are revoked now, those that were before included. */
  readonly revoked: readonly number[]
  /** Of these, the ones that this call revoked. */
  readonly now: readonly number[]
  /** What became of each place of these versions; absent where nobody here may stop a key at its service. */
  readonly places?: readonly StoppedPlace[]
}

/**
 * A place of a revoked version. `disabled`: its service signs no more with it. `left`: it was not asked to, since others need
 * what lies there. `failed`: it was asked and did not. In every case we sign no more with it.
 */
export interface StoppedPlace {
  readonly version: number
  readonly binding: string
  readonly provider: string
  readonly outcome: 'disabled' | 'left' | 'failed'
  readonly reason?: string
}

/** What may be revoked, as the table of `src/keys/LIFECYCLE.md` says. */
export const REVOCABLE: readonly VersionState[] = VERSION_STATES.filter(state => 'to' in TRANSITIONS[state].revoke)

/**
 * Stops a key at once: from the moment this resolves, no instance that shares the store releases a signature of it, those
 * under way included, because the path reads the state again after the signature and after its record. One person can do it
 * and needs nobody's consent; nobody can take it back alone.
 *
 * On record before the state changes, so that a start after a power cut finds it; a log that takes no record keeps nobody
 * from revoking. The key services are told last, and whatever they say, the revocation stands.
 *
 * @param version  this one; absent: all versions of the key
 * @throws `key/unknown` for a key or version that is not there; what the log or the store says
 */
export async function revokeKey(
  deps: RevokeDeps,
  name: string,
  { version, reason }: { readonly version?: number | undefined; readonly reason: string },
): Promise<Revocation> {
  const everything = await deps.registry.list()
  const chosen = everything.filter(
    held => held.key.name === name && (version === undefined || held.version.version === version),
  )
  if (chosen.length === 0) throw new SignerError('key/unknown', { key: name })
  const unrecorded: unknown[] = []
  const now: number[] = []
  for (const { version: found } of chosen) {
    if (found.state === 'revoked') continue
    const detail = { key: name, version: found.version, was: found.state, reason }
    await recordEvent(deps, 'key-revoked', detail).catch(error => {
      unrecorded.push(error)
    })
    if (await deps.registry.setState(name, found.version, 'revoked', REVOCABLE)) now.push(found.version)
  }
  const revoked = chosen.map(({ version: { version: number } }) => number)
  const { disable } = deps
  const places = disable === undefined ? undefined : await stopAll({ ...deps, disable }, chosen, everything)
  for (const error of unrecorded) throw error
  return { revoked, now, ...(places === undefined ? {} : { places }) }
}

type StopDeps = RevokeDeps & Required<Pick<RevokeDeps, 'disable'>>

/** All at once, since one service that does not answer must not keep the others. */
const stopAll = (
  deps: StopDeps,
  chosen: readonly ResolvedKey[],
  everything: readonly ResolvedKey[],
): Promise<readonly StoppedPlace[]> =>
  Promise.all(
    chosen.flatMap(({ bindings }) => bindings).map(place => stop(deps, place, needing(place, chosen, everything))),
  )

async function stop(deps: StopDeps, place: Binding, needed: string | undefined): Promise<StoppedPlace> {
  const at = { version: place.version, binding: place.id, provider: place.provider }
  const stopped: StoppedPlace =
    needed === undefined
      ? await deps.disable(place).then(
          () => ({ ...at, outcome: 'disabled' as const }),
          error => ({ ...at, outcome: 'failed' as const, reason: reasonOf(error) }),
        )
      : { ...at, outcome: 'left', reason: needed }
  const detail = { key: place.key, ...stopped, reference: place.reference }
  await recordEvent(deps, 'key-stopped', detail).catch(() => {}) // the revocation is on record, or its failure is told
  return stopped
}

/** Who else needs what lies at a place: not ours to stop, whatever became of this key. */
function needing(
  { custody, provider, reference }: Binding,
  chosen: readonly ResolvedKey[],
  everything: readonly ResolvedKey[],
): string | undefined {
  if (custody === 'envelope') return 'the key that wraps it may wrap others'
  const other = everything.find(
    each =>
      !chosen.includes(each) &&
      each.version.state !== 'revoked' &&
      each.version.state !== 'destroyed' &&
      each.bindings.some(place => place.provider === provider && place.reference === reference),
  )
  return other === undefined
    ? undefined
    : `it is version ${other.version.version} of ${other.key.name} too, which is not revoked`
}

function reasonOf(error: unknown): string {
  if (!isSignerError(error)) return 'an unexpected fault'
  const { reason } = error.detail as { reason?: unknown }
  return typeof reason === 'string' ? `${error.code}: ${reason}` : error.code
}
