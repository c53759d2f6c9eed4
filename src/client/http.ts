import { type Json, objectOf, textOf } from './answer.ts'
import type { ProblemDocument } from './errors.ts'
import type { Payload, Signed } from './types.ts'
import type { Fetch } from '../domain/ports.ts'

/** A refusal by the service; `problem` is its answer. */
export class ProblemError extends Error {
  readonly problem: ProblemDocument
  constructor(problem: ProblemDocument, options?: ErrorOptions) {
    super(`${problem.code}: ${problem.title}`, options)
    this.problem = problem
  }
}

export interface RevokedReply {
  readonly key: string
  readonly revoked: readonly number[]
  readonly now: readonly number[]
  /** What became of the key where it lies: `disabled`, `left` or `failed`; absent where nobody asked. */
  readonly places?: readonly {
    readonly version: number
    readonly binding: string
    readonly provider: string
    readonly outcome: string
    readonly reason?: string
  }[]
}

/** Of a transaction. */
export type SignedEnvelope = Signed & { readonly signedXdr: string }

/** What a dry run says. */
export interface ExplainReply {
  readonly decision: string
  readonly summary: string
  readonly sentences: readonly string[]
  /** Hex. */
  readonly hash: string
  /** The rule that decided, unless it allows. */
  readonly rule?: string
  readonly reason?: string
}

/** What those who may read a key see of it, as far as this client looks. */
export interface KeyReply {
  readonly name: string
  readonly chain: string
  readonly network: string
  readonly address: string
  /** What it signs for; a service that does not say means its address. */
  readonly account?: string
}

export interface ClientOptions {
  readonly url: string
  /** Called for every request, so that a short-lived token can be renewed. Absent: for a login, which has none yet. */
  readonly token?: () => string
  readonly fetch: Fetch
  /** For one request, answer included; 60 seconds unless told, which is longer than a service takes. */
  readonly deadlineMs?: number
}

/** Of an administrator. */
export interface Session {
  readonly token: string
  /** ISO 8601. */
  readonly expiresAt: string
  readonly roles: readonly string[]
}

const DEADLINE_MS = 60_000

/**
 * The data plane over HTTP. Needs only fetch. Throws ProblemError: the service's, or `service/unreachable` when nobody
 * answers, or not in the way of this service.
 */
export function httpClient({ url, token, fetch, deadlineMs = DEADLINE_MS }: ClientOptions) {
  const base = url.endsWith('/') ? url.slice(0, -1) : url
  async function call(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Json> {
    let response: Response
    let answer: Json | undefined
    try {
      response = await fetch(`${base}${path}`, {
        method,
        redirect: 'error', // a token never follows a redirect
        signal: AbortSignal.timeout(deadlineMs),
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token()}` }), ...headers },
        ...(body === undefined ? {} : { body }),
      })
      answer = objectOf(await textOf(response))
    } catch (error) {
      throw unreachable(base, 'no answer', error)
    }
    if (response.status === 202 && answer !== undefined) throw pending(answer)
    if (response.ok && answer !== undefined) return answer
    if (isProblem(answer)) throw new ProblemError(answer)
    throw unreachable(base, `it answered ${response.status}, not as this service does`)
  }
  const path = (key: string) => `/v1/keys/${encodeURIComponent(key)}`
  /**
   * @param payload any payload type. @param idempotencyKey the same for every retry of one request.
   * @param version the one that signs, or none; absent: the one that signs now
   */
  const sign = async (key: string, payload: Payload, idempotencyKey: string, version?: number): Promise<Signed> => {
    const headers = { ...JSON_BODY, 'idempotency-key': idempotencyKey }
    const place = version === undefined ? path(key) : `${path(key)}/versions/${version}`
    const answer = await call('POST', `${place}/sign`, headers, JSON.stringify(payload))
    if (isSigned(answer) && (version === undefined || answer.keyVersion === version)) return answer
    throw unreachable(base, 'its answer holds no signature')
  }
  return {
    sign,
    signStellar: async (key: string, xdr: string, idempotencyKey: string): Promise<SignedEnvelope> => {
      const { signedXdr, ...reply } = await sign(key, { type: 'stellar-transaction', xdr }, idempotencyKey)
      if (signedXdr !== undefined) return { ...reply, signedXdr }
      throw unreachable(base, 'its answer holds no envelope')
    },
    /** A dry run: nothing is signed. */
    explain: async (key: string, payload: Payload): Promise<ExplainReply> => {
      const answer = await call('POST', `${path(key)}/explain`, JSON_BODY, JSON.stringify(payload))
      if (isExplainReply(answer)) return answer
      throw unreachable(base, 'its answer explains nothing')
    },
    key: async (key: string): Promise<KeyReply> => {
      const answer = await call('GET', path(key), {})
      if (isKeyReply(answer)) return answer
      throw unreachable(base, 'its answer is no key')
    },
    /** Those that the token may read. */
    keys: async (): Promise<readonly KeyReply[]> => {
      const { keys } = await call('GET', '/v1/keys', {})
      if (Array.isArray(keys) && keys.every(isKeyReply)) return keys
      throw unreachable(base, 'its answer is no list of keys')
    },
    /** Control plane. @param idempotencyKey the same for every retry of one request. */
    activate: (change: string, idempotencyKey: string): Promise<Json> =>
      call('POST', `/v1/changes/${encodeURIComponent(change)}/activate`, { 'idempotency-key': idempotencyKey }),
    /** Control plane. @param idempotencyKey the same for every retry of one request. */
    revoke: async (
      key: string,
      wish: { readonly version?: number; readonly reason: string },
      idempotencyKey: string,
    ): Promise<RevokedReply> => {
      const headers = { ...JSON_BODY, 'idempotency-key': idempotencyKey }
      const { revoked, now, places } = await call('POST', `${path(key)}/revoke`, headers, JSON.stringify(wish))
      if (Array.isArray(revoked) && Array.isArray(now)) {
        const told = Array.isArray(places) ? { places: places.map(placeOf) } : {}
        return { key, revoked: revoked.map(Number), now: now.map(Number), ...told }
      }
      throw unreachable(base, 'its answer does not say what was revoked')
    },
    /** Control plane. What an address has to sign to log in. */
    challenge: (address: string): Promise<Json> =>
      call('POST', '/auth/challenge', JSON_BODY, JSON.stringify({ address })),
    /** Control plane. @param transaction the challenge with one more signature (SEP-10). */
    openSession: async (transaction: string): Promise<Session> => {
      const { token, expiresAt, roles } = await call('POST', '/auth/token', JSON_BODY, JSON.stringify({ transaction }))
      if (typeof token === 'string' && typeof expiresAt === 'string' && Array.isArray(roles))
        return { token, expiresAt, roles: roles.map(String) }
      throw unreachable(base, 'its answer holds no session')
    },
  }
}

const JSON_BODY = { 'content-type': 'application/json' }

const REPLY: Readonly<Record<string, 'string' | 'number'>> = {
  signature: 'string',
  publicKey: 'string',
  address: 'string',
  keyVersion: 'number',
  hash: 'string',
  provider: 'string',
  custody: 'string',
  auditId: 'string',
  requestId: 'string',
} satisfies Partial<Record<keyof Signed, 'string' | 'number'>>

const MAY_HOLD: Readonly<Record<string, 'string' | 'object'>> = {
  signedXdr: 'string',
  signedAuthEntry: 'string',
  signedTransaction: 'string',
  signedAuthorization: 'object',
  evmSignature: 'string',
  jws: 'string',
} satisfies Partial<Record<keyof Signed, 'string' | 'object'>>

const isSigned = (answer: Json): answer is Json & Signed =>
  Object.entries(REPLY).every(([member, type]) => typeof answer[member] === type) &&
  Object.entries(MAY_HOLD).every(
    ([member, type]) => answer[member] === undefined || (typeof answer[member] === type && answer[member] !== null),
  )

const areTexts = (answer: Json, ...members: readonly string[]): boolean =>
  members.every(member => typeof answer[member] === 'string')

const isExplainReply = (answer: Json): answer is Json & ExplainReply =>
  areTexts(answer, 'decision', 'summary', 'hash') &&
  ['rule', 'reason'].every(member => answer[member] === undefined || areTexts(answer, member)) &&
  Array.isArray(answer['sentences']) &&
  answer['sentences'].every(sentence => typeof sentence === 'string')

const isKeyReply = (answer: unknown): answer is KeyReply =>
  typeof answer === 'object' && answer !== null && areTexts(answer as Json, 'name', 'chain', 'network', 'address')

const isProblem = (answer: Json | undefined): answer is ProblemDocument =>
  typeof answer?.['code'] === 'string' && typeof answer['title'] === 'string'

/** 202: people must approve first. Nothing is signed yet. */
function pending(answer: Json): ProblemError {
  const { approvalId, id, url, requestId } = answer
  const waits = [approvalId, id].find(name => typeof name === 'string')
  const title = waits === undefined ? 'It waits for approval' : `It waits for approval ${waits}`
  const more = { ...(waits === undefined ? {} : { approvalId: waits }), ...(typeof url === 'string' ? { url } : {}) }
  const problem = { code: 'approval/pending', status: 202, title, retryable: false, ...more }
  return new ProblemError({ ...problem, requestId: typeof requestId === 'string' ? requestId : '' })
}

function unreachable(base: string, what: string, cause?: unknown): ProblemError {
  const title = `${base}: ${what}. Is the service running, and is COUNTERSIGN_URL right?`
  const problem = { code: 'service/unreachable', status: 0, title, retryable: true, requestId: '' }
  return new ProblemError(problem, { cause })
}

/** Told to people: what is not text stays away. */
function placeOf(told: unknown): NonNullable<RevokedReply['places']>[number] {
  const place: Json = typeof told === 'object' && told !== null ? (told as Json) : {}
  const text = (member: string): string => (typeof place[member] === 'string' ? place[member] : '')
  return {
    version: Number(place['version']),
    binding: text('binding'),
    provider: text('provider'),
    outcome: text('outcome'),
    ...(text('reason') === '' ? {} : { reason: text('reason') }),
  }
}
