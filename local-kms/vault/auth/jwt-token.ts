import { createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto'
import { duplicateName } from '../../core/json-names.ts'
import { decodeBase64Url, GoError } from '../go.ts'

export type Claims = Record<string, unknown>

const HASHES: Record<string, string | null> = {
  RS256: 'sha256',
  RS384: 'sha384',
  RS512: 'sha512',
  PS256: 'sha256',
  PS384: 'sha384',
  PS512: 'sha512',
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
  EdDSA: null,
}
const KEY_OF: Record<string, readonly string[]> = { RS: ['rsa'], PS: ['rsa', 'rsa-pss'], ES: ['ec'], Ed: ['ed25519'] }
const PSS_PADDING = 6
const DIGEST_SALT = -1

/** Public keys or certificates in PEM. Undefined: none in it. */
export function readPublicKey(pem: string): KeyObject | undefined {
  try {
    return pem.includes('BEGIN CERTIFICATE') ? new X509Certificate(pem).publicKey : createPublicKey(pem)
  } catch {
    return undefined
  }
}

/** Claims without a look at the signature. @throws GoError */
export function decodeJwt(token: string): { header: Claims; claims: Claims; signed: string; signature: Uint8Array } {
  const parts = token.split('.')
  if (parts.length !== 3) throw new GoError('go-jose/go-jose: compact JWS format must have three parts')
  const [header, claims] = parts.slice(0, 2).map(part => {
    const bytes = decodeBase64Url(part)
    if (bytes === undefined) throw new GoError('illegal base64 data at input byte 0')
    let text = ''
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      // no JSON either
    }
    const twice = duplicateName(text)
    if (twice !== undefined) throw new GoError(`json: duplicate key '${twice}' in object`)
    try {
      const value: unknown = JSON.parse(text)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Claims
    } catch {
      // said below
    }
    throw new GoError('go-jose/go-jose: invalid JSON in token')
  })
  const signature = decodeBase64Url(parts[2]!)
  if (signature === undefined) throw new GoError('illegal base64 data at input byte 0')
  return { header: header!, claims: claims!, signed: `${parts[0]}.${parts[1]}`, signature }
}

/** @throws GoError when no key fits the signature */
export function verifyJwt(token: string, keys: readonly string[], algorithms: readonly string[]): Claims {
  const { header, claims, signed, signature } = decodeJwt(token)
  if (header['crit'] !== undefined) throw new GoError('go-jose/go-jose: error in cryptographic primitive')
  const alg = String(header['alg'])
  if (!Object.hasOwn(HASHES, alg) || (algorithms.length > 0 && !algorithms.includes(alg))) {
    throw new GoError(`go-jose/go-jose: unexpected signature algorithm ${JSON.stringify(alg)}`)
  }
  const kinds = KEY_OF[alg.slice(0, 2)]!
  const data = new TextEncoder().encode(signed)
  const fits = keys.some(pem => {
    const key = readPublicKey(pem)
    if (key === undefined || !kinds.includes(key.asymmetricKeyType ?? '')) return false
    const options: Parameters<typeof verify>[2] = alg.startsWith('PS')
      ? { key, padding: PSS_PADDING, saltLength: DIGEST_SALT }
      : alg.startsWith('ES')
        ? { key, dsaEncoding: 'ieee-p1363' }
        : key
    return verify(HASHES[alg], data, options, signature)
  })
  if (!fits) throw new GoError('no known key successfully validated the token signature')
  return claims
}

export interface Leeways {
  readonly expiration: number
  readonly notBefore: number
  readonly skew: number
}

/** Times of a token against the clock, all in seconds. @throws GoError */
export function checkTimes(claims: Claims, nowMs: number, { expiration, notBefore, skew }: Leeways): void {
  const now = nowMs / 1000
  const time = (name: string): number | undefined => (typeof claims[name] === 'number' ? claims[name] : undefined)
  const [exp, nbf, iat] = [time('exp'), time('nbf'), time('iat')]
  if (exp === undefined && nbf === undefined && iat === undefined) {
    throw new GoError('no issued at (iat), not before (nbf), or expiration time (exp) claims in token')
  }
  const expires = exp ?? (nbf ?? iat ?? now) + expiration
  const begins = nbf ?? iat ?? (exp ?? now) - notBefore
  if (begins > now + skew) throw new GoError('invalid not before (nbf) claim: token not yet valid')
  if (expires < now - skew) throw new GoError('invalid expiration time (exp) claim: token is expired')
  if (iat !== undefined && iat > now + skew)
    throw new GoError('invalid issued at (iat) claim: token issued in the future')
}

export function audiences(claims: Claims): string[] {
  const aud = claims['aud']
  return Array.isArray(aud) ? aud.map(String) : typeof aud === 'string' ? [aud] : []
}
