/** Node 22 and later: the library, the tests and a service without the single binary. Also what Deno is given, see `deno.ts`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import process from 'node:process'
import { isSignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import {
  type HardeningReport,
  type Listening,
  READ_SECONDS,
  type SelfExecutable,
  type ServeOptions,
  unsupportedHardening,
} from './contract.ts'
import { isPlainHost } from './host.ts'
import { readAll } from './process.ts'
import { cannotListen, clearStaleSocket, guardSocket, removeSocket, SOCKET_UMASK } from './socket.ts'
import { realWorld } from './world.ts'

export { argv, environment, exit, isTerminal, onSignals, programName, readStdin, write } from './process.ts'

export const runtime = 'node' as const
export const wasmFromBytes = true
export const version = (): string => process.versions.node
export const world = (): World => realWorld()
export const harden = (): HardeningReport => unsupportedHardening('Node offers no system calls; use the single binary')

export function selfExecutable(): SelfExecutable {
  const path = process.execPath
  return { path, compiled: false, command: [path, process.argv[1] ?? ''] }
}

export async function serve(options: ServeOptions): Promise<Listening> {
  const { socket, limits } = options
  let stopping = false
  const readMs = Math.min(limits.readSeconds ?? READ_SECONDS, limits.idleSeconds) * 1000
  // Both are looked at only so often, and by default every half minute.
  const server = createServer({ connectionsCheckingInterval: 1000 }, (incoming, outgoing) => {
    // A connection kept alive would hold up the stop until it times out.
    const settled = answer(options, incoming, outgoing, () => stopping)
    void settled.then(() => stopping && server.closeIdleConnections())
  })
  server.keepAliveTimeout = limits.idleSeconds * 1000
  server.headersTimeout = readMs
  server.requestTimeout = readMs // headers and body together
  if (socket !== undefined) await clearStaleSocket(socket)
  const before = process.umask(SOCKET_UMASK)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', cause => reject(cannotListen(socket ?? `${options.host}:${options.port}`, cause)))
      if (socket === undefined) server.listen(options.port, options.host, resolve)
      else server.listen(socket, resolve)
    })
    if (socket !== undefined) guardSocket(socket)
  } finally {
    process.umask(before)
  }
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  const stop = async (drainMs: number) => {
    stopping = true
    const closed = new Promise<void>(resolve => server.close(() => resolve()))
    server.closeIdleConnections()
    const timer = setTimeout(() => server.closeAllConnections(), drainMs)
    await closed
    clearTimeout(timer)
    if (socket !== undefined) removeSocket(socket)
  }
  return { url: socket === undefined ? `http://${host}:${port}` : `unix:${socket}`, port, stop }
}

async function answer(
  options: ServeOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  isStopping: () => boolean,
): Promise<void> {
  try {
    const { url = '/', headersDistinct } = incoming
    const [host, ...others] = headersDistinct['host'] ?? []
    if (!url.startsWith('/') || !isPlainHost(host) || others.length > 0) {
      outgoing.writeHead(400, { connection: 'close' }).end()
      return
    }
    const body = await readBody(incoming, options.limits.bodyBytes * 2)
    if (body === undefined) {
      outgoing.writeHead(413, { connection: 'close' }).end()
      return
    }
    const peer = options.socket === undefined ? (incoming.socket.remoteAddress ?? 'unknown') : 'unix'
    const response = await options.fetch(toRequest(incoming, body), { peer })
    if (isStopping()) outgoing.setHeader('connection', 'close')
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    outgoing.end(new Uint8Array(await response.arrayBuffer()))
  } catch {
    // The edge turns every error into an answer; this is for what it misses, and for a caller that left.
    if (!outgoing.headersSent) outgoing.writeHead(500)
    outgoing.end()
  }
}

async function readBody(incoming: IncomingMessage, limitBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await readAll(incoming, limitBytes)
  } catch (error) {
    if (isSignerError(error)) return undefined
    throw error
  }
}

function toRequest(incoming: IncomingMessage, body: Uint8Array<ArrayBuffer>): Request {
  const headers = new Headers()
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  const method = incoming.method ?? 'GET'
  const url = new URL(`http://${incoming.headers.host}${incoming.url}`)
  return new Request(url.href, method === 'GET' || method === 'HEAD' ? { method, headers } : { method, headers, body })
}
