import { randomId } from '../../bytes/ids.ts'
import { endOf, signaturesOf, stellar } from '../../chains/stellar/index.ts'
import type { AuditActor } from '../../domain/audit.ts'
import { type AnySignerError, isSignerError, SignerError } from '../../domain/errors.ts'
import type { Proposal } from '../../domain/proposals.ts'
import type { StellarNetwork, Submission, TransactionStatus } from '../../domain/stellar-network.ts'
import { before } from '../deadline.ts'
import type { Answered } from '../door.ts'
import { resolveKey } from '../keys.ts'
import { parsePayload } from '../payloads.ts'
import { isRefusedForGood, statusOf } from '../sent.ts'
import { type Departure, type Sender, submitStanding } from '../standing.ts'
import type { CallerLike } from '../types.ts'
import { attendTo, type ProposalDeps, type ProposalRequest } from './deps.ts'
import { readNothing } from './input.ts'
import { standingOne } from './standing.ts'
import { tellOf } from './tell.ts'
import { finalEnvelopeOf, weightsOf } from './view.ts'

/**
 * Sends it to the network, once: of all who ask, in whatever process, one takes it and sends it. Whoever comes after it has
 * been executed gets the same answer. Where the ledger does not come in time it stays `executing`, and `tend` or the next
 * who asks goes on when the lease has ended: with the same bytes, so a network runs them once whoever sends them.
 *
 * @throws `proposal/conflict` while weight is missing, another process sends it, or it has ended otherwise;
 *         `transaction/rejected` when the network will not run it; `network/*` when it does not say
 */
export async function executeProposal<C extends CallerLike>(
  deps: ProposalDeps<C>,
  request: ProposalRequest,
): Promise<Answered<Proposal>> {
  const { signing } = deps
  const matter = { event: 'proposal-executed', action: 'submit', read: readNothing } as const
  return attendTo(deps, request, matter, async ({ proposal }, { caller, actor, peer, auditId, note }) => {
    for (const key of proposal.keys) {
      const held = await resolveKey(signing.catalogue, key)
      const asked = parsePayload(payloadOf(proposal), held)
      signing.gateway.constrain(caller, () => signing.factsOf(held, asked, peer), 'submit')
    }
    if (proposal.state === 'executed') return proposal
    const after = await carryOut(deps, proposal, { actor, auditId, requestId: request.requestId })
    note({ state: after.state, ...(after.outcome === null ? {} : { outcome: after.outcome }) })
    return after
  })
}

const payloadOf = ({ envelope }: Proposal) => ({ type: 'stellar-transaction', xdr: envelope })

/** For `tend`: goes on with what a process took and never ended. */
export async function goOn<C extends CallerLike>(
  deps: ProposalDeps<C>,
  id: string,
  actor: AuditActor,
): Promise<Proposal | undefined> {
  const { random, audit } = deps.signing
  const proposal = await deps.store.find(id)
  if (proposal?.state !== 'executing') return proposal
  const auditId = randomId(random, 'a')
  const after = await carryOut(deps, proposal, { actor, auditId, requestId: auditId })
  const { hash, state, outcome } = after
  const detail = { proposal: id, hash, state, outcome: outcome ?? '' }
  await audit.append({ kind: 'event', auditId, event: 'proposal-settled', actor, detail })
  return after
}

async function carryOut<C extends CallerLike>(
  deps: ProposalDeps<C>,
  proposal: Proposal,
  sender: Sender,
): Promise<Proposal> {
  const { signing, store, times } = deps
  const { id, hash } = proposal
  const { actor, auditId, requestId } = sender
  const node = deps.network(proposal.network)
  if (node === undefined) throw conflict(id, `no node of ${proposal.network} is configured to send it to`)
  const { ready, accounts } = weightsOf((await standingOne(deps, proposal)).proposal)
  if (!ready && proposal.state === 'collecting' && proposal.expiresAt > signing.clock.now()) {
    const lacking = accounts.filter(({ missing }) => missing > 0)
    throw conflict(
      id,
      `weight is missing: ${lacking.map(({ account, missing }) => `${missing} of ${account}`).join(', ')}`,
    )
  }
  if (signing.audit.state.kind === 'sealed') {
    throw new SignerError('audit/sealed', { reason: signing.audit.state.reason })
  }
  const now = signing.clock.now()
  const taken = await store.take(id, { now, leaseUntil: now + times.leaseMs })
  if (taken === undefined) return afterAll(deps, id)
  // On record before anything leaves.
  const detail = { requestId, proposal: id, hash }
  await signing.audit.append({ kind: 'event', auditId, event: 'proposal-submitting', actor, detail })
  return settle(deps, taken, { node, again: proposal.state === 'executing', sender })
}

interface Sending {
  readonly node: StellarNetwork
  /** True: another process may have sent it before. */
  readonly again: boolean
  readonly sender: Sender
}

/** Another process has it, or has ended it while we were asking. */
async function afterAll<C extends CallerLike>({ store, signing }: ProposalDeps<C>, id: string): Promise<Proposal> {
  const found = await store.find(id)
  if (found === undefined) throw new SignerError('proposal/unknown', { id })
  if (found.state === 'executed') return found
  if (found.state === 'executing') throw conflict(id, 'another request is executing it: ask for it again in a moment')
  if (found.state === 'collecting' && found.expiresAt <= signing.clock.now()) throw conflict(id, 'it has expired')
  throw conflict(id, found.outcome === null ? `it is ${found.state}` : `it is ${found.state}: ${found.outcome}`)
}

async function settle<C extends CallerLike>(
  deps: ProposalDeps<C>,
  taken: Proposal,
  sending: Sending,
): Promise<Proposal> {
  const { signing, store } = deps
  const { id, network, hash } = taken
  const leaseUntil = taken.leaseUntil as number
  const end = await submit(deps, taken, sending)
  if (end === undefined) return taken
  const now = signing.clock.now()
  const tell = deps.tells ? tellOf(end.kind === 'executed' ? 'proposal.executed' : 'proposal.failed', now) : undefined
  if (end.kind === 'executed') {
    return store.settle(id, leaseUntil, { state: 'executed', outcome: `ledger ${end.ledger}` }, tell)
  }
  const { code, reason } = end
  await store.settle(id, leaseUntil, { state: 'failed', outcome: `${code}: ${reason}` }, tell)
  if (end.kind === 'withheld') throw end.error
  throw new SignerError('transaction/rejected', { network, resultCode: code, reason, hash })
}

type End =
  | { readonly kind: 'executed'; readonly ledger: number }
  | { readonly kind: 'failed'; readonly code: string; readonly reason: string }
  /** It was never sent, and what it needs may not leave any more. */
  | { readonly kind: 'withheld'; readonly code: string; readonly reason: string; readonly error: AnySignerError }

/** @returns undefined when nobody can tell yet */
async function submit<C extends CallerLike>(
  deps: ProposalDeps<C>,
  taken: Proposal,
  { node, again, sender }: Sending,
): Promise<End | undefined> {
  const { times } = deps
  const { clock } = deps.signing
  const until = clock.monotonic() + times.waitMs
  const left = () => until - clock.monotonic()
  const ask = <T>(question: (signal: AbortSignal) => Promise<T>) =>
    before(clock, Math.max(times.pollMs, Math.min(times.askMs, left())), question)
  const { network, hash } = taken
  const { envelope, by } = await departing(deps, taken)
  const leaving = { ...sender, hash, envelope, by }
  const statusNow = () => statusOf({ network, hash, envelope }, each => ask(signal => node.transaction(each, signal)))

  if (again) {
    const end = endIn(await statusNow())
    if (end !== undefined) return end
  }
  let refused: Extract<Submission, { kind: 'rejected' }> | undefined
  for (;;) {
    const answer = await ask(signal => submitStanding(deps.signing, node, leaving, signal)).catch(withheldIn)
    if (answer.kind === 'withheld') {
      if (!again) return answer
      return (await isOver(taken, node, ask, statusNow)) ? OVER : undefined // what was sent before may still run
    }
    if (answer.kind === 'rejected') refused = answer
    if (answer.kind === 'accepted' && answer.hash !== hash) {
      throw new SignerError('network/malformed', {
        network: node.name,
        reason: 'it took another transaction than was sent',
      })
    }
    if (answer.kind !== 'try-again') break
    if (left() <= answer.afterMs) return undefined
    await clock.sleep(answer.afterMs)
  }
  let first: number | undefined
  for (;;) {
    const status = await statusNow()
    const end = endIn(status)
    if (end !== undefined) return end
    if (status.kind === 'unknown' && refused !== undefined) {
      first ??= status.latestLedger
      if (isRefusedForGood(refused.code, first, status.latestLedger)) return failed(refused)
    }
    if (left() <= times.pollMs) return (await isOver(taken, node, ask, statusNow)) ? OVER : undefined
    await clock.sleep(times.pollMs)
  }
}

const failed = ({ code, reason }: { readonly code: string; readonly reason: string }): End => ({
  kind: 'failed',
  code,
  reason,
})

const OVER: End = { kind: 'failed', code: 'expired', reason: 'its maxTime is over, and it is in no ledger' }

function endIn(status: TransactionStatus): End | undefined {
  if (status.kind === 'success') return { kind: 'executed', ledger: status.ledger }
  if (status.kind === 'unknown') return undefined
  return failed({ code: status.code, reason: `it failed in ledger ${status.ledger}` })
}

/** The network's own clock says that it can never run any more, and it has not. */
async function isOver(
  taken: Proposal,
  node: StellarNetwork,
  ask: <T>(question: (signal: AbortSignal) => Promise<T>) => Promise<T>,
  statusNow: () => Promise<TransactionStatus>,
): Promise<boolean> {
  const end = endOf(stellar.parse(payloadOf(taken), taken.network).view)
  if (end === undefined) return false
  const { closedAt, sequence } = await ask(signal => node.latestLedger(signal))
  if (closedAt <= end) return false
  const last = await statusNow()
  return last.kind === 'unknown' && last.latestLedger >= sequence // of several nodes one may be behind the other
}

/** What of it may leave goes: where enough others have signed, without those that do not stand. */
async function departing<C extends CallerLike>(
  deps: ProposalDeps<C>,
  taken: Proposal,
): Promise<Pick<Departure, 'envelope' | 'by'>> {
  const { proposal, signers } = await standingOne(deps, taken)
  // Without them it would not run. With them it does not leave, which `submitStanding` says, and puts on record.
  const sent = weightsOf(proposal).ready ? proposal : taken
  const used = weightsOf(sent).used
  return { envelope: await checkedEnvelope(sent), by: signers.filter(({ address }) => used.includes(address)) }
}

function withheldIn(error: unknown): Extract<End, { kind: 'withheld' }> {
  if (!isSignerError(error) || error.code !== 'key/not-active') throw error
  const { key, version, state } = error.detail
  return {
    kind: 'withheld',
    code: error.code,
    reason: `version ${version} of ${key}, which signed it, is ${state}`,
    error,
  }
}

/** The envelope that is sent, which is the one that was proposed: whoever changed a row of the store sends nothing. */
async function checkedEnvelope(taken: Proposal): Promise<string> {
  const envelope = finalEnvelopeOf(taken)
  const signers = taken.signatures.map(({ signer }) => signer)
  const { hash, strange } = await signaturesOf(envelope, taken.network, signers)
  if (hash === taken.hash && strange === 0) return envelope
  throw new SignerError('store/unavailable', { reason: `the record of proposal ${taken.id} is damaged` })
}

const conflict = (id: string, reason: string) => new SignerError('proposal/conflict', { id, reason })
