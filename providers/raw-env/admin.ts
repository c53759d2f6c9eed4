import { SignerError } from '../../src/domain/errors.ts'
import type { KeyAdmin } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../world.ts'
import type { RawEnvConfig } from './config.ts'
import { refuseRawKeys } from './index.ts'

/** There is no administration of an environment variable. @throws `start/refused`, `key/unsupported`; never answers. */
export async function createAdmin(config: RawEnvConfig, world: ProviderWorld): Promise<KeyAdmin> {
  refuseRawKeys(world.environment)
  throw new SignerError('key/unsupported', {
    key: config.name ?? config.kind,
    wanted: 'key administration',
    reason: 'raw keys are made by `countersign keygen` and named in the configuration; this provider makes none',
  })
}
