import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { nodeAuditFiles } from '../../../src/audit/node-files.ts'

/** Node gives its collector only to those who ask; Bun has it always. */
function collector(): () => void {
  const bun = (globalThis as { Bun?: { gc(force: boolean): void } }).Bun
  if (bun !== undefined) return () => bun.gc(true)
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

test('T47 R-04 a file that a failed step left behind is not collected, which would end the process', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'countersign-held-'))
  try {
    const files = await nodeAuditFiles(directory, { access: 'write' })
    const collect = collector()
    for (let round = 0; round < 20; round++) {
      await files.open(`dropped-${round}.log`, 'create')
      collect()
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.equal((await files.list()).length, 20) // and nobody threw
  } finally {
    await rm(directory, { recursive: true })
  }
})
