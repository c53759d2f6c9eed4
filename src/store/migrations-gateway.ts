/** Administrators, tokens, policy changes and what signatures use up. */
export const GATEWAY = [
  `CREATE TABLE admins (
    address TEXT PRIMARY KEY CHECK (length(address) > 0),
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    seal TEXT NOT NULL CHECK (length(seal) = 64)
  ) STRICT`,
  `CREATE TABLE challenges (
    id TEXT PRIMARY KEY CHECK (length(id) > 0),
    expires_at INTEGER NOT NULL,
    used INTEGER NOT NULL CHECK (used IN (0, 1))
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX challenges_by_end ON challenges (expires_at)`,
  `CREATE TABLE tokens (
    id TEXT PRIMARY KEY CHECK (length(id) > 0),
    subject TEXT NOT NULL,
    issued_by TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    grants TEXT NOT NULL
  ) STRICT`,
  `CREATE INDEX tokens_by_end ON tokens (expires_at)`,
  `CREATE TABLE revocations (
    id TEXT PRIMARY KEY CHECK (length(id) > 0),
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE policy_changes (
    id TEXT PRIMARY KEY CHECK (length(id) > 0),
    key TEXT NOT NULL CHECK (length(key) > 0),
    from_hash TEXT NOT NULL CHECK (length(from_hash) = 64),
    to_hash TEXT NOT NULL CHECK (length(to_hash) = 64),
    to_text TEXT NOT NULL,
    tests_text TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('tightening', 'loosening')),
    proposed_by TEXT NOT NULL,
    proposed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'activated', 'withdrawn'))
  ) STRICT`,
  `CREATE INDEX policy_changes_by_age ON policy_changes (proposed_at)`,
  `CREATE TABLE approvals (
    change_id TEXT NOT NULL REFERENCES policy_changes (id),
    address TEXT NOT NULL CHECK (length(address) > 0),
    signature TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (change_id, address)
  ) STRICT`,
  `CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    longest_ms INTEGER NOT NULL,
    idle_at INTEGER NOT NULL,
    buckets TEXT NOT NULL
  ) STRICT`,
  `CREATE TABLE claims (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    at INTEGER NOT NULL,
    held INTEGER NOT NULL CHECK (held IN (0, 1)),
    taken TEXT NOT NULL,
    PRIMARY KEY (scope, key, fingerprint)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE slots (
    slot TEXT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    hash TEXT NOT NULL,
    effects TEXT NOT NULL,
    fee TEXT NOT NULL,
    expires_at INTEGER,
    at INTEGER NOT NULL,
    PRIMARY KEY (slot, scope, key, fingerprint)
  ) STRICT, WITHOUT ROWID`,
]

/** What only a store of several processes needs: who is alive, whose reservation it is, one log head each, shared limits. */
export const REPLICAS = [
  `CREATE TABLE instances (
    name TEXT PRIMARY KEY CHECK (length(name) > 0),
    owner TEXT NOT NULL UNIQUE,
    lease_until TIMESTAMPTZ NOT NULL
  )`,
  `ALTER TABLE idempotency ADD COLUMN owner TEXT`,
  `CREATE INDEX idempotency_in_flight ON idempotency (owner) WHERE state = 'in-flight'`,
  `CREATE TABLE audit_heads (
    instance TEXT PRIMARY KEY CHECK (length(instance) > 0),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    hash TEXT NOT NULL CHECK (length(hash) > 0)
  )`,
  `CREATE TABLE rate_events (
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    n INTEGER NOT NULL CHECK (n > 0),
    gone_at INTEGER NOT NULL,
    PRIMARY KEY (name, at)
  )`,
  `CREATE INDEX rate_events_by_end ON rate_events (gone_at)`,
  // SQLite goes through the table when it purges: there these two would cost every signature a third of its claim.
  `CREATE INDEX claims_by_age ON claims (at)`,
  `CREATE INDEX slots_by_age ON slots (at)`,
]
