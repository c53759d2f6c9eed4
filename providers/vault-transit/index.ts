import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../world.ts'
import type { VaultTransitConfig } from './config.ts'
import { openVault } from './provider.ts'

/**
 * Vault Transit, or OpenBao's, through `node-vault`, which is loaded here and not before.
 * @throws `config/invalid`, `start/refused`
 */
export async function create(config: VaultTransitConfig, world: ProviderWorld): Promise<EnvelopeProvider> {
  const { openNodeVault } = await import('./node-vault.ts')
  return openVault(config, world, openNodeVault)
}
