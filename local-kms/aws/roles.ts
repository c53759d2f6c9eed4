import { isTokenSigned, tokenPart } from '../core/token.ts'
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

/**
 * Reads a web identity token (an OpenID Connect ID token, RFC 7519) and holds it against a role's trust.
 * @throws InvalidIdentityToken, ExpiredTokenException, AccessDenied
 */
export function checkWebIdentity(token: string, role: Role | undefined, now: number): WebIdentity {
  const [head, body, signature, ...rest] = token.split('.')
  const header = tokenPart(head)
  const claims = tokenPart(body)
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
  if (trust.jwks !== undefined && !isTokenSigned(header, `${head}.${body}`, signature, trust.jwks)) {
    throw invalidToken('The provided token could not be validated using its issuer’s keys')
  }
  return { issuer: iss, audience: trust.audience, subject: sub }
}
