import type { Fetch } from '../domain/ports.ts'

/** What a service said no with, as problem+json told it. */
export interface Problem {
  readonly code: string
  readonly status: number
  readonly title: string
  readonly retryable: boolean
  readonly requestId: string
  readonly [member: string]: unknown
}

/** A refusal by the service; `problem` is its answer. */
export class ProblemError extends Error {
  readonly problem: Problem
  constructor(problem: Problem, options?: ErrorOptions) {
    super(`${problem.code}: ${problem.title}`, options)
    this.problem = problem
  }
}

export interface SignReply {
  readonly signature: string
  readonly publicKey: string
  readonly address: string
  readonly keyVersion: number
  readonly hash: string
  readonly signedXdr: string
  readonly provider: string
  readonly custody: string
  readonly auditId: string
  readonly requestId: string
}

export interface ClientOptions {
  readonly url: string
  /** Called for every request, so that a short-lived token can be renewed. Absent: for a login, which has none yet. */
  readonly token?: () => string
  readonly fetch: Fetch
  /** For one request, answer included; 60 seconds unless told, which is longer than a service takes. */
  readonly deadlineMs?: number
}

/** Of an administrator. */
export interface Session {
  readonly token: string
  /** ISO 8601. */
  readonly expiresAt: string
  readonly roles: readonly string[]
}

type Json = Readonly<Record<string, unknown>>

const DEADLINE_MS = 60_000
/** Many times the largest envelope. */
const ANSWER_BYTES_MAX = 1_048_576

/**
 * The data plane over HTTP. Needs only fetch. Throws ProblemError: the service's, or `service/unreachable` when nobody
 * answers, or not in the way of this service.
 */
export function httpClient({ url, token, fetch, deadlineMs = DEADLINE_MS }: ClientOptions) {
  const base = url.endsWith('/') ? url.slice(0, -1) : url
  async function call(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Json> {
    let response: Response
    let answer: Json | undefined
    try {
      response = await fetch(`${base}${path}`, {
        method,
        redirect: 'error', // a token never follows a redirect
        signal: AbortSignal.timeout(deadlineMs),
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token()}` }), ...headers },
        ...(body === undefined ? {} : { body }),
      })
      answer = objectOf(await textOf(response))
    } catch (error) {
      throw unreachable(base, 'no answer', error)
    }
    if (response.ok && answer !== undefined) return answer
    if (isProblem(answer)) throw new ProblemError(answer)
    throw unreachable(base, `it answered ${response.status}, not as this service does`)
  }
  const path = (key: string) => `/v1/keys/${encodeURIComponent(key)}`
  return {
    /** @param idempotencyKey the same for every retry of one request. */
    signStellar: async (key: string, xdr: string, idempotencyKey: string): Promise<SignReply> => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey }
      const body = JSON.stringify({ type: 'stellar-transaction', xdr })
      const answer = await call('POST', `${path(key)}/sign`, headers, body)
      if (isSignReply(answer)) return answer
      throw unreachable(base, 'its answer holds no signature')
    },
    key: (key: string): Promise<Json> => call('GET', path(key), {}),
    /** Control plane. @param idempotencyKey the same for every retry of one request. */
    activate: (change: string, idempotencyKey: string): Promise<Json> =>
      call('POST', `/v1/changes/${encodeURIComponent(change)}/activate`, { 'idempotency-key': idempotencyKey }),
    /** Control plane. What an address has to sign to log in. */
    challenge: (address: string): Promise<Json> =>
      call('POST', '/auth/challenge', JSON_BODY, JSON.stringify({ address })),
    /** Control plane. @param transaction the challenge with one more signature (SEP-10). */
    openSession: async (transaction: string): Promise<Session> => {
      const { token, expiresAt, roles } = await call('POST', '/auth/token', JSON_BODY, JSON.stringify({ transaction }))
      if (typeof token === 'string' && typeof expiresAt === 'string' && Array.isArray(roles))
        return { token, expiresAt, roles: roles.map(String) }
      throw unreachable(base, 'its answer holds no session')
    },
  }
}

const JSON_BODY = { 'content-type': 'application/json' }

const REPLY = {
  signature: 'string',
  publicKey: 'string',
  address: 'string',
  keyVersion: 'number',
  hash: 'string',
  signedXdr: 'string',
  provider: 'string',
  custody: 'string',
  auditId: 'string',
  requestId: 'string',
} as const satisfies Record<keyof SignReply, 'string' | 'number'>

const isSignReply = (answer: unknown): answer is SignReply =>
  Object.entries(REPLY).every(([member, type]) => typeof (answer as Json)[member] === type)

const isProblem = (answer: Json | undefined): answer is Problem =>
  typeof answer?.['code'] === 'string' && typeof answer['title'] === 'string'

/** Stops reading at the limit, whatever Content-Length says. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    text += decoder.decode(part, { stream: true })
    if (text.length > ANSWER_BYTES_MAX) throw new RangeError(`The answer is longer than ${ANSWER_BYTES_MAX} bytes`)
  }
  return text + decoder.decode()
}

function objectOf(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Json) : undefined
  } catch {
    return undefined
  }
}

function unreachable(base: string, what: string, cause?: unknown): ProblemError {
  const title = `${base}: ${what}. Is the service running, and is COUNTERSIGN_URL right?`
  const problem = { code: 'service/unreachable', status: 0, title, retryable: true, requestId: '' }
  return new ProblemError(problem, { cause })
}
