import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms'
import type { Call } from '../../src/domain/provider.ts'
import { reveal, type SecretBytes } from '../../src/domain/secret.ts'
import { orAborted, TransportError } from '../one-fetch.ts'
import type { ProviderWorld } from '../world.ts'
import { type AwsKmsConfig, isLoopback } from './config.ts'
import { type CallRecord, createHandler, type HandlerOptions } from './handler.ts'
import { type Operation, toSignerError } from './translate.ts'

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

export function openClient(config: AwsKmsConfig, world: ProviderWorld): KmsClient {
  const local = config.endpoint !== undefined && isLoopback(new URL(config.endpoint).hostname)
  const client = new KMSClient(sdkConfig(config, world, local))
  const provider = config.name ?? config.kind
  let closed = false
  return {
    local,
    attempt: (operation, call, send) =>
      attempt(provider, operation, call.signal, options => {
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
  provider: string,
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
    throw toSignerError({ provider, ...record, error: causeOf(record, caught, signal) })
  }
}

/** Abortion outranks what the SDK made of it; what the handler threw outranks how the SDK dressed it. */
function causeOf(record: CallRecord, caught: unknown, signal: AbortSignal): unknown {
  if (record.failure !== undefined) return record.failure
  if (caught instanceof TransportError || !signal.aborted) return caught
  return new TransportError(record.sent ? 'aborted' : 'not-sent', { cause: signal.reason })
}

function sdkConfig(config: AwsKmsConfig, world: ProviderWorld, local: boolean): KMSClientConfig {
  const handler = createHandler(world, config.endpoint)
  const settings: KMSClientConfig & { ignoreConfiguredEndpointUrls: boolean } = {
    region: config.region,
    requestHandler: handler,
    maxAttempts: 1,
    retryMode: 'standard',
    defaultsMode: 'standard',
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    // AWS_ENDPOINT_URL and its like would send signed requests to whoever can write our environment.
    ignoreConfiguredEndpointUrls: true,
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    ...(config.profile === undefined ? {} : { profile: config.profile }),
    ...credentials(config, world, local),
  }
  return settings
}

/** Nothing here for the default chain, which the SDK then asks at the first call and not before. */
function credentials(config: AwsKmsConfig, world: ProviderWorld, local: boolean): Pick<KMSClientConfig, 'credentials'> {
  const { accessKeyId, secretAccessKey, sessionToken } = config
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const token = sessionToken === undefined ? {} : { sessionToken: reveal(sessionToken) }
    return { credentials: { accessKeyId: reveal(accessKeyId), secretAccessKey: reveal(secretAccessKey), ...token } }
  }
  // An emulator on loopback gets neither a metadata lookup nor anybody's real credentials.
  const emulator = local && config.profile === undefined && world.environment !== 'production'
  return emulator ? { credentials: { accessKeyId: 'local-kms', secretAccessKey: 'local-kms' } } : {}
}
