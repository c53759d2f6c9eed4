import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../world.ts'
import type { VaultTransitConfig } from './config.ts'
import { openVault } from './provider.ts'
import { openDirect } from './wire.ts'

/** The same provider for runtimes where `node-vault` does not load (README, "On the edge"): same requests, no package. */
export const create = async (config: VaultTransitConfig, world: ProviderWorld): Promise<EnvelopeProvider> =>
  openVault(config, world, openDirect)
