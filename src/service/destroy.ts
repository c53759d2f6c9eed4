import { equalBytes } from '../bytes/equal.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import { type Binding, type DatedVersion, VERSION_STATES, type VersionState } from '../domain/key.ts'
import type { Clock, KeyRegistry } from '../domain/ports.ts'
import type { Destruction } from '../domain/provider.ts'
import { cellOf, TRANSITIONS } from '../keys/lifecycle.ts'
import { type EventDeps, recordEvent } from './events.ts'
import { alsoAt, reasonOf, wrapping } from './revoke.ts'
import { type AskAccount, lookForSigner, refuseSigner, type SignerLook } from './signer-remains.ts'

export interface DestroyDeps extends EventDeps {
  readonly registry: Pick<KeyRegistry, 'versions' | 'setState' | 'removeEnvelopes' | 'suspendBinding'>
  readonly clock: Pick<Clock, 'now'>
  /** How long a version rests, retired or revoked, before its private key may be given up; in milliseconds. */
  readonly restMs: number
  /** The longest wait that a provider grants, in days. @throws `key/unsupported` where it gives up no keys */
  waitDaysMax(provider: string): Promise<number>
  /** The public key that lies there, within a deadline of its own. @throws what the service says */
  publicKeyAt(place: Binding): Promise<Uint8Array>
  /** Gives a key up at its key service, within a deadline of its own. @throws what the service says */
  giveUp(place: Binding, days: number): Promise<Destruction>
  /** Accounts of a network; undefined: no endpoint is configured for it. */
  accounts(network: string): AskAccount | undefined
}

export interface DestroyWish {
  readonly version: number
  /** The address of the version, to the letter. */
  readonly confirm: string
  /** How long key services keep what can still be taken back there; not sooner than that. */
  readonly days: number
  readonly reason?: string | undefined
  /** The owner knows that accounts still list it. */
  readonly signerRemains?: boolean | undefined
  /** The owner of the machine does not wait until it has rested. */
  readonly atOnce?: boolean | undefined
}

/** What is to become of a place. `left`: others need what lies there, or its provider gives up no keys. */
export interface DoomedPlace {
  readonly binding: string
  readonly provider: string
  readonly custody: Binding['custody']
  readonly reference: string
  readonly will: 'schedule' | 'remove' | 'left'
  readonly reason?: string
}

export interface DestroyPlan {
  readonly key: string
  readonly version: number
  readonly address: string
  readonly state: VersionState
  readonly days: number
  readonly places: readonly DoomedPlace[]
  /** Accounts that still list it: reason to refuse. */
  readonly signerOf: readonly string[]
  /** It has not rested until then, ISO 8601: reason to refuse. */
  readonly notBefore?: string
  readonly notes: readonly string[]
}

/** `scheduled`: gone at the time that is told. `removed`: gone. `failed`: asked for, not done; ask again. */
export interface DestroyedPlace extends Omit<DoomedPlace, 'will'> {
  readonly outcome: 'scheduled' | 'removed' | 'left' | 'failed'
  /** ISO 8601. */
  readonly at?: string
}

export interface DestroyReport {
  readonly key: string
  readonly version: number
  readonly address: string
  /** False: it was destroyed before, and this call went on with what was left to do. */
  readonly changed: boolean
  /** False: a place is still to be asked again. */
  readonly done: boolean
  readonly places: readonly DestroyedPlace[]
  readonly notes: readonly string[]
}

/** From where a version may be destroyed, as the table of `src/keys/LIFECYCLE.md` says. */
export const DESTROYABLE: readonly VersionState[] = VERSION_STATES.filter(state => 'to' in TRANSITIONS[state].destroy)

/**
 * What a destruction would do, place by place; changes nothing.
 * @throws `request/malformed` for a confirmation that is not the address, and for days that a provider does not grant;
 *         `key/unknown`; `key/unsupported` in a state that it may not come from; `network/*` when a node does not answer
 */
export async function planDestruction(deps: DestroyDeps, name: string, wish: DestroyWish): Promise<DestroyPlan> {
  const everything = await deps.registry.versions()
  const held = heldOf(everything, name, wish.version)
  const { address, state, version } = held.version
  requireConfirmed(held, wish.confirm)
  requireDays(wish.days)
  requireDestroyable(held)
  const places = await Promise.all(held.bindings.map(place => doom(deps, held, place, { everything, days: wish.days })))
  const look: SignerLook =
    state === 'destroyed' || wish.signerRemains === true
      ? { remains: [], notes: [] }
      : await lookForSigner(held, deps.accounts(held.key.network))
  const { remains: signerOf } = look
  const notes = [...look.notes, ...elsewhere(held, everything)]
  const end = state === 'destroyed' || wish.atOnce === true ? undefined : restsUntil(held, deps)
  const rest = end === undefined ? {} : { notBefore: new Date(end).toISOString() }
  return { key: name, version, address, state, days: wish.days, places, signerOf, ...rest, notes }
}

/**
 * Gives the private key of a version up, everywhere it lies. On record before anything changes; then the registry says
 * `destroyed`, for good; then each place is asked, and what it says is on record. A place that fails leaves the version
 * destroyed and is told; asked again, the call goes on with it. A crash before the state has changed leaves the version as it
 * was, and no start goes on by itself: nothing of a retired or revoked version signs, and whoever wanted its end asks again.
 *
 * @throws as `planDestruction`; `key/unsupported` before it has rested, while an account still lists it, or when its state was
 *         changed meanwhile;
 *         what the log or the store says
 */
export async function destroyVersion(deps: DestroyDeps, name: string, wish: DestroyWish): Promise<DestroyReport> {
  const plan = await planDestruction(deps, name, wish)
  const { version, state: was, address, notes } = plan
  if (plan.notBefore !== undefined) {
    throw refused(name, `version ${version} was ${was} too short a time ago: from ${plan.notBefore} on`)
  }
  refuseSigner(name, version, { remains: plan.signerOf, notes })
  const { days, reason = '' } = wish
  await recordEvent(deps, 'key-destroying', { key: name, version, address, was, days, reason })
  const changed = await deps.registry.setState(name, version, 'destroyed', DESTROYABLE)
  // Read again: what was added to it until its end goes too, and others may need a place by now.
  const everything = await deps.registry.versions()
  const held = heldOf(everything, name, version)
  if (held.version.state !== 'destroyed') throw refused(name, 'its state was changed meanwhile')

  const unrecorded: unknown[] = []
  const places: DestroyedPlace[] = []
  for (const binding of held.bindings) {
    const place = await end(deps, held, binding, { everything, days })
    places.push(place)
    // What was done is done: a log that takes no record of it keeps nobody from the other places.
    await recordEvent(deps, 'key-given-up', { key: name, version, ...place }).catch(error => unrecorded.push(error))
  }
  const count = (outcome: DestroyedPlace['outcome']) => places.filter(each => each.outcome === outcome).length
  const counts = { scheduled: count('scheduled'), removed: count('removed'), left: count('left') }
  const failed = count('failed')
  for (const error of unrecorded) throw error
  await recordEvent(deps, 'key-destroyed', { key: name, version, address, ...counts, failed })
  return { key: name, version, address, changed, done: failed === 0, places, notes }
}

function heldOf(everything: readonly DatedVersion[], name: string, version: number): DatedVersion {
  const held = everything.find(each => each.key.name === name && each.version.version === version)
  if (held === undefined) throw new SignerError('key/unknown', { key: `${name} version ${version}` })
  return held
}

/** Nobody destroys a key by a slip of the hand, or in the wrong window. */
function requireConfirmed({ version: { key, version, address } }: DatedVersion, confirm: string): void {
  if (confirm === address) return
  const reason = `is not the address of version ${version} of ${key}`
  // Not repeated here: who copies it from a refusal has looked at nothing.
  const fix = 'look the version up, and give its address to the letter'
  throw new SignerError('request/malformed', { field: 'confirm', reason, fix })
}

/** How many of them is a question for each service. */
function requireDays(days: number): void {
  if (Number.isSafeInteger(days) && days >= 0) return
  const reason = `is ${String(days).slice(0, 20)}, not a number of days`
  throw new SignerError('request/malformed', { field: 'days', reason, fix: 'give a whole number, 0 or more' })
}

/** One that is destroyed already is gone on with. */
function requireDestroyable({ version: { key, version, state } }: DatedVersion): void {
  const cell = cellOf({ state }, 'destroy')
  if (state !== 'destroyed' && 'no' in cell) throw refused(key, `version ${version} is ${state}: ${cell.no}`)
}

/**
 * When it has rested; undefined: it has. So nobody who came by an administrator's session makes an end of a key in two requests,
 * and a revocation by mistake can be taken back. One of which nobody knows since when it rests begins now.
 */
function restsUntil(
  { times: { retiredAt, revokedAt } }: DatedVersion,
  { clock, restMs }: DestroyDeps,
): number | undefined {
  const now = clock.now()
  const until = Math.min(retiredAt ?? now, revokedAt ?? now) + restMs
  return until > now ? until : undefined
}

/** Everybody whose private key is not given up needs it: what is retired can be looked at again, what is revoked taken back. */
const keeps = (place: Binding, { version, times }: DatedVersion): boolean =>
  times.destroyedAt === undefined && !(version.key === place.key && version.version === place.version)

const at = ({ id: binding, provider, custody, reference }: Binding) => ({ binding, provider, custody, reference })

async function doom(
  deps: DestroyDeps,
  held: DatedVersion,
  place: Binding,
  { everything, days }: Pick<Ending, 'everything' | 'days'>,
): Promise<DoomedPlace> {
  if (place.custody === 'envelope') return { ...at(place), will: 'remove' }
  const wraps = wrapping(place, everything)
  if (wraps !== undefined) return { ...at(place), will: 'left', reason: wraps }
  const keeping = everything.filter(each => keeps(place, each))
  const other = alsoAt(held, place, keeping)
  if (other !== undefined) return { ...at(place), will: 'left', reason: neededBy(other) }
  try {
    const max = await deps.waitDaysMax(place.provider)
    if (days <= max) return { ...at(place), will: 'schedule' }
    const most = max === 0 ? 'gives keys up at once or not at all' : `waits at most ${max} days`
    const reason = `is ${days}, and ${place.provider} ${most}`
    throw new SignerError('request/malformed', { field: 'days', reason, fix: `ask for ${max} days or less` })
  } catch (error) {
    if (!isUnsupported(error)) throw error
    return { ...at(place), will: 'left', reason: reasonOf(error) }
  }
}

const neededBy = ({ version: { key, version, state } }: DatedVersion): string =>
  `it is version ${version} of ${key} too, which is ${state}`

/** Under another name it is another key to us, and so are its places; its private key is the same. */
const elsewhere = (held: DatedVersion, everything: readonly DatedVersion[]): readonly string[] =>
  everything
    .filter(({ key, version, times }) => {
      const isItself = key.name === held.key.name && version.version === held.version.version
      return !isItself && times.destroyedAt === undefined && equalBytes(version.publicKey, held.version.publicKey)
    })
    .map(({ version: { key, version, state } }) => {
      return `Its private key is that of version ${version} of ${key} too, which is ${state}: what lies there stays.`
    })

interface Ending {
  readonly everything: readonly DatedVersion[]
  readonly days: number
}

/** Stands at a binding from when its key was found there, or given up there: one that is not there any more went then. */
const GIVEN_UP = 'given up'

async function end(
  deps: DestroyDeps,
  held: DatedVersion,
  place: Binding,
  { everything, days }: Ending,
): Promise<DestroyedPlace> {
  try {
    if (place.custody === 'envelope') {
      await deps.registry.removeEnvelopes(place.key, place.version)
      return { ...at(place), outcome: 'removed' }
    }
    const doomed = await doom(deps, held, place, { everything, days })
    if (doomed.will === 'left') return { ...at(place), outcome: 'left', reason: doomed.reason ?? '' }
    let known = place.suspended === GIVEN_UP
    const mark = async (): Promise<void> => {
      if (!known) await deps.registry.suspendBinding(place.id, GIVEN_UP)
      known = true
    }
    if (await liesThere(deps, held, place)) await mark()
    const gone = await deps.giveUp(place, days)
    if (gone.absent !== true) await mark()
    return { ...at(place), ...told(gone, known) }
  } catch (error) {
    return { ...at(place), outcome: 'failed', reason: reasonOf(error) }
  }
}

/**
 * The seal of a row is no MAC: a reference may have been exchanged, and nothing takes back what is given up in somebody else's
 * place. A key that was stopped or is gone has no public key to give in most services, so a plain no keeps nobody.
 * @returns false when the service does not say. @throws `key/mismatch` for the key of another; what else the service says
 */
async function liesThere(deps: DestroyDeps, { version }: DatedVersion, place: Binding): Promise<boolean> {
  const found = await deps.publicKeyAt(place).catch((error: unknown) => {
    if (isSignerError(error) && error.code === 'provider/refused') return undefined
    throw error
  })
  if (found === undefined) return false
  if (equalBytes(found, version.publicKey)) return true
  throw new SignerError('key/mismatch', {
    key: version.key,
    reason: 'the key service gives another public key for it than the one that was pinned: nothing was given up there',
  })
}

function told({ at: when, absent }: Destruction, known: boolean): Pick<DestroyedPlace, 'outcome' | 'at' | 'reason'> {
  if (when !== undefined) return { outcome: 'scheduled', at: new Date(when).toISOString() }
  if (absent !== true) return { outcome: 'removed' }
  if (known) return { outcome: 'removed', reason: 'the key service has no such key any more' }
  const reason = 'the key service knows no such key: see that the configuration leads where the key is, then ask again'
  return { outcome: 'failed', reason }
}

const isUnsupported = (error: unknown): boolean => isSignerError(error) && error.code === 'key/unsupported'

const refused = (key: string, reason: string): SignerError =>
  new SignerError('key/unsupported', { key, wanted: 'destroy', reason })
