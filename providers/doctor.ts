import type { Doctor } from '../src/domain/doctor.ts'
import { refuseUnknownKind } from './checks.ts'
import type { ProviderConfig } from './configs.ts'
import type { ProviderWorld } from './world.ts'

/**
 * Opens the side of a provider that diagnoses. Undefined: this kind lives in this process, there is nothing to examine.
 * @throws `config/invalid`, `start/refused` as `openProvider` does.
 */
export async function openDoctor(config: ProviderConfig, world: ProviderWorld): Promise<Doctor | undefined> {
  switch (config.kind) {
    case 'vault-transit':
      return (await import('./vault-transit/doctor.ts')).createDoctor(config, world)
    case 'gcp-kms':
      return (await import('./gcp-kms/doctor.ts')).createDoctor(config, world)
    case 'passphrase':
      return (await import('./passphrase/doctor.ts')).createDoctor(config, world)
    case 'aws-kms':
      return (await import('./aws-kms/doctor.ts')).createDoctor(config, world)
    case 'mock':
    case 'raw-env':
      return undefined
    default:
      return refuseUnknownKind(config satisfies never)
  }
}
