import { equalBytes } from '../bytes/equal.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import { type Binding, type ResolvedKey, VERSION_STATES, type VersionState } from '../domain/key.ts'
import type { Clock, KeyRegistry } from '../domain/ports.ts'
import { TRANSITIONS } from '../keys/lifecycle.ts'
import { type EventDeps, recordEvent } from './events.ts'
import { SETTLED_MS } from './release.ts'

export interface RevokeDeps extends EventDeps {
  readonly registry: Pick<KeyRegistry, 'list' | 'versions' | 'setState'>
  readonly clock: Pick<Clock, 'sleep'>
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
 * under way included, because the path reads the state again after the signature and after its record. What a process read just
 * before the change it relies on for `LOOK_GOOD_MS` at most, even one that stood still meanwhile, so this resolves later than
 * that. One person can do it and needs nobody's consent; nobody can take it back alone.
 *
 * On record before the state changes, so that a start after a power cut finds it; a log that takes no record keeps nobody
 * from revoking. The key services are told while that time passes, and whatever they say, the revocation stands.
 *
 * @param version  this one; absent: all versions of the key
 * @throws `key/unknown` for a key or version that is not there; what the log or the store says
 */
export async function revokeKey(
  deps: RevokeDeps,
  name: string,
  wish: { readonly version?: number | undefined; readonly reason: string },
): Promise<Revocation> {
  const { version, reason } = wish
  // Of this key alone: what is wrong with another keeps nobody from revoking.
  const held = await deps.registry.versions(name).catch((error: unknown) => {
    if (isSignerError(error) && error.code === 'key/mismatch') return { damaged: error }
    throw error
  })
  if ('damaged' in held) return revokeUnread(deps, name, wish, held.damaged)
  const chosen = held.filter(each => version === undefined || each.version.version === version)
  if (chosen.length === 0) throw new SignerError('key/unknown', { key: name })
  const failures: unknown[] = []
  const fails = (error: unknown): void => void failures.push(error)
  const now: number[] = []
  for (const { version: found } of chosen) {
    if (found.state === 'revoked') continue
    const detail = { key: name, version: found.version, was: found.state, reason }
    await recordEvent(deps, 'key-revoked', detail).catch(fails)
    const changes = deps.registry.setState(name, found.version, 'revoked', REVOCABLE).catch(fails)
    if ((await changes) === true) now.push(found.version)
  }
  const revoked = chosen.map(({ version: { version: number } }) => number)
  const { disable } = deps
  const settled = deps.clock.sleep(SETTLED_MS)
  const places = disable === undefined ? undefined : await stopAll({ ...deps, disable }, chosen)
  await settled
  for (const error of failures) throw error
  return { revoked, now, ...(places === undefined ? {} : { places }) }
}

/**
 * A row of the key was changed outside the program. That version signs nothing, and the others may: they are stopped by number,
 * without asking anybody for the damaged one, and without a word to the key services, whose places nobody can read.
 * @throws `key/mismatch` with what was done, unless all that was asked for is done
 */
async function revokeUnread(
  deps: RevokeDeps,
  name: string,
  { version, reason }: { readonly version?: number | undefined; readonly reason: string },
  damaged: SignerError,
): Promise<Revocation> {
  const now: number[] = []
  const revoked: number[] = []
  const failures: unknown[] = []
  const fails = (error: unknown): void => void failures.push(error)
  let isDone = version !== undefined
  for (let number = version ?? 1; ; number++) {
    try {
      if (await deps.registry.setState(name, number, 'revoked', REVOCABLE)) {
        now.push(number)
        await recordEvent(deps, 'key-revoked', { key: name, version: number, was: 'not read', reason }).catch(fails)
      }
      revoked.push(number)
    } catch (error) {
      const code = isSignerError(error) ? error.code : undefined
      if (code === 'key/unknown' && version === undefined) break // after the last one
      if (code !== 'key/mismatch') throw error
      isDone = false
    }
    if (version !== undefined) break
  }
  await deps.clock.sleep(SETTLED_MS)
  for (const error of failures) throw error
  if (isDone) return { revoked, now }
  const done = revoked.map(number => `version ${number} is revoked`).join(', ')
  throw new SignerError('key/mismatch', { key: name, reason: `${reasonOf(damaged)}; ${done || 'nothing was revoked'}` })
}

type StopDeps = RevokeDeps & Required<Pick<RevokeDeps, 'disable'>>

/** All at once, since one service that does not answer must not keep the others. */
async function stopAll(deps: StopDeps, chosen: readonly ResolvedKey[]): Promise<readonly StoppedPlace[]> {
  const everything = await deps.registry.list().catch((error: unknown) => ({ unread: reasonOf(error) }))
  const needed = (held: ResolvedKey, place: Binding): string | undefined =>
    'unread' in everything
      ? `who else needs it cannot be read (${everything.unread})`
      : needing(held, place, chosen, everything)
  return Promise.all(chosen.flatMap(held => held.bindings.map(place => stop(deps, place, needed(held, place)))))
}

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
  held: ResolvedKey,
  place: Binding,
  chosen: readonly ResolvedKey[],
  everything: readonly ResolvedKey[],
): string | undefined {
  if (place.custody === 'envelope') return 'the key that wraps it may wrap others'
  // The seal of a row is no MAC: its reference may have been exchanged for that of somebody who goes on signing.
  const wraps = wrapping(place, everything)
  if (wraps !== undefined) return wraps
  const isChosen = ({ version }: ResolvedKey): boolean =>
    chosen.some(each => each.version.key === version.key && each.version.version === version.version)
  const others = everything.filter(each => !isChosen(each) && !STOPPED.includes(each.version.state))
  const other = alsoAt(held, place, others) ?? others.find(({ bindings }) => bindings.some(each => isAt(place, each)))
  return other === undefined
    ? undefined
    : `it is version ${other.version.version} of ${other.key.name} too, which is not revoked`
}

const isAt = (place: Binding, { provider, reference }: Binding): boolean =>
  provider === place.provider && reference === place.reference

/** Whose seed is wrapped by what lies here: by the very key, or a version of it as a key service spells it. Undefined: nobody's. */
export function wrapping({ reference }: Binding, everything: readonly ResolvedKey[]): string | undefined {
  const wrapped = everything.find(({ bindings }) =>
    bindings.some(
      ({ custody, reference: by }) =>
        custody === 'envelope' &&
        (reference === by || reference.startsWith(`${by}/`) || reference.startsWith(`${by}@`)),
    ),
  )
  return wrapped === undefined ? undefined : `it wraps version ${wrapped.version.version} of ${wrapped.version.key}`
}

const STOPPED: readonly VersionState[] = ['revoked', 'destroyed']

/**
 * The first of these that has its key at this place too: the same public key under the same reference, whatever name the service
 * has in the configuration, for two names may lead to one.
 */
export const alsoAt = <V extends ResolvedKey>(
  { version: { publicKey } }: ResolvedKey,
  { reference }: Binding,
  others: readonly V[],
): V | undefined =>
  others.find(
    ({ version, bindings }) =>
      equalBytes(version.publicKey, publicKey) &&
      bindings.some(each => each.custody === 'native' && each.reference === reference),
  )

/** Why a key service did not do it, without words of its own. */
export function reasonOf(error: unknown): string {
  if (!isSignerError(error)) return 'an unexpected fault'
  const { reason } = error.detail as { reason?: unknown }
  return typeof reason === 'string' ? `${error.code}: ${reason}` : error.code
}
