import type { RewrapRoom } from '../cli/context.ts'
import type { World } from '../domain/ports.ts'
import { rewrapKeys } from '../service/rewrap/run.ts'
import { seedOfFile } from './custody.ts'
import { registerDeps } from './keys.ts'
import { openRoom, type RoomSettings } from './room.ts'

/** No request of a service is longer under way: `limits.deadlineMs` is a minute at most. */
const SETTLE_MS = 90_000

/** Wrapped keys under another wrapping key, by a command. */
export async function openRewrapRoom(settings: RoomSettings, world: World): Promise<RewrapRoom> {
  const room = await openRoom(settings, world)
  const deps = {
    ...registerDeps(room, world, settings.environment),
    seedOf: seedOfFile,
    // Whoever owns its store alone knows that nobody else signs from it.
    settle: async (signal?: AbortSignal) => {
      if (!room.store.shared) return
      try {
        await world.clock.sleep(SETTLE_MS, signal)
      } catch (error) {
        if (signal?.aborted !== true) throw error
      }
    },
  }
  return { rewrap: (job, options) => rewrapKeys(deps, job, options), close: room.close }
}
