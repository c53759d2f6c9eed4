import type { ChangeStore, PolicyChange } from '../domain/changes.ts'
import {
  checkActivation,
  checkApproval,
  checkProposal,
  conflict,
  otherPolicy,
  type Proposal,
  requireProposed,
  unknownChange,
} from './checks-gateway.ts'
import { readKeyVersions, setPolicy } from './key-steps.ts'
import type { ApprovalsTable, PolicyChangesTable } from './schema.ts'
import { change, type Engine, lock, query, REGISTRY, type Row, row, rows, type Step } from './steps.ts'

export function changeStore(engine: Engine): ChangeStore {
  return {
    propose: async proposal => {
      checkProposal(proposal)
      return engine.atomic('propose a policy change', function* () {
        if ((yield* change(add, changeRow(proposal))) === 0) throw conflict(proposal.id, 'its id is taken')
      })
    },
    find: id => engine.atomic('read a policy change', () => find(id)),
    list: (key, limit) =>
      engine.atomic('list policy changes', function* () {
        const found = yield* key === undefined ? rows(newest, { limit }) : rows(newestOf, { key, limit })
        const changes: PolicyChange[] = []
        for (const each of found) changes.push(yield* withApprovals(each))
        return changes
      }),
    approve: (id, approval) =>
      engine.atomic('approve a policy change', function* () {
        yield* lock(REGISTRY)
        const before = yield* known(id)
        checkApproval(before, approval)
        const { address, signature, at } = approval
        yield* change(addApproval, { change_id: id, address, signature, at })
        return yield* known(id)
      }),
    activate: (id, at) => engine.atomic('activate a policy', () => activate(id, at)),
    withdraw: id =>
      engine.atomic('withdraw a policy change', function* () {
        yield* lock(REGISTRY)
        requireProposed(yield* known(id))
        yield* change(setState, { id, state: 'withdrawn' })
        return yield* known(id)
      }),
  }
}

/** Every version carries the policy in its seal, so all of them are read, checked and sealed again. */
function* activate(id: string, at: number): Step<PolicyChange> {
  yield* lock(REGISTRY)
  const before = yield* known(id)
  checkActivation(before, at)
  const versions = yield* readKeyVersions(before.key)
  const inForce = versions[0]?.key.policyHash
  if (inForce !== before.fromHash) throw conflict(id, otherPolicy(inForce))
  yield* setPolicy(versions, before.toText, before.toHash)
  yield* change(setState, { id, state: 'activated' })
  return yield* known(id)
}

function* find(id: string): Step<PolicyChange | undefined> {
  const found = yield* row(one, { id })
  return found === undefined ? undefined : yield* withApprovals(found)
}

function* known(id: string): Step<PolicyChange> {
  const found = yield* find(id)
  if (found === undefined) throw unknownChange(id)
  return found
}

function* withApprovals(found: Row): Step<PolicyChange> {
  const given = yield* rows(approvalsOf, { id: found['id'] as string })
  const approvals = given.map(({ address, signature, at }) =>
    Object.freeze({ address: address as string, signature: signature as string, at: at as number }),
  )
  const read: PolicyChange = {
    id: found['id'] as string,
    key: found['key'] as string,
    fromHash: found['from_hash'] as string,
    toHash: found['to_hash'] as string,
    toText: found['to_text'] as string,
    testsText: found['tests_text'] as string,
    direction: found['direction'] as PolicyChange['direction'],
    proposedBy: found['proposed_by'] as string,
    proposedAt: found['proposed_at'] as number,
    expiresAt: found['expires_at'] as number,
    state: found['state'] as PolicyChange['state'],
    approvals: Object.freeze(approvals),
  }
  checkProposal(read)
  return Object.freeze(read)
}

const changeRow = (proposal: Proposal): PolicyChangesTable => ({
  id: proposal.id,
  key: proposal.key,
  from_hash: proposal.fromHash,
  to_hash: proposal.toHash,
  to_text: proposal.toText,
  tests_text: proposal.testsText,
  direction: proposal.direction,
  proposed_by: proposal.proposedBy,
  proposed_at: proposal.proposedAt,
  expires_at: proposal.expiresAt,
  state: 'proposed',
})

const COLUMNS = [
  'id',
  'key',
  'from_hash',
  'to_hash',
  'to_text',
  'tests_text',
  'direction',
  'proposed_by',
  'proposed_at',
  'expires_at',
  'state',
] as const

const add = query<PolicyChangesTable>('propose a policy change', (db, p) =>
  db
    .insertInto('policy_changes')
    .values({
      id: p('id'),
      key: p('key'),
      from_hash: p('from_hash'),
      to_hash: p('to_hash'),
      to_text: p('to_text'),
      tests_text: p('tests_text'),
      direction: p('direction'),
      proposed_by: p('proposed_by'),
      proposed_at: p('proposed_at'),
      expires_at: p('expires_at'),
      state: p('state'),
    })
    .onConflict(taken => taken.column('id').doNothing()),
)
const one = query<{ id: string }>('read a policy change', (db, p) =>
  db.selectFrom('policy_changes').select(COLUMNS).where('id', '=', p('id')),
)
const newest = query<{ limit: number }>('list policy changes', (db, p) =>
  db.selectFrom('policy_changes').select(COLUMNS).orderBy('proposed_at', 'desc').orderBy('id').limit(p('limit')),
)
const newestOf = query<{ key: string; limit: number }>('list policy changes', (db, p) =>
  db
    .selectFrom('policy_changes')
    .select(COLUMNS)
    .where('key', '=', p('key'))
    .orderBy('proposed_at', 'desc')
    .orderBy('id')
    .limit(p('limit')),
)
const setState = query<{ id: string; state: string }>('change the state of a policy change', (db, p) =>
  db
    .updateTable('policy_changes')
    .set({ state: p('state') })
    .where('id', '=', p('id')),
)
const approvalsOf = query<{ id: string }>('read the approvals of a policy change', (db, p) =>
  db
    .selectFrom('approvals')
    .select(['address', 'signature', 'at'])
    .where('change_id', '=', p('id'))
    .orderBy('at')
    .orderBy('address'),
)
const addApproval = query<ApprovalsTable>('approve a policy change', (db, p) =>
  db
    .insertInto('approvals')
    .values({ change_id: p('change_id'), address: p('address'), signature: p('signature'), at: p('at') }),
)
