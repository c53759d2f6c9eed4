import { createServer, type Socket } from 'node:net'
import { addressText, checkHost, listen } from './server.ts'

/** A server that takes sockets somebody else accepted. */
export interface SocketTaker {
  take(socket: Socket): void
  close(): Promise<void> | void
}

export interface LazyPort {
  /** Without brackets where it is a name or IPv4. */
  readonly host: string
  readonly port: number
  /** `host:port`, as gRPC clients take it. */
  readonly address: string
  close(): Promise<void>
}

export interface LazyPortOptions {
  readonly host: string
  readonly port: number
  readonly allowNonLoopback?: boolean | undefined
  /** Called at the first connection; when it fails, that connection ends and the next one tries again. */
  readonly open: () => Promise<SocketTaker>
}

/**
 * A port that is known at once and costs nothing until somebody connects: a heavy server behind it is loaded only then.
 * @throws RangeError when the host is not a loopback address and that was not allowed in so many words.
 */
export async function listenLazily(options: LazyPortOptions): Promise<LazyPort> {
  checkHost(options.host, options.allowNonLoopback === true)
  const sockets = new Set<Socket>()
  let taker: Promise<SocketTaker> | undefined
  let closed = false

  const handOver = async (socket: Socket): Promise<void> => {
    taker ??= options.open()
    try {
      const ready = await taker
      if (closed || socket.destroyed) socket.destroy()
      else ready.take(socket)
    } catch {
      taker = undefined
      socket.destroy()
    }
  }
  const server = createServer(socket => {
    socket.pause() // what the client sends first (the HTTP/2 preface) waits; `pauseOnConnect` loses it on some runtimes
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {}) // a client that hangs up is no failure of the process
    handOver(socket).catch(() => socket.destroy())
  })
  const port = await listen(server, options)

  return {
    host: options.host,
    port,
    address: addressText(options.host, port),
    async close() {
      closed = true
      const ended = new Promise<void>(resolve => server.close(() => resolve()))
      const ready = await taker?.catch(() => undefined)
      await ready?.close()
      for (const socket of sockets) socket.destroy()
      await ended
    },
  }
}
