import { devPublicKey, devReference } from '../../../providers/mock/index.ts'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { VERSION_STATES } from '../../../src/domain/key.ts'
import { demoPolicy } from '../../../src/policy/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import type { Store } from '../../../src/store/store.ts'
import { type Cases, outcome } from '../report.ts'
import { NOW } from '../world.ts'

/** Where a key lives when it is not under the mock provider's own reference. */
export interface Home {
  readonly provider: string
  readonly reference: string
  /** Default: the development key of the same name. */
  readonly publicKey?: Uint8Array
}

export async function addKey(
  store: Store,
  name: string,
  envelope?: { ciphertext: Uint8Array; context: Readonly<Record<string, string>> },
  home: Home = {
    provider: 'mock',
    reference: envelope === undefined ? devReference('ed25519', name) : devReference('wrapping', name),
  },
) {
  const publicKey = home.publicKey ?? devPublicKey(name)
  const policy = demoPolicy()
  const bindingId = `${name}-1`
  await store.keys.add({
    key: { name, chain: 'stellar', network: 'testnet', policy: policy.text, policyHash: policy.hash, createdAt: NOW },
    version: {
      key: name,
      version: 1,
      scheme: 'ed25519',
      publicKey,
      address: stellar.address(publicKey),
      account: stellar.address(publicKey),
      state: 'active',
    },
    binding: {
      id: bindingId,
      key: name,
      version: 1,
      provider: home.provider,
      custody: envelope === undefined ? 'native' : 'envelope',
      reference: home.reference,
    },
    ...(envelope === undefined ? {} : { envelope: { bindingId, ...envelope } }),
  })
}

export const storeCases: Cases = {
  'keys: add, resolve, move through every state': async () => {
    const store = openMemoryStore()
    await addKey(store, 'treasury')
    const seen: unknown[] = [await outcome(() => addKey(store, 'treasury')), await store.keys.list()]
    for (const state of VERSION_STATES) {
      seen.push(await outcome(() => store.keys.setState('treasury', 1, state)))
      seen.push(await outcome(() => store.keys.resolve('treasury')), await store.keys.stateOf('treasury', 1))
    }
    seen.push(await store.keys.resolve('nobody'), await outcome(() => store.keys.setState('nobody', 1, 'active')))
    return seen
  },
  'M-51 idempotency: reserve, replay, mismatch, release': async () => {
    const { idempotency } = openMemoryStore()
    const entry = { scope: 'caller', key: 'k', fingerprint: 'a'.repeat(64), at: NOW }
    const other = { ...entry, fingerprint: 'b'.repeat(64) }
    const result = {
      signature: btoa('x'.repeat(64)),
      key: 'treasury',
      version: 1,
      provider: 'mock',
      custody: 'native',
      auditId: 'a1',
      requestId: 'r1',
    }
    const seen = [await idempotency.reserve(entry), await idempotency.reserve(entry), await idempotency.reserve(other)]
    await idempotency.release(entry)
    seen.push(await idempotency.reserve(other), await idempotency.reserve(entry))
    await idempotency.complete(entry, result)
    seen.push(await idempotency.reserve(entry), await idempotency.reserve(other))
    return seen
  },
}
