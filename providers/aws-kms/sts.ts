import {
  GetCallerIdentityCommand,
  getDefaultRoleAssumer,
  getDefaultRoleAssumerWithWebIdentity,
  STSClient,
  type STSClientConfig,
} from '@aws-sdk/client-sts'
import type { ProviderWorld } from '../world.ts'
import type { AwsKmsConfig } from './config.ts'
import { createCredentialHandler } from './handler.ts'
import type { Identity } from './session.ts'

/**
 * STS of the Region (the global endpoint is in one Region alone), over the one fetch; one attempt, since whoever asks for a
 * signature tries again. AWS_ENDPOINT_URL and its like have no say.
 */
function settings(config: AwsKmsConfig, world: ProviderWorld): STSClientConfig {
  const { region, stsEndpoint, fips, dualstack } = config
  const own = stsEndpoint === undefined
  const requestHandler = createCredentialHandler(world, stsEndpoint)
  const all: STSClientConfig & { ignoreConfiguredEndpointUrls: boolean } = {
    region,
    requestHandler,
    maxAttempts: 1,
    retryMode: 'standard',
    defaultsMode: 'standard',
    useFipsEndpoint: own && fips === true,
    useDualstackEndpoint: own && dualstack === true,
    ignoreConfiguredEndpointUrls: true,
    ...(own ? {} : { endpoint: stsEndpoint }),
  }
  return all
}

/** AWS's own code for both ways to become a role; each call of what they return is one request. */
export const roleAssumers = (config: AwsKmsConfig, world: ProviderWorld) => ({
  roleAssumer: getDefaultRoleAssumer(settings(config, world)),
  roleAssumerWithWebIdentity: getDefaultRoleAssumerWithWebIdentity(settings(config, world)),
})

/** Who `credentials` belong to. Needs no right, and no policy can deny it. */
export async function callerIdentity(
  config: AwsKmsConfig,
  world: ProviderWorld,
  credentials: () => Promise<Identity>,
): Promise<{ arn: string; account: string }> {
  const client = new STSClient({ ...settings(config, world), credentials })
  try {
    const { Arn = '', Account = '' } = await client.send(new GetCallerIdentityCommand({}))
    return { arn: Arn, account: Account }
  } finally {
    client.destroy()
  }
}
