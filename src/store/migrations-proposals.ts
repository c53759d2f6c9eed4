/** Transactions that wait for several signatures, and what others are told of them. */
export const PROPOSALS = [
  `CREATE TABLE proposals (
    id TEXT PRIMARY KEY CHECK (length(id) > 0),
    network TEXT NOT NULL CHECK (length(network) > 0),
    hash TEXT NOT NULL CHECK (length(hash) = 64),
    envelope TEXT NOT NULL,
    summary TEXT NOT NULL,
    keys TEXT NOT NULL,
    needed TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL
      CHECK (state IN ('collecting', 'executing', 'executed', 'failed', 'cancelled', 'expired')),
    lease_until INTEGER CHECK ((lease_until IS NOT NULL) = (state = 'executing')),
    outcome TEXT
  ) STRICT`,
  // The network is part of what is hashed, so one hash is one transaction of one network. For other keys of ours it may wait
  // apart: nobody who may propose for one key keeps the holders of another from theirs, and the network runs it once.
  `CREATE UNIQUE INDEX proposals_waiting ON proposals (hash, keys) WHERE state IN ('collecting', 'executing')`,
  `CREATE INDEX proposals_by_age ON proposals (proposed_at, id)`,
  `CREATE INDEX proposals_by_end ON proposals (state, expires_at)`,
  `CREATE TABLE proposal_signatures (
    proposal_id TEXT NOT NULL REFERENCES proposals (id),
    signer TEXT NOT NULL CHECK (length(signer) > 0),
    signature TEXT NOT NULL,
    key TEXT,
    brought_by TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (proposal_id, signer)
  ) STRICT`,
  `CREATE TABLE notices (
    id TEXT PRIMARY KEY CHECK (length(id) > 0),
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL CHECK (tries >= 0)
  ) STRICT`,
  `CREATE INDEX notices_by_due ON notices (due_at)`,
]
