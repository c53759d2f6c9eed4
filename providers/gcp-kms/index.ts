import type { EnvelopeProvider } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../world.ts'
import type { GcpKmsConfig } from './config.ts'
import { openWire } from './open.ts'
import { providerOn } from './provider.ts'

/**
 * Google Cloud KMS over REST or gRPC, as `config.transport` says. Google's libraries are loaded when they are first
 * needed: the gRPC client when it was chosen, the credentials library unless credentials of our own reading are given.
 * @throws `config/invalid`
 */
export async function create(config: GcpKmsConfig, world: ProviderWorld): Promise<EnvelopeProvider> {
  const { config: checked, name, wire } = await openWire(config, world)
  return providerOn(wire, name, checked)
}
