/**
 * `bun bench/gate.ts [--slowdown 0.3] [--json]`: fails when signing has become slower against the vendor's client in the same run
 * than `bench/budget.json` allows. Exit code 0 pass, 1 fail.
 */
import { parseArgs } from 'node:util'
import { openRuntime } from '../src/runtime/index.ts'
import budget from './budget.json' with { type: 'json' }
import { gateTable } from './gate/paper.ts'
import { runGate } from './gate/rounds.ts'
import { stealBetween, stealNow } from './matrix/machine.ts'
import { shuffled } from './matrix/shuffle.ts'
import { controlOf } from './rig/emulator.ts'
import { startEmulator, startServiceProcess } from './rig/processes.ts'

/** Since this process began: the whole gate stays under a minute. */
const LIMIT_MS = 48_000
const runtime = await openRuntime()
const { values } = parseArgs({
  args: [...runtime.argv()],
  options: { slowdown: { type: 'string', default: '0' }, json: { type: 'boolean', default: false } },
})
const before = stealNow()
const emulator = await startEmulator([process.execPath, 'bench/emulator.ts'])
let code = 1
try {
  const service = await startServiceProcess([process.execPath, 'bench/service.ts'], emulator.value)
  try {
    const rig = { emulator: emulator.value, control: controlOf(emulator.value), service: service.value }
    const gated = await runGate(rig, {
      budget,
      slowdown: Number(values.slowdown),
      until: LIMIT_MS,
      shuffle: list => shuffled(list, runtime.world().random),
      onProgress: line => void runtime.write('stderr', `${line}\n`),
    })
    const steal = stealBetween(before, stealNow())
    const { findings, verdict, rounds } = gated
    const text = values.json
      ? JSON.stringify({ verdict, findings, rounds: rounds.length, steal })
      : gateTable(gated, steal)
    await runtime.write('stdout', `${text}\n`)
    code = gated.verdict === 'pass' ? 0 : 1
  } finally {
    await service.stop()
  }
} finally {
  await emulator.stop()
}
runtime.exit(code)
