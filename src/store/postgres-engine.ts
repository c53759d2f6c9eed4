import { createHash } from 'node:crypto'
import { Pool, type PoolClient, type PoolConfig } from 'pg'
import { fromHex } from '../bytes/hex.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import { reveal } from '../domain/secret.ts'
import type { PostgresConnection } from './postgres-options.ts'
import { type Answer, type AnyQuery, type Compiled, compile, type Engine, type Step } from './steps.ts'

export interface PoolOptions {
  readonly connection: PostgresConnection
  /** Connections at once, for this process. */
  readonly poolSize: number
  /** For connecting, for a statement and for a lock. */
  readonly timeoutMs: number
}

/** Statements of one transaction, or of none: they go out as they come and are answered in that order. */
export interface Session {
  /** @param name  the statement is prepared under it, once a connection; not prepared without one */
  query(name: string | undefined, text: string, values?: readonly unknown[]): Promise<Answer>
  /** Until the transaction ends. Everybody takes locks in the same order. */
  lock(names: readonly string[]): Promise<Answer>
}

export interface PostgresEngine extends Engine {
  single(action: string, name: string, text: string, values?: readonly unknown[]): Promise<Answer>
  transaction<T>(action: string, body: (session: Session) => Promise<T>): Promise<T>
  end(): Promise<void>
}

const TRIES = 5
/** Two transactions stood in one another's way, and one was undone whole. */
const CONFLICTS: readonly unknown[] = ['40001', '40P01']
const NOTHING: Answer = { rows: [], changes: 0 }

/**
 * A small pool. Transactions are READ COMMITTED and lock, in one order, the names of what they change: whoever comes second
 * waits and then reads what the first has written, and nobody fails for having been second.
 */
export function postgresEngine(options: PoolOptions): PostgresEngine {
  const pool = new Pool(poolConfig(options))
  // A connection that breaks while nobody uses it: the pool has dropped it already.
  pool.on('error', () => {})

  const compiled = new Map<AnyQuery, Compiled & { readonly name: string }>()
  const known = (query: AnyQuery) => {
    const before = compiled.get(query)
    if (before !== undefined) return before
    const made = { ...compile('postgres', query), name: `q${compiled.size}` }
    compiled.set(query, made)
    return made
  }

  const outside: Session = {
    query: async (name, text, values = []) => answerOf(await pool.query(statementOf(name, text, values))),
    lock: async () => NOTHING,
  }

  const run = async <T>(session: Session, step: () => Step<T>): Promise<T> => {
    const steps = step()
    let next = steps.next()
    while (next.done !== true) {
      const ask = next.value
      if ('lock' in ask) {
        // Its failure is that of the transaction, and shows with the next answer.
        void session.lock(ask.lock)
        next = steps.next(NOTHING)
        continue
      }
      const { name, sql, bind } = known(ask.query)
      next = steps.next(await session.query(name, sql, bind(ask.values)))
    }
    return next.value
  }

  const transaction = async <T>(action: string, body: (session: Session) => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      try {
        return await once(pool, body)
      } catch (error) {
        if (tries < TRIES && CONFLICTS.includes((error as { code?: unknown }).code)) continue
        throw unavailable(action, error)
      }
    }
  }

  return {
    transaction,
    atomic: (action, step) => transaction(action, session => run(session, step)),
    once: step => answering('read the store', () => run(outside, step)),
    single: (action, name, text, values) => answering(action, () => outside.query(name, text, values)),
    end: () => pool.end(),
  }
}

async function once<T>(pool: Pool, body: (session: Session) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  const sent: Promise<Answer>[] = []
  // Everything sent is waited for before the transaction counts as done, so none of it can fail unheard.
  const send = (query: Promise<Answer>): Promise<Answer> => {
    query.catch(() => {})
    sent.push(query)
    return query
  }
  const session: Session = {
    query: (name, text, values = []) => send(ask(client, statementOf(name, text, values))),
    lock: names => send(ask(client, { name: 'lock', text: LOCK, values: [lockIds(names)] })),
  }
  try {
    void send(ask(client, { text: 'BEGIN ISOLATION LEVEL READ COMMITTED' }))
    const value = await body(session)
    const ended = client.query('COMMIT')
    ended.catch(() => {})
    await Promise.all(sent)
    // A transaction in which something failed answers a COMMIT with ROLLBACK.
    if ((await ended).command !== 'COMMIT') throw new Error('the transaction was rolled back')
    client.release()
    return value
  } catch (error) {
    const cause = await firstFailure(sent, error)
    await giveUp(client, cause)
    throw cause
  }
}

/** What failed first says why; all that came after it in the same transaction only says that something had. */
async function firstFailure(sent: readonly Promise<Answer>[], last: unknown): Promise<unknown> {
  if (isSignerError(last)) return last
  for (const result of await Promise.allSettled(sent)) if (result.status === 'rejected') return result.reason
  return last
}

/** After a refusal by us or by the server the connection is as good as before; after anything else nobody knows. */
async function giveUp(client: PoolClient, error: unknown): Promise<void> {
  const sound = isSignerError(error) || /^[0-9A-Z]{5}$/.test(String((error as { code?: unknown }).code))
  try {
    if (!sound) throw error
    await client.query('ROLLBACK')
    client.release()
  } catch {
    client.release(true)
  }
}

const ask = async (client: PoolClient, query: { name?: string; text: string; values?: unknown[] }): Promise<Answer> =>
  answerOf(await client.query(query))

const statementOf = (name: string | undefined, text: string, values: readonly unknown[]) => ({
  ...(name === undefined ? {} : { name }),
  text,
  values: [...values],
})

const answerOf = ({ rows, rowCount }: { rows: Answer['rows']; rowCount: number | null }): Answer => ({
  rows,
  changes: rowCount ?? 0,
})

const LOCK = 'SELECT pg_advisory_xact_lock(id) FROM unnest($1::bigint[]) AS id'

/** 64 bits of a hash stand for a name; two names that share them wait for one another without need, and that is all. */
function lockIds(names: readonly string[]): string[] {
  const ids = names.map(name => createHash('sha256').update(`countersign ${name}`).digest().readBigInt64BE())
  return [...new Set(ids)].toSorted((a, b) => (a < b ? -1 : 1)).map(String)
}

export async function answering<T>(action: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    throw unavailable(action, error)
  }
}

/** The reason names the step. The cause is for the log: what the server said, without the rows it said it about. */
function unavailable(action: string, error: unknown): unknown {
  if (isSignerError(error)) return error
  const { message = 'no answer', code = 'no code' } = error as { message?: string; code?: string }
  const cause = new Error(`${message} (${code})`)
  return new SignerError('store/unavailable', { reason: `could not ${action}` }, { cause })
}

const INTEGERS: readonly number[] = [20, 21, 23]
const BYTES = 17
const BOOLEAN = 16

/** Rows come as SQLite gives them: integers as numbers, bytes as Uint8Array. */
function parserOf(type: number): (text: string) => unknown {
  if (INTEGERS.includes(type)) return Number
  if (type === BYTES) return text => fromHex(text.slice(2))
  if (type === BOOLEAN) return text => text === 't'
  return text => text
}

/** Something is always sent: the driver leaves a connection open when it has nothing to send, the server closes it. */
async function passwordOf(password: PostgresConnection['password']): Promise<string> {
  try {
    if (password !== undefined) return reveal(typeof password === 'function' ? await password() : password)
  } catch {
    // Whoever makes passwords has nothing; the server will say no.
  }
  return 'none'
}

function poolConfig({ connection, poolSize, timeoutMs }: PoolOptions): PoolConfig {
  const { host, port = 5432, database, user, password, tls, ca, certificate, certificateKey } = connection
  const secure = {
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(certificateKey === undefined ? {} : { key: reveal(certificateKey) }),
  }
  return {
    host,
    port,
    database,
    user,
    // A function, so that the text is nowhere in the options, and a password file is never looked for.
    password: () => passwordOf(password),
    ssl: tls === 'off' ? false : secure,
    application_name: 'countersign',
    max: poolSize,
    idleTimeoutMillis: 60_000,
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    lock_timeout: timeoutMs,
    query_timeout: 2 * timeoutMs,
    idle_in_transaction_session_timeout: 2 * timeoutMs,
    keepAlive: true,
    pipeline: true,
    types: { getTypeParser: (type: number) => parserOf(type) },
  }
}
