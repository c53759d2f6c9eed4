import { SignerError } from '../../src/domain/errors.ts'
import { type KeyRef, SCHEMES, type Scheme } from '../../src/domain/provider.ts'
import {
  CODES,
  judgeTransport,
  type OperationKind,
  type Row,
  THROTTLED_RETRY_MS,
  type TransportWords,
  unanswered,
} from '../judgement.ts'
import { TransportError } from '../one-fetch.ts'
import { CredentialError } from './credential-error.ts'
import type { OperationName } from './operation-names.ts'

/** One row a scheme: what AWS calls it. `as const`, so that the SDK's own unions check the spelling. */
export const SPELLING = {
  ed25519: {
    keySpec: 'ECC_NIST_EDWARDS25519',
    // Pure Ed25519 of the message. ED25519_PH_SHA_512 would hash once more and no chain would accept it.
    algorithm: 'ED25519_SHA_512',
    messageType: 'RAW',
  },
  'ecdsa-secp256k1': {
    keySpec: 'ECC_SECG_P256K1',
    algorithm: 'ECDSA_SHA_256',
    // Names a length, not a hash: the 32 bytes are our keccak-256. RAW would hash them once more.
    messageType: 'DIGEST',
  },
} as const satisfies Record<Scheme, { keySpec: string; algorithm: string; messageType: 'RAW' | 'DIGEST' }>

export const schemeOf = (keySpec: string | undefined): Scheme | undefined =>
  SCHEMES.find(scheme => SPELLING[scheme].keySpec === keySpec)

/** Key ARN: `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`. Never an alias, never a bare id: those can come to mean another key. */
export function isKeyArn(reference: string): boolean {
  const parts = reference.split(':')
  return (
    parts.length === 6 &&
    parts[0] === 'arn' &&
    parts[2] === 'kms' &&
    (parts[5] ?? '').startsWith('key/') &&
    (parts[5] ?? '').length > 4 &&
    reference.length <= 2048
  )
}

/** @throws `provider/refused` */
export function requireArn(provider: string, operation: string, key: KeyRef): void {
  if (isKeyArn(key)) return
  const reason = `${operation}: the reference is not a key ARN; pin the one that describe returns, never an alias or a key id`
  throw new SignerError('provider/refused', { provider, reason })
}

/** Members of an answer as they are, not as the SDK's types promise: it hands on what the wire said. */
export const textOf = (member: unknown): string | undefined => (typeof member === 'string' ? member : undefined)
export const bytesOf = (member: unknown): Uint8Array | undefined =>
  member instanceof Uint8Array && member.length > 0 ? Uint8Array.from(member) : undefined

export type Operation = {
  readonly name: OperationName
  readonly kind: OperationKind
  /** True for those that answer with a status alone; the body is empty or `{}`. */
  readonly silent?: true
}

export interface Failure {
  readonly provider: string
  readonly operation: Operation
  /** Whether the request was handed to the network. */
  readonly sent: boolean
  /** As the handler saw them; absent when no answer came. */
  readonly status?: number
  readonly requestId?: string
  readonly retryAfterMs?: number
  /** True when the answer named an AWS error: the service itself spoke, not something on the way to it. */
  readonly answered: boolean
  /** The session that had expired was given up; the next call has another. */
  readonly renewed?: boolean
  readonly error: unknown
}

const THROTTLED: Row = ['throttled', 'AWS KMS is throttling']
const BROKEN: Row = ['unavailable', 'AWS KMS reports a fault of its own']
const CREDENTIALS: Row = ['refused', 'AWS does not accept the credentials: wrong, incomplete or for another account']
const EXPIRED: Row = ['refused', 'the AWS credentials have expired']
const RENEWED: Row = ['unavailable', 'the AWS session had expired and was given up: the next try has a new one']
const CLOCK: Row = ['refused', 'AWS does not accept the time of the request: check the clock of this machine']
const ARGUMENT: Row = ['refused', 'AWS KMS does not accept a parameter of the request for this key']
const QUOTA: Row = ['refused', 'AWS KMS reports that a resource of the account is exhausted or in conflict']
const IMPORT: Row = ['refused', 'AWS KMS does not accept the import token']
const UNWRAPPABLE: Row = ['refused', 'AWS KMS cannot open the wrapped key']
const KEY_STORE: Row = ['unavailable', 'the custom key store behind the key does not answer']

/**
 * Vendor error name to meaning and to our words; vendor texts carry ARNs and account numbers and stay in `cause`.
 * Closed: a name that is not here is judged by its status alone.
 * @see AWS KMS API reference, "Errors" of each operation; AWS "Common error types".
 */
const ERRORS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ['ThrottlingException', THROTTLED],
  ['Throttling', THROTTLED],
  ['ThrottledException', THROTTLED],
  ['RequestThrottled', THROTTLED],
  ['RequestThrottledException', THROTTLED],
  ['RequestLimitExceeded', THROTTLED],
  ['TooManyRequestsException', THROTTLED],
  ['SlowDown', THROTTLED],
  ['LimitExceededException', THROTTLED],
  ['KMSInternalException', BROKEN],
  ['KeyUnavailableException', BROKEN],
  ['DependencyTimeoutException', BROKEN],
  ['InternalFailure', BROKEN],
  ['InternalServerError', BROKEN],
  ['InternalServerException', BROKEN],
  ['ServiceUnavailable', BROKEN],
  ['ServiceUnavailableException', BROKEN],
  ['AccessDeniedException', ['refused', 'AWS KMS denies this operation on this key to our identity']],
  ['AccessDenied', ['refused', 'AWS KMS denies this operation on this key to our identity']],
  ['NotAuthorized', ['refused', 'AWS KMS denies this operation on this key to our identity']],
  ['OptInRequired', CREDENTIALS],
  ['NotFoundException', ['refused', 'AWS KMS knows no such key in this Region']],
  ['InvalidArnException', ['refused', 'AWS KMS cannot read the key reference']],
  ['DisabledException', ['refused', 'the key is disabled']],
  [
    'KMSInvalidStateException',
    ['refused', 'the state of the key does not allow this: pending deletion, pending import or unavailable'],
  ],
  ['InvalidKeyUsageException', ['refused', 'the key is of another kind or usage']],
  ['UnsupportedOperationException', ['refused', 'AWS KMS does not support this operation for this key']],
  ['InvalidGrantTokenException', ['refused', 'AWS KMS does not accept the grant']],
  ['DryRunOperationException', ['refused', 'AWS KMS only tried the request']],
  ['ValidationException', ARGUMENT],
  ['InvalidParameterValue', ARGUMENT],
  ['SerializationException', ARGUMENT],
  ['UnknownOperationException', ['refused', 'the endpoint does not know this operation']],
  ['MalformedPolicyDocumentException', ARGUMENT],
  ['TagException', ARGUMENT],
  ['AlreadyExistsException', QUOTA],
  ['ConflictException', QUOTA],
  ['CloudHsmClusterInvalidConfigurationException', KEY_STORE],
  ['CustomKeyStoreInvalidStateException', KEY_STORE],
  ['CustomKeyStoreNotFoundException', ['refused', 'the custom key store behind the key does not exist']],
  ['XksKeyAlreadyInUseException', QUOTA],
  ['XksKeyInvalidConfigurationException', ARGUMENT],
  ['XksKeyNotFoundException', ARGUMENT],
  [
    'InvalidCiphertextException',
    ['unreadable', 'ciphertext and context do not belong together, or the ciphertext is damaged'],
  ],
  ['IncorrectKeyException', ['unreadable', 'the ciphertext was made under another wrapping key']],
  ['ExpiredImportTokenException', IMPORT],
  ['InvalidImportTokenException', IMPORT],
  ['IncorrectKeyMaterialException', ['refused', 'AWS KMS does not accept the key material for this key']],
  ['UnrecognizedClientException', CREDENTIALS],
  ['InvalidClientTokenId', CREDENTIALS],
  ['InvalidSignatureException', CREDENTIALS],
  ['SignatureDoesNotMatch', CREDENTIALS],
  ['IncompleteSignature', CREDENTIALS],
  ['IncompleteSignatureException', CREDENTIALS],
  ['MissingAuthenticationToken', CREDENTIALS],
  ['MissingAuthenticationTokenException', CREDENTIALS],
  ['ExpiredTokenException', EXPIRED],
  ['ExpiredToken', EXPIRED],
  ['RequestExpired', CLOCK],
  ['RequestTimeTooSkewed', CLOCK],
  ['RequestInTheFuture', CLOCK],
])

export function toSignerError(failure: Failure): SignerError {
  const { provider, operation, requestId, error } = failure
  const [meaning, reason] = judge(failure)
  const detail = { provider, reason: `${operation.name}: ${reason}`, ...(requestId === undefined ? {} : { requestId }) }
  if (meaning === 'throttled') {
    const retryAfterMs = failure.retryAfterMs ?? THROTTLED_RETRY_MS
    return new SignerError('provider/unavailable', { ...detail, retryAfterMs }, { cause: error })
  }
  return new SignerError(CODES[meaning], detail, { cause: error })
}

const WORDS: TransportWords = { place: 'endpoint', anyAnswer: 'any AWS KMS answer' }

function judge(failure: Failure): Row {
  const { error, operation, answered, status } = failure
  if (error instanceof TransportError) return judgeTransport(error, operation, WORDS)
  if (error instanceof CredentialError) return [error.meaning, error.reason]
  if (!failure.sent) return ['unavailable', 'the request could not be made']
  if (answered) {
    const known = ERRORS.get(nameOf(error))
    if (known === undefined) return judgeStatus(failure)
    if (known[0] === 'unreadable' && operation.name.startsWith('Import')) return UNWRAPPABLE
    // An error of Decrypt in answer to something else is no answer to what was asked.
    if (known[0] === 'unreadable' && operation.name !== 'Decrypt') return ['malformed', 'an error of another operation']
    if (known === EXPIRED && failure.renewed === true) return RENEWED
    return known === CREDENTIALS && speaksOfTime(error) ? CLOCK : known
  }
  if (status !== undefined && status >= 400) return judgeStatus(failure)
  return ['malformed', 'the answer has not the form of an AWS KMS answer']
}

/**
 * An error the table does not know, or one that carries no AWS error at all. 429 turns a request away. A 5xx without the
 * name of an AWS error comes from something in between, which may have passed the request on; proxies say 503 also when
 * the service took the request and then closed the connection.
 */
function judgeStatus({ status = 0, answered, operation }: Failure): Row {
  if (status === 429) return THROTTLED
  if (status >= 500 && answered) return ['unavailable', `status ${status}`]
  if (status >= 500) return [unanswered(operation), `status ${status} without an AWS error`]
  return ['malformed', `an error this signer does not know, status ${status}`]
}

/** The service does not take the session token any more. It says so before it does anything. */
export const isExpiry = (error: unknown): boolean => ERRORS.get(nameOf(error)) === EXPIRED

/** `name` is set by the SDK from the wire, so it survives a minifier; class names do not and are not asked. */
function nameOf(error: unknown): string {
  const name = (error as { name?: unknown } | null | undefined)?.name
  return typeof name === 'string' ? name : ''
}

/** AWS uses one error for a wrong secret and for a wrong clock; only its text tells them apart. */
function speaksOfTime(error: unknown): boolean {
  const message = (error as { message?: unknown } | null | undefined)?.message
  return (
    typeof message === 'string' &&
    ['Signature expired', 'Signature not yet current'].some(text => message.includes(text))
  )
}
