import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from './clock.ts'

/** One request, read whole, with header names in lower case and repeated headers joined by a comma. */
export interface Incoming {
  readonly method: string
  /** As it came on the request line, query included. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly remoteAddress: string
  /** The first request on its connection. */
  readonly freshConnection: boolean
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** How the transport itself misbehaves. */
  readonly wire?: Wire
}

export type Wire =
  | { readonly kind: 'reset' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'truncate'; readonly bytes?: number | undefined }
  | { readonly kind: 'slow-body'; readonly msPerByte: number }

export interface ServerOptions {
  readonly host: string
  readonly port: number
  readonly allowNonLoopback: boolean
  readonly bodyBytesMax: number
  readonly clock: Clock
  readonly handle: (request: Incoming) => Promise<Reply>
}

export interface RunningServer {
  readonly url: string
  close(): Promise<void>
}

export function isLoopback(host: string): boolean {
  const name = host.startsWith('[') ? host.slice(1, -1) : host
  return name === 'localhost' || name === '::1' || /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
}

/** @throws RangeError when the host is not a loopback address and that was not allowed in so many words. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  if (!options.allowNonLoopback && !isLoopback(options.host)) {
    throw new RangeError(
      `Cannot listen on '${options.host}': local-kms keeps keys in the clear, so it takes loopback addresses only ` +
        '(set allowNonLoopback to override, in a closed network)',
    )
  }
  const sockets = new Set<Socket>()
  const seen = new Map<string, Socket>()
  let hanging: (() => void)[] = []

  const server = createServer((request, response) => {
    serve(request, response, options, seen, hanging).catch(() => request.socket.destroy())
  })
  // Idle connections of SDK pools must outlive pauses: a server that closes first looks like a reset
  server.keepAliveTimeout = 65_000
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      const peer = peerOf(socket)
      if (seen.get(peer) === socket) seen.delete(peer)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  const host = options.host.includes(':') && !options.host.startsWith('[') ? `[${options.host}]` : options.host

  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        for (const release of hanging) release()
        hanging = []
        server.closeAllConnections()
        for (const socket of sockets) socket.destroy()
      }),
  }
}

const peerOf = (socket: Socket): string => `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServerOptions,
  seen: Map<string, Socket>,
  hanging: (() => void)[],
): Promise<void> {
  const body = await readBody(request, options.bodyBytesMax)
  if (body === undefined) {
    response.writeHead(413, { 'content-type': 'application/json', connection: 'close' }).end('{}')
    return
  }
  const peer = peerOf(request.socket)
  const freshConnection = !seen.has(peer)
  if (freshConnection) seen.set(peer, request.socket)
  const reply = await options.handle({
    method: request.method ?? '',
    target: request.url ?? '/',
    headers: joinHeaders(request),
    body,
    remoteAddress: request.socket.remoteAddress ?? '',
    freshConnection,
  })
  await send(request, response, reply, options.clock, hanging)
}

function joinHeaders(request: IncomingMessage): Record<string, string> {
  const out: Record<string, string> = Object.create(null)
  const raw = request.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    const value = raw[i + 1]!
    out[name] = out[name] === undefined ? value : `${out[name]},${value}`
  }
  return out
}

/** Undefined: more than `max` bytes came. */
async function readBody(request: IncomingMessage, max: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > max) return undefined
    chunks.push(chunk)
  }
  return chunks.length === 1 ? chunks[0] : new Uint8Array(Buffer.concat(chunks))
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  clock: Clock,
  hanging: (() => void)[],
): Promise<void> {
  const { wire, body } = reply
  if (wire?.kind === 'hang') {
    await new Promise<void>(resolve => {
      hanging.push(resolve)
      request.socket.once('close', resolve)
    })
    request.socket.destroy()
    return
  }
  if (wire?.kind === 'reset') {
    reset(request.socket)
    return
  }
  response.writeHead(reply.status, { ...reply.headers, 'content-length': String(body.length) })
  if (wire?.kind === 'truncate') {
    const bytes = Math.min(wire.bytes ?? Math.floor(body.length / 2), Math.max(0, body.length - 1))
    await new Promise<void>(resolve => response.write(body.subarray(0, bytes), () => resolve()))
    request.socket.destroy()
    return
  }
  if (wire?.kind === 'slow-body') {
    for (let i = 0; i < body.length && !request.socket.destroyed; i++) {
      await clock.sleep(wire.msPerByte)
      response.write(body.subarray(i, i + 1))
    }
    response.end()
    return
  }
  response.end(body)
}

function reset(socket: Socket): void {
  // RST where the runtime can send one, else the connection just ends without an answer
  if (typeof socket.resetAndDestroy === 'function') socket.resetAndDestroy()
  else socket.destroy()
}
