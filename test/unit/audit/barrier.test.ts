import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditEntry } from '../../../src/domain/audit.ts'
import { createMemoryFiles, type DiskFault, type MemoryFiles, type Operation } from '../../../src/audit/memory-files.ts'
import { reopenAuditLog } from '../../../src/audit/open.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import {
  allRecords,
  event,
  intent,
  manualClock,
  memoryIndex,
  openLog,
  outcome,
  settle,
  watch,
  withCode,
} from '../../support/audit-world.ts'

const isSegment = (name: string): boolean => name.endsWith('.log')
const syncs = (files: MemoryFiles): number =>
  files.operations.filter(({ kind, name }) => kind === 'datasync' && isSegment(name)).length

/** Holds every operation that matches until `free` is called. */
function gate(files: MemoryFiles, matches: (operation: Operation) => boolean): () => void {
  let free = (): void => {}
  const opened = new Promise<void>(resolve => (free = resolve))
  files.fault = operation => (matches(operation) ? opened : undefined)
  return free
}

/** A file opened O_DSYNC, or one that is written and then synced. */
const modeOf = (writesThrough: boolean): string => (writesThrough ? 'writes go through' : 'write, then sync')

for (const writesThrough of [false, true])
  test(`A1 append waits for the sync of its bytes, not for the write (${modeOf(writesThrough)})`, async () => {
    const files = createMemoryFiles({ writesThrough })
    const { log } = await openLog(files)
    const free = gate(files, ({ kind }) => kind === 'datasync')
    const before = files.bytes('00000001.log').length
    const appended = watch(log.append(event('a')))
    await settle()
    assert.ok(files.bytes('00000001.log').length > before, 'the bytes are written')
    assert.equal(appended.state, 'waiting')
    assert.equal((await allRecords(files.synced())).length, 0)
    free()
    await settle()
    assert.equal(appended.state, 'resolved')
    assert.equal((await allRecords(files.synced())).length, 1)
  })

test('A1 the receipt names the last entry of the append and its hash', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files)
  const first = await log.append(event('a'), event('b'))
  assert.equal(first.seq, 2)
  await log.append(event('c'))
  const records = await allRecords(files)
  assert.equal(records[2]!.prev, first.hash)
})

test('A2 the entries of one append are adjacent and in one batch, also among 200 others', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files, { limits: { batchRecords: 7 } })
  const appends = Array.from({ length: 100 }, (_, n) => [
    log.append(event(`s${n}`)),
    log.append(event(`${n}a`), event(`${n}b`), event(`${n}c`)),
  ])
  await Promise.all(appends.flat())
  const records = await allRecords(files)
  assert.equal(records.length, 400)
  for (let n = 0; n < 100; n++) {
    const at = records.findIndex(record => record.auditId === `${n}a`)
    assert.deepEqual(
      records.slice(at, at + 3).map(record => record.auditId),
      [`${n}a`, `${n}b`, `${n}c`],
    )
    assert.equal(new Set(records.slice(at, at + 3).map(record => record.batch)).size, 1)
  }
})

test('A3 concurrency 64: far fewer syncs than appends, one batch in flight, order of arrival kept', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files)
  const before = syncs(files)
  const start = files.operations.length
  const caller = async (name: number): Promise<void> => {
    for (let n = 0; n < 10; n++) await log.append(event(`${name}-${n}`))
  }
  await Promise.all(Array.from({ length: 64 }, (_, name) => caller(name)))
  const used = syncs(files) - before
  assert.ok(used <= 640 / 16, `${used} syncs for 640 appends`)
  const kinds = files.operations.slice(start).map(({ kind }) => kind)
  assert.deepEqual(new Set(kinds.filter((_, at) => at % 2 === 0)), new Set(['write']))
  assert.deepEqual(new Set(kinds.filter((_, at) => at % 2 === 1)), new Set(['datasync']))
  const records = await allRecords(files)
  for (let name = 0; name < 64; name++) {
    const own = records.filter(record => record.auditId.startsWith(`${name}-`)).map(record => record.auditId)
    assert.deepEqual(
      own,
      Array.from({ length: 10 }, (_, n) => `${name}-${n}`),
    )
  }
})

test('A3 a batch holds at most 64 records and a mebibyte', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files)
  await Promise.all(Array.from({ length: 130 }, (_, n) => log.append(event(`n${n}`))))
  const long = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`f${n}`, 'y'.repeat(2_000)]))
  await Promise.all(Array.from({ length: 40 }, (_, n) => log.append(event(`l${n}`, { detail: long }))))
  const sizes = new Map<number, number>()
  for (const record of await allRecords(files)) sizes.set(record.batch, (sizes.get(record.batch) ?? 0) + 1)
  assert.deepEqual([...sizes.values()].slice(0, 3), [64, 64, 2])
  assert.ok(
    [...sizes.values()].slice(3).every(count => count <= 20),
    'long records: about 20 to a mebibyte',
  )
})

/** A run with concurrency, pairs, intents and rotations. Which appends resolved, by audit id. */
async function run(files: MemoryFiles, clock = manualClock()) {
  const { log } = await openLog(files, { clock, limits: { segmentBytes: 4_000 }, index: memoryIndex() })
  const opened = files.operations.length
  const acknowledged: string[] = []
  const refusals: unknown[] = []
  const add = (...entries: AuditEntry[]): Promise<void> =>
    log.append(...entries).then(
      () => void acknowledged.push(...entries.map(entry => entry.auditId)),
      (error: unknown) => void refusals.push(error),
    )
  const rounds = (async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all([
        add(intent(`i${round}`)),
        add(event(`e${round}`)),
        add(event(`p${round}`), outcome(`i${round}`)),
      ])
    }
  })()
  // A step that hangs is overdue after five seconds.
  const isDone = watch(rounds)
  for (let turn = 0; turn < 100 && isDone.state === 'waiting'; turn++) {
    await settle()
    clock.advance(1_000)
  }
  await rounds
  return { log, clock, opened, acknowledged, refusals }
}

const FAULTS: readonly DiskFault[] = ['EIO', 'ENOSPC', 'EROFS', 'short', 'hang']

for (const writesThrough of [false, true])
  test(`A4 A5 R-02 T47 every operation after the start × EIO, ENOSPC, EROFS, short, hang: no answer without the disk, then sealed for good (${modeOf(writesThrough)})`, {
    timeout: 120_000,
  }, async () => {
    const clean = createMemoryFiles({ writesThrough })
    const { opened, refusals } = await run(clean)
    assert.equal(refusals.length, 0)
    const total = clean.operations.length
    assert.ok(
      clean.operations.slice(opened).some(({ kind }) => kind === 'open'),
      'the run rotates',
    )
    let cases = 0
    for (let n = opened + 1; n <= total; n++) {
      const { kind } = clean.operations[n - 1]!
      for (const fault of FAULTS) {
        if (fault === 'short' && kind !== 'write') continue
        cases++
        const title = `${fault} at operation ${n} (${kind})`
        const files = createMemoryFiles({ writesThrough })
        files.fault = operation => (operation.n === n ? fault : undefined)
        const { log, clock, acknowledged, refusals: refused } = await run(files)
        assert.equal(log.state.kind, 'sealed', title)
        assert.ok(refused.length > 0 && refused.every(withCode('audit/sealed')), title)
        await assert.rejects(log.append(event('later')), withCode('audit/sealed'), title)
        await assert.rejects(log.append(outcome('later')), withCode('audit/sealed'), title)
        const after = files.operations.slice(n).filter(({ kind: what, name }) => isSegment(name) && what !== 'close')
        assert.deepEqual(after, [], `${title}: no segment is touched again`)
        const closed = watch(log.close())
        await settle()
        clock.advance(10_000)
        await settle()
        assert.equal(closed.state, 'resolved', title)

        const survivor = files.synced()
        await assert.rejects(openLog(survivor), withCode('audit/sealed'), `${title}: the seal outlives the process`)
        const { wasSealed } = await reopenAuditLog({
          files: survivor,
          clock,
          instance: 'test',
          actor: { subject: 'operator', peer: 'cli' },
        })
        assert.match(
          wasSealed,
          fault === 'hang' ? /longer than 5000 ms/ : fault === 'short' ? /took \d+ of \d+ bytes/ : new RegExp(fault),
          title,
        )
        const kept = new Set((await allRecords(survivor)).map(record => record.auditId))
        for (const id of acknowledged) assert.ok(kept.has(id), `${title}: ${id} was acknowledged`)
        assert.ok((await verifyAuditLog(survivor)).ok, title)
      }
    }
    assert.ok(cases >= 100, `${cases} cases`)
  })

test('A4 a failing write of the marker does not unseal, does not hold up close and does not hide the first reason', async () => {
  for (const fault of ['EIO', 'short', 'hang'] as const) {
    const files = createMemoryFiles()
    const clock = manualClock()
    const { log } = await openLog(files, { clock })
    files.fault = ({ kind, name }) => (kind === 'write' ? (name === 'STATE' ? fault : 'ENOSPC') : undefined)
    await assert.rejects(log.append(event('a')), withCode('audit/sealed'))
    const closed = watch(log.close())
    await settle()
    clock.advance(5_000)
    await settle()
    assert.equal(closed.state, 'resolved')
    assert.deepEqual(log.state, { kind: 'sealed', reason: 'write to 00000001.log failed: ENOSPC' })
  }
})

test('A4 an error without a number is not quoted', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files)
  files.fault = () => Promise.reject(Object.assign(new Error('/private/path'), { code: 'odd code' }))
  await assert.rejects(log.append(event('a')), withCode('audit/sealed'))
  assert.deepEqual(log.state, { kind: 'sealed', reason: 'write to 00000001.log failed: unknown error' })
})

test('A5 a late answer of an overdue call changes nothing', async () => {
  for (const late of ['resolves', 'rejects'] as const) {
    const files = createMemoryFiles()
    const clock = manualClock()
    const { log } = await openLog(files, { clock })
    let end = (): void => {}
    const held = new Promise<void>((resolve, reject) => {
      end = late === 'resolves' ? resolve : () => reject(Object.assign(new Error('EIO'), { code: 'EIO' }))
    })
    files.fault = ({ kind, name }) => (kind === 'datasync' && name !== 'STATE' ? held : undefined)
    const appended = watch(log.append(event('a')))
    const queued = watch(log.append(event('b')))
    await settle()
    const behind = watch(log.append(event('c')))
    clock.advance(4_999)
    await settle()
    assert.equal(appended.state, 'waiting')
    clock.advance(1)
    await settle()
    assert.deepEqual([appended.state, queued.state, behind.state], ['audit/sealed', 'audit/sealed', 'audit/sealed'])
    end()
    await settle()
    assert.equal(log.state.kind, 'sealed')
    await assert.rejects(log.append(event('d')), withCode('audit/sealed'))
    await log.close()
    await (await files.lock())()
  }
})

test('A11 the lock stays while a call of this process may still write', async () => {
  const files = createMemoryFiles()
  const clock = manualClock()
  const { log } = await openLog(files, { clock })
  files.fault = ({ kind, name }) => (kind === 'write' && name !== 'STATE' ? 'hang' : undefined)
  const appended = watch(log.append(event('a')))
  await settle()
  clock.advance(5_000)
  await settle()
  assert.equal(appended.state, 'audit/sealed')
  await log.close()
  await assert.rejects(files.lock(), withCode('start/refused'))
})

test('close writes what waits, then refuses; closing twice is closing once', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files)
  const appended = Array.from({ length: 100 }, (_, n) => log.append(event(`n${n}`)))
  const closed = log.close()
  await assert.rejects(log.append(event('late')), withCode('service/stopping'))
  await Promise.all([...appended, closed, log.close()])
  assert.equal((await allRecords(files)).length, 100)
  assert.deepEqual(log.state, { kind: 'open' })
  await (await files.lock())()
})

test('a crowd: new intents are turned away, what has begun can end', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files, { limits: { queueMax: 3, openIntentsMax: 5 } })
  const free = gate(files, ({ kind }) => kind === 'datasync')
  const first = log.append(intent('first'))
  await settle()
  const waiting = [1, 2, 3].map(n => log.append(event(`w${n}`)))
  await assert.rejects(log.append(intent('too-many')), withCode('service/overloaded'))
  waiting.push(log.append(outcome('first')))
  free()
  await Promise.all([first, ...waiting])
  files.fault = () => undefined
  for (let n = 0; n < 5; n++) await log.append(intent(`o${n}`))
  await assert.rejects(log.append(event('x'), intent('sixth')), withCode('service/overloaded'))
  await log.append(outcome('o0'))
  await log.append(intent('sixth'))
})

test('what is no entry is refused alone; the log stays open', async () => {
  const files = createMemoryFiles()
  const { log } = await openLog(files)
  await assert.rejects(log.append(), withCode('request/malformed'))
  await assert.rejects(
    log.append(...Array.from({ length: 65 }, (_, n) => event(`n${n}`))),
    withCode('request/too-large'),
  )
  await assert.rejects(log.append(event('a', { auditId: 'x'.repeat(3_000) })), withCode('request/too-large'))
  assert.equal((await log.append(event('fine'))).seq, 1)
})
