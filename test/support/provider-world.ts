import type { Fetch } from '../../src/domain/ports.ts'
import type { Call } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../../providers/world.ts'

/** The real network and randomness for providers under test; time stands still, so nothing can sleep. */
export function providerWorld(
  environment: ProviderWorld['environment'] = 'development',
  fetch: Fetch = globalThis.fetch,
): ProviderWorld {
  return {
    environment,
    fetch: (input, init) => fetch(input, init),
    random: { bytes: length => crypto.getRandomValues(new Uint8Array(length)) },
    clock: {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      sleep: (_ms, signal) =>
        new Promise((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true }),
        ),
    },
  }
}

let made = 0
/** A call that nobody aborts, unless the test brings its own signal. */
export const call = (signal: AbortSignal = new AbortController().signal): Call => ({
  requestId: `req_test_${++made}`,
  signal,
})
