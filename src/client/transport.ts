import { type Json, objectOf, textOf } from './answer.ts'
import { CountersignError, clientError, type ProblemDocument, unreachable } from './errors.ts'
import { confirmationOf, createProver, type ProofKeyPair, type Prover } from './proof.ts'

/** What a token is asked for with. */
export interface TokenAsk {
  /** Of the key this client makes proofs with (RFC 7638): what the issuer puts into `cnf.jkt`. */
  thumbprint(): Promise<string>
}

export type TokenSource = string | ((ask: TokenAsk) => string | Promise<string>)

export interface TransportOptions {
  /** Where the data plane is, as its `baseUrls` spell it: https, or http on this machine. */
  readonly url: string
  /** A short-lived token, or what gets one: asked for every request, so keep it while it is good. */
  readonly token: TokenSource
  readonly fetch?: (input: string, init: RequestInit) => Promise<Response>
  /**
   * `auto` (unless told): a token that is bound to a key (`cnf.jkt`) travels with a DPoP proof (RFC 9449), made with a key
   * of this client that nobody can read out; any other token travels as a bearer token. A key pair: that one instead.
   * `false`: bearer tokens only.
   */
  readonly dpop?: 'auto' | ProofKeyPair | false
  /** For one request with all its tries and waits: 60 seconds unless told. */
  readonly deadlineMs?: number
  /** At most so many times, with the same Idempotency-Key: 3 unless told. */
  readonly tries?: number
  /** For tests. */
  readonly clock?: { now(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> }
}

export interface Call {
  readonly method: 'GET' | 'POST'
  /** Absolute, without query. */
  readonly path: string
  readonly query?: string
  readonly body?: unknown
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal | undefined
}

export interface Answer {
  readonly status: number
  readonly body: Json
}

export interface Transport {
  readonly base: string
  readonly prover: Prover
  /** @throws CountersignError, and the reason of the signal */
  call(call: Call): Promise<Answer>
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  now(): number
  /** The service's clock, as far as it was told. */
  serviceNow(): number
}

const DEADLINE_MS = 60_000
const TRIES = 3
/** Longer than this nobody waits inside a call: the caller learns when to come back. */
const WAIT_MAX_MS = 10_000
const FIRST_WAIT_MS = 250
/** A second is what `Date` and `iat` are rounded to. */
const SKEW_MIN_MS = 2000

export function createTransport(options: TransportOptions): Transport {
  const base = baseOf(options.url)
  const { deadlineMs = DEADLINE_MS, tries = TRIES, clock = CLOCK, dpop = 'auto' } = options
  // Called as a function of its own: browsers refuse fetch as a method of something else.
  const { fetch: send = (input: string, init: RequestInit) => globalThis.fetch(input, init) } = options
  const prover = createProver(typeof dpop === 'object' ? dpop : undefined)
  /** Of the service's clock before ours, in milliseconds. */
  let skewMs = 0
  const serviceNow = (): number => clock.now() + skewMs

  const credentials = async ({ method, path, idempotencyKey }: Call, body: string, token: string) => {
    if (dpop === false) return { authorization: `Bearer ${token}` }
    const confirmation = confirmationOf(token)
    const bound = confirmation.kind === 'key' || (confirmation.kind === 'unreadable' && dpop !== 'auto')
    if (!bound) return { authorization: `Bearer ${token}` }
    const wanted = 'thumbprint' in confirmation ? confirmation.thumbprint : undefined
    if (wanted !== undefined && wanted !== (await prover.thumbprint())) {
      throw clientError(
        'client/token',
        'The token is bound to another key: ask for one with thumbprint() of this client',
      )
    }
    const now = serviceNow()
    const proof = await prover.prove({ method, url: base + path, token, body, idempotencyKey, now })
    return { authorization: `DPoP ${token}`, dpop: proof }
  }

  const attempt = async (call: Call, body: string, token: string, leftMs: number): Promise<Response> => {
    const { method, path, query = '', idempotencyKey } = call
    const headers: Record<string, string> = { accept: 'application/json', ...(await credentials(call, body, token)) }
    if (body !== '') headers['content-type'] = 'application/json'
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey
    // Node takes whole milliseconds only.
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(leftMs)))
    const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout])
    // `manual` and not `error`, which workerd does not know; what comes back is refused below.
    const init: RequestInit = { method, headers, redirect: 'manual', signal, ...(body === '' ? {} : { body }) }
    return orUnreachable(call, () => send(base + path + query, init))
  }

  const once = async (call: Call, body: string, leftMs: number): Promise<Answer> => {
    const token = await tokenFrom(options.token, prover)
    const response = await attempt(call, body, token, leftMs)
    if (response.status !== 401) return orUnreachable(call, () => answerOf(base, response))
    // Once more: with the service's time, or with the token there is by now.
    const told = Date.parse(response.headers.get('date') ?? '')
    const found = Number.isNaN(told) ? skewMs : told - clock.now()
    const skewed = dpop !== false && Math.abs(found - skewMs) >= SKEW_MIN_MS
    if (skewed) skewMs = found
    const again = typeof options.token === 'string' ? token : await tokenFrom(options.token, prover)
    if (!skewed && again === token) return orUnreachable(call, () => answerOf(base, response))
    response.body?.cancel().catch(() => {})
    const second = await attempt(call, body, again, leftMs)
    return orUnreachable(call, () => answerOf(base, second))
  }

  /** What a connection throws has one face, and an abort keeps its reason. */
  const orUnreachable = async <T>({ signal }: Call, body: () => Promise<T>): Promise<T> => {
    try {
      return await body()
    } catch (error) {
      if (error instanceof CountersignError) throw error
      signal?.throwIfAborted()
      throw unreachable(base, 'no answer', { cause: error })
    }
  }

  const call = async (wanted: Call): Promise<Answer> => {
    const body = wanted.body === undefined ? '' : JSON.stringify(wanted.body)
    const until = clock.now() + deadlineMs
    for (let count = 1; ; count++) {
      wanted.signal?.throwIfAborted()
      try {
        return await once(wanted, body, until - clock.now())
      } catch (error) {
        if (!(error instanceof CountersignError) || !error.retryable || count >= tries) throw error
        const waitMs = waitBefore(error, count)
        if (waitMs > WAIT_MAX_MS || clock.now() + waitMs >= until) throw error
        await clock.sleep(waitMs, wanted.signal)
      }
    }
  }

  return { base, prover, call, sleep: (ms, signal) => clock.sleep(ms, signal), now: () => clock.now(), serviceNow }
}

async function tokenFrom(source: TokenSource, prover: Prover): Promise<string> {
  const token = typeof source === 'string' ? source : await source({ thumbprint: () => prover.thumbprint() })
  if (typeof token === 'string' && TOKEN.test(token)) return token
  throw clientError('client/token', 'The token is empty, or holds what no header can')
}

/** What may stand in an Authorization header (RFC 9110 §11.2). */
const TOKEN = /^[A-Za-z0-9._~+/=-]+$/

async function answerOf(base: string, response: Response): Promise<Answer> {
  const { status } = response
  // Also where somebody else's fetch has followed it all the same.
  if (response.redirected || response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    await response.body?.cancel()
    throw unreachable(base, 'it redirects, and a token follows no redirect', { status, retryable: false })
  }
  const text = await textOf(response)
  const body = objectOf(text)
  if (response.ok && body !== undefined) return { status, body }
  const retryAfter = retryAfterMs(response)
  if (isProblem(body)) throw new CountersignError({ ...retryAfter, ...body, status })
  const retryable = [429, 502, 503, 504].includes(status)
  throw unreachable(base, `it answered ${status}, not as this service does`, { status, retryable })
}

const isProblem = (body: Json | undefined): body is ProblemDocument =>
  typeof body?.['code'] === 'string' &&
  typeof body['title'] === 'string' &&
  typeof body['retryable'] === 'boolean' &&
  typeof body['requestId'] === 'string'

/** The body's own figure is finer; the header is what a proxy knows. */
function retryAfterMs(response: Response): { readonly retryAfterMs?: number } {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {}
}

/** What it asks for, or longer each time with some chance in it, so that not all come back at once. */
function waitBefore({ problem }: CountersignError, count: number): number {
  const asked = problem['retryAfterMs']
  const spread = 0.5 + (crypto.getRandomValues(new Uint8Array(1))[0] ?? 0) / 512
  const ms =
    typeof asked === 'number' ? asked + FIRST_WAIT_MS * spread * 0.2 : FIRST_WAIT_MS * 2 ** (count - 1) * spread
  return Math.max(0, Math.ceil(ms))
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost|.+\.localhost)$/

/** @throws `client/options` unless it is the base of a URL that a token may travel to */
function baseOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw clientError(
      'client/options',
      `Cannot use ${JSON.stringify(text)} as the URL of the service: use https://sign.example`,
    )
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.test(url.hostname))) {
    throw clientError('client/options', `Cannot send a token to ${url.origin}: use https, or http on this machine only`)
  }
  return url.href.endsWith('/') ? url.href.slice(0, -1) : url.href
}

const CLOCK: NonNullable<TransportOptions['clock']> = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }, ms)
      function stop(): void {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', stop, { once: true })
    }),
}
