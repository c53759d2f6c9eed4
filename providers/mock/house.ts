import { SignerError } from '../../src/domain/errors.ts'
import type { KeyRef } from '../../src/domain/provider.ts'
import type { SoftwareKey } from '../software/key.ts'
import type { ProviderWorld } from '../world.ts'

/**
 * What administration did to development keys: states, and keys that were imported. Kept for the life of the process and of
 * the world that provider and administration were opened with; another process knows nothing of it.
 */
export interface House {
  readonly states: Map<KeyRef, State>
  /** Of keys that were given up, when they are gone; milliseconds since the epoch. */
  readonly ends: Map<KeyRef, number>
  readonly imported: Map<KeyRef, SoftwareKey>
}
export type State = 'disabled' | 'destroyed'

const houses = new WeakMap<ProviderWorld, House>()

export function houseOf(world: ProviderWorld): House {
  const known = houses.get(world)
  if (known !== undefined) return known
  const house: House = { states: new Map(), ends: new Map(), imported: new Map() }
  houses.set(world, house)
  return house
}

/** @throws `provider/refused` */
export function requireEnabled(provider: string, house: House, key: KeyRef): void {
  const state = house.states.get(key)
  if (state !== undefined) throw new SignerError('provider/refused', { provider, reason: `the key is ${state}` })
}
