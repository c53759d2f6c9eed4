import { runCli } from './cli/run.ts'
import { createServices } from './compose/cli.ts'
import { jsonLogger } from './compose/log.ts'
import { createTerminal } from './compose/terminal.ts'
import { build } from './runtime/build.ts'
import { openRuntime } from './runtime/index.ts'

const runtime = await openRuntime()
const stops = new Set<() => void>()
let stopping = false
runtime.onSignals({
  stop: () => {
    stopping = true
    for (const stop of stops) stop()
  },
})

const loggerAt = (level: string) => jsonLogger(level, line => void runtime.write('stderr', line))
const exitCode = await runCli(runtime.argv(), {
  services: createServices(runtime, build.version, loggerAt),
  world: runtime.world(),
  environment: runtime.environment(),
  terminal: createTerminal(runtime),
  onStop: handler => {
    stops.add(handler)
    if (stopping) handler()
    return () => stops.delete(handler)
  },
})
runtime.exit(exitCode)
