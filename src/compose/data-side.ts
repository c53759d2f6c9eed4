import { authorize, type Caller } from '../access/authorize.ts'
import type { OfficeClock } from '../access/hours.ts'
import { replaysInRates } from '../access/replays.ts'
import { createTokenVerifier, type TokenRules } from '../access/tokens.ts'
import { isSignerError, SignerError } from '../domain/errors.ts'
import type { Binding, ResolvedKey } from '../domain/key.ts'
import type { OutcomeEntry } from '../domain/audit.ts'
import type { Logger, World } from '../domain/ports.ts'
import { dataPlane, type DataRoutes } from '../http/app.ts'
import type { Check } from '../http/edge.ts'
import { publishedRoutes } from '../http/routes-published.ts'
import { rpcRoutes } from '../http/routes-rpc.ts'
import { openSignerRoom, signerIn, type SignerParts } from '../service/signer.ts'
import { custodyOf, type guardedAttempts } from './custody.ts'
import { openRouting } from './flags.ts'
import { dataGateway } from './gateway.ts'
import type { Issuers } from './issuers.ts'
import { watchLedgers } from './ledgers.ts'
import { watchPins } from './pins.ts'
import { openProposals, type Tending } from './proposals.ts'
import { openPublished } from './published.ts'
import type { Room } from './room.ts'
import type { ServiceSettings } from './service.ts'
import { openNetworks } from './stellar-networks.ts'
import { openTransactionRoutes } from './transactions.ts'

export interface DataSideParts {
  readonly room: Room
  readonly world: World
  readonly logger: Logger
  readonly office: OfficeClock
  readonly issuers: Issuers | undefined
  readonly guarded: ReturnType<typeof guardedAttempts>
  newAuditId(): string
  recordRefusal(outcome: OutcomeEntry): void
  readiness(): Promise<readonly Check[]>
}

/** The data plane of a room: the path of a signature, and what chooses where it is made. */
export async function openDataSide(settings: ServiceSettings, parts: DataSideParts) {
  const { room, world, logger, office, issuers, guarded, newAuditId, recordRefusal, readiness } = parts
  const { audit, store } = room
  const custody = custodyOf(guarded.attempts, room.provider, store.keys.envelope, settings.keyOpened)
  const mayServe = gateOf(settings, room, logger)
  const { flags, environment } = settings
  const way = wayIn(settings, tokensOf(settings, issuers, world), { world, room, office })
  const routing =
    flags === undefined
      ? undefined
      : await openRouting(flags, { environment, world, logger, audit, keys: store.keys, newAuditId, custody, mayServe })
  const networks = openNetworks(settings.networks ?? {}, world)
  const ledgers = watchLedgers(networks, world.clock, logger)
  const signerParts: SignerParts<Caller> = {
    world,
    logger,
    limits: settings.limits,
    catalogue: store.keys,
    setState: store.keys.setState,
    idempotency: room.idempotency,
    shared: store.shared,
    claims: store.claims,
    audit,
    ...way,
    custody,
    mayServe,
    ledgerOf: ledgers.of,
    ...(routing === undefined ? {} : { routing }),
    recordRefusal,
  }
  const signerRoom = openSignerRoom(signerParts)
  const signer = signerIn(signerParts, signerRoom)
  const several = openProposals(settings.webhooks, signerRoom.deps, name => networks.get(name), { room, world, logger })
  const version = settings.version ?? 'unknown'
  /** Families of routes beside the signatures, one line each. */
  const families: readonly DataRoutes[] = [
    rpcRoutes({ ...signerRoom.deps, keys: store.keys, version }),
    publishedRoutes(await openPublished(settings, room, world)),
    ...several.routes,
    openTransactionRoutes(settings.templates ?? new Map(), networks, signerRoom, room),
  ]
  const plane = { ...signer, readiness, ...world, logger, limits: settings.limits }
  const tending: Tending = {
    stop: async () => {
      ledgers.stop()
      await several.tending.stop()
    },
  }
  const { recheckMs } = settings
  const { suspect } = signerRoom.deps
  const pins = recheckMs === undefined ? undefined : watchPins(recheckMs, { room, world, logger, environment, suspect })
  return { routing, tending, pins, fetch: dataPlane(plane, families) }
}

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
  const common = store.shared ? { replays: replaysInRates(rates, () => world.clock.monotonic()), failures: rates } : {}
  const bases = server.baseUrls ?? gateway.data.baseUrls
  const way = dataGateway(gateway, tokens, bases, { world, rates, ledger: store.tokens, office, ...common })
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
export function openBound({ providers }: ServiceSettings, room: Room, logger: Logger): () => Check {
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
