import type { Config } from '../config/schema.ts'
import { type ConfigProblem, SignerError } from '../domain/errors.ts'
import type { World } from '../domain/ports.ts'
import type { RoomSettings } from './room.ts'
import type { ServiceSettings } from './service.ts'

const HOUR_MS = 60 * 60 * 1000

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
    providers: config.providers,
  }
}

/** What `serve` needs. @throws `config/invalid` with everything that is missing for it. */
export function serviceSettings(config: Config, { clock }: Pick<World, 'clock'>): ServiceSettings {
  const { tokens, server } = config
  const problems: ConfigProblem[] = []
  if (config.data.directory === undefined) problems.push(dataDirectory)
  if (tokens === undefined) {
    problems.push({
      path: 'tokens',
      problem: 'is missing',
      fix: 'Say whose tokens are accepted: issuer, audience, jwks',
    })
  }
  if (config.flags.file !== undefined && config.flags.service !== undefined) {
    problems.push({ path: 'flags.service', problem: 'is set beside flags.file', fix: 'Keep the flags in one place' })
  }
  if (Object.keys(config.providers).length === 0) {
    problems.push({ path: 'providers', problem: 'is empty', fix: 'Add [providers.aws] with kind = "aws-kms"' })
  }
  if (tokens === undefined || problems.length > 0) throw missing(problems)
  const { maxAgeSeconds, clockSkewSeconds: skewSeconds, issuer, audience, jwks } = tokens
  return {
    ...roomSettings(config),
    server: { host: server.host, port: server.port, ...(server.socket === undefined ? {} : { socket: server.socket }) },
    limits: config.limits,
    flags: config.flags,
    tokens: { jwks, issuer, audience, clock, maxAgeSeconds, skewSeconds },
  }
}

const dataDirectory: ConfigProblem = {
  path: 'data.directory',
  problem: 'is missing',
  fix: 'Name the directory of the store and the audit log, or give --data',
}

const missing = (problems: readonly ConfigProblem[]) => new SignerError('config/invalid', { problems })
