import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { GATEWAY, REPLICAS } from './migrations-gateway.ts'
import { PROPOSALS } from './migrations-proposals.ts'
import { ACCOUNTS, QUARANTINE, REGISTRY_AND_INDEXES, SUSPENDED_BINDINGS, VERSION_TIMES } from './migrations-registry.ts'
import { SIGNERS_AND_HOLDERS, TRANSACTIONS } from './migrations-transactions.ts'
import type { StoreTables } from './schema.ts'

export type EngineName = 'sqlite' | 'postgres'

/**
 * Every change of the schema, in order of name; one static object, because the single binary has no folder to read.
 * Forward only: there is no `down`, and a migration that was ever released is never edited. Each is written once, in the
 * words of SQLite; `postgresForm` is all that differs.
 */
export function migrationsFor(engine: EngineName): Readonly<Record<string, Migration>> {
  const steps = (...statements: readonly string[]): Migration => ({
    up: async (db: Kysely<StoreTables>) => {
      for (const each of statements) {
        await sql.raw(engine === 'postgres' ? postgresForm(each) : each).execute(db)
      }
    },
  })
  return {
    '0001-registry-idempotency-audit-index': steps(...REGISTRY_AND_INDEXES),
    '0002-quarantine': steps(...QUARANTINE),
    '0003-suspended-bindings': steps(...SUSPENDED_BINDINGS),
    '0004-gateway': steps(...GATEWAY, ...(engine === 'postgres' ? REPLICAS : [])),
    '0005-versions': steps(...VERSION_TIMES),
    '0006-transactions': steps(...TRANSACTIONS),
    '0007-proposals': steps(...PROPOSALS),
    '0008-accounts': steps(...ACCOUNTS),
    '0009-signers-and-holders': steps(...SIGNERS_AND_HOLDERS),
  }
}

export const MIGRATIONS = migrationsFor('sqlite')

/** Text compares byte by byte, as in SQLite, whatever the language of the database. */
export const postgresForm = (statement: string): string =>
  statement
    .replaceAll(/\bINTEGER\b/g, 'BIGINT')
    .replaceAll(/\bBLOB\b/g, 'BYTEA')
    .replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"')
    .replace(/\) STRICT(, WITHOUT ROWID)?$/, ')')
