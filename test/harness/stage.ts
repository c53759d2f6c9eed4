/** A child process with a log file, a heartbeat and a hard end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

export interface Ran {
  readonly ok: boolean
  readonly seconds: number
  readonly output: string
  readonly why?: string
}

const running = new Set<ChildProcess>()

/** Variables that change what a test sees. Tests get the same world on every machine. */
const FOREIGN = /^(AWS_|VAULT_|GOOGLE_|GCP_|GCLOUD_|KMS_|HSM_|COUNTERSIGN_|BUN_|NODE_|DENO_|OTEL_|SSL_CERT_)|_PROXY$/i
/** Where packages come from and are kept may stay as the machine has it. */
const KEPT = new Set(['BUN_INSTALL', 'BUN_INSTALL_CACHE_DIR', 'NODE_EXTRA_CA_CERTS', 'DENO_DIR', 'COUNTERSIGN_BAO'])

export function testEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => KEPT.has(name) || !FOREIGN.test(name))
  return { ...Object.fromEntries(kept), NO_COLOR: '1', DO_NOT_TRACK: '1', TZ: 'UTC', ...extra }
}

export interface ChildOptions {
  readonly cwd: string
  readonly log: string
  readonly env: NodeJS.ProcessEnv
  readonly limitMinutes: number
  readonly heartbeat: (seconds: number, lastLine: string) => void
}

/** Never rejects: a child that cannot start is a stage that failed. */
export function runChild(command: readonly string[], options: ChildOptions): Promise<Ran> {
  mkdirSync(dirname(options.log), { recursive: true })
  const [program = '', ...rest] = command
  const started = performance.now()
  return new Promise(resolve => {
    const log = createWriteStream(options.log)
    const parts: string[] = []
    let why: string | undefined
    const child = spawn(program, rest, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child)
    const keep = (part: Uint8Array) => {
      parts.push(new TextDecoder().decode(part))
      log.write(part)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const beat = setInterval(() => options.heartbeat(seconds(), lastLine(parts)), 30_000)
    const limit = setTimeout(() => {
      why = `ended after ${options.limitMinutes} minutes`
      child.kill('SIGKILL')
    }, options.limitMinutes * 60_000)
    const seconds = () => (performance.now() - started) / 1000
    const finish = (ok: boolean, reason?: string) => {
      clearInterval(beat)
      clearTimeout(limit)
      running.delete(child)
      log.end()
      const because = why ?? reason
      resolve({ ok, seconds: seconds(), output: parts.join(''), ...(because === undefined ? {} : { why: because }) })
    }
    child.once('error', error => finish(false, error.message))
    child.once('close', (code, signal) =>
      finish(code === 0, code === 0 ? undefined : signal === null ? `exit code ${code}` : `ended by ${signal}`),
    )
  })
}

const lastLine = (parts: readonly string[]): string =>
  (parts.slice(-5).join('').trimEnd().split('\n').at(-1) ?? '').slice(0, 100)

/** Ctrl-C ends the children too. */
export function endChildren(): void {
  for (const child of running) child.kill('SIGKILL')
}
