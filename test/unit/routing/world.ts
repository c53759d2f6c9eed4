import type { Binding, ResolvedKey } from '../../../src/domain/key.ts'
import type { FlagChange, FlagTrouble } from '../../../src/routing/index.ts'

/** A clock that a test moves; who sleeps for no time wakes at the next turn. */
export function steppingClock() {
  let passed = 0
  const sleepers = new Set<{ readonly due: number; readonly wake: () => void }>()
  return {
    now: () => passed,
    monotonic: () => passed,
    sleep: (ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve, reject) => {
        if (ms <= 0) return void setImmediate(resolve)
        const sleeper = { due: passed + ms, wake: resolve }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          reject(new Error('aborted'))
        })
      }),
    advance(ms: number): void {
      passed += ms
      for (const sleeper of sleepers) {
        if (sleeper.due > passed) continue
        sleepers.delete(sleeper)
        sleeper.wake()
      }
    },
  }
}

export const binding = (id: string, more: Partial<Binding> = {}): Binding => ({
  id,
  key: 'treasury',
  version: 1,
  provider: id,
  custody: 'native',
  reference: `ref/${id}`,
  ...more,
})

export const resolved = (bindings: readonly Binding[], publicKey = new Uint8Array(32).fill(1)): ResolvedKey => ({
  key: { name: 'treasury', chain: 'stellar', network: 'testnet', policy: '{}', policyHash: 'x', createdAt: 0 },
  version: { key: 'treasury', version: 1, scheme: 'ed25519', publicKey, address: 'G', account: 'G', state: 'active' },
  bindings,
})

/** Keeps what it is told. */
export function memoryJournal() {
  const changes: FlagChange[] = []
  const troubles: FlagTrouble[] = []
  const state = { recovered: 0, refuse: false }
  return {
    changes,
    troubles,
    state,
    changed: async (change: FlagChange) => {
      if (state.refuse) throw new Error('the log is sealed')
      changes.push(change)
    },
    failed: (trouble: FlagTrouble) => void troubles.push(trouble),
    recovered: () => void state.recovered++,
  }
}

export const turns = async (count = 10): Promise<void> => {
  for (let n = 0; n < count; n++) await new Promise(resolve => setImmediate(resolve))
}
