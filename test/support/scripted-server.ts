/**
 * A server on loopback that does to each request what a test tells it, down to the byte: answers, half answers, silence,
 * resets. Over bare sockets, because an HTTP library would refuse to misbehave.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

export interface Seen {
  readonly head: string
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  /** How many requests came before this one. */
  readonly nth: number
}

export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** An answer, or a hand on the socket. */
export type Reply = Answer | ((socket: Socket, seen: Seen) => void)

export interface ScriptedServer {
  readonly url: string
  readonly requests: Seen[]
  /** Every byte that arrived, TLS taken off. */
  bytesIn(): number
  /** Resolves when the next request is complete. */
  arrived(): Promise<Seen>
  close(): Promise<void>
}

export const AWS_HEADERS = {
  'content-type': 'application/x-amz-json-1.1',
  'x-amzn-requestid': '11111111-2222-3333-4444-555555555555',
}

export const awsAnswer = (body: unknown, status = 200, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { ...AWS_HEADERS, ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

export const awsError = (
  name: string,
  status = 400,
  message = 'vendor text',
  headers: Record<string, string> = {},
): Answer => awsAnswer({ __type: name, message }, status, headers)

export async function scriptedServer(
  script: (seen: Seen) => Reply,
  tls?: { readonly key: string; readonly cert: string },
): Promise<ScriptedServer> {
  const sockets = new Set<Socket>()
  const requests: Seen[] = []
  const waiting: ((seen: Seen) => void)[] = []
  let bytes = 0

  const accept = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let pending = Buffer.alloc(0)
    socket.on('data', chunk => {
      bytes += chunk.length
      pending = Buffer.concat([pending, Buffer.from(chunk)])
      for (let request = split(pending); request !== undefined; request = split(pending)) {
        pending = pending.subarray(request.length)
        const seen: Seen = { ...request.seen, nth: requests.length }
        requests.push(seen)
        waiting.shift()?.(seen)
        reply(socket, script(seen), seen)
      }
    })
  }

  const server: Server = tls === undefined ? createServer(accept) : createTlsServer(tls, accept)
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    requests,
    bytesIn: () => bytes,
    arrived: () => new Promise(resolve => waiting.push(resolve)),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

/** Cuts one complete request off the front: head, and a body of `content-length` bytes. */
function split(bytes: Buffer): { length: number; seen: Omit<Seen, 'nth'> } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.subarray(0, end).toString('latin1')
  const headers = new Map(
    head
      .split('\r\n')
      .slice(1)
      .map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const),
  )
  const length = end + 4 + Number(headers.get('content-length') ?? 0)
  if (bytes.length < length) return undefined
  return { length, seen: { head, headers, body: bytes.subarray(end + 4, length).toString('utf8') } }
}

function reply(socket: Socket, answer: Reply, seen: Seen): void {
  if (typeof answer === 'function') {
    answer(socket, seen)
    return
  }
  const body = Buffer.from(answer.body ?? '')
  const headers = { 'content-length': String(body.length), date: new Date().toUTCString(), ...answer.headers }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 ${answer.status ?? 200} Scripted\r\n${lines.join('')}\r\n`)
  socket.write(body)
}

/** Closes with RST, so that the other side sees a reset and not an end. */
export const reset = (socket: Socket): void => {
  if (typeof socket.resetAndDestroy === 'function') socket.resetAndDestroy()
  else socket.destroy()
}
