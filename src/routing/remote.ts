import canonicalize from 'canonicalize'
import type { Clock } from '../domain/ports.ts'
import { type Flag, OFF, readFlag } from './flag.ts'
import { type FlagContext, hashOfFlags } from './flag-set.ts'
import { type FlagJournal, type FlagSource, shortVersion, type WhenStale } from './source.ts'
import { createHealth } from './trouble.ts'
import { reasonOf } from './watched.ts'

export interface RemoteOptions {
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  /** Asks the flag service. What it answers is not believed. */
  readonly ask: (context: FlagContext) => Promise<unknown>
  readonly journal: FlagJournal
  /** Names what the flag speaks of and this key does not have. */
  readonly problems: (flag: Flag, context: FlagContext) => Promise<readonly string[]>
  readonly deadlineMs?: number
  /** An answer is used for so long. */
  readonly freshMs?: number
  readonly ageMaxMs?: number
  readonly whenStale?: WhenStale
  /** Contexts remembered; the one that was not asked for longest is forgotten. */
  readonly remembered?: number
}

interface Known {
  readonly flag: Flag
  readonly hash: string
  readonly askedAt: number
  readonly goodAt: number
}

/**
 * Flags out of a service that may be slow, down or wrong: each context is asked for once a second at most and for a short
 * time only; until there is a good answer the last one holds, and `off` when there never was one.
 */
export function createRemoteFlags(options: RemoteOptions): FlagSource {
  const { clock, journal, deadlineMs = 100, freshMs = 1_000, ageMaxMs = 900_000, whenStale = 'keep' } = options
  const { remembered = 10_000 } = options
  const known = new Map<string, Known>()
  const asking = new Map<string, Promise<void>>()
  const health = createHealth(clock, ageMaxMs, journal)
  const NOTHING: Known = { flag: OFF, hash: '', askedAt: Number.NEGATIVE_INFINITY, goodAt: clock.monotonic() }

  const keep = (id: string, entry: Known): void => {
    known.delete(id)
    known.set(id, entry)
    if (known.size > remembered) known.delete(known.keys().next().value as string)
  }

  const ask = async (id: string, context: FlagContext): Promise<void> => {
    const before = known.get(id) ?? NOTHING
    keep(id, { ...before, askedAt: clock.monotonic() })
    try {
      const flag = readFlag(await inTime(options.ask(context), clock, deadlineMs))
      const found = await options.problems(flag, context)
      if (found.length > 0) throw new Error(found.join('; '))
      const hash = hashOfFlags(flag)
      if (hash !== before.hash && !(before.hash === '' && flag.mode === 'off')) {
        const [gone, came] = [before.hash === '' ? '' : text(before.flag), text(flag)]
        await journal.changed({ context, before: before.hash, after: hash, gone, came })
      }
      const now = clock.monotonic()
      keep(id, { flag, hash, askedAt: now, goodAt: now })
      health.good()
    } catch (error) {
      health.bad(reasonOf(error))
    }
  }

  return {
    evaluate: async context => {
      const id = JSON.stringify([context.environment, context.key, context.caller])
      const last = known.get(id) ?? NOTHING
      if (clock.monotonic() - last.askedAt >= freshMs && !asking.has(id)) {
        asking.set(
          id,
          ask(id, context).finally(() => asking.delete(id)),
        )
      }
      await asking.get(id)
      const now = known.get(id) ?? NOTHING
      const version = shortVersion(now.hash)
      if (whenStale === 'off' && clock.monotonic() - now.goodAt > ageMaxMs) {
        return { flag: OFF, version: `${version}-stale` }
      }
      return { flag: now.flag, version }
    },
  }
}

const text = (flag: Flag): string => String(canonicalize(flag))

async function inTime<T>(answer: Promise<T>, clock: Pick<Clock, 'sleep'>, ms: number): Promise<T> {
  const over = new AbortController()
  const late = clock.sleep(ms, over.signal).then(() => Promise.reject(new Error('no answer within the deadline')))
  late.catch(() => {})
  try {
    return await Promise.race([answer, late])
  } finally {
    over.abort()
  }
}
