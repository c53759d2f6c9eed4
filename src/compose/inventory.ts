import { openProvider } from '../../providers/index.ts'
import { randomId } from '../bytes/ids.ts'
import type { InventoryRoom } from '../cli/context.ts'
import { SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import type { Call, KeyFacts, KeyRef } from '../domain/provider.ts'
import { takeInventory } from '../service/inventory.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { attemptsOf } from './custody.ts'
import { exists, readFileText, storePath } from './places.ts'
import { lazily, type RoomSettings } from './room.ts'
import { closeAll } from './running.ts'
import { type OpenStore, openStore } from './stores.ts'

/** A list that waits for nobody long: what is not known in time is unknown. */
const LIMITS = { deadlineMs: 5_000, tries: 2 }

export type InventorySettings = RoomSettings & { readonly cryptoPeriodDays?: number }

/** What auditors ask of the registry. Reads only, and takes no lock of the store, so it works beside a running service. */
export async function openInventory(settings: InventorySettings, world: World): Promise<InventoryRoom> {
  const { store, close } = await openToRead(settings, world)
  const services = keyServices(settings, world)
  const { cryptoPeriodDays } = settings
  return {
    take: ({ ask }) =>
      takeInventory({
        registry: store.keys,
        now: world.clock.now(),
        ...(cryptoPeriodDays === undefined ? {} : { cryptoPeriodDays }),
        ...(ask ? { protection: services.protection } : {}),
      }),
    close: () => closeAll(services.close, close),
  }
}

/** @throws `start/refused` where there is no registry: an empty list would say that there are no keys */
export async function openToRead(settings: RoomSettings, world: World): Promise<OpenStore> {
  if (settings.store?.kind === 'postgres') return openStore(settings, world)
  const path = storePath(settings.dataDirectory)
  if (!(await exists(path))) {
    const fix = 'look at data.directory in the configuration, or give it by --data'
    throw new SignerError('start/refused', { reason: `there is no registry in ${settings.dataDirectory}`, fix })
  }
  const store = await openSqliteStore({ path, clock: world.clock, role: 'guest' })
  return { store, close: async () => store.close() }
}

function keyServices(settings: InventorySettings, world: World) {
  const attempts = attemptsOf(world, LIMITS)
  const around = { ...world, environment: settings.environment, readFile: readFileText }
  const providers = lazily(settings, config => openProvider(config, around))
  return {
    protection: async (name: string, reference: KeyRef): Promise<KeyFacts['protection']> => {
      const provider = await providers.get(name)
      const requestId = randomId(world.random, 'r')
      const run = (call: Call) => provider.describe(reference, call)
      return (await attempts({ provider: name, key: 'inventory', requestId, effect: 'read', run })).protection
    },
    close: async () => {
      const open = await providers.opened()
      await closeAll(...open.map(provider => () => provider.close()))
    },
  }
}
