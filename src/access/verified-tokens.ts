import { sha256 } from '../bytes/sha256.ts'
import { toHex } from '../bytes/hex.ts'

/** Callers keep a token for minutes and show it with every request. */
const TOKENS_MAX = 1024

const encoder = new TextEncoder()

export interface VerifiedTokens {
  /**
   * Runs `verify` unless it has passed for exactly this text under exactly this key. What it throws is not remembered: the
   * next call asks again.
   */
  once(token: string, keyId: string, verify: () => Promise<void>): Promise<void>
  readonly size: number
}

/**
 * Texts whose signature has verified, by the SHA-256 of text and key, so that no token is kept. Another spelling is another
 * text and is verified for itself, and so is the same text when its kid names another key by now. Says nothing about
 * claims, which hold or not at the time of each request. The least recently shown is forgotten first; forgetting only costs
 * a verification.
 */
export function rememberVerified(max: number = TOKENS_MAX): VerifiedTokens {
  const known = new Set<string>()
  return {
    async once(token, keyId, verify) {
      const digest = toHex(sha256(encoder.encode(`${token} ${keyId}`)))
      if (!known.delete(digest)) await verify()
      known.add(digest)
      if (known.size <= max) return
      const [oldest] = known
      if (oldest !== undefined) known.delete(oldest)
    },
    get size() {
      return known.size
    },
  }
}
