import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { type Compilable, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, DummyDriver } from 'kysely'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { StoreTables } from './schema.ts'

export type Row = Record<string, SQLOutputValue>

/** For queries in which nothing is bound. */
export type NoValues = Record<string, never>

/** A query that was compiled and prepared once; each call only binds and steps. Synchronous, so nothing comes between. */
export interface Prepared<P> {
  all(values: P): Row[]
  get(values: P): Row | undefined
  /** @returns the number of rows changed. */
  run(values: P): number
}

/** Writes SQL from typed queries; never runs any. The dialect is put together here by name. */
export const queries = new Kysely<StoreTables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: db => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

/** Stands in a query where a value will be bound by name. */
class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/**
 * Compiles `build` once. In it, `p('name')` marks where the member `name` of the values goes, so the order of the
 * question marks stays Kysely's business.
 * @throws `store/unavailable` when the database cannot answer; the cause goes to the log.
 */
export function prepare<P extends object>(
  database: DatabaseSync,
  action: string,
  build: (db: Kysely<StoreTables>, p: <K extends keyof P & string>(name: K) => P[K]) => Compilable,
): Prepared<P> {
  const compiled = build(queries, <K extends keyof P & string>(name: K) => new Placeholder(name) as P[K]).compile()
  const statement = database.prepare(compiled.sql)
  const bind = (values: P): SQLInputValue[] =>
    compiled.parameters.map(parameter =>
      parameter instanceof Placeholder ? values[parameter.name as keyof P] : parameter,
    ) as SQLInputValue[]
  return {
    all: values => answering(action, () => statement.all(...bind(values))),
    get: values => answering(action, () => statement.get(...bind(values))),
    run: values => answering(action, () => Number(statement.run(...bind(values)).changes)),
  }
}

/** How often `transaction` has written through a connection. */
const written = new WeakMap<DatabaseSync, number>()

/**
 * What was read and may be kept, by name, until anybody writes. SQLite says when another connection has
 * (https://www.sqlite.org/pragma.html#pragma_data_version); `transaction` says when this one has. Single statements outside
 * `transaction` do not count: what they write must not be kept here.
 * @returns a function to call before every use
 */
export function untilWritten<T>(database: DatabaseSync): () => Map<string, T> {
  const version = database.prepare('PRAGMA data_version')
  const kept = new Map<string, T>()
  let ours = 0
  let theirs: unknown
  return () => {
    const others = answering('read the version of the store', () => version.get()?.['data_version'])
    const own = written.get(database) ?? 0
    if (others !== theirs || own !== ours) {
      kept.clear()
      theirs = others
      ours = own
    }
    return kept
  }
}

/** Runs `body` in one transaction that holds the write lock from its start. There is no await in it. */
export function transaction<T>(database: DatabaseSync, action: string, body: () => T): T {
  written.set(database, (written.get(database) ?? 0) + 1)
  answering(action, () => database.exec('BEGIN IMMEDIATE'))
  try {
    const value = body()
    answering(action, () => database.exec('COMMIT'))
    return value
  } catch (error) {
    // Some failures end the transaction by themselves; then there is nothing to roll back.
    if (database.isTransaction !== false) attempt(() => database.exec('ROLLBACK'))
    throw error
  }
}

/** Database errors become `store/unavailable`; our own pass through. The reason names the step, never a value. */
export function answering<T>(action: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (isSignerError(error)) throw error
    throw new SignerError('store/unavailable', { reason: `could not ${action}` }, { cause: error })
  }
}

export function attempt(body: () => void): void {
  try {
    body()
  } catch {
    // Nothing is left to undo.
  }
}
