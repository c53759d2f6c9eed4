import type { AuditEntry } from '../../domain/audit.ts'
import { SignerError } from '../../domain/errors.ts'
import { type DatedVersion, VERSION_STATES, type VersionState } from '../../domain/key.ts'
import type { StateMove } from '../../domain/ports.ts'
import { type Aged, advance, agedOf, type Step } from '../../keys/lifecycle.ts'

/** What a step asks of the registry, as the law in `src/keys` has it. Pure: the versions as they were read decide. */
export type Plan =
  /** It was done before: by a run that was killed, or by somebody else. */
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'move'
      /** The version that this is about. */
      readonly version: number
      /** The one beside it, where there is one. */
      readonly other: number | undefined
      readonly steps: readonly Step[]
    }

export const ROTATION_STEPS = ['open', 'revert', 'cutover', 'abandon'] as const
export type RotationStep = (typeof ROTATION_STEPS)[number]

const refused = (reason: string): Plan => ({ kind: 'refused', reason })

interface Sides {
  readonly active: Aged | undefined
  readonly pending: Aged | undefined
  /** On its way out: in overlap, or in quarantine with a newer one that signs. */
  readonly leaving: Aged | undefined
  readonly versions: readonly DatedVersion[]
}

function sidesOf(versions: readonly DatedVersion[]): Sides {
  const all = versions.map(agedOf)
  const active = all.find(({ state }) => state === 'active')
  const leaving =
    all.find(({ state }) => state === 'overlap') ??
    all.findLast(({ version, state }) => state === 'quarantined' && active !== undefined && version < active.version)
  return { active, pending: all.find(({ state }) => state === 'pending'), leaving, versions }
}

/** A step that retired it was done, also when its key was destroyed since. */
const isOver = (state: VersionState | undefined): boolean => state === 'retired' || state === 'destroyed'

const PLANS: Readonly<Record<RotationStep, (sides: Sides) => Plan>> = {
  open: ({ active, pending, leaving }) => {
    if (pending === undefined) {
      return leaving?.state === 'overlap' && active !== undefined
        ? { kind: 'done' }
        : refused('no version waits: begin')
    }
    const steps: Step[] = [{ version: pending.version, event: 'promote' }]
    if (active !== undefined) steps.push({ version: active.version, event: 'demote' })
    return { kind: 'move', version: pending.version, other: active?.version, steps }
  },

  revert: ({ active, pending, leaving }) => {
    if (leaving?.state !== 'overlap') {
      return pending !== undefined && active !== undefined ? { kind: 'done' } : refused('no overlap is open')
    }
    const steps: Step[] = [{ version: leaving.version, event: 'revert' }]
    if (active !== undefined) steps.unshift({ version: active.version, event: 'withdraw' })
    return { kind: 'move', version: leaving.version, other: active?.version, steps }
  },

  cutover: ({ active, pending, leaving, versions }) => {
    if (leaving !== undefined && active !== undefined) {
      const steps: Step[] = [{ version: leaving.version, event: 'retire' }]
      return { kind: 'move', version: leaving.version, other: active.version, steps }
    }
    if (leaving !== undefined) return refused('no version would sign after it: revert, or restore the new one')
    const isGone = ({ version: { version, state }, times }: DatedVersion): boolean =>
      isOver(state) && times.activeFrom !== undefined && version < (active?.version ?? 0)
    return pending === undefined && versions.some(isGone) ? { kind: 'done' } : refused('no overlap is open')
  },

  abandon: ({ pending, leaving, versions }) => {
    if (pending !== undefined) {
      const steps: Step[] = [{ version: pending.version, event: 'abandon' }]
      return { kind: 'move', version: pending.version, other: undefined, steps }
    }
    if (leaving?.state === 'overlap') return refused('the overlap is open: revert first')
    return isOver(versions.at(-1)?.version.state) ? { kind: 'done' } : refused('no version waits')
  },
}

export const planOf = (step: RotationStep, versions: readonly DatedVersion[]): Plan => PLANS[step](sidesOf(versions))

/** What is written for each step, before it is done. `src/compose/restore.ts` reads it again after a crash. */
export const ROTATION_EVENTS: Readonly<Record<RotationStep, string>> = {
  open: 'rotation-opened',
  revert: 'rotation-reverted',
  cutover: 'rotation-cut-over',
  abandon: 'rotation-abandoned',
}
const EVENTS: ReadonlySet<string> = new Set(Object.values(ROTATION_EVENTS))

/** `1:active>overlap 2:pending>active`: a record holds no lists. */
export const movesText = (moves: readonly StateMove[]): string =>
  moves.map(({ version, state, from = [] }) => `${version}:${from.join('|')}>${state}`).join(' ')

/** What a record says was about to be done; undefined for any other record, and for one that cannot be read. */
export function movesOfRecord(record: AuditEntry): { key: string; moves: readonly StateMove[] } | undefined {
  if (record.kind !== 'event' || !EVENTS.has(record.event)) return undefined
  const { key, moves: text } = record.detail
  if (typeof key !== 'string' || typeof text !== 'string') return undefined
  const moves = text.split(' ').flatMap(each => moveOf(each) ?? [])
  return moves.length === text.split(' ').length ? { key, moves } : undefined
}

function moveOf(text: string): StateMove | undefined {
  const [, number, was, becomes] = /^(\d{1,9}):([a-z]+)>([a-z]+)$/.exec(text) ?? []
  const [from, state] = [was, becomes].map(each => VERSION_STATES.find(known => known === each))
  if (number === undefined || from === undefined || state === undefined) return undefined
  return { version: Number(number), state, from: [from] }
}

/** Each version that changes, from the state that it was read in to the one it comes to. @throws `key/rotation` */
export function movesOf(key: string, versions: readonly DatedVersion[], steps: readonly Step[]): readonly StateMove[] {
  const before = versions.map(agedOf)
  const outcome = advance(before, steps)
  if (outcome.kind === 'refused') {
    throw new SignerError('key/rotation', { key, reason: `version ${outcome.version}: ${outcome.reason}` })
  }
  return outcome.versions.flatMap(({ version, state }) => {
    const was = before.find(each => each.version === version)?.state
    return was === undefined || was === state ? [] : [{ version, state, from: [was] }]
  })
}
