import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { isSignerError, SignerError } from '../domain/errors.ts'
import { compile, query, type Query } from './steps.ts'

export type Row = Record<string, SQLOutputValue>

/** A query that was compiled and prepared once; each call only binds and steps. Synchronous, so nothing comes between. */
export interface Prepared<P> {
  all(values: P): Row[]
  get(values: P): Row | undefined
  /** @returns the number of rows changed. */
  run(values: P): number
}

/**
 * Compiles `build` once. In it, `p('name')` marks where the member `name` of the values goes, so the order of the
 * question marks stays Kysely's business.
 * @throws `store/unavailable` when the database cannot answer; the cause goes to the log.
 */
export function prepare<P extends object>(
  database: DatabaseSync,
  action: string,
  build: Query<P>['build'],
): Prepared<P> {
  const compiled = compile('sqlite', query(action, build))
  const statement = database.prepare(compiled.sql)
  const bind = compiled.bind as (values: P) => SQLInputValue[]
  return {
    all: values => answering(action, () => statement.all(...bind(values))),
    get: values => answering(action, () => statement.get(...bind(values))),
    run: values => answering(action, () => Number(statement.run(...bind(values)).changes)),
  }
}

/** How often a connection was about to write what may be kept. */
const written = new WeakMap<DatabaseSync, number>()

/**
 * What was read and may be kept, by name, until anybody writes. SQLite says when another connection has
 * (https://www.sqlite.org/pragma.html#pragma_data_version); `noteWrite` says when this one is about to. What
 * is written without saying so must not be kept here.
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

/** Somebody is about to write through this connection what may be kept. */
export function noteWrite(database: DatabaseSync): void {
  written.set(database, (written.get(database) ?? 0) + 1)
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
