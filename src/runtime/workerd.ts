/** workerd: no process, no socket, no signal. The platform calls us; see `worker`. */
import { SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import {
  type HardeningReport,
  type Listening,
  type SelfExecutable,
  type ServeOptions,
  unsupportedHardening,
} from './contract.ts'
import { realWorld } from './world.ts'

export const runtime = 'workerd' as const
export const wasmFromBytes = false
export const version = (): string => globalThis.navigator?.userAgent ?? 'unknown'
/** workerd knows no `redirect: 'error'`; `manual` does not follow either. */
export const world = (): World => realWorld('manual')
export const harden = (): HardeningReport => unsupportedHardening('an isolate has no process of its own')
export const onSignals = (): (() => void) => () => {}
export const selfExecutable = (): SelfExecutable | undefined => undefined
export const argv = (): readonly string[] => []
export const programName = (): string => ''
export const isTerminal = (): boolean => false

/** Bindings come with each request, not from the process: see `worker`. */
export const environment = (): Record<string, string | undefined> => ({})

const absent = (what: string, fix: string): SignerError =>
  new SignerError('start/refused', { reason: `workerd has no ${what}`, fix })

export const serve = (_options: ServeOptions): Promise<Listening> =>
  Promise.reject(absent('listening sockets', 'Export worker(fetch) as the default export; the platform listens.'))
export const readStdin = (_limitBytes: number): Promise<Uint8Array> =>
  Promise.reject(absent('standard input', 'Send the input as a request.'))
export const exit = (_code: number): never => {
  throw absent('process to end', 'Return a response instead.')
}
export async function write(stream: 'stdout' | 'stderr', text: string): Promise<void> {
  if (stream === 'stdout') console.log(text)
  else console.error(text)
}

/** The default export of a worker: the edge's own header names the peer, since the platform sets and overwrites it. */
export const worker = (fetch: ServeOptions['fetch']) => ({
  fetch: (request: Request): Promise<Response> =>
    fetch(request, { peer: request.headers.get('cf-connecting-ip') ?? 'unknown' }),
})
