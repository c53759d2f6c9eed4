/** What those hear, and write, who have shown nothing of who they are. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRefusals } from '../../../src/audit/refusals.ts'
import { type Check, openEdge } from '../../../src/http/edge.ts'
import { openControlRig, person } from '../../support/control-rig.ts'
import { memoryLogger } from '../../support/rig.ts'

function health(checks: () => readonly Check[]) {
  const logs: Record<string, unknown>[] = []
  const edge = openEdge(
    {
      random: { bytes: length => new Uint8Array(length) },
      logger: memoryLogger(logs),
      readiness: async () => checks(),
      incident: error => {
        throw error
      },
      document: async () => ({}),
      stray: () => {},
    },
    () => {},
  )
  const ask = async () => {
    const response = await edge(new Request('http://127.0.0.1/readyz'), { peer: '192.0.2.1' })
    return { status: response.status, text: await response.text() }
  }
  return { ask, logs }
}

test('readiness tells anybody which kind of thing fails, and the names and reasons to the log alone, once a change', async () => {
  let checks: readonly Check[] = [
    { name: 'audit', ok: true },
    { name: 'providers', ok: true, detail: 'aws-eu: open, 1 of its keys open' },
  ]
  const { ask, logs } = health(() => checks)
  assert.deepEqual(JSON.parse((await ask()).text), {
    status: 'ok',
    checks: [
      { name: 'audit', ok: true },
      { name: 'providers', ok: true },
    ],
  })
  checks = [
    { name: 'audit', ok: false, detail: 'sealed: disk full' },
    { name: 'configuration', ok: false, detail: 'cannot be opened: vault-payments' },
  ]
  for (let at = 0; at < 3; at++) {
    const { status, text } = await ask()
    assert.equal(status, 503)
    assert.doesNotMatch(text, /aws|vault|disk|sealed|opened/)
  }
  checks = [{ name: 'audit', ok: true }]
  await ask()
  await ask()
  assert.deepEqual(
    logs.map(({ event, checks: said }) => [event, said]),
    [
      ['readiness-troubled', 'providers: aws-eu: open, 1 of its keys open'],
      ['readiness-troubled', 'failed audit: sealed: disk full; failed configuration: cannot be opened: vault-payments'],
      ['ready-again', undefined],
    ],
  )
})

test('T66 a flood of login challenges writes a bounded number of records, waits for no disk, and its use is on record', async () => {
  let appended = 0
  const rig = openControlRig({
    audit: real => ({
      get state() {
        return real.state
      },
      close: real.close,
      append: (...entries) => {
        appended++
        return real.append(...entries)
      },
    }),
    parts: real => {
      const { audit: log, world } = real
      let serial = 0
      const refusals = createRefusals({ log, clock: world.clock, newAuditId: () => `a_${serial++}` })
      const record = (entry: Parameters<typeof refusals.record>[0]): void => void refusals.record(entry).catch(() => {})
      return { ...real, recordRefusal: record, recordOpen: record }
    },
  })
  const body = { address: person('anybody').address }
  for (let at = 0; at < 400; at++) assert.equal((await rig.call('POST', '/auth/challenge', { body })).status, 200)
  assert.equal(appended, 100)
  const challenges = rig.records().filter(record => record.kind === 'event' && record.event === 'login.challenge')
  assert.equal(challenges.length, 100)
  // Refusals have a window of their own.
  await rig.call('POST', '/auth/challenge', { body: { address: 'x' } })
  assert.equal(rig.records().at(-1)?.kind, 'outcome')
})
