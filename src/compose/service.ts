import { authorize, type Caller } from '../access/authorize.ts'
import { createTokenVerifier } from '../access/tokens.ts'
import { createRefusals } from '../audit/refusals.ts'
import { randomId } from '../bytes/ids.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Binding, ResolvedKey } from '../domain/key.ts'
import type { Clock, Logger } from '../domain/ports.ts'
import { type Check, dataPlane } from '../http/app.ts'
import type { Listening, Runtime } from '../runtime/index.ts'
import { createSigner } from '../service/signer.ts'
import { KEPT_MS } from '../store/store.ts'
import { breakerJournal, providersCheck } from './breakers.ts'
import { custodyOf, type GuardLimits, guardedAttempts } from './custody.ts'
import { isPublishedKey } from './demo.ts'
import { type FlagSettings, openRouting, type Routing } from './flags.ts'
import { LOCAL_OPERATOR } from './places.ts'
import { openRoom, type Room, type RoomSettings } from './room.ts'
import { closeAll } from './running.ts'

/** A configuration, reduced to what the service needs. */
export interface ServiceSettings extends RoomSettings {
  readonly server: { readonly host: string; readonly port: number; readonly socket?: string }
  readonly limits: GuardLimits & { readonly bodyBytes: number }
  readonly tokens: Parameters<typeof createTokenVerifier>[0]
  /** Without it, the first binding of every key serves. */
  readonly flags?: FlagSettings
  /** For the bench alone: told when a key was opened, and again when its bytes were wiped. No configuration sets it. */
  readonly keyOpened?: () => () => void
}

export interface RunningService {
  readonly url: string
  readonly room: Room
  readonly checks: () => Promise<readonly Check[]>
  stop(drainMs: number): Promise<void>
}

const IDLE_SECONDS = 30
const SHADOW_DRAIN_MS = 5_000
const HOUR_MS = 60 * 60 * 1000

/** Opens the room, wires the path of a signature to it, and listens. Everything is closed again when any step fails. */
export async function startService(
  settings: ServiceSettings,
  runtime: Runtime,
  logger: Logger,
): Promise<RunningService> {
  const world = runtime.world()
  const room = await openRoom(settings, world)
  let listening: Listening | undefined
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
    await event('service-started', {
      environment: settings.environment,
      runtime: `${runtime.runtime} ${runtime.version()}`,
      truncatedBytes: room.recovery.truncatedBytes,
      interrupted: room.recovery.interrupted.length,
    })
    const refusals = createRefusals({ log: room.audit, clock: world.clock, newAuditId })
    const journal = breakerJournal({ audit: room.audit, logger, clock: world.clock, newAuditId })
    const guarded = guardedAttempts(world, settings.limits, journal)
    const custody = custodyOf(guarded.attempts, room.provider, room.store.keys.envelope, settings.keyOpened)
    const mayServe = gateOf(settings, room, logger)
    if (settings.flags !== undefined) {
      const { environment } = settings
      const { audit, store } = room
      const parts = { environment, world, logger, audit, keys: store.keys, newAuditId, custody, mayServe }
      routing = await openRouting(settings.flags, parts)
    }
    const signer = createSigner({
      world,
      logger,
      limits: settings.limits,
      catalogue: room.store.keys,
      setState: room.store.keys.setState,
      idempotency: room.idempotency,
      audit: room.audit,
      authenticate: createTokenVerifier(settings.tokens),
      authorize: (caller: Caller, action, key) => authorize(caller, action, key),
      custody,
      mayServe,
      ...(routing === undefined ? {} : { routing }),
      recordRefusal: outcome => {
        refusals.record(outcome).catch(error => logger.error('refusal-unrecorded', { message: String(error) }))
      },
    })
    const opened = openBound(settings, room, logger)
    const checks = async (): Promise<readonly Check[]> => [
      auditCheck(room),
      await storeCheck(room),
      providersCheck(Object.keys(settings.providers), guarded),
      opened(),
    ]
    const plane = {
      sign: signer.sign,
      getKey: signer.getKey,
      incident: signer.incident,
      readiness: checks,
      random: world.random,
      logger,
      limits: settings.limits,
    }
    listening = await runtime.serve({
      fetch: dataPlane(plane),
      ...settings.server,
      limits: { bodyBytes: settings.limits.bodyBytes, idleSeconds: IDLE_SECONDS },
    })
    const server = listening
    const housekeeping = forgetOldAnswers(room, world.clock, settings.keptMs ?? KEPT_MS, logger)
    return {
      url: server.url,
      room,
      checks,
      stop: async drainMs => {
        housekeeping.abort()
        await closeAll(
          () => server.stop(drainMs),
          () => routing?.stop(Math.min(drainMs, SHADOW_DRAIN_MS)),
          () => refusals.flush().catch(error => logger.error('refusals-unrecorded', { message: String(error) })),
          async () => void (room.audit.state.kind === 'open' && (await event('service-stopped', {}))),
          () => room.close(),
        )
      },
    }
  } catch (error) {
    await listening?.stop(0)
    await routing?.stop(0)
    await room.close()
    throw error
  }
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

/** Once an hour, so that the store does not grow for ever. A failure is tried again an hour later. */
function forgetOldAnswers(room: Room, clock: Clock, keptMs: number, logger: Logger): AbortController {
  const stop = new AbortController()
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await room.store.idempotency
        .purge(clock.now() - keptMs)
        .catch(error => logger.warn('answers-not-purged', { message: String(error) }))
      await clock.sleep(HOUR_MS, stop.signal)
    }
  }
  loop().catch(() => stop.abort()) // the only way out is the signal
  return stop
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
