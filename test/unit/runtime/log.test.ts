/** A log nobody can write: standard error on a full disk. */
import { expect, test } from 'bun:test'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../support/cli.ts'

const FULL = '/dev/full'

/** What `src/main.ts` makes its logger of, in a process that lives on. */
const CHILD = `
import { write } from ${JSON.stringify(join(ROOT, 'src/runtime/process.ts'))}
let failed = 0
for (let line = 0; line < 3; line++) await write('stderr', 'a line').catch(() => failed++)
setTimeout(() => write('stdout', String(failed)), 100)`

test.skipIf(!existsSync(FULL))(
  'T47 log lines that do not fit on the disk end no process; who writes them is told',
  async () => {
    const full = openSync(FULL, 'w')
    const child = Bun.spawn([process.execPath, '-e', CHILD], { stdin: 'ignore', stdout: 'pipe', stderr: full })
    try {
      expect(await new Response(child.stdout).text()).toBe('3')
      expect(await child.exited).toBe(0)
    } finally {
      closeSync(full)
    }
  },
)

test.skipIf(!existsSync(FULL))('data that does not fit is an error: standard output is no log', async () => {
  const full = openSync(FULL, 'w')
  const child = Bun.spawn([process.execPath, join(ROOT, 'src/main.ts'), '--version'], { stdout: full, stderr: 'pipe' })
  try {
    expect(await child.exited).not.toBe(0)
  } finally {
    closeSync(full)
  }
})
