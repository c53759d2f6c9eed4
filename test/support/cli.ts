/** The command line in this process: real services on the Bun runtime, a terminal in memory, an environment of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CliContext, Terminal } from '../../src/cli/context.ts'
import { runCli } from '../../src/cli/run.ts'
import { createServices } from '../../src/compose/cli.ts'
import { jsonLogger } from '../../src/compose/log.ts'
import { createTerminal } from '../../src/compose/terminal.ts'
import type { World } from '../../src/domain/ports.ts'
import * as bun from '../../src/runtime/bun.ts'
import { hardeningReport, type HardeningReport, type Runtime } from '../../src/runtime/contract.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const EXAMPLE_FILE = join(ROOT, 'examples/payment.xdr')

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly stdin?: string | Uint8Array
  readonly world?: World
  /** What hardening is said to have done: nothing is done in the process of the tests, where it could not be undone. */
  readonly hardening?: HardeningReport
  readonly interactive?: boolean
  /** The file name it is started by. */
  readonly programName?: string
  readonly terminal?: Partial<Terminal>
  readonly services?: (real: CliContext['services']) => CliContext['services']
  readonly runtime?: Partial<Runtime>
}

export interface Ended {
  readonly exitCode: number
  readonly out: string
  readonly err: string
  /** What `--json` printed. */
  readonly json: Record<string, any>
  readonly hardened: number
}

export interface Started {
  /** The first thing on stdout; rejects when the command ends without a word. */
  readonly ready: Promise<string>
  readonly ended: Promise<Ended>
  /** As the first SIGTERM does. */
  stop(): Promise<Ended>
  /** So far. */
  readonly text: { out: string; err: string }
}

const DONE = hardeningReport([
  { name: 'not-dumpable', status: 'ok' },
  { name: 'no-core-files', status: 'ok' },
  { name: 'no-new-privileges', status: 'ok' },
])

export function start(argv: readonly string[], options: CliOptions = {}): Started {
  const { env = {}, stdin = '', hardening = DONE } = options
  const text = { out: '', err: '' }
  const stops = new Set<() => void>()
  let asked = false
  let hardened = 0
  const { promise: ready, resolve, reject } = Promise.withResolvers<string>()
  const runtime: Runtime = {
    ...bun,
    environment: () => ({ ...env }),
    argv: () => argv,
    world: () => options.world ?? bun.world(),
    harden: () => {
      hardened++
      return hardening
    },
    selfExecutable: () => {
      const command = [process.execPath, join(ROOT, 'src/main.ts')]
      return { path: process.execPath, compiled: false, command }
    },
    isTerminal: () => options.interactive ?? false,
    readStdin: async limit => {
      const bytes = typeof stdin === 'string' ? new TextEncoder().encode(stdin) : stdin
      if (bytes.length > limit) return bun.readStdin(0)
      return bytes
    },
    write: async (stream, line) => {
      if (stream === 'stdout') text.out += line
      else text.err += line
      if (stream === 'stdout') resolve(text.out)
    },
    ...options.runtime,
  }
  const real = createServices(runtime, '1.2.3-test', level => jsonLogger(level, line => void (text.err += line)))
  const context: CliContext = {
    terminal: { ...createTerminal(runtime), ...options.terminal },
    services: options.services?.(real) ?? real,
    world: runtime.world(),
    environment: runtime.environment(),
    ...(options.programName === undefined ? {} : { programName: options.programName }),
    onStop: handler => {
      stops.add(handler)
      if (asked) handler()
      return () => stops.delete(handler)
    },
  }
  const ended = runCli(argv, context).then((exitCode): Ended => {
    const { out, err } = text
    reject(new Error(`${argv.join(' ')} ended with ${exitCode}: ${err}`))
    const parsed = (): Record<string, any> => JSON.parse(out) as Record<string, any>
    return {
      exitCode,
      out,
      err,
      hardened,
      get json() {
        return parsed()
      },
    } // prettier-ignore
  })
  ready.catch(() => {})
  const stop = (): Promise<Ended> => {
    asked = true
    for (const handler of stops) handler()
    return ended
  }
  return { ready, ended, stop, text }
}

export const run = (argv: readonly string[], options: CliOptions = {}): Promise<Ended> => start(argv, options).ended

/** A directory of one test file, 0700. */
export function scratch(): { readonly path: (...names: string[]) => string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  return {
    path: (...names) => join(directory, ...names),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

export interface DevReady {
  readonly ready: true
  readonly dataUrl: string
  readonly localKms: Readonly<Record<'aws' | 'vault' | 'vaultToken' | 'gcpRest' | 'gcpGrpc', string>>
  readonly token: string
  readonly keys: readonly {
    name: string
    chain: string
    network: string
    address: string
    provider: string
    custody: string
  }[]
}

export async function startDev(argv: readonly string[] = [], options: CliOptions = {}) {
  const dev = start(['dev', '--json', ...argv], options)
  const ready = JSON.parse(await dev.ready) as DevReady
  const client = { COUNTERSIGN_URL: ready.dataUrl, COUNTERSIGN_TOKEN: ready.token }
  return { ...dev, ready, client }
}
