import type { Config } from '../config/schema.ts'
import { readTemplates } from '../config/transactions.ts'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import type { DestroySettings } from './destroy.ts'
import { gatewaySettings, tokenRules } from './gateway-settings.ts'
import { metadataSettings } from './published.ts'
import type { RoomSettings } from './room.ts'
import type { ServiceSettings } from './service.ts'
import type { StoreSettings } from './stores.ts'

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

/** What a command on the registry needs. @throws `config/invalid` when the data directory is not named. */
export function roomSettings(config: Config): RoomSettings {
  const directory = config.data.directory
  if (directory === undefined) throw missing([dataDirectory])
  return {
    environment: config.environment,
    dataDirectory: directory,
    instance: config.audit.instance,
    segmentBytes: config.audit.segmentBytes,
    keptMs: config.limits.idempotencyHours * HOUR_MS,
    store: storeSettings(config),
    providers: config.providers,
  }
}

/** @throws as `roomSettings` */
export const destroySettings = (config: Config): DestroySettings => ({
  ...roomSettings(config),
  networks: config.networks,
  destroyAfterMs: config.keys.destroyAfterDays * DAY_MS,
})

/** @throws `config/invalid`, though not for what `loadConfig` gave */
export function storeSettings({ store }: Config): StoreSettings {
  const { kind, url, pool, tls, ca } = store
  if (kind === 'sqlite') return { kind }
  if (url === undefined)
    throw missing([{ path: 'store.url', problem: 'is missing', fix: 'Set it to a postgres:// URL' }])
  return { kind, url, pool, tls, ...(ca === undefined ? {} : { ca }) }
}

/** What the planes of this process need. @throws `config/invalid` with everything that is missing for it. */
export function serviceSettings(config: Config, world: Pick<World, 'clock' | 'fetch'>): ServiceSettings {
  const { server, plane } = config
  const tokens = tokenRules(config, world)
  const problems: ConfigProblem[] = []
  if (config.data.directory === undefined) problems.push(dataDirectory)
  if (plane === 'data' && tokens === undefined) {
    problems.push({
      path: 'tokens',
      problem: 'is missing',
      fix: 'Say whose tokens are accepted: issuer, audience, jwks',
    })
  }
  if (plane !== 'control' && Object.keys(config.providers).length === 0) {
    problems.push({ path: 'providers', problem: 'is empty', fix: 'Add [providers.aws] with kind = "aws-kms"' })
  }
  if (problems.length > 0) throw missing(problems)
  const { host, port, socket, baseUrls } = server
  return {
    ...roomSettings(config),
    server: { host, port, baseUrls, ...(socket === undefined ? {} : { socket }) },
    limits: config.limits,
    flags: config.flags,
    gateway: gatewaySettings(config),
    metadata: metadataSettings(config),
    networks: config.networks,
    templates: readTemplates(config.templates),
    destroyAfterMs: config.keys.destroyAfterDays * DAY_MS,
    ...(config.keys.recheckHours === 0 ? {} : { recheckMs: config.keys.recheckHours * HOUR_MS }),
    ...(config.webhooks === undefined ? {} : { webhooks: config.webhooks }),
    ...(tokens === undefined ? {} : { tokens }),
  }
}

const dataDirectory: ConfigProblem = {
  path: 'data.directory',
  problem: 'is missing',
  fix: 'Name the directory of the store and the audit log, or give --data',
}

const missing = (problems: readonly ConfigProblem[]) => new SignerError('config/invalid', { problems })
