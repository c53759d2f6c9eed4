import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { answering, attempt, noteWrite } from './prepared.ts'
import {
  type Answer,
  type AnyQuery,
  type Ask,
  compile,
  type Compiled,
  type Engine,
  REGISTRY,
  type Row,
  type Step,
} from './steps.ts'

interface Prepared extends Compiled {
  readonly statement: StatementSync
}

const NOTHING: readonly Row[] = []

export interface SqliteEngine extends Engine {
  /** As `once`, without a promise. */
  now<T>(step: () => Step<T>): T
}

/**
 * Runs steps at a stroke: there is no await in them, and a transaction holds the write lock of the file from its start, so
 * nobody comes between. Statements are prepared when they are first asked.
 */
export function sqliteEngine(database: DatabaseSync): SqliteEngine {
  const known = new Map<AnyQuery, Prepared>()
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')

  const prepared = (query: AnyQuery): Prepared => {
    const before = known.get(query)
    if (before !== undefined) return before
    const compiled = compile('sqlite', query)
    const made = { ...compiled, statement: database.prepare(compiled.sql) }
    known.set(query, made)
    return made
  }

  const answer = (ask: Ask): Answer => {
    if ('lock' in ask) {
      // The transaction holds the only lock there is. Whoever locks the registry is about to change it.
      if (ask.lock.includes(REGISTRY)) noteWrite(database)
      return { rows: NOTHING, changes: 0 }
    }
    return answering(ask.query.action, () => {
      const { statement, bind } = prepared(ask.query)
      const values = bind(ask.values) as SQLInputValue[]
      if (ask.wants === 'rows') return { rows: statement.all(...values), changes: 0 }
      return { rows: NOTHING, changes: Number(statement.run(...values).changes) }
    })
  }

  const now = <T>(step: () => Step<T>): T => {
    const steps = step()
    let next = steps.next()
    while (next.done !== true) next = steps.next(answer(next.value))
    return next.value
  }

  return {
    now,
    async once(step) {
      return now(step)
    },
    async atomic(action, step) {
      answering(action, () => begin.run())
      try {
        const value = now(step)
        answering(action, () => commit.run())
        return value
      } catch (error) {
        // Some failures end the transaction by themselves; then there is nothing to roll back.
        if (database.isTransaction !== false) attempt(() => database.exec('ROLLBACK'))
        throw error
      }
    },
  }
}
