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
