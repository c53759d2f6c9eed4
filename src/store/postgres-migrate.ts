import {
  type DatabaseConnection,
  type Dialect,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely'
import { Migrator } from 'kysely/migration'
import { SignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'
import { migrationsFor } from './migrations.ts'
import type { PostgresEngine, Session } from './postgres-engine.ts'
import { older, refuseNewer } from './refusals.ts'

/** First version with all that is used here, and still maintained. */
const OLDEST_MAJOR = 14
const MIGRATIONS = migrationsFor('postgres')

export interface MigrateOptions {
  /** Without user or password, for messages. */
  readonly place: string
  readonly role: 'owner' | 'guest'
  readonly clock: Pick<Clock, 'now'>
}

/**
 * All or nothing, in one transaction that other processes wait for.
 * @throws `start/refused` on an old server, a database of another program, a store that is newer than this program, and for
 *         a guest also on one that is older; `store/unavailable`
 */
export async function migratePostgres(engine: PostgresEngine, { place, role, clock }: MigrateOptions): Promise<void> {
  await engine.transaction('bring the store up to date', async session => {
    await refuseOld(session, place)
    await session.lock(['migrations'])
    const done = await migrationsDone(session, place)
    refuseNewer(done, Object.keys(MIGRATIONS), place)
    if (Object.keys(MIGRATIONS).every(name => done.includes(name))) return
    if (role === 'guest') throw done.length === 0 ? missing(place) : older(place)
    const db = new Kysely<unknown>({ dialect: within(session) })
    const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } })
    const { error } = await migrator.migrateToLatest()
    if (error !== undefined) throw new Error('the migrations failed', { cause: error })
    const created = [MARK, PROGRAM, 'created_at', new Date(clock.now()).toISOString()]
    await session.query(
      undefined,
      'INSERT INTO meta (name, value) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING',
      created,
    )
  })
}

/** What says that a database is ours: PostgreSQL has no mark for files. */
const MARK = 'program'
const PROGRAM = 'countersign'

async function refuseOld(session: Session, place: string): Promise<void> {
  const { rows } = await session.query(undefined, "SELECT current_setting('server_version_num')::int AS version")
  const major = Math.floor(Number(rows[0]?.['version']) / 10_000)
  if (major >= OLDEST_MAJOR) return
  throw new SignerError('start/refused', {
    reason: `the PostgreSQL server at ${place} is version ${major}`,
    fix: `use version ${OLDEST_MAJOR} or later`,
  })
}

/** Tables in the schema where ours would go, and whether they are ours. */
async function migrationsDone(session: Session, place: string): Promise<string[]> {
  const { rows } = await session.query(
    undefined,
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f')",
  )
  const tables = rows.map(({ relname }) => relname)
  if (tables.length === 0) return []
  const { rows: marks } =
    tables.includes('meta') && tables.includes('kysely_migration')
      ? await session.query(undefined, 'SELECT to_jsonb(meta) AS row FROM meta')
      : { rows: [] }
  const mark = { name: MARK, value: PROGRAM }
  if (!marks.some(({ row }) => JSON.stringify(JSON.parse(String(row))) === JSON.stringify(mark))) throw foreign(place)
  const done = await session.query(undefined, 'SELECT name FROM kysely_migration')
  return done.rows.map(({ name }) => String(name))
}

const foreign = (place: string): SignerError =>
  new SignerError('start/refused', {
    reason: `${place} is a database of another program`,
    fix: 'make a database of its own, or name a user whose search_path begins with an empty schema',
  })

const missing = (place: string): SignerError =>
  new SignerError('start/refused', {
    reason: `there is no store in ${place} yet`,
    fix: 'start the service once: it makes the tables',
  })

/** The lock is taken already, and the transaction is open: the migrator only runs its statements. */
class OpenTransactionAdapter extends PostgresAdapter {
  override get supportsTransactionalDdl(): boolean {
    return false
  }
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}

function within(session: Session): Dialect {
  const connection: DatabaseConnection = {
    executeQuery: async ({ sql, parameters }) => {
      const { rows } = await session.query(undefined, sql, parameters)
      return { rows: rows as never[] }
    },
    streamQuery: () => {
      throw new Error('migrations read nothing in parts')
    },
  }
  const nothing = async () => {}
  return {
    createAdapter: () => new OpenTransactionAdapter(),
    createDriver: () => ({
      init: nothing,
      acquireConnection: async () => connection,
      beginTransaction: nothing,
      commitTransaction: nothing,
      rollbackTransaction: nothing,
      releaseConnection: nothing,
      destroy: nothing,
    }),
    createIntrospector: db => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  }
}
