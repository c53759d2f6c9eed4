import { createPublicKey, verify } from 'node:crypto'
import { duplicateName } from '../core/json-names.ts'
import { AwsError } from './errors.ts'
import { fits, type Rights } from './policy.ts'

/** A role and who may become it. */
export interface Role extends Rights {
  readonly arn: string
  /** Absent: any signed caller and no web identity. */
  readonly trust?: Trust | undefined
  /** Seconds, 3600 to 43200. Default 3600. */
  readonly maxSessionSeconds?: number | undefined
}

export interface Trust {
  /** ARNs of callers, `*` allowed in them. Absent: any. Empty: none. */
  readonly principals?: readonly string[] | undefined
  readonly externalId?: string | undefined
  readonly webIdentity?: readonly WebIdentityTrust[] | undefined
}

export interface WebIdentityTrust {
  /** As in the token's `iss`. */
  readonly issuer: string
  readonly audience: string
  /** `*` allowed in it, as with StringLike. */
  readonly subject: string
  /** Public keys of the issuer. Absent: the token's signature is not looked at. */
  readonly jwks?: readonly Readonly<Record<string, unknown>>[] | undefined
}

export interface WebIdentity {
  readonly issuer: string
  readonly audience: string
  readonly subject: string
}

const invalidToken = (text: string): AwsError => new AwsError('InvalidIdentityToken', text)
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a web identity token (an OpenID Connect ID token, RFC 7519) and holds it against a role's trust.
 * @throws InvalidIdentityToken, ExpiredTokenException, AccessDenied
 */
export function checkWebIdentity(token: string, role: Role | undefined, now: number): WebIdentity {
  const [head, body, signature, ...rest] = token.split('.')
  const header = decode(head)
  const claims = decode(body)
  if (header === undefined || claims === undefined || signature === undefined || rest.length > 0) {
    throw invalidToken('The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)')
  }
  const { iss, sub, exp, nbf } = claims
  const aud = Array.isArray(claims['aud']) ? claims['aud'] : [claims['aud']]
  if (typeof iss !== 'string' || typeof sub !== 'string' || typeof exp !== 'number') {
    throw invalidToken('Missing a required claim: iss, sub or exp')
  }
  const seconds = Math.floor(now / 1000)
  if (exp <= seconds) {
    throw new AwsError(
      'ExpiredTokenException',
      `Token expired: current date/time ${seconds} must be before the expiration date/time ${exp}`,
    )
  }
  if (typeof nbf === 'number' && nbf > seconds) {
    throw invalidToken(`The token is not yet valid: current date/time ${seconds} is before ${nbf}`)
  }
  const denied = (): AwsError => new AwsError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity')
  const trusts = role?.trust?.webIdentity
  if (role === undefined || trusts === undefined) throw denied()
  const ofIssuer = trusts.filter(trust => trust.issuer === iss)
  if (ofIssuer.length === 0) throw invalidToken(`No OpenIDConnect provider found in your account for ${iss}`)
  const ofAudience = ofIssuer.filter(trust => aud.includes(trust.audience))
  if (ofAudience.length === 0) throw invalidToken('Incorrect token audience')
  const trust = ofAudience.find(each => fits(each.subject, sub))
  if (trust === undefined) throw denied()
  if (trust.jwks !== undefined && !isSigned(header, `${head}.${body}`, signature, trust.jwks)) {
    throw invalidToken('The provided token could not be validated using its issuer’s keys')
  }
  return { issuer: iss, audience: trust.audience, subject: sub }
}

/** One part of a token: base64url of a JSON object. */
function decode(part: string | undefined): Record<string, unknown> | undefined {
  if (part === undefined || !/^[A-Za-z0-9_-]+$/.test(part)) return undefined
  try {
    const text = utf8.decode(Buffer.from(part, 'base64url'))
    if (duplicateName(text) !== undefined) return undefined
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** RS256 and ES256, the algorithms of the identity providers that STS reads. RFC 7518 §3.3, §3.4. */
function isSigned(
  header: Record<string, unknown>,
  signed: string,
  signature: string,
  keys: readonly Readonly<Record<string, unknown>>[],
): boolean {
  const { alg, kid } = header
  if (alg !== 'RS256' && alg !== 'ES256') return false
  const jwk = keys.find(key => key['kid'] === kid && key['kty'] === (alg === 'RS256' ? 'RSA' : 'EC'))
  if (jwk === undefined) return false
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const bytes = Buffer.from(signature, 'base64url')
  return verify('sha256', Buffer.from(signed), alg === 'RS256' ? key : { key, dsaEncoding: 'ieee-p1363' }, bytes)
}
