import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from './clock.ts'
import type { Reply } from './server.ts'

/**
 * Writes an answer, or does to the connection what its `wire` says.
 * @param hanging  takes what ends the waiting of calls that are never answered
 */
export async function send(
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
  if (wire?.kind === 'reset') return resetAt(request.socket, response, reply, wire.at ?? 'start')
  if (wire?.kind === 'oversize') return grow(response, reply, wire.bytes)
  if (wire?.kind === 'slow-body' && wire.head === true) return drip(request.socket, reply, wire.msPerByte, clock)
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

/** What was written has left this process before the connection breaks: a reset throws away what is still in buffers. */
async function resetAt(socket: Socket, response: ServerResponse, reply: Reply, at: 'start' | 'head' | 'body') {
  if (at === 'head') await new Promise<void>(resolve => socket.write(headText(reply).slice(0, 40), () => resolve()))
  if (at === 'body') {
    response.writeHead(reply.status, { ...reply.headers, 'content-length': String(Math.max(reply.body.length, 1024)) })
    const part = reply.body.length === 0 ? '{"' : reply.body.subarray(0, Math.ceil(reply.body.length / 2))
    await new Promise<void>(resolve => response.write(part, () => resolve()))
  }
  if (at !== 'start') await new Promise<void>(resolve => setTimeout(resolve, FLUSH_MS))
  // RST where the runtime can send one, else the connection just ends without an answer
  if (typeof socket.resetAndDestroy === 'function') socket.resetAndDestroy()
  else socket.destroy()
}
const FLUSH_MS = 10

/** Byte after byte from the status line on, below the HTTP server, which would write the head at once. */
async function drip(socket: Socket, reply: Reply, msPerByte: number, clock: Clock): Promise<void> {
  const whole = Buffer.concat([Buffer.from(headText(reply), 'latin1'), reply.body])
  for (let i = 0; i < whole.length && !socket.destroyed; i++) {
    await clock.sleep(msPerByte)
    socket.write(whole.subarray(i, i + 1))
  }
  socket.end()
}

const headText = ({ status, headers, body }: Reply): string =>
  [
    `HTTP/1.1 ${status} Slow`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`,
    'connection: close',
    '\r\n',
  ].join('\r\n')

/** Chunked and without a length, so that the reader has to count; never more than one chunk in memory. */
async function grow(response: ServerResponse, reply: Reply, bytes: number): Promise<void> {
  const { body } = reply
  const isObject = body[0] === OPEN && body.at(-1) === CLOSE
  const [begin, end, filler] = isObject ? [body.length > 2 ? ',"Padding":"' : '"Padding":"', '"}', 'x'] : ['', '', ' ']
  response.writeHead(reply.status, { ...reply.headers })
  response.write(isObject ? body.subarray(0, -1) : body)
  response.write(begin)
  const chunk = Buffer.alloc(CHUNK_BYTES, filler)
  const closed = new Promise<void>(resolve => response.once('close', resolve))
  for (let left = bytes; left > 0 && !response.destroyed; left -= CHUNK_BYTES) {
    if (response.write(chunk.subarray(0, Math.min(left, CHUNK_BYTES)))) continue
    await Promise.race([new Promise<void>(resolve => response.once('drain', resolve)), closed])
  }
  response.end(end)
}
const CHUNK_BYTES = 65_536
const OPEN = 0x7b // {
const CLOSE = 0x7d // }
