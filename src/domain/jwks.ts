import type { ConfigProblem } from './errors.ts'

/** How a caller's token may be signed. One algorithm for one key, fixed here and never read from a token. */
export const TOKEN_ALGORITHMS = ['EdDSA', 'Ed25519', 'ES256'] as const
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number]

/** A public key that tokens are checked with (RFC 7517; OKP: RFC 8037, EC: RFC 7518 §6.2). */
export type TokenKey =
  | {
      readonly kty: 'OKP'
      readonly crv: 'Ed25519'
      readonly alg: 'EdDSA' | 'Ed25519'
      readonly kid: string
      readonly x: string
    }
  | {
      readonly kty: 'EC'
      readonly crv: 'P-256'
      readonly alg: 'ES256'
      readonly kid: string
      readonly x: string
      readonly y: string
    }

/** A static key set. */
export interface Jwks {
  readonly keys: readonly TokenKey[]
}

/** A kid only ever looks up this set: it is no path, no query and no URL. */
export const KID = /^[A-Za-z0-9_-]{1,64}$/
/** 32 bytes in base64url, in the only spelling there is: the last character carries two bits that must be zero. */
const COORDINATE = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/
const KEYS_MAX = 64
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  OKP: ['kty', 'crv', 'alg', 'kid', 'use', 'key_ops', 'ext', 'x'],
  EC: ['kty', 'crv', 'alg', 'kid', 'use', 'key_ops', 'ext', 'x', 'y'],
}

/**
 * Reads a key set from the configuration, with every problem at once. Members that say nothing new (`use`, `key_ops`,
 * `ext`) are checked and dropped; a private or unknown member refuses the key.
 */
export function readJwks(
  value: unknown,
  path: string,
): { readonly jwks: Jwks; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = []
  const complain = (at: string, problem: string, fix: string): void => {
    problems.push({ path: at, problem, fix })
  }
  const keys = record(value)?.['keys']
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > KEYS_MAX) {
    complain(
      path,
      `is not a JWKS with 1 to ${KEYS_MAX} keys`,
      'use {"keys":[{"kty":"OKP","crv":"Ed25519",…}]} (RFC 7517)',
    )
    return { jwks: { keys: [] }, problems }
  }
  const read: TokenKey[] = []
  keys.forEach((candidate: unknown, index) => {
    const at = `${path}.keys[${index}]`
    const key = readKey(record(candidate) ?? {})
    if ('problem' in key) return complain(at, key.problem, key.fix)
    if (read.some(({ kid }) => kid === key.kid))
      complain(at, `has the kid "${key.kid}" of another key`, 'give every key its own kid')
    read.push(key)
  })
  return { jwks: Object.freeze({ keys: Object.freeze(read) }), problems }
}

type Refusal = { readonly problem: string; readonly fix: string }
const refuse = (problem: string, fix: string): Refusal => ({ problem, fix })

function readKey(key: Record<string, unknown>): TokenKey | Refusal {
  const { kty, crv, alg, kid, x, y, use, key_ops: operations } = key
  const members = Object.keys(key)
  if (members.some(member => PRIVATE.includes(member))) {
    return refuse('holds a private key', 'keep only the public half here, and replace that key: it has been copied')
  }
  if (typeof kid !== 'string' || !KID.test(kid)) return refuse('has no usable kid', 'use 1 to 64 of A-Z a-z 0-9 _ -')
  const okp = kty === 'OKP' && crv === 'Ed25519' && (alg === 'EdDSA' || alg === 'Ed25519')
  const ec = kty === 'EC' && crv === 'P-256' && alg === 'ES256'
  if (!okp && !ec) {
    return refuse(
      'is of a kind that is not accepted',
      'use kty OKP, crv Ed25519, alg EdDSA, or kty EC, crv P-256, alg ES256',
    )
  }
  const surplus = members.find(member => !MEMBERS[kty]?.includes(member))
  if (surplus !== undefined) return refuse(`has the unknown member "${surplus.slice(0, 40)}"`, 'remove it')
  if (use !== undefined && use !== 'sig') return refuse('is not for signatures', 'use "use":"sig" or leave it out')
  if (operations !== undefined && JSON.stringify(operations) !== '["verify"]') {
    return refuse('is not for verifying', 'use "key_ops":["verify"] or leave it out')
  }
  if (!isCoordinate(x) || (ec && !isCoordinate(y))) {
    return refuse('has a coordinate that is not 32 bytes of base64url', 'copy x (and y) as the issuer gives them')
  }
  if (ec) return Object.freeze({ kty, crv, alg, kid, x, y: y as string })
  return Object.freeze({ kty: 'OKP', crv: 'Ed25519', alg: alg as 'EdDSA' | 'Ed25519', kid, x })
}

const isCoordinate = (value: unknown): value is string => typeof value === 'string' && COORDINATE.test(value)

const record = (value: unknown): Record<string, unknown> | undefined =>
  value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : undefined
