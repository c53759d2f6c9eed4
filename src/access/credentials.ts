import { SignerError } from '../domain/errors.ts'
import { HEADER_CHARACTERS_MAX, invalid, TOKEN_REASONS } from './token-reasons.ts'

/** The value of a header, as one text; a list when it came more than once. */
export type HeaderValue = string | undefined | readonly string[]

export const SCHEMES = ['Bearer', 'DPoP'] as const
export type AuthorizationScheme = (typeof SCHEMES)[number]

export interface Credentials {
  readonly scheme: AuthorizationScheme
  readonly token: string
}

/**
 * Exactly one header, exactly one of the schemes in its own spelling, one space, a token (T10).
 * @throws `token/missing`, `token/invalid`
 */
export function readCredentials(header: HeaderValue, schemes: readonly AuthorizationScheme[]): Credentials {
  if (typeof header === 'object' && header.length > 1) throw invalid('repeated')
  const text = typeof header === 'object' ? header[0] : header
  if (text === undefined || text === '') throw new SignerError('token/missing', { reason: TOKEN_REASONS.absent })
  if (text.length > HEADER_CHARACTERS_MAX) throw invalid('long')
  const scheme = schemes.find(candidate => text.startsWith(`${candidate} `))
  if (scheme === undefined) throw invalid('scheme')
  return { scheme, token: text.slice(scheme.length + 1) }
}
