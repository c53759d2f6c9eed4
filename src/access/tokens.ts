import { type CryptoKey, compactVerify, importJWK } from 'jose'
import { fromBase64Url } from '../bytes/base64.ts'
import { parseStrictJson } from '../bytes/json.ts'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import { type Jwks, KID, readJwks, type TokenAlgorithm, type TokenKey } from '../domain/jwks.ts'
import type { Clock } from '../domain/ports.ts'
import type { Caller } from './authorize.ts'
import { parseScopes } from './scopes.ts'
import { rememberVerified } from './verified-tokens.ts'

export type { Caller } from './authorize.ts'

export interface TokenRules {
  /** The public keys of the issuer; nothing is ever fetched. */
  readonly jwks: Jwks
  readonly issuer: string
  readonly audience: string
  readonly clock: Pick<Clock, 'now'>
  /** Longest life of a token, `exp` − `iat`; at most 900. */
  readonly maxAgeSeconds?: number
  /** How far the issuer's clock may be off; at most 30. */
  readonly skewSeconds?: number
}

/** The value of the Authorization header, as one text; a list when it came more than once. */
export type AuthorizationHeader = string | undefined | readonly string[]

export const MAX_AGE_SECONDS = 900
export const MAX_SKEW_SECONDS = 30
const HEADER_CHARACTERS_MAX = 4096
const NAME_CHARACTERS_MAX = 255
const TYPE = 'at+jwt'
const HEADER_MEMBERS = ['alg', 'kid', 'typ']
const REQUIRED_CLAIMS = ['iss', 'aud', 'sub', 'exp', 'iat', 'jti']

/** Stable texts: programs may compare them, and none holds anything of the token. */
export const TOKEN_REASONS = {
  absent: 'send an Authorization header: Bearer and a token',
  repeated: 'the Authorization header came more than once',
  scheme: 'the Authorization header is not "Bearer", one space and a token',
  long: `the Authorization header is longer than ${HEADER_CHARACTERS_MAX} characters`,
  spelling: 'the token is not three parts of canonical base64url',
  header: `the token header must hold alg, kid and typ "${TYPE}" and nothing else`,
  key: 'the token names a key that is not configured',
  algorithm: 'the token names another algorithm than its key has',
  signature: 'the signature of the token does not verify',
  expired: 'the token has expired or is too old',
  claims: 'the claims of the token are not as RFC 9068 has them',
  life: 'the token lives longer than is allowed',
} as const

/**
 * Checks bearer tokens (RFC 6750) that are JWT access tokens (RFC 9068) under a static key set. The algorithm belongs to
 * the key, not to the token; there is no HMAC, no key in a header and no fetch. Spelling is checked before anything is
 * decoded, so a token has one text. (Under ES256 a signature itself has two forms, s and n − s: identity is the `jti`.)
 *
 * @returns a function from header to caller; it rejects with `token/missing` or `token/invalid` and nothing else.
 * @throws  `config/invalid` when the rules or the key set are not usable.
 */
export function createTokenVerifier(rules: TokenRules): (header: AuthorizationHeader) => Promise<Caller> {
  const { issuer, audience, clock, maxAgeSeconds = MAX_AGE_SECONDS, skewSeconds = MAX_SKEW_SECONDS } = rules
  const keys = keysOf(rules, maxAgeSeconds, skewSeconds)
  // Lives and dies with this key set.
  const verified = rememberVerified()
  return async header => {
    const token = readBearer(header)
    const payload = readSpelling(token)
    const { alg, kid } = readTokenHeader(token)
    const key = keys.get(kid)
    if (key === undefined) throw invalid('key')
    if (key.alg !== alg) throw invalid('algorithm')
    await verified.once(token, async () => {
      const publicKey = await key.key()
      try {
        await compactVerify(token, publicKey, { algorithms: [key.alg] })
      } catch (error) {
        throw invalid('signature', error)
      }
    })
    const claims = readObject(payload, 'claims')
    checkClaims(claims, { issuer, audience, maxAgeSeconds, skewSeconds, now: Math.floor(clock.now() / 1000) })
    return callerOf(claims, maxAgeSeconds)
  }
}

interface KnownKey {
  readonly alg: TokenAlgorithm
  key(): Promise<CryptoKey | Uint8Array>
}

function keysOf(rules: TokenRules, maxAgeSeconds: number, skewSeconds: number): ReadonlyMap<string, KnownKey> {
  const { jwks, problems } = readJwks(rules.jwks, 'tokens.jwks')
  const all: ConfigProblem[] = [...problems]
  const complain = (path: string, problem: string, fix: string) => all.push({ path, problem, fix })
  if (!within(maxAgeSeconds, 1, MAX_AGE_SECONDS))
    complain('tokens.maxAgeSeconds', 'is out of range', `use 1 to ${MAX_AGE_SECONDS}`)
  if (!within(skewSeconds, 0, MAX_SKEW_SECONDS))
    complain('tokens.clockSkewSeconds', 'is out of range', `use 0 to ${MAX_SKEW_SECONDS}`)
  if (rules.issuer === '') complain('tokens.issuer', 'is empty', 'name the issuer as it stands in iss')
  if (rules.audience === '') complain('tokens.audience', 'is empty', 'name this service as it stands in aud')
  if (all.length > 0) throw new SignerError('config/invalid', { problems: all })
  return new Map(
    jwks.keys.map(jwk => {
      let imported: Promise<CryptoKey | Uint8Array> | undefined
      return [jwk.kid, { alg: jwk.alg, key: () => (imported ??= importKey(jwk)) }] as const
    }),
  )
}

/** A point that is not on its curve shows only here. */
const importKey = (jwk: TokenKey) =>
  importJWK({ ...jwk }, jwk.alg).catch((error: unknown) => {
    throw invalid('key', error)
  })

const within = (value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most

function readBearer(header: AuthorizationHeader): string {
  if (typeof header === 'object' && header.length > 1) throw invalid('repeated')
  const text = typeof header === 'object' ? header[0] : header
  if (text === undefined || text === '') throw new SignerError('token/missing', { reason: TOKEN_REASONS.absent })
  if (text.length > HEADER_CHARACTERS_MAX) throw invalid('long')
  if (!text.startsWith('Bearer ')) throw invalid('scheme')
  return text.slice('Bearer '.length)
}

/** @returns the payload. */
function readSpelling(token: string): Uint8Array {
  const parts = token.split('.', 4)
  const [header, payload, signature] = parts.map(part => (part === '' ? undefined : fromBase64Url(part)))
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined)
    throw invalid('spelling')
  return payload
}

function readTokenHeader(token: string): { alg: string; kid: string } {
  const header = readObject(fromBase64Url(token.slice(0, token.indexOf('.'))) as Uint8Array, 'header')
  const { alg, kid, typ } = header
  const known = Object.keys(header).every(member => HEADER_MEMBERS.includes(member))
  if (!known || typeof alg !== 'string' || typeof kid !== 'string' || typ !== TYPE) throw invalid('header')
  if (!KID.test(kid)) throw invalid('key')
  return { alg, kid }
}

interface ClaimRules {
  readonly issuer: string
  readonly audience: string
  readonly maxAgeSeconds: number
  readonly skewSeconds: number
  /** Whole seconds since 1970. */
  readonly now: number
}

/** RFC 7519 §4.1 with RFC 9068 §2.2; looked at for every request, remembered or not. */
function checkClaims(claims: Readonly<Record<string, unknown>>, rules: ClaimRules): void {
  const { now, skewSeconds, maxAgeSeconds, issuer, audience } = rules
  const { iss, aud, iat, exp, nbf } = claims
  if (!REQUIRED_CLAIMS.every(name => claims[name] !== undefined)) throw invalid('claims')
  if (iss !== issuer) throw invalid('claims')
  if (aud !== audience && !(Array.isArray(aud) && aud.includes(audience))) throw invalid('claims')
  if (typeof iat !== 'number' || typeof exp !== 'number') throw invalid('claims')
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= now + skewSeconds)) throw invalid('claims')
  if (exp <= now - skewSeconds || now - iat - skewSeconds > maxAgeSeconds) throw invalid('expired')
  if (iat > now + skewSeconds) throw invalid('claims')
}

function callerOf({ sub, jti, iat, exp, scope = '' }: Record<string, unknown>, maxAgeSeconds: number): Caller {
  if (!isName(sub) || !isName(jti) || typeof scope !== 'string') throw invalid('claims')
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) throw invalid('claims')
  const life = (exp as number) - (iat as number)
  if (life <= 0 || life > maxAgeSeconds) throw invalid('life')
  return Object.freeze({ subject: sub, tokenId: jti, scopes: parseScopes(scope), expiresAt: (exp as number) * 1000 })
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= NAME_CHARACTERS_MAX

function readObject(bytes: Uint8Array, reason: 'header' | 'claims'): Record<string, unknown> {
  let value: unknown
  try {
    value = parseStrictJson(bytes)
  } catch {
    throw invalid(reason)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw invalid(reason)
  return value as Record<string, unknown>
}

type Reason = Exclude<keyof typeof TOKEN_REASONS, 'absent'>

const invalid = (reason: Reason, cause?: unknown) =>
  new SignerError('token/invalid', { reason: TOKEN_REASONS[reason] }, cause === undefined ? {} : { cause })
