/** The other process of `postgres-replicas.test.ts`: reserves, claims, and waits to be killed. */
import { Secret } from '../../../src/domain/secret.ts'
import { openPostgresStore } from '../../../src/store/postgres.ts'
import { spendOf, spends } from './claims-suite.ts'
import { sampleEntry, sampleResult } from './samples.ts'

const [port = '', database = ''] = process.argv.slice(2)
const store = await openPostgresStore({
  connection: {
    ...{ host: '127.0.0.1', port: Number(port), database, user: 'countersign', tls: 'off' },
    password: new Secret(process.env['PASSWORD_OF_TEST'] ?? '', 'store password'),
  },
  clock: { now: () => 1_000_000, sleep: () => new Promise<void>(() => {}) },
  instance: 'victim',
})
await store.idempotency.reserve(sampleEntry({ key: 'done' }))
await store.idempotency.complete(sampleEntry({ key: 'done' }), sampleResult())
await store.idempotency.reserve(sampleEntry({ key: 'held' }))
await store.claims.claim(sampleEntry({ key: 'held' }), spends(spendOf(60n)))
console.log('holding')
process.stdin.on('data', () => {})
