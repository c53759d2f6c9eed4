import type { ProviderWorld } from '../world.ts'
import type { AwsKmsConfig } from './config.ts'
import type { PlatformSources, RoleConfig } from './credentials.ts'
import { createCredentialHandler } from './handler.ts'
import type { Identity } from './session.ts'

const SESSION_NAME = 'countersign'

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
    roleAssumer: async (...given) => (await assumers()).roleAssumer(...given),
    roleAssumerWithWebIdentity: async (...given) => (await assumers()).roleAssumerWithWebIdentity(...given),
  })()
}

async function assume(config: RoleConfig, world: ProviderWorld, base: Identity): Promise<Identity> {
  const { roleAssumer } = (await import('./sts.ts')).roleAssumers(config, world)
  return roleAssumer(base, {
    RoleArn: config.roleArn,
    RoleSessionName: config.roleSessionName ?? SESSION_NAME,
    ...(config.externalId === undefined ? {} : { ExternalId: config.externalId }),
  })
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
    roleAssumerWithWebIdentity,
  })()
}

export const platformSources: PlatformSources = Object.freeze({ chain, assume, identify })
