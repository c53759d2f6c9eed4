/** Who runs the signer: people, known by an address they can sign with. Shapes only; `src/access/roles.ts` says what a role may do. */

export const ROLES = ['requester', 'approver', 'operator', 'auditor', 'key-admin', 'policy-admin'] as const
export type Role = (typeof ROLES)[number]

/** A person or a machine that logs in by signing a challenge (SEP-10 for G…, EIP-4361 for 0x…). */
export interface Admin {
  /** Canonical: the G… strkey, or 0x… with the checksum of EIP-55. */
  readonly address: string
  readonly name: string
  readonly roles: readonly Role[]
  /** False: may not log in; tokens given before are refused. */
  readonly active: boolean
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly changedAt: number
}

export interface AdminStore {
  list(): Promise<readonly Admin[]>
  find(address: string): Promise<Admin | undefined>
  /** @throws `admin/exists` */
  add(admin: Admin): Promise<void>
  /**
   * One atomic step, so that two people who disable one another at once cannot both succeed.
   * @throws `admin/unknown`; `admin/last` when no active policy-admin would be left
   */
  change(address: string, change: { roles?: readonly Role[]; active?: boolean; at: number }): Promise<Admin>
}

/** A challenge is used once, by whoever comes first. */
export interface ChallengeStore {
  /** @param id  hash or nonce of the challenge; @param expiresAt milliseconds since the epoch */
  issue(id: string, expiresAt: number): Promise<void>
  /** One atomic step. @returns true for the first use before it expires. */
  use(id: string, now: number): Promise<boolean>
}

/** What a token was given for; the token itself is never stored. */
export interface TokenRecord {
  /** `jti`. */
  readonly id: string
  readonly subject: string
  /** Address of the admin who had it made. */
  readonly issuedBy: string
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** As in the token, canonical JSON: scopes and constraints. */
  readonly grants: string
  readonly revokedAt?: number
}

/** Which tokens were given, and which are taken back. Shared by all instances that share a store. */
export interface TokenLedger {
  record(token: TokenRecord): Promise<void>
  find(id: string): Promise<TokenRecord | undefined>
  list(options: { readonly now: number; readonly limit: number }): Promise<readonly TokenRecord[]>
  /** From the moment it resolves no instance accepts the token. Also of tokens that others issued: `expiresAt` is then the longest a token may live. */
  revoke(id: string, at: number, expiresAt: number): Promise<void>
  isRevoked(id: string): Promise<boolean>
}
