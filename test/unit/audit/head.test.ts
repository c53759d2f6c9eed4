import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditIndex } from '../../../src/domain/ports.ts'
import { createMemoryFiles } from '../../../src/audit/memory-files.ts'
import { allRecords, event, manualClock, memoryIndex, openLog, settle } from '../../support/audit-world.ts'

test('A15 the head follows after 256 records, after a second, and at the close', async () => {
  const clock = manualClock()
  const index = memoryIndex()
  const { log } = await openLog(createMemoryFiles(), { clock, index })
  for (let n = 0; n < 255; n++) await log.append(event(`e${n}`))
  assert.equal(index.set.length, 0)
  await log.append(event('e255'))
  await settle()
  assert.deepEqual(
    index.set.map(({ seq }) => seq),
    [256],
  )
  await log.append(event('e256'))
  clock.advance(999)
  await settle()
  assert.equal(index.set.length, 1)
  clock.advance(1)
  await settle()
  assert.deepEqual(
    index.set.map(({ seq }) => seq),
    [256, 257],
  )
  const receipt = await log.append(event('last'))
  await log.close()
  assert.deepEqual(index.set.at(-1), receipt)
})

test('A15 an index that hangs or fails does not hold up appends', async () => {
  const calls: number[] = []
  const hanging: AuditIndex = {
    head: async () => undefined,
    setHead: ({ seq }) => (calls.push(seq), new Promise(() => {})),
  }
  const { log } = await openLog(createMemoryFiles(), { index: hanging, limits: { headEveryRecords: 10 } })
  for (let n = 0; n < 100; n++) await log.append(event(`e${n}`))
  assert.deepEqual(calls, [10], 'one at a time')

  const failing: AuditIndex = {
    head: async () => undefined,
    setHead: ({ seq }) => (calls.push(seq), Promise.reject(new Error('locked'))),
  }
  const second = await openLog(createMemoryFiles(), { index: failing, limits: { headEveryRecords: 10 } })
  for (let n = 0; n < 30; n++) await second.log.append(event(`e${n}`))
  await second.log.close()
  assert.deepEqual(calls.slice(1), [10, 20, 30])
})

test('A15 the head never runs ahead of the disk, also when the sync fails', async () => {
  const files = createMemoryFiles()
  const index = memoryIndex()
  const check: AuditIndex = {
    ...index,
    async setHead(head) {
      const certain = await allRecords(files.synced())
      assert.ok(certain.some(({ seq }) => seq === head.seq))
      await index.setHead(head)
    },
  }
  const { log } = await openLog(files, { index: check, limits: { headEveryRecords: 1 } })
  for (let n = 0; n < 5; n++) await log.append(event(`e${n}`))
  files.fault = ({ kind, name }) => (kind === 'datasync' && name !== 'STATE' ? 'EIO' : undefined)
  await log.append(event('lost')).catch(() => {})
  await log.close()
  assert.equal((await index.head())!.seq, 5)
})
