import type { AdminRoom } from '../cli/context.ts'
import type { World } from '../domain/ports.ts'
import { localAdmins } from '../service/control/local-admins.ts'
import { LOCAL_OPERATOR } from './places.ts'
import { openRoom, type RoomSettings } from './room.ts'

/** The administrators of a store that nobody signs from meanwhile, or that is shared. */
export async function openAdminRoom(settings: RoomSettings, world: World): Promise<AdminRoom> {
  const room = await openRoom(settings, world)
  const { admins: people, keys, tokens } = room.store
  const admins = localAdmins({ admins: people, keys, tokens, audit: room.audit, world, actor: LOCAL_OPERATOR })
  return { ...admins, close: () => room.close() }
}
