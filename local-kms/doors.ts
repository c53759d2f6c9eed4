import type { Host } from './core/host.ts'
import { startServer } from './core/server.ts'
import type { Clock } from './core/clock.ts'
import type { MadeFaces } from './faces.ts'
import type { LocalKmsOptions } from './options.ts'

export type PortOption = 'port' | 'vaultPort' | 'gcpRestPort' | 'gcpGrpcPort'

/** A port that could not be had. `code` is the system's, such as EADDRINUSE. */
export class PortError extends Error {
  override readonly name = 'PortError'
  readonly option: PortOption
  readonly port: number
  readonly code: string
  constructor(option: PortOption, port: number, cause: Error & { code: string }) {
    super(`local-kms cannot listen on port ${port} (${option}): ${cause.code}`, { cause })
    this.option = option
    this.port = port
    this.code = cause.code
  }
}

/** Where each face is; absent: it was not started. */
export interface Doors {
  readonly aws?: string
  readonly vault?: string
  readonly gcpRest?: string
  readonly gcpGrpc?: string
  close(): Promise<void>
}

const BODY_BYTES_MAX = 1024 * 1024

/** Opens a port for each face. When one cannot be had, none stays open. @throws PortError, RangeError for the host */
export async function openDoors(
  options: LocalKmsOptions,
  host: Host & { clock: Clock },
  made: MadeFaces,
): Promise<Doors> {
  const place = { host: options.host ?? '127.0.0.1', allowNonLoopback: options.allowNonLoopback === true }
  const opened: { close(): Promise<void> }[] = []
  const close = async (): Promise<void> => {
    await Promise.all(opened.map(door => door.close()))
  }
  const open = async <D extends { close(): Promise<void> }>(
    option: PortOption,
    start: (port: number) => Promise<D>,
  ): Promise<D> => {
    const port = options[option] ?? 0
    try {
      const door = await start(port)
      opened.push(door)
      return door
    } catch (problem) {
      await close()
      throw problem instanceof Error && typeof (problem as { code?: unknown }).code === 'string'
        ? new PortError(option, port, problem as Error & { code: string })
        : problem
    }
  }
  const http = async (option: PortOption, face: 'aws' | 'vault' | 'gcp'): Promise<string> => {
    const handle = host.handler(face)
    const start = (port: number) =>
      startServer({ ...place, port, bodyBytesMax: BODY_BYTES_MAX, clock: host.clock, handle })
    return (await open(option, start)).url
  }

  const { gcp } = made
  const grpc = async (): Promise<string> => {
    const start = (port: number) => gcp!.startGrpc({ ...place, port })
    return (await open('gcpGrpcPort', start)).address
  }

  return {
    ...(made.aws && { aws: await http('port', 'aws') }),
    ...(made.vault && { vault: await http('vaultPort', 'vault') }),
    ...(gcp && { gcpRest: await http('gcpRestPort', 'gcp'), gcpGrpc: await grpc() }),
    close,
  }
}
