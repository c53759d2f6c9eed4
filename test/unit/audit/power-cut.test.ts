import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditEntry } from '../../../src/domain/audit.ts'
import { createMemoryFiles, type MemoryFiles } from '../../../src/audit/memory-files.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import {
  allRecords,
  event,
  fastFiles,
  intent,
  memoryIndex,
  openLog,
  outcome,
  seeded,
  settle,
  watch,
} from '../../support/audit-world.ts'

const IMAGES = Number(process.env['AUDIT_IMAGES'] ?? 5_000)
const IMAGES_PER_RUN = 10

/** Writes until operation `cut` and stays there, as the machine does when the power goes. */
async function runUntil(files: MemoryFiles, cut: number, draw: () => number) {
  const index = memoryIndex()
  const acknowledged: AuditEntry[] = []
  const asked = new Map<string, AuditEntry>()
  // Most cuts fall between a write and its sync: there is something to tear only then.
  const isAtSync = draw() < 0.8
  files.fault = ({ n, kind }) => (n >= cut && (kind === 'datasync' || !isAtSync) ? 'hang' : undefined)
  const opening = openLog(files, { index, limits: { segmentBytes: 6_000, headEveryRecords: 5 } })
  const opened = watch(opening)
  await settle()
  if (opened.state === 'waiting') return { acknowledged, asked, index }
  const { log } = await opening
  let serial = 0
  for (let wave = 0; wave < 12; wave++) {
    const appends = Array.from({ length: 1 + Math.floor(draw() * 6) }, () => {
      const id = `r${serial++}`
      const pad = 'z'.repeat(Math.floor(draw() * 900))
      const entries =
        draw() < 0.3 ? [intent(id), ...(draw() < 0.5 ? [outcome(id)] : [])] : [event(id, { detail: { pad } })]
      for (const entry of entries) asked.set(`${entry.kind} ${id}`, entry)
      return watch(log.append(...entries).then(() => void acknowledged.push(...entries)))
    })
    await settle()
    if (appends.some(({ state }) => state === 'waiting')) break
  }
  return { acknowledged, asked, index }
}

const bare = (record: object): object => {
  const { seq: _, time: _t, instance: _i, prev: _p, batch: _b, ...entry } = record as Record<string, unknown>
  return entry
}

/** Recovery of the image gives the acknowledged records, perhaps more of what was asked, nothing else; and says what it cut. */
async function check(
  image: MemoryFiles,
  run: Awaited<ReturnType<typeof runUntil>>,
  title: string,
): Promise<{ torn: boolean; extra: number }> {
  const head = run.index.set.at(-1)
  const delivered: string[] = []
  const index = memoryIndex(head)
  const { log, recovery } = await openLog(image, {
    index,
    onRecord: record => void delivered.push(`${record.kind} ${record.auditId}`),
  })
  const records = await allRecords(image)
  const kept = records.filter(
    record =>
      run.asked.has(`${record.kind} ${record.auditId}`) &&
      !(record.kind === 'outcome' && record.result === 'interrupted'),
  )
  for (const record of kept) assert.deepEqual(bare(record), run.asked.get(`${record.kind} ${record.auditId}`), title)
  const names = kept.map(record => `${record.kind} ${record.auditId}`)
  const promised = run.acknowledged.map(entry => `${entry.kind} ${entry.auditId}`)
  assert.deepEqual(names.slice(0, promised.length), promised, `${title}: the synced prefix`)
  assert.deepEqual(names, [...run.asked.keys()].slice(0, names.length), `${title}: nothing is left out`)
  const events = records.filter(record => record.kind === 'event' && record.event === 'audit-recovered')
  assert.equal(events.length, recovery.torn === undefined ? 0 : 1, `${title}: a cut is on record`)
  assert.equal(recovery.truncatedBytes, recovery.torn?.bytes ?? 0, title)
  const closed = new Set(records.filter(({ kind }) => kind === 'outcome').map(({ auditId }) => auditId))
  for (const record of records)
    if (record.kind === 'intent') assert.ok(closed.has(record.auditId), `${title}: ${record.auditId} has an outcome`)
  assert.deepEqual(
    delivered,
    records.slice(head?.seq ?? 0).map(record => `${record.kind} ${record.auditId}`),
    `${title}: the caller saw all that is newer`,
  )
  const { seq } = await log.append(event('after'))
  assert.equal(seq, records.length + 1, title)
  await log.close()
  const report = await verifyAuditLog(image, { head: await index.head() })
  assert.ok(report.ok, `${title}: ${JSON.stringify(report)}`)
  return { torn: recovery.torn !== undefined, extra: names.length - promised.length }
}

test(`A8 R-03 ${IMAGES} power-cut images: exactly the synced prefix, perhaps more of the last batch, the rest cut and reported`, {
  timeout: 120_000,
}, async () => {
  let torn = 0
  let longer = 0
  for (let seed = 1; seed * IMAGES_PER_RUN <= IMAGES; seed++) {
    const draw = seeded(seed)
    // Both ways to the disk, turn by turn.
    const files = fastFiles(createMemoryFiles({ writesThrough: seed % 2 === 0 }))
    const run = await runUntil(files, 3 + Math.floor(draw() * 60), draw)
    for (let n = 0; n < IMAGES_PER_RUN; n++) {
      const image = fastFiles(files.powerCut(draw))
      const found = await check(image, run, `seed ${seed} image ${n}`)
      if (found.torn) torn++
      if (found.extra > 0) longer++
    }
  }
  // The images must be of all kinds for this to mean something.
  assert.ok(torn > IMAGES / 10 && longer > IMAGES / 50, `${torn} torn, ${longer} with more than the promised prefix`)
})

test('A8 R-03 500 images of a second power cut, during the recovery from the first', { timeout: 120_000 }, async () => {
  for (let seed = 1; seed <= 500; seed++) {
    const draw = seeded(seed * 7_919)
    const files = fastFiles(createMemoryFiles({ writesThrough: seed % 2 === 0 }))
    const run = await runUntil(files, 10 + Math.floor(draw() * 50), draw)
    const first = fastFiles(files.powerCut(draw))
    const cut = 1 + Math.floor(draw() * 10)
    first.fault = ({ n }) => (n === cut ? 'hang' : undefined)
    // The caller's copies of what recovery wrote itself do not count: the index stays as the first run left it.
    const stopped = watch(openLog(first, { index: memoryIndex(run.index.set.at(-1)) }))
    await settle()
    const second = fastFiles(first.powerCut(draw))
    const { log } = await openLog(second, { index: memoryIndex(run.index.set.at(-1)) })
    const ids = new Set((await allRecords(second)).map(record => `${record.kind} ${record.auditId}`))
    for (const entry of run.acknowledged)
      assert.ok(ids.has(`${entry.kind} ${entry.auditId}`), `seed ${seed}: ${entry.auditId} (${stopped.state})`)
    await log.close()
    assert.ok((await verifyAuditLog(second)).ok, `seed ${seed}`)
  }
})
