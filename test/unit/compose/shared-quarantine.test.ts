import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replayInto } from '../../../src/compose/restore.ts'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { sampleAddition } from '../store/samples.ts'

const event = (name: string) =>
  ({
    kind: 'event',
    auditId: 'a',
    event: name,
    actor: {},
    detail: { key: 'treasury', version: 1 },
  }) as unknown as AuditRecord

async function replayed(shared: boolean, ...names: readonly string[]) {
  const store = { ...openMemoryStore(), shared }
  await store.keys.add(sampleAddition('treasury'))
  // Another replica met a wrong answer after this one had written its last record.
  await store.keys.setState('treasury', 1, 'quarantined')
  const replay = replayInto(store)
  for (const name of names) await replay(event(name))
  return store.keys.stateOf('treasury', 1)
}

test('T37 M-79 the log of one replica does not end a quarantine that another began since', async () => {
  assert.equal(await replayed(true, 'key-restored'), 'quarantined')
  assert.equal(await replayed(true, 'key-quarantined', 'key-restored'), 'quarantined')
  assert.equal(await replayed(false, 'key-restored'), 'active')
})
