/** Keys, idempotency and the audit index, as they were released, step by step. */
export const REGISTRY_AND_INDEXES = [
  `CREATE TABLE keys (
    name TEXT PRIMARY KEY CHECK (length(name) > 0),
    chain TEXT NOT NULL CHECK (chain IN ('stellar', 'evm')),
    network TEXT NOT NULL CHECK (length(network) > 0),
    policy TEXT NOT NULL,
    policy_hash TEXT NOT NULL CHECK (length(policy_hash) = 64),
    created_at INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE versions (
    key TEXT NOT NULL REFERENCES keys (name),
    version INTEGER NOT NULL CHECK (version > 0),
    scheme TEXT NOT NULL CHECK (scheme IN ('ed25519', 'ecdsa-secp256k1')),
    public_key BLOB NOT NULL CHECK (length(public_key) = CASE scheme WHEN 'ed25519' THEN 32 ELSE 65 END),
    address TEXT NOT NULL CHECK (length(address) > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'overlap', 'retired', 'destroyed', 'revoked')),
    seal TEXT NOT NULL CHECK (length(seal) = 64),
    PRIMARY KEY (key, version)
  ) STRICT`,
  `CREATE UNIQUE INDEX versions_one_active ON versions (key) WHERE state = 'active'`,
  `CREATE TABLE bindings (
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
  `CREATE TABLE envelopes (
    binding_id TEXT PRIMARY KEY REFERENCES bindings (id),
    ciphertext BLOB NOT NULL CHECK (length(ciphertext) > 0),
    context TEXT NOT NULL
  ) STRICT`,
  `CREATE TABLE idempotency (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in-flight', 'done', 'released')),
    at INTEGER NOT NULL,
    result TEXT CHECK ((result IS NOT NULL) = (state = 'done')),
    PRIMARY KEY (scope, key)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX idempotency_by_age ON idempotency (at)`,
  `CREATE TABLE audit_index (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    hash TEXT NOT NULL CHECK (length(hash) > 0)
  ) STRICT`,
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT`,
]

/**
 * A CHECK cannot be changed in place. The tables that point to `versions` are made again with it, children gone first, so
 * that no row is ever without its parent: foreign keys cannot be switched off inside a transaction. The renaming carries
 * the references along.
 */
export const QUARANTINE = [
  `CREATE TABLE versions_2 (
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
  `CREATE TABLE bindings_2 (
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
  `CREATE TABLE envelopes_2 (
    binding_id TEXT PRIMARY KEY REFERENCES bindings_2 (id),
    ciphertext BLOB NOT NULL CHECK (length(ciphertext) > 0),
    context TEXT NOT NULL
  ) STRICT`,
  `INSERT INTO versions_2 (key, version, scheme, public_key, address, state, seal)
    SELECT key, version, scheme, public_key, address, state, seal FROM versions`,
  `INSERT INTO bindings_2 (id, key, version, position, provider, custody, reference)
    SELECT id, key, version, position, provider, custody, reference FROM bindings`,
  `INSERT INTO envelopes_2 (binding_id, ciphertext, context)
    SELECT binding_id, ciphertext, context FROM envelopes`,
  `DROP TABLE envelopes`,
  `DROP TABLE bindings`,
  `DROP TABLE versions`,
  `ALTER TABLE versions_2 RENAME TO versions`,
  `ALTER TABLE bindings_2 RENAME TO bindings`,
  `ALTER TABLE envelopes_2 RENAME TO envelopes`,
  `CREATE UNIQUE INDEX versions_one_active ON versions (key) WHERE state = 'active'`,
]

export const SUSPENDED_BINDINGS = [
  'ALTER TABLE bindings ADD COLUMN suspended TEXT CHECK (suspended IS NULL OR length(suspended) > 0)',
]

/** The account a version signs for, where that is not its own address. Seals of rows from before cover none. */
export const ACCOUNTS = ['ALTER TABLE versions ADD COLUMN account TEXT CHECK (account IS NULL OR length(account) > 0)']

/** When a version came into its states. Rows from before have none: their seal covers none. */
export const VERSION_TIMES = [
  'created_at',
  'active_from',
  'overlap_from',
  'retired_at',
  'destroyed_at',
  'revoked_at',
].map(column => `ALTER TABLE versions ADD COLUMN ${column} INTEGER CHECK (${column} IS NULL OR ${column} >= 0)`)
