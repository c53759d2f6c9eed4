import { toBase64Url } from '../../../src/bytes/base64.ts'
import { ed25519 } from '@noble/curves/ed25519.js'
import type { Jwks } from '../../../src/domain/jwks.ts'

export const NOW_S = 1_700_000_000
export const clock = { now: () => NOW_S * 1000 }
export const ISSUER = 'https://issuer.example'
export const AUDIENCE = 'countersign'

export const goodHeader = { alg: 'EdDSA', kid: 'k1', typ: 'at+jwt' }
export const goodClaims = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'payments-api',
  exp: NOW_S + 600,
  iat: NOW_S,
  nbf: NOW_S,
  jti: 'token-1',
  scope: 'sign:treasury read:*',
}

/** Signs whatever it is given, as an issuer with a fault, or an attacker with the key, would. */
export interface Forger {
  readonly jwks: Jwks
  sign(header: unknown, claims: unknown): Promise<string>
}

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
const part = (value: unknown): string => toBase64Url(new TextEncoder().encode(text(value)))

export async function createForger(fill: number, kid = 'k1'): Promise<Forger> {
  const seed = new Uint8Array(32).fill(fill)
  const pkcs8 = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20, ...seed)
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign'])
  return {
    jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid, x: toBase64Url(ed25519.getPublicKey(seed)) }] },
    async sign(header, claims) {
      const signed = `${part(header)}.${part(claims)}`
      const signature = await crypto.subtle.sign('Ed25519', key, new TextEncoder().encode(signed))
      return `${signed}.${toBase64Url(new Uint8Array(signature))}`
    },
  }
}
