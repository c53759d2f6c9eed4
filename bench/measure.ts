/** The measuring process of `bun run bench`: drives service and emulator, and writes what it found to `bench/out`. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build, openRuntime } from '../src/runtime/index.ts'
import { measureGateway } from './gateway/measure.ts'
import { GROUPS, groupName, TURNS } from './gateway/variants.ts'
import { squareName, squaresOf } from './matrix/cells.ts'
import { commitOf, machineOf, stealBetween, stealNow } from './matrix/machine.ts'
import { ASSUMPTIONS, type Report } from './matrix/report.ts'
import { clockStep } from './matrix/samples.ts'
import { SETTINGS } from './matrix/settings.ts'
import { runSuite } from './matrix/suite.ts'
import { htmlPage } from './paper/html.ts'
import { markdown } from './paper/markdown.ts'
import { terminalTable } from './paper/table.ts'
import { controlOf, type Emulator } from './rig/emulator.ts'
import { startServiceProcess } from './rig/processes.ts'
import { librarySubject } from './subjects/libraries.ts'
import { shuffled } from './matrix/shuffle.ts'

const runtime = await openRuntime()
const [addresses = '{}', ...rest] = runtime.argv()
const args = rest.filter(arg => arg !== '--') // what a script runner may put before its arguments
const { values } = parseArgs({
  args,
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    out: { type: 'string', default: join('bench', 'out') },
  },
})
const emulator = JSON.parse(addresses) as Emulator
const settings = SETTINGS[values.quick ? 'quick' : 'full']
const squares = squaresOf(settings.extent).filter(square => squareName(square).includes(values.only ?? ''))
const groups = GROUPS.filter(group => groupName(group).includes(values.only ?? ''))
const stop = new AbortController()
runtime.onSignals({ stop: () => stop.abort(new Error('stopped')) })
const say = (line: string): void => void runtime.write('stderr', `${line}\n`)

const service = await startServiceProcess([process.execPath, 'bench/service.ts'], emulator)
try {
  const [before, started, date] = [stealNow(), performance.now(), new Date().toISOString()]
  const machine = machineOf()
  say(`${squares.length} cells, ${settings.rounds} rounds; service, emulator and client are processes of their own`)
  const rig = { emulator, control: controlOf(emulator), service: service.value, library: librarySubject }
  const { random, clock } = runtime.world()
  const tools = {
    shuffle: <T>(list: readonly T[]) => shuffled(list, random),
    onProgress: say,
    signal: stop.signal,
    now: () => clock.now(),
  }
  const figures = await runSuite(rig, squares, settings, tools)
  const gateway = await measureGateway(rig.service, rig.control, groups, TURNS[settings.extent], tools)
  const after = stealNow()
  const report: Report = {
    meta: {
      commit: commitOf(),
      machine,
      runtime: `${runtime.runtime} ${runtime.version()}`,
      version: build.version,
      settings,
      date,
      seconds: (performance.now() - started) / 1000,
      timerStepMs: clockStep(),
      stealPercent: stealBetween(before, after),
      steal: before === undefined || after === undefined ? null : { before: before.taken, after: after.taken },
      assumptions: ASSUMPTIONS,
    },
    ...figures,
    gateway,
  }
  await mkdir(values.out, { recursive: true })
  const write = (name: string, text: string) => writeFile(join(values.out, name), text)
  await write('report.json', `${JSON.stringify(report, null, 2)}\n`)
  await write('report.md', markdown(report))
  await write('report.html', htmlPage(report))
  await runtime.write('stdout', `${terminalTable(report)}\n`)
  say(`written: report.json, report.md and report.html in ${values.out}`)
} catch (error) {
  if (!stop.signal.aborted) throw error
  say('stopped before the measurements were complete')
  process.exitCode = 1
} finally {
  await service.stop()
}
runtime.exit(Number(process.exitCode ?? 0))
