/** Builds a binary the way `bun run build` does, and starts it somewhere it knows nothing about. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Built } from '../../scripts/build.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
export const REAL_ENTRY = 'src/main.ts'
/** Shows its surroundings; made with the same flags, so that it is locked down the same way. */
export const SHOW_ENTRY = 'test/binary/fixtures/entry.ts'

/** Open to other users, since some tests run the binary as one. */
export function temporary(name: string): { path: string; remove: () => void } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `countersign-${name}-`)))
  chmodSync(path, 0o755)
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export const buildInto = (folder: string, entry: string): Built =>
  build({ entry, outfile: join(folder, 'countersign') })

/** `EVIL` in an output means that foreign code ran inside the binary. */
export const EVIL = 'EVIL CODE RAN'

/** A working directory full of traps: each file would change a program that trusts where it stands. */
export function trappedFolder(): { path: string; remove: () => void } {
  const folder = temporary('traps')
  const evil = `globalThis.preloaded = true; console.log(${JSON.stringify(EVIL)})`
  for (const name of ['evil.ts', 'evil.js', 'evil.cjs']) writeFileSync(join(folder.path, name), evil)
  for (const name of ['.env', '.env.local', '.env.production', '.env.development']) {
    writeFileSync(join(folder.path, name), 'CANARY=leaked\n')
  }
  writeFileSync(join(folder.path, 'bunfig.toml'), 'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n')
  writeFileSync(join(folder.path, 'tsconfig.json'), '{{ not json')
  writeFileSync(join(folder.path, 'package.json'), '{"type": not json')
  return folder
}

export interface Ended {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | null
  readonly signal: string | null
}

export interface Started {
  readonly pid: number
  /** The first line that is JSON and passes `wanted`. */
  line(wanted: (value: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  kill(signal: NodeJS.Signals): void
  readonly ended: Promise<Ended>
}

/** A test that fails half way must not leave a server behind. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Nothing of our own environment goes along but what is given. */
export function start(
  command: readonly string[],
  options: { cwd: string; env?: Record<string, string>; uid?: number; limitMs?: number },
): Started {
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? {},
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  running.add(child)
  let stdout = ''
  let stderr = ''
  const watchers = new Set<() => void>()
  child.stdout.on('data', (part: Uint8Array) => {
    stdout += new TextDecoder().decode(part)
    for (const watcher of watchers) watcher()
  })
  child.stderr.on('data', (part: Uint8Array) => {
    stderr += new TextDecoder().decode(part)
  })
  const limit = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? 30_000)
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(limit)
      running.delete(child)
      resolve({ stdout, stderr, code, signal })
    })
  })
  const line = (wanted: (value: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = stdout
          .split('\n')
          .slice(0, -1)
          .map(parsed)
          .find(value => value !== undefined && wanted(value))
        if (found === undefined) return
        watchers.delete(look)
        resolve(found)
      }
      watchers.add(look)
      ended.then(
        end => reject(new Error(`Ended (${end.code ?? end.signal}) before it said so:\n${end.stdout}${end.stderr}`)),
        reject,
      )
      look()
    })
  return { pid: child.pid ?? 0, line, kill: signal => child.kill(signal), ended }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
