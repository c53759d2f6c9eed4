import { StrKey } from '@stellar/stellar-sdk/base'
import { readEvmAddress } from '../bytes/evm-address.ts'
import type { MigrationRoom } from '../cli/context.ts'
import type { World } from '../domain/ports.ts'
import { migrateSeed } from '../service/migrate/seed.ts'
import { migrateBlobs, migratePassphraseRows } from '../service/migrate/sources.ts'
import type { MigrateDeps } from '../service/migrate/types.ts'
import { seedOfFile } from './custody.ts'
import { registerDeps } from './keys.ts'
import { openRoom, type Room, type RoomSettings } from './room.ts'

/** Keys of other platforms, on their way into the registry. */
export async function openMigrationRoom(settings: RoomSettings, world: World): Promise<MigrationRoom> {
  const room = await openRoom(settings, world)
  const deps = migrateDeps(room, world, settings)
  return {
    seed: job => migrateSeed(deps, job),
    passphraseRows: (job, options) => migratePassphraseRows(deps, job, options),
    blobs: (job, options) => migrateBlobs(deps, job, options),
    close: room.close,
  }
}

const migrateDeps = (room: Room, world: World, { environment }: Pick<RoomSettings, 'environment'>): MigrateDeps => ({
  ...registerDeps(room, world, environment),
  seedOf: seedOfFile,
  account,
})

export const account: MigrateDeps['account'] = (chain, text) =>
  chain === 'evm' ? evmAccount(text) : stellarAccount(text)

function evmAccount(text: string) {
  const address = readEvmAddress(text)
  return address === undefined ? undefined : { address }
}

const stellarAccount = (text: string) =>
  StrKey.isValidEd25519PublicKey(text) ? { address: text, publicKey: StrKey.decodeEd25519PublicKey(text) } : undefined
