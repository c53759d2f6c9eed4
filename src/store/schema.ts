/** The tables as Kysely sees them. Times are milliseconds since the epoch; bytes are BLOBs; JSON is text. */
export interface KeysTable {
  name: string
  chain: string
  network: string
  policy: string
  policy_hash: string
  created_at: number
}

export interface VersionsTable {
  key: string
  version: number
  scheme: string
  public_key: Uint8Array
  address: string
  /** Null: its own address. */
  account: string | null
  state: string
  /** SHA-256 hex over this version, its key and its bindings; see `seal.ts`. */
  seal: string
  /** Null in rows of earlier releases, and then so are the others; see `times.ts`. */
  created_at: number | null
  active_from: number | null
  overlap_from: number | null
  retired_at: number | null
  destroyed_at: number | null
  revoked_at: number | null
}

export interface BindingsTable {
  id: string
  key: string
  version: number
  /** Order of preference, from 0. */
  position: number
  provider: string
  custody: string
  reference: string
  /** Why it may not be used; null: it may. */
  suspended: string | null
}

export interface EnvelopesTable {
  binding_id: string
  ciphertext: Uint8Array
  /** JSON object of strings. */
  context: string
}

export interface IdempotencyTable {
  scope: string
  key: string
  fingerprint: string
  state: 'in-flight' | 'done' | 'released'
  at: number
  /** JSON of `StoredResult` when done. */
  result: string | null
}

export interface AuditIndexTable {
  id: 1
  seq: number
  hash: string
}

export interface MetaTable {
  name: string
  value: string
}

export interface AdminsTable {
  address: string
  name: string
  /** JSON list. */
  roles: string
  active: number
  created_at: number
  changed_at: number
  /** SHA-256 hex over this row; see `seal.ts`. */
  seal: string
}

export interface ChallengesTable {
  id: string
  expires_at: number
  used: number
}

export interface TokensTable {
  id: string
  subject: string
  issued_by: string
  issued_at: number
  expires_at: number
  grants: string
}

export interface RevocationsTable {
  id: string
  at: number
  expires_at: number
}

export interface PolicyChangesTable {
  id: string
  key: string
  from_hash: string
  to_hash: string
  to_text: string
  tests_text: string
  direction: string
  proposed_by: string
  proposed_at: number
  expires_at: number
  state: string
}

export interface ApprovalsTable {
  change_id: string
  address: string
  signature: string
  at: number
}

/** One row a spend counter. Amounts are decimal text: they do not fit into an integer of either database. */
export interface CountersTable {
  name: string
  /** Longest window that ever counted here. */
  longest_ms: number
  /** From when on nothing in it counts. */
  idle_at: number
  /** JSON list of [end, amount]. */
  buckets: string
}

/** What an idempotency entry has taken. */
export interface ClaimsTable {
  scope: string
  key: string
  fingerprint: string
  at: number
  /** 1: an earlier reservation took it and never gave it back, so a signature may exist. */
  held: number
  /** JSON, see `claims.ts`. */
  taken: string
}

/** Who has signed, or may have signed, for a place on a chain. */
export interface SlotsTable {
  slot: string
  scope: string
  key: string
  fingerprint: string
  hash: string
  effects: string
  fee: string
  /** Milliseconds since the epoch; null: it has no end. */
  expires_at: number | null
  at: number
}

export interface ProposalsTable {
  id: string
  network: string
  hash: string
  envelope: string
  summary: string
  /** JSON list of names. */
  keys: string
  /** JSON of `NeededWeight[]`. */
  needed: string
  proposed_by: string
  proposed_at: number
  expires_at: number
  state: string
  lease_until: number | null
  outcome: string | null
}

export interface ProposalSignaturesTable {
  proposal_id: string
  signer: string
  signature: string
  key: string | null
  brought_by: string
  at: number
}

/** What is still to be told. */
export interface NoticesTable {
  id: string
  event: string
  body: string
  at: number
  due_at: number
  tries: number
}

/** A transaction that was asked for under an idempotency key; see `transactions.ts`. */
export interface TransactionsTable {
  scope: string
  key: string
  fingerprint: string
  at: number
  /** Milliseconds since the epoch; until then somebody works on it. */
  lease_until: number
  /** JSON; null: not decided yet. */
  prepared: string | null
  /** Of the signed envelope, hex; null: not signed yet. */
  hash: string | null
  envelope: string | null
  /** JSON: whose signatures of ours are in it; null in rows from before it was kept. */
  signed_by: string | null
  /** JSON; null: not over yet. */
  outcome: string | null
}

export interface StoreTables {
  keys: KeysTable
  versions: VersionsTable
  bindings: BindingsTable
  envelopes: EnvelopesTable
  idempotency: IdempotencyTable
  audit_index: AuditIndexTable
  meta: MetaTable
  admins: AdminsTable
  challenges: ChallengesTable
  tokens: TokensTable
  revocations: RevocationsTable
  policy_changes: PolicyChangesTable
  approvals: ApprovalsTable
  counters: CountersTable
  claims: ClaimsTable
  slots: SlotsTable
  transactions: TransactionsTable
  proposals: ProposalsTable
  proposal_signatures: ProposalSignaturesTable
  notices: NoticesTable
}
