import { SignerError } from '../domain/errors.ts'
import type { Terminal } from './context.ts'

/** What a command was pointed at: where it was named, and how much of it is read. */
export interface Input {
  /** The option or argument, as the user wrote it. */
  readonly field: string
  /** A file, or `-` for standard input. */
  readonly path: string
  readonly bytesMax: number
}

/**
 * A file or standard input, whole. The caller wipes it if it is a secret.
 * @throws `request/malformed` naming the option when the file cannot be read or is too long; `request/too-large` for stdin
 */
export async function readInput(terminal: Terminal, { field, path, bytesMax }: Input): Promise<Uint8Array> {
  if (path === '-') return terminal.readInput(bytesMax)
  const bytes = await terminal.readFile(path).catch((cause: unknown) => {
    const { code = 'unknown' } = cause as { code?: string }
    throw usage(field, `${JSON.stringify(path)} cannot be read (${code})`, 'check the path and its permissions', cause)
  })
  if (bytes.length <= bytesMax) return bytes
  const found = bytes.length
  bytes.fill(0)
  throw usage(field, `${JSON.stringify(path)} has ${found} bytes`, `give a file of at most ${bytesMax} bytes`)
}

export async function readText(terminal: Terminal, input: Input): Promise<string> {
  return new TextDecoder().decode(await readInput(terminal, input)).trim()
}

/** A mistake on the command line: exit code 2. */
export const usage = (field: string, reason: string, fix: string, cause?: unknown): SignerError =>
  new SignerError('request/malformed', { field, reason, fix }, { cause })
