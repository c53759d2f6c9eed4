import { accountDetail } from './accounts.ts'
import { admitTo, identify } from './admit.ts'
import { claimed, claimsOf } from './claiming.ts'
import { fromBase64, toBase64 } from '../bytes/base64.ts'
import { randomId } from '../bytes/ids.ts'
import { type Verified, verifyAfterSign } from './verify-after-sign.ts'
import type { AuditActor, Decision } from '../domain/audit.ts'
import { type Signature64, signature64 } from '../domain/brands.ts'
import { type AnySignerError, type ErrorCode, isSignerError, SignerError } from '../domain/errors.ts'
import { type Binding, type Key, maySign, type VersionState } from '../domain/key.ts'
import type { Reservation, StoredResult } from '../domain/ports.ts'
import type { Signed } from '../domain/provider.ts'
import { parsePayload } from './payloads.ts'
import {
  failedRecord,
  intentRecord,
  type Job,
  leavesNoSignature,
  refuseEarly,
  refusedRecord,
  releasedRecord,
  storedResult,
} from './records.ts'
import { type Arrest, INNOCENT, type Suspect } from './quarantine.ts'
import { type Look, momentOf, release, type Released, releaseAgain } from './release.ts'
import { oneAfterAnother, type ShadowJob } from '../routing/index.ts'
import { fingerprintOf, readIdempotencyKey, readPayload } from './request.ts'
import type { SignAnswer, SignDeps, SignRequest } from './types.ts'

/**
 * The path of one signature, top to bottom (docs/architecture.md draws it):
 *
 *   enter → authenticate → authorize → admit → parse → constrain → route → reserve → decide → claim → durable intent →
 *   custody → verify → re-check → durable outcome → re-check → release (→ shadow)
 *
 * Nothing else in the program signs. Authentication stands before parsing so that strangers never reach a decoder, and
 * the idempotency key is reserved before policy so that a retry of a released request gets its answer even when a time
 * window that policy looks at has closed since; a refusal gives the reservation back. The binding is chosen before that,
 * so that a key which may not be served here takes no reservation; the version's state is read once more after the
 * outcome, because a revocation may be acknowledged while it is on its way to the disk. What a signature uses up (room in
 * spend windows, a sequence number) is claimed before the intent, and given back only when it is certain that nothing was
 * signed. A route may hold several bindings of the same public key: the next one is asked only when nothing was signed.
 * What signs in shadow does so after the release, beside the path. What is released leaves by `leave` and in no other way,
 * which looks once more where time has passed since.
 *
 * @throws SignerError; every refusal is on record, and nothing is released without both records.
 */
export async function sign(deps: SignDeps, request: SignRequest): Promise<Released<SignAnswer>> {
  const job = await understand(deps, request)
  let begun = false
  try {
    return await job.within(() => {
      begun = true
      return attend(deps, job)
    })
  } catch (error) {
    throw begun ? error : refuse(deps, job, typed(deps, error))
  }
}

async function attend(deps: SignDeps, job: Job): Promise<Released<SignAnswer>> {
  const reservation = await reserve(deps, job)
  if (reservation.kind === 'reserved') return decideAndSign(deps, job)
  return orRefuse(deps, job, () => replay(deps, job, reservation.result))
}

/** @throws as `sign` does when it is not ours and not done */
export async function reserve(
  deps: SignDeps,
  job: Job,
): Promise<Extract<Reservation, { readonly kind: 'reserved' | 'replay' }>> {
  const reservation = await orRefuse(deps, job, () => deps.idempotency.reserve(job.entry))
  switch (reservation.kind) {
    case 'reserved':
    case 'replay':
      return reservation
    case 'in-flight':
      throw refuse(deps, job, new SignerError('idempotency/in-flight', { retryAfterMs: 250 }))
    case 'mismatch':
      throw refuse(deps, job, new SignerError('idempotency/mismatch', { reason: 'used before for another request' }))
  }
}

/** Who asks, may they, and what exactly for. */
export async function understand(deps: SignDeps, request: SignRequest): Promise<Job> {
  const started = deps.clock.monotonic()
  const auditId = randomId(deps.random, 'a')
  let actor: AuditActor = { subject: 'unknown', peer: request.peer }
  try {
    const { caller, peer } = await identify(deps, request, found => {
      actor = found
    })
    const headers = await admitTo(deps, caller, peer, { action: 'sign', key: request.key })
    if (deps.audit.state.kind === 'sealed') throw new SignerError('audit/sealed', { reason: deps.audit.state.reason })

    const idempotencyKey = readIdempotencyKey(request.idempotencyKey)
    const payload = readPayload(request.body, deps.limits.bodyBytes)
    const resolved = await deps.catalogue.resolve(request.key, request.version)
    if (resolved === undefined) throw new SignerError('key/unknown', { key: namedIn(request) })
    const asked = parsePayload(payload, resolved)
    deps.gateway.constrain(caller, () => deps.factsOf(resolved, asked, peer), 'sign')
    const fingerprint = fingerprintOf(request.key, payload, request.version)
    const entry = { scope: caller.subject, key: idempotencyKey, fingerprint, at: deps.clock.now() }
    const route = await deps.route(resolved, entry)
    const recheck = () => deps.gateway.recheck(caller)
    const within: Job['within'] = body => deps.gateway.within(caller, body)
    const binding = route.bindings[0]
    return { auditId, actor, request, resolved, route, binding, asked, entry, started, headers, recheck, within }
  } catch (error) {
    const { requestId, key } = request
    throw refuseEarly(deps, { auditId, requestId, actor, key, operation: 'sign' }, error)
  }
}

async function decideAndSign(deps: SignDeps, understood: Job): Promise<Released<SignAnswer>> {
  let job = understood
  const { resolved, route, asked } = job
  const judged = await orRelease(deps, job, async () => deps.decide(resolved, asked))
  const claims = claimsOf(deps, job, judged)
  const decision = claims === undefined ? judged : await orRelease(deps, job, () => claimed(deps, job, judged, claims))
  if (decision.kind !== 'allow') throw await refuseByPolicy(deps, job, decision)

  // On record before the key is touched.
  const intent = await orGiveBack(deps, job, () => deps.audit.append(intentRecord(job, decision, claims)))
  let signed: Signed | undefined
  let verified: Verified
  try {
    signed = await oneAfterAnother(route.bindings, { ...deps.limits, clock: deps.clock }, (binding, withinMs) => {
      job = { ...job, binding }
      return deps.custody(resolved, binding, asked.input, job.request.requestId, withinMs)
    })
    verified = await verifyAfterSign(asked.input, resolved.version.publicKey, signed.signature)
  } catch (error) {
    const failure = typed(deps, error)
    throw await recordFailure(deps, job, failure, await deps.suspect(suspectOf(job), failure), signed)
  }
  let key: Key
  try {
    await job.recheck()
    ;[key] = await Promise.all([keyNow(deps, job), stateNow(deps, job)])
  } catch (error) {
    throw await recordFailure(deps, job, typed(deps, error), INNOCENT, signed)
  }

  const outcome = await deps.audit.append(releasedRecord(job, signed, elapsed(deps, job))) // on record before anyone sees it
  const result = storedResult(job, signed)
  await keep(deps, job, result)
  const look = await lookAtRelease(deps, job)
  const released = release({ verified, intent, outcome, decision, look, key }, () => answer(job, result))
  if (route.shadow !== undefined) deps.shadow(shadowOf(job, route.shadow, signed))
  return released
}

/**
 * The key as it stands now. Where no version is active any more it is as it was: the state of the version decides then, and
 * one on its way out may still sign.
 * @throws `policy/undecided` when another policy is in force than the one that was asked
 */
async function keyNow(deps: SignDeps, { request, resolved: { key } }: Job): Promise<Key> {
  const now = await deps.catalogue.resolve(key.name, request.version).catch((error: unknown) => {
    if (isSignerError(error) && error.code === 'key/not-active') return { key }
    throw error
  })
  if (now?.key.policyHash === key.policyHash) return now.key
  const reason = 'another policy came into force meanwhile: send the request again'
  throw new SignerError('policy/undecided', { rule: 'policy', reason })
}

/** @throws `key/not-active` unless the version may sign at this moment. */
async function stateNow(deps: SignDeps, job: Job): Promise<VersionState> {
  const { key, version } = job.resolved
  const state = await deps.catalogue.stateOf(key.name, version.version)
  if (state === undefined || !maySign(state)) throw notActive(job, state)
  return state
}

/**
 * The answer for retries. A store of our own may lag: the log holds the answer, and a restart repairs the index. Where others
 * share the store, a reservation that could not be ended may be theirs by now, and a second signature on its way: then this
 * one does not leave.
 */
async function keep(deps: SignDeps, job: Job, result: StoredResult): Promise<void> {
  try {
    await deps.idempotency.complete(job.entry, result)
  } catch (error) {
    if (deps.shared) throw await withheld(deps, job, error)
    deps.onStoreLag(error)
  }
}

/** A revocation acknowledged while the outcome was on its way to the disk wins too; the log says that nothing left. */
async function lookAtRelease(deps: SignDeps, job: Job): Promise<Look> {
  const at = momentOf(deps.clock)
  const withhold = (error: unknown): Promise<AnySignerError> => withheld(deps, job, error)
  try {
    return { state: await stateNow(deps, job), at, again: () => lookAgain(deps, job), withhold }
  } catch (error) {
    throw await withhold(error)
  }
}

/** Time has passed: whoever asked for it may have been shut out too. */
async function lookAgain(deps: SignDeps, job: Job): Promise<Look> {
  try {
    await job.recheck()
  } catch (error) {
    throw await withheld(deps, job, error)
  }
  return lookAtRelease(deps, job)
}

async function withheld(deps: SignDeps, job: Job, error: unknown): Promise<AnySignerError> {
  const failure = typed(deps, error)
  const { requestId, key } = job.request
  const { auditId, actor } = job
  const detail = { requestId, key, version: job.resolved.version.version, errorCode: failure.code }
  await deps.audit.append({ kind: 'event', auditId, event: 'release-withheld', actor, detail })
  return failure
}

export async function refuseByPolicy(
  deps: SignDeps,
  job: Job,
  decision: Exclude<Decision, { kind: 'allow' }>,
): Promise<AnySignerError> {
  const code = decision.kind === 'deny' ? 'policy/denied' : 'policy/undecided'
  const refusal = asAny(new SignerError(code, { rule: decision.rule, reason: decision.reason }))
  const outcome = refusedRecord(job, decision.kind, refusal, elapsed(deps, job))
  await orRelease(deps, job, () => deps.audit.append(intentRecord(job, decision), outcome))
  await deps.idempotency.release(job.entry)
  return refusal
}

/** Nothing was signed: what stops the request is on record as one refusal. */
export async function orRefuse<T>(deps: SignDeps, job: Job, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    throw refuse(deps, job, typed(deps, error))
  }
}

/** As `orRefuse` and, since the reservation is ours, the same request may come again. */
export const orRelease = <T>(deps: SignDeps, job: Job, step: () => Promise<T>): Promise<T> =>
  orRefuse(deps, job, async () => {
    try {
      return await step()
    } catch (error) {
      await deps.idempotency.release(job.entry)
      throw error
    }
  })

/** As `orRelease`, and what was claimed is free again. */
const orGiveBack = <T>(deps: SignDeps, job: Job, step: () => Promise<T>): Promise<T> =>
  orRelease(deps, job, async () => {
    try {
      return await step()
    } catch (error) {
      await deps.claims.drop(job.entry)
      throw error
    }
  })

/** We said no after the key service had said yes. */
const OURS: ReadonlySet<string> = new Set<ErrorCode>(['key/not-active', 'token/invalid', 'policy/undecided'])

/**
 * One outcome for every intent; then the same request may come again. When the outcome cannot be recorded the caller
 * hears `audit/sealed` and the idempotency key stays taken until the log is read again at the next start. An answer that
 * is wrong puts its key in quarantine: on record with the outcome, and in the registry before the reservation is given
 * back, for until then the store's head of the log stays behind that record, and a crash in between loses nothing.
 */
async function recordFailure(
  deps: SignDeps,
  job: Job,
  failure: AnySignerError,
  arrest: Arrest,
  signed: Signed | undefined,
): Promise<AnySignerError> {
  const durationMs = elapsed(deps, job)
  const outcome = OURS.has(failure.code)
    ? refusedRecord(job, 'allow', failure, durationMs)
    : failedRecord(job, failure, signed, durationMs)
  try {
    await deps.audit.append(outcome, ...arrest.events)
  } catch (error) {
    await arrest.enforce(async () => {})
    throw error
  }
  const isFree = signed === undefined && leavesNoSignature(failure.code)
  await arrest.enforce(async () => {
    if (isFree) await deps.claims.drop(job.entry)
    await deps.idempotency.release(job.entry)
  })
  return failure
}

const shadowOf = ({ resolved, binding, asked, auditId, request }: Job, shadow: Binding, signed: Signed): ShadowJob => ({
  key: resolved,
  binding,
  shadow,
  input: asked.input,
  signature: signed.signature,
  auditId,
  requestId: request.requestId,
})

const suspectOf = ({ auditId, actor, resolved: { version }, binding }: Job): Suspect => ({
  auditId,
  actor,
  key: version.key,
  version: version.version,
  binding: binding.id,
})

/** A request released before: the same answer again, as long as its version may still sign. */
async function replay(deps: SignDeps, retry: Job, result: StoredResult): Promise<Released<SignAnswer>> {
  const job = await asReleased(deps, retry, result)
  const { version } = job.resolved
  await stateNow(deps, job)
  const verified = await verifyAfterSign(job.asked.input, version.publicKey, signatureOf(result))
  await deps.audit.append({
    kind: 'event',
    auditId: result.auditId,
    event: 'sign-replayed',
    actor: job.actor,
    detail: { requestId: job.request.requestId, key: result.key, version: result.version },
  })
  const look = await lookAtRelease(deps, job)
  return releaseAgain({ verified, look }, () => ({ ...answer(job, result), replayed: true }))
}

/** Another version may sign by now: what was released is of the one that signed then. */
async function asReleased(deps: SignDeps, job: Job, { key, version }: StoredResult): Promise<Job> {
  if (version === job.resolved.version.version) return job
  const resolved = await deps.catalogue.resolve(key, version)
  if (resolved === undefined) throw new SignerError('key/unknown', { key: `${key} version ${version}` })
  return { ...job, resolved, asked: parsePayload(readPayload(job.request.body, deps.limits.bodyBytes), resolved) }
}

function answer({ asked, headers, resolved: { version } }: Job, result: StoredResult): SignAnswer {
  return {
    signature: result.signature,
    publicKey: toBase64(version.publicKey),
    address: version.address,
    ...accountDetail(version),
    keyVersion: result.version,
    hash: asked.hash,
    ...asked.attach(version.publicKey, signatureOf(result)),
    provider: result.provider,
    custody: result.custody,
    auditId: result.auditId,
    requestId: result.requestId,
    replayed: false,
    headers,
  }
}

function signatureOf(result: StoredResult): Signature64 {
  const bytes = fromBase64(result.signature)
  if (bytes?.length !== 64) throw new SignerError('store/unavailable', { reason: 'a stored signature is damaged' })
  return signature64(bytes)
}

function refuse(deps: SignDeps, job: Job, error: SignerError): AnySignerError {
  const outcome = refusedRecord(job, 'none', asAny(error), elapsed(deps, job))
  deps.recordRefusal({ ...outcome, actor: job.actor, operation: 'sign' }) // no intent of this request says who asked
  return asAny(error)
}

const notActive = ({ resolved: { key, version } }: Job, state: VersionState | undefined): AnySignerError =>
  asAny(new SignerError('key/not-active', { key: key.name, version: version.version, state: state ?? 'unknown' }))

const namedIn = ({ key, version }: SignRequest): string => (version === undefined ? key : `${key} version ${version}`)

/** What is not ours is a fault of ours: the caller sees an incident number, the log sees the rest. */
const typed = (deps: SignDeps, error: unknown): AnySignerError => (isSignerError(error) ? error : deps.incident(error))

const asAny = (error: SignerError): AnySignerError => error as AnySignerError

const elapsed = (deps: SignDeps, job: Job): number => Math.round((deps.clock.monotonic() - job.started) * 1000) / 1000
