/**
 * `bun run bench [-- --quick]`: starts the emulator as a process, then the measuring process with the emulator's address
 * in its environment (one of the libraries compared takes no other), and ends both.
 */
import { spawn } from 'node:child_process'
import { openRuntime } from '../src/runtime/index.ts'
import { startEmulator } from './rig/processes.ts'

const runtime = await openRuntime()
const here = process.execPath
const emulator = await startEmulator([here, 'bench/emulator.ts'])
let code = 1
try {
  const child = spawn(here, ['bench/measure.ts', JSON.stringify(emulator.value), ...runtime.argv()], {
    stdio: 'inherit',
    env: { ...runtime.environment(), AWS_ENDPOINT_URL_KMS: emulator.value.aws },
  })
  const undo = runtime.onSignals({ stop: () => child.kill('SIGTERM') })
  code = await new Promise<number>(resolve => {
    child.once('error', () => resolve(1))
    child.once('exit', status => resolve(status ?? 1))
  })
  undo()
} finally {
  await emulator.stop()
}
runtime.exit(code)
