/** What stands between a gRPC client and its service and does not speak gRPC, or speaks it in a way no library would. */
import { once } from 'node:events'
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'

export type Manner = (stream: ServerHttp2Stream) => void

export interface Stranger {
  readonly url: string
  readonly requests: number
  close(): Promise<void>
}

export async function stranger(manner: Manner): Promise<Stranger> {
  const sessions = new Set<ServerHttp2Session>()
  let requests = 0
  const server = createServer()
  server.on('session', session => sessions.add(session.on('error', () => {})))
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {})
    stream.resume()
    stream.on('end', () => {
      requests++
      manner(stream)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    get requests() {
      return requests
    },
    close: async () => {
      for (const session of sessions) session.destroy()
      server.close()
    },
  }
}

/** A bare HTTP answer, of a balancer or a captive portal. */
export const bare =
  (status: number, headers: Readonly<Record<string, string>> = {}, body = ''): Manner =>
  stream => {
    stream.respond({ ':status': status, ...headers })
    stream.end(body)
  }

/** A message that announces 100 MB and goes on and on. */
export const flood: Manner = stream => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
  stream.write(Uint8Array.of(0, 6, 0x40, 0, 0))
  const chunk = Buffer.alloc(65_536, 0x41)
  let left = 1_600
  const more = (): void => {
    for (let i = 0; i < 4 && left > 0 && !stream.destroyed; i++, left--) stream.write(chunk)
    if (left > 0 && !stream.destroyed) setImmediate(more)
  }
  more()
}

/** RESOURCE_EXHAUSTED with google.rpc.RetryInfo, written by hand: code 8, one detail, a delay in seconds. */
export const throttledFor =
  (seconds: number): Manner =>
  stream => {
    const retryInfo = Buffer.from([0x0a, 0x02, 0x08, seconds])
    const type = Buffer.from('type.googleapis.com/google.rpc.RetryInfo')
    const any = Buffer.concat([
      Buffer.from([0x0a, type.length]),
      type,
      Buffer.from([0x12, retryInfo.length]),
      retryInfo,
    ])
    const status = Buffer.concat([Buffer.from([0x08, 8, 0x1a, any.length]), any])
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': '8',
        'grpc-message': 'quota exceeded',
        'grpc-status-details-bin': status.toString('base64').replaceAll('=', ''),
      },
      { endStream: true },
    )
  }
