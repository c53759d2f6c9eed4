import type { Kysely } from 'kysely'
import type { ProposalState } from '../domain/proposals.ts'
import type { NoticesTable, ProposalSignaturesTable, ProposalsTable, StoreTables } from './schema.ts'
import { query } from './steps.ts'

const COLUMNS = [
  'id',
  'network',
  'hash',
  'envelope',
  'summary',
  'keys',
  'needed',
  'proposed_by',
  'proposed_at',
  'expires_at',
  'state',
  'lease_until',
  'outcome',
] as const

export const add = query<ProposalsTable>('open a proposal', (db, p) =>
  db.insertInto('proposals').values({
    id: p('id'),
    network: p('network'),
    hash: p('hash'),
    envelope: p('envelope'),
    summary: p('summary'),
    keys: p('keys'),
    needed: p('needed'),
    proposed_by: p('proposed_by'),
    proposed_at: p('proposed_at'),
    expires_at: p('expires_at'),
    state: p('state'),
    lease_until: p('lease_until'),
    outcome: p('outcome'),
  }),
)
export const one = query<{ id: string }>('read a proposal', (db, p) =>
  db.selectFrom('proposals').select(COLUMNS).where('id', '=', p('id')),
)
export const waiting = query<{ hash: string; keys: string }>('look for a proposal of a transaction', (db, p) =>
  db
    .selectFrom('proposals')
    .select('id')
    .where('hash', '=', p('hash'))
    .where('keys', '=', p('keys'))
    .where('state', 'in', ['collecting', 'executing']),
)

interface Page {
  readonly limit: number
  /** Behind this place. */
  readonly at: number
  readonly id: string
}
const page = (db: Kysely<StoreTables>, p: <K extends keyof Page>(name: K) => Page[K]) =>
  db
    .selectFrom('proposals')
    .select(COLUMNS)
    .where(({ and, eb, or }) =>
      or([eb('proposed_at', '<', p('at')), and([eb('proposed_at', '=', p('at')), eb('id', '>', p('id'))])]),
    )
    .orderBy('proposed_at', 'desc')
    .orderBy('id')
    .limit(p('limit'))
export const newest = query<Page>('list proposals', page)
export const newestIn = query<Page & { readonly state: string }>('list proposals', (db, p) =>
  page(db, p).where('state', '=', p('state')),
)
export const setState = query<Pick<ProposalsTable, 'id' | 'state' | 'lease_until' | 'outcome'>>(
  'change the state of a proposal',
  (db, p) =>
    db
      .updateTable('proposals')
      .set({ state: p('state'), lease_until: p('lease_until'), outcome: p('outcome') })
      .where('id', '=', p('id')),
)
/** Those in a state whose time is over, the longest over first. */
const overdue = (action: string, state: ProposalState, end: 'expires_at' | 'lease_until') =>
  query<{ now: number; limit: number }>(action, (db, p) =>
    db
      .selectFrom('proposals')
      .select('id')
      .where('state', '=', state)
      .where(end, '<=', p('now'))
      .orderBy(end)
      .limit(p('limit')),
  )
export const over = overdue('look for proposals that have expired', 'collecting', 'expires_at')
export const abandoned = overdue('look for proposals that were left', 'executing', 'lease_until')

const ENDED = ['executed', 'failed', 'cancelled', 'expired']
export const forgetSignatures = query<{ before: number }>('forget old signatures', (db, p) =>
  db
    .deleteFrom('proposal_signatures')
    .where('proposal_id', 'in', of =>
      of.selectFrom('proposals').select('id').where('state', 'in', ENDED).where('expires_at', '<', p('before')),
    ),
)
export const forget = query<{ before: number }>('forget old proposals', (db, p) =>
  db.deleteFrom('proposals').where('state', 'in', ENDED).where('expires_at', '<', p('before')),
)

export const addSignature = query<ProposalSignaturesTable>('collect a signature', (db, p) =>
  db.insertInto('proposal_signatures').values({
    proposal_id: p('proposal_id'),
    signer: p('signer'),
    signature: p('signature'),
    key: p('key'),
    brought_by: p('brought_by'),
    at: p('at'),
  }),
)
export const signaturesOf = query<{ id: string }>('read the signatures of a proposal', (db, p) =>
  db
    .selectFrom('proposal_signatures')
    .select(['signer', 'signature', 'key', 'brought_by', 'at'])
    .where('proposal_id', '=', p('id')),
)

export const addNotice = query<NoticesTable>('queue what is to be told', (db, p) =>
  db
    .insertInto('notices')
    .values({
      id: p('id'),
      event: p('event'),
      body: p('body'),
      at: p('at'),
      due_at: p('due_at'),
      tries: p('tries'),
    })
    .onConflict(queued => queued.column('id').doNothing()),
)
export const dueNotices = query<{ now: number; limit: number }>('look for what is to be told', (db, p) =>
  db
    .selectFrom('notices')
    .select(['id', 'event', 'body', 'at', 'tries'])
    .where('due_at', '<=', p('now'))
    .orderBy('due_at')
    .orderBy('id')
    .limit(p('limit')),
)
export const takeNotice = query<{ id: string; until: number }>('take what is to be told', (db, p) =>
  db
    .updateTable('notices')
    .set(({ eb }) => ({ due_at: p('until'), tries: eb('tries', '+', 1) }))
    .where('id', '=', p('id')),
)
export const endNotice = query<{ id: string }>('end what was told', (db, p) =>
  db.deleteFrom('notices').where('id', '=', p('id')),
)
export const postponeNotice = query<{ id: string; until: number }>('tell it later', (db, p) =>
  db
    .updateTable('notices')
    .set({ due_at: p('until') })
    .where('id', '=', p('id')),
)
