import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import { SignerError } from '../domain/errors.ts'
import type { ExecutionApprovalView } from '../domain/execution-approval.ts'
import { SCHEME_OF } from '../domain/key.ts'
import type { Asked, PayloadParser } from '../domain/payload.ts'
import { JOSE, kidOf } from './algorithms.ts'
import { canonicalJson, obstacleIn } from './canonical.ts'
import { type ApprovalClaims, claimsBytes, isRecord, isSeconds, RULES } from './claims.ts'
import { signingInputOf, withSignature } from './compact.ts'

export const APPROVAL_TYPE = 'approval+jws'
/** AWS KMS takes no longer message for an Ed25519 key, and no key of another service should sign what that one cannot. */
export const SIGNING_INPUT_MAX = 4_096

const REQUIRED = ['action', 'audience', 'subject', 'issuedAt', 'expiresAt', 'correlationId'] as const

/**
 * `{type: 'approval', approval: {action, audience, subject, issuedAt, expiresAt, correlationId, details?}}`: a JWS (RFC 7515)
 * over the canonical JSON (RFC 8785) of claims. It depends on nothing but the request and the version that signs, so a
 * request that is sent again gives the same bytes; that is why the caller says when it was issued. Policy holds that time
 * against the clock.
 *
 * Of an Ed25519 key the message is the signing input: ASCII, more than 32 bytes and never the hash of a transaction. Of a
 * secp256k1 key the digest is its SHA-256 (ES256K, RFC 8812 §3.2), and chains hash with Keccak-256.
 * @throws `payload/invalid`
 */
export const approval: PayloadParser = (payload, { key, version, chain, network }): Asked => {
  const claims = claimsOf(payload, key)
  const row = JOSE[SCHEME_OF[chain]]
  const header = { alg: row.alg, kid: kidOf(key, version), typ: APPROVAL_TYPE }
  const signingInput = signingInputOf(header, claimsBytes(claims))
  if (signingInput.length > SIGNING_INPUT_MAX) {
    throw refuse('approval', `makes ${signingInput.length} characters to sign; ${SIGNING_INPUT_MAX} is the limit`)
  }
  const bytes = new TextEncoder().encode(signingInput)
  const view = viewOf(claims, network)
  const sentence = sentenceOf(claims)
  return {
    type: 'approval',
    input: row.toSign(bytes),
    hash: toHex(sha256(bytes)),
    sentence,
    view,
    operations: ['approval'],
    slot: () => undefined,
    describe: () => ({ json: { header, claims }, sentences: [`${sentence}.`] }),
    attach: (_, signature) => ({ jws: withSignature(signingInput, signature) }),
  }
}

/** Everything that any key may be asked to sign besides the payloads of its chain. */
export const approvalPayloads: Readonly<Record<string, PayloadParser>> = { approval }

function claimsOf(payload: Readonly<Record<string, unknown>>, key: string): ApprovalClaims {
  for (const name of Object.keys(payload)) {
    if (name !== 'type' && name !== 'approval') throw refuse(shown(name), 'is not a field of an approval payload')
  }
  const { approval: asked } = payload
  if (!isRecord(asked)) throw refuse('approval', 'must be an object with action, audience, subject, issuedAt and so on')
  for (const name of Object.keys(asked)) {
    if (name !== 'details' && !REQUIRED.some(each => each === name)) {
      throw refuse(`approval.${shown(name)}`, 'is not a field of an approval')
    }
  }
  const { details } = asked
  const claims: ApprovalClaims = {
    iss: key,
    action: textOf(asked, 'action', 'action'),
    aud: textOf(asked, 'audience', 'aud'),
    sub: textOf(asked, 'subject', 'sub'),
    jti: textOf(asked, 'correlationId', 'jti'),
    iat: secondsOf(asked, 'issuedAt'),
    exp: secondsOf(asked, 'expiresAt'),
    ...(details === undefined ? {} : detailsOf(details)),
  }
  if (claims.exp <= claims.iat) throw refuse('approval.expiresAt', 'is not after issuedAt')
  return claims
}

function textOf(asked: Record<string, unknown>, field: string, claim: keyof typeof RULES): string {
  const value = asked[field]
  const [reason, holds] = RULES[claim]
  if (!holds(value)) throw refuse(`approval.${field}`, value === undefined ? 'is missing' : reason)
  return value as string
}

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/

function secondsOf(asked: Record<string, unknown>, name: string): number {
  const value = asked[name]
  const field = `approval.${name}`
  if (value === undefined) throw refuse(field, 'is missing')
  if (typeof value === 'string') {
    const seconds = ISO.test(value) ? Date.parse(value) / 1000 : Number.NaN
    // A date that does not exist is read as another one.
    if (isSeconds(seconds) && isoOf(seconds) === value) return seconds
    throw refuse(field, 'is not a time in UTC such as 2026-01-31T12:00:00Z')
  }
  if (isSeconds(value)) return value
  throw refuse(
    field,
    'must be whole seconds since 1970 (not milliseconds), or a time in UTC such as 2026-01-31T12:00:00Z',
  )
}

/** None where there is nothing in it: one text for one meaning. */
function detailsOf(details: unknown): Pick<ApprovalClaims, 'details'> {
  if (!isRecord(details)) throw refuse('approval.details', 'must be an object')
  const obstacle = obstacleIn(details)
  if (obstacle !== undefined) throw refuse(`approval.details${shown(obstacle.at)}`, obstacle.reason)
  if (Object.keys(details).length === 0) return {}
  // As it stands in what is signed: -0 is 0, and nobody changes it from outside.
  return { details: JSON.parse(canonicalJson(details)) as Record<string, unknown> }
}

const viewOf = ({ action, aud, sub, iat, exp, jti, details = {} }: ApprovalClaims, network: string) =>
  ({
    kind: 'approval',
    network,
    action,
    audience: aud,
    subject: sub,
    issuedAt: iat * 1000,
    expiresAt: exp * 1000,
    correlationId: jti,
    details,
  }) satisfies ExecutionApprovalView

/** Names what else is approved, as far as a line holds it: nobody should say yes to a subject alone when an amount goes with it. */
function sentenceOf({ action, sub, aud, exp, jti, details }: ApprovalClaims): string {
  const what = `Approve ${action} of ${JSON.stringify(sub)} for ${aud} until ${isoOf(exp)}, correlation id ${jti}`
  if (details === undefined) return what
  // Letters that turn the order of others would tell a reader something else.
  const text = canonicalJson(details).replaceAll(/[^\x20-\x7e]/g, unit => `\\u${hexUnit(unit)}`)
  const hidden = text.length - DETAILS_SHOWN
  return `${what}, with ${hidden > 0 ? `${text.slice(0, DETAILS_SHOWN)} and ${hidden} more characters` : text}`
}

const DETAILS_SHOWN = 1_000
const hexUnit = (unit: string): string => unit.charCodeAt(0).toString(16).padStart(4, '0')

const isoOf = (seconds: number): string => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`

const SHOWN_MAX = 80
const shown = (name: string): string => name.slice(0, SHOWN_MAX).replaceAll(/[^\x20-\x7e]/g, '?')

const refuse = (field: string, reason: string) => new SignerError('payload/invalid', { field, reason })
