import canonicalize from 'canonicalize'
import { type CryptoKey, importJWK, type JWK, SignJWT } from 'jose'
import { fromBase64Url } from '../bytes/base64.ts'
import { randomId } from '../bytes/ids.ts'
import type { TokenRecord } from '../domain/admins.ts'
import { SignerError, malformed } from '../domain/errors.ts'
import { type Jwks, readJwks, type TokenKey } from '../domain/jwks.ts'
import type { Clock, Random } from '../domain/ports.ts'
import { reveal, type Secret } from '../domain/secret.ts'
import { readAddress } from './address-proof.ts'
import { readConfirmation } from './confirmation.ts'
import { type ConstraintJudges, readConstraints } from './constraints.ts'
import { readJsonObject } from '../bytes/jws.ts'
import { parseScopes } from './scopes.ts'
import { HEADER_CHARACTERS_MAX, TOKEN_TYPE } from './token-reasons.ts'
import { MAX_AGE_SECONDS } from './tokens.ts'

export interface TokenIssuerOptions {
  /** A private JWK as JSON text: kid, and Ed25519 (kty, crv, x, d) or P-256 (kty, crv, x, y, d). */
  readonly key: Secret
  readonly issuer: string
  readonly audience: string
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  /** `required` (unless told): no sign scope without `cnf`. */
  readonly senderConstraint?: 'required' | 'optional'
  readonly judges?: ConstraintJudges
  /** Longest life that is given, 1 to 900; 900 unless told. */
  readonly secondsMax?: number
}

export interface TokenGrant {
  /** Who will use the token. */
  readonly subject: string
  /** Address of the admin who has it made. */
  readonly issuedBy: string
  /** Words such as `sign:treasury`. */
  readonly scopes: readonly string[]
  /** The claim `cs` as a caller sends it; put into its canonical order here. */
  readonly constraints?: unknown
  /** The claim `cnf`: an object with one of `jkt`, `jwk`, `x5t#S256`. */
  readonly confirmation?: unknown
  /** Life, 1 to `secondsMax` seconds; that unless told. */
  readonly seconds?: number
}

export interface TokenIssuer {
  /** The public half, for the verifiers. */
  readonly jwks: Jwks
  readonly issuer: string
  readonly audience: string
  /** For the start. @throws `config/invalid` when the halves of the key do not belong together */
  ready(): Promise<void>
  /**
   * Makes a token and what the ledger is to hold of it, and keeps neither: record it before you hand it out.
   * @throws `request/malformed`
   */
  issue(grant: TokenGrant): Promise<IssuedToken>
}

export interface IssuedToken {
  readonly token: string
  readonly record: TokenRecord
}

const NAME_CHARACTERS_MAX = 255
const SCOPES_MAX = 64
/** Their order means nothing, so callers may send any. */
const LISTS = ['networks', 'operations', 'cidrs']
const CONSTRAINTS_FIX = 'use networks, operations, maxValue, cidrs, window and limit, or leave them out'

/**
 * Issues service tokens (RFC 9068) that only allow what they say: scopes by key, constraints, a sender, a quarter of an hour.
 * @throws `config/invalid` without a word about the key itself
 */
export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const { issuer, audience, clock, random, senderConstraint = 'required', judges = {} } = options
  const { secondsMax = MAX_AGE_SECONDS } = options
  const { publicKey, privateKey } = readPrivateKey(options.key)
  return {
    jwks: Object.freeze({ keys: Object.freeze([publicKey]) }),
    issuer,
    audience,
    ready: async () => void (await privateKey()),
    async issue(grant) {
      const { subject, issuedBy, seconds = secondsMax, scopes } = grant
      if (subject.length === 0 || subject.length > NAME_CHARACTERS_MAX)
        throw malformed('subject', 'is empty or too long', `use 1 to ${NAME_CHARACTERS_MAX} characters`)
      if (isSomebodyElse(subject)) throw malformed('subject', 'would look like somebody else', SUBJECT_FIX)
      if (!Number.isInteger(seconds) || seconds < 1 || seconds > secondsMax)
        throw malformed('seconds', 'is out of range', `use 1 to ${secondsMax}`)
      checkScopes(scopes)
      const cs = canonicalConstraints(grant.constraints, judges)
      const cnf = grant.confirmation
      if (cnf !== undefined && readConfirmation(cnf) === undefined)
        throw malformed('confirmation', 'is not one thumbprint or key', 'give one of jkt, jwk and x5t#S256')
      if (cnf === undefined && senderConstraint === 'required' && scopes.some(word => word.startsWith('sign:')))
        throw malformed('confirmation', 'is missing for a sign scope', 'bind the token to a key or certificate (cnf)')

      const limits = { ...(cs === undefined ? {} : { cs }), ...(cnf === undefined ? {} : { cnf }) }
      const now = Math.floor(clock.now() / 1000)
      const id = randomId(random, 'jti')
      const token = await new SignJWT({ scope: scopes.join(' '), ...limits })
        .setProtectedHeader({ alg: publicKey.alg, kid: publicKey.kid, typ: TOKEN_TYPE })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(subject)
        .setJti(id)
        .setIssuedAt(now)
        .setExpirationTime(now + seconds)
        .sign(await privateKey())
      if (token.length > HEADER_CHARACTERS_MAX - 'Bearer '.length)
        throw malformed('constraints', 'makes the token too long for a header', 'grant less in one token')
      const times = { issuedAt: now * 1000, expiresAt: (now + seconds) * 1000 }
      const grants = canonicalize({ scopes: [...scopes], ...limits }) ?? ''
      return { token, record: Object.freeze({ id, subject, issuedBy, ...times, grants }) }
    },
  }
}

/**
 * Names in records and limits that are not for services: an address is an administrator, these words are who works on the
 * machine and who is not known, and under `control:` administrators keep their Idempotency-Keys.
 */
const isSomebodyElse = (subject: string): boolean =>
  readAddress(subject) !== undefined ||
  ['operator', 'unknown'].includes(subject) ||
  subject.startsWith('control:') ||
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(subject)
const SUBJECT_FIX = 'name the service, with no address and no control character'

function checkScopes(scopes: readonly string[]): void {
  if (scopes.length === 0 || scopes.length > SCOPES_MAX || new Set(scopes).size < scopes.length)
    throw malformed('scopes', 'is empty, too long or repeats itself', `name 1 to ${SCOPES_MAX} different scopes`)
  const bad = scopes.find(word => word.includes(' ') || parseScopes(word).length !== 1)
  if (bad !== undefined)
    throw malformed('scopes', 'holds a word that grants nothing', 'use sign:KEY, explain:KEY or read:KEY, or * for KEY')
}

function canonicalConstraints(value: unknown, judges: ConstraintJudges): unknown {
  if (value === undefined) return undefined
  const text = canonicalize(value) ?? 'null'
  const canonical: unknown = JSON.parse(text, (name, inner: unknown) =>
    LISTS.includes(name) && Array.isArray(inner) ? inner.toSorted(byCodeUnit) : inner,
  )
  const read = readConstraints(canonical, judges)
  if ('problem' in read) throw malformed('constraints', read.problem, CONSTRAINTS_FIX)
  return canonical
}

/** As `readConstraints` wants its lists. What is no text is refused there. */
const byCodeUnit = (a: unknown, b: unknown): number => (String(a) < String(b) ? -1 : 1)

function readPrivateKey(secret: Secret): {
  publicKey: TokenKey
  privateKey: () => Promise<CryptoKey | Uint8Array>
} {
  const { d, ...rest } = readJsonObject(new TextEncoder().encode(reveal(secret))) ?? {}
  const alg = rest['kty'] === 'EC' ? 'ES256' : 'EdDSA'
  const { jwks, problems } = readJwks({ keys: [{ alg, ...rest }] }, 'tokens.issuerKey')
  const [publicKey] = jwks.keys
  if (publicKey === undefined) throw new SignerError('config/invalid', { problems })
  if (typeof d !== 'string' || fromBase64Url(d)?.length !== 32)
    throw badKey('has no private half of 32 bytes', 'use the private JWK, with d')
  const jwk: JWK = { ...publicKey, d }
  let imported: Promise<CryptoKey | Uint8Array> | undefined
  return { publicKey, privateKey: () => (imported ??= importPair(jwk, publicKey)) }
}

/** Once, and proved: a private half of another key would make tokens that nobody takes. */
async function importPair(jwk: JWK, publicKey: TokenKey): Promise<CryptoKey | Uint8Array> {
  const algorithm = publicKey.kty === 'EC' ? { name: 'ECDSA', hash: 'SHA-256' } : { name: 'Ed25519' }
  const probe = new Uint8Array(32)
  try {
    const [key, check] = await Promise.all([importJWK(jwk, publicKey.alg), importJWK({ ...publicKey }, publicKey.alg)])
    if (key instanceof Uint8Array || check instanceof Uint8Array) throw new TypeError('a symmetric key')
    const signature = await crypto.subtle.sign(algorithm, key, probe)
    if (await crypto.subtle.verify(algorithm, check, signature, probe)) return key
  } catch {
    // Said below, without what the runtime says about the key.
  }
  throw badKey('is not the private half of its own x (and y)', 'use the JWK as it was made')
}

const badKey = (problem: string, fix: string) =>
  new SignerError('config/invalid', { problems: [{ path: 'tokens.issuerKey', problem, fix }] })
