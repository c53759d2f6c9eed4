import { constants, open, readFile } from 'node:fs/promises'
import { runCli } from './cli/run.ts'
import { createServices } from './compose/cli.ts'
import { jsonLogger } from './compose/log.ts'
import { build, openRuntime } from './runtime/index.ts'

const runtime = await openRuntime()
const stops = new Set<() => void>()
runtime.onSignals({ stop: () => stops.forEach(stop => stop()) })

const loggerAt = (level: string) => jsonLogger(level, line => void runtime.write('stderr', line))
const exitCode = await runCli(runtime.argv(), {
  services: createServices(runtime, build.version, loggerAt),
  world: runtime.world(),
  environment: runtime.environment(),
  onStop: handler => {
    stops.add(handler)
    return () => stops.delete(handler)
  },
  terminal: {
    out: text => runtime.write('stdout', text),
    err: text => runtime.write('stderr', text),
    interactive: runtime.isTerminal('stderr'),
    readInput: runtime.readStdin,
    readFile: path => readFile(path),
    writeSecretFile: async (path, bytes) => {
      const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
      await file.writeFile(bytes)
      await file.sync()
      await file.close()
    },
  },
})
runtime.exit(exitCode)
