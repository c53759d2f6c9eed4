/**
 * Every way a request can fail, as a closed map from code to the facts a caller may see.
 * An error has two faces: `code` and `detail` go to callers; `message`, `cause` and `stack` go to logs only.
 * HTTP has no place here: `src/http/problem.ts` maps each code to a status, and a forgotten code does not compile.
 */
export interface ErrorDetail {
  // What the caller sent
  'request/malformed': { field: string; reason: string; fix: string }
  'request/too-large': { limitBytes: number }
  'request/unsupported-media': { contentType: string }
  'request/unknown-route': { method: string; path: string }
  'idempotency/missing': { header: string }
  'idempotency/malformed': { reason: string }
  'idempotency/mismatch': { reason: string }
  'idempotency/in-flight': { retryAfterMs: number }
  'payload/invalid': { field: string; reason: string }
  'payload/unsupported': { payloadType: string; chain: string }

  // Who asks, and what they may do
  'token/missing': { reason: string }
  'token/invalid': { reason: string }
  'access/denied': { action: string; reason: string }
  /** More operations in the window than `limit`, counted for `scope` (an address, a token, a key, everybody). */
  'access/limited': { scope: string; limit: number; windowSeconds: number; retryAfterMs: number }
  /** A challenge or its answer is not good; the reason names the rule and nothing of who may log in. */
  'login/refused': { reason: string }
  'admin/unknown': { address: string }
  'admin/exists': { address: string }
  'admin/last': { address: string; reason: string }
  'change/unknown': { id: string }
  'change/conflict': { id: string; reason: string }
  'change/not-approved': { id: string; needed: number; given: number; reason: string }
  'proposal/unknown': { id: string }
  'proposal/conflict': { id: string; reason: string }
  /** Of several that are asked for together some may not be, so nothing was signed. */
  'batch/refused': { reason: string; findings: readonly Finding[] }
  /** An execution approval, or the document of keys it is checked with, is not good. Verifiers say so; no route does. */
  'approval/refused': { rule: string; reason: string }
  'policy/denied': { rule: string; reason: string }
  'policy/undecided': { rule: string; reason: string }

  // Keys
  'key/unknown': { key: string }
  /** `reason`: where it is not the name that exists. */
  'key/exists': { key: string; reason?: string }
  'key/unsupported': { key: string; wanted: string; reason: string }
  'key/not-active': { key: string; version: number; state: string }
  /** A step of a rotation that may not come now; nothing was changed. */
  'key/rotation': { key: string; reason: string }
  /** The stored public key, address or reference no longer agrees with what the key service says. Quarantine the key. */
  'key/mismatch': { key: string; reason: string }

  // The key services
  /** Nothing was signed; a retry is safe. */
  'provider/unavailable': { provider: string; reason: string; retryAfterMs?: number; requestId?: string }
  /** A signature may exist that we never saw; the audit log says so. */
  'provider/ambiguous': { provider: string; reason: string; requestId?: string }
  /** The service understood and said no: permission, state of the key, unknown key. Nothing was signed; a retry will not help. */
  'provider/refused': { provider: string; reason: string; requestId?: string }
  /** The service answered with something that is not an answer to what was asked. */
  'provider/malformed': { provider: string; reason: string; requestId?: string }
  /** The answer failed the service's own integrity check (checksum, echoed name or version). Nothing of it was used. */
  'provider/corrupt': { provider: string; reason: string; requestId?: string }
  /** Ciphertext, context or wrapping key do not belong together. Nothing was signed. */
  'envelope/unreadable': { provider: string; reason: string; requestId?: string }
  /** The opened key does not give the pinned public key. Nothing was signed. */
  'envelope/mismatch': { reason: string }
  'signature/malformed': { reason: string }
  /** The provider's answer does not verify under the pinned key. Nothing was released. */
  'signature/unverified': { reason: string }

  // The network
  /** Nobody answered in time. For a submission: it may still arrive; ask for the transaction by its hash. */
  'network/unavailable': { network: string; reason: string; retryAfterMs?: number }
  /** The answer is none to what was asked: another hash, another shape, too large. Nothing of it was used. */
  'network/malformed': { network: string; reason: string }
  /** The network will not run it: simulation failed, or it was rejected. `resultCode` says which; `hash` where there is one. */
  'transaction/rejected': { network: string; resultCode: string; reason: string; hash?: string }
  'transaction/unknown': { hash: string }
  'template/unknown': { template: string }

  // The house
  'audit/sealed': { reason: string }
  'audit/corrupt': { segment: string; record: number; reason: string }
  'store/unavailable': { reason: string }
  'service/overloaded': { retryAfterMs: number }
  'service/stopping': { reason: string }
  'config/invalid': { problems: readonly ConfigProblem[] }
  'start/refused': { reason: string; fix: string }
  internal: { incident: string }
}

export interface ConfigProblem {
  readonly path: string
  readonly problem: string
  readonly fix: string
}

/** Why one of several is refused. */
export interface Finding {
  /** Where it stands in the request, such as `keys[3]`. */
  readonly field: string
  readonly key: string
  readonly code: ErrorCode
  readonly rule?: string
  readonly reason?: string
}

export type ErrorCode = keyof ErrorDetail

export class SignerError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C
  readonly detail: ErrorDetail[C]
  constructor(code: C, detail: ErrorDetail[C], options?: ErrorOptions) {
    super(`${code}: ${JSON.stringify(detail)}`, options)
    this.code = code
    this.detail = detail
  }
}

/** For what a caller sent and cannot be read: which field, why, and what to send instead. */
export const malformed = (field: string, reason: string, fix: string): SignerError<'request/malformed'> =>
  new SignerError('request/malformed', { field, reason, fix })

/** A union, so that a switch on `code` narrows `detail`. */
export type AnySignerError = { [C in ErrorCode]: SignerError<C> }[ErrorCode]

/** Recognises our own errors without looking at class names, which a minifier changes. */
export function isSignerError(value: unknown): value is AnySignerError {
  return value instanceof SignerError
}

/** Errors after which the same request may be sent again and can succeed without any change by the caller. */
export function isRetryable(error: AnySignerError): boolean {
  switch (error.code) {
    case 'provider/unavailable':
    case 'provider/ambiguous':
    case 'idempotency/in-flight':
    case 'service/overloaded':
    case 'service/stopping':
    case 'store/unavailable':
    case 'access/limited':
    case 'network/unavailable':
      return true
    default:
      return false
  }
}

/**
 * Answers that no honest key service gives about a healthy key: they do not fit the pin, the row, or themselves. One is
 * enough, since the next might be the lie that we cannot see.
 *
 * Callers cannot bring these about. What reaches the key service is a hash that we computed, a row of the registry, its
 * context and its reference; a token, a payload or an Idempotency-Key is refused or accepted before. So nobody without a
 * hand on the key service, on the line to it or on our disk can switch a key off this way, and each of those can do it by
 * not answering at all.
 */
export const WRONG_ANSWERS: ReadonlySet<ErrorCode> = new Set([
  'signature/unverified',
  'signature/malformed',
  'key/mismatch',
  'envelope/mismatch',
  'envelope/unreadable',
  'provider/corrupt',
])
