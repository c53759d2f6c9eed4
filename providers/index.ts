import type { KeyProvider } from '../src/domain/provider.ts'
import { refuseUnknownKind } from './checks.ts'
import type { ProviderConfig } from './configs.ts'
import type { ProviderWorld } from './world.ts'

export { assertMayServe, type Place } from './may-serve.ts'
export { DEVELOPMENT_PASSPHRASE, isDevelopmentKey } from './development-keys.ts'
export type { ProviderConfig } from './configs.ts'
export type { Environment, ProviderWorld } from './world.ts'

/**
 * Opens the provider that `config.kind` names, and loads its code only now: a process that never opens one never pays
 * for its SDK. The import paths are literals so that the single binary holds every arm.
 *
 * @throws `config/invalid` with every problem found; `start/refused` when this provider may not run in `world.environment`.
 */
export async function openProvider(config: ProviderConfig, world: ProviderWorld): Promise<KeyProvider> {
  switch (config.kind) {
    case 'aws-kms':
      return (await import('./aws-kms/index.ts')).create(config, world)
    case 'gcp-kms':
      return (await import('./gcp-kms/index.ts')).create(config, world)
    case 'mock':
      return (await import('./mock/index.ts')).create(config, world)
    case 'passphrase':
      return (await import('./passphrase/index.ts')).create(config, world)
    case 'raw-env':
      return (await import('./raw-env/index.ts')).create(config, world)
    case 'vault-transit':
      return (await import('./vault-transit/index.ts')).create(config, world)
    default:
      return refuseUnknownKind(config satisfies never)
  }
}
