/** What the service said no with, as problem+json (RFC 9457) told it. Further members by code: docs/errors.md. */
export interface ProblemDocument {
  readonly code: string
  readonly status: number
  readonly title: string
  readonly retryable: boolean
  readonly requestId: string
  readonly [member: string]: unknown
}

/**
 * Everything that goes wrong between a caller and a signature.
 *
 * `code` is the service's own (docs/errors.md), or one of:
 *
 *   service/unreachable   nobody answered, or not in the way of this service; `status` is 0 or what a proxy said
 *   client/options        what was asked cannot be asked: another network, another address, an unknown field
 *   client/key-changed    the key has another address now; ask for a fresh signer
 *   client/answer         the service answered with something else than it was asked for
 *   client/timeout        what was waited for has not come
 *   client/token          the token is no token, or is bound to another key than this client has
 */
export class CountersignError extends Error {
  readonly code: string
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** The same request may be sent again; the client has done so already, as often as it may. */
  readonly retryable: boolean
  /** For the operator of the service; empty when it never saw the request. */
  readonly requestId: string
  readonly problem: ProblemDocument
  constructor(problem: ProblemDocument, options?: ErrorOptions) {
    const { reason } = problem
    super(`${problem.code}: ${problem.title}${typeof reason === 'string' ? `: ${reason}` : ''}`, options)
    this.name = 'CountersignError'
    this.problem = problem
    this.code = problem.code
    this.status = problem.status
    this.retryable = problem.retryable
    this.requestId = problem.requestId
  }
}

/** The request waits for people (HTTP 202). `countersign.approvals.wait(error.approvalId)` goes on where this ends. */
export class ApprovalPendingError extends Error {
  readonly approvalId: string
  /** Where to look at it. */
  readonly url: string
  constructor(approvalId: string, url: string) {
    super(`Waits for approval ${approvalId}: ${url}`)
    this.name = 'ApprovalPendingError'
    this.approvalId = approvalId
    this.url = url
  }
}

/** An error of this side: nothing was sent, or what came back is not used. */
export const clientError = (
  code: `client/${'options' | 'key-changed' | 'token' | 'answer' | 'timeout'}`,
  title: string,
  options?: ErrorOptions,
): CountersignError => new CountersignError({ code, title, status: 0, retryable: false, requestId: '' }, options)

export const without = (member: string): CountersignError =>
  clientError('client/answer', `The answer of the service holds no ${member}`)

export function unreachable(
  base: string,
  what: string,
  more: { readonly status?: number; readonly retryable?: boolean; readonly cause?: unknown } = {},
): CountersignError {
  const { status = 0, retryable = true, cause } = more
  const title = `${base}: ${what}. Is the service running, and is the URL right?`
  return new CountersignError({ code: 'service/unreachable', title, status, retryable, requestId: '' }, { cause })
}
