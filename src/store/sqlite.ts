import { DatabaseSync } from 'node:sqlite'
import { Kysely, SqliteAdapter, SqliteDriver, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import { Migrator } from 'kysely/migration'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'
import { adminStore } from './admins.ts'
import { sqliteAuditIndex } from './audit-index.ts'
import { changeStore } from './changes.ts'
import { claimStore, holdOrphans } from './claims.ts'
import { releaseOrphans, sqliteIdempotency } from './idempotency.ts'
import { sqliteKeys } from './keys.ts'
import { MIGRATIONS } from './migrations.ts'
import { answering, attempt } from './prepared.ts'
import { noticeQueue, proposalStore } from './proposals.ts'
import { older, refuseNewer } from './refusals.ts'
import { type SqliteEngine, sqliteEngine } from './sqlite-engine.ts'
import { asStart, privateFile } from './sqlite-files.ts'
import type { Store } from './store.ts'
import { challengeStore, tokenLedger } from './tokens.ts'
import { freeLeases, transactionStore } from './transactions.ts'

export interface SqliteOptions {
  /** A file, or `:memory:` for a store that goes with the process. */
  readonly path: string
  readonly clock: Pick<Clock, 'now'>
  /**
   * `owner` (default): the one process that signs from this store; a second owner is refused, and reservations left by a
   * dead one are released. `guest`: a command beside it (`doctor`, `audit verify`); it leaves reservations alone, and a
   * store of an older version as it is.
   */
  readonly role?: 'owner' | 'guest'
  /** How long answers are kept for replay; 24 hours unless told. */
  readonly keptMs?: number
  /** How long a statement waits for another process; 5,000 ms unless told. */
  readonly busyMs?: number
}

const WAL_TRIES = 50
/** "cosg": marks the file as ours for `file(1)` and for the next start. */
const APPLICATION_ID = 0x636f7367

/**
 * Opens or makes the embedded store. WAL with `synchronous=NORMAL`: a killed process loses nothing, a power cut may lose
 * the last commits but never tears the file. That is enough, because the audit log is the durable truth: after a crash
 * the caller replays the records newer than `auditIndex.head()`.
 *
 * What a power cut takes is the end of a row of commits, never one from the middle, and the head is one of them. So whatever is
 * committed before the head passes its record is either there, or is replayed, for then the head is behind that record too. That
 * holds for what a signature uses up (claimed before its intent, which names it; given back before its reservation ends), for a
 * reservation and its answer (the head waits for them: `lagHead`), and for a token taken back. What is committed after its record
 * may have been passed by the head, and is made durable by itself: the registry, and what is prepared to be signed.
 *
 * @throws `start/refused` on a path others may reach, a second owner, a file that is not ours or is newer than this
 *         program; `store/unavailable` when SQLite itself fails.
 */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const inMemory = options.path === ':memory:'
  const busyMs = options.busyMs ?? 5000
  if (!inMemory) privateFile(options.path)
  const owner = inMemory || options.role === 'guest' ? undefined : takeOwnership(options.path)
  let database: DatabaseSync | undefined
  try {
    database = asStart(`open the store ${options.path}`, () => open(options.path, busyMs))
    await migrate(database, options)
    const engine = sqliteEngine(database)
    if (owner !== undefined) {
      await engine.atomic('hold the claims of a dead process', holdOrphans)
      await engine.atomic('free the leases of a dead process', freeLeases)
    }
    const store = {
      keys: sqliteKeys(database, durably(database, engine), options.clock),
      idempotency: sqliteIdempotency(database, options.keptMs),
      auditIndex: sqliteAuditIndex(database),
      admins: adminStore(engine),
      challenges: challengeStore(engine),
      tokens: tokenLedger(engine),
      changes: changeStore(engine),
      proposals: proposalStore(engine),
      notices: noticeQueue(engine),
      claims: claimStore(engine),
      transactions: transactionStore(engine, durably(database, engine)),
      shared: false,
      orphans: owner === undefined ? 0 : releaseOrphans(database),
    }
    return { ...store, close: closer(database, owner) }
  } catch (error) {
    closer(database, owner)()
    throw error
  }
}

function open(path: string, busyMs: number): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: busyMs, enableForeignKeyConstraints: true })
  database.exec(`PRAGMA busy_timeout = ${busyMs}; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF`)
  enterWal(database)
  database.exec('PRAGMA synchronous = NORMAL')
  return database
}

/**
 * The change to WAL is the one step for which SQLite does not wait while another process opens the same new file. A
 * transaction does wait, so it serves as the pause between two tries.
 */
function enterWal(database: DatabaseSync): void {
  for (let tries = 1; ; tries++) {
    try {
      return database.exec('PRAGMA journal_mode = WAL')
    } catch (error) {
      if (tries === WAL_TRIES) throw error
      attempt(() => database.exec('BEGIN IMMEDIATE; ROLLBACK'))
    }
  }
}

/**
 * The registry changes seldom, and people act on what they were told of it: a new signer stands on a chain then, or a
 * verifier trusts a key. So a change of it is on the disk before it is acknowledged, and no power cut takes it back. What it
 * takes away is written over with zeros: an encrypted key that was given up lies in no free corner of a page.
 */
const durably = (database: DatabaseSync, engine: SqliteEngine): SqliteEngine => ({
  ...engine,
  atomic: async (action, step) => {
    answering(action, () => database.exec('PRAGMA synchronous = FULL; PRAGMA secure_delete = ON'))
    const done = engine.atomic(action, step) // over when it returns: nothing in it waits
    attempt(() => database.exec('PRAGMA synchronous = NORMAL; PRAGMA secure_delete = OFF'))
    return done
  },
})

const closer = (database: DatabaseSync | undefined, owner: DatabaseSync | undefined) => {
  let open = true
  return () => {
    if (!open) return
    open = false
    if (database !== undefined) attempt(() => database.close())
    if (owner !== undefined) attempt(() => owner.close())
  }
}

/** An exclusive SQLite lock on a file of its own: portable, and the operating system drops it with the process, however it ends. */
function takeOwnership(path: string): DatabaseSync {
  const file = `${path}-owner`
  privateFile(file)
  const lock = asStart(`open ${file}`, () => new DatabaseSync(file, { timeout: 0 }))
  try {
    lock.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    attempt(() => lock.close())
    throw new SignerError(
      'start/refused',
      { reason: `another process signs from ${path}`, fix: 'stop it first, or use another data directory' },
      { cause: error },
    )
  }
}

/** All or nothing, in one transaction that other processes wait for. */
async function migrate(database: DatabaseSync, { path, clock, role }: SqliteOptions): Promise<void> {
  try {
    database.exec('BEGIN IMMEDIATE')
    refuseForeign(database, path)
    const done = migrationsDone(database)
    refuseNewer(done, Object.keys(MIGRATIONS), path)
    if (Object.keys(MIGRATIONS).some(name => !done.includes(name))) {
      if (role === 'guest' && done.length > 0) throw older(path)
      const db = new Kysely<unknown>({ dialect: nodeSqlite(database) })
      const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } })
      const { error } = await migrator.migrateToLatest()
      if (error !== undefined) throw new Error('the migrations failed', { cause: error })
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
      const created = database.prepare('INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)')
      created.run('created_at', new Date(clock.now()).toISOString())
    }
    database.exec('COMMIT')
  } catch (error) {
    attempt(() => database.exec('ROLLBACK'))
    if (isSignerError(error)) throw error
    throw new SignerError('store/unavailable', { reason: 'could not bring the store up to date' }, { cause: error })
  }
}

function refuseForeign(database: DatabaseSync, path: string): void {
  const id = database.prepare('PRAGMA application_id').get()?.['application_id']
  const tables = database.prepare("SELECT count(*) AS n FROM sqlite_master WHERE type = 'table'").get()?.['n']
  if (id === APPLICATION_ID || (id === 0 && tables === 0)) return
  throw new SignerError('start/refused', {
    reason: `${path} is a database of another program`,
    fix: 'name a data directory of its own',
  })
}

function migrationsDone(database: DatabaseSync): string[] {
  const table = database.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'kysely_migration'").get()
  if (table?.['n'] === 0) return []
  return database
    .prepare('SELECT name FROM kysely_migration')
    .all()
    .map(({ name }) => String(name))
}

/** Kysely's SQLite dialect over `node:sqlite`, which says whether a statement returns rows in its own way. Migrations only. */
function nodeSqlite(database: DatabaseSync) {
  const driver = new SqliteDriver({
    database: {
      close: () => {},
      prepare(sql: string) {
        const statement = database.prepare(sql)
        return {
          reader: statement.columns().length > 0,
          all: (values: readonly unknown[]) => statement.all(...(values as string[])),
          run: (values: readonly unknown[]) => statement.run(...(values as string[])),
          iterate: (values: readonly unknown[]) => statement.iterate(...(values as string[])),
        }
      },
    },
  })
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}
