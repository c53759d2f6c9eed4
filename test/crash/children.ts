/** Starting, hearing and ending signers as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
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
  readonly pid: number | undefined
}

/** Coverage of a process that is killed half way spoils the whole report. */
const environment = { ...process.env, NODE_V8_COVERAGE: '', COUNTERSIGN_LOG_LEVEL: 'error' }

const own = new Set<ChildProcess>()
process.once('exit', () => own.forEach(child => child.kill('SIGKILL')))

/** Ends what a failed test left running. */
export async function endAll(): Promise<void> {
  const ends = [...own].map(child => new Promise(resolve => child.once('close', resolve)))
  for (const child of own) child.kill('SIGKILL')
  await Promise.all(ends)
}

export function start<R>(command: readonly string[]): Child<R> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment })
  own.add(child)
  let stderr = ''
  child.stderr.on('data', (part: Uint8Array) => void (stderr = (stderr + new TextDecoder().decode(part)).slice(-4_000)))
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      own.delete(child)
      resolve({ code, signal, stderr })
    })
  })
  const line = new Promise<R>(resolve => {
    createInterface({ input: child.stdout }).once('line', text => resolve(JSON.parse(text) as R))
  })
  return {
    ready: Promise.race([line, ended.then(() => undefined)]),
    ended,
    kill: () => void child.kill('SIGKILL'),
    pid: child.pid,
  }
}

export const startChild = <R>(directory: string, plan: Plan = {}, before: readonly string[] = []): Child<R> =>
  start([...before, process.execPath, CHILD, directory, JSON.stringify(plan)])

export const startMain = <R>(...args: readonly string[]): Child<R> => start([process.execPath, MAIN, ...args])

/** Runs a command of ours to its end. */
export async function runMain(...args: readonly string[]): Promise<Ended> {
  return startMain(...args).ended
}
