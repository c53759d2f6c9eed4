import type { AuditIndex, Clock } from '../domain/ports.ts'
import { adminStore } from './admins.ts'
import { changeStore } from './changes.ts'
import { claimStore } from './claims.ts'
import { keyRegistry } from './key-steps.ts'
import { type PostgresEngine, postgresEngine } from './postgres-engine.ts'
import { postgresIdempotency, releaseAbandoned } from './postgres-idempotency.ts'
import { type Lease, takeLease } from './postgres-lease.ts'
import { migratePostgres } from './postgres-migrate.ts'
import { type PostgresConnection, refusePlain } from './postgres-options.ts'
import { postgresRates } from './postgres-rates.ts'
import { noticeQueue, proposalStore } from './proposals.ts'
import { type AuditHead, checkSameHead, KEPT_MS, type Store } from './store.ts'
import { challengeStore, tokenLedger } from './tokens.ts'
import { transactionStore } from './transactions.ts'

export interface PostgresOptions {
  readonly connection: PostgresConnection
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  /** Names this process and its audit log among those that share the store; the same at every start. */
  readonly instance: string
  /**
   * `owner` (default): a process that signs; it makes the tables, and holds a lease. `guest`: a command beside it (`doctor`,
   * `audit verify`); it takes no reservations, and leaves a store of an older version as it is.
   */
  readonly role?: 'owner' | 'guest'
  /** How long answers are kept for replay; 24 hours unless told. */
  readonly keptMs?: number
  /** How long a process that died keeps what it reserved; 15,000 ms unless told. It says three times as often that it lives. */
  readonly leaseMs?: number
  /** For connecting, for a statement and for a lock; 5,000 ms unless told. */
  readonly timeoutMs?: number
  /** Connections of this process; 8 unless told. */
  readonly poolSize?: number
  /** Rate limits count by `now` of the caller instead of the time of the server. For tests. */
  readonly callersTime?: boolean
}

/** What `close` leaves to run. */
export interface PostgresStore extends Store {
  /** Gives the lease up, so that a successor need not wait for it, and closes the connections. */
  end(): Promise<void>
  /** What the timer does: says that this process lives, and cleans up behind those that do not. */
  tend(): Promise<void>
}

/**
 * The whole store on PostgreSQL, for several replicas. All that is promised within one process holds across them:
 * reservations, spend windows, limits, places on a chain and revocations are decided in the database, under its locks.
 *
 * @throws `start/refused` on plain text over a network, an old server, a database of another program, a store newer than this
 *         program, or another process under the same name; `store/unavailable` when the server does not answer.
 */
export async function openPostgresStore(options: PostgresOptions): Promise<PostgresStore> {
  const { connection, clock, instance, role = 'owner', leaseMs = 15_000 } = options
  refusePlain(connection)
  const place = `${connection.host}/${connection.database}`
  const engine = postgresEngine({ connection, poolSize: options.poolSize ?? 8, timeoutMs: options.timeoutMs ?? 5_000 })
  try {
    await migratePostgres(engine, { place, role, clock })
    const lease = role === 'guest' ? undefined : await takeLease(engine, { instance, leaseMs, clock, place })
    return await withLease(engine, lease, options)
  } catch (error) {
    await engine.end()
    throw error
  }
}

async function withLease(
  engine: PostgresEngine,
  lease: Lease | undefined,
  { clock, instance, keptMs = KEPT_MS, leaseMs = 15_000, callersTime }: PostgresOptions,
): Promise<PostgresStore> {
  const idempotency = postgresIdempotency(engine, lease, keptMs)
  const rates = postgresRates(engine, callersTime)
  const orphans = lease === undefined ? 0 : await releaseAbandoned(engine)
  const tend = async () => {
    if (lease === undefined) return
    await lease.renew()
    await idempotency.settle()
    await releaseAbandoned(engine)
    await rates.purge()
  }
  const stop = new AbortController()
  const tending = lease === undefined ? Promise.resolve() : tendUntil(stop.signal, clock, leaseMs / 3, tend)
  let ended: Promise<void> | undefined
  const end = async () => {
    stop.abort()
    await tending
    await lease?.end().catch(() => {}) // then it ends by itself
    await engine.end()
  }
  const store = {
    keys: keyRegistry(engine, clock),
    idempotency,
    auditIndex: postgresAuditIndex(engine, instance),
    admins: adminStore(engine),
    challenges: challengeStore(engine),
    tokens: tokenLedger(engine),
    changes: changeStore(engine),
    proposals: proposalStore(engine),
    notices: noticeQueue(engine),
    claims: claimStore(engine),
    transactions: transactionStore(engine),
    rates,
    shared: true,
    orphans,
  } as const
  return {
    ...store,
    tend,
    end: () => (ended ??= end()),
    close() {
      void (ended ??= end())
    },
  }
}

/** A round that fails is followed by the next; what depends on the lease finds out by itself that it ended. */
async function tendUntil(
  signal: AbortSignal,
  clock: Pick<Clock, 'sleep'>,
  everyMs: number,
  tend: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(everyMs, signal)
      await tend()
    } catch {
      // Asked again at the next round.
    }
  }
}

const HEAD = 'SELECT seq, hash FROM audit_heads WHERE instance = $1'
const ADVANCE = `INSERT INTO audit_heads (instance, seq, hash) VALUES ($1, $2, $3)
  ON CONFLICT (instance) DO UPDATE SET seq = excluded.seq, hash = excluded.hash WHERE audit_heads.seq < excluded.seq`

/** One head an instance, because each has a log of its own. It moves forward only. */
function postgresAuditIndex(engine: PostgresEngine, instance: string): AuditIndex {
  const head = async () =>
    (await engine.single('read the audit index', 'head', HEAD, [instance])).rows[0] as unknown as AuditHead | undefined
  return {
    head,
    async setHead({ seq, hash }) {
      const advanced = await engine.single('advance the audit index', 'head-advance', ADVANCE, [instance, seq, hash])
      if (advanced.changes === 0) checkSameHead(await head(), { seq, hash })
    },
  }
}
