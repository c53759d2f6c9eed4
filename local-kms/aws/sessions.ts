import { sha256 } from '@noble/hashes/sha2.js'
import { type Random, toBase64 } from '../core/random.ts'
import type { PolicyDocument } from './policy.ts'
import type { Credential } from './sigv4.ts'

/** Temporary credentials as STS gives them out; they work on every face of this instance until they expire. */
export interface Sessions {
  issue(random: Random, facts: SessionFacts): Credential
  list(): readonly Credential[]
  clear(): void
}

export interface SessionFacts {
  readonly expiresAtMs: number
  readonly principalArn: string
  readonly roleArn?: string | undefined
  readonly rights: Pick<Credential, 'allow' | 'deny' | 'policies'>
  readonly sessionPolicies?: readonly PolicyDocument[] | undefined
}

const SESSIONS_MAX = 10_000

export function createSessions(): Sessions {
  let sessions: Credential[] = []
  return {
    issue(random, { expiresAtMs, principalArn, roleArn, rights, sessionPolicies }) {
      const session: Credential = {
        ...rights,
        accessKeyId: `ASIA${base32(random.bytes(10))}`,
        secretAccessKey: toBase64(random.bytes(30)),
        sessionToken: toBase64(random.bytes(252)),
        expiresAt: new Date(expiresAtMs).toISOString(),
        principalArn,
        roleArn,
        sessionPolicies,
        temporary: true,
      }
      // Expired ones stay for a while: the service, too, says that they expired and not that it never knew them.
      sessions = [...sessions.slice(1 - SESSIONS_MAX), session]
      return session
    },
    list: () => sessions,
    clear: () => void (sessions = []),
  }
}

/** The unique id behind a name, as `AIDA…` of users and `AROA…` of roles: the same name gives the same id. */
export const uniqueId = (prefix: 'AIDA' | 'AROA', arn: string): string =>
  prefix + base32(sha256(new TextEncoder().encode(arn)).subarray(0, 11)).slice(0, 17)

/** RFC 4648 §6 without padding. */
function base32(bytes: Uint8Array): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  let out = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      out += alphabet[(value >> bits) & 31]
      value &= (1 << bits) - 1
    }
  }
  return bits > 0 ? out + alphabet[(value << (5 - bits)) & 31] : out
}
