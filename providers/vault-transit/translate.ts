import { SignerError } from '../../src/domain/errors.ts'
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

export type Operation = {
  readonly name:
    | 'Sign'
    | 'Encrypt'
    | 'Decrypt'
    | 'ReadKey'
    | 'CreateKey'
    | 'ReadWrappingKey'
    | 'ImportKey'
    | 'RotateKey'
    | 'ConfigureKey'
    | 'TrimKey'
    | 'DeleteKey'
    | 'Login'
    | 'Renew'
    | 'Diagnose'
  readonly kind: OperationKind
}

export interface Failure {
  readonly provider: string
  readonly mount: string
  readonly operation: Operation
  /** Whether the request was handed to the network. */
  readonly sent: boolean
  readonly status?: number
  readonly requestId?: string
  readonly retryAfterMs?: number
  /** True when the answer has the form of a Vault error: the service itself spoke, not something on the way to it. */
  readonly answered: boolean
  /** What Vault said, secrets taken out. For logs. */
  readonly texts: readonly string[]
  readonly error: unknown
}

const KIND: Row = ['refused', 'the key is of another kind than this operation needs']
const NO_VERSION: Row = ['refused', 'the key has no such version, or no longer allows its use']
const NO_WRAPPING_KEY: Row = ['refused', 'Vault knows no such wrapping key in this mount']
const MATERIAL: Row = ['refused', 'Vault does not accept the key for this type']
const UNWRAPPABLE: Row = ['refused', 'Vault cannot open the wrapped key']
const MOUNT: Row = ['refused', 'no Transit engine is mounted at MOUNT']
const SEALED: Row = ['unavailable', 'Vault is sealed']
const STANDBY: Row = ['unavailable', 'this server of the cluster is a standby and the active one does not answer']
const UNREADABLE: Row = ['unreadable', 'ciphertext and context do not belong together, or the ciphertext is damaged']
const TOKEN: Row = ['refused', 'Vault does not accept the token']
const THROTTLED: Row = ['throttled', 'Vault is throttling']
const LOGIN: Row = ['refused', 'Vault refuses the login: role, secret or token do not fit']

/**
 * What stands in Vault's error text, to meaning and to our words; its own text carries paths and stays in `cause`. Vault
 * answers a missing key with 400 on one path and 404 on another, and a wrong version with 500, so the text is asked
 * first and the status only when no row fits. First match wins.
 * @see OpenBao `builtin/logical/transit`, `sdk/helper/keysutil/policy.go`, `vault/request_handling.go`; read off a running server.
 */
const TEXTS: readonly (readonly [fragment: string, row: Row])[] = [
  ['signing key not found', ['refused', 'Vault knows no such signing key in this mount']],
  ['encryption key not found', NO_WRAPPING_KEY],
  // What our own guard brings about: a key that is missing is not made by using it (see `encryptBody`).
  ['not supported for this operation', NO_WRAPPING_KEY],
  ['unknown key type', NO_WRAPPING_KEY],
  ['message authentication failed', UNREADABLE],
  ['invalid ciphertext', UNREADABLE],
  [
    'disallowed by policy (too old)',
    ['unreadable', 'the version of the key that made the ciphertext is no longer allowed'],
  ],
  ['soft-deleted key', ['refused', 'the key is deleted']],
  ['does not support signing', KIND],
  ['not supported for key type', KIND],
  ['non-AEAD cipher suite', KIND],
  ["missing 'context'", ['refused', 'the key is derived, and derived keys are not used']],
  ['is higher than the latest key version', NO_VERSION],
  ['less than the minimum encryption key version', NO_VERSION],
  ['is disallowed by policy', NO_VERSION],
  ['cannot be used with an existing key', ['refused', 'a key of this name exists already']],
  ['error importing key', MATERIAL],
  ['error parsing asymmetric key', MATERIAL],
  ['crypto/rsa: decryption error', UNWRAPPABLE],
  ['kwp: ', UNWRAPPABLE],
  ['does not allow rotation', ['refused', 'the key was imported without leave to rotate']],
  ['deletion is not allowed', ['refused', 'the key is not set to be deleted']],
  ['no handler for route', MOUNT],
  ['unsupported path', MOUNT],
  ['unsupported operation', MOUNT],
  ['quota exceeded', THROTTLED],
  ['is sealed', SEALED],
  ['standby', STANDBY],
  ['node not active', STANDBY],
  ['invalid role or secret ID', LOGIN],
  ['invalid token', TOKEN],
  ['bad token', TOKEN],
  ['missing client token', TOKEN],
  ['namespace not found', ['refused', 'Vault knows no such namespace']],
  // A policy speaks in a list of one error; what comes bare is how OpenBao says that it does not know the token.
  ['* permission denied', ['refused', 'Vault denies this operation on this key to our token']],
  ['permission denied', ['refused', 'Vault does not accept the token, or denies this to it']],
]

export function toSignerError(failure: Failure): SignerError {
  const { provider, mount, operation, requestId, error } = failure
  const [meaning, text] = judge(failure)
  const reason = `${operation.name}: ${text.replace('MOUNT', mount)}`
  const detail = { provider, reason, ...(requestId === undefined ? {} : { requestId }) }
  const options = { cause: causeOf(failure, error) }
  if (meaning === 'throttled') {
    const retryAfterMs = failure.retryAfterMs ?? THROTTLED_RETRY_MS
    return new SignerError('provider/unavailable', { ...detail, retryAfterMs }, options)
  }
  if (meaning === 'unavailable' && failure.retryAfterMs !== undefined) {
    return new SignerError('provider/unavailable', { ...detail, retryAfterMs: failure.retryAfterMs }, options)
  }
  return new SignerError(CODES[meaning], detail, options)
}

/** The vendor's status and words, for logs. */
function causeOf({ status, texts }: Failure, error: unknown): unknown {
  if (status === undefined || texts.length === 0) return error
  return new Error(`Vault answered ${status}: ${texts.join(' | ')}`)
}

const WORDS: TransportWords = {
  place: 'address',
  anyAnswer: 'any answer asked for',
  redirected: '; a standby does that: use the address of the active server, or of a balancer that finds it',
}

function judge(failure: Failure): Row {
  const { error, operation, answered, status } = failure
  if (error instanceof TransportError) return judgeTransport(error, operation, WORDS)
  if (!failure.sent) return ['unavailable', 'the request could not be made']
  if (answered) {
    const known = knownText(failure.texts)
    if (known === undefined) return judgeStatus(failure)
    // An error of decrypt in answer to something else is no answer to what was asked.
    if (known[0] === 'unreadable' && operation.name !== 'Decrypt') return ['malformed', 'an error of another operation']
    return operation.name === 'Login' && known[0] === 'refused' ? ofLogin(known) : known
  }
  if (status !== undefined && status >= 400) return judgeStatus(failure)
  return ['malformed', 'the answer has not the form of a Vault answer']
}

const ofLogin = (known: Row): Row =>
  known === MOUNT ? ['refused', 'no such login method is mounted where the configuration says'] : LOGIN

const knownText = (texts: readonly string[]): Row | undefined =>
  TEXTS.find(([fragment]) => texts.some(text => text.includes(fragment)))?.[1]

/**
 * An error no row knows, or one that is not in Vault's form. 429, and 503 in Vault's own form, turn a request away; 412,
 * 472 and 473 are servers that do not serve. A 500 in that form is a fault of the server that had the request, unless it
 * says it had passed it on; 502 and 504, and any 5xx in another form, come from something in between that may have.
 */
function judgeStatus({ status = 0, answered, operation, texts }: Failure): Row {
  if (status === 429) return THROTTLED
  if (status === 412) return ['unavailable', 'this server of the cluster is behind the others']
  if (status === 472 || status === 473) return STANDBY
  if (status === 503 && answered) return ['unavailable', 'status 503']
  const passedOn = texts.some(text => text.includes('forward'))
  if (status === 500 && answered && !passedOn) return ['unavailable', 'Vault reports a fault of its own']
  if (status >= 500) return [unanswered(operation), `status ${status}`]
  if (!answered) return ['malformed', `status ${status} without a Vault error`]
  if (operation.name === 'Login' && (status === 400 || status === 401 || status === 403)) return LOGIN
  if (status === 404) return ['refused', 'Vault knows no such key in the mount MOUNT']
  if (status === 403) return ['refused', 'Vault denies this to our token, or does not know the token']
  if (status === 413) return ['refused', 'Vault finds the request too large']
  if (status === 400) return ['refused', 'Vault does not accept the request for this key']
  return ['malformed', `an error this signer does not know, status ${status}`]
}
