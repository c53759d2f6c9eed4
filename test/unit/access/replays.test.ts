import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryRates } from '../../../src/access/rate.ts'
import { createReplayMemory, PROOF_WINDOW_MS_MAX, proofId, replaysInRates } from '../../../src/access/replays.ts'

test('replays T06: one use while fresh, also of 100 at once', async () => {
  const memory = createReplayMemory()
  const answers = await Promise.all(Array.from({ length: 100 }, async () => memory.use('a', 1000, 0)))
  assert.equal(answers.filter(Boolean).length, 1)
  assert.equal(memory.use('a', 1000, 1000), false)
  assert.equal(memory.use('b', 1000, 1000), true)
})

test('replays: memory is bounded; what is fresh is never forgotten, what is stale makes room', () => {
  const memory = createReplayMemory(3)
  for (const [id, until] of [
    ['a', 30],
    ['b', 10],
    ['c', 20],
  ] as const)
    assert.equal(memory.use(id, until, 0), true)
  assert.throws(() => memory.use('d', 40, 10), { code: 'service/overloaded' })
  assert.equal(memory.use('b', 10, 10), false)
  assert.equal(memory.use('d', 40, 11), true) // b is stale, though it stands behind a
  assert.equal(memory.size, 3)
  assert.equal(memory.use('a', 30, 12), false)
  for (let n = 0; n < 10_000; n++) assert.equal(memory.use(`e${n}`, 100 + n, 99 + n), true)
  assert.ok(memory.size <= 3)
})

test('replays: identifiers are kept as hashes that kind and key are part of', () => {
  const ids = [
    proofId('dpop', 'a', 'x'),
    proofId('dpop', 'b', 'x'),
    proofId('signature', 'a', 'x'),
    proofId('dpop', 'a', 'y'),
  ]
  assert.equal(new Set(ids).size, 4)
  for (const id of ids) assert.match(id, /^[0-9a-f]{64}$/)
})

test('replays: over the rate store, one use in a window longer than any proof is fresh, by the clock of the store', async () => {
  let now = 5
  const rates = createMemoryRates()
  const store = replaysInRates(rates, () => now)
  assert.equal(await store.use('a', 1_700_000_000_000, 1_700_000_000_000), true)
  assert.equal(await store.use('b', 1_700_000_000_000, 1_700_000_000_000), true)
  now += PROOF_WINDOW_MS_MAX - 1
  assert.equal(await store.use('a', 1_700_000_000_000, 1_700_000_000_000), false)
  assert.equal(rates.size, 2)
  now += 1
  assert.equal(await store.use('a', 1_700_000_000_000, 1_700_000_000_000), true)
  // A store that goes by its own clock needs none of ours.
  const shared = replaysInRates(createMemoryRates())
  assert.deepEqual([await shared.use('a', 6, 5), await shared.use('a', 6, 5)], [true, false])
})
