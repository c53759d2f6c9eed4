/** Transactions that are built, signed and sent here. */
import { signaturesOf } from '../../chains/stellar/index.ts'
import { SignerError } from '../../domain/errors.ts'
import { maySign } from '../../domain/key.ts'
import { mayDo } from '../admit.ts'
import { type Answered, attend, NO_BODY } from '../door.ts'
import type { CallerLike } from '../types.ts'
import { readEnvelope, stellarKey } from './envelope.ts'
import { execute, leased, mayUse, networkNamed, templateNamed, withDeadline } from './execute.ts'
import { readSubmitWish, readTemplateWish } from './input.ts'
import { answerOf, sendOnRecord, settle } from './outcome.ts'
import { keyNamed, prepareCall, showPreparation } from './prepare.ts'
import { endOf, TOO_LATE } from './send.ts'
import type {
  ExecuteRequest,
  LookupRequest,
  PreparedAnswer,
  TransactionAnswer,
  TransactionParts,
  TransactionRequest,
} from './types.ts'

export { Turns } from './turns.ts'
export type * from './types.ts'
export { TRANSACTION_LIMITS } from './types.ts'

export interface Transactions {
  prepare(request: TransactionRequest): Promise<Answered<PreparedAnswer>>
  execute(request: ExecuteRequest): Promise<Answered<TransactionAnswer>>
  submit(request: TransactionRequest): Promise<Answered<TransactionAnswer>>
  lookup(request: LookupRequest): Promise<Answered<TransactionAnswer>>
}

export const openTransactions = <C extends CallerLike>(parts: TransactionParts<C>): Transactions => ({
  prepare: request => prepare(parts, request),
  execute: request => execute(parts, request),
  submit: request => submit(parts, request),
  lookup: request => lookup(parts, request),
})

/** A dry run for those who may explain with every key that would sign. Nothing is signed, nothing is kept. */
async function prepare<C extends CallerLike>(
  parts: TransactionParts<C>,
  request: TransactionRequest,
): Promise<Answered<PreparedAnswer>> {
  const { deps } = parts.room
  const { body } = request
  return attend(deps, request, { event: 'transaction-prepared', body }, async visitor => {
    const wish = readTemplateWish(body, deps.limits.bodyBytes)
    const template = templateNamed(parts, wish.template)
    const network = networkNamed(parts, template.network)
    const order = { template, arguments: wish.arguments, network }
    const mayExplain = (key: string): void => mayUse(parts, visitor, 'explain', key)
    const preparation = await withDeadline(parts, signal =>
      prepareCall(parts, { ...order, mayUse: mayExplain, signal }),
    )
    const { held, asked, prepared } = preparation
    const source = keyNamed(held, prepared.source)
    deps.gateway.constrain(visitor.caller, () => deps.factsOf(source, asked, visitor.peer), 'explain')
    visitor.note({ template: template.name, key: prepared.source, network: prepared.network, hash: prepared.hash })
    return showPreparation(parts, preparation)
  })
}

/** Rows of envelopes that were signed before stand under this scope, which is no subject of a token. */
const SUBMITTED = ' submitted'

/** Sends an envelope that a key of ours pays for and has signed. Sent twice it is one transaction, so no key is asked for. */
async function submit<C extends CallerLike>(
  parts: TransactionParts<C>,
  request: TransactionRequest,
): Promise<Answered<TransactionAnswer>> {
  const { deps } = parts.room
  const { body, requestId } = request
  return attend(deps, request, { event: 'transaction-sent', body }, async visitor => {
    const { key, xdr } = readSubmitWish(body, deps.limits.bodyBytes)
    mayUse(parts, visitor, 'submit', key)
    const held = await stellarKey(parts, key)
    const { asked, prepared } = readEnvelope(xdr, [held])
    const { network: name } = prepared
    const signers = await signersOf(parts, key)
    const { found } = await signaturesOf(xdr, name, [...signers.keys()])
    if (found.length === 0)
      throw new SignerError('payload/invalid', { field: 'xdr', reason: `is not signed by ${key}` })
    deps.gateway.constrain(visitor.caller, () => deps.factsOf(held, asked, visitor.peer), 'submit')
    const network = networkNamed(parts, name)
    const by = found.map(({ signer }) => ({ key, version: signers.get(signer) ?? held.version.version }))
    const signed = { hash: asked.hash, envelope: xdr, by }
    const entry = { scope: SUBMITTED, key: asked.hash, fingerprint: asked.hash, at: deps.clock.now() }
    const answer = await leased(parts, entry, (kept, leaseUntil) =>
      withDeadline(parts, async signal => {
        if (kept.end !== undefined) return answerOf(prepared, signed, kept.end)
        if (kept.prepared === undefined) await parts.store.prepare(entry, leaseUntil, prepared)
        if (kept.signed === undefined) await parts.store.sign(entry, leaseUntil, signed)
        const again = kept.signed !== undefined
        const end = await sendOnRecord(parts, visitor, { requestId, prepared, signed, network, signal, again })
        // What is refused now may be taken once another one that goes before it is; what is too late never is.
        const mayComeAgain = end?.status === 'rejected' && end.code !== TOO_LATE
        if (end !== undefined && !mayComeAgain) await settle(parts, visitor, requestId, prepared, signed, entry, end)
        return answerOf(prepared, signed, end)
      }),
    )
    visitor.note({ key, hash: answer.hash, status: answer.status, network: name })
    return answer
  })
}

/** Every version that may sign, by its address: in the overlap of a rotation the one before it has signed what is sent now. */
async function signersOf<C extends CallerLike>(
  { room: { deps } }: TransactionParts<C>,
  key: string,
): Promise<ReadonlyMap<string, number>> {
  const versions = await deps.catalogue.versions(key)
  return new Map(
    versions.flatMap(({ version }) => (maySign(version.state) ? [[version.address, version.version] as const] : [])),
  )
}

/** What became of a transaction that was sent from here, for those who may read its source key. */
async function lookup<C extends CallerLike>(
  parts: TransactionParts<C>,
  request: LookupRequest,
): Promise<Answered<TransactionAnswer>> {
  const { deps } = parts.room
  const { hash, requestId } = request
  return attend(deps, request, { event: 'transaction-read', body: NO_BODY }, async visitor => {
    const kept = await parts.store.find(hash)
    const unknown = new SignerError('transaction/unknown', { hash })
    if (kept?.prepared === undefined || kept.signed === undefined) throw unknown
    const { prepared, signed, entry } = kept
    if (!mayDo(deps, visitor.caller, 'read', prepared.source)) throw unknown // nobody learns of what they may not read
    let { end } = kept
    if (end === undefined) {
      const network = networkNamed(parts, prepared.network)
      const { clock } = deps
      end = await withDeadline(parts, signal =>
        endOf({ network, signed, expiresAt: prepared.expiresAt, clock, signal }),
      )
      if (end !== undefined) await settle(parts, visitor, requestId, prepared, signed, entry, end)
    }
    const answer = answerOf(prepared, signed, end)
    visitor.note({ key: prepared.source, hash, status: answer.status })
    return answer
  })
}
