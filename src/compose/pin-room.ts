import type { PinRoom } from '../cli/context.ts'
import type { Logger, World } from '../domain/ports.ts'
import { pinRound, type PinRoundDeps } from '../service/pin-round.ts'
import { checkPins } from '../service/pins.ts'
import { createQuarantine } from '../service/quarantine.ts'
import { openReadingRoom } from './inventory.ts'
import { pinDeps } from './pins.ts'
import { LOCAL_OPERATOR } from './places.ts'
import { openRoom, type RoomSettings } from './room.ts'

/** Twenty places a second: people wait, and can say stop. */
const PACE_MS = 50

/**
 * What a service does by itself, by a command. Without `quarantine` it only reads, and takes no lock of the store, so it works
 * beside a running service. With it, it is alone in the store unless that is shared.
 */
export async function openPins(
  settings: RoomSettings,
  { quarantine }: { readonly quarantine: boolean },
  world: World,
  logger: Logger,
): Promise<PinRoom> {
  const { environment } = settings
  if (quarantine) {
    const room = await openRoom(settings, world)
    const { keys } = room.store
    const deps: PinRoundDeps = {
      ...pinDeps({ keys, provider: room.provider, environment, world }),
      audit: room.audit,
      logger,
      actor: LOCAL_OPERATOR,
      suspect: createQuarantine(keys, keys.setState, logger).suspect,
      suspendBinding: keys.suspendBinding,
    }
    return { check: options => pinRound(deps, { ...options, paceMs: PACE_MS }), close: room.close }
  }
  const { store, provider, close } = await openReadingRoom(settings, world)
  const deps = pinDeps({ keys: store.keys, provider, environment, world })
  return { check: options => checkPins(deps, { ...options, paceMs: PACE_MS }), close }
}
