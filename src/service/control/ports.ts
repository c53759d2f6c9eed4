/** What the control plane is made of. `compose` gives the real parts; nothing here can sign, and no part has a key in it. */
import type { ApprovalRule } from '../../access/approval.ts'
import type { Login } from '../../access/login.ts'
import type { TokenIssuer } from '../../access/service-tokens.ts'
import type { SessionToken } from '../../access/session.ts'
import type { AdminStore, TokenLedger } from '../../domain/admins.ts'
import type { AuditActor, AuditLog, AuditRecord, EventEntry, OutcomeEntry } from '../../domain/audit.ts'
import type { ChangeStore } from '../../domain/changes.ts'
import type { ClaimStore } from '../../domain/claims.ts'
import type { ResolvedKey } from '../../domain/key.ts'
import type { IdempotencyStore, KeyCatalogue, Logger, World } from '../../domain/ports.ts'
import type { DestroyReport, DestroyWish } from '../destroy.ts'
import type { Revocation } from '../revoke.ts'
import type { RotationStep } from '../rotate/moves.ts'
import type { BreakGlass } from './break-glass.ts'

/** A request as it came in, for those who check who sent it: nothing decoded, nothing believed. */
export interface Visit {
  readonly method: string
  /** As the listener says it, query included. */
  readonly url: string
  readonly headers: Pick<Headers, 'get'>
  readonly body: Uint8Array
  /** Peer address as the socket says it. */
  readonly peer: string
}

/** A token that verified: signature, audience, life, sender. Whether it is the session of an administrator is asked here. */
export interface Bearer extends SessionToken {
  readonly tokenId: string
}

/** Who is counted. Before a login there is only a peer. */
export interface Visitor {
  readonly visit: Visit
  readonly subject?: string
  readonly tokenId?: string
}

export interface RotationWish {
  readonly step: 'begin' | RotationStep
  /** With `begin`: where the new version is made; absent: where the newest is. */
  readonly provider?: string | undefined
  /** With `begin`: the new version signs for its own address. With `open`: callers are to get that account now. */
  readonly newAccount?: boolean | undefined
}

export interface ControlParts {
  readonly world: Pick<World, 'clock' | 'random'>
  readonly logger: Logger
  readonly limits: { readonly bodyBytes: number; readonly concurrency: number }
  readonly audit: AuditLog
  /** Bounded, so that a flood of refusals cannot fill the disk. */
  recordRefusal(outcome: OutcomeEntry): void
  /** What anybody may ask for and nobody gets anything by; bounded in the same way. */
  recordOpen(event: EventEntry): void
  /** From this record on, in order, to the end of the log. */
  records(fromSeq: number): AsyncIterable<AuditRecord>
  newestSeq(): Promise<number>
  readonly idempotency: IdempotencyStore
  readonly admins: AdminStore
  readonly tokens: TokenLedger
  readonly changes: ChangeStore
  readonly keys: Pick<KeyCatalogue, 'list' | 'versions' | 'holding'>
  /** Out of quarantine, once the key has proved itself; records who asked. @throws as `restoreKey` */
  restore(name: string, wish: { readonly version?: number | undefined }, actor: AuditActor): Promise<ResolvedKey>
  /** Stops a key at once; records who asked. @throws as `revokeKey` */
  revoke(
    name: string,
    wish: { readonly version?: number | undefined; readonly reason: string },
    actor: AuditActor,
  ): Promise<Revocation>
  /** Gives the private key of a version up; records who asked. @throws as `destroyVersion` */
  destroy(name: string, wish: DestroyWish, actor: AuditActor): Promise<DestroyReport>
  /** A revocation taken back, as far as quarantine; records who asked. @throws as `unrevokeKey` */
  unrevoke(name: string, version: number, actor: AuditActor): Promise<ResolvedKey>
  /** One step of a rotation; records who asked. @returns whether anything changed. @throws as `rotationStep` */
  rotate(name: string, wish: RotationWish, actor: AuditActor): Promise<boolean>
  /** Address of the client, where a listed proxy names another than the socket. @throws `access/denied` */
  clientOf?(visit: Visit): string
  /** @throws `token/missing`, `token/invalid` */
  authenticate(visit: Visit): Promise<Bearer>
  /** Address lists, hours, rate. @returns headers for the answer. @throws `access/denied`, `access/limited` */
  admit(visitor: Visitor): Promise<Readonly<Record<string, string>>>
  readonly login: Login
  /** Of service tokens. */
  readonly issuer: Pick<TokenIssuer, 'issue' | 'jwks'>
  /** What was spent, for dry runs. */
  readonly claims: Pick<ClaimStore, 'used'>
  readonly approvals: ApprovalRule
  /** Life of a proposal. */
  readonly changeLifeMs: number
  /** Absent: there is none. Made by `withBreakGlass`. */
  readonly breakGlass?: BreakGlass
  readonly about: { readonly version: string; readonly environment: string; readonly instance: string }
  readiness(): Promise<readonly { readonly name: string; readonly ok: boolean; readonly detail?: string }[]>
}
