/** A TCP proxy between a provider and its service that breaks the connection where it is told to. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { reset } from '../support/scripted-server.ts'
import { answerReader, type Piece, type Protocol, requestReader } from './frames.ts'

/** `accept`: no byte is read. `request`: it has come, and the service has it. `head`, `body`: half of that part of the answer is out. */
export interface Break {
  readonly at: 'accept' | 'request' | 'head' | 'body'
  /** `drip`: one byte a second from there on. */
  readonly does: 'hang' | 'reset' | 'end' | 'drip'
}

export interface FaultProxy {
  readonly url: string
  /** Requests that came whole, since start. */
  readonly requests: number
  /** From now on; undefined: everything passes. */
  wire: Break | undefined
  /** A line for the head of every HTTP/1.1 answer, such as `retry-after: 1`. */
  header: string | undefined
  /** Inverts a bit in the next bytes of the service. */
  damageNext(): void
  /** Nobody listens any more. */
  refuse(): Promise<void>
  /** Listens again, where it did. @throws when somebody else does */
  listenAgain(): Promise<void>
  close(): Promise<void>
}

/** @param target  `host:port` of the service @param protocol  `raw`: nothing is read of what passes */
export async function faultProxy(target: string, protocol: Protocol | 'raw', scheme = 'http'): Promise<FaultProxy> {
  const sockets = new Set<Socket>()
  const { hostname, port: targetPort } = new URL(`tcp://${target}`)
  const state = { requests: 0, damage: false }
  const track = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }

  const accept = (client: Socket): void => {
    track(client)
    if (proxy.wire?.at === 'accept') {
      if (proxy.wire.does === 'reset') reset(client)
      else client.pause()
      return
    }
    const service = track(connect(Number(targetPort), hostname))
    const requests = protocol === 'raw' ? undefined : requestReader(protocol)
    const answers = protocol === 'raw' ? undefined : answerReader(protocol)
    const answer = breaking(client, () => proxy)
    client.on('data', chunk => {
      state.requests += requests?.take(Buffer.from(chunk)) ?? 0
      service.write(chunk)
    })
    service.on('data', (chunk: Buffer) => {
      const bytes = Buffer.from(chunk)
      if (state.damage) {
        state.damage = false
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      }
      for (const piece of answers?.take(bytes) ?? [{ part: 'control' as const, bytes }]) answer.pass(piece)
      // What is poured out goes no faster than the client drinks.
      if (client.writableLength > 65_536) {
        service.pause()
        client.once('drain', () => service.resume())
      }
    })
    client.on('close', () => service.destroy())
    service.on('close', () => {
      if (!answer.state.struck) client.end()
    })
  }

  let server: Server = createServer(accept)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const stop = async (): Promise<void> => {
    destroyAll()
    await new Promise<void>(resolve => server.close(() => resolve()))
  }
  const proxy: FaultProxy = {
    url: `${scheme}://127.0.0.1:${port}`,
    wire: undefined,
    header: undefined,
    get requests() {
      return state.requests
    },
    damageNext: () => void (state.damage = true),
    refuse: stop,
    async listenAgain() {
      server = createServer(accept)
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
    },
    close: stop,
  }
  return proxy
}

/** Passes on what comes, until it meets the place where it has to break. */
function breaking(client: Socket, orders: () => Pick<FaultProxy, 'wire' | 'header'>) {
  const state = { struck: false, late: [] as Buffer[] }
  const pass = (piece: Piece): void => {
    const { wire, header } = orders()
    if (state.struck) return void state.late.push(piece.bytes)
    if (piece.part === 'control' || wire === undefined) return void client.write(withHeader(piece, header))
    const here = wire.at === 'request' || wire.at === piece.part
    if (!here) return void client.write(piece.bytes)
    state.struck = true
    const half = wire.at === 'request' ? 0 : Math.ceil(piece.bytes.length / 2)
    const strike = (): void => {
      if (wire.does === 'drip') drip(client, piece.bytes.subarray(half), state.late)
      // What was written has to leave this process first: a reset throws away what is still in buffers.
      if (wire.does === 'reset') setTimeout(() => reset(client), half === 0 ? 0 : 10)
      if (wire.does === 'end') client.end()
    }
    if (half === 0) strike()
    else client.write(piece.bytes.subarray(0, half), strike)
  }
  return { pass, state }
}

function withHeader({ part, bytes }: Piece, header: string | undefined): Buffer {
  const line = part === 'head' && header !== undefined ? bytes.indexOf('\r\n') + 2 : 0
  if (line === 0) return bytes
  return Buffer.concat([bytes.subarray(0, line), Buffer.from(`${header}\r\n`), bytes.subarray(line)])
}

function drip(client: Socket, first: Buffer, late: Buffer[]): void {
  let queue = first
  const next = (): void => {
    queue = Buffer.concat([queue, ...late.splice(0)])
    if (queue.length > 0) client.write(queue.subarray(0, 1))
    queue = queue.subarray(1)
  }
  next()
  const timer = setInterval(next, 1_000)
  client.on('close', () => clearInterval(timer))
}

export interface TlsDoor {
  readonly port: number
  /** Bytes of requests: what came after the handshake. */
  bytesIn(): number
  close(): Promise<void>
}

/** TLS in front of `target`, under a certificate of the test's choice. */
export async function tlsDoor(
  { key, cert }: { readonly key: string; readonly cert: string },
  target: string,
  onAnswer: () => void = () => {},
): Promise<TlsDoor> {
  const sockets = new Set<Socket>()
  const { hostname, port } = new URL(`tcp://${target}`)
  let bytes = 0
  const server = createTlsServer({ key, cert }, client => {
    const service = connect(Number(port), hostname)
    for (const socket of [client, service]) sockets.add(socket.on('error', () => {}))
    client.on('data', chunk => {
      bytes += chunk.length
      service.write(chunk)
    })
    service.on('data', chunk => {
      onAnswer()
      client.write(chunk)
    })
    client.on('close', () => service.destroy())
    service.on('close', () => client.end())
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    bytesIn: () => bytes,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

/** Where nothing may ever arrive. */
export async function forbiddenHost(): Promise<{ url: string; bytesIn(): number; close(): Promise<void> }> {
  let bytes = 0
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', chunk => {
      bytes += chunk.length
      socket.end('HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    bytesIn: () => bytes,
    close: () => new Promise<void>(resolve => server.close(() => resolve())),
  }
}
