import { gather } from '../bytes/gather.ts'
import { type Json, parseStrictJson } from '../bytes/json.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Clock, Fetch } from '../domain/ports.ts'
import { malformed } from './reading.ts'

export interface NetworkLimits {
  /** For one question, all tries together. */
  readonly deadlineMs: number
  readonly bodyBytesMax: number
  /** Of a question that changes nothing. */
  readonly tries: number
}

export interface Exchange {
  readonly network: string
  readonly fetch: Fetch
  readonly clock: Pick<Clock, 'sleep'>
  readonly limits: NetworkLimits
}

export interface Request {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly body?: { readonly type: string; readonly text: string }
  /** False: it is sent once, whatever comes of it. */
  readonly again: boolean
  /** Which statuses have an answer in them. */
  readonly takes: (status: number) => boolean
}

export interface Reply {
  readonly status: number
  readonly json: Json
}

/** Answers of nodes nest deeper than what callers send. */
const DEPTH_MAX = 64
const PAUSE_MS = 250

/**
 * One question and its answer. Redirects are refused, the body is bounded, and all of it, tries and pauses included, ends at
 * the deadline even when `fetch` does not heed its signal.
 * @throws `network/unavailable`, `network/malformed`
 */
export async function exchange(parts: Exchange, request: Request, signal: AbortSignal): Promise<Reply> {
  const { clock, limits, network } = parts
  const ended = new AbortController()
  const late = new AbortController()
  const give = (): void => late.abort()
  signal.addEventListener('abort', give, { once: true })
  if (signal.aborted) give()
  clock.sleep(limits.deadlineMs, ended.signal).then(give, () => {})
  const over = new Promise<never>((_, reject) => {
    const own = `no answer within ${limits.deadlineMs} ms`
    const end = (): void => reject(unavailable(network, signal.aborted ? 'no answer before the request ended' : own))
    late.signal.addEventListener('abort', end, { once: true })
    if (late.signal.aborted) end()
  })
  over.catch(() => {})
  try {
    return await Promise.race([tried(parts, request, late.signal), over])
  } finally {
    signal.removeEventListener('abort', give)
    ended.abort()
    late.abort() // whatever is still under way is of no use to anybody
  }
}

async function tried(parts: Exchange, request: Request, signal: AbortSignal): Promise<Reply> {
  const { tries } = parts.limits
  for (let left = request.again ? tries : 1; ; left--) {
    try {
      return await once(parts, request, signal)
    } catch (error) {
      const passing = isSignerError(error) && error.code === 'network/unavailable'
      if (!passing || left <= 1 || signal.aborted) throw error
      await parts.clock.sleep(PAUSE_MS * (tries - left + 1), signal)
    }
  }
}

async function once({ network, fetch, limits }: Exchange, request: Request, signal: AbortSignal): Promise<Reply> {
  const { url, method, body } = request
  let response: Response
  try {
    response = await fetch(url, {
      method,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': body.type }) },
      ...(body === undefined ? {} : { body: body.text }),
      redirect: 'manual', // and not `error`: the one of the two that every runtime has
      signal,
    })
  } catch (cause) {
    throw unavailable(network, 'it cannot be reached', cause)
  }
  const { status } = response
  if (!request.takes(status)) {
    await response.body?.cancel().catch(() => {})
    if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
      throw malformed(network, 'it answers with a redirect, which is not followed')
    }
    if (status === 429 || status >= 500) throw unavailable(network, `it answers with status ${status}`)
    throw malformed(network, `it answers with status ${status}`)
  }
  return { status, json: read(network, await whole(network, response, limits.bodyBytesMax)) }
}

async function whole(network: string, response: Response, bytesMax: number): Promise<Uint8Array> {
  const tooLong = () => malformed(network, `its answer is longer than ${bytesMax} bytes`)
  const announced = Number(response.headers.get('content-length') ?? 0)
  if (announced > bytesMax) {
    await response.body?.cancel().catch(() => {})
    throw tooLong()
  }
  try {
    return await gather((response.body ?? []) as AsyncIterable<Uint8Array>, bytesMax, tooLong)
  } catch (cause) {
    throw isSignerError(cause) ? cause : unavailable(network, 'its answer broke off', cause)
  }
}

function read(network: string, bytes: Uint8Array): Json {
  try {
    return parseStrictJson(bytes, { maxDepth: DEPTH_MAX })
  } catch (cause) {
    throw malformed(network, 'its answer is not JSON', cause)
  }
}

export const unavailable = (network: string, reason: string, cause?: unknown): SignerError<'network/unavailable'> =>
  new SignerError('network/unavailable', { network, reason }, cause === undefined ? {} : { cause })
