import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchLedgers } from '../../../src/compose/ledgers.ts'
import type { Clock } from '../../../src/domain/ports.ts'
import type { StellarNetwork } from '../../../src/domain/stellar-network.ts'
import { memoryLogger } from '../../support/rig.ts'

/** Each sleep is a round; the test says what the endpoint answers in it. */
async function rounds(answers: readonly (number | Error)[]) {
  const seen: (number | undefined)[] = []
  const logs: Record<string, unknown>[] = []
  let now = 0
  let at = 0
  const { promise: done, resolve } = Promise.withResolvers<void>()
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms, signal) => {
      seen.push(ledgers.of('testnet'))
      now += ms
      if (at < answers.length) return
      resolve()
      await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))))
    },
  }
  const network = {
    latestLedger: async () => {
      const answer = answers[at++]
      if (typeof answer !== 'number') throw answer ?? new Error('over')
      return { sequence: answer, closedAt: 0 }
    },
  } as unknown as StellarNetwork
  const ledgers = watchLedgers(new Map([['testnet', network]]), clock, memoryLogger(logs))
  assert.equal(ledgers.of('testnet'), undefined)
  await done
  ledgers.stop()
  return { seen, events: logs.map(({ event }) => event) }
}

test('M-22 the last ledger: none before the first answer, then it follows, and stays while nobody answers', async () => {
  const { seen, events } = await rounds([new Error('down'), 1_000, 1_003, new Error('down'), new Error('down'), 1_009])
  assert.deepEqual(seen, [undefined, 1_000, 1_003, 1_003, 1_003, 1_009])
  assert.deepEqual(events, ['ledger-unknown', 'ledger-unknown'])
})

test('M-22 it never goes back, and not forward faster than ledgers close', async () => {
  const { seen, events } = await rounds([1_000, 900, 1_000 + 20 + 5 * 30 + 1, 1_096, 2_000_000_000, 1_100])
  assert.deepEqual(seen, [1_000, 1_000, 1_000, 1_096, 1_096, 1_100])
  assert.deepEqual(events, ['ledger-not-believed', 'ledger-not-believed'])
})

test('a network that is not configured has none', () => {
  const ledgers = watchLedgers(new Map(), {} as Clock, memoryLogger([]))
  assert.equal(ledgers.of('public'), undefined)
  ledgers.stop()
})
