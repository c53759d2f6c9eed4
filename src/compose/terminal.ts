import { constants, open, readFile } from 'node:fs/promises'
import type { Terminal } from '../cli/context.ts'
import type { Runtime } from '../runtime/index.ts'

/** The real one: streams of this process, and files. */
export function createTerminal(runtime: Pick<Runtime, 'write' | 'isTerminal' | 'readStdin'>): Terminal {
  return {
    out: text => runtime.write('stdout', text),
    err: text => runtime.write('stderr', text),
    interactive: runtime.isTerminal('stderr'),
    readInput: runtime.readStdin,
    readFile: path => readFile(path),
    writeSecretFile: async (path, bytes) => {
      const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
      try {
        await file.writeFile(bytes)
        await file.sync()
      } finally {
        await file.close()
      }
    },
  }
}
