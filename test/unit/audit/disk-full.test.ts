import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createMemoryFiles } from '../../../src/audit/memory-files.ts'
import { nodeAuditFiles } from '../../../src/audit/node-files.ts'
import { reopenAuditLog } from '../../../src/audit/open.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import { allRecords, intent, manualClock, openLog, outcome, realClock, withCode } from '../../support/audit-world.ts'

const actor = { subject: 'operator', peer: 'cli' }

test('R-04 T47 a disk that is full after every one of 100 record boundaries: sealed, nothing behind the last durable record, usable after space and reopen', async () => {
  const clock = manualClock()
  for (let room = 0; room < 100; room++) {
    const files = createMemoryFiles()
    const { log } = await openLog(files, { limits: { segmentBytes: 20_000 } })
    let left = room
    files.fault = ({ kind, name }) => {
      if (name === 'STATE' || (kind !== 'write' && kind !== 'open')) return undefined
      return left-- > 0 ? undefined : room % 2 === 0 ? 'ENOSPC' : kind === 'write' ? 'short' : 'ENOSPC'
    }
    const acknowledged: string[] = []
    let refused: unknown
    for (let n = 0; refused === undefined; n++) {
      try {
        await log.append(intent(`s${n}`))
        acknowledged.push(`intent s${n}`)
        await log.append(outcome(`s${n}`))
        acknowledged.push(`outcome s${n}`)
      } catch (error) {
        refused = error
      }
    }
    assert.ok(withCode('audit/sealed')(refused))
    await log.close()
    const disk = files.synced()
    await assert.rejects(openLog(disk), withCode('audit/sealed'))
    const { recovery } = await reopenAuditLog({ files: disk, clock, instance: 'test', actor })
    const records = await allRecords(disk)
    const asked = records.filter(
      record => record.kind !== 'event' && !(record.kind === 'outcome' && record.result === 'interrupted'),
    )
    assert.deepEqual(
      asked.map(record => `${record.kind} ${record.auditId}`),
      acknowledged,
      `room for ${room}`,
    )
    assert.equal(recovery.interrupted.length, acknowledged.length % 2)
    assert.ok((await verifyAuditLog(disk)).ok)
  }
})

// The limit would cut the child's coverage report too, which spoils all of it.
const childEnv = { ...process.env, NODE_V8_COVERAGE: '' }

const noShell = process.platform === 'win32' && 'needs a Unix shell'

test('R-04 a real limit of the system (ulimit -f): the process seals itself, the marker is on disk, no acknowledged record is lost', {
  skip: noShell,
  timeout: 60_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'audit-full-'))
  try {
    const child = fileURLToPath(new URL('../../support/audit-child.ts', import.meta.url))
    const args = [...('Deno' in globalThis ? ['run', '-A'] : []), child, directory, 'full', '10000000']
    // With the signal ignored, a write beyond the limit is short or fails with EFBIG.
    const { stdout, stderr, status } = spawnSync(
      'sh',
      ['-c', 'trap "" XFSZ; ulimit -f 300; exec "$@"', 'sh', process.execPath, ...args],
      {
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
        env: childEnv,
      },
    )
    assert.equal(status, 0, stderr)
    assert.match(stderr, /write to 00000001\.log (failed|took \d+ of \d+ bytes)/)
    const acknowledged = stdout.split('\n').slice(0, -1)
    assert.ok(acknowledged.length > 50)
    const files = await nodeAuditFiles(directory, { access: 'write' })
    await assert.rejects(openLog(files), withCode('audit/sealed'))
    await reopenAuditLog({ files, clock: realClock, instance: 'test', actor })
    const ids = new Set((await allRecords(files)).map(record => `${record.kind} ${record.auditId}`))
    for (const line of acknowledged) assert.ok(ids.has(line), `${line} was acknowledged`)
    assert.ok((await verifyAuditLog(files)).ok)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
