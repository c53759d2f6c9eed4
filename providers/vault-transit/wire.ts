import type { Fetch } from '../../src/domain/ports.ts'
import { reveal, type Secret, type SecretBytes } from '../../src/domain/secret.ts'
import { type Member, ScanError, scanObject } from '../json-bytes.ts'
import { liftSecret } from '../lift-secret.ts'
import { type Answer, mediaType, oneFetch, TransportError } from '../one-fetch.ts'
import type { Operation } from './translate.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** One request, as the operations of this provider make it. */
export interface Ask {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Behind `/v1/`; made of checked names only. */
  readonly path: string
  /** JSON as bytes, where it holds a secret that must be wiped; whoever made it wipes it. */
  readonly body?: JsonObject | Uint8Array
  /** For what only the root namespace has. */
  readonly root?: true
  /** Secrets in the body, so that an answer that repeats them cannot carry them into a log. */
  readonly secrets?: readonly Secret[]
}

/** What one exchange learns. */
export interface CallRecord {
  readonly operation: Operation
  readonly signal: AbortSignal
  readonly secrets: readonly Secret[]
  sent: boolean
  /** The answer has the form of a Vault error. */
  answered: boolean
  /** Nobody waits any more: a key that still arrives is wiped. */
  closed: boolean
  status?: number
  requestId?: string
  retryAfterMs?: number
  /** The server's clock, from the `Date` header; milliseconds since the epoch. */
  serverTimeMs?: number
  texts: readonly string[]
  /** The answer; of Decrypt without its plaintext. */
  output?: JsonObject
  plaintext?: SecretBytes
  failure?: unknown
}

/** Hands one exchange to the network; resolves when `record` knows how it went, and never throws. */
type Requester = (ask: Ask, headers: Record<string, string>, record: CallRecord) => Promise<void>
export type OpenRequester = (place: Place, fetch: Fetch) => Requester

export interface Place {
  /** Origin, without a slash at the end. */
  readonly address: string
  readonly namespace?: string
}

/** Answers we ask for are below 4 KiB; a key with a thousand versions stays below this. */
const ANSWER_BYTES_MAX = 256 * 1024

export const newRecord = (operation: Operation, signal: AbortSignal, secrets: readonly Secret[]): CallRecord => ({
  operation,
  signal,
  secrets,
  sent: false,
  answered: false,
  closed: false,
  texts: [],
})

/** Headers of every request. The token is given per request and kept nowhere else. */
export const headersOf = (token: Secret | undefined): Record<string, string> => ({
  'X-Vault-Request': 'true',
  'Content-Type': 'application/json',
  Accept: 'application/json',
  'Accept-Encoding': 'identity',
  ...(token === undefined ? {} : { 'X-Vault-Token': reveal(token) }),
})

/** The same URL and headers that `node-vault` makes, for where it does not load. `test/unit/providers/vault-wire.test.ts` compares them. */
export const openDirect: OpenRequester = (place, fetch) => (ask, headers, record) =>
  exchange(fetch, place, record, {
    method: ask.method,
    url: `${place.address}/v1/${ask.path}`,
    headers: { ...headers, ...(place.namespace === undefined ? {} : { 'X-Vault-Namespace': place.namespace }) },
    ask,
  })

/** One attempt; everything it learns goes into `record`. */
export async function exchange(
  fetch: Fetch,
  place: Place,
  record: CallRecord,
  wire: {
    readonly method: string
    readonly url: string
    readonly headers: Record<string, string>
    readonly ask: Ask
  },
): Promise<void> {
  try {
    if (!wire.url.startsWith(`${place.address}/v1/`)) throw new Error('a request to a place that was not configured')
    if (record.closed) throw new TransportError('not-sent')
    const { body, root } = wire.ask
    const { 'X-Vault-Namespace': namespace, ...headers } = wire.headers
    const answer = await oneFetch(fetch, {
      url: wire.url,
      method: wire.method,
      headers: { ...headers, ...(namespace === undefined || root ? {} : { 'X-Vault-Namespace': namespace }) },
      ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
      signal: record.signal,
      bodyBytesMax: ANSWER_BYTES_MAX,
      onSend: () => {
        record.sent = true
      },
    })
    accept(answer, record)
  } catch (error) {
    record.failure = error
  }
}

function accept(answer: Answer, record: CallRecord): void {
  const { status, headers, body } = answer
  record.status = status
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN) * 1_000
  if (retryAfter >= 0 && retryAfter <= 300_000) record.retryAfterMs = Math.ceil(retryAfter)
  const date = Date.parse(headers.get('date') ?? '')
  if (Number.isFinite(date)) record.serverTimeMs = date
  try {
    if (status === 200) record.output = outputOf(answer, record)
    else if (status === 204) record.output = {}
    else acceptError(answer, record)
  } finally {
    body.fill(0) // it may have held a key or a token
  }
}

function outputOf({ headers, body }: Answer, record: CallRecord): JsonObject {
  requireJson(headers)
  const members = scanObject(body)
  const bytes = record.operation.name === 'Decrypt' ? liftPlaintext(body, members, record) : body
  const output = parsed(bytes)
  if (bytes !== body) bytes.fill(0)
  const requestId = output['request_id']
  if (typeof requestId === 'string' && /^[A-Za-z0-9-]{8,64}$/.test(requestId)) record.requestId = requestId
  return output
}

/** Takes the opened key out of the answer while it is still bytes; what is parsed to text has an empty member instead. */
function liftPlaintext(body: Uint8Array, members: readonly Member[], record: CallRecord): Uint8Array {
  const data = members.find(({ name }) => name === 'data')
  if (data === undefined || body[data.from] !== 0x7b) throw new ScanError('no data')
  const inner = scanObject(body.subarray(data.from, data.to)).find(({ name }) => name === 'plaintext')
  if (inner === undefined) throw new ScanError('no plaintext')
  const member = { name: inner.name, from: data.from + inner.from, to: data.from + inner.to }
  const { rest, secret } = liftSecret(body, member, 'plaintext of Decrypt')
  record.plaintext = secret
  if (record.closed) secret.wipe()
  return rest
}

/** @throws ScanError when it has not the form of a Vault error; then its status is all there is to judge by. */
function acceptError({ status, headers, body }: Answer, record: CallRecord): void {
  requireJson(headers)
  const members = scanObject(body)
  if (members.some(({ name }) => name === 'data' || name === 'auth')) throw new ScanError('an error that carries data')
  // Health answers say their state by status and have the same body for all of them.
  if (record.operation.name === 'Diagnose' && members.some(({ name }) => name === 'sealed')) {
    record.output = parsed(body)
    return
  }
  const { errors } = parsed(body) as { errors?: unknown }
  if (status < 400 || !Array.isArray(errors)) throw new ScanError('neither an answer nor an error')
  record.answered = true
  record.texts = errors.slice(0, 8).map(text => shown(String(text), record.secrets))
  throw new ScanError('an error of Vault')
}

/** A server that repeats what it was sent does not carry it into our log. */
const shown = (text: string, secrets: readonly Secret[]): string =>
  secrets.reduce((left, secret) => left.replaceAll(reveal(secret), secret.toString()), text).slice(0, 500)

function requireJson(headers: Headers): void {
  if (mediaType(headers) !== 'application/json') throw new ScanError('not application/json')
}

/** `bytes` were scanned: one object, no member twice. */
function parsed(bytes: Uint8Array): JsonObject {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    // A JSON.parse error quotes its input.
    throw new ScanError('not JSON')
  }
}

/** Members of an answer as they are, not as anybody promised. */
export const objectOf = (member: unknown): JsonObject =>
  typeof member === 'object' && member !== null && !Array.isArray(member) ? (member as JsonObject) : {}
