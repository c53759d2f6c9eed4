/** The other process of `sqlite.test.ts`: `race` reserves 300 keys as fast as it can, `hold` waits to be killed. */
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { spendOf, spends } from './claims-suite.ts'
import { sampleEntry, sampleResult } from './samples.ts'

const [path = '', part = ''] = process.argv.slice(2)
const clock = { now: () => 1_000_000 }

if (part === 'race') {
  const store = await openSqliteStore({ path, clock, role: 'guest' })
  console.log('ready')
  await new Promise(resolve => process.stdin.once('data', resolve))
  let reserved = 0
  for (let n = 0; n < 300; n++) {
    const { kind } = await store.idempotency.reserve(sampleEntry({ key: `k${n}` }))
    if (kind === 'reserved') reserved++
  }
  console.log(`reserved ${reserved}`)
  store.close()
} else {
  const store = await openSqliteStore({ path, clock })
  await store.idempotency.reserve(sampleEntry({ key: 'done' }))
  await store.idempotency.complete(sampleEntry({ key: 'done' }), sampleResult())
  await store.idempotency.reserve(sampleEntry({ key: 'held' }))
  await store.claims.claim(sampleEntry({ key: 'held' }), spends(spendOf(60n)))
  console.log('holding')
  process.stdin.on('data', () => {})
}
