/** JOSE's names for our schemes, one row each. */
import { fromBase64Url, toBase64Url } from '../bytes/base64.ts'
import { hasExactly } from '../bytes/jws.ts'
import { sha256 } from '../bytes/sha256.ts'
import type { Scheme, SignInput } from '../domain/provider.ts'
import { isRecord } from './claims.ts'

export type JoseAlgorithm = 'EdDSA' | 'ES256K'

/** A public key and nothing else: RFC 8037 §2 (OKP), RFC 8812 §3.1 (EC, secp256k1). Members in their alphabetical order. */
export type PublicJwk =
  | { readonly crv: 'Ed25519'; readonly kty: 'OKP'; readonly x: string }
  | { readonly crv: 'secp256k1'; readonly kty: 'EC'; readonly x: string; readonly y: string }

interface Row {
  readonly alg: JoseAlgorithm
  /** What a key of this scheme is given of the signing input of a JWS (RFC 7515 §5.1). */
  toSign(signingInput: Uint8Array): SignInput
  jwkOf(publicKey: Uint8Array): PublicJwk
}

export const JOSE: Readonly<Record<Scheme, Row>> = {
  ed25519: {
    alg: 'EdDSA',
    toSign: message => ({ scheme: 'ed25519', message }),
    jwkOf: publicKey => ({ crv: 'Ed25519', kty: 'OKP', x: toBase64Url(publicKey) }),
  },
  'ecdsa-secp256k1': {
    alg: 'ES256K',
    toSign: signingInput => ({ scheme: 'ecdsa-secp256k1', digest: sha256(signingInput) }),
    jwkOf: publicKey => ({
      crv: 'secp256k1',
      kty: 'EC',
      x: toBase64Url(publicKey.subarray(1, 33)),
      y: toBase64Url(publicKey.subarray(33)),
    }),
  },
}

export interface KnownPublicKey {
  readonly scheme: Scheme
  /** 32 bytes, or 65 with leading 04. Whether it is a point shows when it verifies. */
  readonly publicKey: Uint8Array
  readonly jwk: PublicJwk
}

/** @returns undefined unless it is a bare public key of ours in its one spelling */
export function readPublicJwk(value: unknown): KnownPublicKey | undefined {
  if (!isRecord(value)) return undefined
  const { kty, crv, x, y } = value
  const left = coordinate(x)
  if (left === undefined) return undefined
  if (kty === 'OKP' && crv === 'Ed25519' && hasExactly(value, ['crv', 'kty', 'x'])) {
    return known('ed25519', left)
  }
  const right = coordinate(y)
  if (kty === 'EC' && crv === 'secp256k1' && right !== undefined && hasExactly(value, ['crv', 'kty', 'x', 'y'])) {
    return known('ecdsa-secp256k1', Uint8Array.of(4, ...left, ...right))
  }
  return undefined
}

const known = (scheme: Scheme, publicKey: Uint8Array): KnownPublicKey => ({
  scheme,
  publicKey,
  jwk: JOSE[scheme].jwkOf(publicKey),
})

function coordinate(value: unknown): Uint8Array | undefined {
  const bytes = typeof value === 'string' ? fromBase64Url(value) : undefined
  return bytes?.length === 32 ? bytes : undefined
}

/** RFC 7638 with SHA-256, base64url: the required members in alphabetical order, without white space. */
export const thumbprintOf = (jwk: PublicJwk): string =>
  toBase64Url(sha256(new TextEncoder().encode(JSON.stringify(jwk))))

/** A version as verifiers see it, such as `treasury-v3`. Numbers hold no `v`, so the last one ends the name. */
export const kidOf = (key: string, version: number): string => `${key}-v${version}`
