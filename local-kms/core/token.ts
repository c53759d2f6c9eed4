/** Tokens of other issuers (compact JWS), as the identity services of AWS and Google read them. */
import { createPublicKey, verify } from 'node:crypto'
import { duplicateName } from './json-names.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** One part of a token: base64url of a JSON object without a name twice. Undefined for anything else. */
export function tokenPart(part: string | undefined): Record<string, unknown> | undefined {
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

/** RS256 and ES256, under the key that the header names. RFC 7518 §3.3, §3.4. */
export function isTokenSigned(
  { alg, kid }: Record<string, unknown>,
  signed: string,
  signature: string,
  keys: readonly Readonly<Record<string, unknown>>[],
): boolean {
  if (alg !== 'RS256' && alg !== 'ES256') return false
  const jwk = keys.find(key => key['kid'] === kid && key['kty'] === (alg === 'RS256' ? 'RSA' : 'EC'))
  if (jwk === undefined) return false
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const bytes = Buffer.from(signature, 'base64url')
  return verify('sha256', Buffer.from(signed), alg === 'RS256' ? key : { key, dsaEncoding: 'ieee-p1363' }, bytes)
}
