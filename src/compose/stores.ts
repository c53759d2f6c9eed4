import { SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import type { Secret } from '../domain/secret.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import type { Store } from '../store/store.ts'
import { readFileText, storePath } from './places.ts'
import type { RoomSettings } from './room.ts'

/** Where registry, idempotency, limits and spend windows are kept. */
export type StoreSettings =
  | { readonly kind: 'sqlite' }
  | {
      readonly kind: 'postgres'
      readonly url: Secret
      readonly pool: number
      readonly tls: 'verify' | 'off'
      /** File with the authority that its certificate is checked against; absent: those of the runtime. */
      readonly ca?: string
    }

export interface OpenStore {
  readonly store: Store
  close(): Promise<void>
}

/** The driver of PostgreSQL is loaded only where it is used. @throws `start/refused`, `config/invalid`, `store/unavailable` */
export async function openStore(settings: RoomSettings, world: World): Promise<OpenStore> {
  const { store: where = { kind: 'sqlite' }, keptMs, dataDirectory, instance } = settings
  const kept = keptMs === undefined ? {} : { keptMs }
  if (where.kind === 'sqlite') {
    const store = await openSqliteStore({ path: storePath(dataDirectory), clock: world.clock, ...kept })
    return { store, close: async () => store.close() }
  }
  const { openPostgresStore } = await import('../store/postgres.ts')
  const { readPostgresUrl } = await import('../store/postgres-options.ts')
  const { tls, pool, ca } = where
  const connection = {
    ...readPostgresUrl(where.url),
    tls,
    ...(ca === undefined ? {} : { ca: await authority(ca) }),
  }
  const store = await openPostgresStore({ connection, clock: world.clock, instance, poolSize: pool, ...kept })
  return { store, close: () => store.end() }
}

const authority = (path: string): Promise<string> =>
  readFileText(path).catch((cause: unknown) => {
    const fix = 'Name the file with the certificate authority of the server, in PEM.'
    throw new SignerError('start/refused', { reason: `store.ca ${path} cannot be read`, fix }, { cause })
  })
