/** Errors as they stand on the wire: canonical status, text, typed details (google.rpc). */
export type StatusName = keyof typeof STATUSES

/** Canonical codes: number over gRPC, status over HTTP (google/rpc/code.proto). */
export const STATUSES = {
  CANCELLED: [1, 499],
  UNKNOWN: [2, 500],
  INVALID_ARGUMENT: [3, 400],
  DEADLINE_EXCEEDED: [4, 504],
  NOT_FOUND: [5, 404],
  ALREADY_EXISTS: [6, 409],
  PERMISSION_DENIED: [7, 403],
  RESOURCE_EXHAUSTED: [8, 429],
  FAILED_PRECONDITION: [9, 400],
  ABORTED: [10, 409],
  OUT_OF_RANGE: [11, 400],
  UNIMPLEMENTED: [12, 501],
  INTERNAL: [13, 500],
  UNAVAILABLE: [14, 503],
  DATA_LOSS: [15, 500],
  UNAUTHENTICATED: [16, 401],
} as const satisfies Record<string, readonly [number, number]>

export interface Detail {
  /** Full name of the message, such as `google.rpc.ErrorInfo`. */
  readonly type: string
  readonly value: Readonly<Record<string, unknown>>
}

export class GcpError extends Error {
  readonly status: StatusName
  readonly details: readonly Detail[]
  /** Another HTTP status than the canonical one, for scripted faults. */
  readonly httpStatus: number
  constructor(status: StatusName, message: string, details: readonly Detail[] = [], httpStatus?: number) {
    super(message)
    this.status = status
    this.details = details
    this.httpStatus = httpStatus ?? STATUSES[status][1]
  }
}

export const SERVICE = 'cloudkms.googleapis.com'

export const invalidArgument = (message: string, details?: readonly Detail[]): GcpError =>
  new GcpError('INVALID_ARGUMENT', message, details)
export const notFound = (kind: string, name: string): GcpError =>
  new GcpError('NOT_FOUND', `${kind} ${name} not found.`)
export const alreadyExists = (kind: string, name: string): GcpError =>
  new GcpError('ALREADY_EXISTS', `${kind} ${name} already exists.`)
export const unimplemented = (message: string): GcpError => new GcpError('UNIMPLEMENTED', message)

/** A request that says what the definitions do not: the details name the field. */
export const badField = (field: string, description: string): GcpError =>
  invalidArgument(description, [
    {
      type: 'google.rpc.BadRequest',
      value: { fieldViolations: [{ ...(field === '' ? {} : { field }), description }] },
    },
  ])

export const precondition = (message: string, type: string, subject: string): GcpError =>
  new GcpError('FAILED_PRECONDITION', message, [
    { type: 'google.rpc.PreconditionFailure', value: { violations: [{ type, subject }] } },
  ])

/** Every use of a version that is not enabled is refused in these words. */
export const notEnabled = (version: string, state: string): GcpError =>
  precondition(`${version} is not enabled, current state is: ${state}.`, `KEY_${state}`, version)

export const permissionDenied = (permission: string, resource: string): GcpError =>
  new GcpError(
    'PERMISSION_DENIED',
    `Permission '${permission}' denied on resource '${resource}' (or it may not exist).`,
    [
      {
        type: 'google.rpc.ErrorInfo',
        value: {
          reason: 'IAM_PERMISSION_DENIED',
          domain: SERVICE,
          metadata: new Map([
            ['permission', permission],
            ['resource', resource],
          ]),
        },
      },
    ],
  )

const EXPECTED =
  'Expected OAuth 2 access token, login cookie or other valid authentication credential. ' +
  'See https://developers.google.com/identity/sign-in/web/devconsole-project.'

export function unauthenticated(
  reason: 'CREDENTIALS_MISSING' | 'ACCESS_TOKEN_EXPIRED' | 'ACCESS_TOKEN_TYPE_UNSUPPORTED',
  method: string,
): GcpError {
  const text =
    reason === 'CREDENTIALS_MISSING'
      ? 'Request is missing required authentication credential.'
      : 'Request had invalid authentication credentials.'
  const metadata = new Map([
    ['service', SERVICE],
    ['method', method],
  ])
  return new GcpError('UNAUTHENTICATED', `${text} ${EXPECTED}`, [
    { type: 'google.rpc.ErrorInfo', value: { reason, domain: 'googleapis.com', metadata } },
  ])
}

export const isStatus = (name: string): name is StatusName => Object.hasOwn(STATUSES, name)

/** What a bare HTTP status means to a client that finds no status in the body. */
export function statusOfHttp(http: number): StatusName {
  const named = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND' } as const
  const more = { 409: 'ABORTED', 429: 'RESOURCE_EXHAUSTED', 499: 'CANCELLED', 501: 'UNIMPLEMENTED' } as const
  const last = { 503: 'UNAVAILABLE', 504: 'DEADLINE_EXCEEDED' } as const
  const all: Readonly<Record<number, StatusName>> = { ...named, ...more, ...last }
  return all[http] ?? (http >= 500 ? 'INTERNAL' : 'UNKNOWN')
}
