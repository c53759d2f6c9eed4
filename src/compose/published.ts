import { type MetadataKey, openMetadataKey } from '../approvals/index.ts'
import type { Config } from '../config/schema.ts'
import type { World } from '../domain/ports.ts'
import type { Secret } from '../domain/secret.ts'
import { createPublished, type Published } from '../service/published.ts'
import { openMetadataSecret } from './own-keys.ts'
import type { Room, RoomSettings } from './room.ts'

/** What verifiers of approvals are told, and who vouches for it. */
export interface MetadataSettings {
  readonly issuer: string
  readonly lifeSeconds: number
  /** Absent: one is made in the data directory. */
  readonly key?: Secret
}

const UNTOLD: MetadataSettings = { issuer: 'countersign', lifeSeconds: 3600 }

export const metadataSettings = ({ metadata: { issuer, lifeMinutes, key } }: Config): MetadataSettings => ({
  issuer,
  lifeSeconds: lifeMinutes * 60,
  ...(key === undefined ? {} : { key }),
})

interface Settings extends Pick<RoomSettings, 'dataDirectory'> {
  readonly metadata?: MetadataSettings
}

/** @throws `start/refused` on a key file that others may read, `config/invalid` on one that is no key */
export async function openMetadata(
  { dataDirectory, metadata = UNTOLD }: Settings,
  random: World['random'],
): Promise<MetadataKey> {
  const { key } = metadata
  return openMetadataKey(await openMetadataSecret({ dataDirectory, ...(key === undefined ? {} : { key }) }, random))
}

export async function openPublished(settings: Settings, { store }: Room, world: World): Promise<Published> {
  const { issuer, lifeSeconds } = settings.metadata ?? UNTOLD
  const key = await openMetadata(settings, world.random)
  return createPublished({ clock: world.clock, catalogue: store.keys, key, issuer, lifeSeconds })
}
