import type { Flag } from './flag.ts'
import type { FlagContext } from './flag-set.ts'

/** What the flag is for somebody, and which set of flags says so. */
export interface Evaluated {
  readonly flag: Flag
  /** For the records: the first 16 hex digits of the hash of the set, or of the flag when a service answered. */
  readonly version: string
}

/** The one method that any flag system must offer. */
export interface FlagSource {
  /** Never rejects for reasons of the source: it then answers what it last knew, or `off`. */
  evaluate(context: FlagContext): Promise<Evaluated>
}

/** What becomes of a source that has failed for longer than its age limit. */
export type WhenStale = 'keep' | 'off'

/** What a source tells those who watch over it. */
export interface FlagJournal {
  /** Resolves when the change is on record; before that nobody meets it. @throws when it cannot be recorded: then it does not happen. */
  changed(change: FlagChange): Promise<void>
  /** The source cannot be read, or says what cannot be used. Once when it begins, then once a minute at most. */
  failed(trouble: FlagTrouble): void
  /** It can be read again. */
  recovered(): void
}

export interface FlagChange {
  /** Absent when it concerns everybody. */
  readonly context?: FlagContext
  /** Hashes, hex; empty when there was nothing. */
  readonly before: string
  readonly after: string
  /** Canonical JSON of what went and of what came. */
  readonly gone: string
  readonly came: string
}

export interface FlagTrouble {
  readonly reason: string
  /** How old the last good value is, milliseconds; undefined: there never was one. */
  readonly ageMs: number | undefined
  /** True when the age limit has passed. */
  readonly stale: boolean
}

export const shortVersion = (hash: string): string => hash.slice(0, 16)
