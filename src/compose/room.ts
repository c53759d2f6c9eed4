import { openAdmin } from '../../providers/admin.ts'
import { assertMayServe, openProvider, type ProviderConfig } from '../../providers/index.ts'
import { createMemoryRates } from '../access/rate.ts'
import { nodeAuditFiles } from '../audit/node-files.ts'
import { openAuditLog, type Recovery } from '../audit/open.ts'
import type { AuditLog } from '../domain/audit.ts'
import { SignerError } from '../domain/errors.ts'
import type { KeyAdmin, KeyProvider } from '../domain/provider.ts'
import type { RateStore } from '../domain/claims.ts'
import type { IdempotencyStore, World } from '../domain/ports.ts'
import { lagHead } from '../store/lagging-head.ts'
import type { Store } from '../store/store.ts'
import { auditPath, readFileText } from './places.ts'
import { replayInto } from './restore.ts'
import { closeAll } from './running.ts'
import { openStore, type StoreSettings } from './stores.ts'

export type Environment = 'development' | 'staging' | 'production'

/** What stands on disk, and the key services: everything a service and an operator command share. */
export interface Room {
  readonly store: Store
  readonly idempotency: IdempotencyStore
  readonly audit: AuditLog
  readonly recovery: Recovery
  /** Exact for all processes that share the store. */
  readonly rates: RateStore
  /** Milliseconds since the epoch of the newest record that this process wrote. */
  lastRecordAt(): number | undefined
  provider(name: string): Promise<KeyProvider>
  admin(name: string): Promise<KeyAdmin>
  mayServe: typeof assertMayServe
  close(): Promise<void>
}

export interface RoomSettings {
  readonly environment: Environment
  readonly dataDirectory: string
  readonly instance: string
  readonly segmentBytes?: number
  /** How long an answer is kept for replay. */
  readonly keptMs?: number
  /** SQLite in the data directory unless told. */
  readonly store?: StoreSettings
  readonly providers: Readonly<Record<string, ProviderConfig>>
}

/** Opens store, then log: what the log holds and the store has not kept yet is put back before anybody asks. */
export async function openRoom(settings: RoomSettings, world: World): Promise<Room> {
  const { store, close: closeStore } = await openStore(settings, world)
  try {
    const { idempotency, auditIndex } = lagHead(store)
    const { log, recovery } = await openAuditLog({
      files: await nodeAuditFiles(auditPath(settings.dataDirectory), { access: 'write' }),
      clock: world.clock,
      random: world.random,
      instance: settings.instance,
      index: auditIndex,
      onRecord: replayInto(store),
      ...(settings.segmentBytes === undefined ? {} : { limits: { segmentBytes: settings.segmentBytes } }),
    })
    const around = { ...world, environment: settings.environment, readFile: readFileText }
    const providers = lazily(settings, config => openProvider(config, around))
    const admins = lazily(settings, config => openAdmin(config, around))
    let lastRecordAt: number | undefined
    const audit: AuditLog = {
      append: async (...entries) => {
        const at = world.clock.now()
        const receipt = await log.append(...entries)
        lastRecordAt = Math.max(at, lastRecordAt ?? at)
        return receipt
      },
      get state() {
        return log.state
      },
      close: () => log.close(),
    }
    return {
      store,
      idempotency,
      audit,
      recovery,
      rates: store.rates ?? createMemoryRates(),
      lastRecordAt: () => lastRecordAt,
      provider: providers.get,
      admin: admins.get,
      mayServe: assertMayServe,
      close: async () => {
        const open = await providers.opened()
        await closeAll(() => log.close(), ...open.map(provider => () => provider.close()), closeStore)
      },
    }
  } catch (error) {
    await closeStore()
    throw error
  }
}

/** One instance a name, opened at first use; a failed opening is tried again. */
export function lazily<T>(settings: Pick<RoomSettings, 'providers'>, open: (config: ProviderConfig) => Promise<T>) {
  const made = new Map<string, Promise<T>>()
  const get = (name: string): Promise<T> => {
    const known = made.get(name)
    if (known !== undefined) return known
    const config = settings.providers[name]
    if (config === undefined) {
      const names = Object.keys(settings.providers).join(', ')
      throw new SignerError('config/invalid', {
        problems: [{ path: `providers.${name}`, problem: 'is not configured', fix: `Add it, or use one of: ${names}` }],
      })
    }
    const opening = open(config)
    made.set(name, opening)
    opening.catch(() => made.delete(name))
    return opening
  }
  return {
    get,
    opened: async () =>
      (await Promise.allSettled(made.values())).flatMap(r => (r.status === 'fulfilled' ? [r.value] : [])),
  }
}
