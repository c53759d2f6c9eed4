import { type AnySignerError, type ErrorCode, isRetryable } from '../domain/errors.ts'

/** What a caller is told about each code. A forgotten code is a type error. */
interface Meaning {
  readonly status: number
  readonly title: string
  readonly meaning: string
  readonly fix: string
}

export const PROBLEMS = {
  'request/malformed': {
    status: 400,
    title: 'The request could not be read',
    meaning:
      'The body is not the strict JSON object this route takes: a field is missing, unknown, doubled or of the wrong type.',
    fix: 'Correct the field named in `field`; `fix` says how.',
  },
  'request/too-large': {
    status: 413,
    title: 'The request body is too large',
    meaning: 'The body is longer than `limitBytes`.',
    fix: 'Send one envelope a request.',
  },
  'request/unsupported-media': {
    status: 415,
    title: 'The body must be JSON',
    meaning: 'The Content-Type is not application/json.',
    fix: 'Send `Content-Type: application/json`.',
  },
  'request/unknown-route': {
    status: 404,
    title: 'There is no such route',
    meaning: 'The path and method are not in /openapi.json. Paths are matched exactly.',
    fix: 'Compare with /openapi.json.',
  },
  'idempotency/missing': {
    status: 400,
    title: 'The Idempotency-Key header is missing',
    meaning: 'Every write takes one, so that a retry can never sign twice.',
    fix: 'Send a fresh UUID with each new request, and the same one with each retry of it.',
  },
  'idempotency/malformed': {
    status: 400,
    title: 'The Idempotency-Key header is malformed',
    meaning: 'It needs 1 to 255 printable ASCII characters without blanks, quotes, commas or backslashes.',
    fix: 'Use a UUID.',
  },
  'idempotency/mismatch': {
    status: 422,
    title: 'This Idempotency-Key stands for another request',
    meaning: 'The key was used before with another body or for another signing key.',
    fix: 'Use a fresh Idempotency-Key for a new request.',
  },
  'idempotency/in-flight': {
    status: 409,
    title: 'The same request is being worked on',
    meaning: 'An earlier request with this Idempotency-Key has not ended yet.',
    fix: 'Wait `retryAfterMs` and send the same request again.',
  },
  'payload/invalid': {
    status: 400,
    title: 'The payload cannot be signed',
    meaning: 'It does not decode, or does not encode to the same bytes again, or is not of this key’s network.',
    fix: 'Read `reason`; build the payload with a current SDK.',
  },
  'payload/unsupported': {
    status: 400,
    title: 'This key does not sign this type of payload',
    meaning: 'The payload type belongs to another chain or is not known.',
    fix: 'Use a type listed in /openapi.json for the chain of the key.',
  },
  'token/missing': {
    status: 401,
    title: 'A bearer token is needed',
    meaning: 'The request carries no Authorization header.',
    fix: 'Send `Authorization: Bearer <token>`.',
  },
  'token/invalid': {
    status: 401,
    title: 'The token is not accepted',
    meaning: 'It is expired, altered, too long-lived, for another audience, or signed by an unknown key.',
    fix: 'Obtain a fresh token of at most 15 minutes from the configured issuer.',
  },
  'access/denied': {
    status: 403,
    title: 'The token does not allow this',
    meaning: 'The scopes of the token do not name this action on this key.',
    fix: 'Ask for a token with the scope `sign:<key>` or `read:<key>`.',
  },
  'access/limited': {
    status: 429,
    title: 'Too many operations',
    meaning: 'More than `limit` operations in `windowSeconds` seconds for this `scope`. The request was not looked at.',
    fix: 'Wait `retryAfterMs` and send the same request again.',
  },
  'login/refused': {
    status: 401,
    title: 'The login is not accepted',
    meaning: 'The challenge, or the signature on it, is not good, or the address may not log in.',
    fix: 'Ask for a fresh challenge, sign it unchanged and send it back once.',
  },
  'admin/unknown': {
    status: 404,
    title: 'There is no such administrator',
    meaning: 'No administrator has this address.',
    fix: 'Run `countersign admins list`.',
  },
  'admin/exists': {
    status: 409,
    title: 'The administrator exists',
    meaning: 'This address is an administrator already, active or not.',
    fix: 'Change its roles, or make it active again.',
  },
  'admin/last': {
    status: 409,
    title: 'Nobody could administer any more',
    meaning: 'After this change no active policy-admin would be left.',
    fix: 'Add or activate another policy-admin first.',
  },
  'change/unknown': {
    status: 404,
    title: 'There is no such change',
    meaning: 'No change of a policy has this id.',
    fix: 'List the changes of the key.',
  },
  'change/conflict': {
    status: 409,
    title: 'The change cannot go on',
    meaning: 'It is done, withdrawn or expired, or another policy is in force than the one it was made for.',
    fix: 'Propose it again from the policy in force.',
  },
  'change/not-approved': {
    status: 403,
    title: 'The change needs more approvals',
    meaning: 'A policy that allows more takes `needed` approvals by others than its proposer; it has `given`.',
    fix: 'Have approvers sign the change.',
  },
  'proposal/unknown': {
    status: 404,
    title: 'No such proposal',
    meaning: 'There is none with this id that the token may see.',
    fix: 'Look at the list of proposals.',
  },
  'proposal/conflict': {
    status: 409,
    title: 'The proposal does not allow this now',
    meaning:
      '`reason` says what stands against it: it has expired, is executing or has ended, or the same one waits already.',
    fix: 'Look at the proposal; open a new one where it has ended.',
  },
  'network/unavailable': {
    status: 503,
    title: 'The network did not answer',
    meaning: 'Nobody answered in time. What was submitted may still arrive.',
    fix: 'Send the same request again with the same Idempotency-Key, or ask for the transaction by its hash.',
  },
  'network/malformed': {
    status: 502,
    title: 'The network answered with something else than was asked',
    meaning: 'The answer was too large, had another shape, or was about another transaction. Nothing of it was used.',
    fix: 'Look at the endpoint that the configuration names for this network.',
  },
  'transaction/rejected': {
    status: 422,
    title: 'The network will not run this transaction',
    meaning:
      '`resultCode` is what the network calls it and `reason` what that means. Nothing has happened on the network.',
    fix: 'Build the transaction anew from the present state of its accounts and contracts.',
  },
  'transaction/unknown': {
    status: 404,
    title: 'No such transaction',
    meaning: 'No transaction with this hash was submitted here, or it was long ago.',
    fix: 'Give the hash that `execute` or `submit` answered with, or ask the network itself.',
  },
  'template/unknown': {
    status: 404,
    title: 'No such template',
    meaning: 'The configuration has no template of this name.',
    fix: 'Use a name of the section `templates` of the configuration.',
  },
  'batch/refused': {
    status: 403,
    title: 'Some of what was asked for together is refused, so nothing was signed',
    meaning:
      '`findings` names each that is refused: its place in the request, its key, the `code` it would have alone, and why.',
    fix: 'Correct or leave out what `findings` names. Each `code` has its own page.',
  },
  'approval/refused': {
    status: 403,
    title: 'The approval is not good',
    meaning:
      '`rule` names what was looked at: metadata, issuer, form, key, state, signature, time, audience or action.',
    fix: 'Do not act on it. Where `rule` is metadata, fetch the document of keys again.',
  },
  'policy/denied': {
    status: 403,
    title: 'The policy of the key refuses this payload',
    meaning: '`rule` names the rule and `reason` the value it looked at.',
    fix: 'Change the payload, or have an operator change the policy.',
  },
  'policy/undecided': {
    status: 403,
    title: 'The policy cannot judge this payload',
    meaning: 'Something in it is not known to the policy; what is unknown is refused.',
    fix: 'Upgrade, or build the payload from known operations.',
  },
  'key/unknown': {
    status: 404,
    title: 'There is no such key',
    meaning: 'No key of this name is registered here.',
    fix: 'Run `countersign keys list`.',
  },
  'key/exists': {
    status: 409,
    title: 'The key exists',
    meaning: 'Names are never reused, and a Stellar key has one name on a network: then `reason` says which.',
    fix: 'Choose another name, or do what `reason` says.',
  },
  'key/unsupported': {
    status: 422,
    title: 'The key cannot do this',
    meaning: 'Its provider or custody mode does not support what was asked.',
    fix: 'Read `reason`; the capability table in the README says who can do what.',
  },
  'key/not-active': {
    status: 409,
    title: 'The key version may not sign',
    meaning: 'Its state is neither active nor overlap: it is pending, quarantined, retired, revoked or destroyed.',
    fix: 'Ask an operator; one in quarantine may be restored, a revoked version never signs again.',
  },
  'key/rotation': {
    status: 409,
    title: 'This step of a rotation may not come now',
    meaning:
      'Another rotation is under way, somebody else was first, or the key is not where this step begins. Nothing was changed.',
    fix: 'Look with `countersign rotate KEY --status`; it says what may come next.',
  },
  'key/mismatch': {
    status: 503,
    title: 'The key is in quarantine',
    meaning: 'What the key service or the registry says about this key is no longer what was pinned at registration.',
    fix: 'An operator must find out who changed the key, its alias or the registry, then run `countersign keys restore`.',
  },
  'provider/unavailable': {
    status: 503,
    title: 'The key service is not available',
    meaning: 'Nothing was signed.',
    fix: 'Send the same request again with the same Idempotency-Key, not before `retryAfterMs` if it is given.',
  },
  'provider/ambiguous': {
    status: 504,
    title: 'The key service did not answer in time',
    meaning: 'The service may have signed, but nothing was received and nothing was released; the audit log says so.',
    fix: 'Send the same request again with the same Idempotency-Key.',
  },
  'provider/refused': {
    status: 502,
    title: 'The key service refused',
    meaning: 'Permission, key state or credentials: a retry will not help.',
    fix: 'An operator must look at the permissions and the state of the key.',
  },
  'provider/malformed': {
    status: 502,
    title: 'The key service gave a malformed answer',
    meaning: 'It was not used.',
    fix: 'An operator must look at the endpoint and what stands between.',
  },
  'provider/corrupt': {
    status: 502,
    title: 'The answer of the key service was damaged on its way',
    meaning: 'It failed its integrity check and was not used. Nothing was released, and the key is in quarantine.',
    fix: 'An operator must look at what stands between signer and key service, then run `countersign keys restore`.',
  },
  'envelope/unreadable': {
    status: 502,
    title: 'The encrypted key cannot be opened',
    meaning:
      'Ciphertext, context and wrapping key do not belong together. Nothing was signed; the key is in quarantine.',
    fix: 'An operator must compare the row with its backup, since rows may have been exchanged, then run `countersign keys restore`.',
  },
  'envelope/mismatch': {
    status: 502,
    title: 'The encrypted key is not the key it claims to be',
    meaning: 'The opened key does not give the pinned public key. Nothing was signed; the key is in quarantine.',
    fix: 'An operator must compare the row with its backup, since rows may have been exchanged, then run `countersign keys restore`.',
  },
  'signature/malformed': {
    status: 502,
    title: 'The key service gave a malformed signature',
    meaning: 'It was not released; the key is in quarantine.',
    fix: 'An operator must look at the key service, then run `countersign keys restore`.',
  },
  'signature/unverified': {
    status: 502,
    title: 'The signature does not verify',
    meaning:
      'The answer of the key service does not verify under the pinned public key. Nothing was released; the key is in quarantine.',
    fix: 'An operator must look at the key service at once, since an alias may point at another key, then run `countersign keys restore`.',
  },
  'audit/sealed': {
    status: 503,
    title: 'The audit log is sealed',
    meaning: 'A record could not be written durably, so nothing is signed any more.',
    fix: 'An operator frees the disk and runs `countersign audit reopen`.',
  },
  'audit/corrupt': {
    status: 503,
    title: 'The audit log is damaged',
    meaning: 'A record does not fit the chain.',
    fix: 'An operator runs `countersign audit verify` and restores the log from its copy.',
  },
  'store/unavailable': {
    status: 503,
    title: 'The store does not answer',
    meaning: 'Nothing was signed.',
    fix: 'Send the same request again with the same Idempotency-Key.',
  },
  'service/overloaded': {
    status: 503,
    title: 'Too many requests at once',
    meaning: 'The request was not looked at.',
    fix: 'Wait `retryAfterMs` and send the same request again.',
  },
  'service/stopping': {
    status: 503,
    title: 'The service is stopping',
    meaning: 'The request was not looked at.',
    fix: 'Send the same request to another instance.',
  },
  'config/invalid': {
    status: 500,
    title: 'The configuration is invalid',
    meaning: '`problems` lists everything that is wrong with it.',
    fix: 'Run `countersign config check`.',
  },
  'start/refused': {
    status: 500,
    title: 'The service refuses to start',
    meaning: 'The environment is not safe to sign in.',
    fix: '`fix` says what to change.',
  },
  internal: {
    status: 500,
    title: 'An unexpected fault',
    meaning: 'Nothing was released. The incident number is in the log.',
    fix: 'Report the incident number.',
  },
} as const satisfies Record<ErrorCode, Meaning>

/** `policy/denied` → `/problems/policy-denied`: relative, so that it resolves at the service that answered. */
export const problemType = (code: ErrorCode): string => `/problems/${code.replace('/', '-')}`

export function codeOfProblem(slug: string): ErrorCode | undefined {
  return (Object.keys(PROBLEMS) as ErrorCode[]).find(code => code.replace('/', '-') === slug)
}

/** RFC 9457. Members beside the five standard ones are the error's public detail; nothing else of the error is shown. */
export function problemOf(error: AnySignerError, requestId: string) {
  const { status, title } = PROBLEMS[error.code]
  return {
    ...publicDetail(error),
    type: problemType(error.code),
    title,
    status,
    code: error.code,
    retryable: isRetryable(error),
    requestId,
  }
}

/** Both schemes at once (RFC 9110 §11.6.1), and the algorithms of RFC 9449 §7.1. */
const CHALLENGE = 'Bearer, DPoP algs="EdDSA ES256"'

export function problemResponse(error: AnySignerError, requestId: string): Response {
  const body = problemOf(error, requestId)
  const { status } = body
  const headers = new Headers({ 'content-type': 'application/problem+json' })
  if (status === 401) headers.set('www-authenticate', CHALLENGE)
  const waitMs = 'retryAfterMs' in error.detail ? error.detail.retryAfterMs : status === 503 ? 1000 : undefined
  if (waitMs !== undefined) headers.set('retry-after', String(Math.max(1, Math.ceil(waitMs / 1000))))
  return new Response(JSON.stringify(body), { status, headers })
}

/** A detail with one of our own members could not be told of: it does not compile. */
type PublicDetail = Readonly<Record<string, unknown>> &
  Readonly<Partial<Record<'type' | 'title' | 'status' | 'code' | 'retryable', never>>>

/** The key service's own id of the call stands beside ours, not in its place. */
function publicDetail({ detail }: AnySignerError): PublicDetail {
  if (!('requestId' in detail)) return detail
  const { requestId: providerRequestId, ...rest } = detail
  return { ...rest, providerRequestId }
}
