/** What an approval says: read from a request, written into a JWS, read from a JWS. One set of rules for all three. */
import { hasExactly, readJsonObject } from '../bytes/jws.ts'
import { canonicalJson, obstacleIn } from './canonical.ts'

/** Claims of RFC 7519 §4.1, and two of our own. Times are whole seconds since the epoch (NumericDate). */
export interface ApprovalClaims {
  /** Name of the key; it stays the same when its version changes. */
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly iat: number
  readonly exp: number
  /** The correlation id. */
  readonly jti: string
  readonly action: string
  /** Absent where nothing else is approved. */
  readonly details?: Readonly<Record<string, unknown>>
}

type Rule = readonly [reason: string, holds: (value: unknown) => boolean]

const SECONDS_MAX = 253_402_300_799 // the last second of the year 9999
const ACTION = /^[a-z0-9][a-z0-9._-]{0,63}$/
const VISIBLE = /^[\x21-\x7e]{1,256}$/
const PRINTABLE = /^[\x21-\x7e]([\x20-\x7e]{0,254}[\x21-\x7e])?$/
const CORRELATION = /^[\x21-\x7e]{1,128}$/

const text =
  (form: RegExp) =>
  (value: unknown): boolean =>
    typeof value === 'string' && form.test(value)

export const isSeconds = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= SECONDS_MAX

/** What a member must be, by its claim. */
export const RULES = {
  action: ['must be 1 to 64 of a-z 0-9 . _ -, a letter or digit first', text(ACTION)],
  aud: ['must be 1 to 256 printable ASCII characters without blanks', text(VISIBLE)],
  sub: ['must be 1 to 256 printable ASCII characters, no blank at either end', text(PRINTABLE)],
  jti: ['must be 1 to 128 printable ASCII characters without blanks', text(CORRELATION)],
} satisfies Record<string, Rule>

export const claimsBytes = (claims: ApprovalClaims): Uint8Array => new TextEncoder().encode(canonicalJson(claims))

const REQUIRED = ['action', 'aud', 'exp', 'iat', 'iss', 'jti', 'sub'] as const

/** @returns undefined unless the bytes are the claims of an approval as this program writes them, to the byte */
export function readClaims(bytes: Uint8Array): ApprovalClaims | undefined {
  const claims = readJsonObject(bytes)
  if (claims === undefined || !hasExactly(claims, REQUIRED, ['details'])) return undefined
  const { iss, iat, exp, details } = claims
  for (const name of ['action', 'aud', 'sub', 'jti'] as const) if (!RULES[name][1](claims[name])) return undefined
  if (typeof iss !== 'string' || !isSeconds(iat) || !isSeconds(exp)) return undefined
  if (details !== undefined && (!isRecord(details) || obstacleIn(details) !== undefined)) return undefined
  const read = claims as unknown as ApprovalClaims
  const again = claimsBytes(read)
  return again.length === bytes.length && again.every((byte, at) => byte === bytes[at]) ? read : undefined
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
