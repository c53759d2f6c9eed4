-- A store as the first release wrote it: three keys, one answer kept, the log known up to record 7.
CREATE TABLE "kysely_migration" ("name" varchar(255) not null primary key, "timestamp" varchar(255) not null);
CREATE TABLE "kysely_migration_lock" ("id" varchar(255) not null primary key, "is_locked" integer default 0 not null);
CREATE TABLE keys (
      name TEXT PRIMARY KEY CHECK (length(name) > 0),
      chain TEXT NOT NULL CHECK (chain IN ('stellar', 'evm')),
      network TEXT NOT NULL CHECK (length(network) > 0),
      policy TEXT NOT NULL,
      policy_hash TEXT NOT NULL CHECK (length(policy_hash) = 64),
      created_at INTEGER NOT NULL
    ) STRICT;
CREATE TABLE versions (
      key TEXT NOT NULL REFERENCES keys (name),
      version INTEGER NOT NULL CHECK (version > 0),
      scheme TEXT NOT NULL CHECK (scheme IN ('ed25519', 'ecdsa-secp256k1')),
      public_key BLOB NOT NULL CHECK (length(public_key) = CASE scheme WHEN 'ed25519' THEN 32 ELSE 65 END),
      address TEXT NOT NULL CHECK (length(address) > 0),
      state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'overlap', 'retired', 'destroyed', 'revoked')),
      seal TEXT NOT NULL CHECK (length(seal) = 64),
      PRIMARY KEY (key, version)
    ) STRICT;
CREATE UNIQUE INDEX versions_one_active ON versions (key) WHERE state = 'active';
CREATE TABLE bindings (
      id TEXT PRIMARY KEY CHECK (length(id) > 0),
      key TEXT NOT NULL,
      version INTEGER NOT NULL,
      position INTEGER NOT NULL CHECK (position >= 0),
      provider TEXT NOT NULL CHECK (length(provider) > 0),
      custody TEXT NOT NULL CHECK (custody IN ('native', 'envelope')),
      reference TEXT NOT NULL CHECK (length(reference) > 0),
      UNIQUE (key, version, position),
      FOREIGN KEY (key, version) REFERENCES versions (key, version)
    ) STRICT;
CREATE TABLE envelopes (
      binding_id TEXT PRIMARY KEY REFERENCES bindings (id),
      ciphertext BLOB NOT NULL CHECK (length(ciphertext) > 0),
      context TEXT NOT NULL
    ) STRICT;
CREATE TABLE idempotency (
      scope TEXT NOT NULL,
      key TEXT NOT NULL,
      fingerprint TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('in-flight', 'done', 'released')),
      at INTEGER NOT NULL,
      result TEXT CHECK ((result IS NOT NULL) = (state = 'done')),
      PRIMARY KEY (scope, key)
    ) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (at);
CREATE TABLE audit_index (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      seq INTEGER NOT NULL CHECK (seq >= 0),
      hash TEXT NOT NULL CHECK (length(hash) > 0)
    ) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO kysely_migration (name, timestamp) VALUES ('0001-registry-idempotency-audit-index', '2026-11-22T06:39:25.894Z');
INSERT INTO kysely_migration_lock (id, is_locked) VALUES ('migration_lock', 0);
INSERT INTO meta (name, value) VALUES ('created_at', '1970-01-01T00:16:40.000Z');
INSERT INTO keys (name, chain, network, policy, policy_hash, created_at) VALUES ('treasury', 'stellar', 'testnet', '{"rules":[]}', 'da506c8a9c8a9f31aa00eaeef23d49764b9ace97158a1a0a7aa628e6d446b0fb', 1000);
INSERT INTO keys (name, chain, network, policy, policy_hash, created_at) VALUES ('vaulted', 'stellar', 'testnet', '{"rules":[]}', 'da506c8a9c8a9f31aa00eaeef23d49764b9ace97158a1a0a7aa628e6d446b0fb', 1000);
INSERT INTO keys (name, chain, network, policy, policy_hash, created_at) VALUES ('gone', 'stellar', 'testnet', '{"rules":[]}', 'da506c8a9c8a9f31aa00eaeef23d49764b9ace97158a1a0a7aa628e6d446b0fb', 1000);
INSERT INTO versions (key, version, scheme, public_key, address, state, seal) VALUES ('treasury', 1, 'ed25519', X'0707070707070707070707070707070707070707070707070707070707070707', 'G-treasury', 'active', 'b07e29cbf090151783c2c46419127391d8103b0264cbef40cef273cb4fb1bbad');
INSERT INTO versions (key, version, scheme, public_key, address, state, seal) VALUES ('vaulted', 1, 'ed25519', X'0707070707070707070707070707070707070707070707070707070707070707', 'G-vaulted', 'active', '089c2e3219e483f0fd2c1dcb1790c36f81a5b9762efd28241928173101b5f41b');
INSERT INTO versions (key, version, scheme, public_key, address, state, seal) VALUES ('gone', 1, 'ed25519', X'0707070707070707070707070707070707070707070707070707070707070707', 'G-gone', 'revoked', '8018026936e38ad9cea804e1909443228afc1a42549dcaf77c6022b72de1409f');
INSERT INTO bindings (id, key, version, position, provider, custody, reference) VALUES ('b-treasury', 'treasury', 1, 0, 'aws', 'native', 'arn:aws:kms:eu-west-1:1:key/1');
INSERT INTO bindings (id, key, version, position, provider, custody, reference) VALUES ('b-vaulted', 'vaulted', 1, 0, 'aws', 'envelope', 'arn:aws:kms:eu-west-1:1:key/1');
INSERT INTO bindings (id, key, version, position, provider, custody, reference) VALUES ('b-gone', 'gone', 1, 0, 'aws', 'native', 'arn:aws:kms:eu-west-1:1:key/1');
INSERT INTO envelopes (binding_id, ciphertext, context) VALUES ('b-vaulted', X'01020300ff', '{"pubkey":"G-vaulted"}');
INSERT INTO idempotency (scope, key, fingerprint, state, at, result) VALUES ('payments-api', 'order-1', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'done', 1000000, '{"signature":"c2lnbmF0dXJl","key":"treasury","version":1,"provider":"aws","custody":"native","auditId":"a_1","requestId":"req_1"}');
INSERT INTO audit_index (id, seq, hash) VALUES (1, 7, 'h7');
PRAGMA application_id = 1668248423;
