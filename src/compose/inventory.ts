import { openProvider } from '../../providers/index.ts'
import type { InventoryRoom } from '../cli/context.ts'
import { SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import type { KeyFacts, KeyProvider, KeyRef } from '../domain/provider.ts'
import { takeInventory } from '../service/inventory.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { asking, attemptsOf } from './custody.ts'
import { exists, readFileText, storePath } from './places.ts'
import { lazily, type RoomSettings } from './room.ts'
import { closeAll } from './running.ts'
import { type OpenStore, openStore } from './stores.ts'

/** A list that waits for nobody long: what is not known in time is unknown. */
const LIMITS = { deadlineMs: 5_000, tries: 2 }

export type InventorySettings = RoomSettings & { readonly cryptoPeriodDays?: number }

/** What auditors ask of the registry. Reads only, and takes no lock of the store, so it works beside a running service. */
export async function openInventory(settings: InventorySettings, world: World): Promise<InventoryRoom> {
  const { store, provider, close } = await openReadingRoom(settings, world)
  const ask = asking(attemptsOf(world, LIMITS), world.random)
  const protection = async (name: string, reference: KeyRef): Promise<KeyFacts['protection']> => {
    const service = await provider(name)
    return (await ask({ provider: name, key: 'inventory' }, call => service.describe(reference, call))).protection
  }
  const { cryptoPeriodDays } = settings
  return {
    take: ({ ask: asksServices }) =>
      takeInventory({
        registry: store.keys,
        now: world.clock.now(),
        ...(cryptoPeriodDays === undefined ? {} : { cryptoPeriodDays }),
        ...(asksServices ? { protection } : {}),
      }),
    close,
  }
}

/** The registry to read from, and the key services to ask. */
export interface ReadingRoom extends Pick<OpenStore, 'store'> {
  provider(name: string): Promise<KeyProvider>
  close(): Promise<void>
}

/** Takes no lock of the store, so it works beside a running service. @throws as `openToRead` */
export async function openReadingRoom(settings: RoomSettings, world: World): Promise<ReadingRoom> {
  const { store, close } = await openToRead(settings, world)
  const around = { ...world, environment: settings.environment, readFile: readFileText }
  const providers = lazily(settings, config => openProvider(config, around))
  return {
    store,
    provider: providers.get,
    close: async () => {
      const open = await providers.opened()
      await closeAll(...open.map(service => () => service.close()), close)
    },
  }
}

/** @throws `start/refused` where there is no registry: an empty list would say that there are no keys */
async function openToRead(settings: RoomSettings, world: World): Promise<OpenStore> {
  if (settings.store?.kind === 'postgres') return openStore(settings, world)
  const path = storePath(settings.dataDirectory)
  if (!(await exists(path))) {
    const fix = 'look at data.directory in the configuration, or give it by --data'
    throw new SignerError('start/refused', { reason: `there is no registry in ${settings.dataDirectory}`, fix })
  }
  const store = await openSqliteStore({ path, clock: world.clock, role: 'guest' })
  return { store, close: async () => store.close() }
}
