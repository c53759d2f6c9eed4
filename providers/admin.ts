import type { KeyAdmin } from '../src/domain/provider.ts'
import { refuseUnknownKind } from './checks.ts'
import type { ProviderConfig } from './configs.ts'
import type { ProviderWorld } from './world.ts'

/**
 * Opens the administrative side of a provider: it makes keys and cannot sign. A module of its own, so that a data plane
 * that never imports it holds no code that could ask for more than a signature.
 *
 * @throws `config/invalid`, `start/refused` as `openProvider` does; `key/unsupported` for a provider that makes no keys.
 */
export async function openAdmin(config: ProviderConfig, world: ProviderWorld): Promise<KeyAdmin> {
  switch (config.kind) {
    case 'aws-kms':
      return (await import('./aws-kms/admin.ts')).createAdmin(config, world)
    case 'gcp-kms':
      return (await import('./gcp-kms/admin.ts')).createAdmin(config, world)
    case 'mock':
      return (await import('./mock/admin.ts')).createAdmin(config, world)
    case 'passphrase':
      return (await import('./passphrase/admin.ts')).createAdmin(config, world)
    case 'raw-env':
      return (await import('./raw-env/admin.ts')).createAdmin(config, world)
    case 'vault-transit':
      return (await import('./vault-transit/admin.ts')).createAdmin(config, world)
    default:
      return refuseUnknownKind(config satisfies never)
  }
}
