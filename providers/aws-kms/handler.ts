import type { Clock, Fetch } from '../../src/domain/ports.ts'
import type { SecretBytes } from '../../src/domain/secret.ts'
import { type Answer, mediaType, oneFetch, TransportError } from '../one-fetch.ts'
import { ScanError, scanObject } from '../json-bytes.ts'
import { liftSecret } from '../lift-secret.ts'
import type { Operation } from './translate.ts'

/** What one call of the SDK learns on the wire. Travels beside the request in the options the SDK hands through. */
export interface CallRecord {
  readonly operation: Operation
  sent: boolean
  /** The answer names an AWS error. */
  answered: boolean
  /** Nobody waits any more: a key that still arrives is wiped. */
  closed: boolean
  status?: number
  requestId?: string
  /** Which of the credentials the request was signed with. */
  accessKeyId?: string
  retryAfterMs?: number
  /** The `Date` of an answer that no cache kept, in milliseconds since 1970. */
  serverTimeMs?: number
  plaintext?: SecretBytes
  /** What the handler threw, before the SDK dressed it. */
  failure?: unknown
}

export interface HandlerOptions {
  readonly abortSignal?: unknown
  readonly record?: CallRecord
}

/** The part of the SDK's `HttpRequest` that is used. */
export interface WireRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Readonly<Record<string, string | string[] | null>>
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface WireResponse {
  readonly response: {
    readonly statusCode: number
    readonly headers: Record<string, string>
    readonly body: Uint8Array
  }
}

/** The largest answer we ask for is a public key or a decrypted seed; RSA keys with policies stay below this too. */
const ANSWER_BYTES_MAX = 64 * 1024
/** Requests of the default credential chain have no caller of ours to give them a deadline. */
const CREDENTIAL_REQUEST_MS = 5_000

/**
 * The SDK's request handler over the one fetch this program has. Each call carries a record of what it met.
 */
export function createHandler(world: { fetch: Fetch; clock: Clock }, endpoint: string | undefined) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: WireRequest, options: HandlerOptions = {}): Promise<WireResponse> {
      const { record } = options
      // Every request of ours has one; without it, nobody could tell whether a signature may exist.
      if (record === undefined) throw new Error('a request that nobody made')
      try {
        return await kmsRequest(world.fetch, request, record, options.abortSignal as AbortSignal, endpoint)
      } catch (error) {
        record.failure = error
        throw error
      }
    },
    ...NOTHING_TO_CONFIGURE,
  }
}

/**
 * The same for requests that get credentials (STS, SSO). No caller of ours waits for one alone, since several calls share
 * what it brings; so it has a deadline of its own.
 * @param endpoint the only one that may be asked; absent: what AWS's own code chose, over https.
 */
export function createCredentialHandler(world: { fetch: Fetch; clock: Clock }, endpoint: string | undefined) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: (request: WireRequest): Promise<WireResponse> => credentialRequest(world, request, endpoint),
    ...NOTHING_TO_CONFIGURE,
  }
}

const NOTHING_TO_CONFIGURE = {
  updateHttpClientConfig(): void {},
  httpHandlerConfigs: () => ({}),
  destroy(): void {},
}

/** One request to AWS KMS; what it met is in the record. @throws TransportError, ScanError */
export async function kmsRequest(
  fetch: Fetch,
  request: WireRequest,
  record: CallRecord,
  signal: AbortSignal,
  endpoint: string | undefined,
): Promise<WireResponse> {
  const url = urlOf(request)
  const expected = endpoint === undefined ? url.protocol === 'https:' : url.origin === new URL(endpoint).origin
  if (!expected) throw new Error('the SDK chose an endpoint that was not configured')
  if (record.closed) throw new TransportError('not-sent')
  const signedWith = /Credential=([^/,\s]{1,128})\//.exec(request.headers['authorization'] ?? '')?.[1]
  if (signedWith !== undefined) record.accessKeyId = signedWith
  const answer = await oneFetch(fetch, {
    ...wire(request, url),
    signal,
    bodyBytesMax: ANSWER_BYTES_MAX,
    onSend: () => {
      record.sent = true
    },
  })
  noteHeaders(record, answer)
  const body = answer.status === 200 ? acceptAnswer(answer, record) : acceptError(answer, record)
  return { response: { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body } }
}

function noteHeaders(record: CallRecord, { status, headers }: Answer): void {
  record.status = status
  const requestId = headers.get('x-amzn-requestid') ?? ''
  if (/^[A-Za-z0-9-]{8,64}$/.test(requestId)) record.requestId = requestId
  const retryAfterMs = Number(headers.get('x-amz-retry-after') ?? Number.NaN)
  const retryAfterSeconds = Number(headers.get('retry-after') ?? Number.NaN)
  const wanted = Number.isFinite(retryAfterMs) ? retryAfterMs : retryAfterSeconds * 1_000
  const serverTimeMs = headers.has('age') ? Number.NaN : Date.parse(headers.get('date') ?? '')
  if (Number.isFinite(serverTimeMs)) record.serverTimeMs = serverTimeMs
  if (wanted >= 0 && wanted <= 300_000) record.retryAfterMs = Math.ceil(wanted)
}

function acceptAnswer(answer: Answer, record: CallRecord): Uint8Array {
  if (record.operation.name === 'Decrypt') return liftPlaintext(answer, record)
  if (answer.body.length === 0 && record.operation.silent === true) return answer.body
  requireAwsJson(answer)
  scanObject(answer.body)
  return answer.body
}

/**
 * Takes the opened key out of the answer while it is still bytes: the SDK, which makes strings, sees an empty member.
 * The bytes of the answer are overwritten whether this succeeds or not.
 */
function liftPlaintext(answer: Answer, record: CallRecord): Uint8Array {
  const { body } = answer
  try {
    requireAwsJson(answer)
    const member = scanObject(body).find(({ name }) => name === 'Plaintext')
    const { rest, secret } = liftSecret(body, member, 'plaintext of Decrypt')
    record.plaintext = secret
    if (record.closed) secret.wipe()
    return rest
  } finally {
    body.fill(0)
  }
}

function requireAwsJson({ headers }: Answer): void {
  if (mediaType(headers) !== 'application/x-amz-json-1.1') throw new ScanError('not application/x-amz-json-1.1')
}

/** @throws ScanError when the answer names no AWS error; then its status is all there is to judge by. */
function acceptError(answer: Answer, record: CallRecord): Uint8Array {
  if (answer.status < 400) throw new ScanError('neither an answer nor an error')
  const named = answer.headers.has('x-amzn-errortype')
  if (named && answer.body.length === 0) {
    record.answered = true
    return answer.body
  }
  const members = scanObject(answer.body)
  if (members.some(({ name }) => name === 'Plaintext')) {
    answer.body.fill(0)
    throw new ScanError('an error that carries a key')
  }
  if (!named && !members.some(({ name }) => name === '__type')) throw new ScanError('no error name')
  record.answered = true
  return answer.body
}

async function credentialRequest(
  world: { fetch: Fetch; clock: Clock },
  request: WireRequest,
  endpoint: string | undefined,
): Promise<WireResponse> {
  const url = urlOf(request)
  const expected = endpoint === undefined ? url.protocol === 'https:' : url.origin === new URL(endpoint).origin
  if (!expected) throw new Error('credentials would be asked of an endpoint that was not configured')
  const late = new AbortController()
  const done = new AbortController()
  world.clock.sleep(CREDENTIAL_REQUEST_MS, done.signal).then(
    () => late.abort(),
    () => {},
  )
  try {
    const answer = await oneFetch(world.fetch, {
      ...wire(request, url),
      signal: late.signal,
      bodyBytesMax: ANSWER_BYTES_MAX,
    })
    return { response: { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body: answer.body } }
  } finally {
    done.abort()
  }
}

function urlOf({ protocol, hostname, port, path, query }: WireRequest): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`)
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) url.searchParams.append(name, item ?? '')
  }
  return url
}

/** `host` and `content-length` are the runtime's to write; it writes what was signed. */
function wire({ method, headers, body }: WireRequest, url: URL) {
  const kept = Object.entries(headers).filter(([name]) => !['host', 'content-length'].includes(name.toLowerCase()))
  return {
    url: url.href,
    method,
    headers: { ...Object.fromEntries(kept), 'accept-encoding': 'identity' },
    ...(typeof body === 'string' || body instanceof Uint8Array ? { body } : {}),
  }
}
