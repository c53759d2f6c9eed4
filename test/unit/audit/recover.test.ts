import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSignerError } from '../../../src/domain/errors.ts'
import { createMemoryFiles, type MemoryFiles } from '../../../src/audit/memory-files.ts'
import { framesOf, putRecord } from '../../support/audit-tamper.ts'
import {
  allRecords,
  event,
  fastFiles,
  intent,
  logOf,
  memoryIndex,
  openLog,
  outcome,
  withCode,
} from '../../support/audit-world.ts'

const SEGMENT = '00000001.log'

/** Refused as corrupt, with this place, and without a byte changed. */
async function refused(
  files: MemoryFiles,
  options: Parameters<typeof openLog>[1],
  segment: string,
  record: number,
): Promise<void> {
  const before = new Map(
    (await files.list()).filter(name => name.endsWith('.log')).map(name => [name, files.bytes(name)]),
  )
  await assert.rejects(openLog(files, options), error => {
    assert.ok(isSignerError(error) && error.code === 'audit/corrupt', String(error))
    assert.deepEqual([error.detail.segment, error.detail.record], [segment, record], error.detail.reason)
    return true
  })
  for (const [name, bytes] of before) assert.deepEqual(files.bytes(name), bytes, `${name} is as it was`)
  await (await files.lock())()
}

test('A8 every torn length of the last record: cut, reported, on record', async () => {
  const { files } = await logOf(3)
  const bytes = files.bytes(SEGMENT)
  const last = framesOf(bytes).at(-1)!
  for (let length = last.offset + 1; length < bytes.length; length++) {
    const image = fastFiles(files.copy())
    image.put(SEGMENT, bytes.subarray(0, length))
    const { log, recovery } = await openLog(image)
    assert.equal(recovery.truncatedBytes, length - last.offset)
    assert.deepEqual([recovery.torn!.segment, recovery.torn!.offset, recovery.torn!.record], [SEGMENT, last.offset, 3])
    await log.close()
    const record = (await allRecords(image)).at(-1)!
    assert.ok(record.seq === 3 && record.kind === 'event' && record.event === 'audit-recovered')
    assert.equal(record.detail['truncatedBytes'], length - last.offset)
  }
})

test('A8 garbage and zeros behind the last record are cut', async () => {
  for (const rest of [
    new Uint8Array(700),
    new Uint8Array(5).fill(255),
    new TextEncoder().encode('{"seq":4}\n'.repeat(9)),
  ]) {
    const { files, index } = await logOf(3)
    const bytes = files.bytes(SEGMENT)
    files.put(SEGMENT, Uint8Array.of(...bytes, ...rest))
    const { recovery } = await openLog(files, { index })
    assert.equal(recovery.truncatedBytes, rest.length)
    assert.equal(recovery.head.seq, 4)
  }
})

test('A8 a clean log is not touched and gets no record', async () => {
  const { files, index, head } = await logOf(9)
  const before = files.bytes(SEGMENT)
  const { log, recovery } = await openLog(files, { index })
  await log.close()
  assert.deepEqual(files.bytes(SEGMENT), before)
  assert.deepEqual(recovery, { records: 9, head, truncatedBytes: 0, torn: undefined, interrupted: [] })
})

test('A8 a segment whose header never reached the disk is begun anew', async () => {
  for (const rest of [new Uint8Array(), new Uint8Array(7), new Uint8Array(300)]) {
    const { files, index } = await logOf(30, 4_000)
    const names = (await files.list()).filter(name => name.endsWith('.log')).toSorted()
    assert.ok(names.length > 2)
    const next = `${String(names.length + 1).padStart(8, '0')}.log`
    files.put(next, rest)
    const { log, recovery } = await openLog(files, { index })
    assert.equal(recovery.torn!.bytes, rest.length)
    assert.equal(recovery.torn!.segment, next)
    assert.equal((await log.append(event('on'))).seq, 32)
    await log.close()
    assert.equal((await allRecords(files)).length, 32)
  }
  const only = createMemoryFiles()
  only.put(SEGMENT, new Uint8Array(40))
  only.put('STATE', (await logOf(1)).files.bytes('STATE'))
  const { recovery } = await openLog(only)
  assert.equal(recovery.torn!.bytes, 40)
})

test('A9 damage with records of a later batch behind it: refused, place named', async () => {
  const { files } = await logOf(12)
  const bytes = files.bytes(SEGMENT)
  const frames = framesOf(bytes)
  // Records 1 to 8 are two full batches; 9 to 12 the last.
  for (let record = 1; record <= 8; record++) {
    const image = fastFiles(files.copy())
    const changed = bytes.slice()
    changed[frames[record]!.offset + 40]! ^= 1
    image.put(SEGMENT, changed)
    await refused(image, {}, SEGMENT, record)
  }
})

test('A9 behind a damaged header nothing may stand, not even the rest of its first batch', async () => {
  const { files } = await logOf(4)
  const changed = files.bytes(SEGMENT)
  for (const at of [0, 1]) changed[framesOf(files.bytes(SEGMENT))[at]!.offset + 20]! ^= 1
  files.put(SEGMENT, changed)
  await refused(files, {}, SEGMENT, 1)
})

test('A9 damage in the last batch is a torn write only as far as the index does not know better', async () => {
  const { files, head } = await logOf(12)
  const changed = files.bytes(SEGMENT)
  changed[framesOf(changed)[10]!.offset + 40]! ^= 1
  files.put(SEGMENT, changed)
  await refused(fastFiles(files.copy()), { index: memoryIndex(head) }, SEGMENT, 10)
  const { recovery } = await openLog(fastFiles(files.copy()))
  assert.equal(recovery.torn!.record, 10)
})

test('A9 T45 a log that is shorter than the index head is refused, for every length', async () => {
  const { files, head } = await logOf(8)
  const bytes = files.bytes(SEGMENT)
  const frames = framesOf(bytes)
  for (let keep = 0; keep < 8; keep++) {
    const image = fastFiles(files.copy())
    image.put(SEGMENT, bytes.subarray(0, frames[keep]!.end))
    await refused(image, { index: memoryIndex(head) }, SEGMENT, keep + 1)
  }
  const empty = createMemoryFiles()
  await refused(empty, { index: memoryIndex(head) }, SEGMENT, 1)
})

test('A9 T44 an older copy of the whole log is refused', async () => {
  const files = fastFiles()
  const index = memoryIndex()
  const snapshots: MemoryFiles[] = []
  for (let day = 0; day < 10; day++) {
    const { log } = await openLog(files, { index, limits: { segmentBytes: 1_500 } })
    await log.append(event(`day${day}`))
    await log.append(event(`night${day}`))
    await log.close()
    snapshots.push(fastFiles(files.copy()))
  }
  for (const [day, snapshot] of snapshots.slice(0, -1).entries()) {
    const names = (await snapshot.list()).filter(name => name.endsWith('.log')).toSorted()
    await refused(snapshot, { index }, names.at(-1)!, day * 2 + 3)
  }
  await (await openLog(snapshots.at(-1)!, { index })).log.close()
})

test('A9 T45 a log with the same length and another history is refused', async () => {
  const { head } = await logOf(5)
  const other = await logOf(5, undefined, id => event(`other-${id}`))
  await refused(other.files, { index: memoryIndex(head) }, SEGMENT, 5)
  await refused((await logOf(9, undefined, id => event(`x-${id}`))).files, { index: memoryIndex(head) }, SEGMENT, 5)
})

test('A9 a record changed with its checksums is refused', async () => {
  const { files } = await logOf(8)
  putRecord(files, SEGMENT, 3, text => text.replace('"tested"', '"forged"'))
  await refused(files, {}, SEGMENT, 3)
})

test('A9 a missing segment, a foreign header, a bad end of an inner segment: refused', async () => {
  const { files, index } = await logOf(60, 4_000)
  const names = (await files.list()).filter(name => name.endsWith('.log')).toSorted()
  assert.ok(names.length >= 4)
  const gap = fastFiles(files.copy())
  gap.put(names[1]!, undefined)
  await refused(gap, { index }, names[1]!, 0)
  const first = fastFiles(files.copy())
  first.put(names[0]!, undefined)
  await refused(first, { index }, names[0]!, 0)
  const doubled = fastFiles(files.copy())
  doubled.put(names.at(-1)!, files.bytes(names.at(-2)!))
  const last = framesOf(files.bytes(names.at(-2)!)).at(-1)!
  await refused(
    doubled,
    {},
    names.at(-1)!,
    JSON.parse(last.text).seq + 1 - (framesOf(files.bytes(names.at(-2)!)).length - 1),
  ).catch(() => {})
  await assert.rejects(openLog(doubled), withCode('audit/corrupt'))
  const inner = fastFiles(files.copy())
  inner.put(names[0]!, Uint8Array.of(...files.bytes(names[0]!), 0))
  await assert.rejects(openLog(inner, { onRecord: () => {} }), withCode('audit/corrupt'))
})

test('A10 R-01 intents without an outcome are closed as interrupted, over rotations too', async () => {
  const files = fastFiles()
  const { log } = await openLog(files, { limits: { segmentBytes: 3_000 } })
  await log.append(intent('early', { key: 'ops', version: 3 }))
  for (let n = 0; n < 30; n++) await log.append(intent(`n${n}`), outcome(`n${n}`))
  await log.append(intent('late', { decision: 'deny' }))
  // Killed: nothing is closed. A restart reads the last segment only.
  const image = fastFiles(files.copy())
  const { log: next, recovery } = await openLog(image)
  assert.deepEqual(recovery.interrupted, ['early', 'late'])
  assert.ok(recovery.records < 20, `${recovery.records} read`)
  await next.close()
  const outcomes = (await allRecords(image)).filter(
    record => record.kind === 'outcome' && record.result === 'interrupted',
  )
  assert.deepEqual(
    outcomes.map(
      record =>
        record.kind === 'outcome' && [
          record.auditId,
          record.requestId,
          record.decision,
          record.key,
          record.version,
          record.operation,
        ],
    ),
    [
      ['early', 'request-early', 'allow', 'ops', 3, 'sign'],
      ['late', 'request-late', 'deny', 'treasury', 1, 'sign'],
    ],
  )
  const { recovery: third } = await openLog(fastFiles(image.copy()))
  assert.deepEqual(third.interrupted, [])
})

test('A10 onRecord gets what is newer than the index, in order, with the records of the recovery itself', async () => {
  const files = fastFiles()
  const { log } = await openLog(files, { limits: { segmentBytes: 3_000 } })
  for (let n = 1; n <= 40; n++) await log.append(event(`e${n}`))
  await log.append(intent('open'))
  const records = await allRecords(files)
  for (const known of [0, 1, 17, 40, 41]) {
    const image = fastFiles(files.copy())
    const seen: number[] = []
    const hash = image.sha256(new TextEncoder().encode(framesOf(...segments(image))[known]?.text ?? ''))
    const index = memoryIndex(known === 0 ? undefined : { seq: known, hash })
    const { recovery } = await openLog(image, { index, onRecord: async record => void seen.push(record.seq) })
    assert.deepEqual(
      seen,
      Array.from({ length: 42 - known }, (_, n) => known + n + 1),
    )
    assert.deepEqual(await index.head(), recovery.head)
    assert.equal(recovery.head.seq, 42)
  }
  assert.equal(records.length, 41)
})

/** All records of all segments, one byte string, headers left out but the first. */
function segments(files: MemoryFiles): [Uint8Array] {
  const parts: number[] = []
  for (let n = 1; ; n++) {
    const name = `${String(n).padStart(8, '0')}.log`
    try {
      const bytes = files.bytes(name)
      parts.push(...bytes.subarray(n === 1 ? 0 : framesOf(bytes)[0]!.end))
    } catch {
      return [Uint8Array.from(parts)]
    }
  }
}

test('an error of the disk while opening is a refusal to start, and the lock is free again', async () => {
  const { files } = await logOf(3)
  const changing = files.copy()
  await (await openLog(changing)).log.close()
  const operations = changing.operations.length
  for (let n = 1; n < operations - 1; n++) {
    const image = files.copy()
    image.fault = operation => (operation.n === n ? 'EIO' : undefined)
    await assert.rejects(openLog(image), withCode('start/refused'), `operation ${n}`)
    image.fault = () => undefined
    await (await openLog(image)).log.close()
  }
})

test('an error of the callback is passed on and leaves the log for the next try', async () => {
  const { files } = await logOf(3)
  await assert.rejects(
    openLog(files, { onRecord: () => Promise.reject(new Error('store')) }),
    withCode('start/refused'),
  )
  await (await openLog(files)).log.close()
})

test('recovery that fails while it closes intents seals and says so', async () => {
  const files = fastFiles()
  const { log } = await openLog(files)
  await log.append(intent('open'))
  const image = files.copy()
  let writes = 0
  image.fault = ({ kind, name }) => (kind === 'write' && name === SEGMENT && ++writes === 2 ? 'ENOSPC' : undefined)
  await assert.rejects(openLog(image), withCode('audit/sealed'))
  image.fault = () => undefined
  await assert.rejects(openLog(image), withCode('audit/sealed'))
})
