import type { ClaimAnswer, Claims, SlotClaim } from '../domain/claims.ts'
import { SignerError } from '../domain/errors.ts'
import type { IdempotencyEntry } from '../domain/ports.ts'
import type { ClaimsTable, CountersTable, SlotsTable } from './schema.ts'
import { change, type Engine, lock, query, type Row, row, rows, type Step } from './steps.ts'
import type { RestorableClaims } from './store.ts'
import {
  checkClaims,
  type Counter,
  EMPTY,
  giveBack,
  holdsAt,
  idleAt,
  inTheWay,
  leftBehind,
  type SlotHolder,
  type Spent,
  spend,
  taken,
  usedIn,
} from './windows.ts'

/**
 * Spend windows and places on the chain. One row a counter, so that a claim reads and writes as little as the number of its
 * counters, whatever the number of signatures in the window.
 */
export function claimStore(engine: Engine): RestorableClaims {
  return {
    claim: async (entry, claims) => {
      checkClaims(claims)
      return engine.atomic('claim', () => claim(entry, claims))
    },
    drop: entry => engine.atomic('give a claim back', () => drop(entry)),
    restore: async (entry, claims) => {
      checkClaims(claims)
      return engine.atomic('restore a claim', () => restore(entry, claims))
    },
    used: (counters, now) =>
      engine.atomic('read spend counters', function* () {
        const sums: bigint[] = []
        for (const { counter, windowMs } of counters) sums.push(usedIn(yield* readCounter(counter), windowMs, now))
        return sums
      }),
    purge: before => engine.atomic('purge claims', () => purge(before)),
  }
}

function* claim(entry: IdempotencyEntry, { spends, slot }: Claims): Step<ClaimAnswer> {
  yield* lock(...places(entry, spends, slot))
  const before = yield* readOwn(entry)
  if (slot !== undefined) {
    const other = (yield* isHeldBy(entry, slot)) ? undefined : inTheWay(slot, yield* othersOf(entry, slot))
    if (other !== undefined) return { kind: 'taken', slot: slot.slot, hash: other.hash }
  }
  const counters = yield* readCounters(spends, before?.spent ?? [])
  giveBack(counters, before?.spent ?? [])
  const answer = spend(counters, spends, entry.at)
  if (answer.kind === 'exceeded') return answer
  const own = { spent: answer.spent, slots: before?.slots ?? [], held: leftBehind(before, entry), at: entry.at }
  yield* write(entry, own, counters, slot)
  return { kind: 'claimed' }
}

/** Only what this very reservation took, and only where no earlier one may have come to a signature. */
function* drop(entry: IdempotencyEntry): Step<void> {
  yield* lock(place('entry', entry))
  const own = yield* readOwn(entry)
  if (own === undefined || own.held || own.at !== entry.at) return
  yield* lock(...places(entry, own.spent))
  const counters = yield* readCounters([], own.spent)
  giveBack(counters, own.spent)
  for (const [name, counter] of counters) yield* change(putCounter, counterRow(name, counter))
  for (const slot of own.slots) yield* change(removeSlot, { ...ownerOf(entry), slot })
  yield* change(removeOwn, ownerOf(entry))
}

function* restore(entry: IdempotencyEntry, { spends, slot }: Claims): Step<void> {
  yield* lock(...places(entry, spends, slot))
  const before = yield* readOwn(entry)
  if (before !== undefined && before.at > entry.at) return
  const counters = yield* readCounters(spends, before?.spent ?? [])
  giveBack(counters, before?.spent ?? [])
  const spent = taken(counters, spends, entry.at)
  const own = { spent, slots: before?.slots ?? [], held: leftBehind(before, entry), at: entry.at }
  yield* write(entry, own, counters, slot)
}

interface Own {
  readonly at: number
  readonly held: boolean
  readonly spent: readonly Spent[]
  readonly slots: readonly string[]
}

function* write(entry: IdempotencyEntry, own: Own, counters: Map<string, Counter>, slot?: SlotClaim): Step<void> {
  for (const [name, counter] of counters) yield* change(putCounter, counterRow(name, counter))
  let { slots } = own
  if (slot !== undefined) {
    const { hash, effects, fee, expiresAt: expires_at = null } = slot
    yield* change(putSlot, {
      ...ownerOf(entry),
      at: entry.at,
      slot: slot.slot,
      hash,
      effects,
      fee: String(fee),
      expires_at,
    })
    if (!slots.includes(slot.slot)) slots = [...slots, slot.slot]
  }
  const spent = own.spent.map(({ counter, until, amount }) => [counter, until, String(amount)])
  const text = JSON.stringify({ spent, slots })
  yield* change(putOwn, { ...ownerOf(entry), at: own.at, held: own.held ? 1 : 0, taken: text })
}

/** Claims of whoever is gone: they stay, for a signature may exist. */
export function* holdOrphans(): Step<number> {
  return yield* change(holdInFlight, {})
}

function* purge(before: number): Step<number> {
  return (
    (yield* change(purgeCounters, { before })) +
    (yield* change(purgeSlots, { before })) +
    (yield* change(purgeClaims, { before }))
  )
}

function* readOwn(entry: IdempotencyEntry): Step<Own | undefined> {
  const found = yield* row(findOwn, ownerOf(entry))
  if (found === undefined) return undefined
  const { spent, slots } = read(found, 'taken') as { spent: [string, number, string][]; slots: string[] }
  return {
    at: found['at'] as number,
    held: found['held'] !== 0,
    spent: spent.map(([counter, until, amount]) => ({ counter, until, amount: BigInt(amount) })),
    slots,
  }
}

/** Asked first: a transaction that is signed again and again has a holder for each time, and two of them are enough. */
function* isHeldBy({ scope, key, fingerprint }: IdempotencyEntry, { slot, hash }: SlotClaim): Step<boolean> {
  return (yield* rows(findSame, { slot, hash })).some(
    each => each['scope'] !== scope || each['key'] !== key || each['fingerprint'] !== fingerprint,
  )
}

function* othersOf({ scope, key, fingerprint, at }: IdempotencyEntry, { slot }: SlotClaim): Step<SlotHolder[]> {
  return (yield* rows(findSlot, { slot }))
    .filter(each => each['scope'] !== scope || each['key'] !== key || each['fingerprint'] !== fingerprint)
    .map(each => ({
      hash: each['hash'] as string,
      effects: each['effects'] as string,
      fee: BigInt(each['fee'] as string),
      expiresAt: (each['expires_at'] as number | null) ?? undefined,
    }))
    .filter(holdsAt(at))
}

function* readCounters(...named: (readonly { counter: string }[])[]): Step<Map<string, Counter>> {
  const counters = new Map<string, Counter>()
  for (const { counter } of named.flat()) {
    if (!counters.has(counter)) counters.set(counter, yield* readCounter(counter))
  }
  return counters
}

function* readCounter(name: string): Step<Counter> {
  const found = yield* row(findCounter, { name })
  if (found === undefined) return EMPTY
  const buckets = (read(found, 'buckets') as [number, string][]).map(([until, amount]) => ({
    until,
    amount: BigInt(amount),
  }))
  return { longestMs: found['longest_ms'] as number, buckets }
}

/** What cannot be read cannot be counted. @throws `store/unavailable` */
function read(found: Row, column: string): unknown {
  try {
    return JSON.parse(found[column] as string)
  } catch (error) {
    throw new SignerError('store/unavailable', { reason: 'a spend counter cannot be read' }, { cause: error })
  }
}

const counterRow = (name: string, counter: Counter): CountersTable => ({
  name,
  longest_ms: counter.longestMs,
  idle_at: idleAt(counter),
  buckets: JSON.stringify(counter.buckets.map(({ until, amount }) => [until, String(amount)])),
})

type Owner = Pick<ClaimsTable, 'scope' | 'key' | 'fingerprint'>
const ownerOf = ({ scope, key, fingerprint }: IdempotencyEntry): Owner => ({ scope, key, fingerprint })

const place = (kind: string, { scope, key }: IdempotencyEntry): string => `${kind} ${JSON.stringify([scope, key])}`
const places = (entry: IdempotencyEntry, spends: readonly { counter: string }[], slot?: SlotClaim): string[] => [
  place('entry', entry),
  ...spends.map(({ counter }) => `counter ${counter}`),
  ...(slot === undefined ? [] : [`slot ${slot.slot}`]),
]

const findOwn = query<Owner>('read a claim', (db, p) =>
  db
    .selectFrom('claims')
    .select(['at', 'held', 'taken'])
    .where('scope', '=', p('scope'))
    .where('key', '=', p('key'))
    .where('fingerprint', '=', p('fingerprint')),
)
const putOwn = query<ClaimsTable>('keep a claim', (db, p) =>
  db
    .insertInto('claims')
    .values({
      scope: p('scope'),
      key: p('key'),
      fingerprint: p('fingerprint'),
      at: p('at'),
      held: p('held'),
      taken: p('taken'),
    })
    .onConflict(conflict =>
      conflict
        .columns(['scope', 'key', 'fingerprint'])
        .doUpdateSet({ at: p('at'), held: p('held'), taken: p('taken') }),
    ),
)
const removeOwn = query<Owner>('give a claim back', (db, p) =>
  db
    .deleteFrom('claims')
    .where('scope', '=', p('scope'))
    .where('key', '=', p('key'))
    .where('fingerprint', '=', p('fingerprint')),
)
const findCounter = query<{ name: string }>('read a spend counter', (db, p) =>
  db.selectFrom('counters').select(['longest_ms', 'buckets']).where('name', '=', p('name')),
)
const putCounter = query<CountersTable>('write a spend counter', (db, p) =>
  db
    .insertInto('counters')
    .values({ name: p('name'), longest_ms: p('longest_ms'), idle_at: p('idle_at'), buckets: p('buckets') })
    .onConflict(conflict =>
      conflict
        .column('name')
        .doUpdateSet({ longest_ms: p('longest_ms'), idle_at: p('idle_at'), buckets: p('buckets') }),
    ),
)
const findSame = query<{ slot: string; hash: string }>(
  'read a place on the chain',
  (db, p) =>
    db
      .selectFrom('slots')
      .select(['scope', 'key', 'fingerprint'])
      .where('slot', '=', p('slot'))
      .where('hash', '=', p('hash'))
      .limit(2), // one of them may be our own
)
const findSlot = query<{ slot: string }>('read a place on the chain', (db, p) =>
  db
    .selectFrom('slots')
    .select(['scope', 'key', 'fingerprint', 'hash', 'effects', 'fee', 'expires_at'])
    .where('slot', '=', p('slot')),
)
const putSlot = query<SlotsTable>('take a place on the chain', (db, p) =>
  db
    .insertInto('slots')
    .values({
      slot: p('slot'),
      scope: p('scope'),
      key: p('key'),
      fingerprint: p('fingerprint'),
      hash: p('hash'),
      effects: p('effects'),
      fee: p('fee'),
      expires_at: p('expires_at'),
      at: p('at'),
    })
    .onConflict(conflict =>
      conflict.columns(['slot', 'scope', 'key', 'fingerprint']).doUpdateSet({
        hash: p('hash'),
        effects: p('effects'),
        fee: p('fee'),
        expires_at: p('expires_at'),
        at: p('at'),
      }),
    ),
)
const removeSlot = query<Owner & { slot: string }>('give a place on the chain back', (db, p) =>
  db
    .deleteFrom('slots')
    .where('slot', '=', p('slot'))
    .where('scope', '=', p('scope'))
    .where('key', '=', p('key'))
    .where('fingerprint', '=', p('fingerprint')),
)
const holdInFlight = query('hold the claims of a dead process', db =>
  db
    .updateTable('claims')
    .set({ held: 1 })
    .where('held', '=', 0)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('idempotency')
          .select('state')
          .whereRef('idempotency.scope', '=', 'claims.scope')
          .whereRef('idempotency.key', '=', 'claims.key')
          .where('idempotency.state', '=', 'in-flight'),
      ),
    ),
)
const purgeCounters = query<{ before: number }>('purge spend counters', (db, p) =>
  db.deleteFrom('counters').where('idle_at', '<=', p('before')),
)
const purgeSlots = query<{ before: number }>('purge places on the chain', (db, p) =>
  db.deleteFrom('slots').where('at', '<', p('before')),
)
const purgeClaims = query<{ before: number }>('purge claims', (db, p) =>
  db.deleteFrom('claims').where('at', '<', p('before')),
)
