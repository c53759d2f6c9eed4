import { SignerError } from '../domain/errors.ts'
import type { IdempotencyEntry, StoredResult } from '../domain/ports.ts'
import { checkResult } from './checks.ts'
import { readReservation } from './idempotency.ts'
import type { PostgresEngine } from './postgres-engine.ts'
import { type Lease, lives } from './postgres-lease.ts'
import { notReserved, type RestorableIdempotency } from './store.ts'

/** Of a reservation that nobody can complete: its owner is gone. */
const ABANDONED = `idempotency.state = 'in-flight' AND NOT ${lives('idempotency.owner')}`

/** Taken in one statement: a new entry, one that expired, one that was released or abandoned by the same request. */
const TAKE = `INSERT INTO idempotency (scope, key, fingerprint, state, at, result, owner)
  SELECT $1, $2, $3, 'in-flight', $4::bigint, NULL, $5 WHERE ${lives('$5::text')}
  ON CONFLICT (scope, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, state = 'in-flight', at = excluded.at, result = NULL, owner = excluded.owner
    WHERE (idempotency.state <> 'in-flight' AND idempotency.at <= $6::bigint)
      OR (idempotency.fingerprint = excluded.fingerprint AND (idempotency.state = 'released' OR (${ABANDONED})))`
const FIND = `SELECT fingerprint, state, result, (${ABANDONED}) AS abandoned
  FROM idempotency WHERE scope = $1 AND key = $2`
const OURS = `scope = $1 AND key = $2 AND fingerprint = $3 AND at = $4 AND owner = $5 AND state = 'in-flight'`
const COMPLETE = `UPDATE idempotency SET state = 'done', result = $6, owner = NULL WHERE ${OURS}`
const RELEASE = `UPDATE idempotency SET state = 'released', owner = NULL WHERE ${OURS}`
/** What a replica has kept since, or is about to sign, is newer than what this log tells. */
const RESTORE_DONE = `INSERT INTO idempotency (scope, key, fingerprint, state, at, result) VALUES ($1, $2, $3, 'done', $4, $5)
  ON CONFLICT (scope, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, state = 'done', at = excluded.at, result = excluded.result, owner = NULL
    WHERE CASE idempotency.state
      WHEN 'done' THEN idempotency.at <= excluded.at
      ELSE idempotency.fingerprint = excluded.fingerprint
        OR (idempotency.at <= excluded.at AND (idempotency.state = 'released' OR (${ABANDONED}))) END`
const RESTORE_RELEASED = `INSERT INTO idempotency (scope, key, fingerprint, state, at) VALUES ($1, $2, $3, 'released', $4)
  ON CONFLICT (scope, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, state = 'released', at = excluded.at, result = NULL, owner = NULL
    WHERE idempotency.at <= excluded.at AND CASE idempotency.state
      WHEN 'done' THEN idempotency.at <= $5
      WHEN 'in-flight' THEN idempotency.owner = $6 OR NOT ${lives('idempotency.owner')}
      ELSE TRUE END`
const PURGE = `DELETE FROM idempotency WHERE at < $1 AND state <> 'in-flight'`
const HOLD = `UPDATE claims SET held = 1 FROM idempotency
  WHERE claims.scope = idempotency.scope AND claims.key = idempotency.key AND claims.held = 0 AND ${ABANDONED}`
const RELEASE_ABANDONED = `UPDATE idempotency SET state = 'released', owner = NULL WHERE ${ABANDONED}`

/** More doubtful ends than this are left to the next start. */
const DOUBTFUL_MAX = 10_000

export interface SharedIdempotency extends RestorableIdempotency {
  /** Ends what a lost connection left open. */
  settle(): Promise<void>
}

/**
 * Reservations that several instances share. Each belongs to the instance that took it: only that one completes it, and
 * only as long as nobody took it over.
 */
export function postgresIdempotency(
  engine: PostgresEngine,
  lease: Lease | undefined,
  keptMs: number,
): SharedIdempotency {
  const doubtful = new Map<IdempotencyEntry, string | undefined>()
  const idOf = ({ scope, key, fingerprint, at }: IdempotencyEntry) => [scope, key, fingerprint, at] as const
  const owner = lease?.owner ?? null

  /** When no answer comes, it may have happened or not: it is tried again later. */
  const orLater = async <T>(
    entry: IdempotencyEntry,
    result: string | undefined,
    body: () => Promise<T>,
  ): Promise<T> => {
    try {
      return await body()
    } catch (error) {
      if (doubtful.size < DOUBTFUL_MAX) doubtful.set(entry, result)
      throw error
    }
  }
  const complete = async (entry: IdempotencyEntry, text: string): Promise<boolean> => {
    const values = [...idOf(entry), owner, text]
    return (await engine.single('complete an idempotency key', 'idem-complete', COMPLETE, values)).changes === 1
  }
  const release = async (entry: IdempotencyEntry): Promise<void> => {
    await engine.single('release an idempotency key', 'idem-release', RELEASE, [...idOf(entry), owner])
  }
  const textOf = (result: StoredResult) => JSON.stringify(checkResult({ ...result }))

  return {
    async reserve(entry) {
      if (lease === undefined) throw cannotReserve('a command beside the service takes no reservations')
      const taking = [...idOf(entry), owner, entry.at - keptMs]
      for (let round = 0; round < 3; round++) {
        const took = await orLater(entry, undefined, () =>
          engine.single('reserve an idempotency key', 'idem-take', TAKE, taking),
        )
        if (took.changes === 1) return { kind: 'reserved' }
        const found = await engine.single('read an idempotency key', 'idem-find', FIND, [entry.scope, entry.key])
        const row = found.rows[0]
        const reservation = readReservation(row, entry)
        const held = reservation?.kind !== 'in-flight' || row?.['abandoned'] === false
        if (reservation !== undefined && held) return reservation
        // Nobody holds it: either it was freed just now, or the lease of this instance ended, which may be mended.
        if (!(await lease.renew())) throw cannotReserve('another process has taken the name of this instance')
      }
      throw cannotReserve('it keeps changing')
    },

    async complete(entry, result) {
      const text = textOf(result)
      if (!(await orLater(entry, text, () => complete(entry, text)))) throw notReserved()
    },

    release: entry => orLater(entry, undefined, () => release(entry)),

    async restore(entry, result) {
      if (result === undefined) {
        const values = [...idOf(entry), entry.at - keptMs, owner]
        await engine.single('restore an idempotency key', 'idem-restore-released', RESTORE_RELEASED, values)
        return
      }
      await engine.single('restore an idempotency key', 'idem-restore-done', RESTORE_DONE, [
        ...idOf(entry),
        textOf(result),
      ])
    },

    purge: async before => (await engine.single('purge idempotency keys', 'idem-purge', PURGE, [before])).changes,

    async settle() {
      for (const [entry, text] of doubtful) {
        if (text === undefined) await release(entry)
        else await complete(entry, text)
        doubtful.delete(entry)
      }
    },
  }
}

/** Reservations whose owner is gone hold nothing any more; what they claimed stays claimed, for a signature may exist. */
export const releaseAbandoned = (engine: PostgresEngine): Promise<number> =>
  engine.transaction('release abandoned reservations', async session => {
    await session.query('idem-hold', HOLD)
    return (await session.query('idem-abandoned', RELEASE_ABANDONED)).changes
  })

const cannotReserve = (why: string) =>
  new SignerError('store/unavailable', { reason: `could not reserve an idempotency key: ${why}` })
