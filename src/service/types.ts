import type { Decision, AuditLog, OutcomeEntry } from '../domain/audit.ts'
import type { AnySignerError } from '../domain/errors.ts'
import type { Binding, ResolvedKey } from '../domain/key.ts'
import type { Route, RouteRequest, ShadowJob } from '../routing/index.ts'
import type { Clock, IdempotencyStore, KeyCatalogue, Random } from '../domain/ports.ts'
import type { Signed, SignInput } from '../domain/provider.ts'
import type { Asked } from './payloads.ts'
import type { Quarantine } from './quarantine.ts'

/** Who asks, as far as the path needs to know. */
export interface CallerLike {
  readonly subject: string
  readonly tokenId: string
}

/** A sign request as it came in: nothing decoded, nothing believed. */
export interface SignRequest {
  readonly key: string
  readonly body: Uint8Array
  readonly authorization: string | undefined
  readonly idempotencyKey: string | undefined
  readonly requestId: string
  /** Peer address as the socket says it. */
  readonly peer: string
}

export interface SignAnswer {
  /** Base64, 64 bytes. */
  readonly signature: string
  /** Base64 of the raw public key. */
  readonly publicKey: string
  readonly address: string
  readonly keyVersion: number
  /** Hex; what the signature covers. */
  readonly hash: string
  /** The signed envelope, base64 XDR. */
  readonly signedXdr: string
  readonly provider: string
  readonly custody: string
  readonly auditId: string
  readonly requestId: string
  /** True when this answer was given before under the same Idempotency-Key. A header at the HTTP edge, not a member. */
  readonly replayed: boolean
}

/** Everything the path of a signature uses; wired once in `compose.ts`. Verification is not here: it cannot be replaced. */
export interface SignDeps<Caller extends CallerLike = CallerLike> {
  readonly clock: Clock
  readonly random: Random
  /** `deadlineMs`: for the bindings of one request together. */
  readonly limits: { readonly bodyBytes: number; readonly deadlineMs: number }
  /** @throws `token/missing`, `token/invalid` */
  authenticate(authorization: string | undefined): Promise<Caller>
  /** @throws `access/denied` */
  authorize(caller: Caller, action: 'sign', key: string): void
  readonly catalogue: Pick<KeyCatalogue, 'resolve' | 'stateOf'>
  readonly idempotency: IdempotencyStore
  readonly audit: AuditLog
  /** Which bindings serve this request. @throws `start/refused` when their provider may not serve this network here */
  route(key: ResolvedKey, request: RouteRequest): Promise<Route>
  decide(key: ResolvedKey, asked: Asked): Decision
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
