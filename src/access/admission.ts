import type { RateAnswer, RateClaim, RateStore } from '../domain/claims.ts'
import { type ErrorDetail, SignerError } from '../domain/errors.ts'
import { type AddressList, bucketOf, type Client, inList } from './addresses.ts'
import type { Lane } from './lanes.ts'

/** So many operations in any window of this length. */
export interface Limit {
  readonly limit: number
  readonly windowMs: number
}

/** What holds where token and key bring nothing of their own. Absent: not limited by that. */
export interface AdmissionLimits {
  /** For each address, IPv6 by /64; default 10 a minute. */
  readonly address?: Limit | undefined
  readonly subject?: Limit | undefined
  readonly token?: Limit | undefined
  readonly key?: Limit | undefined
  readonly tenant?: Limit | undefined
  readonly global?: Limit | undefined
}

export interface AdmissionQuestion {
  /** `interactive`: people and administration, logging in among it. `service`: a service token at work. */
  readonly operation: 'interactive' | 'service'
  readonly client: Client
  readonly subject?: string | undefined
  readonly tokenId?: string | undefined
  readonly key?: string | undefined
  readonly tenant?: string | undefined
  /** What the token carries. */
  readonly tokenLimit?: Limit | undefined
  /** What the key carries. */
  readonly keyLimit?: Limit | undefined
}

/** As operators of hardware security modules expect (M-45). */
export const ADDRESS_LIMIT: Limit = Object.freeze({ limit: 10, windowMs: 60_000 })

/**
 * Everything that one operation counts against. Interactive operations count for their address; so do those of a service
 * token for which no limit is known, so that nobody goes uncounted.
 */
export function claimsFor(question: AdmissionQuestion, limits: AdmissionLimits = {}): readonly RateClaim[] {
  const { operation, client, subject, tokenId, key, tenant, tokenLimit, keyLimit } = question
  const forToken = tokenId === undefined ? undefined : (tokenLimit ?? limits.token)
  const byAddress = operation === 'interactive' || forToken === undefined
  const own = (scope: string, name: string | undefined, limit: Limit | undefined): readonly RateClaim[] =>
    name === undefined ? [] : claim(`${scope}:${name}`, limit)
  return [
    ...(byAddress ? own('address', bucketOf(client), limits.address ?? ADDRESS_LIMIT) : []),
    ...own('subject', subject, limits.subject),
    ...own('token', tokenId, forToken),
    ...own('key', key, keyLimit ?? limits.key),
    ...own('tenant', tenant, limits.tenant),
    ...claim('global', limits.global),
  ]
}

const claim = (name: string, limit: Limit | undefined): readonly RateClaim[] =>
  limit === undefined ? [] : [{ name, limit: limit.limit, windowMs: limit.windowMs }]

export type Admitted = Extract<RateAnswer, { kind: 'admitted' }>

/**
 * Takes one operation of every claim, or of none.
 * @returns undefined when nothing limits the operation
 * @throws `access/limited` naming the kind of limit, never whose it is
 */
export async function admit(
  store: RateStore,
  claims: readonly RateClaim[],
  now: number,
): Promise<Admitted | undefined> {
  if (claims.length === 0) return undefined
  const answer = await store.take(claims, now)
  if (answer.kind === 'admitted') return answer
  throw new SignerError('access/limited', {
    scope: scopeOf(answer.claim),
    limit: answer.claim.limit,
    windowSeconds: seconds(answer.claim.windowMs),
    retryAfterMs: answer.retryAfterMs,
  })
}

/** The kind of limit alone: the rest of the name may be somebody else's business. */
const scopeOf = ({ name }: RateClaim): string => name.split(':', 1)[0] ?? name
const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000))

/**
 * Header fields for an answer or a refusal, of the one limit that is closest.
 * @see draft-ietf-httpapi-ratelimit-headers-11: lists of strings, `q` quota, `w` window, `r` available, `t` seconds for
 *      which no more than `r` is there; Retry-After (RFC 9110 §10.2.3) is never earlier than `t`
 */
export function rateHeaders(facts: RateAnswer | ErrorDetail['access/limited']): Readonly<Record<string, string>> {
  if (!('kind' in facts)) {
    const { scope, limit, windowSeconds, retryAfterMs } = facts
    return fields(scope, limit, windowSeconds, 0, retryAfterMs, true)
  }
  const [scope, windowSeconds] = [scopeOf(facts.claim), seconds(facts.claim.windowMs)]
  if (facts.kind === 'limited') return fields(scope, facts.claim.limit, windowSeconds, 0, facts.retryAfterMs, true)
  return fields(scope, facts.claim.limit, windowSeconds, facts.remaining, facts.resetMs, false)
}

function fields(scope: string, limit: number, windowSeconds: number, left: number, waitMs: number, refused: boolean) {
  const wait = seconds(waitMs)
  return {
    'ratelimit-policy': `"${scope}";q=${limit};w=${windowSeconds}`,
    ratelimit: `"${scope}";r=${left};t=${wait}`,
    ...(refused ? { 'retry-after': String(wait) } : {}),
  }
}

/** @throws `access/denied`, which tells nothing of what is on the list */
export function assertAllowed(client: Client, list: AddressList, action: string): void {
  if (inList(client, list)) return
  throw new SignerError('access/denied', { action, reason: 'not from this address' })
}

/** How many operations may be under way at once. Absent: not limited by that. */
export interface ConcurrencyLimits {
  readonly tenant?: number | undefined
  readonly token?: number | undefined
}

export function lanesFor(
  { tenant, tokenId }: Pick<AdmissionQuestion, 'tenant' | 'tokenId'>,
  limits: ConcurrencyLimits,
): readonly Lane[] {
  const lane = (scope: string, name: string | undefined, most: number | undefined): readonly Lane[] =>
    name === undefined || most === undefined ? [] : [{ name: `${scope}:${name}`, most }]
  return [...lane('tenant', tenant, limits.tenant), ...lane('token', tokenId, limits.token)]
}
