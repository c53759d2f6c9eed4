import { authorize, type Caller } from '../access/authorize.ts'
import type { OfficeClock } from '../access/hours.ts'
import { replaysInRates } from '../access/replays.ts'
import { createTokenVerifier, type TokenRules } from '../access/tokens.ts'
import { createRefusals } from '../audit/refusals.ts'
import { randomId } from '../bytes/ids.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Binding, ResolvedKey } from '../domain/key.ts'
import type { OutcomeEntry } from '../domain/audit.ts'
import type { Logger, World } from '../domain/ports.ts'
import { type Check, dataPlane } from '../http/app.ts'
import type { Runtime } from '../runtime/index.ts'
import { createSigner, type SignerParts } from '../service/signer.ts'
import { KEPT_MS } from '../store/store.ts'
import { breakerJournal, providersCheck } from './breakers.ts'
import { custodyOf, type GuardLimits, guardedAttempts } from './custody.ts'
import { isPublishedKey } from './demo.ts'
import { type FlagSettings, openRouting, type Routing } from './flags.ts'
import { type Issuers, openIssuers } from './control-side.ts'
import { dataGateway, officeClock } from './gateway.ts'
import type { GatewaySettings } from './gateway-settings.ts'
import { forgetOld } from './housekeeping.ts'
import { latest, newestTime } from './newest-time.ts'
import { auditPath, LOCAL_OPERATOR } from './places.ts'
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
    const recordRefusal = (outcome: OutcomeEntry): void => {
      refusals.record(outcome).catch(error => logger.error('refusal-unrecorded', { message: String(error) }))
    }
    const journal = breakerJournal({ audit: room.audit, logger, clock: world.clock, newAuditId })
    const guarded = guardedAttempts(world, settings.limits, journal)
    const opened = plane === 'control' ? undefined : openBound(settings, room, logger)
    const checks = async (): Promise<readonly Check[]> => [
      auditCheck(room),
      await storeCheck(room),
      ...(opened === undefined ? [] : [providersCheck(Object.keys(settings.providers), guarded), opened()]),
    ]
    const before =
      gateway === undefined ? undefined : await newestTime(auditPath(settings.dataDirectory), room.recovery)
    const office = officeClock(world, () => latest(room.lastRecordAt(), before))
    const issuers =
      gateway === undefined || plane === 'data' ? undefined : await openIssuers({ ...settings, gateway }, world, office)

    let data: PlaneServer | undefined
    if (plane !== 'control') {
      const custody = custodyOf(guarded.attempts, room.provider, room.store.keys.envelope, settings.keyOpened)
      const mayServe = gateOf(settings, room, logger)
      if (settings.flags !== undefined) {
        const { environment } = settings
        const { audit, store } = room
        const parts = { environment, world, logger, audit, keys: store.keys, newAuditId, custody, mayServe }
        routing = await openRouting(settings.flags, parts)
      }
      const signer = createSigner<Caller>({
        world,
        logger,
        limits: settings.limits,
        catalogue: room.store.keys,
        setState: room.store.keys.setState,
        idempotency: room.idempotency,
        shared: room.store.shared,
        claims: room.store.claims,
        audit: room.audit,
        ...wayIn(settings, tokensOf(settings, issuers, world), { world, room, office }),
        custody,
        mayServe,
        ...(routing === undefined ? {} : { routing }),
        recordRefusal,
      })
      const edge = dataPlane({ ...signer, readiness: checks, ...world, logger, limits: settings.limits })
      data = { ...doorOf(settings.server), fetch: edge }
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
      bodyBytes: settings.limits.bodyBytes,
      idleSeconds: idleSeconds(settings),
    })
    const listening = planes
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
      () => room.close(),
    ).catch(() => {})
    throw error
  }
}

const doorOf = ({ host, port, socket }: Door): Door => ({ host, port, ...(socket === undefined ? {} : { socket }) })

/** Of an issuer the configuration names, of the control plane in this process, or of both. */
function tokensOf({ tokens, gateway }: ServiceSettings, issuers: Issuers | undefined, { clock }: World): TokenRules {
  if (tokens !== undefined) {
    return issuers === undefined ? tokens : { ...tokens, others: [...(tokens.others ?? []), issuers.trusted] }
  }
  if (issuers !== undefined && gateway !== undefined) {
    return { ...issuers.trusted, audience: gateway.issuer.audience, clock }
  }
  const fix = 'Say whose tokens are accepted: issuer, audience, jwks'
  throw new SignerError('config/invalid', { problems: [{ path: 'tokens', problem: 'is missing', fix }] })
}

/** Without a gateway, as in `dev` and in the bench: whoever has a token comes in. */
function wayIn(
  { gateway, server }: ServiceSettings,
  tokens: TokenRules,
  { world, room, office }: { readonly world: World; readonly room: Room; readonly office: OfficeClock },
): Pick<SignerParts<Caller>, 'authenticate' | 'authorize' | 'gateway' | 'unguarded'> {
  if (gateway === undefined) {
    return {
      authenticate: createTokenVerifier(tokens),
      authorize: (caller, action, key) => authorize(caller, action, key),
    }
  }
  const { rates, store } = room
  const replays = store.shared ? { replays: replaysInRates(rates, () => world.clock.monotonic()) } : {}
  const bases = server.baseUrls ?? gateway.data.baseUrls
  const way = dataGateway(gateway, tokens, bases, { world, rates, ledger: store.tokens, office, ...replays })
  return { ...way, unguarded: gateway.unguarded }
}

/** Asked for every binding of every request, whatever a flag says: development keys stay out of production. */
const gateOf =
  (settings: ServiceSettings, room: Room, logger: Logger) =>
  async ({ key: { chain, network } }: ResolvedKey, binding: Binding): Promise<void> => {
    const place = { environment: settings.environment, chain, network }
    if (settings.providers[binding.provider] === undefined) throw notConfigured(binding)
    const { can } = await room.provider(binding.provider).catch((error: unknown) => {
      throw notOpened(error, binding, logger)
    })
    try {
      room.mayServe(place, can)
    } catch (error) {
      if (!isSignerError(error)) throw error
      const reason = 'reason' in error.detail ? error.detail.reason : error.code
      throw new SignerError('key/unsupported', { key: binding.key, wanted: network, reason }, { cause: error })
    }
  }

/**
 * Opens the key services that keys are bound to, beside the start: no caller waits for a library to load, and a table that
 * its service cannot be opened with keeps the instance from being ready, instead of waiting for the first request.
 */
function openBound({ providers }: ServiceSettings, room: Room, logger: Logger): () => Check {
  const failed = new Set<string>()
  const open = async (): Promise<void> => {
    const bound = (await room.store.keys.list()).flatMap(({ bindings }) => bindings)
    const first = new Map(bound.map(binding => [binding.provider, binding]))
    for (const [name, binding] of first) {
      if (providers[name] === undefined) continue
      await room.provider(name).catch(error => {
        failed.add(name)
        notOpened(error, binding, logger)
      })
    }
  }
  open().catch(error => logger.warn('providers-not-opened', { message: String(error) }))
  return () =>
    failed.size === 0
      ? { name: 'configuration', ok: true }
      : { name: 'configuration', ok: false, detail: `cannot be opened: ${[...failed].join(', ')}` }
}

/** The operator reads what is wrong with the configuration: it may say how weak a passphrase is. */
function notOpened(error: unknown, { provider, key, custody }: Binding, logger: Logger): unknown {
  if (!isSignerError(error) || (error.code !== 'config/invalid' && error.code !== 'start/refused')) return error
  logger.error('provider-not-opened', { provider, code: error.code, ...error.detail })
  const reason = 'its key service cannot be opened here'
  return new SignerError('key/unsupported', { key, wanted: custody, reason }, { cause: error })
}

/** Callers learn that the key cannot be served, and nothing about what is configured. */
const notConfigured = ({ key, custody }: Binding) =>
  new SignerError('key/unsupported', { key, wanted: custody, reason: 'its key service is not configured here' })

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
