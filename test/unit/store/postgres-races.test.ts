import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RateClaim } from '../../../src/domain/claims.ts'
import { createMemoryRates } from '../../../src/access/rate.ts'
import type { PostgresStore } from '../../../src/store/postgres.ts'
import { skip, world } from './postgres-world.ts'
import { raceSuite } from './race-suite.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] !== undefined
const { open, empty } = world('races')
const options = skip === undefined ? {} : { skip }

/** Nobody renews a lease here: it has to last as long as the longest of these tests. */
const LEASE = { leaseMs: 600_000 }

const openTwo = async (): Promise<readonly [PostgresStore, PostgresStore]> => {
  await empty()
  return [await open('one', LEASE), await open('two', LEASE)]
}

raceSuite(
  'postgres replicas',
  openTwo,
  LONG ? { claims: 200, reservations: 10_000, others: 100 } : { claims: 20, reservations: 300, others: 20 },
  (title, body) => void test(title, options, body),
)

const limit = (name: string, most: number, windowMs = 60_000): RateClaim => ({ name, limit: most, windowMs })

test('postgres rates: any sequence is answered as by the limits of one process', options, async () => {
  await empty()
  const store = await open()
  const memory = createMemoryRates()
  let now = 1_000_000
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((seed / 2_147_483_648) * below)
  }
  for (let n = 0; n < 400; n++) {
    now += random(9_000)
    const claims = [limit(`a${random(3)}`, 5), limit('all', 9), limit('all', 20, 300_000), limit('none', random(40))]
    const asked = claims.slice(random(2), 2 + random(3))
    const [ours, theirs] = [await store.rates?.take(asked, now), await memory.take(asked, now)]
    assert.deepEqual(ours, theirs, `step ${n}`)
  }
  await store.end()
})

test('postgres rates: two replicas admit no more than the limit, and by the time of the server', options, async () => {
  await empty()
  const stores = [await open('one', { callersTime: false }), await open('two', { callersTime: false })] as const
  for (let round = 0; round < 10; round++) {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => stores[n % 2 === 0 ? 0 : 1].rates?.take([limit(`r${round}`, 10)], n * 1e9)),
    )
    assert.equal(answers.filter(answer => answer?.kind === 'admitted').length, 10)
  }
  for (const bad of [[], [limit('x', 1.5)], [limit('x', -1)], [limit('x', 1, 0)]]) {
    await assert.rejects(async () => stores[0].rates?.take(bad, 1), { code: 'store/unavailable' })
  }
  for (const store of stores) await store.end()
})
