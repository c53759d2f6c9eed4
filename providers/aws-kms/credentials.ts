import type { SignerError } from '../../src/domain/errors.ts'
import { reveal } from '../../src/domain/secret.ts'
import { configInvalid } from '../checks.ts'
import type { ProviderWorld } from '../world.ts'
import { type CredentialSource, toCredentialError } from './credential-error.ts'
import type { AwsKmsConfig } from './config.ts'
import { createSession, type Identity } from './session.ts'

type IdentityProvider = () => Promise<Identity>

/** Ways to credentials that need files, processes or AWS STS; each loads AWS's own code when it is asked. */
export interface PlatformSources {
  chain(config: AwsKmsConfig, world: ProviderWorld): Promise<Identity>
  assume(config: RoleConfig, world: ProviderWorld, base: Identity): Promise<Identity>
  identify(config: RoleConfig & { webIdentityTokenFile: string }, world: ProviderWorld): Promise<Identity>
}
export type RoleConfig = AwsKmsConfig & { readonly roleArn: string }

export interface Credentials {
  readonly source: CredentialSource
  /** Asked before every request; answers from memory while what it has holds. @throws CredentialError */
  readonly provider: IdentityProvider
  /** The service called these expired. True: nothing was signed, and the next call has others. */
  giveUp(accessKeyId: string | undefined): boolean
}

/**
 * Nothing is asked before the first request, and AWS's code for a source is loaded when that source is.
 *
 * @param local the endpoint is on this machine: an emulator.
 */
export function openCredentials(
  config: AwsKmsConfig,
  world: ProviderWorld,
  local: boolean,
  platform: PlatformSources | undefined,
): Credentials {
  const base = baseOf(config, world, local, platform)
  const { roleArn, webIdentityTokenFile } = config
  if (roleArn === undefined) return base.fixed === undefined ? renewing(base, world) : lasting(base.source, base.fixed)
  if (platform === undefined) throw elsewhere('roleArn')
  const role = { ...config, roleArn }
  if (webIdentityTokenFile === undefined) {
    return renewing({ source: 'role', load: async () => platform.assume(role, world, await base.load()) }, world)
  }
  const withToken = { ...role, webIdentityTokenFile }
  return renewing({ source: 'web identity', load: () => platform.identify(withToken, world) }, world)
}

const elsewhere = (path: string): SignerError =>
  configInvalid([
    {
      path,
      problem: 'this runtime has no files, processes or AWS STS to get credentials from',
      fix: 'give accessKeyId, secretAccessKey and, for a session, sessionToken',
    },
  ])

interface Source {
  readonly source: CredentialSource
  readonly load: () => Promise<Identity>
}

function renewing({ source, load }: Source, world: ProviderWorld): Credentials {
  const session = createSession(
    () =>
      load().catch((error: unknown) => {
        throw toCredentialError(source, error)
      }),
    world.clock,
  )
  return { source, provider: keptHere(() => session.get()), giveUp: accessKeyId => session.giveUp(accessKeyId) }
}

const lasting = (source: CredentialSource, identity: Identity): Credentials => ({
  source,
  provider: keptHere(async () => identity),
  giveUp: () => false,
})

/** The SDK leaves a provider alone that says it remembers by itself; otherwise it would keep what was given up here. */
const keptHere = (provider: IdentityProvider): IdentityProvider => Object.assign(provider, { memoized: true })

/** What is there before any role. */
function baseOf(
  config: AwsKmsConfig,
  world: ProviderWorld,
  local: boolean,
  platform: PlatformSources | undefined,
): Source & { fixed?: Identity } {
  const { accessKeyId, secretAccessKey, sessionToken, profile } = config
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const token = sessionToken === undefined ? {} : { sessionToken: reveal(sessionToken) }
    return constant('static keys', {
      accessKeyId: reveal(accessKeyId),
      secretAccessKey: reveal(secretAccessKey),
      ...token,
    })
  }
  // An emulator on loopback gets neither a metadata lookup nor anybody's real credentials.
  if (local && profile === undefined && world.environment !== 'production') {
    return constant('emulator', { accessKeyId: 'local-kms', secretAccessKey: 'local-kms' })
  }
  if (platform === undefined) throw elsewhere(profile === undefined ? 'accessKeyId' : 'profile')
  const source = profile === undefined ? 'default chain' : 'profile'
  return { source, load: () => platform.chain(config, world) }
}

const constant = (source: CredentialSource, fixed: Identity) => ({
  source,
  fixed,
  load: () => Promise.resolve(fixed),
})
