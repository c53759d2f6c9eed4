import type { Attempts } from './attempts.ts'
import { shed } from './shed.ts'

export interface BulkheadOptions {
  /** Calls under way at one provider at one time. */
  readonly places: number
  /** Calls that may wait for a place. */
  readonly queue: number
}

export interface Bulkhead {
  readonly around: (inner: Attempts) => Attempts
  load(provider: string): { readonly inFlight: number; readonly waiting: number }
}

interface Room {
  inFlight: number
  readonly waiting: Set<() => void>
}

/** How soon a place is likely to be free again. */
const FULL_WAIT_MS = 250

/**
 * A provider that answers slowly fills its own places and no others. A place is held while a call is on the wire, not in
 * the pauses between tries; the wait for one counts towards the deadline. Who finds places and queue full is turned away
 * at once, and so is who still waits at the deadline: `provider/unavailable`, since it is this provider that cannot take
 * more while the service goes on, and since `service/overloaded` says that a request was not looked at.
 */
export function createBulkhead({ places, queue }: BulkheadOptions): Bulkhead {
  const rooms = new Map<string, Room>()
  const roomOf = (provider: string): Room => {
    const known = rooms.get(provider) ?? { inFlight: 0, waiting: new Set() }
    rooms.set(provider, known)
    return known
  }
  /** In the order in which they came. */
  const enter = (room: Room, provider: string, signal: AbortSignal): Promise<void> | void => {
    if (room.inFlight < places) return void room.inFlight++
    if (room.waiting.size >= queue) throw shed(provider, 'as many calls are under way as it is given', FULL_WAIT_MS)
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        room.waiting.delete(take)
        reject(shed(provider, 'no place was free within the deadline', FULL_WAIT_MS))
      }
      const take = (): void => {
        signal.removeEventListener('abort', stop)
        resolve()
      }
      room.waiting.add(take)
      signal.addEventListener('abort', stop, { once: true })
    })
  }
  /** A place is handed on, not put back: nobody who comes later can take it in between. */
  const leave = (room: Room): void => {
    const [next] = room.waiting
    if (next === undefined) return void room.inFlight--
    room.waiting.delete(next)
    next()
  }
  return {
    around: inner => remote => {
      const room = roomOf(remote.provider)
      return inner({
        ...remote,
        run: async call => {
          await enter(room, remote.provider, call.signal)
          try {
            return await remote.run(call)
          } finally {
            leave(room)
          }
        },
      })
    },
    load: provider => {
      const { inFlight = 0, waiting } = rooms.get(provider) ?? {}
      return { inFlight, waiting: waiting?.size ?? 0 }
    },
  }
}
