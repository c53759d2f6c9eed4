import { fromBase64Url } from '../src/bytes/base64.ts'
import { readJsonObject } from '../src/bytes/jws.ts'

const BYTES_MAX = 65_536

/**
 * Whether a token that proves who we are (a JWT) names this audience and no other, so that it is sent to nobody it was not
 * made for, and is of no use to anybody else where it is sent. The receiver checks its signature; nothing is believed here.
 *
 * A list is as good as a text when this is all there is in it. A token for several audiences is good at each of them: who
 * receives it could pass it on.
 *
 * @returns what is wrong, quoting nothing; undefined when nothing is
 * @see RFC 7519 §4.1.3, RFC 9700 §2.3
 */
export function audienceProblem(token: string, audience: string): string | undefined {
  const claims = claimsOf(token)
  if (claims === undefined) return 'the token to log in with is no JWT in one spelling'
  const { aud } = claims
  if (aud === undefined) return 'the token to log in with names no audience'
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (named.length === 1 && named[0] === audience) return undefined
  return named.includes(audience)
    ? 'the token to log in with is good for other audiences too: have it made for this one alone'
    : 'the token to log in with is for another audience than the configuration says'
}

function claimsOf(token: string): Record<string, unknown> | undefined {
  const [header, payload, signature, ...rest] = token.split('.')
  if (payload === undefined || signature === undefined || header === '' || rest.length > 0) return undefined
  const bytes = fromBase64Url(payload)
  return bytes === undefined || bytes.length > BYTES_MAX ? undefined : readJsonObject(bytes)
}
