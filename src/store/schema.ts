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
  state: string
  /** SHA-256 hex over this version, its key and its bindings; see `seal.ts`. */
  seal: string
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

export interface StoreTables {
  keys: KeysTable
  versions: VersionsTable
  bindings: BindingsTable
  envelopes: EnvelopesTable
  idempotency: IdempotencyTable
  audit_index: AuditIndexTable
  meta: MetaTable
}
