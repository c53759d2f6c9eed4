import type { Listening, Runtime, ServeOptions } from '../runtime/index.ts'
import { closeAll } from './running.ts'

/** Where a plane listens. */
export interface Door {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Instead of host and port. */
  readonly socket?: string
}

/** A door and who answers there. */
export type PlaneServer = Door & Pick<ServeOptions, 'fetch'>

export interface Planes {
  /** As `Listening.url`; absent for a plane that is not served here. */
  readonly dataUrl?: string
  readonly controlUrl?: string
  /** Both at once, so that neither takes work while the other drains. */
  stop(drainMs: number): Promise<void>
}

/**
 * Listens for the planes this process serves, each at its own door: a request that comes in at one never reaches the other.
 * All or nothing: when one door cannot be had, the other is closed again.
 * @throws `start/refused`
 */
export async function listenPlanes(
  runtime: Pick<Runtime, 'serve'>,
  planes: { readonly data?: PlaneServer; readonly control?: PlaneServer },
  limits: ServeOptions['limits'],
): Promise<Planes> {
  const open: Listening[] = []
  const stop = async (drainMs: number): Promise<void> => {
    const stopped = open.map(listening => listening.stop(drainMs))
    await closeAll(...stopped.map(each => () => each))
  }
  const listen = async (server: PlaneServer | undefined): Promise<string | undefined> => {
    if (server === undefined) return undefined
    const listening = await runtime.serve({ ...server, limits })
    open.push(listening)
    return listening.url
  }
  try {
    const dataUrl = await listen(planes.data)
    const controlUrl = await listen(planes.control)
    return { ...(dataUrl === undefined ? {} : { dataUrl }), ...(controlUrl === undefined ? {} : { controlUrl }), stop }
  } catch (error) {
    await stop(0)
    throw error
  }
}
