import type { ProviderWorld } from '../world.ts'
import type { GcpKmsConfig } from './config.ts'
import { prepare } from './prepare.ts'
import { openRest } from './rest.ts'
import type { Wire } from './wire.ts'

export interface Opened {
  readonly config: GcpKmsConfig
  readonly name: string
  readonly wire: Wire
}

/**
 * Opens the transport that the configuration names, with all of Google's ways to find credentials.
 * @throws `config/invalid`
 */
export async function openWire(given: GcpKmsConfig, world: ProviderWorld): Promise<Opened> {
  const { config, options } = prepare(given, world, () => import('./google-auth.ts'))
  // Google's gRPC client is large; it is loaded only when it was chosen.
  const wire = config.transport === 'grpc' ? (await import('./grpc.ts')).openGrpc(options) : openRest(options)
  return { config, name: options.provider, wire }
}
