import { fromBase64 } from '../../src/bytes/base64.ts'
import { type Json, parseStrictJson } from '../../src/bytes/json.ts'
import type { Call } from '../../src/domain/provider.ts'
import type { SecretBytes } from '../../src/domain/secret.ts'
import { isLoopback } from '../endpoint.ts'
import { ScanError, scanObject } from '../json-bytes.ts'
import { liftSecret } from '../lift-secret.ts'
import { type Answer, mediaType, oneFetch, TransportError } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import type { TokenSource } from './auth.ts'
import { encodeRequest } from './rest-request.ts'
import { FormError, STATUS_NAMES, toSignerError, VendorError } from './translate.ts'
import {
  type Attempted,
  BYTES_FIELDS,
  checksumOf,
  isChecksumField,
  type Message,
  type Operation,
  type Wire,
  type WireRequest,
} from './wire.ts'

export const PUBLIC_ENDPOINT = 'https://cloudkms.googleapis.com'

/** Lists of a hundred versions with attestations are the largest answers; a signature has a few hundred bytes. */
const ANSWER_BYTES_MAX = 256 * 1024

export interface WireOptions {
  readonly provider: string
  readonly endpoint: string | undefined
  readonly world: ProviderWorld
  readonly auth: TokenSource
}

/** The JSON form of the API over the one fetch this program has; for every runtime. */
export function openRest({ provider, endpoint = PUBLIC_ENDPOINT, world, auth }: WireOptions): Wire {
  const base = new URL(endpoint).origin
  const local = isLoopback(new URL(endpoint).hostname)
  let closed = false

  async function attempt(operation: Operation, request: WireRequest, call: Call): Promise<Attempted> {
    const record: Record_ = { sent: false }
    try {
      if (closed || call.signal.aborted) throw new TransportError('not-sent')
      const headers = await auth.headers(call.signal)
      return await exchange(operation, request, call, headers, record)
    } catch (error) {
      if (error instanceof VendorError && error.status === 'UNAUTHENTICATED') auth.forget()
      throw toSignerError({ provider, operation, ...record, error })
    }
  }

  async function exchange(
    operation: Operation,
    request: WireRequest,
    call: Call,
    headers: Readonly<Record<string, string>>,
    record: Record_,
  ): Promise<Attempted> {
    const { method, path, body } = encodeRequest(operation.name, request)
    try {
      const answer = await oneFetch(world.fetch, {
        url: `${base}/v1/${path}`,
        method,
        headers: {
          ...headers,
          accept: 'application/json',
          'accept-encoding': 'identity',
          // A system parameter of Google APIs: shows in the audit log of the call, so that logs can be joined.
          'x-goog-request-reason': call.requestId,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
        signal: call.signal,
        bodyBytesMax: ANSWER_BYTES_MAX,
        onSend: () => {
          record.sent = true
        },
      })
      return accept(operation, answer, record)
    } finally {
      // Encrypt: the body holds the secret.
      body?.fill(0)
    }
  }

  return {
    local,
    attempt,
    identity: call => auth.identity(call.signal),
    close: () => {
      closed = true
    },
  }
}

interface Record_ {
  sent: boolean
  requestId?: string
}

function accept(operation: Operation, answer: Answer, record: Record_): Attempted {
  const requestId = requestIdOf(answer.headers)
  if (requestId !== undefined) record.requestId = requestId
  const opens = operation.name === 'Decrypt'
  try {
    if (answer.status !== 200) throw errorOf(answer)
    requireJson(answer)
    const noted = {
      ...(requestId === undefined ? {} : { providerRequestId: requestId }),
      ...serverTimeOf(answer.headers),
    }
    return { ...(opens ? openedMessage(answer.body) : { message: messageOf(answer.body) }), ...noted }
  } finally {
    if (opens) answer.body.fill(0)
  }
}

/** Takes the opened key out while it is still bytes; what goes on to become text has an empty member in its place. */
function openedMessage(body: Uint8Array): { message: Message; plaintext: SecretBytes } {
  const { rest, secret: plaintext } = lifted(body)
  try {
    return { message: messageOf(rest), plaintext }
  } catch (error) {
    plaintext.wipe()
    throw error
  }
}

function lifted(body: Uint8Array) {
  try {
    return liftSecret(
      body,
      scanObject(body).find(({ name }) => name === 'plaintext'),
      'plaintext of Decrypt',
    )
  } catch (error) {
    throw error instanceof ScanError ? new FormError(error.message) : error
  }
}

function serverTimeOf(headers: Headers): { serverTime?: number } {
  const date = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(date) ? {} : { serverTime: date }
}

/** There is no documented id of a call; an answer that carries one of these is kept for reconciliation. */
function requestIdOf(headers: Headers): string | undefined {
  const id = headers.get('x-goog-request-id') ?? headers.get('x-cloud-trace-context') ?? ''
  return /^[A-Za-z0-9][A-Za-z0-9/;=._-]{7,127}$/.test(id) ? id : undefined
}

function requireJson({ headers }: Answer): void {
  if (mediaType(headers) !== 'application/json') throw new FormError('not application/json')
}

/** @throws FormError on text that two parsers could read differently, or on a member of the wrong form. */
function messageOf(body: Uint8Array): Message {
  const value = typed('', json(body))
  if (!isObject(value)) throw new FormError('not a JSON object')
  return value
}

function json(body: Uint8Array): Json {
  try {
    return parseStrictJson(body)
  } catch {
    // Its own error speaks of requests and quotes names; neither is ours to show.
    throw new FormError('not JSON')
  }
}

const isObject = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

/** JSON mapping of protobuf to values: base64 members to bytes, checksums to numbers, the rest as it is. */
function typed(name: string, value: Json): unknown {
  if (value === null) return undefined
  if (Array.isArray(value)) return value.map(each => typed('', each))
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, typed(member, inner)]))
  }
  if (BYTES_FIELDS.has(name)) {
    const bytes = typeof value === 'string' ? fromBase64(value) : undefined
    if (bytes === undefined) throw new FormError('a member is not base64')
    return bytes
  }
  if (!isChecksumField(name)) return value
  const checksum = checksumOf(value)
  if (checksum === undefined) throw new FormError('a checksum is not a decimal string of 32 bits')
  return checksum
}

/** HTTP statuses without an error of the API behind them, as Google's own clients read them. */
const BY_HTTP: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

function errorOf(answer: Answer): Error {
  const { status: httpStatus, headers } = answer
  const wait = headers.get('retry-after') ?? ''
  const fromHeader = {
    ...(/^[0-9]{1,3}$/.test(wait) && Number(wait) <= 300 ? { retryAfterMs: Number(wait) * 1_000 } : {}),
    ...serverTimeOf(headers),
  }
  if (httpStatus < 400) return new FormError('neither an answer nor an error')
  const error = apiError(answer)
  if (error === undefined) return new VendorError('', `HTTP status ${httpStatus}`, { httpStatus, ...fromHeader })
  const { status, message, details } = error
  const named = typeof status === 'string' && STATUS_NAMES.includes(status) ? status : BY_HTTP[httpStatus]
  const text = typeof message === 'string' ? message.slice(0, 1_000) : ''
  return new VendorError(named ?? '', text, { httpStatus, ...fromHeader, ...detailsOf(details) })
}

/** The `error` member of an error answer; undefined when something other than the API spoke. */
function apiError(answer: Answer): Message | undefined {
  try {
    requireJson(answer)
    // An error that carries a key is no error of the API, and must not become text.
    if (scanObject(answer.body).some(({ name }) => name === 'plaintext')) return undefined
    const error = (json(answer.body) as Message)['error']
    return isObject(error) ? error : undefined
  } catch {
    return undefined
  }
}

function detailsOf(details: unknown) {
  const list = (Array.isArray(details) ? details : []).filter(isObject)
  const of = (type: string) => list.find(each => each['@type'] === `type.googleapis.com/google.rpc.${type}`) ?? {}
  const { reason } = of('ErrorInfo')
  const { violations } = of('PreconditionFailure')
  const { retryDelay } = of('RetryInfo')
  const types = (Array.isArray(violations) ? violations : []).filter(isObject).map(each => String(each['type']))
  const seconds =
    typeof retryDelay === 'string' && /^[0-9]{1,3}(\.[0-9]{1,9})?s$/.test(retryDelay)
      ? Number(retryDelay.slice(0, -1))
      : Number.NaN
  return {
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(types.length > 0 ? { violations: types } : {}),
    ...(seconds >= 0 && seconds <= 300 ? { retryAfterMs: Math.ceil(seconds * 1_000) } : {}),
  }
}
