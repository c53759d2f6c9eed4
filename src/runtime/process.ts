/** What Bun, Node and Deno share through `node:process`: one reading of it, used by their three files. */
import process from 'node:process'
import { SignerError } from '../domain/errors.ts'

export const environment = (): Record<string, string | undefined> => ({ ...process.env })

export const argv = (): readonly string[] => process.argv.slice(2)

/** `argv0` is as the caller wrote it; `argv[0]` and `execPath` tell where a symbolic link leads. */
export const programName = (): string => process.argv0.replace(/^.*[/\\]/, '').replace(/\.exe$/i, '')

export const exit = (code: number): never => process.exit(code)

export const isTerminal = (stream: 'stdin' | 'stdout' | 'stderr'): boolean => process[stream].isTTY === true

const heard = new Set<'stdout' | 'stderr'>()
/** Whoever writes hears of an error by the promise. The stream tells it as an event too, which ends a process that is deaf to it. */
function hear(stream: 'stdout' | 'stderr'): void {
  if (heard.has(stream)) return
  heard.add(stream)
  process[stream].on('error', () => {})
}

export function write(stream: 'stdout' | 'stderr', text: string): Promise<void> {
  hear(stream)
  return new Promise((resolve, reject) => {
    // A reader that has seen enough (`… | head`) closes the pipe; that is no failure of ours.
    const isClosed = (error: NodeJS.ErrnoException) => error.code === 'EPIPE'
    try {
      process[stream].write(text, error => (error && !isClosed(error) ? reject(error) : resolve()))
    } catch (error) {
      if (isClosed(error as NodeJS.ErrnoException)) resolve()
      else reject(error)
    }
  })
}

export const readStdin = (limitBytes: number): Promise<Uint8Array> => readAll(process.stdin, limitBytes)

/** @throws `request/too-large` as soon as more than `limitBytes` have come. */
export async function readAll(source: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of source) {
    length += part.length
    if (length > limitBytes) throw new SignerError('request/too-large', { limitBytes })
    parts.push(part)
  }
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Exit status of a process ended by a signal is 128 plus its number. */
const STOP_SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

export function onSignals(handlers: { readonly stop: (signal: string) => void }): () => void {
  let stopping = false
  const listeners = Object.entries(STOP_SIGNALS).map(([signal, number]) => {
    const listener = () => {
      if (stopping) process.exit(128 + number)
      stopping = true
      handlers.stop(signal)
    }
    process.on(signal, listener)
    return () => process.off(signal, listener)
  })
  // By default SIGUSR1 ends the process or opens a debugger, depending on the runtime. Here it does nothing.
  const ignore = () => {}
  process.on('SIGUSR1', ignore)
  listeners.push(() => process.off('SIGUSR1', ignore))
  return () => {
    for (const remove of listeners) remove()
  }
}
