import type { AuditActor, AuditLog } from '../domain/audit.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import { type Binding, maySign, type ResolvedKey } from '../domain/key.ts'
import type { Clock, KeyRegistry, Logger, World } from '../domain/ports.ts'
import type { Signed, SignInput } from '../domain/provider.ts'
import {
  createRemoteFlags,
  createRouter,
  createShadow,
  createWatchedFlags,
  type Flag,
  type FlagContext,
  type FlagJournal,
  type FlagSet,
  type FlagSource,
  type Router,
  type Shadow,
  targetsOf,
  unusable,
  type WhenStale,
} from '../routing/index.ts'
import { flagDocument } from './flag-files.ts'

export interface FlagSettings {
  readonly file?: string | undefined
  readonly service?: string | undefined
  readonly name: string
  readonly maxAgeSeconds: number
  readonly whenStale: WhenStale
  readonly shadowConcurrency: number
  readonly shadowQueue: number
  /** Asked instead of file and service: for those who embed the service and bring a flag system. */
  readonly ask?: ((context: FlagContext) => Promise<unknown>) | undefined
}

export interface RoutingParts {
  readonly environment: string
  readonly world: World
  readonly logger: Logger
  readonly audit: AuditLog
  readonly keys: KeyRegistry
  readonly newAuditId: () => string
  readonly custody: (key: ResolvedKey, binding: Binding, input: SignInput, requestId: string) => Promise<Signed>
  readonly mayServe: (key: ResolvedKey, binding: Binding) => Promise<void> | void
}

export interface Routing {
  readonly route: Router
  readonly shadow: Shadow['add']
  stop(drainMs: number): Promise<void>
}

const SYSTEM: AuditActor = { subject: 'system', peer: 'none' }
const MINUTE_MS = 60_000

/** Flags, router and shadow of a running service. Undefined where no flags are configured. @throws `config/invalid` */
export async function openRouting(settings: FlagSettings, parts: RoutingParts): Promise<Routing | undefined> {
  if (settings.file === undefined && settings.service === undefined && settings.ask === undefined) return undefined
  const { world, logger, audit, keys, newAuditId } = parts
  const event = async (name: string, detail: Record<string, string | number | boolean>): Promise<void> => {
    await audit.append({ kind: 'event', auditId: newAuditId(), event: name, actor: SYSTEM, detail })
  }
  const unrecorded = (name: string) => (error: unknown) =>
    logger.error('event-unrecorded', { name, code: isSignerError(error) ? error.code : 'unexpected' })
  const flags = await openSource(settings, parts, flagJournal({ logger, event, unrecorded }))
  const suspended = new Map<string, string>()

  /** @returns true when it was not suspended before */
  const suspend = async (binding: Binding, reason: string): Promise<boolean> => {
    suspended.set(binding.id, reason) // at once: the registry follows
    try {
      const isNew = await keys.suspendBinding(binding.id, reason)
      suspended.delete(binding.id)
      return isNew
    } catch (error) {
      const code = isSignerError(error) ? error.code : 'unexpected'
      logger.error('suspension-unwritten', { binding: binding.id, code })
      return true
    }
  }
  const mayRecord = perMinute(world.clock, 30)
  const shadow = createShadow({
    clock: world.clock,
    places: settings.shadowConcurrency,
    queue: settings.shadowQueue,
    sign: job => parts.custody(job.key, job.shadow, job.input, job.requestId),
    mayStillSign: async ({ key: { key, version }, shadow: binding }) => {
      const state = await keys.stateOf(key.name, version.version)
      await parts.mayServe({ key, version, bindings: [binding] }, binding)
      return state !== undefined && maySign(state)
    },
    onTrouble: async ({ key: { key, version }, shadow: binding, auditId, requestId }, result) => {
      const about = { key: key.name, version: version.version, binding: binding.id, provider: binding.provider }
      const isDifferent = result.kind === 'different'
      const why = isDifferent ? { reason: result.reason } : { errorCode: result.code }
      const isNews = isDifferent && (await suspend(binding, 'its signature differed in shadow'))
      logger.error(isDifferent ? 'shadow-differed' : 'shadow-failed', { ...about, ...why, of: auditId, requestId })
      if (!isNews && !mayRecord()) return
      const name = isDifferent ? 'shadow-differed' : 'shadow-failed'
      const detail = { ...about, ...why, of: auditId, ...(isDifferent ? { suspended: true } : {}) }
      await event(name, detail).catch(unrecorded(name))
    },
    onCounts: async (about, counts) => {
      if (counts.dropped > 0) logger.warn('shadow-dropped', { ...about, dropped: counts.dropped })
      await event('shadow-compared', { ...about, ...counts }).catch(unrecorded('shadow-compared'))
    },
  })

  const mayWarn = perMinute(world.clock, 10)
  const route = createRouter({
    environment: parts.environment,
    flagName: settings.name,
    flags,
    mayServe: parts.mayServe,
    suspension: ({ id }) => suspended.get(id),
    onIgnored: about => void (mayWarn() && logger.error('flag-ignored', about)),
  })
  return { route, shadow: shadow.add, stop: drainMs => shadow.stop(drainMs) }
}

async function openSource(settings: FlagSettings, parts: RoutingParts, journal: FlagJournal): Promise<FlagSource> {
  const { environment, keys, world } = parts
  const limits = { clock: world.clock, journal, ageMaxMs: settings.maxAgeSeconds * 1000, whenStale: settings.whenStale }
  if (settings.file !== undefined) {
    const document = flagDocument(settings.file)
    const watched = createWatchedFlags({ ...limits, document, problems: set => problemsOf(set, environment, keys) })
    await watched.load()
    return watched
  }
  const ask = settings.ask ?? (await askService(settings, parts))
  const problems = async (flag: Flag, { key }: FlagContext) => {
    const resolved = await keys.resolve(key)
    return resolved === undefined ? [] : unusable(resolved, flag, targetsOf(flag))
  }
  return createRemoteFlags({ ...limits, ask, problems })
}

async function askService(
  { service, name }: FlagSettings,
  { world }: RoutingParts,
): Promise<(context: FlagContext) => Promise<unknown>> {
  const [{ askOpenFeature }, { ofrepProvider }] = await Promise.all([import('./openfeature.ts'), import('./ofrep.ts')])
  return askOpenFeature(ofrepProvider({ url: String(service), fetch: world.fetch }), name)
}

/** What the rules for this environment say of keys and places that are not there. A rule without a key fits those it can. */
export async function problemsOf(
  flags: FlagSet,
  environment: string,
  keys: Pick<KeyRegistry, 'list'>,
): Promise<readonly string[]> {
  const all = await keys.list()
  return flags.rules.flatMap(rule => {
    if (rule.environment !== undefined && rule.environment !== environment) return []
    const targets = targetsOf(rule.flag)
    const meant = all.filter(({ key, version }) => key.name === rule.key && maySign(version.state))
    if (rule.key !== undefined && !all.some(({ key }) => key.name === rule.key)) {
      return [`there is no key ${JSON.stringify(rule.key)}`]
    }
    if (rule.key !== undefined) return meant.flatMap(key => unusable(key, rule.flag, targets))
    const known = new Set(all.flatMap(({ bindings }) => bindings.flatMap(({ id, provider }) => [id, provider])))
    return targets
      .filter(target => !known.has(target))
      .map(target => `no key has a binding at ${JSON.stringify(target)}`)
  })
}

function flagJournal(to: {
  readonly logger: Logger
  readonly event: (name: string, detail: Record<string, string | number | boolean>) => Promise<void>
  readonly unrecorded: (name: string) => (error: unknown) => void
}): FlagJournal {
  const { logger, event, unrecorded } = to
  return {
    changed: async ({ context, ...change }) => {
      await event('flags-changed', { ...context, ...change })
      logger.info('flags-changed', { ...context, ...change })
    },
    failed: ({ reason, ageMs, stale }) => {
      const name = stale ? 'flags-stale' : 'flags-failed'
      const detail = { reason, ...(ageMs === undefined ? {} : { ageMs: Math.round(ageMs) }) }
      logger.error(name, detail)
      event(name, detail).catch(unrecorded(name))
    },
    recovered: () => {
      logger.info('flags-recovered')
      event('flags-recovered', {}).catch(unrecorded('flags-recovered'))
    },
  }
}

function perMinute(clock: Pick<Clock, 'monotonic'>, most: number): () => boolean {
  let since = Number.NEGATIVE_INFINITY
  let count = 0
  return () => {
    const now = clock.monotonic()
    if (now - since >= MINUTE_MS) [since, count] = [now, 0]
    return count++ < most
  }
}

/** @throws `config/invalid` when there is no file to write */
export function flagFileOf(file: string | undefined): string {
  if (file !== undefined) return file
  throw new SignerError('config/invalid', {
    problems: [{ path: 'flags.file', problem: 'is missing', fix: 'name the file of the flags, or give --file' }],
  })
}
