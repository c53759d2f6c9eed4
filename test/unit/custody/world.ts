/** A clock that stands still until told, a key service with real AEAD, and bindings to go with them. */
import { gcm } from '@noble/ciphers/aes.js'
import { contextFor } from '../../../src/custody/context.ts'
import { toHex } from '../../../src/bytes/hex.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import type { Binding, EnvelopeRow, KeyVersion, ResolvedKey } from '../../../src/domain/key.ts'
import type { Clock, Random } from '../../../src/domain/ports.ts'
import type { Call, EnvelopeContext, EnvelopeProvider, Scheme, Unwrapped } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'

export interface StillClock extends Clock {
  readonly sleepers: number
  /** Runs until the promise settles, moving time to the next sleeper whenever nothing else is left to do. */
  settle<T>(promise: Promise<T>): Promise<T>
}

export function stillClock(): StillClock {
  let time = 0
  const sleepers = new Set<{ due: number; wake: () => void }>()
  const quiet = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
  }
  return {
    now: () => 1_700_000_000_000 + time,
    monotonic: () => time,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { due: time + ms, wake: resolve }
        const stop = (): void => {
          sleepers.delete(sleeper)
          reject(signal?.reason as Error)
        }
        if (signal?.aborted === true) return stop()
        sleepers.add(sleeper)
        signal?.addEventListener('abort', stop, { once: true })
      }),
    get sleepers() {
      return sleepers.size
    },
    async settle(promise) {
      const state = { settled: false }
      const settle = (): void => void (state.settled = true)
      promise.then(settle, settle)
      for (await quiet(); !state.settled; await quiet()) {
        const next = Math.min(...[...sleepers].map(sleeper => sleeper.due))
        if (!Number.isFinite(next)) throw new Error('it waits for something other than the clock')
        time = next
        for (const sleeper of sleepers) {
          if (sleeper.due > time) continue
          sleepers.delete(sleeper)
          sleeper.wake()
        }
      }
      return promise
    },
  }
}

export const randomOf = (byte: number): Random => ({ bytes: length => new Uint8Array(length).fill(byte) })

export const call: Call = { requestId: 'req_1', signal: new AbortController().signal }

export const binding = (id: string, custody: Binding['custody'] = 'envelope'): Binding => ({
  id,
  key: `key-${id}`,
  version: 1,
  provider: 'fake',
  custody,
  reference: 'wrapping-key/1',
})

export const versionOf = (id: string, scheme: Scheme, publicKey: Uint8Array): KeyVersion => ({
  key: `key-${id}`,
  version: 1,
  scheme,
  publicKey,
  address: `address-of-${toHex(publicKey).slice(-16)}`,
  account: `address-of-${toHex(publicKey).slice(-16)}`,
  state: 'active',
})

export const resolvedOf = (version: KeyVersion, bound: Binding): ResolvedKey => ({
  key: {
    name: version.key,
    chain: version.scheme === 'ed25519' ? 'stellar' : 'evm',
    network: 'testnet',
    policy: '{}',
    policyHash: '',
    createdAt: 0,
  },
  version,
  bindings: [bound],
})

/** AES-256-GCM with the context as associated data; entries sorted, so that order does not matter. */
export interface FakeService extends EnvelopeProvider {
  unwraps: number
  /** What the next calls do instead, one each. */
  readonly script: (() => Promise<Unwrapped>)[]
  readonly opened: SecretBytes[]
}

export function fakeService(): FakeService {
  const key = crypto.getRandomValues(new Uint8Array(32))
  const associated = (context: EnvelopeContext): Uint8Array =>
    new TextEncoder().encode(JSON.stringify(Object.entries(context).toSorted(([a], [b]) => (a < b ? -1 : 1))))
  const never = (): Promise<never> => Promise.reject(new Error('not asked in this test'))
  const service: FakeService = {
    name: 'fake',
    can: { native: [], envelope: true, rotation: 'none', production: false },
    unwraps: 0,
    script: [],
    opened: [],
    describe: never,
    sign: never,
    close: async () => {},
    wrap: async (_reference, plaintext, context) => {
      const nonce = crypto.getRandomValues(new Uint8Array(12))
      return Uint8Array.of(...nonce, ...plaintext.use(bytes => gcm(key, nonce, associated(context)).encrypt(bytes)))
    },
    unwrap: async (_reference, ciphertext, context) => {
      service.unwraps++
      const scripted = service.script.shift()
      if (scripted !== undefined) return scripted()
      const cipher = gcm(key, ciphertext.slice(0, 12), associated(context))
      let opened: Uint8Array
      try {
        opened = cipher.decrypt(ciphertext.slice(12))
      } catch {
        throw new SignerError('envelope/unreadable', { provider: 'fake', reason: 'it does not open' })
      }
      return { plaintext: remember(service, opened), providerRequestId: 'vendor-1' }
    },
  }
  return service
}

export function remember(service: FakeService, bytes: Uint8Array): SecretBytes {
  const plaintext = new SecretBytes(bytes, 'seed')
  service.opened.push(plaintext)
  return plaintext
}

/** A row as we write it, or with a context of the test's own. */
export async function sealRow(
  service: FakeService,
  version: KeyVersion,
  bindingId: string,
  plaintext: Uint8Array,
  context: EnvelopeContext = contextFor(version, 'testnet'),
): Promise<EnvelopeRow> {
  const secret = new SecretBytes(plaintext.slice(), 'seed')
  return { bindingId, context, ciphertext: await service.wrap('wrapping-key/1', secret, context, call) }
}
