/**
 * Workload identity federation: whether a token of another issuer (OpenID Connect) stands for a principal here.
 * @see https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers
 */
import { isTokenSigned, tokenPart } from '../core/token.ts'

/** A provider of an identity pool, and who of it stands for the account. */
export interface Federation {
  /** `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER` */
  readonly provider: string
  readonly issuer: string
  readonly subjects: readonly string[]
  /** JWKs of the issuer. */
  readonly jwks: readonly Readonly<Record<string, unknown>>[]
  /** What `aud` may be. Absent: the provider's name with https: before it. */
  readonly audiences?: readonly string[] | undefined
}

const DAY_SECONDS = 86_400

/** Undefined: it stands for one of the subjects. Otherwise what Google would say; the words are ours where no page has them. */
export function federationProblem(
  token: string,
  { provider, ...rules }: Federation,
  nowMs: number,
): string | undefined {
  const { issuer, subjects, jwks, audiences = [`https:${provider}`] } = rules
  const parts = token.split('.')
  const [header, claims] = parts.length === 3 ? parts.slice(0, 2).map(tokenPart) : []
  if (header === undefined || claims === undefined) return 'Unable to parse the ID Token.'
  const [head, body, signature = ''] = parts
  if (header['crit'] !== undefined || !isTokenSigned(header, `${head}.${body}`, signature, jwks))
    return 'Invalid signature in the ID Token.'
  const { iss, sub, aud, iat, exp, nbf } = claims
  if (iss !== issuer) return 'The issuer in ID Token does not match the expected ones.'
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (!named.some(each => typeof each === 'string' && audiences.includes(each)))
    return 'The audience in ID Token does not match the expected audience.'
  const now = nowMs / 1000
  if (typeof iat !== 'number' || typeof exp !== 'number' || iat > now || exp <= now || exp - iat > DAY_SECONDS)
    return 'The ID Token is stale or not yet valid.'
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= now)) return 'The ID Token is stale or not yet valid.'
  if (typeof sub !== 'string' || !subjects.includes(sub))
    return 'The given credential is rejected by the attribute condition.'
  return undefined
}
