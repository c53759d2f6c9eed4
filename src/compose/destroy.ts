import type { DestroyRoom } from '../cli/context.ts'
import type { NetworkSettings } from '../config/transactions.ts'
import type { AuditActor } from '../domain/audit.ts'
import type { World } from '../domain/ports.ts'
import { type DestroyDeps, destroyVersion, planDestruction } from '../service/destroy.ts'
import { asking, attemptsOf } from './custody.ts'
import { LOCAL_OPERATOR } from './places.ts'
import { openRoom, type Room, type RoomSettings } from './room.ts'
import { openNetworks } from './stellar-networks.ts'

/** Whoever destroys a key waits for the answer. Repeating a request does no harm. */
const LIMITS = { deadlineMs: 15_000, tries: 3 }
const NETWORK_MS = 15_000

export type Networks = Readonly<Record<string, NetworkSettings>>
/** @param destroyAfterMs  how long a version rests before its end */
export type DestroySettings = RoomSettings & { readonly networks?: Networks; readonly destroyAfterMs?: number }

/** A week, in which an end that nobody wanted is noticed. */
const REST_MS = 7 * 86_400_000

/** Destruction against an open room: by a command, or by the control plane. */
export function destroyDeps(
  room: Room,
  world: World,
  { networks = {}, destroyAfterMs: restMs = REST_MS }: Pick<DestroySettings, 'networks' | 'destroyAfterMs'>,
  actor: AuditActor,
): DestroyDeps {
  const ask = asking(attemptsOf(world, LIMITS), world.random)
  const nodes = openNetworks(networks, world)
  return {
    registry: room.store.keys,
    clock: world.clock,
    restMs,
    audit: room.audit,
    random: world.random,
    actor,
    waitDaysMax: async provider => (await room.admin(provider)).waitDaysMax,
    publicKeyAt: async ({ provider, reference: key }) => {
      const service = await room.provider(provider)
      return (await ask({ provider, key }, call => service.describe(key, call))).publicKey
    },
    giveUp: async ({ provider, reference: key }, days) => {
      const admin = await room.admin(provider)
      return ask({ provider, key }, call => admin.scheduleDestroy(key, { days }, call))
    },
    accounts: network => {
      const node = nodes.get(network)
      return node === undefined ? undefined : address => node.account(address, AbortSignal.timeout(NETWORK_MS))
    },
  }
}

/** The end of keys, for whoever owns the machine. */
export async function openDestroyRoom(settings: DestroySettings, world: World): Promise<DestroyRoom> {
  const room = await openRoom(settings, world)
  const deps = destroyDeps(room, world, settings, LOCAL_OPERATOR)
  return {
    plan: (name, wish) => planDestruction(deps, name, wish),
    destroy: (name, wish) => destroyVersion(deps, name, wish),
    close: room.close,
  }
}
