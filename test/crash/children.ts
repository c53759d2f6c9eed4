/** Starting, hearing and ending signers as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Plan } from './points.ts'

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const CHILD = path('./child.ts')
const MAIN = path('../../src/main.ts')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export interface Child<R> {
  /** The ready line; undefined when it ended before it was ready. */
  readonly ready: Promise<R | undefined>
  readonly ended: Promise<Ended>
  kill(): void
}

/** Coverage of a process that is killed half way spoils the whole report. */
const environment = { ...process.env, NODE_V8_COVERAGE: '', COUNTERSIGN_LOG_LEVEL: 'error' }

const own = new Set<ChildProcess>()
process.once('exit', () => own.forEach(child => child.kill('SIGKILL')))

/** Ends what a failed test left running. */
export async function endAll(): Promise<void> {
  const ends = [...own].map(child => new Promise(resolve => child.once('exit', resolve)))
  for (const child of own) child.kill('SIGKILL')
  await Promise.all(ends)
}

export function start<R>(command: readonly string[]): Child<R> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment })
  own.add(child)
  let stdout = ''
  let stderr = ''
  const line = Promise.withResolvers<R | undefined>()
  child.stdout.on('data', (part: Uint8Array) => {
    stdout += new TextDecoder().decode(part)
    const end = stdout.indexOf('\n')
    if (stdout.startsWith('{') && end > 0) line.resolve(JSON.parse(stdout.slice(0, end)) as R)
  })
  child.stderr.on('data', (part: Uint8Array) => void (stderr = (stderr + new TextDecoder().decode(part)).slice(-4_000)))
  child.once('exit', () => own.delete(child))
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      line.resolve(undefined)
      resolve({ code, signal, stderr })
    })
  })
  return { ready: line.promise, ended, kill: () => void child.kill('SIGKILL') }
}

export const startChild = <R>(directory: string, plan: Plan = {}, before: readonly string[] = []): Child<R> =>
  start([...before, process.execPath, CHILD, directory, JSON.stringify(plan)])

export const startMain = <R>(...args: readonly string[]): Child<R> => start([process.execPath, MAIN, ...args])

/**
 * Runs a file of this folder that may die by itself at the point it was given.
 * @returns whether it was killed: it has fewer points otherwise
 */
export async function killed(file: string, ...args: readonly string[]): Promise<boolean> {
  const { code, signal, stderr } = await start([process.execPath, path(`./${file}`), ...args]).ended
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`it ended with ${code}: ${stderr}`)
  return signal === 'SIGKILL'
}

/** Runs a command of ours to its end. */
export async function runMain(...args: readonly string[]): Promise<Ended> {
  return startMain(...args).ended
}
