import { createHours } from '../access/hours.ts'
import type { TokenRules } from '../access/tokens.ts'
import type { NetworkSettings } from '../config/transactions.ts'
import { createRefusals } from '../audit/refusals.ts'
import { randomId } from '../bytes/ids.ts'
import { SignerError } from '../domain/errors.ts'
import type { EventEntry, OutcomeEntry } from '../domain/audit.ts'
import type { Logger } from '../domain/ports.ts'
import type { TransactionTemplate } from '../domain/transactions.ts'
import type { Check } from '../http/edge.ts'
import type { Runtime } from '../runtime/index.ts'
import type { WebhookSettings } from '../service/webhooks.ts'
import { KEPT_MS } from '../store/store.ts'
import { breakerJournal, providersCheck } from './breakers.ts'
import { type GuardLimits, guardedAttempts } from './custody.ts'
import { isPublishedKey } from './demo.ts'
import type { FlagSettings, Routing } from './flags.ts'
import type { GatewaySettings } from './gateway-settings.ts'
import { forgetOld } from './housekeeping.ts'
import { latest, newestTime } from './newest-time.ts'
import { auditPath, LOCAL_OPERATOR } from './places.ts'
import type { Tending } from './proposals.ts'
import type { MetadataSettings } from './published.ts'
import type { PinWatch } from './pins.ts'
import { type Door, listenPlanes, type Planes, type PlaneServer } from './planes.ts'
import { openRoom, type Room, type RoomSettings } from './room.ts'
import { closeAll } from './running.ts'

/** A configuration, reduced to what the service needs. */
export interface ServiceSettings extends RoomSettings {
  readonly server: Door & { readonly baseUrls?: readonly string[] }
  readonly limits: GuardLimits & { readonly bodyBytes: number }
  /** Whose tokens are taken; without it, those of the control plane in this process. */
  readonly tokens?: TokenRules
  /** Without it, the first binding of every key serves. */
  readonly flags?: FlagSettings
  /** Who gets in, when, how often. Without it, everybody with a token. */
  readonly gateway?: GatewaySettings
  /** Of the document that tells verifiers about keys; without it, as the configuration has it when nobody says anything. */
  readonly metadata?: MetadataSettings
  /** Without it, nobody is told. */
  readonly webhooks?: WebhookSettings
  /** Endpoints of Stellar networks by name, and the calls that are built for them. */
  readonly networks?: Readonly<Record<string, NetworkSettings>>
  readonly templates?: ReadonlyMap<string, TransactionTemplate>
  /** How often the pins are held against the key services; absent: never. */
  readonly recheckMs?: number
  /** How long a version of a key rests, retired or revoked, before it may be destroyed; a week unless told. */
  readonly destroyAfterMs?: number
  readonly version?: string
  /** For the bench alone: told when a key was opened, and again when its bytes were wiped. No configuration sets it. */
  readonly keyOpened?: () => () => void
}

export interface RunningService {
  /** Of the data plane; of the control plane where that is all there is. */
  readonly url: string
  readonly controlUrl?: string
  readonly room: Room
  readonly checks: () => Promise<readonly Check[]>
  stop(drainMs: number): Promise<void>
}

/** Longer than the longest answer takes. */
const idleSeconds = ({ limits }: ServiceSettings): number => Math.max(30, Math.ceil(limits.deadlineMs / 1000) + 5)
const SHADOW_DRAIN_MS = 5_000
/** Half of what the largest route takes, since listeners take twice as much: each route has its own limit, and says so. */
const LISTENER_BYTES = 2 * 1024 * 1024

/** Opens the room, wires the planes to it, and listens. Everything is closed again when any step fails. */
export async function startService(
  settings: ServiceSettings,
  runtime: Runtime,
  logger: Logger,
): Promise<RunningService> {
  const world = runtime.world()
  const room = await openRoom(settings, world)
  let planes: Planes | undefined
  let routing: Routing | undefined
  let tending: Tending | undefined
  let pins: PinWatch | undefined
  try {
    await refuseDevelopmentKeys(settings, room)
    const newAuditId = (): string => randomId(world.random, 'a')
    const event = (name: string, detail: Record<string, string | number | boolean>) =>
      room.audit.append({
        kind: 'event',
        auditId: newAuditId(),
        event: name,
        actor: LOCAL_OPERATOR,
        detail,
      })
    const { gateway } = settings
    const plane = gateway?.plane ?? 'data'
    await event('service-started', {
      environment: settings.environment,
      plane,
      runtime: `${runtime.runtime} ${runtime.version()}`,
      truncatedBytes: room.recovery.truncatedBytes,
      interrupted: room.recovery.interrupted.length,
    })
    const refusals = createRefusals({ log: room.audit, clock: world.clock, newAuditId })
    const recordRefusal = (entry: OutcomeEntry | EventEntry): void => {
      refusals.record(entry).catch(error => logger.error('refusal-unrecorded', { message: String(error) }))
    }
    const journal = breakerJournal({ audit: room.audit, logger, clock: world.clock, newAuditId })
    const guarded = guardedAttempts(world, settings.limits, journal)
    // Each plane's code is loaded where it is served, and nowhere else.
    const dataSide = plane === 'control' ? undefined : await import('./data-side.ts')
    const opened = dataSide?.openBound(settings, room, logger)
    const checks = async (): Promise<readonly Check[]> => [
      auditCheck(room),
      await storeCheck(room),
      ...(opened === undefined ? [] : [providersCheck(Object.keys(settings.providers), guarded), opened()]),
      ...(pins === undefined ? [] : [pins.check()]),
    ]
    const before =
      gateway === undefined ? undefined : await newestTime(auditPath(settings.dataDirectory), room.recovery)
    const office = createHours({ clock: world.clock, lastRecordAt: () => latest(room.lastRecordAt(), before) })
    const issuers =
      gateway === undefined || plane === 'data'
        ? undefined
        : await (await import('./issuers.ts')).openIssuers({ ...settings, gateway }, world, office)

    let data: PlaneServer | undefined
    if (dataSide !== undefined) {
      const parts = { room, world, logger, office, issuers, guarded, newAuditId, recordRefusal, readiness: checks }
      const side = await dataSide.openDataSide(settings, parts)
      routing = side.routing
      tending = side.tending
      pins = side.pins
      data = { ...doorOf(settings.server), fetch: side.fetch }
    }
    let control: PlaneServer | undefined
    if (gateway !== undefined && issuers !== undefined) {
      const { openControlSide } = await import('./control-side.ts')
      const side = { ...settings, gateway, version: settings.version ?? 'unknown' }
      const parts = { room, world, logger, office, issuers, recordRefusal, readiness: checks }
      control = { ...doorOf(gateway.control), fetch: await openControlSide(side, parts) }
    }
    const served = { ...(data === undefined ? {} : { data }), ...(control === undefined ? {} : { control }) }
    planes = await listenPlanes(runtime, served, {
      bodyBytes: Math.max(settings.limits.bodyBytes, LISTENER_BYTES),
      idleSeconds: idleSeconds(settings),
    })
    const listening = planes
    pins?.start()
    const housekeeping = forgetOld(room, world.clock, settings.keptMs ?? KEPT_MS, logger)
    const { dataUrl, controlUrl } = listening
    return {
      url: dataUrl ?? controlUrl ?? '',
      ...(controlUrl === undefined ? {} : { controlUrl }),
      room,
      checks,
      stop: async drainMs => {
        housekeeping.abort()
        await closeAll(
          () => listening.stop(drainMs),
          () => routing?.stop(Math.min(drainMs, SHADOW_DRAIN_MS)),
          () => tending?.stop(),
          () => pins?.stop(),
          () => refusals.flush().catch(error => logger.error('refusals-unrecorded', { message: String(error) })),
          async () => void (room.audit.state.kind === 'open' && (await event('service-stopped', {}))),
          () => room.close(),
        )
      },
    }
  } catch (error) {
    // Whatever cannot be closed: the error that matters is the one on its way.
    await closeAll(
      () => planes?.stop(0),
      () => routing?.stop(0),
      () => tending?.stop(),
      () => room.close(),
    ).catch(() => {})
    throw error
  }
}

const doorOf = ({ host, port, socket }: Door): Door => ({ host, port, ...(socket === undefined ? {} : { socket }) })

/** The registry is a way in too: no key of a development provider, and no key everybody has, starts in production. */
async function refuseDevelopmentKeys(settings: ServiceSettings, room: Room): Promise<void> {
  if (settings.environment !== 'production') return
  for (const { key, version, bindings } of await room.store.keys.list()) {
    const kinds = bindings.map(({ provider }) => settings.providers[provider]?.kind ?? provider)
    const bad = kinds.find(kind => kind === 'mock' || kind === 'raw-env')
    if (bad === undefined && !isPublishedKey(version.publicKey)) continue
    throw new SignerError('start/refused', {
      reason: `the key ${key.name} ${bad === undefined ? 'is a published development key' : `is bound to the development provider ${bad}`}`,
      fix: 'start production with a data directory of its own, and make the key with `countersign keys create`',
    })
  }
}

function auditCheck(room: Room): Check {
  const { state } = room.audit
  return state.kind === 'open'
    ? { name: 'audit', ok: true }
    : { name: 'audit', ok: false, detail: `sealed: ${state.reason}` }
}

async function storeCheck(room: Room): Promise<Check> {
  try {
    await room.store.auditIndex.head()
    return { name: 'store', ok: true }
  } catch {
    return { name: 'store', ok: false, detail: 'the store does not answer' }
  }
}
