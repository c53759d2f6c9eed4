/** Whose signatures are in what waits to be sent; and who has a public key or an address, without reading all. */
export const SIGNERS_AND_HOLDERS = [
  'ALTER TABLE transactions ADD COLUMN signed_by TEXT CHECK (signed_by IS NULL OR length(signed_by) > 0)',
  'CREATE INDEX versions_by_public_key ON versions (public_key)',
  'CREATE INDEX versions_by_address ON versions (address)',
]

/** Transactions that are built, signed and sent here, one for each idempotency key. */
export const TRANSACTIONS = [
  `CREATE TABLE transactions (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    prepared TEXT,
    hash TEXT,
    envelope TEXT,
    outcome TEXT,
    PRIMARY KEY (scope, key)
  ) STRICT`,
  `CREATE INDEX transactions_by_hash ON transactions (hash)`,
  `CREATE INDEX transactions_by_age ON transactions (at)`,
]
