import { SignerError } from '../../domain/errors.ts'
import type { IdempotencyEntry } from '../../domain/ports.ts'
import type { StellarNetwork } from '../../domain/stellar-network.ts'
import type { KeptTransaction, PreparedTransaction } from '../../domain/transactions.ts'
import { before } from '../deadline.ts'
import { type Answered, attend, type Visitor } from '../door.ts'
import { fingerprintOf, readIdempotencyKey } from '../request.ts'
import type { CallerLike } from '../types.ts'
import { prepareEnvelope } from './envelope.ts'
import { type EnvelopeWish, readExecuteWish, type TemplateWish } from './input.ts'
import { PREPARED_EVENT, preparedDetail } from './journal.ts'
import { answerOf, record, sendOnRecord, settle } from './outcome.ts'
import { prepareCall, rejected } from './prepare.ts'
import { signAll, SUFFIX_CHARACTERS } from './signing.ts'
import type { ExecuteRequest, TransactionAnswer, TransactionParts } from './types.ts'

/** A lease outlives the request it was taken for, so that nobody takes over what is still under way. */
const LEASE_SLACK_MS = 10_000

/**
 * Prepares, signs, sends and waits; one transaction for each Idempotency-Key, however often it is asked for and wherever it
 * breaks off. What was prepared is in the log and in the store before the first signature, and everything after is made of
 * it: signatures under idempotency keys of their own, and an envelope that a network runs once.
 *
 * @throws as `prepareCall`, `sign` and `send` do; `transaction/rejected` with the hash once a network has refused it for good;
 *         `idempotency/*`. Sent again, the same request goes on where it broke off.
 */
export async function execute<C extends CallerLike>(
  parts: TransactionParts<C>,
  request: ExecuteRequest,
): Promise<Answered<TransactionAnswer>> {
  const { deps } = parts.room
  const { body } = request
  return attend(deps, request, { event: 'transaction-executed', body }, async visitor => {
    const key = readIdempotencyKey(request.idempotencyKey, SUFFIX_CHARACTERS)
    const wish = readExecuteWish(body, deps.limits.bodyBytes)
    const now = deps.clock.now()
    const entry = { scope: visitor.caller.subject, key, fingerprint: fingerprintOf('transactions', wish), at: now }
    const answer = await withDeadline(parts, signal => run(parts, { request, visitor, wish, entry, signal }))
    const { hash, status, network } = answer
    visitor.note({ hash, status, network, keys: answer.keys.join(' ') })
    return answer
  })
}

interface Run<C extends CallerLike> {
  readonly request: ExecuteRequest
  readonly visitor: Visitor<C>
  readonly wish: TemplateWish | EnvelopeWish
  readonly entry: IdempotencyEntry
  readonly signal: AbortSignal
}

function run<C extends CallerLike>(parts: TransactionParts<C>, job: Run<C>): Promise<TransactionAnswer> {
  return leased(parts, job.entry, (kept, leaseUntil, signed) => goOn(parts, job, kept, leaseUntil, signed))
}

/**
 * Nobody else works on this request meanwhile. What was prepared is forgotten again unless something was signed.
 * @throws `idempotency/mismatch`, `idempotency/in-flight`
 */
export async function leased<C extends CallerLike, T>(
  { room: { deps }, store, limits }: TransactionParts<C>,
  entry: IdempotencyEntry,
  body: (kept: KeptTransaction, leaseUntil: number, signed: () => void) => Promise<T>,
): Promise<T> {
  const leaseUntil = deps.clock.now() + limits.deadlineMs + LEASE_SLACK_MS
  const begun = await store.begin(entry, leaseUntil)
  if (begun.kind === 'mismatch') {
    throw new SignerError('idempotency/mismatch', { reason: 'used before for another request' })
  }
  if (begun.kind === 'in-flight') throw new SignerError('idempotency/in-flight', { retryAfterMs: 1_000 })
  let isFree = begun.kept.prepared === undefined // otherwise somebody may have signed before he broke off
  const signed = (): void => {
    isFree = false
  }
  try {
    return await body(begun.kept, leaseUntil, signed)
  } finally {
    await store.release(entry, leaseUntil, { forget: isFree })
  }
}

/** @param signed told with the first signature: from then on what was prepared stays */
async function goOn<C extends CallerLike>(
  parts: TransactionParts<C>,
  job: Run<C>,
  kept: KeptTransaction,
  leaseUntil: number,
  signed: () => void,
): Promise<TransactionAnswer> {
  const { entry, signal, visitor, request } = job
  const { deps } = parts.room
  if (kept.prepared !== undefined && kept.signed !== undefined && kept.end !== undefined) {
    mayUse(parts, visitor, 'submit', kept.prepared.source)
    return answerOf(kept.prepared, kept.signed, kept.end)
  }
  const { wish } = job
  const { source, network: place = '' } =
    kept.prepared ?? ('template' in wish ? templateNamed(parts, wish.template) : NOT_YET_KNOWN)
  if (source !== undefined) mayUse(parts, visitor, 'submit', source)
  const late = (): SignerError => new SignerError('service/overloaded', { retryAfterMs: 1_000 })
  // The key decides on the place in the queue; where an envelope is brought, its own keys do.
  return parts.turns.take(`${place} ${source ?? entry.scope}`, signal, late, async () => {
    let { prepared } = kept
    if (prepared === undefined) {
      prepared = await decide(parts, job)
      mayUse(parts, visitor, 'submit', prepared.source)
      await record(parts, visitor, PREPARED_EVENT, { requestId: request.requestId, ...preparedDetail(entry, prepared) })
      await parts.store.prepare(entry, leaseUntil, prepared)
    }
    const network = networkNamed(parts, prepared.network)
    let envelope = kept.signed
    if (envelope === undefined) {
      refuseExpired(prepared, deps.clock.now())
      envelope = await signAll(parts, visitor.caller, request, entry, prepared, signed)
      await parts.store.sign(entry, leaseUntil, envelope)
    }
    const again = kept.signed !== undefined
    const leaving = { requestId: request.requestId, prepared, signed: envelope, network, signal, again }
    const end = await sendOnRecord(parts, visitor, leaving)
    if (end !== undefined) await settle(parts, visitor, request.requestId, prepared, envelope, entry, end)
    return answerOf(prepared, envelope, end)
  })
}

async function decide<C extends CallerLike>(parts: TransactionParts<C>, job: Run<C>): Promise<PreparedTransaction> {
  const { wish, visitor, signal } = job
  if (!('template' in wish)) return prepareEnvelope(parts, visitor.caller, wish)
  const template = templateNamed(parts, wish.template)
  const network = networkNamed(parts, template.network)
  const { prepared } = await prepareCall(parts, {
    template,
    arguments: wish.arguments,
    network,
    mayUse: key => mayUse(parts, visitor, 'sign', key),
    signal,
  })
  return prepared
}

/** @throws `access/denied` */
export const mayUse = <C extends CallerLike>(
  { room: { deps } }: TransactionParts<C>,
  { caller }: Pick<Visitor<C>, 'caller'>,
  action: 'sign' | 'explain' | 'submit',
  key: string,
): void => deps.authorize(caller, action, key)

export function templateNamed<C extends CallerLike>({ templates }: TransactionParts<C>, name: string) {
  const template = templates.get(name)
  if (template === undefined) throw new SignerError('template/unknown', { template: name.slice(0, 64) })
  return template
}

export function networkNamed<C extends CallerLike>({ networks }: TransactionParts<C>, name: string): StellarNetwork {
  const network = networks.get(name)
  if (network !== undefined) return network
  const reason = 'no endpoint of this network is configured'
  throw new SignerError('network/unavailable', { network: name, reason })
}

/** Of an envelope that is brought, until it is decoded. */
const NOT_YET_KNOWN: Partial<Pick<PreparedTransaction, 'source' | 'network'>> = {}

/** It can never run, so nothing more of it is signed; another request makes another one. */
function refuseExpired({ expiresAt, network }: PreparedTransaction, now: number): void {
  if (expiresAt === null || now < expiresAt) return
  throw rejected(network, 'txTooLate', 'its time was over before it was signed: use another Idempotency-Key')
}

/** One end for all that a request does. */
export async function withDeadline<C extends CallerLike, T>(
  { room: { deps }, limits }: TransactionParts<C>,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return before(deps.clock, limits.deadlineMs, body)
}
