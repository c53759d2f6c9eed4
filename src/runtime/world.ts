/** The real world behind `src/domain/ports.ts`, from Web APIs alone: the same file on every runtime. */
import type { Clock, Fetch, Random, World } from '../domain/ports.ts'

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
}

/** `getRandomValues` gives at most this much a call (Web Cryptography API §10.1.1). */
const RANDOM_BYTES_MAX = 65_536

export const realRandom: Random = {
  bytes: length => {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += RANDOM_BYTES_MAX) {
      crypto.getRandomValues(bytes.subarray(at, Math.min(at + RANDOM_BYTES_MAX, length)))
    }
    return bytes
  },
}

/**
 * A caller that forgets to say what happens on a redirect must not have its credentials carried to another host.
 * @param redirect what an `init` without `redirect` means: `error`, or `manual` where the runtime knows no `error`.
 */
export const realFetch =
  (redirect: 'error' | 'manual' = 'error'): Fetch =>
  (input, init) =>
    globalThis.fetch(input, { redirect, ...init })

export const realWorld = (redirect: 'error' | 'manual' = 'error'): World => ({
  clock: realClock,
  random: realRandom,
  fetch: realFetch(redirect),
})
