/** When a version came into its states: how that is kept, and what each change of state makes of it. */
import { maySign, type ResolvedKey, type VersionState, type VersionTimes } from '../domain/key.ts'
import { mismatch } from './checks.ts'
import type { VersionsTable } from './schema.ts'
import type { Row } from './steps.ts'

export type TimesRow = Pick<
  VersionsTable,
  'created_at' | 'active_from' | 'overlap_from' | 'retired_at' | 'destroyed_at' | 'revoked_at'
>

/** A version as its row has it. Without times: a row of an earlier release that was not changed since. */
export interface Held extends ResolvedKey {
  readonly times: VersionTimes | undefined
}

export const timesRow = (times: VersionTimes): TimesRow => ({
  created_at: times.createdAt,
  active_from: times.activeFrom ?? null,
  overlap_from: times.overlapFrom ?? null,
  retired_at: times.retiredAt ?? null,
  destroyed_at: times.destroyedAt ?? null,
  revoked_at: times.revokedAt ?? null,
})

/** @returns undefined for a row without. @throws `key/mismatch` when one is no time, or stands alone */
export function readTimes(key: string, row: Row): VersionTimes | undefined {
  const read = (column: string): number | undefined => {
    const value = row[column]
    if (value === null) return undefined
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
    throw mismatch(key, `${column} of a version is not a time`)
  }
  const times = {
    activeFrom: read('active_from'),
    overlapFrom: read('overlap_from'),
    retiredAt: read('retired_at'),
    destroyedAt: read('destroyed_at'),
    revokedAt: read('revoked_at'),
  }
  const createdAt = read('made_at')
  const known = Object.fromEntries(Object.entries(times).filter(([, time]) => time !== undefined))
  if (createdAt !== undefined) return { createdAt, ...known }
  if (Object.keys(known).length > 0) throw mismatch(key, 'a version has times, and none of its creation')
  return undefined
}

/** What a new version begins with. */
export const timesOfNew = (state: VersionState, now: number): VersionTimes => enter({ createdAt: now }, state, now)

/**
 * What is known of a version from before times were kept: it came with its key. When it ended is not known, so it is taken
 * to have ended at once: whoever relies on it learns too little rather than too much.
 */
export const timesBefore = ({ key: { createdAt }, version: { state } }: ResolvedKey): VersionTimes =>
  state === 'pending' ? { createdAt } : enter({ createdAt, activeFrom: createdAt }, state, createdAt)

/** The first time counts. What may sign or waits for it has not ended; what was revoked stays so until then. */
export function enter(times: VersionTimes, state: VersionState, now: number): VersionTimes {
  const { retiredAt: _, destroyedAt: __, revokedAt: ___, ...unended } = times
  if (maySign(state)) {
    const since = { ...unended, activeFrom: times.activeFrom ?? now }
    return state === 'overlap' ? { ...since, overlapFrom: times.overlapFrom ?? now } : since
  }
  switch (state) {
    case 'pending':
      return unended
    case 'retired':
      return { ...times, retiredAt: times.retiredAt ?? now }
    case 'destroyed':
      return { ...times, destroyedAt: times.destroyedAt ?? now }
    case 'revoked':
      return { ...times, revokedAt: times.revokedAt ?? now }
    default:
      return times
  }
}
