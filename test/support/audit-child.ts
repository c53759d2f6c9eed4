/** Writes to an audit log as fast as it can, from 16 callers, and prints a line for each record that is on disk. Made to be killed. */
import { writeSync } from 'node:fs'
import { openAuditLog } from '../../src/audit/open.ts'
import { nodeAuditFiles } from '../../src/audit/node-files.ts'
import { intent, outcome, realClock } from './audit-world.ts'

const [directory, run] = process.argv.slice(2)
const files = await nodeAuditFiles(directory!, { access: 'write' })
const { log } = await openAuditLog({
  files,
  clock: realClock,
  instance: `child-${run}`,
  limits: { segmentBytes: 200_000 },
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
await Promise.all(Array.from({ length: 16 }, (_, name) => caller(name)))
