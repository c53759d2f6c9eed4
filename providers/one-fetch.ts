import { secretRoom } from '../src/bytes/secret-room.ts'
import type { Fetch } from '../src/domain/ports.ts'

/**
 * One HTTP exchange as every provider makes it: one attempt, no redirect, capped body, aborted at once.
 * What went wrong is a `kind`, because it decides whether a signature may exist that we never saw.
 */
export interface Exchange {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly signal: AbortSignal
  readonly bodyBytesMax: number
  /** Called when the request is handed to the network: from here on it may have arrived. */
  readonly onSend?: () => void
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The caller owns it and may overwrite it. */
  readonly body: Uint8Array
}

export type TransportKind =
  | 'not-sent' // aborted before the request was handed to the network
  | 'unreachable' // name, connection or TLS failed: no byte of the request arrived
  | 'aborted' // the caller's signal fired while we waited
  | 'lost' // the connection broke after the request may have arrived
  | 'redirected' // the answer points elsewhere: never followed
  | 'oversized' // more bytes than `bodyBytesMax`

export class TransportError extends Error {
  readonly kind: TransportKind
  constructor(kind: TransportKind, options?: ErrorOptions) {
    super(`transport: ${kind}`, options)
    this.kind = kind
  }
}

/** @throws TransportError, and nothing else. */
export async function oneFetch(fetch: Fetch, exchange: Exchange): Promise<Answer> {
  const { signal } = exchange
  if (signal.aborted) throw new TransportError('not-sent', { cause: signal.reason })
  exchange.onSend?.()
  const response = await request(fetch, exchange)
  // Nothing of a redirect is read. 'manual' is the one mode every runtime knows; workerd has no 'error'.
  if (response.redirected || response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
    discard(response)
    throw new TransportError('redirected')
  }
  try {
    return { status: response.status, headers: response.headers, body: await cappedBody(response, exchange) }
  } catch (error) {
    discard(response)
    throw asTransportError(error, signal, 'lost')
  }
}

async function request(fetch: Fetch, { url, method, headers, body, signal }: Exchange): Promise<Response> {
  let sending: Promise<Response> | undefined
  try {
    sending = fetch(url, {
      method,
      headers: { ...headers },
      redirect: 'manual',
      credentials: 'omit',
      signal,
      ...(body === undefined ? {} : { body: body as NonNullable<RequestInit['body']> }),
    })
    return await orAborted(sending, signal)
  } catch (error) {
    // Nobody reads an answer that comes after the deadline; its connection is let go.
    sending?.then(discard, () => {})
    throw asTransportError(error, signal, neverArrived(error) ? 'unreachable' : 'lost')
  }
}

async function cappedBody(response: Response, exchange: Exchange): Promise<Uint8Array> {
  const announced = Number(response.headers.get('content-length') ?? Number.NaN)
  if (announced > exchange.bodyBytesMax) throw new TransportError('oversized')
  // With a transfer coding the announced length says nothing: the coding outranks it (RFC 9112 §6.3).
  const exact = announced >= 0 && !['content-encoding', 'transfer-encoding'].some(name => response.headers.has(name))
  return exact && !bodiesAreByteStreams() ? wholeBody(response, exchange) : bodyInPieces(response, exchange)
}

let byteStreams: boolean | undefined
/**
 * Fetch makes every body a byte stream, in pieces that are ours to overwrite. Where the runtime has a source of its own
 * instead (Bun), pieces leave copies inside it; taken whole, the body is one buffer, and that one is ours. Only for an
 * announced length: there is no cap on the way. `test/residue` counts what either way leaves behind.
 */
function bodiesAreByteStreams(): boolean {
  if (byteStreams !== undefined) return byteStreams
  try {
    new Response('-').body?.getReader({ mode: 'byob' }).releaseLock()
    byteStreams = true
  } catch {
    byteStreams = false
  }
  return byteStreams
}

async function wholeBody(response: Response, { bodyBytesMax, signal }: Exchange): Promise<Uint8Array> {
  const reading = response.arrayBuffer()
  try {
    const whole = new Uint8Array(await orAborted(reading, signal))
    if (whole.length <= bodyBytesMax) return whole
    whole.fill(0)
  } catch (error) {
    // Nobody reads what still comes; it may carry a key.
    reading.then(late => new Uint8Array(late).fill(0)).catch(() => {})
    throw error
  }
  throw new TransportError('oversized')
}

async function bodyInPieces(response: Response, { bodyBytesMax, signal }: Exchange): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0)
  const reader = response.body.getReader()
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await orAborted(reader.read(), signal)
      if (done) return joined(parts, length)
      parts.push(value)
      length += value.length
      if (length > bodyBytesMax) throw new TransportError('oversized')
    }
  } finally {
    // An answer may carry a key: the pieces are overwritten as far as they are ours to overwrite.
    for (const part of parts) part.fill(0)
    reader.cancel().catch(() => {})
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = secretRoom(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const discard = (response: Response): void => {
  if (response.body !== null && !response.body.locked) response.body.cancel().catch(() => {})
}

/** Settles with `promise`, or rejects as soon as `signal` fires, whether or not what is awaited listens to it. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function asTransportError(error: unknown, signal: AbortSignal, otherwise: TransportKind): TransportError {
  if (error instanceof TransportError) return error
  return new TransportError(signal.aborted ? 'aborted' : otherwise, { cause: error })
}

/**
 * Failures that can only happen before a byte of the request leaves: name lookup, TCP connect, certificate.
 * A closed list; whatever is not on it may have arrived. ECONNRESET is not: it happens on both sides of that line.
 */
const BEFORE_SENDING = new Set([
  'ECONNREFUSED',
  'ConnectionRefused',
  'FailedToOpenSocket',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

function neverArrived(error: unknown): boolean {
  let at = error
  for (let depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    const { code, message, cause } = at as { code?: unknown; message?: unknown; cause?: unknown }
    if (typeof code === 'string' && BEFORE_SENDING.has(code)) return true
    // Deno has no code, only this phrase of its HTTP client for everything up to and including the TLS handshake.
    if (typeof message === 'string' && message.includes('client error (Connect)')) return true
    at = cause
  }
  return false
}

/** The media type of an answer, without parameters and in lower case; empty when none is named. */
export const mediaType = (headers: Headers): string =>
  (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
