/** Bun. The only file in `src` where Bun's own names may stand. */
import { dlopen, FFIType, ptr } from 'bun:ffi'
import process from 'node:process'
import type { World } from '../domain/ports.ts'
import {
  type HardeningReport,
  type Listening,
  type SelfExecutable,
  type ServeOptions,
  unsupportedHardening,
} from './contract.ts'
import { hardenWith, type LibC } from './harden.ts'
import { isPlainHost } from './host.ts'
import { cannotListen, clearStaleSocket, guardSocket, removeSocket, SOCKET_UMASK } from './socket.ts'
import { realWorld } from './world.ts'

export { argv, environment, exit, isTerminal, onSignals, programName, readStdin, write } from './process.ts'

export const runtime = 'bun' as const
export const wasmFromBytes = true
export const version = (): string => Bun.version
export const world = (): World => realWorld()

export function selfExecutable(): SelfExecutable {
  const path = process.execPath
  const compiled = Bun.isStandaloneExecutable
  return { path, compiled, command: compiled ? [path] : [path, Bun.main] }
}

export async function serve(options: ServeOptions): Promise<Listening> {
  const { socket, limits } = options
  const common = {
    development: false,
    // Also for the time an answer takes, and on a unix socket, which Bun's types deny: without it both end after 10 seconds.
    // The first headers of a connection have those 10 seconds (12 as Bun counts) whatever is said here.
    idleTimeout: Math.min(limits.idleSeconds, 255),
    // A backstop: the edge counts too, and below this it answers with a problem document.
    maxRequestBodySize: limits.bodyBytes * 2,
    fetch: (request: Request, server: Bun.Server<undefined>) => {
      if (!isPlainHost(request.headers.get('host'))) return new Response(null, { status: 400 })
      const peer = socket === undefined ? (server.requestIP(request)?.address ?? 'unknown') : 'unix'
      const answer = options.fetch(request, { peer })
      return request.method === 'GET' ? answer : answer.then(closeIfRefused)
    },
    // Without this Bun answers an escaped error with its own page. The edge catches everything; this is for what it misses.
    error: () => new Response(null, { status: 500 }),
  }
  if (socket === undefined) {
    const server = listen(`${options.host}:${options.port}`, () =>
      Bun.serve({
        ...common,
        hostname: options.host,
        port: options.port,
        // With development off Bun shares the port: a second process of this user would get requests, and tokens, of ours.
        reusePort: false,
      }),
    )
    const port = server.port ?? 0
    return { url: `http://${bracketed(options.host)}:${port}`, port, stop: drainMs => drain(server, drainMs) }
  }
  await clearStaleSocket(socket)
  const before = process.umask(SOCKET_UMASK)
  try {
    const server = listen(socket, () =>
      Bun.serve({ ...common, unix: socket } as unknown as Bun.Serve.Options<undefined>),
    )
    guardSocket(socket)
    const stop = async (drainMs: number) => {
      await drain(server, drainMs)
      removeSocket(socket)
    }
    return { url: `unix:${socket}`, port: 0, stop }
  } finally {
    process.umask(before)
  }
}

/** A body that the edge has given up still comes in, as slowly as its sender likes: the connection ends with the answer. */
function closeIfRefused(response: Response): Response {
  if (response.status === 400 || response.status === 413) response.headers.set('connection', 'close')
  return response
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

function listen<T>(where: string, start: () => T): T {
  try {
    return start()
  } catch (cause) {
    throw cannotListen(where, cause)
  }
}

async function drain(server: Bun.Server<undefined>, drainMs: number): Promise<void> {
  const done = server.stop(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(() => resolve('late'), drainMs)
  })
  const first = await Promise.race([done, late])
  clearTimeout(timer)
  if (first === 'late') await server.stop(true)
}

/** glibc, then musl: the compiled binary finds whichever the system has. */
const LIBC_NAMES = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1', 'libc.so']

export function harden(): HardeningReport {
  if (process.platform !== 'linux') return unsupportedHardening(`no such calls on ${process.platform}`)
  const libc = openLibC()
  return libc === undefined ? unsupportedHardening(`none of ${LIBC_NAMES.join(', ')} can be opened`) : hardenWith(libc)
}

function openLibC(): LibC | undefined {
  for (const name of LIBC_NAMES) {
    try {
      const { symbols } = dlopen(name, {
        prctl: { args: [FFIType.i32, FFIType.u64, FFIType.u64, FFIType.u64, FFIType.u64], returns: FFIType.i32 },
        setrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
        getrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
      })
      return {
        prctl: (option, value) => symbols.prctl(option, value, 0, 0, 0),
        setrlimit: (resource, limits) => symbols.setrlimit(resource, ptr(limits)),
        getrlimit: (resource, limits) => symbols.getrlimit(resource, ptr(limits)),
      }
    } catch {
      // Not here under this name; try the next.
    }
  }
  return undefined
}
