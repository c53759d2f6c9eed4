import type { Duplex } from 'node:stream'
import type { Incoming, Reply } from './server.ts'

/**
 * `LIST` is a method of Vault's that the runtimes' HTTP servers refuse to parse. What they could not read they hand over with
 * the error; a request without a body is simple enough to be read here. The connection ends with the answer.
 * @returns whether it was such a request
 */
export async function answerList(
  problem: Error & { rawPacket?: Uint8Array },
  socket: Duplex & { remoteAddress?: string | undefined },
  handle: (request: Incoming) => Promise<Reply>,
): Promise<boolean> {
  let text = new TextDecoder('latin1').decode(problem.rawPacket ?? new Uint8Array(0))
  if (!text.startsWith('LIST /')) return false
  while (!text.includes(END)) {
    const more = await nextChunk(socket)
    if (more === undefined || text.length > HEAD_BYTES_MAX) return false
    text += more
  }
  const [line = '', ...fields] = text.slice(0, text.indexOf(END)).split('\r\n')
  const headers: Record<string, string> = Object.create(null)
  for (const field of fields) {
    const colon = field.indexOf(':')
    if (colon > 0) headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim()
  }
  const reply = await handle({
    method: 'LIST',
    target: line.split(' ')[1] ?? '/',
    headers,
    body: new Uint8Array(0),
    remoteAddress: socket.remoteAddress ?? '',
    freshConnection: false,
  })
  if (reply.wire?.kind === 'hang') return true
  if (reply.wire?.kind === 'reset') {
    socket.destroy()
    return true
  }
  const head = [
    `HTTP/1.1 ${reply.status} List`,
    ...Object.entries(reply.headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${reply.body.length}`,
    'connection: close',
  ]
  socket.write(`${head.join('\r\n')}${END}`)
  socket.end(reply.body)
  return true
}

const END = '\r\n\r\n'
const HEAD_BYTES_MAX = 65_536

function nextChunk(socket: Duplex): Promise<string | undefined> {
  return new Promise(resolve => {
    socket.once('data', (chunk: Uint8Array) => resolve(new TextDecoder('latin1').decode(chunk)))
    socket.once('close', () => resolve(undefined))
  })
}
