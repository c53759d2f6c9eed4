import { toHex } from '../bytes/hex.ts'
import { sha256 } from '../bytes/sha256.ts'
import type { RateStore } from '../domain/claims.ts'
import { SignerError } from '../domain/errors.ts'

/** Proofs are for one request: whoever comes second with the same is refused (T06). */
export interface ReplayStore {
  /**
   * One atomic step.
   * @param id      names the proof: key and identifier, in one text of 64 characters
   * @param until   milliseconds since the epoch after which nobody takes the proof for fresh any more
   * @returns true for the first use
   * @throws  when the use cannot be remembered: nothing may be accepted then
   */
  use(id: string, until: number, now: number): boolean | Promise<boolean>
}

/** Longest time a proof may be fresh, from its earliest to its latest moment. */
export const PROOF_WINDOW_MS_MAX = 120_000

const PROOFS_MAX = 100_000
const encoder = new TextEncoder()

/** Callers choose identifiers, so a hash of fixed length is what is kept. */
export const proofId = (kind: string, thumbprint: string, identifier: string): string =>
  toHex(sha256(encoder.encode(`${kind} ${thumbprint} ${identifier}`)))

/**
 * In this process alone, for as long as it lives. With several instances, or where a proof must not work twice across a
 * restart, use `replaysInRates`. When it is full it refuses, and never forgets a proof that is still fresh.
 */
export function createReplayMemory(max: number = PROOFS_MAX): ReplayStore & { readonly size: number } {
  const used = new Map<string, number>()
  const forget = (now: number, all: boolean): void => {
    for (const [id, until] of used) {
      if (until < now) used.delete(id)
      else if (!all) return // roughly in the order of time: what is behind it goes soon
    }
  }
  return {
    use(id, until, now) {
      forget(now, used.size >= max)
      if (used.has(id)) return false
      if (used.size >= max) throw new SignerError('service/overloaded', { retryAfterMs: 1000 })
      used.set(id, until)
      return true
    },
    get size() {
      return used.size
    },
  }
}

/**
 * Over a shared, exact rate store: one use in any window that is longer than a proof is fresh.
 * @param moment for a store that counts by the time it is told: the clock everything else in it is counted by
 */
export const replaysInRates = (rates: Pick<RateStore, 'take'>, moment?: () => number): ReplayStore => ({
  async use(id, _until, now) {
    const claim = { name: `proof:${id}`, limit: 1, windowMs: PROOF_WINDOW_MS_MAX }
    const answer = await rates.take([claim], moment?.() ?? now)
    return answer.kind === 'admitted'
  },
})
