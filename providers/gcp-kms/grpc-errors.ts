import { TransportError } from '../one-fetch.ts'
import { FormError, STATUS_NAMES, VendorError } from './translate.ts'

/** What gax rejects with: the status of grpc-js, and the details it could decode. */
export interface GrpcFailure {
  readonly code: number
  readonly details?: unknown
  readonly message?: unknown
  readonly metadata?: { getMap(): Record<string, unknown> }
  /** ErrorInfo. */
  readonly reason?: unknown
  readonly statusDetails?: unknown
}

/** Codes that grpc-js never makes up by itself: whoever says them is the service. */
const ALWAYS_THEIRS: ReadonlySet<string> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'DATA_LOSS',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
])

/**
 * A status of grpc-js, told apart by who made it. The service's own comes in trailers, which hold more than the status
 * itself. grpc-js makes its own, with nothing in the trailers, when the connection breaks, when the answer cannot be
 * decoded, and from the HTTP status of something in between that does not speak gRPC.
 */
export function vendorErrorOf(failure: GrpcFailure): VendorError | TransportError | FormError {
  const status = STATUS_NAMES[failure.code] ?? ''
  const text = typeof failure.details === 'string' ? failure.details : ''
  const between = /^Received HTTP status code ([0-9]{3})$/.exec(text)
  if (between !== null) return new VendorError('', text, { httpStatus: Number(between[1]) })
  if (text.startsWith('Response message parsing error')) return new FormError('not the message of this operation')
  const trailers = Object.keys(failure.metadata?.getMap() ?? {}).length
  if (trailers > 0 || ALWAYS_THEIRS.has(status)) {
    return new VendorError(status, text.slice(0, 1_000), factsOf(failure))
  }
  if (status === 'RESOURCE_EXHAUSTED' && text.startsWith('Received message larger than')) {
    return new TransportError('oversized')
  }
  return new TransportError('lost', { cause: new Error(text.slice(0, 200)) })
}

function factsOf({ reason, statusDetails }: GrpcFailure) {
  const details = (Array.isArray(statusDetails) ? statusDetails : []) as Record<string, unknown>[]
  const violations = details.flatMap(({ violations: list }) =>
    Array.isArray(list) ? (list as { type?: unknown }[]) : [],
  )
  const delay = details.map(({ retryDelay }) => retryDelay).find(each => typeof each === 'object' && each !== null)
  const { seconds, nanos } = (delay ?? {}) as { seconds?: unknown; nanos?: unknown }
  const retryAfterMs = delay === undefined ? Number.NaN : Number(seconds ?? 0) * 1_000 + Number(nanos ?? 0) / 1e6
  return {
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(violations.length > 0 ? { violations: violations.map(each => String(each.type)) } : {}),
    ...(retryAfterMs >= 0 && retryAfterMs <= 300_000 ? { retryAfterMs: Math.ceil(retryAfterMs) } : {}),
  }
}
