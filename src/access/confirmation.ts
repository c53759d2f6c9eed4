import { readProofKey } from './proof-key.ts'

/** What a token is bound to: whoever shows it must have this. Both thumbprints are SHA-256, 43 characters of base64url. */
export type Confirmation =
  /** RFC 9449 §6.1 `jkt`, or the same taken over RFC 7800 `jwk`: the RFC 7638 thumbprint of a public key. */
  | { readonly kind: 'key'; readonly thumbprint: string }
  /** RFC 8705 §3.1 `x5t#S256`: the digest of a client certificate. */
  | { readonly kind: 'certificate'; readonly thumbprint: string }

/** 32 bytes in base64url, in the only spelling there is. */
const THUMBPRINT = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

export const isThumbprint = (value: unknown): value is string => typeof value === 'string' && THUMBPRINT.test(value)

/** @returns undefined unless `cnf` is an object with exactly one member, and a good one. */
export function readConfirmation(cnf: unknown): Confirmation | undefined {
  if (cnf === null || typeof cnf !== 'object') return undefined
  const [member, ...more] = Object.entries(cnf)
  if (member === undefined || more.length > 0) return undefined
  const [name, value] = member as [string, unknown]
  switch (name) {
    case 'jkt':
      return isThumbprint(value) ? Object.freeze({ kind: 'key', thumbprint: value }) : undefined
    case 'x5t#S256':
      return isThumbprint(value) ? Object.freeze({ kind: 'certificate', thumbprint: value }) : undefined
    case 'jwk': {
      const key = readProofKey(value)
      return key === undefined ? undefined : Object.freeze({ kind: 'key', thumbprint: key.thumbprint })
    }
    default:
      return undefined
  }
}
