import type { DatabaseSync } from 'node:sqlite'
import { SignerError } from '../domain/errors.ts'
import type { IdempotencyEntry, Reservation } from '../domain/ports.ts'
import { checkResult } from './checks.ts'
import { prepare } from './prepared.ts'
import type { NoValues, Row } from './steps.ts'
import { KEPT_MS, notReserved, type RestorableIdempotency } from './store.ts'

type Values = { scope: string; key: string; fingerprint: string; at: number; expired: number; result: string }

/** Reservations in SQLite. The step that decides is one statement, so callers of other processes cannot come between. */
export function sqliteIdempotency(database: DatabaseSync, keptMs = KEPT_MS): RestorableIdempotency {
  const statements = compile(database)
  return {
    async reserve(entry) {
      const values = { ...entry, expired: entry.at - keptMs }
      // Another process may end its call between the two statements; then the entry is free and the first one gets it.
      for (let round = 0; round < 3; round++) {
        if (statements.take.run(values) === 1) return { kind: 'reserved' }
        const found = readReservation(statements.find.get(entry), entry)
        if (found !== undefined) return found
      }
      throw new SignerError('store/unavailable', { reason: 'could not reserve an idempotency key: it keeps changing' })
    },

    async complete(entry, result) {
      const changed = statements.complete.run({ ...entry, result: JSON.stringify(checkResult({ ...result })) })
      if (changed !== 1) throw notReserved()
    },

    async release(entry) {
      statements.release.run(entry)
    },

    async restore(entry, result) {
      if (result === undefined) statements.restoreReleased.run({ ...entry, expired: entry.at - keptMs })
      else statements.restoreDone.run({ ...entry, result: JSON.stringify(checkResult({ ...result })) })
    },

    async purge(before) {
      return statements.purge.run({ before })
    },
  }
}

/** The owner's first step: calls of a process that is gone hold nothing any more. */
export function releaseOrphans(database: DatabaseSync): number {
  return prepare<NoValues>(database, 'release orphaned reservations', db =>
    db.updateTable('idempotency').set({ state: 'released' }).where('state', '=', 'in-flight'),
  ).run({})
}

function compile(database: DatabaseSync) {
  return {
    take: prepare<Omit<Values, 'result'>>(database, 'reserve an idempotency key', (db, p) =>
      db
        .insertInto('idempotency')
        .values({
          scope: p('scope'),
          key: p('key'),
          fingerprint: p('fingerprint'),
          state: 'in-flight',
          at: p('at'),
          result: null,
        })
        .onConflict(conflict =>
          conflict
            .columns(['scope', 'key'])
            .doUpdateSet({ fingerprint: p('fingerprint'), state: 'in-flight', at: p('at'), result: null })
            .where('idempotency.state', '!=', 'in-flight')
            .where(where =>
              where.or([
                where('idempotency.at', '<=', p('expired')),
                where.and([
                  where('idempotency.state', '=', 'released'),
                  where('idempotency.fingerprint', '=', p('fingerprint')),
                ]),
              ]),
            ),
        ),
    ),
    find: prepare<{ scope: string; key: string }>(database, 'read an idempotency key', (db, p) =>
      db
        .selectFrom('idempotency')
        .select(['fingerprint', 'state', 'result'])
        .where('scope', '=', p('scope'))
        .where('key', '=', p('key')),
    ),
    complete: prepare<Omit<Values, 'expired'>>(database, 'complete an idempotency key', (db, p) =>
      db
        .updateTable('idempotency')
        .set({ state: 'done', result: p('result') })
        .where('scope', '=', p('scope'))
        .where('key', '=', p('key'))
        .where('fingerprint', '=', p('fingerprint'))
        .where('at', '=', p('at'))
        .where('state', '=', 'in-flight'),
    ),
    release: prepare<Omit<Values, 'expired' | 'result'>>(database, 'release an idempotency key', (db, p) =>
      db
        .updateTable('idempotency')
        .set({ state: 'released' })
        .where('scope', '=', p('scope'))
        .where('key', '=', p('key'))
        .where('fingerprint', '=', p('fingerprint'))
        .where('at', '=', p('at'))
        .where('state', '=', 'in-flight'),
    ),
    restoreDone: prepare<Omit<Values, 'expired'>>(database, 'restore an idempotency key', (db, p) =>
      db
        .insertInto('idempotency')
        .values({
          scope: p('scope'),
          key: p('key'),
          fingerprint: p('fingerprint'),
          state: 'done',
          at: p('at'),
          result: p('result'),
        })
        .onConflict(conflict =>
          conflict
            .columns(['scope', 'key'])
            .doUpdateSet({ fingerprint: p('fingerprint'), state: 'done', at: p('at'), result: p('result') }),
        ),
    ),
    restoreReleased: prepare<Omit<Values, 'result'>>(database, 'restore an idempotency key', (db, p) =>
      db
        .insertInto('idempotency')
        .values({
          scope: p('scope'),
          key: p('key'),
          fingerprint: p('fingerprint'),
          state: 'released',
          at: p('at'),
          result: null,
        })
        .onConflict(conflict =>
          conflict
            .columns(['scope', 'key'])
            .doUpdateSet({ fingerprint: p('fingerprint'), state: 'released', at: p('at'), result: null })
            .where(where =>
              where.or([where('idempotency.state', '!=', 'done'), where('idempotency.at', '<=', p('expired'))]),
            ),
        ),
    ),
    purge: prepare<{ before: number }>(database, 'purge idempotency keys', (db, p) =>
      db.deleteFrom('idempotency').where('at', '<', p('before')).where('state', '!=', 'in-flight'),
    ),
  }
}

/** @returns undefined when the entry could be taken after all. */
export function readReservation(row: Row | undefined, entry: IdempotencyEntry): Reservation | undefined {
  if (row === undefined) return undefined
  if (row['fingerprint'] !== entry.fingerprint) return { kind: 'mismatch' }
  switch (row['state']) {
    case 'in-flight':
      return { kind: 'in-flight' }
    case 'done':
      return { kind: 'replay', result: checkResult(parse(row['result'])) }
    default:
      return undefined
  }
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(text as string)
  } catch {
    return undefined
  }
}
