import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PreparedTransaction } from '../../../src/domain/transactions.ts'
import type { Engine } from '../../../src/store/steps.ts'
import { transactionStore } from '../../../src/store/transactions.ts'

test('R-03 what was prepared is on the disk before it is signed: a power cut must not leave room for a second transaction', async () => {
  const done: string[] = []
  const engine = (name: string): Engine => ({
    once: async step => {
      done.push(name)
      return step().next().value as never
    },
    atomic: async (action, step) => {
      done.push(`${name}: ${action}`)
      const steps = step()
      steps.next()
      return steps.next({ rows: [], changes: 1 }).value as never
    },
  })
  const store = transactionStore(engine('plain'), engine('durable'))
  const entry = { scope: 's', key: 'k', fingerprint: 'f', at: 1 }
  await store.prepare(entry, 2, {} as PreparedTransaction)
  assert.deepEqual(done, ['durable: keep a prepared transaction'])
})
