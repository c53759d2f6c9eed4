import { isSignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'
import { OFF } from './flag.ts'
import { differenceOf, flagFor, type FlagSet, hashOfFlags, NO_FLAGS } from './flag-set.ts'
import { type FlagJournal, type FlagSource, shortVersion, type WhenStale } from './source.ts'
import { createHealth } from './trouble.ts'

/** A document that somebody else may change at any time. */
export interface WatchedDocument {
  /** Changes with the document: time of change, size and identity of a file. Undefined: it is not there. */
  stamp(): Promise<string | undefined>
  /** @throws `config/invalid` when it cannot be understood */
  read(): Promise<FlagSet>
}

export interface WatchedOptions {
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  readonly document: WatchedDocument
  readonly journal: FlagJournal
  /** Names what the set speaks of and the registry does not know. */
  readonly problems: (flags: FlagSet) => Promise<readonly string[]>
  /** The document is looked at once in so many milliseconds at most. */
  readonly everyMs?: number
  /** How long a request waits for a new set; after that it goes by the one it has. */
  readonly patienceMs?: number
  readonly ageMaxMs?: number
  readonly whenStale?: WhenStale
}

/**
 * Flags out of a document, read again without a restart: when a request comes and the last look is a second old, the
 * document's stamp is looked at. A new set is read, checked, recorded, and only then used; one that cannot be read, says
 * what is unknown or cannot be recorded leaves the last good one in force.
 */
export function createWatchedFlags(options: WatchedOptions): FlagSource & { load(): Promise<void> } {
  const {
    clock,
    document,
    journal,
    everyMs = 1_000,
    patienceMs = 250,
    ageMaxMs = 900_000,
    whenStale = 'keep',
  } = options
  const health = createHealth(clock, ageMaxMs, journal)
  let flags: FlagSet = NO_FLAGS
  let hash = ''
  let stamp: string | undefined
  let isThere = false
  let lookedAt = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined

  const take = async (next: FlagSet): Promise<void> => {
    const after = hashOfFlags(next)
    if (after === hash) return
    const isFirst = hash === ''
    const found = await options.problems(next)
    if (found.length > 0 && !isFirst) throw new Error(found.join('; '))
    // There is nothing to keep to at the start: what cannot be followed is left out request by request.
    const reason = found.join('; ').slice(0, 1000)
    if (found.length > 0) journal.failed({ reason, ageMs: undefined, stale: false })
    if (!isFirst || next.rules.length > 0) {
      await journal.changed({ before: hash, after, ...differenceOf(flags, next) })
    }
    flags = next
    hash = after
  }

  const look = async (): Promise<void> => {
    const seen = await document.stamp()
    if (seen === undefined) {
      if (isThere) throw new Error('the document is gone')
      await take(NO_FLAGS)
      return
    }
    if (isThere && seen === stamp) return
    await take(await document.read())
    stamp = seen
    isThere = true
  }

  const lookSafely = async (): Promise<void> => {
    lookedAt = clock.monotonic()
    try {
      await look()
      health.good()
    } catch (error) {
      health.bad(reasonOf(error))
    }
  }

  const fresh = async (): Promise<void> => {
    if (looking === undefined) {
      if (clock.monotonic() - lookedAt < everyMs) return
      looking = lookSafely().finally(() => (looking = undefined))
    }
    const enough = new AbortController()
    const patience = clock.sleep(patienceMs, enough.signal).catch(() => {})
    await Promise.race([looking, patience])
    enough.abort()
  }

  return {
    load: async () => {
      await look()
      lookedAt = clock.monotonic()
      health.good()
    },
    evaluate: async context => {
      await fresh()
      const version = shortVersion(hash)
      if (whenStale === 'off' && health.isStale()) return { flag: OFF, version: `${version}-stale` }
      return { flag: flagFor(flags, context), version }
    },
  }
}

/** For logs and records: our own words whole, a foreign error by its message, cut. */
export function reasonOf(error: unknown): string {
  if (isSignerError(error)) {
    if (error.code !== 'config/invalid') return error.code
    return error.detail.problems
      .map(({ path, problem }) => `${path} ${problem}`)
      .join('; ')
      .slice(0, 1000)
  }
  return error instanceof Error ? error.message.slice(0, 1000) : 'an unexpected fault'
}
