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
  /** Called for every request, so that a short-lived token can be renewed. */
  readonly token: () => string
  readonly fetch: Fetch
}

/** The data plane over HTTP. Needs only fetch. Throws ProblemError: the service's, or `service/unreachable` when nobody answers. */
export function httpClient({ url, token, fetch }: ClientOptions) {
  const base = url.endsWith('/') ? url.slice(0, -1) : url
  async function call<T>(method: string, path: string, headers: Record<string, string>, body?: string): Promise<T> {
    let response: Response
    try {
      response = await fetch(`${base}${path}`, {
        method,
        redirect: 'error', // a token never follows a redirect
        headers: { authorization: `Bearer ${token()}`, ...headers },
        ...(body === undefined ? {} : { body }),
      })
    } catch (error) {
      throw unreachable(base, error)
    }
    const json: unknown = await response.json().catch(() => undefined)
    if (response.ok && json !== undefined) return json as T
    if (isProblem(json)) throw new ProblemError(json)
    throw unreachable(base, new Error(`answered ${response.status} without problem+json`))
  }
  const path = (key: string) => `/v1/keys/${encodeURIComponent(key)}`
  return {
    /** @param idempotencyKey the same for every retry of one request. */
    signStellar: (key: string, xdr: string, idempotencyKey: string) =>
      call<SignReply>(
        'POST',
        `${path(key)}/sign`,
        { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
        JSON.stringify({ type: 'stellar-transaction', xdr }),
      ),
    key: (key: string) => call<Record<string, unknown>>('GET', path(key), {}),
  }
}

const isProblem = (json: unknown): json is Problem =>
  typeof json === 'object' && json !== null && typeof (json as { code?: unknown }).code === 'string'

function unreachable(base: string, cause: unknown): ProblemError {
  const title = `No answer from ${base}: is it running, and is COUNTERSIGN_URL right?`
  return new ProblemError({ code: 'service/unreachable', status: 0, title, retryable: true, requestId: '' }, { cause })
}
