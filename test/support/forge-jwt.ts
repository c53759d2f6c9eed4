/** Tokens as an issuer makes them, and as somebody makes them who is none. */
import { createHmac, type KeyObject, sign } from 'node:crypto'

const part = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A compact JWS. Header and claims as text stand there as they are; `hmac` signs with these bytes instead of a key. */
export function forgeJwt(
  claims: object | string,
  by: { readonly key?: KeyObject; readonly hmac?: string; readonly alg?: string; readonly header?: object | string },
): string {
  const { key, hmac, alg = key === undefined ? (hmac === undefined ? 'none' : 'HS256') : 'RS256' } = by
  const header = typeof by.header === 'string' ? by.header : { alg, kid: 'one', typ: 'JWT', ...by.header }
  const signed = `${part(header)}.${part(claims)}`
  if (hmac !== undefined) return `${signed}.${createHmac('sha256', hmac).update(signed).digest('base64url')}`
  if (key === undefined) return `${signed}.`
  const options = alg.startsWith('ES') ? { key, dsaEncoding: 'ieee-p1363' as const } : key
  return `${signed}.${sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.from(signed), options).toString('base64url')}`
}

/** The claims as JSON with this text put before the end: a name that is there twice. */
export const withTwice = (claims: object, more: string): string => `${JSON.stringify(claims).slice(0, -1)},${more}}`
