import assert from 'node:assert/strict'
import { test } from 'node:test'
import { restorer } from '../../../src/compose/restore.ts'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'

const START = Date.UTC(2026, 10, 22)
const used = [{ counter: 'c', windowMs: 3_600_000 }]
const slot = { slot: 'testnet|GA|7', hash: 'aa', effects: 'e1', fee: '100' }
const idempotency = { scope: 's', key: 'k', fingerprint: 'f'.repeat(64) }
const record = (at: number, more: object) =>
  ({ time: new Date(START + at).toISOString(), requestId: 'r_1', ...more }) as unknown as AuditRecord
const intent = (auditId: string, at: number) => {
  const claims = { spends: { 0: { counter: 'c', amount: '60', limit: '100', windowMs: 3_600_000 } }, slot }
  return record(at, { kind: 'intent', seq: at + 1, auditId, idempotency, claims })
}
const failed = (auditId: string, at: number, errorCode: string) =>
  record(at, { kind: 'outcome', seq: at + 1, auditId, result: 'failed', errorCode })

const stores: Readonly<Record<string, () => Promise<Store>>> = {
  memory: async () => openMemoryStore(),
  sqlite: () => openSqliteStore({ path: ':memory:', clock: { now: () => START } }),
}

for (const [name, open] of Object.entries(stores)) {
  const taken = async (records: readonly AuditRecord[]) => {
    const store = await open()
    const restore = restorer(store.idempotency, store.claims)
    for (const each of records) await restore(each)
    const other = { ...slot, hash: 'bb', effects: 'e2', fee: 900n }
    const entry = { scope: 's', key: 'other', fingerprint: 'e'.repeat(64), at: START + 60_000 }
    const answer = await store.claims.claim(entry, { spends: [], slot: other })
    const sum = await store.claims.used(used, START)
    store.close()
    return [answer.kind, sum[0]]
  }

  test(`T57 ${name}: a retry that signed nothing does not give back what an unanswered first try may have signed, read from the log`, async () => {
    const first = [intent('a_1', 0), failed('a_1', 5, 'provider/ambiguous')]
    const retry = [intent('a_2', 1_000), failed('a_2', 1_005, 'provider/unavailable')]
    assert.deepEqual(await taken([...first, ...retry]), ['taken', 60n])
    assert.deepEqual(await taken(retry), ['claimed', 0n])
  })

  test(`T57 ${name}: nor when the first try is older than what is read from the log`, async () => {
    const store = await open()
    const claims = { spends: [{ counter: 'c', amount: 60n, limit: 100n, windowMs: 3_600_000, rule: 'windows' }] }
    await store.claims.claim({ ...idempotency, at: START }, claims)
    const restore = restorer(store.idempotency, store.claims)
    for (const each of [intent('a_2', 1_000), failed('a_2', 1_005, 'provider/unavailable')]) await restore(each)
    assert.deepEqual(await store.claims.used(used, START), [60n])
    store.close()
  })
}
