/** What the routes of the data plane take and give, as far as this client knows them (docs/openapi.json). */
import type { ProblemDocument } from './errors.ts'

/** What is to be signed: `type`, and the fields of that type. */
export type Payload = { readonly type: string } & Readonly<Record<string, unknown>>

/** Which of the optional members there is says the payload type; of a Stellar message there is none. */
export interface Signed {
  /** Base64, 64 bytes. */
  readonly signature: string
  /** Base64 of the raw public key. */
  readonly publicKey: string
  readonly address: string
  /** What the key signs for, where that is not its address. */
  readonly account?: string
  readonly keyVersion: number
  /** Hex; what the signature covers. */
  readonly hash: string
  readonly provider: string
  readonly custody: string
  readonly auditId: string
  readonly requestId: string
  /** Base64 XDR of the envelope with the signature. */
  readonly signedXdr?: string
  /** Base64 XDR of the authorization entry with the signature; where an entry was sent. */
  readonly signedAuthEntry?: string
  /** 0x hex, ready for the network. */
  readonly signedTransaction?: string
  /** r‖s‖v, 65 bytes, 0x hex; v is 27 or 28. */
  readonly evmSignature?: string
  readonly signedAuthorization?: Readonly<Record<string, string>>
  /** Compact JWS. */
  readonly jws?: string
}

export interface KeyFacts {
  readonly name: string
  readonly chain: 'stellar' | 'evm'
  readonly network: string
  readonly address: string
  /** What it signs for: of a Stellar key not always its address. A service that does not say means its address. */
  readonly account?: string
  /** Base64 of the raw public key: 32 bytes (Stellar), 65 bytes (EVM). */
  readonly publicKey: string
  readonly version: number
  readonly [member: string]: unknown
}

export interface CallOptions {
  /** The same for every attempt to get one thing done, also after a restart: then it is signed once. Made up unless given. */
  readonly idempotencyKey?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** What an execution approval says. Times are whole seconds since the epoch, or UTC such as 2026-01-31T12:00:00Z. */
export interface Approval {
  /** What is approved, such as `escrow.release`. */
  readonly action: string
  /** Who is to act on it. */
  readonly audience: string
  /** About what. */
  readonly subject: string
  /** Now unless told. */
  readonly issuedAt?: string | number
  readonly expiresAt: string | number
  /** Joins it with the request it answers. */
  readonly correlationId: string
  /** Any JSON with whole numbers. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** A transaction that waits for signatures. */
export interface Proposal {
  readonly id: string
  /** `collecting`, `executing`; and how it ended: `executed`, `failed`, `cancelled`, `expired`. */
  readonly state: string
  /** True: it has all the weight it needs, and may be executed. */
  readonly ready: boolean
  /** Transaction hash, hex. */
  readonly hash: string
  readonly outcome: string | null
  readonly [member: string]: unknown
}

/** One of several signatures: each stands for itself. */
export type OneOfSeveral =
  | { readonly status: 200; readonly answer: Signed }
  | { readonly status: number; readonly problem: ProblemDocument }

/** What a template makes of its arguments. */
export interface Prepared {
  /** Hex. */
  readonly hash: string
  /** Base64, without signatures. */
  readonly xdr: string
  readonly summary: string
  readonly [member: string]: unknown
}

/** A transaction that was sent. */
export interface Executed {
  /** Hex. */
  readonly hash: string
  /** `pending`: it is on its way; ask `transaction(hash)`. */
  readonly status: 'pending' | 'success' | 'failed'
  readonly ledger?: number
  /** SEP-51 JSON of what the contract returned. */
  readonly value?: unknown
  readonly [member: string]: unknown
}
