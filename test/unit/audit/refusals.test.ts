import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryFiles } from '../../../src/audit/memory-files.ts'
import { createRefusals } from '../../../src/audit/refusals.ts'
import {
  allRecords,
  event,
  fastFiles,
  manualClock,
  openLog,
  outcome,
  settle,
  withCode,
} from '../../support/audit-world.ts'

const refusal = (n: number, errorCode = 'token/invalid', peer = `10.0.0.${n % 200}`) =>
  outcome(`r${n}`, { result: 'refused', decision: 'none', errorCode, actor: { subject: 'unknown', peer } })

async function set(limits = { perWindow: 10, windowMs: 60_000 }) {
  const files = fastFiles()
  const clock = manualClock()
  const { log } = await openLog(files, { clock })
  let serial = 0
  const refusals = createRefusals({ log, clock, newAuditId: () => `summary-${++serial}`, limits })
  const records = () => allRecords(files)
  return { files, clock, log, refusals, records }
}

test('A13 T48 the first of a window one by one, the rest as one count with codes and peers', async () => {
  const { clock, refusals, records } = await set()
  for (let n = 0; n < 500; n++) await refusals.record(refusal(n, n % 2 ? 'token/invalid' : 'token/missing'))
  assert.equal((await records()).length, 10)
  clock.advance(60_000)
  await settle()
  const summary = (await records()).at(-1)!
  assert.ok(summary.kind === 'event' && summary.event === 'refusals-summarised')
  assert.deepEqual(summary.detail, {
    since: '2026-01-01T00:00:00.000Z',
    recorded: 10,
    counted: 490,
    peers: 200,
    'code token/missing': 245,
    'code token/invalid': 245,
  })
  await refusals.record(refusal(1))
  assert.equal((await records()).length, 12, 'a new window records again')
  await refusals.flush()
  assert.equal((await records()).length, 12, 'nothing counted, nothing to say')
})

test('A13 T48 a million bad requests: the log grows by far less than 50 MB, memory by nothing that they choose', {
  timeout: 120_000,
}, async () => {
  const { files, clock, refusals, records } = await set({ perWindow: 100, windowMs: 60_000 })
  for (let n = 0; n < 1_000_000; n++) {
    // Some twenty minutes of flood.
    if (n % 50_000 === 0) clock.advance(60_000)
    const work = refusals.record(refusal(n, `code-${n}`, `peer-${n}`))
    if (n % 1_000 === 0) await work
  }
  await refusals.flush()
  const bytes = files.bytes('00000001.log').length
  assert.ok(bytes < 2_000_000, `${bytes} bytes`)
  let total = 0
  for (const record of await records()) {
    if (record.kind === 'outcome') total++
    else if (record.kind === 'event') {
      total += Number(record.detail['counted'])
      assert.ok(Object.keys(record.detail).length <= 4 + 33 && Number(record.detail['peers']) <= 1_024)
    }
  }
  assert.equal(total, 1_000_000, 'every one is counted or recorded')
})

test('A13 T48 a flood of strangers does not hide what a known caller was refused', async () => {
  const { refusals, records } = await set()
  for (let n = 0; n < 500; n++) await refusals.record(refusal(n))
  const actor = { subject: 'billing', tokenId: 'jti-1', peer: '10.0.0.1' }
  const denied = { result: 'refused', decision: 'none', errorCode: 'access/denied', actor } as const
  for (let n = 0; n < 15; n++) await refusals.record(outcome(`known-${n}`, denied))
  const known = (await records()).filter(({ auditId }) => auditId.startsWith('known-'))
  assert.equal(known.length, 10)
  await refusals.flush()
  const counted = (await records())
    .filter(record => record.kind === 'event')
    .map(({ actor: by, detail }) => [by.subject, detail['counted']])
  assert.deepEqual(counted, [
    ['unknown', 490],
    ['many', 5],
  ])
})

test('A13 a window that ends with the next refusal is summarised then, and only once', async () => {
  const { clock, refusals, records } = await set({ perWindow: 1, windowMs: 1_000 })
  await refusals.record(refusal(1))
  await refusals.record({ ...refusal(2), actor: undefined, errorCode: undefined } as unknown as ReturnType<
    typeof refusal
  >)
  clock.advance(1_000)
  await refusals.record(refusal(3))
  await settle()
  const kinds = (await records()).map(record => record.kind)
  assert.deepEqual(kinds, ['outcome', 'event', 'outcome'])
})

test('A13 a refusal that must be recorded on a sealed log is an error; the count goes quietly', async () => {
  const files = createMemoryFiles()
  const clock = manualClock()
  const { log } = await openLog(files, { clock })
  const refusals = createRefusals({ log, clock, newAuditId: () => 'id', limits: { perWindow: 1, windowMs: 1_000 } })
  files.fault = ({ kind }) => (kind === 'write' ? 'EIO' : undefined)
  await assert.rejects(refusals.record(refusal(1)), withCode('audit/sealed'))
  await refusals.record(refusal(2))
  clock.advance(1_000)
  await settle()
  await assert.rejects(log.append(event('x')), withCode('audit/sealed'))
  const plain = createRefusals({ log, clock, newAuditId: () => 'id' })
  await assert.rejects(plain.record(refusal(3)), withCode('audit/sealed'))
})

test('T66 T48 what anybody may ask for is bounded too, in a window of its own, and counted by its name', async () => {
  const { clock, refusals, records } = await set()
  const asked = (n: number) =>
    ({
      ...event(`c${n}`),
      event: 'login.challenge',
      actor: { subject: 'unknown', peer: `10.0.0.${n % 200}` },
    }) as Parameters<typeof refusals.record>[0]
  for (let n = 0; n < 500; n++) await refusals.record(asked(n))
  for (let n = 0; n < 5; n++) await refusals.record(refusal(n))
  assert.equal((await records()).length, 15, 'refusals are not drowned')
  clock.advance(60_000)
  await settle()
  const summary = (await records()).at(-1)!
  assert.ok(summary.kind === 'event' && summary.event === 'requests-summarised')
  assert.deepEqual(
    [summary.detail['recorded'], summary.detail['counted'], summary.detail['code login.challenge']],
    [10, 490, 490],
  )
})
