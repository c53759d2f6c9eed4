/** Two listeners in one process, on both servers there are. Runs under Bun, which has both; Deno's is Node's. */
import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listenPlanes } from '../../../src/compose/planes.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { openRuntime } from '../../../src/runtime/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-planes-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LIMITS = { bodyBytes: 1000, idleSeconds: 30 }
const saying = (name: string) => ({
  host: '127.0.0.1',
  port: 0,
  fetch: async (request: Request, { peer }: { peer: string }) =>
    new Response(`${name} ${new URL(request.url).pathname} ${peer}`),
})
const text = async (url: string, init: RequestInit & { unix?: string } = {}) => (await fetch(url, init)).text()

describe.each(['bun', 'node'] as const)('planes on %s', name => {
  test('M-73 each plane has a door of its own, and a request never reaches the other', async () => {
    const planes = await listenPlanes(
      await openRuntime(name),
      { data: saying('data'), control: saying('control') },
      LIMITS,
    )
    const { dataUrl = '', controlUrl = '' } = planes
    expect(new Set([new URL(dataUrl).port, new URL(controlUrl).port]).size).toBe(2)
    const paths = ['/v1/keys/a/sign', '/v1/admins', '/livez', '/']
    for (const path of paths) {
      expect(await text(dataUrl + path)).toBe(`data ${path} 127.0.0.1`)
      expect(await text(controlUrl + path)).toBe(`control ${path} 127.0.0.1`)
      // What the caller claims about the host picks no plane.
      const host = new URL(controlUrl).host
      expect(await text(dataUrl + path, { headers: { host, 'x-forwarded-host': host } })).toBe(`data ${path} 127.0.0.1`)
    }
    await planes.stop(1000)
    await expect(fetch(dataUrl)).rejects.toThrow()
    await expect(fetch(controlUrl)).rejects.toThrow()
  })

  test('a plane that is not served has no door and no URL', async () => {
    const runtime = await openRuntime(name)
    const data = await listenPlanes(runtime, { data: saying('data') }, LIMITS)
    const control = await listenPlanes(runtime, { control: saying('control') }, LIMITS)
    expect([Object.keys(data), Object.keys(control)]).toEqual([
      ['dataUrl', 'stop'],
      ['controlUrl', 'stop'],
    ])
    await Promise.all([data.stop(1000), control.stop(1000)])
  })

  test('D20 unix sockets for both: 0660, the peer is unix, gone after the stop', async () => {
    const [one, other] = [join(folder, `${name}-d.sock`), join(folder, `${name}-c.sock`)]
    const planes = await listenPlanes(
      await openRuntime(name),
      { data: { ...saying('data'), socket: one }, control: { ...saying('control'), socket: other } },
      LIMITS,
    )
    expect([planes.dataUrl, planes.controlUrl]).toEqual([`unix:${one}`, `unix:${other}`])
    for (const socket of [one, other]) expect(statSync(socket).mode & 0o777).toBe(0o660)
    expect(await text('http://x/a', { unix: one })).toBe('data /a unix')
    expect(await text('http://x/a', { unix: other })).toBe('control /a unix')
    await planes.stop(1000)
    expect([one, other].map(existsSync)).toEqual([false, false])
  })

  test('when one door cannot be had, the other is closed again', async () => {
    const taken = createServer()
    await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    const socket = join(folder, `${name}-half.sock`)
    const planes = { data: { ...saying('data'), socket }, control: { ...saying('control'), port } }
    const error = await listenPlanes(await openRuntime(name), planes, LIMITS).catch((cause: unknown) => cause)
    expect(isSignerError(error) && error.code).toBe('start/refused')
    expect(existsSync(socket)).toBe(false)
    taken.close()
  })

  test('a stop drains both at once: the control plane takes no work while the data plane finishes', async () => {
    const entered = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const slow = {
      ...saying('data'),
      fetch: async () => {
        entered.resolve()
        await release.promise
        return new Response('done')
      },
    }
    const planes = await listenPlanes(await openRuntime(name), { data: slow, control: saying('control') }, LIMITS)
    const answer = text(planes.dataUrl ?? '')
    await entered.promise
    const stopped = planes.stop(30_000)
    await expect(fetch(planes.controlUrl ?? '')).rejects.toThrow()
    release.resolve()
    expect(await answer).toBe('done')
    await stopped
  })
})
