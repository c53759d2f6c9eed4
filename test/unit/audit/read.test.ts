import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newestSeq, readRecords } from '../../../src/audit/read.ts'
import { putRecord } from '../../support/audit-tamper.ts'
import {
  allRecords,
  event,
  fastFiles,
  logOf,
  manualClock,
  openLog,
  settle,
  withCode,
} from '../../support/audit-world.ts'

test('readRecords starts anywhere, over segments, and ends at a torn tail', async () => {
  const { files } = await logOf(60, 4_000)
  for (const from of [1, 2, 13, 14, 59, 60, 61, 99]) {
    const seqs = (await allRecords(files, from)).map(({ seq }) => seq)
    assert.deepEqual(
      seqs,
      Array.from({ length: Math.max(0, 61 - from) }, (_, n) => from + n),
    )
  }
  const last = (await files.list())
    .filter(name => name.endsWith('.log'))
    .toSorted()
    .at(-1)!
  files.put(last, files.bytes(last).slice(0, -1))
  assert.equal((await allRecords(files)).length, 59)
  assert.deepEqual(await allRecords(fastFiles()), [])
})

test('readRecords stops with an error at the first break of the chain', async () => {
  const { files } = await logOf(20)
  putRecord(files, '00000001.log', 9, text => text.replace('"tested"', '"tasted"'))
  const seen: number[] = []
  await assert.rejects(async () => {
    for await (const { seq } of readRecords(files)) seen.push(seq)
  }, withCode('audit/corrupt'))
  assert.ok(seen.length <= 9)
  const gap = await logOf(60, 4_000)
  gap.files.put('00000002.log', undefined)
  await assert.rejects(allRecords(gap.files), withCode('audit/corrupt'))
})

test('follow shows what is written later, over rotations, until the signal', async () => {
  const files = fastFiles()
  const { log } = await openLog(files, { limits: { segmentBytes: 1_500 } })
  const clock = manualClock()
  const stop = new AbortController()
  const seen: number[] = []
  const following = (async () => {
    for await (const { seq } of readRecords(files, { follow: { clock, signal: stop.signal, everyMs: 100 } }))
      seen.push(seq)
  })()
  for (let n = 1; n <= 12; n++) {
    await log.append(event(`e${n}`))
    await settle()
    clock.advance(100)
    await settle()
    assert.equal(seen.length, n)
  }
  await settle()
  stop.abort()
  await following
  assert.deepEqual(
    seen,
    Array.from({ length: 12 }, (_, n) => n + 1),
  )
  const stopped: number[] = []
  for await (const { seq } of readRecords(files, { fromSeq: 12, follow: { clock, signal: stop.signal } }))
    stopped.push(seq)
  assert.deepEqual(stopped, [12])
})

test('a reader beside a writer never takes a half written batch for damage', async () => {
  const files = fastFiles()
  const { log } = await openLog(files, { limits: { segmentBytes: 20_000 } })
  const writing = (async () => {
    for (let n = 0; n < 300; n++) await Promise.all([log.append(event(`a${n}`)), log.append(event(`b${n}`))])
  })()
  for (let n = 0; n < 30; n++) {
    const seqs = (await allRecords(files)).map(({ seq }) => seq)
    assert.deepEqual(
      seqs,
      seqs.map((_, at) => at + 1),
    )
  }
  await writing
  assert.equal((await allRecords(files)).length, 600)
})

test('newestSeq: none, some, behind a torn tail, in a segment without records; damage is an error', async () => {
  assert.equal(await newestSeq(fastFiles()), 0)
  const { files } = await logOf(60, 4_000)
  assert.equal(await newestSeq(files), 60)
  const all = (await files.list()).filter(name => name.endsWith('.log')).toSorted()
  const next = `${String(all.length + 1).padStart(8, '0')}.log`
  files.put(next, new Uint8Array(3))
  assert.equal(await newestSeq(files), 60)
  const { log } = await openLog(files)
  await log.close()
  assert.equal(await newestSeq(files), 61)
  putRecord(files, all.at(-1)!, 1, text => text.replace('"tested"', '"tasted"'))
  await assert.rejects(allRecords(files), withCode('audit/corrupt'))
  const inner = await logOf(8)
  putRecord(inner.files, '00000001.log', 1, text => text.replace('"tested"', '"tasted"'))
  await assert.rejects(newestSeq(inner.files), withCode('audit/corrupt'))
})
