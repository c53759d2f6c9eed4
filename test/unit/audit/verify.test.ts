import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditFiles, Head } from '../../../src/audit/files.ts'
import type { MemoryFiles } from '../../../src/audit/memory-files.ts'
import { type VerifyReport, verifyAuditLog } from '../../../src/audit/verify.ts'
import { framesOf, putRecord, putTexts } from '../../support/audit-tamper.ts'
import { fastFiles, logOf, openLog, event, seeded } from '../../support/audit-world.ts'

const FLIPS = Number(process.env['AUDIT_FLIPS'] ?? 2_000)
const EDITS = Number(process.env['AUDIT_EDITS'] ?? 1_000)

const names = async (files: AuditFiles): Promise<string[]> =>
  (await files.list()).filter(name => name.endsWith('.log')).toSorted()

type Failure = Extract<VerifyReport, { ok: false }>

async function failure(files: AuditFiles, head?: Head): Promise<Failure> {
  const report = await verifyAuditLog(files, { head })
  assert.ok(!report.ok, 'the change is noticed')
  return report
}

/** For each frame of each segment: where it is and which record must be named for it. A header stands for its first record. */
async function placesOf(files: MemoryFiles) {
  const places: { name: string; at: number; offset: number; end: number; record: number }[] = []
  for (const name of await names(files)) {
    for (const [at, { offset, end, text }] of framesOf(files.bytes(name)).entries()) {
      const { seq, firstSeq } = JSON.parse(text) as { seq?: number; firstSeq: number }
      places.push({ name, at, offset, end, record: seq ?? firstSeq })
    }
  }
  return places
}

test('A7 M-47 a sound log verifies from the first record, with progress', async () => {
  const { files, head } = await logOf(60, 4_000)
  const seen: number[] = []
  const report = await verifyAuditLog(files, { head, onProgress: ({ records }) => void seen.push(records) })
  assert.deepEqual(report, {
    ok: true,
    records: 60,
    segments: (await names(files)).length,
    firstSeq: 1,
    lastSeq: 60,
    headHash: head.hash,
  })
  assert.equal(seen.at(-1), 60)
  const fresh = fastFiles()
  await (await openLog(fresh)).log.close()
  const empty = await verifyAuditLog(fresh)
  assert.ok(empty.ok && empty.records === 0 && empty.firstSeq === 0)
})

test('A7 R-05 M-47 every byte of a small log, a changed bit each: noticed, segment, offset and record named', {
  timeout: 120_000,
}, async () => {
  const { files } = await logOf(18, 4_000)
  const places = await placesOf(files)
  const draw = seeded(5)
  let flips = 0
  for (const name of await names(files)) {
    const bytes = files.bytes(name)
    for (const place of places.filter(other => other.name === name)) {
      for (let at = place.offset; at < place.end; at++) {
        const changed = bytes.slice()
        changed[at]! ^= 1 << Math.floor(draw() * 8)
        files.put(name, changed)
        const report = await failure(files).catch(() => assert.fail(`byte ${at} of ${name} goes unnoticed`))
        assert.deepEqual(
          [report.segment, report.offset, report.record],
          [name, place.offset, place.record],
          `byte ${at} of ${name}: ${report.reason}`,
        )
        flips++
      }
    }
    files.put(name, bytes)
  }
  assert.ok((await verifyAuditLog(files)).ok, 'the log is whole again')
  assert.ok(flips > 5_000, `${flips} bytes`)
})

test(`A7 R-05 M-47 ${FLIPS} random single-byte changes in a larger log: all noticed, exact record`, {
  timeout: 120_000,
}, async () => {
  const { files } = await logOf(400, 60_000)
  const places = await placesOf(files)
  const draw = seeded(6)
  for (let n = 0; n < FLIPS; n++) {
    const place = places[Math.floor(draw() * places.length)]!
    const at = place.offset + Math.floor(draw() * (place.end - place.offset))
    const bytes = files.bytes(place.name)
    const changed = bytes.slice()
    changed[at] = (changed[at]! + 1 + Math.floor(draw() * 255)) % 256
    files.put(place.name, changed)
    const report = await failure(files)
    assert.deepEqual(
      [report.segment, report.offset, report.record],
      [place.name, place.offset, place.record],
      `flip ${n}`,
    )
    files.put(place.name, bytes)
  }
})

test(`A7 T45 ${EDITS} edits with checksums made good: all noticed, exact record, the newest one by the index head`, async () => {
  const { files, head } = await logOf(100, 12_000)
  const places = (await placesOf(files)).filter(place => place.at > 0)
  const draw = seeded(7)
  const edits: ((text: string) => string)[] = [
    text => text.replace('"tested"', '"edited"'),
    text => text.replace('"operator"', '"somebody"'),
    text => text.replace(/"time":"2026/, '"time":"2025'),
    text => text.replace(/"prev":"[0-9a-f]{8}/, '"prev":"00112233'),
    text => text.replace(/}$/, ',"more":1}'),
    text => text.replace('"xxxxx', '"xxxx'),
  ]
  for (let n = 0; n < EDITS; n++) {
    const place = places[Math.floor(draw() * places.length)]!
    const bytes = files.bytes(place.name)
    putRecord(files, place.name, place.at, edits[n % edits.length]!)
    const report = await failure(files, head)
    assert.deepEqual(
      [report.segment, report.offset, report.record, report.kind],
      [place.name, place.offset, place.record, 'corrupt'],
      `edit ${n}: ${report.reason}`,
    )
    files.put(place.name, bytes)
  }
})

test('A7 T45 records removed, repeated, swapped or moved, at every place', async () => {
  const { files, head } = await logOf(10)
  const name = '00000001.log'
  const bytes = files.bytes(name)
  const [header, ...texts] = framesOf(bytes).map(({ text }) => text)
  for (let at = 0; at < texts.length; at++) {
    const without = texts.toSpliced(at, 1)
    const twice = texts.toSpliced(at, 0, texts[at]!)
    const swapped = texts.with(at, texts[(at + 1) % 10]!).with((at + 1) % 10, texts[at]!)
    for (const [changed, record] of [
      [without, at + 1],
      [twice, at + 2],
      [swapped, at === 9 ? 1 : at + 1],
    ] as const) {
      putTexts(files, name, [header!, ...changed])
      const report = await failure(files, head)
      assert.deepEqual([report.record, report.kind], [record, 'corrupt'], `${at}: ${report.reason}`)
    }
  }
  files.put(name, bytes)
  assert.ok((await verifyAuditLog(files, { head })).ok)
})

test('A7 T45 a log cut at a record is shorter than its head', async () => {
  const { files, head } = await logOf(30, 4_000)
  const all = await names(files)
  const places = await placesOf(files)
  for (const place of places.filter(({ record }) => record > 1)) {
    const image = fastFiles(files.copy())
    image.put(place.name, files.bytes(place.name).subarray(0, place.offset))
    for (const later of all.slice(all.indexOf(place.name) + 1)) image.put(later, undefined)
    if (place.at === 0) image.put(place.name, undefined)
    const report = await failure(image, head)
    assert.equal(report.record, place.record)
    assert.match(report.reason, /the log ends at record/)
  }
})

test('A7 records cut from the end of an inner segment are missing there', async () => {
  const { files } = await logOf(30, 4_000)
  const [first] = await names(files)
  const frames = framesOf(files.bytes(first!))
  files.put(first!, files.bytes(first!).subarray(0, frames.at(-2)!.offset))
  const report = await failure(files)
  assert.deepEqual([report.segment, report.record], [first, frames.length - 2])
  assert.match(report.reason, /missing at the end/)
})

test('A7 segments removed, swapped or renumbered', async () => {
  const { files } = await logOf(60, 4_000)
  const all = await names(files)
  for (const [at, name] of all.slice(0, -1).entries()) {
    const image = fastFiles(files.copy())
    image.put(name, undefined)
    const report = await failure(image)
    assert.deepEqual([report.segment, report.reason], [name, 'the segment is missing'])
    const swapped = fastFiles(files.copy())
    swapped.put(name, files.bytes(all[at + 1]!))
    swapped.put(all[at + 1]!, files.bytes(name))
    assert.equal((await failure(swapped)).segment, name)
  }
  const headless = fastFiles(files.copy())
  headless.put(all[0]!, undefined)
  assert.equal((await failure(headless)).segment, all[0])
})

test('A7 headers changed with checksums made good', async () => {
  const { files } = await logOf(60, 4_000)
  const all = await names(files)
  const changes: [string, (text: string) => string, RegExp][] = [
    [all[1]!, text => text.replace('"instance":"test"', '"instance":"else"'), /chained to/],
    [all[1]!, text => text.replace('"segment":2', '"segment":7'), /belongs to segment 7/],
    [all[1]!, text => text.replace(/"firstSeq":\d+/, '"firstSeq":2'), /starts at record 2/],
    [all[1]!, text => text.replace(/"prev":"[0-9a-f]{4}/, '"prev":"0000'), /not chained/],
    [all[1]!, text => text.replace('"format":1', '"format":2'), /no segment header/],
    [all[0]!, text => text.replace('"prev":"0', '"prev":"1'), /names a segment before/],
    [all[0]!, text => text.replace('"firstSeq":1', '"firstSeq":2'), /starts at record 2/],
    [all[0]!, () => '"text"', /no segment header/],
    [all[1]!, () => 'not json', /no segment header/],
  ]
  for (const [name, change, reason] of changes) {
    const image = fastFiles(files.copy())
    putRecord(image, name, 0, change)
    const report = await failure(image)
    assert.equal(report.segment, name)
    assert.match(report.reason, reason)
  }
})

test('A7 a payload that is no record, and a batch that cannot be', async () => {
  const { files } = await logOf(8)
  const changes: [(text: string) => string, RegExp][] = [
    [() => '{"seq":3}', /no record/],
    [() => 'null', /no record/],
    [text => text.replace('"kind":"event"', '"kind":"other"'), /no record/],
    [text => text.replace('"batch":1', '"batch":2'), /batch/],
    [text => text.replace('"batch":1', '"batch":9'), /no record/],
  ]
  for (const [change, reason] of changes) {
    const image = fastFiles(files.copy())
    putRecord(image, '00000001.log', 3, change)
    const report = await failure(image)
    assert.equal(report.record, 3)
    assert.match(report.reason, reason)
  }
})

test('a torn tail is not ok, has a reason of its own and the way out; no log is not ok either', async () => {
  const { files } = await logOf(4)
  const bytes = files.bytes('00000001.log')
  files.put('00000001.log', bytes.subarray(0, bytes.length - 3))
  const report = await failure(files)
  assert.deepEqual([report.kind, report.record, report.records], ['torn-tail', 4, 3])
  assert.match(report.fix, /Start the service/)
  assert.match((await failure(fastFiles())).reason, /no log/)
})

test('A7 a log larger than the read buffer, with records on its borders, verifies and is covered there', async () => {
  const pad = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`f${n}`, 'p'.repeat(2_000)]))
  const { files } = await logOf(120, undefined, id => event(id, { detail: pad }))
  const bytes = files.bytes('00000001.log')
  assert.ok(bytes.length > 4 * 1024 * 1024)
  assert.ok((await verifyAuditLog(files)).ok)
  const frames = framesOf(bytes)
  for (const border of [1, 2, 3, 4].map(n => n * 1024 * 1024)) {
    const at = frames.findIndex(({ end }) => end > border)
    for (const offset of [border - 1, border]) {
      const changed = bytes.slice()
      changed[offset]! ^= 1
      files.put('00000001.log', changed)
      assert.equal((await failure(files)).record, at)
    }
  }
})
