import { SignerError } from '../../src/domain/errors.ts'
import { SCHEMES, type Scheme } from '../../src/domain/provider.ts'
import { CODES, judgeTransport, type Row, THROTTLED_RETRY_MS, type TransportWords, unanswered } from '../judgement.ts'
import { TransportError } from '../one-fetch.ts'
import type { Operation } from './wire.ts'

/** One row a scheme: what Google calls it, where its input goes, and which levels are known to offer it. */
export const SPELLING = {
  ed25519: {
    algorithm: 'EC_SIGN_ED25519',
    // Pure Ed25519: the message goes into `data` and is hashed by nobody but the scheme itself.
    verified: 'verifiedDataCrc32c',
    levels: ['SOFTWARE', 'HSM', 'HSM_SINGLE_TENANT'],
    createLevel: 'SOFTWARE',
  },
  'ecdsa-secp256k1': {
    algorithm: 'EC_SIGN_SECP256K1_SHA256',
    // `digest.sha256` names a length, not a hash: the 32 bytes are our keccak-256.
    verified: 'verifiedDigestCrc32c',
    levels: ['HSM', 'HSM_SINGLE_TENANT'],
    createLevel: 'HSM',
  },
} as const satisfies Record<
  Scheme,
  { algorithm: string; verified: string; levels: readonly string[]; createLevel: string }
>

export const schemeOf = (algorithm: string | undefined): Scheme | undefined =>
  SCHEMES.find(scheme => SPELLING[scheme].algorithm === algorithm)

export const isLevelOf = (scheme: Scheme, level: string | undefined): boolean =>
  level !== undefined && (SPELLING[scheme].levels as readonly string[]).includes(level)

/** What the service said, over either transport. Its text is for `cause` and for operators, never for callers. */
export class VendorError extends Error {
  /** As in google.rpc.Code: `PERMISSION_DENIED`. */
  readonly status: string
  readonly facts: VendorFacts
  constructor(status: string, message: string, facts: VendorFacts = {}) {
    super(message)
    this.status = status
    this.facts = facts
  }
}

export interface VendorFacts {
  readonly httpStatus?: number
  /** ErrorInfo: `reason`, such as `SERVICE_DISABLED` or `RATE_LIMIT_EXCEEDED`. */
  readonly reason?: string
  /** PreconditionFailure: types of its violations, such as `KEY_DISABLED`. */
  readonly violations?: readonly string[]
  readonly retryAfterMs?: number
  /** The clock of the service, milliseconds since the epoch. */
  readonly serverTime?: number
}

/** No credentials, or none that are accepted, before any request to the key service was made. */
export class CredentialsError extends Error {
  readonly kind: 'absent' | 'refused' | 'unreachable'
  constructor(kind: CredentialsError['kind'], options?: ErrorOptions) {
    super(`credentials: ${kind}`, options)
    this.kind = kind
  }
}

/** An answer that has not the form of one. Its message never quotes the answer. */
export class FormError extends Error {}

export interface Failure {
  readonly provider: string
  readonly operation: Operation
  /** Whether the request was handed to the network. */
  readonly sent: boolean
  readonly requestId?: string
  readonly error: unknown
}

export function toSignerError(failure: Failure): SignerError {
  const { provider, operation, requestId, error } = failure
  const [meaning, reason] = judge(failure)
  const wait = error instanceof VendorError ? error.facts.retryAfterMs : undefined
  const retryAfterMs = wait ?? (meaning === 'throttled' ? THROTTLED_RETRY_MS : undefined)
  const detail = {
    provider,
    reason: `${operation.name}: ${reason}`,
    ...(requestId === undefined ? {} : { requestId }),
    ...(CODES[meaning] === 'provider/unavailable' && retryAfterMs !== undefined ? { retryAfterMs } : {}),
  }
  return new SignerError(CODES[meaning], detail, { cause: error })
}

const WORDS: TransportWords = { place: 'endpoint', anyAnswer: 'any Cloud KMS answer' }

function judge({ error, operation, sent }: Failure): Row {
  if (error instanceof TransportError) return judgeTransport(error, operation, WORDS)
  if (error instanceof CredentialsError) return CREDENTIALS[error.kind]
  if (!sent) return ['unavailable', 'the request could not be made']
  if (error instanceof VendorError) return judgeVendor(error, operation)
  return ['malformed', 'the answer has not the form of a Cloud KMS answer']
}

const CREDENTIALS: Readonly<Record<CredentialsError['kind'], Row>> = {
  absent: ['unavailable', 'no Google credentials: none are configured and application-default credentials offer none'],
  refused: ['refused', 'Google does not exchange the configured credentials for a token'],
  unreachable: ['unavailable', 'no access token could be fetched'],
}

const ARGUMENT: Row = ['refused', 'Cloud KMS does not accept a parameter of the request for this key']

/**
 * google.rpc.Code to meaning and to our words; vendor texts carry resource names and stay in `cause`. Closed: a code that
 * is not here is malformed. A function where the operation or the details decide.
 * @see google/rpc/code.proto; Cloud KMS reference, "Error messages"
 */
const STATUS: ReadonlyMap<string, Row | ((error: VendorError, operation: Operation) => Row)> = new Map<
  string,
  Row | ((error: VendorError, operation: Operation) => Row)
>([
  ['UNAVAILABLE', ['unavailable', 'Cloud KMS reports that it is unavailable']],
  ['ABORTED', ['unavailable', 'Cloud KMS gave up the request because of a concurrent one']],
  ['RESOURCE_EXHAUSTED', ['throttled', 'Cloud KMS is throttling: a quota is used up']],
  ['DEADLINE_EXCEEDED', (_, operation) => [unanswered(operation), 'Cloud KMS did not finish in its time']],
  ['INTERNAL', (_, operation) => [unanswered(operation), 'Cloud KMS reports an internal error']],
  ['UNKNOWN', (_, operation) => [unanswered(operation), 'Cloud KMS reports an unknown error']],
  ['CANCELLED', (_, operation) => [unanswered(operation), 'the request was cancelled on the way']],
  ['DATA_LOSS', ['corrupt', 'Cloud KMS reports damaged data']],
  ['PERMISSION_DENIED', error => denied(error)],
  ['UNAUTHENTICATED', ['refused', 'Google does not accept the access token: expired, revoked or for another service']],
  ['NOT_FOUND', ['refused', 'Cloud KMS knows no such key, version or key ring']],
  ['ALREADY_EXISTS', ['refused', 'a key of this id exists already']],
  ['FAILED_PRECONDITION', error => unready(error)],
  ['INVALID_ARGUMENT', (error, operation) => argument(error, operation)],
  ['OUT_OF_RANGE', ARGUMENT],
  ['UNIMPLEMENTED', ['refused', 'the endpoint does not know this operation, or not for this key']],
])

function judgeVendor(error: VendorError, operation: Operation): Row {
  const row = STATUS.get(error.status)
  if (row !== undefined) return typeof row === 'function' ? row(error, operation) : row
  const { httpStatus = 0 } = error.facts
  // Not signed by the service: something on the way spoke. 429 turns away; after a 5xx nobody knows, also after 503: proxies
  // say it when the service took the request and then closed the connection.
  if (httpStatus === 429) return ['throttled', 'status 429 without a Cloud KMS error']
  if (httpStatus >= 500) return [unanswered(operation), `status ${httpStatus} without a Cloud KMS error`]
  if (httpStatus === 401 || httpStatus === 403) return ['refused', `status ${httpStatus} without a Cloud KMS error`]
  return ['malformed', `an error this signer does not know${httpStatus === 0 ? '' : `, status ${httpStatus}`}`]
}

function denied({ facts: { reason } }: VendorError): Row {
  switch (reason) {
    case 'SERVICE_DISABLED':
      return ['refused', 'the Cloud KMS API is not enabled in the project']
    case 'BILLING_DISABLED':
      return ['refused', 'billing is disabled for the project']
    case 'ACCESS_TOKEN_SCOPE_INSUFFICIENT':
      return ['refused', 'the access token lacks the scope for Cloud KMS']
    case 'RATE_LIMIT_EXCEEDED':
      return ['throttled', 'Cloud KMS is throttling: a quota is used up']
    default:
      return ['refused', 'Cloud KMS denies this operation on this key to our identity, or there is no such key']
  }
}

function unready({ facts: { violations = [] }, message }: VendorError): Row {
  const says = (state: string): boolean =>
    violations.includes(`KEY_${state}`) || message.includes(`current state is: ${state}`)
  if (says('PENDING_GENERATION')) return ['unavailable', 'the key version is still being generated']
  for (const state of [
    'DISABLED',
    'DESTROYED',
    'DESTROY_SCHEDULED',
    'PENDING_IMPORT',
    'IMPORT_FAILED',
    'GENERATION_FAILED',
  ]) {
    if (says(state)) return ['refused', `the key version is not enabled but ${state}`]
  }
  return ['refused', 'the state or kind of the key does not allow this operation']
}

function argument({ message }: VendorError, operation: Operation): Row {
  const text = message.toLowerCase()
  if (text.includes('crc32c') || text.includes('checksum')) {
    return ['corrupt', 'Cloud KMS received other bytes than were sent: the checksum of the request does not fit']
  }
  if (operation.name === 'Decrypt' && (text.includes('decryption failed') || text.includes('ciphertext'))) {
    return ['unreadable', 'ciphertext, context and wrapping key do not belong together, or the ciphertext is damaged']
  }
  return ARGUMENT
}

/** google.rpc.Code by number, as gRPC and `error.code` of gax carry it. */
export const STATUS_NAMES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]
