import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../world.ts'
import type { AwsKmsConfig } from './config.ts'
import { openAwsKms } from './provider.ts'

/**
 * The same provider where there are no files, no processes and no instance metadata: with static keys from the
 * configuration, which may be those of a session. Reaches none of AWS's credential code, so it can be bundled for workerd.
 * @throws `config/invalid`, also for credentials that would come from elsewhere.
 */
export const create = async (config: AwsKmsConfig, world: ProviderWorld): Promise<EnvelopeProvider> =>
  openAwsKms(config, world, undefined)
