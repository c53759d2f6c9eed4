import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { StoreTables } from './schema.ts'

/**
 * Every change of the schema, in order of name; one static object, because the single binary has no folder to read.
 * Forward only: there is no `down`, and a migration that was ever released is never edited.
 */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-registry-idempotency-audit-index': { up: registryAndIndexes },
  '0002-quarantine': { up: quarantine },
  '0003-suspended-bindings': { up: suspendedBindings },
}

async function registryAndIndexes(db: Kysely<StoreTables>): Promise<void> {
  const tables = [
    sql`CREATE TABLE keys (
      name TEXT PRIMARY KEY CHECK (length(name) > 0),
      chain TEXT NOT NULL CHECK (chain IN ('stellar', 'evm')),
      network TEXT NOT NULL CHECK (length(network) > 0),
      policy TEXT NOT NULL,
      policy_hash TEXT NOT NULL CHECK (length(policy_hash) = 64),
      created_at INTEGER NOT NULL
    ) STRICT`,
    sql`CREATE TABLE versions (
      key TEXT NOT NULL REFERENCES keys (name),
      version INTEGER NOT NULL CHECK (version > 0),
      scheme TEXT NOT NULL CHECK (scheme IN ('ed25519', 'ecdsa-secp256k1')),
      public_key BLOB NOT NULL CHECK (length(public_key) = CASE scheme WHEN 'ed25519' THEN 32 ELSE 65 END),
      address TEXT NOT NULL CHECK (length(address) > 0),
      state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'overlap', 'retired', 'destroyed', 'revoked')),
      seal TEXT NOT NULL CHECK (length(seal) = 64),
      PRIMARY KEY (key, version)
    ) STRICT`,
    sql`CREATE UNIQUE INDEX versions_one_active ON versions (key) WHERE state = 'active'`,
    sql`CREATE TABLE bindings (
      id TEXT PRIMARY KEY CHECK (length(id) > 0),
      key TEXT NOT NULL,
      version INTEGER NOT NULL,
      position INTEGER NOT NULL CHECK (position >= 0),
      provider TEXT NOT NULL CHECK (length(provider) > 0),
      custody TEXT NOT NULL CHECK (custody IN ('native', 'envelope')),
      reference TEXT NOT NULL CHECK (length(reference) > 0),
      UNIQUE (key, version, position),
      FOREIGN KEY (key, version) REFERENCES versions (key, version)
    ) STRICT`,
    sql`CREATE TABLE envelopes (
      binding_id TEXT PRIMARY KEY REFERENCES bindings (id),
      ciphertext BLOB NOT NULL CHECK (length(ciphertext) > 0),
      context TEXT NOT NULL
    ) STRICT`,
    sql`CREATE TABLE idempotency (
      scope TEXT NOT NULL,
      key TEXT NOT NULL,
      fingerprint TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('in-flight', 'done', 'released')),
      at INTEGER NOT NULL,
      result TEXT CHECK ((result IS NOT NULL) = (state = 'done')),
      PRIMARY KEY (scope, key)
    ) STRICT, WITHOUT ROWID`,
    sql`CREATE INDEX idempotency_by_age ON idempotency (at)`,
    sql`CREATE TABLE audit_index (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      seq INTEGER NOT NULL CHECK (seq >= 0),
      hash TEXT NOT NULL CHECK (length(hash) > 0)
    ) STRICT`,
    sql`CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT`,
  ]
  for (const table of tables) await table.execute(db)
}

/**
 * A CHECK cannot be changed in place. The tables that point to `versions` are made again with it, children gone first, so
 * that no row is ever without its parent: foreign keys cannot be switched off inside a transaction. The renaming carries
 * the references along.
 */
async function quarantine(db: Kysely<StoreTables>): Promise<void> {
  const steps = [
    sql`CREATE TABLE versions_2 (
      key TEXT NOT NULL REFERENCES keys (name),
      version INTEGER NOT NULL CHECK (version > 0),
      scheme TEXT NOT NULL CHECK (scheme IN ('ed25519', 'ecdsa-secp256k1')),
      public_key BLOB NOT NULL CHECK (length(public_key) = CASE scheme WHEN 'ed25519' THEN 32 ELSE 65 END),
      address TEXT NOT NULL CHECK (length(address) > 0),
      state TEXT NOT NULL
        CHECK (state IN ('pending', 'active', 'overlap', 'quarantined', 'retired', 'destroyed', 'revoked')),
      seal TEXT NOT NULL CHECK (length(seal) = 64),
      PRIMARY KEY (key, version)
    ) STRICT`,
    sql`CREATE TABLE bindings_2 (
      id TEXT PRIMARY KEY CHECK (length(id) > 0),
      key TEXT NOT NULL,
      version INTEGER NOT NULL,
      position INTEGER NOT NULL CHECK (position >= 0),
      provider TEXT NOT NULL CHECK (length(provider) > 0),
      custody TEXT NOT NULL CHECK (custody IN ('native', 'envelope')),
      reference TEXT NOT NULL CHECK (length(reference) > 0),
      UNIQUE (key, version, position),
      FOREIGN KEY (key, version) REFERENCES versions_2 (key, version)
    ) STRICT`,
    sql`CREATE TABLE envelopes_2 (
      binding_id TEXT PRIMARY KEY REFERENCES bindings_2 (id),
      ciphertext BLOB NOT NULL CHECK (length(ciphertext) > 0),
      context TEXT NOT NULL
    ) STRICT`,
    sql`INSERT INTO versions_2 (key, version, scheme, public_key, address, state, seal)
      SELECT key, version, scheme, public_key, address, state, seal FROM versions`,
    sql`INSERT INTO bindings_2 (id, key, version, position, provider, custody, reference)
      SELECT id, key, version, position, provider, custody, reference FROM bindings`,
    sql`INSERT INTO envelopes_2 (binding_id, ciphertext, context)
      SELECT binding_id, ciphertext, context FROM envelopes`,
    sql`DROP TABLE envelopes`,
    sql`DROP TABLE bindings`,
    sql`DROP TABLE versions`,
    sql`ALTER TABLE versions_2 RENAME TO versions`,
    sql`ALTER TABLE bindings_2 RENAME TO bindings`,
    sql`ALTER TABLE envelopes_2 RENAME TO envelopes`,
    sql`CREATE UNIQUE INDEX versions_one_active ON versions (key) WHERE state = 'active'`,
  ]
  for (const step of steps) await step.execute(db)
}

async function suspendedBindings(db: Kysely<StoreTables>): Promise<void> {
  await sql`ALTER TABLE bindings ADD COLUMN suspended TEXT CHECK (suspended IS NULL OR length(suspended) > 0)`.execute(
    db,
  )
}
