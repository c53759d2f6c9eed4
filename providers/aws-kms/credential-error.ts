import { TransportError } from '../one-fetch.ts'

/** Where credentials come from, by what the configuration says. */
export type CredentialSource = 'static keys' | 'emulator' | 'default chain' | 'profile' | 'role' | 'web identity'

/** No credentials, hence no request: nothing was signed, whatever the reason. */
export class CredentialError extends Error {
  readonly source: CredentialSource
  readonly meaning: 'unavailable' | 'refused' | 'malformed'
  /** Our words; names no account, no role, no file. */
  readonly reason: string
  constructor(source: CredentialSource, [meaning, reason]: Row, options: ErrorOptions) {
    super(`credentials from ${source}: ${reason}`, options)
    this.source = source
    this.meaning = meaning
    this.reason = reason
  }
}

/** What we found wrong ourselves, before or after STS was asked. */
export class IdentityProblem extends Error {
  readonly row: Row
  constructor(...row: Row) {
    super(row[1])
    this.row = row
  }
}

type Row = readonly [meaning: CredentialError['meaning'], reason: string]

const NOT_ACCEPTED: Row = ['refused', 'AWS STS does not accept the credentials that were to become the role']
const SOURCE_EXPIRED: Row = ['refused', 'the credentials that were to become the role have expired']
const PARAMETER: Row = ['refused', 'AWS STS does not accept a parameter of the request for the role']
const THROTTLED: Row = ['unavailable', 'AWS STS is throttling']

/** Closed, as the table of KMS errors. @see AWS STS API reference, "Errors" of AssumeRole and AssumeRoleWithWebIdentity. */
const ERRORS: ReadonlyMap<string, Row> = new Map<string, Row>([
  [
    'AccessDenied',
    [
      'refused',
      'AWS STS does not let us become the role: its trust policy, the external id, or no right to sts:AssumeRole',
    ],
  ],
  ['ExpiredToken', SOURCE_EXPIRED],
  ['ExpiredTokenException', ['refused', 'the web identity token has expired: whoever writes the file no longer does']],
  ['InvalidIdentityToken', ['refused', 'AWS STS does not accept the web identity token: issuer, audience or form']],
  ['IDPRejectedClaim', ['refused', 'the identity provider rejects the web identity token']],
  ['IDPCommunicationError', ['unavailable', 'AWS STS cannot reach the identity provider']],
  ['RegionDisabledException', ['refused', 'AWS STS is not activated in this Region for the account']],
  ['InvalidClientTokenId', NOT_ACCEPTED],
  ['SignatureDoesNotMatch', NOT_ACCEPTED],
  ['MissingAuthenticationToken', NOT_ACCEPTED],
  ['IncompleteSignature', NOT_ACCEPTED],
  ['ValidationError', PARAMETER],
  ['MalformedPolicyDocument', PARAMETER],
  ['PackedPolicyTooLarge', PARAMETER],
  ['Throttling', THROTTLED],
  ['RequestLimitExceeded', THROTTLED],
])

const CHAIN = 'environment, shared files, SSO, process, web identity, container and instance metadata'

/** What the SDK threw, in our words; its own text, which may name accounts and paths, stays in `cause`. */
export function toCredentialError(source: CredentialSource, error: unknown): CredentialError {
  return new CredentialError(source, judge(source, error), { cause: error })
}

function judge(source: CredentialSource, error: unknown): Row {
  if (error instanceof IdentityProblem) return error.row
  const transport = transportOf(error)
  if (transport !== undefined) return judgeTransport(transport)
  const { name, code, message, $metadata } = (error ?? {}) as {
    name?: unknown
    code?: unknown
    message?: unknown
    $metadata?: { httpStatusCode?: number }
  }
  const status = $metadata?.httpStatusCode
  if (name === 'SignatureDoesNotMatch' && /Signature (expired|not yet current)/.test(String(message))) {
    return ['refused', 'AWS STS does not accept the time of the request: check the clock of this machine']
  }
  // Errors of the model carry a suffix that the wire has not.
  const known = ERRORS.get(String(name)) ?? ERRORS.get(String(name).replace(/Exception$/, ''))
  if (known !== undefined) return known
  if (status !== undefined && (status >= 500 || status === 429)) return ['unavailable', `AWS STS: status ${status}`]
  if (status !== undefined && status >= 400) return ['refused', `AWS STS refuses, status ${status}`]
  if (status !== undefined) return ['malformed', 'the answer has not the form of an AWS STS answer']
  if (typeof code === 'string' && ['ENOENT', 'EACCES', 'EISDIR', 'EPERM'].includes(code)) {
    return ['refused', 'the file that credentials come from cannot be read']
  }
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError') {
    if (source === 'profile') return ['unavailable', 'no AWS credentials: the profile gives none']
    return ['unavailable', `no AWS credentials: the default chain offers none (looked at ${CHAIN})`]
  }
  return ['unavailable', 'no AWS credentials: the source failed']
}

function judgeTransport({ kind }: TransportError): Row {
  if (kind === 'redirected') return ['malformed', 'AWS STS answered with a redirect, which is never followed']
  if (kind === 'oversized') return ['malformed', 'the answer is larger than any AWS STS answer']
  if (kind === 'unreachable') return ['unavailable', 'AWS STS cannot be reached: name, connection or certificate']
  return ['unavailable', 'AWS STS gave no answer in time']
}

function transportOf(error: unknown): TransportError | undefined {
  let at = error
  for (let depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    if (at instanceof TransportError) return at
    at = (at as { cause?: unknown }).cause
  }
  return undefined
}
