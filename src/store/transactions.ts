import type { ExpressionBuilder } from 'kysely'
import { SignerError } from '../domain/errors.ts'
import type { IdempotencyEntry } from '../domain/ports.ts'
import type {
  Begun,
  KeptTransaction,
  PreparedTransaction,
  SignedBy,
  TransactionEnd,
  TransactionStore,
} from '../domain/transactions.ts'
import type { StoreTables, TransactionsTable } from './schema.ts'
import { change, type Engine, lock, query, type Row, row, type Step } from './steps.ts'

/**
 * One row for each idempotency key under which a transaction was asked for.
 * @param durable for what must outlive a power cut before it is signed: the log has it too, but a head that is noted in
 *                between keeps the log from being read from there
 */
export function transactionStore(engine: Engine, durable = engine): TransactionStore {
  return {
    begin: (entry, leaseUntil) => engine.atomic('begin a transaction', () => begin(entry, leaseUntil)),
    prepare: (entry, leaseUntil, prepared) =>
      durable.atomic('keep a prepared transaction', function* () {
        const text = JSON.stringify(prepared)
        own(yield* change(putPrepared, { ...ownerOf(entry), lease_until: leaseUntil, prepared: text }))
      }),
    sign: (entry, leaseUntil, { hash, envelope, by }) =>
      engine.once(function* () {
        const signed = { hash, envelope, signed_by: JSON.stringify(by) }
        own(yield* change(putSigned, { ...ownerOf(entry), lease_until: leaseUntil, ...signed }))
      }),
    settle: ({ scope, key }, end) =>
      engine.once(function* () {
        yield* change(putOutcome, { scope, key, outcome: JSON.stringify(end) })
      }),
    release: (entry, leaseUntil, { forget }) =>
      engine.atomic('end the lease of a transaction', function* () {
        const mine = { ...ownerOf(entry), lease_until: leaseUntil }
        if (forget) yield* change(forgetPrepared, mine)
        yield* change(endLease, mine)
      }),
    find: hash =>
      engine.once(function* () {
        const found = yield* row(findByHash, { hash })
        return found === undefined ? undefined : keptOf(found)
      }),
    restore: (entry, prepared) => engine.atomic('restore a transaction', () => restore(entry, prepared)),
    purge: before =>
      engine.once(function* () {
        return yield* change(purgeOld, { before })
      }),
  }
}

function* begin(entry: IdempotencyEntry, leaseUntil: number): Step<Begun> {
  yield* lock(placeOf(entry))
  const { scope, key, fingerprint, at } = entry
  const found = yield* row(findOne, { scope, key })
  if (found === undefined) {
    yield* change(addRow, { ...fresh(entry), lease_until: leaseUntil })
    return { kind: 'yours', kept: { entry } }
  }
  const kept = keptOf(found)
  if (kept.entry.fingerprint !== fingerprint) return { kind: 'mismatch' }
  if ((found['lease_until'] as number) > at) return { kind: 'in-flight' }
  yield* change(takeRow, { scope, key, at, lease_until: leaseUntil })
  return { kind: 'yours', kept: { ...kept, entry } }
}

function* restore(entry: IdempotencyEntry, prepared: PreparedTransaction): Step<void> {
  yield* lock(placeOf(entry))
  const { scope, key, at } = entry
  const text = JSON.stringify(prepared)
  const found = yield* row(findOne, { scope, key })
  if (found === undefined) yield* change(addRow, { ...fresh(entry), prepared: text })
  else if (found['hash'] === null && (found['at'] as number) <= at) {
    yield* change(putRestored, { ...ownerOf(entry), at, prepared: text })
  }
}

/** Leases of a process that is gone: the owner of the store frees them. */
export function* freeLeases(): Step<number> {
  return yield* change(freeAll, {})
}

const placeOf = ({ scope, key }: IdempotencyEntry): string => `transaction ${JSON.stringify([scope, key])}`
const ownerOf = ({ scope, key, fingerprint }: IdempotencyEntry) => ({ scope, key, fingerprint })
const fresh = (entry: IdempotencyEntry): TransactionsTable => ({
  ...ownerOf(entry),
  at: entry.at,
  lease_until: 0,
  prepared: null,
  hash: null,
  envelope: null,
  signed_by: null,
  outcome: null,
})

/** @throws `idempotency/in-flight` when nothing was ours to change */
function own(changes: number): void {
  if (changes === 0) throw new SignerError('idempotency/in-flight', { retryAfterMs: 1_000 })
}

/** A version that is not there: what nobody noted the signers of is asked for, and not sent again. */
const NOBODY_KNOWS: readonly SignedBy[] = [{ key: 'signed by an earlier release', version: 0 }]

function keptOf(found: Row): KeptTransaction {
  const text = (column: string): string | undefined => (found[column] as string | null) ?? undefined
  const [prepared, hash, envelope, outcome] = [text('prepared'), text('hash'), text('envelope'), text('outcome')]
  const signedBy = text('signed_by')
  const by = signedBy === undefined ? NOBODY_KNOWS : (read(signedBy) as readonly SignedBy[])
  return Object.freeze({
    entry: Object.freeze({
      scope: found['scope'] as string,
      key: found['key'] as string,
      fingerprint: found['fingerprint'] as string,
      at: found['at'] as number,
    }),
    ...(prepared === undefined ? {} : { prepared: read(prepared) as PreparedTransaction }),
    ...(hash === undefined || envelope === undefined ? {} : { signed: Object.freeze({ hash, envelope, by }) }),
    ...(outcome === undefined ? {} : { end: read(outcome) as TransactionEnd }),
  })
}

/** What cannot be read cannot be gone on with. @throws `store/unavailable` */
function read(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new SignerError('store/unavailable', { reason: 'a transaction on record cannot be read' }, { cause: error })
  }
}

type Owner = Pick<TransactionsTable, 'scope' | 'key' | 'fingerprint'>
type Mine = Owner & { lease_until: number }
const COLUMNS = [
  ...(['scope', 'key', 'fingerprint', 'at', 'lease_until'] as const),
  ...(['prepared', 'hash', 'envelope', 'signed_by', 'outcome'] as const),
] as const

/** The row, while the lease of it is the one that was given. */
const isMine =
  (p: <K extends keyof Mine>(name: K) => Mine[K]) =>
  ({ and, eb }: ExpressionBuilder<StoreTables, 'transactions'>) =>
    and([
      eb('scope', '=', p('scope')),
      eb('key', '=', p('key')),
      eb('fingerprint', '=', p('fingerprint')),
      eb('lease_until', '=', p('lease_until')),
    ])

const findOne = query<{ scope: string; key: string }>('read a transaction', (db, p) =>
  db.selectFrom('transactions').select(COLUMNS).where('scope', '=', p('scope')).where('key', '=', p('key')),
)
const findByHash = query<{ hash: string }>('read a transaction', (db, p) =>
  db.selectFrom('transactions').select(COLUMNS).where('hash', '=', p('hash')).orderBy('at').limit(1),
)
const addRow = query<TransactionsTable>('begin a transaction', (db, p) =>
  db.insertInto('transactions').values({
    scope: p('scope'),
    key: p('key'),
    fingerprint: p('fingerprint'),
    at: p('at'),
    lease_until: p('lease_until'),
    prepared: p('prepared'),
    hash: p('hash'),
    envelope: p('envelope'),
    signed_by: p('signed_by'),
    outcome: p('outcome'),
  }),
)
const takeRow = query<{ scope: string; key: string; at: number; lease_until: number }>('begin a transaction', (db, p) =>
  db
    .updateTable('transactions')
    .set({ at: p('at'), lease_until: p('lease_until') })
    .where('scope', '=', p('scope'))
    .where('key', '=', p('key')),
)
const putPrepared = query<Mine & { prepared: string }>('keep a prepared transaction', (db, p) =>
  db
    .updateTable('transactions')
    .set({ prepared: p('prepared') })
    .where(isMine(p))
    .where('prepared', 'is', null),
)
const putSigned = query<Mine & { hash: string; envelope: string; signed_by: string }>(
  'keep a signed transaction',
  (db, p) =>
    db
      .updateTable('transactions')
      .set({ hash: p('hash'), envelope: p('envelope'), signed_by: p('signed_by') })
      .where(isMine(p))
      .where('hash', 'is', null),
)
const putOutcome = query<{ scope: string; key: string; outcome: string }>('settle a transaction', (db, p) =>
  db
    .updateTable('transactions')
    .set({ outcome: p('outcome') })
    .where('scope', '=', p('scope'))
    .where('key', '=', p('key'))
    .where('outcome', 'is', null),
)
const forgetPrepared = query<Mine>('forget a prepared transaction', (db, p) =>
  db.updateTable('transactions').set({ prepared: null }).where(isMine(p)).where('hash', 'is', null),
)
const endLease = query<Mine>('end the lease of a transaction', (db, p) =>
  db.updateTable('transactions').set({ lease_until: 0 }).where(isMine(p)),
)
const putRestored = query<Owner & { at: number; prepared: string }>('restore a transaction', (db, p) =>
  db
    .updateTable('transactions')
    .set({ fingerprint: p('fingerprint'), at: p('at'), prepared: p('prepared') })
    .where('scope', '=', p('scope'))
    .where('key', '=', p('key')),
)
const freeAll = query('free the leases of a dead process', db =>
  db.updateTable('transactions').set({ lease_until: 0 }).where('lease_until', '>', 0),
)
const purgeOld = query<{ before: number }>('purge transactions', (db, p) =>
  db.deleteFrom('transactions').where('at', '<', p('before')),
)
