import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import { configInvalid } from '../checks.ts'
import type { ProviderWorld } from '../world.ts'
import type { GcpKmsConfig } from './config.ts'
import { prepare } from './prepare.ts'
import { providerOn } from './provider.ts'
import { openRest } from './rest.ts'

/**
 * The same provider where there are no sockets and no files: REST over fetch, with an access token or the key of a
 * service account from the configuration. Reaches none of Google's libraries, so it can be bundled for workerd.
 * @throws `config/invalid`, also for `transport: 'grpc'` and for credentials that need Google's library.
 */
export async function create(given: GcpKmsConfig, world: ProviderWorld): Promise<EnvelopeProvider> {
  const { config, options } = prepare(given, world, undefined)
  if (config.transport === 'grpc') {
    throw configInvalid([
      { path: 'transport', problem: 'gRPC cannot run on this runtime', fix: 'use transport = "rest"' },
    ])
  }
  return providerOn(openRest(options), options.provider, config)
}
