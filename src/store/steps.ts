import {
  type Compilable,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { EngineName } from './migrations.ts'
import type { StoreTables } from './schema.ts'

/**
 * What the ports of the store do is written once, as steps that ask for one statement at a time. SQLite runs them at a
 * stroke, PostgreSQL awaits each answer; neither changes what they do.
 */
export type Step<T> = Generator<Ask, T, Answer>

export type Row = Readonly<Record<string, unknown>>

/** `lock`: nobody else is in a step that names the same, until this one ends. */
export type Ask =
  | { readonly query: AnyQuery; readonly values: object; readonly wants: 'rows' | 'change' }
  | { readonly lock: readonly string[] }

export interface Answer {
  readonly rows: readonly Row[]
  /** Rows changed. */
  readonly changes: number
}

export interface Engine {
  /** All of it or nothing. @throws `store/unavailable` when the database cannot answer; what the steps throw passes through. */
  atomic<T>(action: string, step: () => Step<T>): Promise<T>
  /** For steps of a single statement. */
  once<T>(step: () => Step<T>): Promise<T>
}

/** The registry as a whole: keys, versions, bindings, policies. What is read from it may be kept in memory until it changes. */
export const REGISTRY = 'registry'

/** For queries in which nothing is bound. */
export type NoValues = Record<string, never>

type Build<P> = (db: Kysely<StoreTables>, p: <K extends keyof P & string>(name: K) => P[K]) => Compilable

export interface Query<P extends object> {
  /** What was attempted, for the reason of an error. */
  readonly action: string
  readonly build: Build<P>
}
// oxlint-disable-next-line typescript/no-explicit-any -- each query is asked with its own values; `rows` and `change` see to it
export type AnyQuery = Query<any>

/** In `build`, `p('name')` marks where the member `name` of the values goes. */
export const query = <P extends object = NoValues>(action: string, build: Build<P>): Query<P> => ({ action, build })

export function* rows<P extends object>(of: Query<P>, values: P): Step<readonly Row[]> {
  return (yield { query: of, values, wants: 'rows' }).rows
}

export function* row<P extends object>(of: Query<P>, values: P): Step<Row | undefined> {
  return (yield { query: of, values, wants: 'rows' }).rows[0]
}

/** @returns the number of rows changed */
export function* change<P extends object>(of: Query<P>, values: P): Step<number> {
  return (yield { query: of, values, wants: 'change' }).changes
}

export function* lock(...names: readonly string[]): Step<void> {
  yield { lock: names }
}

/** Stands in a query where a value will be bound by name. */
class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** Write SQL from typed queries; never run any. The dialects are put together by name. */
const COMPILERS: Readonly<Record<EngineName, Kysely<StoreTables>>> = {
  sqlite: new Kysely({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: db => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  }),
  postgres: new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: db => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  }),
}

export interface Compiled {
  readonly sql: string
  bind(values: object): unknown[]
}

export function compile(engine: EngineName, { build }: AnyQuery): Compiled {
  const { sql, parameters } = build(COMPILERS[engine], (name: string) => new Placeholder(name) as never).compile()
  return {
    sql,
    bind: values =>
      parameters.map(parameter =>
        parameter instanceof Placeholder ? (values as Record<string, unknown>)[parameter.name] : parameter,
      ),
  }
}
