import type { NoticeQueue, QueuedNotice } from '../domain/notices.ts'
import {
  type CollectedSignature,
  type NeededWeight,
  type NewProposal,
  opened,
  type Proposal,
  type ProposalState,
  type ProposalStore,
  type Tell,
} from '../domain/proposals.ts'
import {
  checkCancel,
  checkCollect,
  checkProposal,
  checkSettle,
  idTaken,
  isOver,
  mayTake,
  unknownProposal,
  waitsAlready,
} from './checks-proposals.ts'
import * as queries from './proposal-queries.ts'
import type { ProposalsTable } from './schema.ts'
import { change, type Engine, lock, type Row, row, rows, type Step } from './steps.ts'

/** Proposals, and what is told of them. Whoever changes one holds its lock, so the next reads what was written. */
export function proposalStore(engine: Engine): ProposalStore {
  return {
    open: (proposal, tell) => engine.atomic('open a proposal', () => open(proposal, tell)),
    find: id => engine.atomic('read a proposal', () => find(id)),
    list: ({ state, limit, after }) =>
      engine.atomic('list proposals', function* () {
        const { proposedAt: at, id } = after ?? { proposedAt: Number.MAX_SAFE_INTEGER, id: '' }
        const found = yield* state === undefined
          ? rows(queries.newest, { limit, at, id })
          : rows(queries.newestIn, { state, limit, at, id })
        return yield* whole(found)
      }),
    collect: (id, signature, now, tell) =>
      engine.atomic('collect a signature', function* () {
        const before = yield* locked(id)
        if (!checkCollect(before, signature, now)) return before
        yield* change(queries.addSignature, signatureRow(id, signature))
        return yield* told(id, tell)
      }),
    take: (id, { now, leaseUntil }) =>
      engine.atomic('take a proposal', function* () {
        yield* lock(nameOf(id))
        const before = yield* find(id)
        if (before === undefined || !mayTake(before, now)) return undefined
        yield* change(queries.setState, { id, state: 'executing', lease_until: leaseUntil, outcome: null })
        return yield* known(id)
      }),
    settle: (id, leaseUntil, { state, outcome }, tell) =>
      engine.atomic('settle a proposal', function* () {
        checkSettle(yield* locked(id), leaseUntil)
        return yield* end(id, state, outcome, tell)
      }),
    cancel: (id, outcome, tell) =>
      engine.atomic('cancel a proposal', function* () {
        checkCancel(yield* locked(id))
        return yield* end(id, 'cancelled', outcome, tell)
      }),
    expire: (now, limit, tell) =>
      engine.atomic('end proposals that have expired', function* () {
        const ids = (yield* rows(queries.over, { now, limit })).map(({ id }) => id as string)
        const ended: Proposal[] = []
        if (ids.length > 0) yield* lock(...ids.map(nameOf))
        for (const id of ids) if (isOver(yield* known(id), now)) ended.push(yield* end(id, 'expired', null, tell))
        return ended
      }),
    abandoned: (now, limit) =>
      engine.once(function* () {
        return (yield* rows(queries.abandoned, { now, limit })).map(({ id }) => id as string)
      }),
    purge: before =>
      engine.atomic('forget old proposals', function* () {
        yield* change(queries.forgetSignatures, { before })
        return yield* change(queries.forget, { before })
      }),
  }
}

export function noticeQueue(engine: Engine): NoticeQueue {
  return {
    take: (now, until, limit) =>
      engine.atomic('take what is to be told', function* () {
        yield* lock('notices')
        const due = yield* rows(queries.dueNotices, { now, limit })
        for (const { id } of due) yield* change(queries.takeNotice, { id: id as string, until })
        return due.map(readNotice)
      }),
    end: async id => {
      await engine.once(() => change(queries.endNotice, { id }))
    },
    postpone: async (id, until) => {
      await engine.once(() => change(queries.postponeNotice, { id, until }))
    },
  }
}

/** Two who open the same transaction at once come one after the other. */
function* open(proposal: NewProposal, tell: Tell | undefined): Step<void> {
  const { id, hash, proposedAt } = proposal
  yield* lock(nameOf(id), `transaction ${hash}`)
  if ((yield* row(queries.one, { id })) !== undefined) throw idTaken(id)
  const fresh = opened(proposal)
  for (const found of yield* rows(queries.waiting, { hash, keys: proposalRow(fresh).keys })) {
    const other = yield* known(found['id'] as string)
    if (!isOver(other, proposedAt)) throw waitsAlready(other.id)
    yield* end(other.id, 'expired', null, tell)
  }
  yield* change(queries.add, proposalRow(checkProposal(fresh)))
  yield* told(id, tell)
}

function* end(id: string, state: ProposalState, outcome: string | null, tell: Tell | undefined): Step<Proposal> {
  yield* change(queries.setState, { id, state, lease_until: null, outcome })
  return yield* told(id, tell)
}

/** The proposal as it stands now, and what is to be told of it in the queue. */
function* told(id: string, tell: Tell | undefined): Step<Proposal> {
  const after = yield* known(id)
  for (const { id: name, event, body, at } of tell?.(after) ?? []) {
    yield* change(queries.addNotice, { id: name, event, body, at, due_at: at, tries: 0 })
  }
  return after
}

const nameOf = (id: string): string => `proposal ${id}`

function* locked(id: string): Step<Proposal> {
  yield* lock(nameOf(id))
  return yield* known(id)
}

function* known(id: string): Step<Proposal> {
  const found = yield* find(id)
  if (found === undefined) throw unknownProposal(id)
  return found
}

function* find(id: string): Step<Proposal | undefined> {
  const found = yield* row(queries.one, { id })
  return found === undefined ? undefined : yield* withSignatures(found)
}

function* whole(found: readonly Row[]): Step<readonly Proposal[]> {
  const proposals: Proposal[] = []
  for (const each of found) proposals.push(yield* withSignatures(each))
  return proposals
}

function* withSignatures(found: Row): Step<Proposal> {
  const id = found['id'] as string
  const signatures = (yield* rows(queries.signaturesOf, { id })).map(readSignature)
  return checkProposal({
    id,
    network: found['network'] as string,
    hash: found['hash'] as string,
    envelope: found['envelope'] as string,
    summary: found['summary'] as string,
    keys: listOf(found['keys']) as readonly string[],
    needed: listOf(found['needed']) as readonly NeededWeight[],
    signatures,
    proposedBy: found['proposed_by'] as string,
    proposedAt: found['proposed_at'] as number,
    expiresAt: found['expires_at'] as number,
    state: found['state'] as ProposalState,
    leaseUntil: found['lease_until'] as number | null,
    outcome: found['outcome'] as string | null,
  })
}

/** What is no list is found out by `checkProposal`. */
function listOf(text: unknown): unknown {
  try {
    return JSON.parse(text as string)
  } catch {
    return undefined
  }
}

const readSignature = (found: Row): CollectedSignature => ({
  signer: found['signer'] as string,
  signature: found['signature'] as string,
  key: found['key'] as string | null,
  by: found['brought_by'] as string,
  at: found['at'] as number,
})

const signatureRow = (proposal_id: string, { signer, signature, key, by, at }: CollectedSignature) => ({
  proposal_id,
  signer,
  signature,
  key,
  brought_by: by,
  at,
})

const proposalRow = (proposal: Proposal): ProposalsTable => ({
  id: proposal.id,
  network: proposal.network,
  hash: proposal.hash,
  envelope: proposal.envelope,
  summary: proposal.summary,
  keys: JSON.stringify(proposal.keys),
  needed: JSON.stringify(proposal.needed),
  proposed_by: proposal.proposedBy,
  proposed_at: proposal.proposedAt,
  expires_at: proposal.expiresAt,
  state: proposal.state,
  lease_until: proposal.leaseUntil,
  outcome: proposal.outcome,
})

const readNotice = (found: Row): QueuedNotice => ({
  id: found['id'] as string,
  event: found['event'] as QueuedNotice['event'],
  body: found['body'] as string,
  at: found['at'] as number,
  tries: (found['tries'] as number) + 1,
})
