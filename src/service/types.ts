import type { Decision, AuditLog, OutcomeEntry } from '../domain/audit.ts'
import type { ClaimStore } from '../domain/claims.ts'
import type { AnySignerError } from '../domain/errors.ts'
import type { Binding, ResolvedKey } from '../domain/key.ts'
import type { Route, RouteRequest, ShadowJob } from '../routing/index.ts'
import type { Clock, IdempotencyStore, KeyCatalogue, Random } from '../domain/ports.ts'
import type { Signed, SignInput } from '../domain/provider.ts'
import type { Action } from '../domain/actions.ts'
import type { Asked, SignedPayload } from '../domain/payload.ts'
import type { Quarantine } from './quarantine.ts'

/** Who asks, as far as the path needs to know. */
export interface CallerLike {
  readonly subject: string
  readonly tokenId: string
}

/** What else a request brought, for those who check who sent it. */
export interface Sent {
  readonly method: string
  /** As the listener says it, query included. */
  readonly url: string
  readonly headers: Pick<Headers, 'get'>
}

/** Who asks, as far as the request itself says. */
export interface Asking {
  readonly authorization: string | undefined
  readonly requestId: string
  /** Peer address as the socket says it; after `enter`, the client's. */
  readonly peer: string
  /** What the socket said, once `peer` is the client's. */
  readonly socket?: string
  readonly sent?: Sent
}

/** A sign request as it came in: nothing decoded, nothing believed. */
export interface SignRequest extends Asking {
  readonly key: string
  /** The one that is to sign; absent: the one that signs now. */
  readonly version?: number
  readonly body: Uint8Array
  readonly idempotencyKey: string | undefined
}

/** What a payload would do, for the constraints of a token. */
export interface SigningFacts {
  readonly network: string
  readonly operations: readonly string[]
  /** Asset to the most that leaves, in the smallest unit. Undefined: nobody can tell. */
  readonly outgoing: ReadonlyMap<string, bigint> | undefined
  readonly peer: string
  readonly now: number
}

/** The door of a plane and the limits of a caller; each step throws what it refuses with. Absent: no such step. */
export interface Gateway<Caller extends CallerLike = CallerLike> {
  /** Address lists and hours. @returns the client's address, behind proxies that are believed. @throws `access/denied`, `request/malformed` */
  enter(asking: Asking): string
  /** Rates. @returns headers for the answer. @throws `access/limited` */
  admit(caller: Caller, peer: string, key: string | undefined): Promise<Readonly<Record<string, string>>>
  /** What the token allows of what its scopes grant. @throws `access/denied` */
  constrain(caller: Caller, facts: () => SigningFacts, action: string): void
  /** Runs `body` unless too much of this caller is under way. @throws `service/overloaded` */
  within<T>(caller: Caller, body: () => Promise<T>): Promise<T>
  /** Once more right before release. @throws `token/invalid` when it was revoked meanwhile */
  recheck(caller: Caller): Promise<void>
}

export interface SignAnswer extends SignedPayload {
  /** Base64, 64 bytes. */
  readonly signature: string
  /** Base64 of the raw public key. */
  readonly publicKey: string
  readonly address: string
  /** What it signs for, where that is not its address. */
  readonly account?: string
  readonly keyVersion: number
  /** Hex; what the signature covers. */
  readonly hash: string
  readonly provider: string
  readonly custody: string
  readonly auditId: string
  readonly requestId: string
  /** True when this answer was given before under the same Idempotency-Key. A header at the HTTP edge, not a member. */
  readonly replayed: boolean
  /** Rate limits, for the HTTP edge. */
  readonly headers: Readonly<Record<string, string>>
}

/** Everything the path of a signature uses; wired once in `compose.ts`. Verification is not here: it cannot be replaced. */
export interface SignDeps<Caller extends CallerLike = CallerLike> {
  readonly clock: Clock
  readonly random: Random
  /** `deadlineMs`: for the bindings of one request together. */
  readonly limits: { readonly bodyBytes: number; readonly deadlineMs: number }
  /** @param peer address of the client. @throws `token/missing`, `token/invalid` */
  authenticate(authorization: string | undefined, asking: Asking & { readonly body: Uint8Array }): Promise<Caller>
  readonly gateway: Gateway<Caller>
  /** @throws `access/denied` */
  authorize(caller: Caller, action: Action, key: string): void
  readonly catalogue: Pick<KeyCatalogue, 'resolve' | 'stateOf' | 'versions'>
  readonly idempotency: IdempotencyStore
  /** True: other processes use the same store. */
  readonly shared: boolean
  readonly audit: AuditLog
  /** Which bindings serve this request. @throws `start/refused` when their provider may not serve this network here */
  route(key: ResolvedKey, request: RouteRequest): Promise<Route>
  decide(key: ResolvedKey, asked: Asked): Decision
  factsOf(key: ResolvedKey, asked: Asked, peer: string): SigningFacts
  /** Spend windows and sequence numbers, shared by all instances. */
  readonly claims: Pick<ClaimStore, 'claim' | 'drop'>
  /** Keys that may sign two transactions for one sequence number. */
  readonly unguarded: ReadonlySet<string>
  /** Native: the service signs. Envelope: one read, one decrypt, sign, wipe. */
  custody(key: ResolvedKey, binding: Binding, input: SignInput, requestId: string, withinMs?: number): Promise<Signed>
  /** Has another binding sign what was released, for comparison. Returns at once and never throws. */
  shadow(job: ShadowJob): void
  /** What custody or verification threw: a wrong answer puts the key in quarantine. */
  suspect: Quarantine['suspect']
  /** Refusals before an intent exists; bounded, so that a flood of them cannot fill the disk. */
  recordRefusal(outcome: OutcomeEntry): void
  /** The store could not note a release that the log already holds. */
  onStoreLag(error: unknown): void
  /** Gives an unexpected throw a number; the log gets the rest. */
  incident(error: unknown): AnySignerError
}
