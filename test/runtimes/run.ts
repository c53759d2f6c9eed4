/** Starts each runtime on its own file of `runners/` and reads what it says. For the process that runs the tests, on Bun. */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CoreReport, ServicesReport } from './report.ts'
import type { Places } from './services/places.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const runner = (name: string): string => join(ROOT, 'test/runtimes/runners', `${name}.ts`)

/** The binary itself stands in a package for this platform; the `deno` package only finds it after a script it may not run. */
export function denoBinary(): string {
  const folder = join(ROOT, 'node_modules/@deno')
  const wanted = `${process.platform}-${process.arch}`
  const name = readdirSync(folder).find(each => each.startsWith(wanted))
  if (name === undefined) throw new Error(`No package of Deno for ${wanted} is installed`)
  return join(folder, name, process.platform === 'win32' ? 'deno.exe' : 'deno')
}

/** No network, no writing, no processes: what the core needs is reading its own sources. */
const DENO = [
  'run',
  '--no-check',
  '--no-remote',
  '--cached-only',
  '--no-prompt',
  '--node-modules-dir=manual',
  '--allow-read',
  '--allow-env',
]
/** Key services on this machine and nobody else, and what AWS's own client says of the system in its `User-Agent`. */
const DENO_SERVICES = ['--allow-net=127.0.0.1', '--allow-sys=osRelease']

const RUNTIMES: Readonly<Record<string, (services: boolean) => readonly string[]>> = {
  bun: () => [process.execPath, runner('bun')],
  node: () => [join(ROOT, 'node_modules/.bin/node'), '--disable-warning=ExperimentalWarning', runner('node')],
  deno: services => [denoBinary(), ...DENO, ...(services ? DENO_SERVICES : []), runner('deno')],
  workerd: () => [process.execPath, runner('workerd')],
}
export const RUNTIME_NAMES = Object.keys(RUNTIMES)

export const runCore = (runtime: string): Promise<CoreReport> => run<CoreReport>(runtime)
export const runServicesOn = (runtime: string, places: Places): Promise<ServicesReport> =>
  run<ServicesReport>(runtime, places)

function run<Report>(name: string, places?: Places): Promise<Report> {
  const [program = '', ...args] = RUNTIMES[name]?.(places !== undefined) ?? []
  if (places !== undefined) args.push(JSON.stringify(places))
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', part => (stdout += String(part)))
    child.stderr.on('data', part => (stderr += String(part)))
    child.once('error', reject)
    child.once('close', code => {
      const line = stdout.split('\n').findLast(each => each.startsWith('{'))
      if (code !== 0 || line === undefined) reject(new Error(`${name} ended with ${code}:\n${stdout}${stderr}`))
      else resolve(JSON.parse(line) as Report)
    })
  })
}
