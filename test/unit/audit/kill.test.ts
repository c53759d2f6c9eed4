import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeAuditFiles } from '../../../src/audit/node-files.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import { allRecords, openLog, realClock, seeded } from '../../support/audit-world.ts'

const KILLS = Number(process.env['AUDIT_KILLS'] ?? 60)
const CHILD = fileURLToPath(new URL('../../support/audit-child.ts', import.meta.url))
const isDeno = 'Deno' in globalThis

// A process that is killed leaves half a coverage report, which spoils all of it.
const childEnv = { ...process.env, NODE_V8_COVERAGE: '' }

/** Runs the writer, kills it after so many acknowledgements, and answers what it had acknowledged. */
function runAndKill(directory: string, run: number, afterLines: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const args = [...(isDeno ? ['run', '-A'] : []), CHILD, directory, String(run)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: childEnv })
    let out = ''
    let talk = ''
    child.stdout.on('data', (part: Uint8Array) => {
      out += new TextDecoder().decode(part)
      if (out.split('\n').length > afterLines) child.kill('SIGKILL')
    })
    child.stderr.on('data', (part: Uint8Array) => void (talk += new TextDecoder().decode(part)))
    child.on('error', reject)
    child.on('close', (_code, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`the writer stopped by itself: ${talk}`))
      // The last line may be cut by the kill; what is whole was acknowledged.
      resolve(out.split('\n').slice(0, -1))
    })
  })
}

test(`R-01 A1 A10 ${KILLS} × kill -9 on the log: no acknowledged record is lost, every intent has an outcome, recovery within 2 s`, {
  timeout: 300_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'audit-kill-'))
  const draw = seeded(KILLS)
  const acknowledged: string[] = []
  let slowest = 0
  try {
    for (let run = 0; run < KILLS; run++) {
      acknowledged.push(...(await runAndKill(directory, run, 1 + Math.floor(draw() * 300))))
      if (run % 10 < 9) continue
      const files = await nodeAuditFiles(directory, { access: 'write' })
      const start = performance.now()
      const { log } = await openLog(files, { clock: realClock })
      slowest = Math.max(slowest, performance.now() - start)
      await log.close()
      const records = await allRecords(files)
      const ids = new Set(records.map(record => `${record.kind} ${record.auditId}`))
      for (const line of acknowledged) assert.ok(ids.has(line), `run ${run}: ${line} was acknowledged and is lost`)
      for (const record of records)
        if (record.kind === 'intent')
          assert.ok(ids.has(`outcome ${record.auditId}`), `${record.auditId} has no outcome`)
      assert.equal(
        records.filter(({ kind }) => kind === 'outcome').length,
        records.filter(({ kind }) => kind === 'intent').length,
      )
      const report = await verifyAuditLog(files)
      assert.ok(report.ok, JSON.stringify(report))
    }
    assert.ok(acknowledged.length > KILLS * 50, `${acknowledged.length} acknowledged`)
    assert.ok(slowest < 2_000, `recovery took ${slowest} ms`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
