import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryFiles, type MemoryFiles } from '../../../src/audit/memory-files.ts'
import { reopenAuditLog } from '../../../src/audit/open.ts'
import { markerBytes, parseMarker } from '../../../src/audit/state.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import { putRecord } from '../../support/audit-tamper.ts'
import {
  allRecords,
  event,
  intent,
  logOf,
  manualClock,
  memoryIndex,
  openLog,
  settle,
  watch,
  withCode,
} from '../../support/audit-world.ts'

const actor = { subject: 'operator', peer: 'cli' }
const reopen = (files: MemoryFiles, more: object = {}) =>
  reopenAuditLog({ files, clock: manualClock(), instance: 'test', actor, ...more })

/** A log that met an error on its third append. */
async function sealedLog(kind: 'write' | 'datasync', fault: 'EIO' | 'short' = 'EIO'): Promise<MemoryFiles> {
  const files = createMemoryFiles()
  const { log } = await openLog(files)
  await log.append(intent('open'))
  await log.append(event('two'))
  files.fault = operation => (operation.kind === kind && operation.name !== 'STATE' ? fault : undefined)
  await assert.rejects(log.append(event('three'), event('four'), event('five')), withCode('audit/sealed'))
  await log.close()
  files.fault = () => undefined
  return files
}

test('A6 D07 reopen verifies, cuts, goes on in a new segment, records it and clears the seal', async () => {
  const files = await sealedLog('write', 'short')
  await assert.rejects(openLog(files), withCode('audit/sealed'))
  const index = memoryIndex()
  const { recovery, wasSealed } = await reopen(files, { index })
  assert.match(wasSealed, /took \d+ of \d+ bytes/)
  assert.ok(recovery.truncatedBytes > 0)
  assert.deepEqual(recovery.interrupted, ['open'])
  const records = await allRecords(files)
  assert.deepEqual(
    records.slice(3).map(record => (record.kind === 'event' ? record.event : record.kind)),
    ['audit-recovered', 'audit-reopened', 'outcome'],
  )
  const reopened = records[4]!
  assert.ok(
    reopened.kind === 'event' && reopened.detail['reason'] === wasSealed && reopened.actor?.subject === 'operator',
  )
  assert.deepEqual(await index.head(), recovery.head)
  assert.ok((await files.list()).includes('00000002.log'))
  const { log } = await openLog(files, { index })
  await log.append(event('on'))
  await log.close()
  assert.ok((await verifyAuditLog(files, { head: await index.head() })).ok)
})

test('A6 reopening what is not sealed is refused; so is reopening a damaged log', async () => {
  const { files } = await logOf(4)
  await assert.rejects(reopen(files), withCode('start/refused'))
  const damaged = await sealedLog('datasync')
  putRecord(damaged, '00000001.log', 1, text => text.replace('"sign"', '"sing"'))
  const before = damaged.bytes('00000001.log')
  await assert.rejects(reopen(damaged), withCode('audit/corrupt'))
  assert.deepEqual(damaged.bytes('00000001.log'), before)
  await assert.rejects(openLog(damaged), withCode('audit/sealed'))
  await (await damaged.lock())()
})

test('A6 a disk that fails again at any step of reopening leaves it sealed; nothing is lost by trying again', async () => {
  const trial = (await sealedLog('datasync')).copy()
  await reopen(trial)
  const total = trial.operations.length
  assert.ok(total > 15)
  for (let n = 1; n <= total; n++) {
    const files = (await sealedLog('datasync')).copy()
    files.fault = operation => (operation.n === n ? 'EIO' : undefined)
    const isClosing = trial.operations[n - 1]!.kind === 'close'
    const failed = await reopen(files).then(
      () => undefined,
      (error: { code: string }) => error.code,
    )
    if (!isClosing) assert.ok(failed === 'start/refused' || failed === 'audit/sealed', `operation ${n}: ${failed}`)
    files.fault = () => undefined
    if (failed !== undefined && n < total)
      await reopen(files).catch(error => assert.ok(withCode('start/refused')(error), `operation ${n}: ${error}`))
    const { log } = await openLog(files)
    await log.close()
    const ids = (await allRecords(files)).map(({ auditId }) => auditId)
    assert.ok(ids.includes('open') && ids.includes('two'), `operation ${n}`)
    assert.ok((await verifyAuditLog(files)).ok, `operation ${n}`)
  }
})

test('A6 a marker that cannot be read, or is gone, counts as sealed', async () => {
  const odd = [
    new Uint8Array(),
    new Uint8Array(512),
    new TextEncoder().encode('open'),
    new TextEncoder().encode(`${' '.repeat(511)}\n`),
    new TextEncoder().encode(`${'{"format":2,"state":"open","reason":""}'.padEnd(511)}\n`),
    markerBytes({ state: 'open', reason: '', at: '', segment: 1, seq: 1 }).subarray(1),
  ]
  for (const bytes of [...odd, undefined]) {
    const { files } = await logOf(3)
    files.put('STATE', bytes)
    await assert.rejects(openLog(files), withCode('audit/sealed'))
    const { wasSealed } = await reopen(files)
    assert.match(wasSealed, /state file/)
    const { log } = await openLog(files)
    await log.close()
  }
})

test('A6 a marker torn before there was a log is made again', async () => {
  const files = createMemoryFiles()
  files.put('STATE', new Uint8Array(100))
  const { log } = await openLog(files)
  await log.append(event('a'))
  assert.equal(parseMarker(files.bytes('STATE'))?.state, 'open')
})

test('A6 a seal without a log is not taken for a new start', async () => {
  const files = createMemoryFiles()
  files.put('STATE', markerBytes({ state: 'sealed', reason: 'EIO', at: '', segment: 1, seq: 9 }))
  await assert.rejects(openLog(files), withCode('audit/sealed'))
  await assert.rejects(reopen(files), withCode('audit/corrupt'))
})

test('A6 the marker keeps its length and stays one JSON line, whatever the reason says', () => {
  for (const reason of ['', 'x'.repeat(9_999), '"\\'.repeat(300), '\u2028\n\u0000é', '💶'.repeat(200)]) {
    const bytes = markerBytes({
      state: 'sealed',
      reason,
      at: '2026-01-01T00:00:00.000Z',
      segment: 99_999_999,
      seq: Number.MAX_SAFE_INTEGER,
    })
    assert.equal(bytes.length, 512)
    assert.equal(bytes.indexOf(10), 511)
    assert.equal(parseMarker(bytes)?.state, 'sealed')
  }
})

test('A16 a record that a failed sync left readable but unwritten is on disk before anyone hears of it', async () => {
  const files = await sealedLog('datasync')
  assert.equal((await allRecords(files)).length, 5, 'readable')
  assert.equal((await allRecords(files.synced())).length, 2, 'not on disk')
  const seen: number[] = []
  await reopen(files, {
    onRecord: async ({ seq }: { seq: number }) => {
      seen.push(seq)
      const certain = (await allRecords(files.synced())).map(record => record.seq)
      assert.ok(certain.includes(seq), `record ${seq} is on disk when it is handed on`)
    },
  })
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7])
  assert.ok((await verifyAuditLog(files.synced())).ok, 'the new segment is chained to something that is there')
})

test('A16 the same after a kill between write and sync', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files)
  await log.append(event('one'))
  files.fault = ({ kind, name }) => (kind === 'datasync' && name !== 'STATE' ? 'hang' : undefined)
  watch(log.append(event('two')))
  await settle()
  files.fault = () => undefined
  assert.equal((await allRecords(files.synced())).length, 1)
  const image = Object.assign(files, { lock: async () => async () => {} })
  const seen: number[] = []
  await openLog(image, {
    onRecord: async ({ seq }) => {
      seen.push(seq)
      assert.ok((await allRecords(files.synced())).some(record => record.seq === seq))
    },
  })
  assert.deepEqual(seen, [1, 2])
})

test('A6 a kill at any step of reopening leaves it sealed, until the marker is written last', async () => {
  const trial = (await sealedLog('datasync')).copy()
  await reopen(trial)
  const cleared = trial.operations.findLastIndex(({ kind, name }) => kind === 'write' && name === 'STATE') + 1
  assert.ok(cleared > 15)
  for (let n = 1; n <= cleared; n++) {
    const files = (await sealedLog('datasync')).copy()
    files.fault = operation => (operation.n === n ? 'hang' : undefined)
    watch(reopen(files))
    await settle()
    await assert.rejects(openLog(files.copy()), withCode('audit/sealed'), `killed at operation ${n}`)
    await assert.rejects(openLog(files.synced()), withCode('audit/sealed'), `power cut at operation ${n}`)
  }
})
