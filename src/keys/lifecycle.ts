import type { DatedVersion, VersionState } from '../domain/key.ts'

/**
 * The life of a version, as a table (`LIFECYCLE.md` says why). Pure: what may happen, not how it is done. Every cell is
 * there, so a new state or event does not compile until somebody has thought about all of them.
 */
export const KEY_EVENTS = [
  'promote',
  'demote',
  'withdraw',
  'revert',
  'retire',
  'abandon',
  'quarantine',
  'restore',
  'revoke',
  'unrevoke',
  'destroy',
] as const

/**
 * `promote`   a pending version becomes the one that signs
 * `demote`    the one that signed stays beside its successor: the overlap opens
 * `withdraw`  the successor is taken back before the cut-over
 * `revert`    its predecessor signs again
 * `retire`    the cut-over: the predecessor signs no more
 * `abandon`   a pending version is given up
 * `quarantine` a wrong answer about it was seen
 * `restore`   an operator looked, and it proved itself
 * `revoke`    one person, at once
 * `unrevoke`  a quorum takes that back; it has to prove itself before it signs
 * `destroy`   the private key is gone
 */
export type KeyEvent = (typeof KEY_EVENTS)[number]

export type Cell = { readonly to: VersionState } | { readonly no: string }

const to = (state: VersionState): Cell => ({ to: state })
const no = (why: string): Cell => ({ no: why })

const NOT_PENDING = 'it is not waiting for its turn'
const NOT_ACTIVE = 'it is not the version that signs'
const NOT_OVERLAP = 'it is not beside a successor'
const NOT_QUARANTINED = 'it is not in quarantine'
const NOT_REVOKED = 'it is not revoked'
const SIGNS = 'it may still sign: revoke it, or rotate away from it'
const OVER = 'its life is over'
const REVOKED = 'it is revoked: only a quorum takes that back'
const SUSPECT = 'it is in quarantine: restore it first, or revoke it'
const GONE = 'its private key is gone'

type Row = Readonly<Record<KeyEvent, Cell>>

export const TRANSITIONS: Readonly<Record<VersionState, Row>> = {
  pending: {
    promote: to('active'),
    demote: no(NOT_ACTIVE),
    withdraw: no(NOT_ACTIVE),
    revert: no(NOT_OVERLAP),
    retire: no(NOT_OVERLAP),
    abandon: to('retired'),
    quarantine: to('quarantined'),
    restore: no(NOT_QUARANTINED),
    revoke: to('revoked'),
    unrevoke: no(NOT_REVOKED),
    destroy: no('it is waiting for its turn: abandon it first'),
  },
  active: {
    promote: no('it signs already'),
    demote: to('overlap'),
    withdraw: to('pending'),
    revert: no(NOT_OVERLAP),
    retire: no('it is the version that signs: rotate to another first'),
    abandon: no(NOT_PENDING),
    quarantine: to('quarantined'),
    restore: no(NOT_QUARANTINED),
    revoke: to('revoked'),
    unrevoke: no(NOT_REVOKED),
    destroy: no(SIGNS),
  },
  overlap: {
    promote: no(NOT_PENDING),
    demote: no(NOT_ACTIVE),
    withdraw: no(NOT_ACTIVE),
    revert: to('active'),
    retire: to('retired'),
    abandon: no(NOT_PENDING),
    quarantine: to('quarantined'),
    restore: no(NOT_QUARANTINED),
    revoke: to('revoked'),
    unrevoke: no(NOT_REVOKED),
    destroy: no(SIGNS),
  },
  quarantined: {
    promote: no(SUSPECT),
    demote: no(SUSPECT),
    withdraw: no(SUSPECT),
    revert: no(SUSPECT),
    retire: to('retired'),
    abandon: no(SUSPECT),
    quarantine: no('it is in quarantine already'),
    restore: to('active'), // or overlap, or pending: `restoredTo` looks at its siblings
    revoke: to('revoked'),
    unrevoke: no(NOT_REVOKED),
    destroy: no(SUSPECT),
  },
  retired: {
    promote: no(OVER),
    demote: no(OVER),
    withdraw: no(OVER),
    revert: no(OVER),
    retire: no('it is retired already'),
    abandon: no(OVER),
    quarantine: no(OVER),
    restore: no(OVER),
    revoke: to('revoked'), // what it signed before is in doubt too
    unrevoke: no(NOT_REVOKED),
    destroy: to('destroyed'),
  },
  revoked: {
    promote: no(REVOKED),
    demote: no(REVOKED),
    withdraw: no(REVOKED),
    revert: no(REVOKED),
    retire: no(REVOKED),
    abandon: no(REVOKED),
    quarantine: no(REVOKED),
    restore: no(REVOKED),
    revoke: no('it is revoked already'),
    unrevoke: to('quarantined'),
    destroy: to('destroyed'),
  },
  destroyed: {
    promote: no(GONE),
    demote: no(GONE),
    withdraw: no(GONE),
    revert: no(GONE),
    retire: no(GONE),
    abandon: no(GONE),
    quarantine: no(GONE),
    restore: no(GONE),
    revoke: to('revoked'), // somebody may have a copy: verifiers must hear of it
    unrevoke: no(NOT_REVOKED),
    destroy: no('it is destroyed already'),
  },
}

/** A version of one key, as far as its life is concerned. */
export interface Aged {
  readonly version: number
  readonly state: VersionState
  /** Whether it was ever destroyed: in the registry, whether it has a time of that. */
  readonly destroyed?: boolean
  /** It has never been one that may sign. Restored, it waits for its turn, whatever became of its siblings. */
  readonly untried?: boolean
}

/** A version with its past, as far as the law asks for it. */
export const agedOf = ({ version: { version, state }, times }: DatedVersion): Aged => ({
  version,
  state,
  destroyed: times.destroyedAt !== undefined,
  untried: times.activeFrom === undefined,
})

/** What an event makes of a version: the table, and what its past adds. */
export function cellOf({ state, destroyed = false }: Omit<Aged, 'version'>, event: KeyEvent): Cell {
  // L7: a revocation after the end is for verifiers to hear; taking it back gives nobody the private key.
  if (destroyed && event === 'unrevoke') return no(GONE)
  return TRANSITIONS[state][event]
}

/** Events that belong together happen in one step, or not at all. */
export interface Step {
  readonly version: number
  readonly event: KeyEvent
}

export type Outcome =
  | { readonly kind: 'moved'; readonly versions: readonly Aged[] }
  | { readonly kind: 'refused'; readonly version: number; readonly reason: string }

/**
 * What all versions of a key are after these events; nothing when one of them may not happen, or when an invariant of
 * `LIFECYCLE.md` would not hold afterwards.
 */
export function advance(versions: readonly Aged[], steps: readonly Step[]): Outcome {
  let now = versions
  for (const { version, event } of steps) {
    const found = now.find(one => one.version === version)
    if (found === undefined) return { kind: 'refused', version, reason: 'there is no such version' }
    const cell = cellOf(found, event)
    if ('no' in cell) return { kind: 'refused', version, reason: cell.no }
    const state = event === 'restore' ? restoredTo(now, version) : cell.to
    const end = state === 'destroyed' ? { destroyed: true } : {}
    now = now.map(one => (one.version === version ? { ...one, state, ...end } : one))
  }
  const broken = brokenInvariant(now)
  const last = steps.at(-1)
  if (broken === undefined || last === undefined) return { kind: 'moved', versions: now }
  // What stops a key is never refused for the sake of order.
  if (steps.every(({ event }) => STOPPING.has(event))) return { kind: 'moved', versions: now }
  return { kind: 'refused', version: last.version, reason: broken }
}

/** They take signatures away and give none, so they may leave a key that cannot sign at all. */
const STOPPING: ReadonlySet<KeyEvent> = new Set(['quarantine', 'revoke', 'destroy', 'retire', 'abandon'])

/**
 * Where there is a newer version that signs, beside it; where an older one signs, it waits for its turn again. One that never
 * had its turn does not get it this way: what is asked of a successor before it signs has not been asked of it.
 */
export function restoredTo(versions: readonly Aged[], version: number): VersionState {
  if (versions.find(one => one.version === version)?.untried === true) return 'pending'
  const active = versions.find(({ state }) => state === 'active')
  if (active === undefined) return 'active'
  return active.version > version ? 'overlap' : 'pending'
}

/** The first of L1 to L4 that does not hold, as a reason; undefined when all do. */
export function brokenInvariant(versions: readonly Aged[]): string | undefined {
  const of = (state: VersionState): readonly Aged[] => versions.filter(one => one.state === state)
  const [active, pending, overlap] = [of('active'), of('pending'), of('overlap')]
  if (active.length > 1) return 'L1: two versions would be the one that signs'
  if (pending.length > 1) return 'L2: two versions would wait for their turn'
  if (overlap.length > 1) return 'L3: two versions would be on their way out'
  if (pending.length > 0 && overlap.length > 0) return 'L3: a rotation is under way'
  const [signer] = active
  const [leaving] = overlap
  if (leaving !== undefined && signer !== undefined && signer.version < leaving.version) {
    return 'L4: a version would be followed by an older one'
  }
  return undefined
}

/** A next version may be made: nothing waits, nothing is on its way out, and the newest signer is no suspect. */
export function mayBegin(versions: readonly Aged[]): string | undefined {
  if (versions.some(({ state }) => state === 'pending')) return 'a version waits for its turn already'
  if (versions.some(({ state }) => state === 'overlap')) return 'a rotation is under way: cut over or revert it'
  return undefined
}
