import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../world.ts'
import type { AwsKmsConfig } from './config.ts'
import { platformSources } from './platform.ts'
import { openAwsKms } from './provider.ts'

/**
 * AWS KMS with every source of credentials that AWS's SDK knows; each is loaded when it is asked.
 * @throws `config/invalid`
 */
export const create = async (config: AwsKmsConfig, world: ProviderWorld): Promise<EnvelopeProvider> =>
  openAwsKms(config, world, platformSources)
