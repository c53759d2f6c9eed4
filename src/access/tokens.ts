import { compactVerify } from 'jose'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import { KID } from '../domain/jwks.ts'
import type { Clock } from '../domain/ports.ts'
import type { Caller } from './authorize.ts'
import { type Confirmation, readConfirmation } from './confirmation.ts'
import { type ConstraintJudges, type Constraints, readConstraints } from './constraints.ts'
import { type HeaderValue, readCredentials } from './credentials.ts'
import { hasExactly, readCompact, readJsonObject } from '../bytes/jws.ts'
import { parseScopes } from './scopes.ts'
import { findKeyOf, type TrustedIssuer } from './token-keys.ts'
import { invalid, TOKEN_TYPE } from './token-reasons.ts'
import { rememberVerified } from './verified-tokens.ts'

export type { Caller } from './authorize.ts'
export { TOKEN_REASONS } from './token-reasons.ts'

/** `jwks`: a static set, or one that is fetched from a place the configuration names. No token ever names a place. */
export interface TokenRules extends TrustedIssuer {
  /** Further issuers, such as the control plane beside an identity provider. Every kid belongs to one of them. */
  readonly others?: readonly TrustedIssuer[]
  readonly audience: string
  readonly clock: Pick<Clock, 'now'>
  /** Longest life of a token, `exp` − `iat`; at most 900. */
  readonly maxAgeSeconds?: number
  /** How far the issuer's clock may be off; at most 30. */
  readonly skewSeconds?: number
  /** Reads constraints that other rooms understand: address blocks, business hours. */
  readonly judges?: ConstraintJudges
  readonly isRevoked?: IsRevoked
}

/** `TokenLedger.isRevoked`: asked for every request. */
export type IsRevoked = (tokenId: string) => Promise<boolean>

/** The value of the Authorization header, as one text; a list when it came more than once. */
export type AuthorizationHeader = HeaderValue

export const MAX_AGE_SECONDS = 900
export const MAX_SKEW_SECONDS = 30
const NAME_CHARACTERS_MAX = 255
const HEADER_MEMBERS = ['alg', 'kid', 'typ']
const REQUIRED_CLAIMS = ['iss', 'aud', 'sub', 'exp', 'iat', 'jti']

/**
 * Checks bearer tokens (RFC 6750) that are JWT access tokens (RFC 9068). A token with `cnf` is bound to a key or a
 * certificate and no bearer token: `createAuthenticator` takes those with their proof, and nothing does without.
 *
 * @returns a function from header to caller; it rejects with `token/missing` or `token/invalid`, and with what `isRevoked`
 *          or a remote key set throws when they cannot be asked.
 * @throws  `config/invalid` when the rules or a key set are not usable.
 */
export function createTokenVerifier(rules: TokenRules): (header: AuthorizationHeader) => Promise<Caller> {
  const read = createTokenReader(rules)
  return async header => {
    const caller = await read(readCredentials(header, ['Bearer']).token)
    if (caller.confirmation !== undefined) throw invalid('bound')
    if (rules.isRevoked !== undefined) await refuseRevoked(caller, rules.isRevoked)
    return caller
  }
}

/**
 * For the moment of authentication, and once more right before a release: what was taken back in between stays back.
 * @throws `token/invalid`; what the ledger throws when it cannot be asked
 */
export async function refuseRevoked({ tokenId }: Pick<Caller, 'tokenId'>, isRevoked: IsRevoked): Promise<void> {
  if ((await isRevoked(tokenId)) !== false) throw invalid('revoked')
}

/**
 * Reads a token whatever it is bound to; who calls it must look at `confirmation`. The algorithm belongs to the key, not
 * to the token; there is no HMAC, no key in a header and no fetch to a place a token names. Spelling is checked before
 * anything is decoded, so a token has one text. (Under ES256 a signature itself has two forms, s and n − s: identity is
 * the `jti`.)
 */
export function createTokenReader(rules: TokenRules): (token: string) => Promise<Caller> {
  const { audience, clock, judges, maxAgeSeconds = MAX_AGE_SECONDS, skewSeconds = MAX_SKEW_SECONDS } = rules
  const find = findKeyIn(rules, maxAgeSeconds, skewSeconds)
  // Lives and dies with these issuers.
  const verified = rememberVerified()
  return async token => {
    const parts = readCompact(token)
    if (parts === undefined) throw invalid('spelling')
    const { alg, kid } = readTokenHeader(parts.header)
    const key = await find(kid)
    if (key === undefined) throw invalid('key')
    if (key.alg !== alg) throw invalid('algorithm')
    await verified.once(token, key.id, async () => {
      const publicKey = await key.key()
      try {
        await compactVerify(token, publicKey, { algorithms: [key.alg] })
      } catch (error) {
        throw invalid('signature', error)
      }
    })
    const claims = readJsonObject(parts.payload)
    if (claims === undefined) throw invalid('claims')
    const now = Math.floor(clock.now() / 1000)
    checkClaims(claims, { issuer: key.issuer, audience, maxAgeSeconds, skewSeconds, now })
    return callerOf(claims, maxAgeSeconds, judges)
  }
}

function findKeyIn(rules: TokenRules, maxAgeSeconds: number, skewSeconds: number) {
  const { find, problems } = findKeyOf([rules, ...(rules.others ?? [])])
  const all: ConfigProblem[] = [...problems]
  const complain = (path: string, problem: string, fix: string) => all.push({ path, problem, fix })
  if (!within(maxAgeSeconds, 1, MAX_AGE_SECONDS))
    complain('tokens.maxAgeSeconds', 'is out of range', `use 1 to ${MAX_AGE_SECONDS}`)
  if (!within(skewSeconds, 0, MAX_SKEW_SECONDS))
    complain('tokens.clockSkewSeconds', 'is out of range', `use 0 to ${MAX_SKEW_SECONDS}`)
  if (rules.audience === '') complain('tokens.audience', 'is empty', 'name this service as it stands in aud')
  if (all.length > 0) throw new SignerError('config/invalid', { problems: all })
  return find
}

const within = (value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most

function readTokenHeader(bytes: Uint8Array): { alg: string; kid: string } {
  const header = readJsonObject(bytes)
  if (header === undefined || !hasExactly(header, HEADER_MEMBERS)) throw invalid('header')
  const { alg, kid, typ } = header
  if (typeof alg !== 'string' || typeof kid !== 'string' || typ !== TOKEN_TYPE) throw invalid('header')
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

function callerOf(claims: Record<string, unknown>, maxAgeSeconds: number, judges?: ConstraintJudges): Caller {
  const { sub, jti, iat, exp, scope = '', cs, cnf } = claims
  if (!isName(sub) || !isName(jti) || typeof scope !== 'string') throw invalid('claims')
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) throw invalid('claims')
  const life = (exp as number) - (iat as number)
  if (life <= 0 || life > maxAgeSeconds) throw invalid('life')
  return Object.freeze({
    subject: sub,
    tokenId: jti,
    scope,
    scopes: parseScopes(scope),
    issuedAt: (iat as number) * 1000,
    expiresAt: (exp as number) * 1000,
    ...(cs === undefined ? {} : { constraints: constraintsOf(cs, judges) }),
    ...(cnf === undefined ? {} : { confirmation: confirmationOf(cnf) }),
  })
}

function constraintsOf(value: unknown, judges: ConstraintJudges | undefined): Constraints {
  const read = readConstraints(value, judges)
  if ('problem' in read) throw invalid('constraints')
  return read.constraints
}

function confirmationOf(value: unknown): Confirmation {
  const confirmation = readConfirmation(value)
  if (confirmation === undefined) throw invalid('confirmation')
  return confirmation
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= NAME_CHARACTERS_MAX
