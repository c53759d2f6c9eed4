import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms'
import type { Call } from '../../src/domain/provider.ts'
import type { SecretBytes } from '../../src/domain/secret.ts'
import { orAborted, TransportError } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import { type AwsKmsConfig, isLoopback } from './config.ts'
import { CredentialError } from './credential-error.ts'
import { type Credentials, openCredentials, type PlatformSources } from './credentials.ts'
import { type CallRecord, createHandler, type HandlerOptions } from './handler.ts'
import { isExpiry, type Operation, toSignerError } from './translate.ts'

type SendOptions = NonNullable<Parameters<KMSClient['send']>[1]>

export interface Attempted<O> {
  readonly output: O
  readonly providerRequestId?: string
  /** Decrypt only; whoever takes it wipes it. */
  readonly plaintext?: SecretBytes
}

export interface KmsClient {
  /** True when the endpoint is on this machine: an emulator, of which no protection level can be claimed. */
  readonly local: boolean
  readonly credentials: Credentials
  /** Where requests go: as configured, or what the SDK chooses for the Region. */
  readonly endpoint: string
  /**
   * One attempt. The SDK's own retries are off, so that nothing is retried twice and a caller can count.
   * @throws SignerError only, by the table in translate.ts.
   */
  attempt<O>(
    operation: Operation,
    call: Call,
    send: (client: KMSClient, options: SendOptions) => Promise<O>,
  ): Promise<Attempted<O>>
  close(): void
}

export function openClient(
  config: AwsKmsConfig,
  world: ProviderWorld,
  platform: PlatformSources | undefined,
): KmsClient {
  const local = config.endpoint !== undefined && isLoopback(new URL(config.endpoint).hostname)
  const credentials = openCredentials(config, world, local, platform)
  const client = new KMSClient(sdkConfig(config, world, credentials))
  const provider = config.name ?? config.kind
  let closed = false
  return {
    local,
    credentials,
    endpoint: endpointOf(config, client),
    attempt: (operation, call, send) =>
      attempt({ provider, credentials }, operation, call.signal, options => {
        if (closed) throw new TransportError('not-sent')
        return send(client, options)
      }),
    close: () => {
      closed = true
      client.destroy()
    },
  }
}

async function attempt<O>(
  { provider, credentials }: { provider: string; credentials: Credentials },
  operation: Operation,
  signal: AbortSignal,
  send: (options: SendOptions) => Promise<O>,
): Promise<Attempted<O>> {
  const record: CallRecord = { operation, sent: false, answered: false, closed: false }
  try {
    if (signal.aborted) throw new TransportError('not-sent', { cause: signal.reason })
    const options: HandlerOptions = { abortSignal: signal, record }
    const output = await orAborted(send(options as SendOptions), signal)
    const { requestId, plaintext } = record
    return {
      output,
      ...(requestId === undefined ? {} : { providerRequestId: requestId }),
      ...(plaintext === undefined ? {} : { plaintext }),
    }
  } catch (caught) {
    record.closed = true
    record.plaintext?.wipe()
    const error = causeOf(record, caught, signal)
    // One attempt stays one request: whoever called tries again, within the same deadline and budget as for anything else.
    const renewed = record.answered && isExpiry(error) && credentials.giveUp(record.accessKeyId)
    throw toSignerError({ provider, ...record, renewed, error })
  }
}

function endpointOf(config: AwsKmsConfig, client: KMSClient): string {
  if (config.endpoint !== undefined) return config.endpoint
  const { region, fips = false, dualstack = false } = config
  return client.config.endpointProvider({ Region: region, UseFIPS: fips, UseDualStack: dualstack }).url.href
}

/** Abortion outranks what the SDK made of it; what the handler threw outranks how the SDK dressed it. */
function causeOf(record: CallRecord, caught: unknown, signal: AbortSignal): unknown {
  if (record.failure !== undefined) return record.failure
  if (caught instanceof TransportError || caught instanceof CredentialError || !signal.aborted) return caught
  return new TransportError(record.sent ? 'aborted' : 'not-sent', { cause: signal.reason })
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
