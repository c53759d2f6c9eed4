import { openPostgresStore, type PostgresOptions, type PostgresStore } from '../../../src/store/postgres.ts'
import type { PostgresConnection } from '../../../src/store/postgres-options.ts'
import { postgres, type TestServer } from '../../support/postgres.ts'

/** Sleeps until it is told to stop: what a timer would do is done by the tests. */
export const clock = {
  now: () => 1_000_000,
  sleep: (_: number, signal?: AbortSignal) =>
    new Promise<void>((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
}

/** It ends with this process: one that runs several files of tests has one server for all of them. */
const started = await postgres()

/** Why there is no server to test with. */
export const skip = 'skip' in started ? started.skip : undefined

export const server = (): TestServer => {
  if ('skip' in started) throw new Error(started.skip)
  return started.server
}

const TABLES = [
  ...['envelopes', 'bindings', 'versions', 'keys', 'idempotency', 'audit_heads', 'instances', 'admins', 'challenges'],
  ...['proposal_signatures', 'proposals', 'notices', 'transactions'],
  ...['tokens', 'revocations', 'approvals', 'policy_changes', 'counters', 'claims', 'slots', 'rate_events'],
]

/** One database for a file of tests; `empty` leaves its tables standing. */
export function world(database: string) {
  let made: Promise<PostgresConnection> | undefined
  const connection = (): Promise<PostgresConnection> => (made ??= server().database(database))
  const open = async (instance = 'one', more: Partial<PostgresOptions> = {}): Promise<PostgresStore> =>
    openPostgresStore({ connection: await connection(), clock, instance, callersTime: true, poolSize: 4, ...more })
  let standing = false
  const empty = async (): Promise<void> => {
    await connection()
    if (standing) await server().sql(TABLES.map(table => `DELETE FROM ${table}`).join(';'), database)
    standing = true
  }
  return { connection, open, empty, sql: (text: string) => server().sql(text, database) }
}
