/** What every runtime file offers. One interface, so that a difference between runtimes is a type error, not a surprise. */
import type { World } from '../domain/ports.ts'

export const RUNTIMES = ['bun', 'node', 'deno', 'workerd'] as const
export type RuntimeName = (typeof RUNTIMES)[number]

export interface ServeOptions {
  /** `peer` is the address as the socket says it, or `unix`. Headers are never asked. */
  readonly fetch: (request: Request, info: { readonly peer: string }) => Promise<Response>
  readonly host: string
  /** 0 takes any free port. Ignored when `socket` is given. */
  readonly port: number
  /** Path of a unix socket, instead of host and port. Made 0660; one left over by a dead process is replaced. */
  readonly socket?: string
  readonly limits: {
    /** What the edge allows. The runtime cuts off at twice that, so that the edge still gets to answer with a reason. */
    readonly bodyBytes: number
    /** A connection that says nothing for so long is closed. At most 255. */
    readonly idleSeconds: number
    /**
     * So long a request may take to come, headers and body, on Node and Deno. Bun gives the first headers of a connection 10
     * seconds and cannot be told otherwise; there the edge's own deadline ends a slow body. Default `READ_SECONDS`.
     */
    readonly readSeconds?: number
  }
}

/** Against callers that send slowly to hold connections. Looked at once a second. */
export const READ_SECONDS = 5

export interface Listening {
  /** `http://127.0.0.1:8080`, or `unix:/run/countersign.sock`. */
  readonly url: string
  /** 0 for a unix socket. */
  readonly port: number
  /** Takes no new work, waits for what is under way at most `drainMs`, then closes every connection. */
  stop(drainMs: number): Promise<void>
}

export const HARDENING = ['not-dumpable', 'no-core-files', 'no-new-privileges'] as const
export type HardeningName = (typeof HARDENING)[number]

export interface HardeningItem {
  readonly name: HardeningName
  /** `ok` was set and read back; `unsupported` does not exist here. */
  readonly status: 'ok' | 'failed' | 'unsupported'
  readonly reason?: string
}

export interface HardeningReport {
  readonly items: readonly HardeningItem[]
  /** True when every item is `ok`: what `--require-hardening` asks for. */
  readonly complete: boolean
}

export interface SelfExecutable {
  readonly path: string
  /** True in the single binary: `path` alone starts us again. */
  readonly compiled: boolean
  /** What to spawn to start this program again; arguments follow. */
  readonly command: readonly string[]
}

export interface Runtime {
  readonly runtime: RuntimeName
  /** The runtime's own version, for reports. */
  version(): string
  /** Whether WASM may be compiled from bytes in memory: engines that wipe after use need it, workerd refuses it. */
  readonly wasmFromBytes: boolean
  /** @throws `start/refused` when the address or the socket cannot be had. */
  serve(options: ServeOptions): Promise<Listening>
  /** A snapshot. Nothing else in `src` reads the environment. */
  environment(): Record<string, string | undefined>
  /** Arguments after the program's own name. */
  argv(): readonly string[]
  /** The file name it was started by, without folder and `.exe`: a symbolic link's own name, or that of the runtime. */
  programName(): string
  /** Best effort, once, before the first secret is read. */
  harden(): HardeningReport
  /** SIGTERM, SIGINT and SIGHUP call `stop` once; the second one ends the process at once. @returns an undo. */
  onSignals(handlers: { readonly stop: (signal: string) => void }): () => void
  selfExecutable(): SelfExecutable | undefined
  /** The real clock, randomness and network. */
  world(): World
  /** All of standard input. @throws `request/too-large` past `limitBytes`. */
  readStdin(limitBytes: number): Promise<Uint8Array>
  /** Resolves when the text has left the process, so that an exit right after loses nothing. */
  write(stream: 'stdout' | 'stderr', text: string): Promise<void>
  isTerminal(stream: 'stdin' | 'stdout' | 'stderr'): boolean
  exit(code: number): never
}

export const hardeningReport = (items: readonly HardeningItem[]): HardeningReport => ({
  items,
  complete: items.every(item => item.status === 'ok'),
})

export const unsupportedHardening = (reason: string): HardeningReport =>
  hardeningReport(HARDENING.map(name => ({ name, status: 'unsupported', reason })))
