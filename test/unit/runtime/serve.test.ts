/** The two servers, `Bun.serve` and `node:http`, against one list of expectations. Runs under Bun, which has both. */
import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSignerError } from '../../../src/domain/errors.ts'
import type { Runtime, ServeOptions } from '../../../src/runtime/contract.ts'
import { openRuntime } from '../../../src/runtime/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-serve-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const echo: ServeOptions['fetch'] = async (request, { peer }) => {
  const body = await request.text()
  return new Response(`${request.method} ${new URL(request.url).pathname} ${peer} ${body.length}`, {
    headers: { 'x-seen': request.headers.get('x-sent') ?? '' },
  })
}
const options = (over: Partial<ServeOptions> = {}): ServeOptions => ({
  fetch: echo,
  host: '127.0.0.1',
  port: 0,
  limits: { bodyBytes: 1000, idleSeconds: 30 },
  ...over,
})
const refused = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (!isSignerError(error) || error.code !== 'start/refused')
    throw new Error('Expected start/refused', { cause: error })
  return error.detail.reason
}

const hasIPv6 = Object.values(networkInterfaces()).some(list => list?.some(each => each.address === '::1'))

describe.each(['bun', 'node'] as const)('serve on %s', name => {
  const open = (): Promise<Runtime> => openRuntime(name)

  test('takes a free port, hands over request and peer, and stops', async () => {
    const server = await (await open()).serve(options())
    expect(server.port).toBeGreaterThan(0)
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`)
    const answer = await fetch(`${server.url}/v1/x?y=1`, {
      method: 'POST',
      body: 'four',
      headers: { 'x-sent': 'here' },
    })
    expect(await answer.text()).toBe('POST /v1/x 127.0.0.1 4')
    expect(answer.headers.get('x-seen')).toBe('here')
    expect(await (await fetch(server.url)).text()).toBe('GET / 127.0.0.1 0')
    await server.stop(1000)
    await expect(fetch(server.url)).rejects.toThrow()
  })

  test('D21 cuts off a body at twice the limit of the edge, with and without a length', async () => {
    const server = await (await open()).serve(options())
    const small = await fetch(server.url, { method: 'POST', body: 'x'.repeat(2000) })
    expect(small.status).toBe(200)
    const large = await fetch(server.url, { method: 'POST', body: 'x'.repeat(2001) })
    expect(large.status).toBe(413)
    const chunked = (
      await rawExchange(server.port, [
        'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n',
        ...Array.from({ length: 5 }, () => `1f4\r\n${'x'.repeat(500)}\r\n`),
        '0\r\n\r\n',
      ])
    ).split(' ')[1]
    expect(['413', '500', undefined]).toContain(chunked as string)
    await server.stop(1000)
  })

  // Bun takes its 12 seconds whatever it is told, so there only in the long run.
  const slowly: (...of: Parameters<typeof test>) => void =
    name === 'node' || process.env['COUNTERSIGN_TEST_LONG'] === '1' ? test : () => {}
  slowly(
    'T19 who sends headers too slowly is cut off, dripping or silent; an answer may take longer',
    async () => {
      const late = Promise.withResolvers<Response>()
      const server = await (await open()).serve(
        options({
          limits: { bodyBytes: 1000, idleSeconds: 30, readSeconds: 1 },
          fetch: request => (request.url.endsWith('/late') ? late.promise : Promise.resolve(new Response('ok'))),
        }),
      )
      const answer = fetch(`${server.url}/late`)
      await Promise.all([
        closedBySlowness(server.port, ''),
        closedBySlowness(server.port, 'GET / HTTP/1.1\r\nHost: x\r\nX: '),
      ])
      late.resolve(new Response('late'))
      expect(await (await answer).text()).toBe('late')
      await server.stop(1000)
    },
    20_000,
  )

  slowly(
    'an answer on a unix socket may take as long as on any other',
    async () => {
      const socket = join(folder, `${name}-slow.sock`)
      const fetchSlowly = () =>
        new Promise<Response>(resolve =>
          setTimeout(() => resolve(new Response('late')), name === 'bun' ? 13_000 : 1500),
        )
      const server = await (await open()).serve(
        options({ socket, fetch: fetchSlowly, limits: { bodyBytes: 1000, idleSeconds: 30, readSeconds: 1 } }),
      )
      expect(await (await fetch('http://x/', { unix: socket })).text()).toBe('late')
      await server.stop(1000)
    },
    20_000,
  )

  test('T19 a body that is given up ends the connection, however slowly the rest would come', async () => {
    const limits = { bodyBytes: 1000, idleSeconds: 30, readSeconds: 1 }
    const server = await (await open()).serve(
      options({ limits, fetch: () => Promise.resolve(new Response(null, { status: 400 })) }),
    )
    await closedBySlowness(server.port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n')
    await server.stop(1000)
  })

  test('D21 headers end at 16 KiB', async () => {
    const server = await (await open()).serve(options())
    const status = async (bytes: number) =>
      (
        await rawExchange(server.port, [
          `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ${'x'.repeat(bytes)}\r\n\r\n`,
        ])
      ).split(' ')[1]
    expect(await status(15_000)).toBe('200')
    for (const bytes of [16_500, 40_000, 200_000]) expect(['431', undefined]).toContain((await status(bytes)) as string)
    await server.stop(1000)
  })

  test('T17 the path that is routed is the path that was sent: no second, missing or crooked Host', async () => {
    const server = await (await open()).serve(options())
    const line = async (head: string) =>
      (await rawExchange(server.port, [`${head}\r\nConnection: close\r\n\r\n`])).split('\r\n')[0] ?? ''
    expect(await line('GET /v1/a HTTP/1.1\r\nHost: x:80')).toContain('200')
    expect(await line('GET /v1/a HTTP/1.1\r\nHost: [::1]:8420')).toContain('200')
    for (const head of [
      'GET /1234567/v1/a HTTP/1.0\r\nX: y',
      'GET /1234567/v1/a HTTP/1.1\r\nHost: ',
      'GET /v1/a HTTP/1.1\r\nHost: a\r\nHost: b',
      'GET /v1/a HTTP/1.1\r\nHost: a/../b?',
      'GET /v1/a HTTP/1.1\r\nHost: a@b',
      'GET /v1/a HTTP/1.1\r\nHost: a#',
    ]) {
      expect([head, await line(head)]).toEqual([head, expect.stringContaining(' 400 ')])
    }
    await server.stop(1000)
  })

  test('T17 two slashes at the start are a path, not another host', async () => {
    const seen: string[] = []
    const remember: ServeOptions['fetch'] = async request => {
      seen.push(new URL(request.url).pathname)
      return new Response('')
    }
    const server = await (await open()).serve(options({ fetch: remember }))
    await rawExchange(server.port, ['GET //evil/v1/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'])
    expect(seen).toEqual(['//evil/v1/a'])
    await server.stop(1000)
  })

  test('D22 an error that escapes the edge is an empty 500', async () => {
    const server = await (await open()).serve(options({ fetch: () => Promise.reject(new Error('seed in a message')) }))
    const answer = await fetch(server.url)
    expect([answer.status, await answer.text()]).toEqual([500, ''])
    await server.stop(1000)
  })

  test('a stop waits for what is under way', async () => {
    const entered = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const server = await (await open()).serve(
      options({
        fetch: async () => {
          entered.resolve()
          await release.promise
          return new Response('done')
        },
      }),
    )
    const answer = fetch(server.url)
    await entered.promise
    const stopped = server.stop(30_000)
    release.resolve()
    expect(await (await answer).text()).toBe('done')
    await stopped
  })

  test('a stop closes what does not end in time', async () => {
    const entered = Promise.withResolvers<void>()
    const server = await (await open()).serve(
      options({
        fetch: () => {
          entered.resolve()
          return new Promise<Response>(() => {})
        },
      }),
    )
    const answer = fetch(server.url).then(
      () => 'answered',
      () => 'closed',
    )
    await entered.promise
    await server.stop(10)
    expect(await answer).toBe('closed')
  })

  test('an address that is taken is refused with a reason', async () => {
    const taken = createServer()
    await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    expect(await refused((await open()).serve(options({ port })))).toContain(`127.0.0.1:${port}`)
    taken.close()
  })

  test('D20 a unix socket: mode 0660, peer unix, gone after the stop', async () => {
    const socket = join(folder, `${name}.sock`)
    const server = await (await open()).serve(options({ socket }))
    expect([server.url, server.port]).toEqual([`unix:${socket}`, 0])
    expect(statSync(socket).mode & 0o777).toBe(0o660)
    const answer = await fetch('http://local/path', { unix: socket })
    expect(await answer.text()).toBe('GET /path unix 0')
    expect(await refused((await open()).serve(options({ socket })))).toContain('another process listens')
    await server.stop(1000)
    expect(existsSync(socket)).toBe(false)
  })

  test('a socket left behind by a killed process is replaced; anything else on the path is not', async () => {
    const socket = join(folder, `${name}-stale.sock`)
    const child = Bun.spawn([
      process.execPath,
      '-e',
      `require('node:net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ])
    await child.exited
    expect(existsSync(socket)).toBe(true)
    chmodSync(socket, 0o777)
    const server = await (await open()).serve(options({ socket }))
    expect(statSync(socket).mode & 0o777).toBe(0o660)
    await server.stop(1000)

    const file = join(folder, `${name}-file`)
    writeFileSync(file, 'keep me')
    expect(await refused((await open()).serve(options({ socket: file })))).toContain('not a socket')
    expect(existsSync(file)).toBe(true)
    const nowhere = join(folder, 'no', 'such', 'folder.sock')
    expect(await refused((await open()).serve(options({ socket: nowhere })))).toContain(nowhere)
  })

  test.skipIf(!hasIPv6)(
    'listens on IPv6 (skipped where the machine has none) with a URL that can be used',
    async () => {
      const server = await (await open()).serve(options({ host: '::1' }))
      expect(server.url).toBe(`http://[::1]:${server.port}`)
      expect(await (await fetch(server.url)).text()).toBe('GET / ::1 0')
      await server.stop(1000)
    },
  )
})

/** Resolves when the server closes; a byte every 100 ms keeps the connection from being silent. */
function closedBySlowness(port: number, head: string): Promise<void> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write(head))
    const drip = head === '' ? undefined : setInterval(() => socket.write('x'), 100)
    socket.on('error', () => {})
    socket.on('data', () => {})
    socket.on('close', () => {
      clearInterval(drip)
      resolve()
    })
  })
}

function rawExchange(port: number, parts: readonly string[]): Promise<string> {
  return new Promise(resolve => {
    let seen = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(parts.join('')))
    socket.on('data', part => {
      seen += part.toString()
    })
    socket.on('error', () => resolve(seen))
    socket.on('close', () => resolve(seen))
  })
}
