import type { ProviderWorld } from '../world.ts'
import { audienceProblem } from '../audience.ts'
import type { AwsKmsConfig } from './config.ts'
import { IdentityProblem } from './credential-error.ts'
import type { PlatformSources, RoleConfig } from './credentials.ts'
import { createCredentialHandler } from './handler.ts'
import type { Identity } from './session.ts'

const SESSION_NAME = 'countersign'
/** What identity providers are told to write for AWS. */
const AUDIENCE = 'sts.amazonaws.com'

/**
 * The SDK's default chain, walked anew for every renewal. Roles that it finds on its way (a profile with `role_arn`,
 * AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE) are assumed by our STS client: the chain's own would follow
 * AWS_ENDPOINT_URL, which sends credentials to whoever can write our environment.
 */
async function chain(config: AwsKmsConfig, world: ProviderWorld): Promise<Identity> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node')
  const requestHandler = createCredentialHandler(world, undefined)
  const clientConfig = { requestHandler, maxAttempts: 1, ignoreConfiguredEndpointUrls: true }
  const assumers = async () => (await import('./sts.ts')).roleAssumers(config, world)
  return defaultProvider({
    clientConfig,
    // Files are read again, so that what was rotated there is found.
    ignoreCache: true,
    ...(config.profile === undefined ? {} : { profile: config.profile }),
    roleAssumer: async (source, role) => ofRole(role.RoleArn, await (await assumers()).roleAssumer(source, role)),
    roleAssumerWithWebIdentity: async role =>
      ofRole(role.RoleArn, await (await assumers()).roleAssumerWithWebIdentity(role)),
  })()
}

async function assume(config: RoleConfig, world: ProviderWorld, base: Identity): Promise<Identity> {
  const { roleAssumer } = (await import('./sts.ts')).roleAssumers(config, world)
  const identity = await roleAssumer(base, {
    RoleArn: config.roleArn,
    RoleSessionName: config.roleSessionName ?? SESSION_NAME,
    ...(config.externalId === undefined ? {} : { ExternalId: config.externalId }),
  })
  return ofRole(config.roleArn, identity)
}

/** A session of another account is none of ours, whoever answered. The SDK reads it off the name of the session. */
function ofRole<T extends Identity & { readonly accountId?: string }>(roleArn: string | undefined, identity: T): T {
  if (identity.accountId === roleArn?.split(':')[4]) return identity
  throw new IdentityProblem('malformed', 'AWS STS answered with a session of another account than that of the role')
}

async function identify(
  config: RoleConfig & { webIdentityTokenFile: string },
  world: ProviderWorld,
): Promise<Identity> {
  const { fromTokenFile } = await import('@aws-sdk/credential-provider-web-identity')
  const { roleAssumerWithWebIdentity } = (await import('./sts.ts')).roleAssumers(config, world)
  return fromTokenFile({
    webIdentityTokenFile: config.webIdentityTokenFile,
    roleArn: config.roleArn,
    roleSessionName: config.roleSessionName ?? SESSION_NAME,
    roleAssumerWithWebIdentity: async role => {
      const problem = audienceProblem(role.WebIdentityToken ?? '', config.webIdentityAudience ?? AUDIENCE)
      if (problem !== undefined) throw new IdentityProblem('refused', problem)
      return ofRole(config.roleArn, await roleAssumerWithWebIdentity(role))
    },
  })()
}

export const platformSources: PlatformSources = Object.freeze({ chain, assume, identify })
