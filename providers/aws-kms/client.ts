import {
  DecryptCommand,
  EncryptCommand,
  GetPublicKeyCommand,
  KMSClient,
  type KMSClientConfig,
  SignCommand,
} from '@aws-sdk/client-kms'
import type { Call } from '../../src/domain/provider.ts'
import { TransportError } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import { type Attempted, attempt } from './attempt.ts'
import { type AwsKmsConfig, isLocal } from './config.ts'
import { type Credentials, openCredentials, type PlatformSources } from './credentials.ts'
import { createHandler } from './handler.ts'
import type { Operation } from './translate.ts'
import { type Asked, type AskedName, OPERATIONS, type Output, type Transport } from './transport.ts'

type SendOptions = NonNullable<Parameters<KMSClient['send']>[1]>

/** AWS's own SDK: every operation there is, for keys, doctor and admin. Its own retries are off. */
export interface KmsClient extends Transport {
  readonly credentials: Credentials
  /** As `ask`, for operations that signing does not need. */
  attempt<O>(
    operation: Operation,
    call: Call,
    send: (client: KMSClient, options: SendOptions) => Promise<O>,
  ): Promise<Attempted<O>>
}

export function openClient(
  config: AwsKmsConfig,
  world: ProviderWorld,
  platform: PlatformSources | undefined,
): KmsClient {
  const local = isLocal(config)
  const credentials = openCredentials(config, world, local, platform)
  const client = new KMSClient(sdkConfig(config, world, credentials))
  const provider = config.name ?? config.kind
  let closed = false
  const tryOnce: KmsClient['attempt'] = (operation, call, send) =>
    attempt({ provider, credentials }, operation, call.signal, async handle => {
      if (closed) throw new TransportError('not-sent')
      return send(client, handle)
    })
  return {
    local,
    credentials,
    endpoint: endpointOf(config, client),
    attempt: tryOnce,
    ask: (name, input, call) =>
      tryOnce(OPERATIONS[name], call, (kms, options) => COMMANDS[name](kms, input, options) as Promise<Output>),
    close: () => {
      closed = true
      client.destroy()
    },
  }
}

function endpointOf(config: AwsKmsConfig, client: KMSClient): string {
  if (config.endpoint !== undefined) return config.endpoint
  const { region, fips = false, dualstack = false } = config
  return client.config.endpointProvider({ Region: region, UseFIPS: fips, UseDualStack: dualstack }).url.href
}

function sdkConfig(config: AwsKmsConfig, world: ProviderWorld, { provider }: Credentials): KMSClientConfig {
  const handler = createHandler(world, config.endpoint)
  const settings: KMSClientConfig & { ignoreConfiguredEndpointUrls: boolean } = {
    region: config.region,
    requestHandler: handler,
    maxAttempts: 1,
    retryMode: 'standard',
    defaultsMode: 'standard',
    useDualstackEndpoint: config.dualstack === true,
    useFipsEndpoint: config.fips === true,
    // AWS_ENDPOINT_URL and its like would send signed requests to whoever can write our environment.
    ignoreConfiguredEndpointUrls: true,
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    credentials: provider,
  }
  return settings
}

type Commands = {
  readonly [N in AskedName]: (client: KMSClient, input: Asked[N], options: SendOptions) => Promise<object>
}
const COMMANDS: Commands = {
  Sign: (client, input, options) => client.send(new SignCommand(input), options),
  GetPublicKey: (client, input, options) => client.send(new GetPublicKeyCommand(input), options),
  Encrypt: (client, input, options) => client.send(new EncryptCommand(input), options),
  Decrypt: (client, input, options) => client.send(new DecryptCommand(input), options),
}
