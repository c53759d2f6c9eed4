import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryFiles } from '../../../src/audit/memory-files.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import { framesOf } from '../../support/audit-tamper.ts'
import {
  allRecords,
  event,
  fastFiles,
  intent,
  logOf,
  memoryIndex,
  openLog,
  outcome,
  settle,
  watch,
} from '../../support/audit-world.ts'

const names = async (files: { list(): Promise<readonly string[]> }): Promise<string[]> =>
  (await files.list()).filter(name => name.endsWith('.log')).toSorted()

test('A14 M-47 the chain runs over segments: sequence, hashes and headers join', async () => {
  const { files } = await logOf(100, 5_000)
  const all = await names(files)
  assert.ok(all.length > 5)
  let prev = '0'.repeat(64)
  let seq = 0
  let newest = prev
  for (const [at, name] of all.entries()) {
    const bytes = files.bytes(name)
    assert.ok(bytes.length <= 5_000)
    for (const { text } of framesOf(bytes)) {
      const line = JSON.parse(text) as Record<string, unknown>
      assert.equal(line['prev'], prev)
      prev = files.sha256(new TextEncoder().encode(text))
      if (line['format'] === undefined) {
        assert.equal(line['seq'], ++seq)
        newest = prev
      } else
        assert.deepEqual(
          [line['segment'], line['firstSeq'], line['head'], line['instance']],
          [at + 1, seq + 1, newest, 'test'],
        )
    }
  }
  assert.equal(seq, 100)
})

test('A14 a new segment gets records only after its header and its name are on disk', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files, { limits: { segmentBytes: 2_000 } })
  for (let n = 0; n < 20; n++) await log.append(event(`e${n}`))
  const done = files.operations.filter(({ name }) => name !== 'STATE' && name !== '00000001.log')
  const second = done.findIndex(({ kind, name }) => kind === 'open' && name === '00000002.log')
  assert.deepEqual(
    done.slice(second, second + 6).map(({ kind, name }) => `${kind} ${name}`),
    [
      'open 00000002.log',
      'write 00000002.log',
      'datasync 00000002.log',
      'syncDir ',
      'write 00000002.log',
      'datasync 00000002.log',
    ],
  )
})

test('A14 open intents are carried in the header and leave it when they end', async () => {
  const files = fastFiles()
  const { log } = await openLog(files, { limits: { segmentBytes: 1_600 } })
  const carried = (name: string): string[] => {
    const { open } = JSON.parse(framesOf(files.bytes(name))[0]!.text) as { open: { auditId: string }[] }
    return open.map(({ auditId }) => auditId)
  }
  await log.append(intent('long'))
  await log.append(intent('other'))
  for (let n = 0; n < 6; n++) await log.append(event(`e${n}`))
  const middle = (await names(files)).at(-1)!
  assert.deepEqual(carried(middle), ['long', 'other'])
  await log.append(outcome('other'))
  for (let n = 0; n < 12; n++) await log.append(event(`f${n}`))
  assert.deepEqual(carried((await names(files)).at(-1)!), ['long'])
  assert.ok((await verifyAuditLog(files)).ok)
})

test('A14 a record larger than a segment still finds one, and no empty segment is left over', async () => {
  const files = fastFiles()
  const { log } = await openLog(files, { limits: { segmentBytes: 500 } })
  for (let n = 0; n < 5; n++) await log.append(event(`e${n}`, { detail: { text: 'w'.repeat(1_000) } }))
  assert.equal((await names(files)).length, 5)
  for (const name of await names(files)) assert.equal(framesOf(files.bytes(name)).length, 2)
})

test('A14 opening goes on in the last segment, and segment numbers reach beyond nine', async () => {
  const files = fastFiles()
  const index = memoryIndex()
  for (let run = 0; run < 15; run++) {
    const { log } = await openLog(files, { index, limits: { segmentBytes: 1_000 } })
    await log.append(event(`a${run}`))
    await log.append(event(`b${run}`))
    await log.close()
  }
  assert.ok((await names(files)).length >= 10)
  assert.deepEqual(
    (await allRecords(files)).map(({ seq }) => seq),
    Array.from({ length: 30 }, (_, n) => n + 1),
  )
  assert.ok((await verifyAuditLog(files, { head: await index.head() })).ok)
})

test('A14 a kill before the name of a new segment is on disk: the next start puts it there before it acknowledges anything', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files, { limits: { segmentBytes: 1_000 } })
  for (let n = 0; n < 2; n++) await log.append(event(`e${n}`))
  const names = (await files.list()).length
  files.fault = ({ kind }) => (kind === 'syncDir' ? 'hang' : undefined)
  const last = watch(Promise.all([log.append(event('e2')), log.append(event('e3'))]))
  await settle()
  assert.equal(last.state, 'waiting')
  assert.equal((await files.list()).length, names + 1, 'the segment is there, its name not certain')
  files.fault = () => undefined
  const next = await openLog(Object.assign(files, { lock: async () => async () => {} }))
  await next.log.append(event('acknowledged'))
  assert.ok((await allRecords(files.synced())).some(({ auditId }) => auditId === 'acknowledged'))
})
