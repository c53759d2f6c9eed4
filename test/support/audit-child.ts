/** Writes to an audit log as fast as it can, from 16 callers, and prints a line for each record that is on disk. Made to be killed. */
import { writeSync } from 'node:fs'
import { openAuditLog } from '../../src/audit/open.ts'
import { nodeAuditFiles } from '../../src/audit/node-files.ts'
import { intent, outcome, realClock } from './audit-world.ts'

const [directory, run, segmentBytes = '200000'] = process.argv.slice(2)
const files = await nodeAuditFiles(directory!, { access: 'write' })
const { log } = await openAuditLog({
  files,
  clock: realClock,
  instance: `child-${run}`,
  limits: { segmentBytes: Number(segmentBytes) },
})

const caller = async (name: number): Promise<void> => {
  for (let n = 0; ; n++) {
    const id = `${run}-${name}-${n}`
    await log.append(intent(id))
    writeSync(1, `intent ${id}\n`)
    await log.append(outcome(id))
    writeSync(1, `outcome ${id}\n`)
  }
}
await Promise.allSettled(Array.from({ length: 16 }, (_, name) => caller(name)))
// Reached only when the log is sealed: on a full disk.
writeSync(2, `${log.state.kind === 'sealed' ? log.state.reason : 'open'}\n`)
await log.close()
