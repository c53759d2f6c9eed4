import { build } from './runtime/build.ts'
import { openRuntime } from './runtime/index.ts'

const runtime = await openRuntime()
// Asked by scripts and health checks: answered before anything is loaded that signing needs.
const [first = '', ...others] = runtime.argv()
if (others.length === 0 && ['--version', '-V'].includes(first)) {
  await runtime.write('stdout', `${build.version}\n`)
  runtime.exit(0)
}

const { runCli } = await import('./cli/run.ts')
const { createServices } = await import('./compose/cli.ts')
const { jsonLogger } = await import('./compose/log.ts')
const { createTerminal } = await import('./compose/terminal.ts')
const stops = new Set<() => void>()
let stopping = false
runtime.onSignals({
  stop: () => {
    stopping = true
    for (const stop of stops) stop()
  },
})

// A log that cannot be written, as on a full disk, ends nothing: the audit log is what has to be.
const loggerAt = (level: string) => jsonLogger(level, line => void runtime.write('stderr', line).catch(() => {}))
const exitCode = await runCli(runtime.argv(), {
  services: createServices(runtime, build.version, loggerAt),
  world: runtime.world(),
  environment: runtime.environment(),
  terminal: createTerminal(runtime),
  programName: runtime.programName(),
  onStop: handler => {
    stops.add(handler)
    if (stopping) handler()
    return () => stops.delete(handler)
  },
})
runtime.exit(exitCode)
