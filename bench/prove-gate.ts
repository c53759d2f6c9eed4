/**
 * `bun bench/prove-gate.ts [--runs 20] [--slowed 5]`: shows that the gate can be relied on. Runs it again and again as it
 * is, which must pass every time, then with the path 30 % slower, which must fail every time.
 *
 * `--calibrate 7` instead runs it so often and writes `bench/budget.json` anew: the median of each ratio, and the headroom
 * above it. For a quiet machine, after a change that is meant to move the ratios; the change of the file is reviewed.
 */
import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { openRuntime } from '../src/runtime/index.ts'
import { calibrated } from './gate/calibrate.ts'
import type { Budget, Finding } from './gate/rule.ts'

const FILE = 'bench/budget.json'
const runtime = await openRuntime()
const { values } = parseArgs({
  args: [...runtime.argv()],
  options: {
    runs: { type: 'string', default: '20' },
    slowed: { type: 'string', default: '5' },
    calibrate: { type: 'string' },
  },
})

interface Told {
  readonly verdict: string
  readonly findings: readonly Finding[]
  readonly rounds: number
  readonly steal: number | null
}

async function series(name: string, runs: number, args: readonly string[]): Promise<Told[]> {
  const all: Told[] = []
  for (let run = 1; run <= runs; run++) {
    const started = performance.now()
    const { stdout } = spawnSync(process.execPath, ['bench/gate.ts', '--json', ...args], { encoding: 'utf8' })
    const told = JSON.parse(stdout) as Told
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    const steal = told.steal === null ? '' : `, steal ${told.steal.toFixed(1)} %`
    const figures = told.findings.map(({ name, median, max, over }) => {
      return `${name} ${median.toFixed(2)} of ${max.toFixed(2)}${over ? ' OVER' : ''}`
    })
    all.push(told)
    const line = `${name} ${run}: ${told.verdict} after ${told.rounds} rounds, ${seconds} s${steal}: ${figures.join(', ')}`
    await runtime.write('stdout', `${line}\n`)
  }
  return all
}

async function prove(): Promise<boolean> {
  let right = true
  for (const [name, runs, args, wanted] of [
    ['unchanged', Number(values.runs), [], 'pass'],
    ['30 % slower', Number(values.slowed), ['--slowdown', '0.3'], 'fail'],
  ] as const) {
    const told = await series(name, runs, args)
    const fits = told.filter(({ verdict }) => verdict === wanted).length
    right &&= fits === runs
    await runtime.write('stdout', `${name}: ${fits} of ${runs} ${wanted}\n`)
  }
  return right
}

async function calibrate(runs: number): Promise<boolean> {
  const told = await series('calibrating', runs, [])
  const budget = calibrated(
    JSON.parse(await readFile(FILE, 'utf8')) as Budget,
    told.map(({ findings }) => findings),
  )
  await writeFile(FILE, `${JSON.stringify(budget, null, 2)}\n`)
  return true
}

const right = await (values.calibrate === undefined ? prove() : calibrate(Number(values.calibrate)))
runtime.exit(right ? 0 : 1)
