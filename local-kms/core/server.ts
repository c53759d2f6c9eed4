import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Clock } from './clock.ts'
import { answerList } from './list-method.ts'
import { send } from './send.ts'

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
  /** RST before the first byte (default), after a part of the head, or after the head and a part of the body it promised. */
  | { readonly kind: 'reset'; readonly at?: 'start' | 'head' | 'body' | undefined }
  | { readonly kind: 'hang' }
  | { readonly kind: 'truncate'; readonly bytes?: number | undefined }
  | { readonly kind: 'slow-body'; readonly msPerByte: number; readonly head?: boolean | undefined }
  /** A JSON object grows by a member of so many bytes (anything else by so many spaces), chunk by chunk. */
  | { readonly kind: 'oversize'; readonly bytes: number }

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
export function checkHost(host: string, allowNonLoopback: boolean): void {
  if (allowNonLoopback || isLoopback(host)) return
  throw new RangeError(
    `Cannot listen on '${host}': local-kms keeps keys in the clear, so it takes loopback addresses only ` +
      '(set allowNonLoopback to override, in a closed network)',
  )
}

/** @returns the port, for those who asked for any. */
export async function listen(server: Server, options: { host: string; port: number }): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : options.port
}

/** `host:port`, an IPv6 address in brackets. */
export function addressText(host: string, port: number): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}

/** @throws RangeError as `checkHost` */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  checkHost(options.host, options.allowNonLoopback)
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
  server.on('clientError', (problem: Error, socket) => {
    answerList(problem, socket, options.handle).then(
      answered => answered || socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
      () => socket.destroy(),
    )
  })
  const port = await listen(server, options)

  return {
    url: `http://${addressText(options.host, port)}`,
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
