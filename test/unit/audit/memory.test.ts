import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryAuditLog } from '../../../src/audit/memory.ts'
import { event, fastFiles, intent, manualClock, openLog, outcome, withCode } from '../../support/audit-world.ts'
import { framesOf } from '../../support/audit-tamper.ts'

test('M-47 the log without a disk writes the lines the real one writes', async () => {
  const clock = manualClock()
  const lines: string[] = []
  const memory = openMemoryAuditLog({
    clock,
    instance: 'test',
    sink: async (_record, line) => void lines.push(new TextDecoder().decode(line)),
  })
  const files = fastFiles()
  const { log } = await openLog(files, { clock })
  for (const entries of [[intent('a')], [outcome('a'), event('b')]]) {
    const [one, other] = await Promise.all([memory.append(...entries), log.append(...entries)])
    assert.deepEqual(one, other)
  }
  assert.equal(memory.durable, false)
  assert.deepEqual(
    lines,
    framesOf(files.bytes('00000001.log'))
      .slice(1)
      .map(({ text }) => text),
  )
  assert.deepEqual(
    memory.records().map(({ seq }) => seq),
    [1, 2, 3],
  )
})

test('the log without a disk keeps the newest, refuses after close, and seals when its sink fails', async () => {
  const small = openMemoryAuditLog({ clock: manualClock(), instance: 'edge', keep: 5 })
  await Promise.all(Array.from({ length: 20 }, (_, n) => small.append(event(`e${n}`))))
  assert.deepEqual(
    small.records().map(({ auditId }) => auditId),
    ['e15', 'e16', 'e17', 'e18', 'e19'],
  )
  assert.deepEqual(small.state, { kind: 'open' })
  await small.close()
  await assert.rejects(small.append(event('late')), withCode('service/stopping'))

  const failing = openMemoryAuditLog({
    clock: manualClock(),
    instance: 'edge',
    sink: () => Promise.reject(new Error('503')),
  })
  await assert.rejects(failing.append(event('a')), withCode('audit/sealed'))
  await assert.rejects(failing.append(event('b')), withCode('audit/sealed'))
  assert.deepEqual(failing.state, { kind: 'sealed', reason: 'the audit sink failed' })
  await assert.rejects(failing.append(), withCode('request/malformed'))
})
