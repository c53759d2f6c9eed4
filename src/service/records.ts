import { toBase64 } from '../bytes/base64.ts'
import type { AuditActor, ClaimsEntry, Decision, IntentEntry, OutcomeEntry, RouteEntry } from '../domain/audit.ts'
import type { Claims } from '../domain/claims.ts'
import { type AnySignerError, type ErrorCode, isSignerError } from '../domain/errors.ts'
import type { Binding, ResolvedKey } from '../domain/key.ts'
import type { IdempotencyEntry, StoredResult } from '../domain/ports.ts'
import type { Signed } from '../domain/provider.ts'
import type { Asked } from '../domain/payload.ts'
import type { Route } from '../routing/index.ts'
import { accountDetail } from './accounts.ts'
import type { SignDeps, SignRequest } from './types.ts'

/** One request that was understood, by a caller who may ask. */
export interface Job {
  readonly auditId: string
  readonly actor: AuditActor
  readonly request: SignRequest
  readonly resolved: ResolvedKey
  readonly route: Route
  /** The one that is asked, or was: the first of the route until another had to take its place. */
  readonly binding: Binding
  readonly asked: Asked
  readonly entry: IdempotencyEntry
  /** Monotonic milliseconds. */
  readonly started: number
  /** Rate limits, for the answer. */
  readonly headers: Readonly<Record<string, string>>
  /** Is the token still good? @throws `token/invalid` */
  recheck(): Promise<void>
  /** @throws `service/overloaded` when too much of this caller is under way */
  within<T>(body: () => Promise<T>): Promise<T>
}

const named = (job: Job) => ({
  auditId: job.auditId,
  requestId: job.request.requestId,
  key: job.resolved.key.name,
  version: job.resolved.version.version,
})

const placed = (job: Job) => ({ provider: job.binding.provider, custody: job.binding.custody })

/** Nothing where no flags are. */
function routed({ route: { by }, binding }: Job, shadow?: Binding): { route?: RouteEntry } {
  if (by === undefined) return {}
  return { route: { ...by, binding: binding.id, ...(shadow === undefined ? {} : { shadow: shadow.id }) } }
}

export function intentRecord(job: Job, decision: Decision, claims?: Claims): IntentEntry {
  const { scope, key, fingerprint } = job.entry
  return {
    kind: 'intent',
    ...named(job),
    actor: job.actor,
    operation: 'sign',
    address: job.resolved.version.address,
    ...accountDetail(job.resolved.version),
    network: job.resolved.key.network,
    payloadType: job.asked.type,
    digest: job.asked.hash,
    summary: job.asked.sentence,
    decision: decision.kind,
    policyHash: decision.policyHash,
    ...(decision.kind === 'allow' ? {} : { rule: decision.rule, reason: decision.reason }),
    idempotency: { scope, key, fingerprint },
    ...(claims === undefined ? {} : { claims: claimsEntry(claims) }),
    ...routed(job, decision.kind === 'allow' ? job.route.shadow : undefined),
  }
}

function claimsEntry({ spends, slot }: Claims): ClaimsEntry {
  const taken = spends.map(({ counter, amount, limit, windowMs }, at) => [
    String(at),
    { counter, amount: String(amount), limit: String(limit), windowMs },
  ])
  return {
    ...(taken.length === 0 ? {} : { spends: Object.fromEntries(taken) }),
    ...(slot === undefined ? {} : { slot: { ...slot, fee: String(slot.fee) } }),
  }
}

/**
 * After these there is no signature, so what was claimed is free again. After all others one may exist somewhere, and what
 * it would use up stays taken.
 */
const UNSIGNED: ReadonlySet<string> = new Set<ErrorCode>([
  'provider/unavailable',
  'provider/refused',
  'envelope/unreadable',
  'envelope/mismatch',
  'key/unsupported',
  'key/unknown',
])
export const leavesNoSignature = (code: string | undefined): boolean => code !== undefined && UNSIGNED.has(code)

/** What `claimsEntry` wrote. @returns undefined when it cannot be read: then nothing is known of it */
export function claimsOfEntry({ spends = {}, slot }: ClaimsEntry): Claims | undefined {
  try {
    return {
      spends: Object.values(spends).map(({ counter, amount, limit, windowMs }) => ({
        counter,
        amount: BigInt(amount),
        limit: BigInt(limit),
        windowMs,
        rule: 'windows',
      })),
      ...(slot === undefined ? {} : { slot: { ...slot, fee: BigInt(slot.fee) } }),
    }
  } catch {
    return undefined
  }
}

export const releasedRecord = (job: Job, signed: Signed, durationMs: number): OutcomeEntry => ({
  kind: 'outcome',
  ...named(job),
  ...placed(job),
  result: 'released',
  decision: 'allow',
  ...(signed.providerRequestId === undefined ? {} : { providerRequestId: signed.providerRequestId }),
  signature: toBase64(signed.signature),
  durationMs,
  ...routed(job),
})

/** We said no: the decision was not allow, or the version may no longer sign. */
export const refusedRecord = (
  job: Job,
  decision: OutcomeEntry['decision'],
  error: AnySignerError,
  durationMs: number,
): OutcomeEntry => ({
  kind: 'outcome',
  ...named(job),
  ...placed(job),
  result: 'refused',
  decision,
  ...because(error),
  durationMs,
  ...routed(job),
})

/** The key service, or we, broke after policy said yes. Nothing was released. */
export function failedRecord(
  job: Job,
  error: AnySignerError,
  signed: Signed | undefined,
  durationMs: number,
): OutcomeEntry {
  const providerRequestId =
    signed?.providerRequestId ?? ('requestId' in error.detail ? error.detail.requestId : undefined)
  return {
    kind: 'outcome',
    ...named(job),
    ...placed(job),
    result: 'failed',
    decision: 'allow',
    ...(providerRequestId === undefined ? {} : { providerRequestId }),
    ...because(error),
    durationMs,
    ...routed(job),
  }
}

interface Early {
  readonly auditId: string
  readonly requestId: string
  readonly actor: AuditActor
  readonly key: string
  readonly operation: string
}

/** Refused before anything was decided: no intent exists, one outcome says why. @returns what is to be told */
export function refuseEarly(
  deps: Pick<SignDeps, 'incident' | 'recordRefusal'>,
  about: Early,
  error: unknown,
): AnySignerError {
  const refusal = isSignerError(error) ? error : deps.incident(error)
  deps.recordRefusal({ kind: 'outcome', ...about, result: 'refused', decision: 'none', ...because(refusal) })
  return refusal
}

export const storedResult = (job: Job, signed: Signed): StoredResult => ({
  ...named(job),
  ...placed(job),
  signature: toBase64(signed.signature),
})

const because = (error: AnySignerError) => ({
  errorCode: error.code,
  ...('reason' in error.detail ? { reason: error.detail.reason } : {}),
})
