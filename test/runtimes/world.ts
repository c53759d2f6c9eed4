/** A world without surprises: the clock moves only when asked, randomness is a hash of a counter, the network is not there. */
import { sha256 } from '@noble/hashes/sha2.js'
import type { Clock, Random } from '../../src/domain/ports.ts'
import type { ProviderWorld } from '../../providers/world.ts'

/** 2026-01-02T03:04:05.678Z */
export const NOW = 1_767_323_045_678

/** Sleeping ends only by its signal: here it is always a deadline, and none is ever reached. */
const sleep: Clock['sleep'] = (_ms, signal) =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }))

export const fixedClock = (): Clock => ({ now: () => NOW, monotonic: () => 1000, sleep })

export function seededRandom(seed: string): Random {
  let counter = 0
  return {
    bytes: length => {
      const out = new Uint8Array(length)
      for (let at = 0; at < length; at += 32) {
        const block = sha256(new TextEncoder().encode(`${seed}/${counter++}`))
        out.set(block.subarray(0, Math.min(32, length - at)), at)
      }
      return out
    },
  }
}

export const providerWorld = (seed: string): ProviderWorld => ({
  clock: fixedClock(),
  random: seededRandom(seed),
  fetch: () => Promise.reject(new Error('the suite has no network')),
  environment: 'development',
})

export const call = () => ({ requestId: 'r-parity', signal: new AbortController().signal })
