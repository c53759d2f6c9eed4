import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import type { ProviderWorld } from '../../../providers/world.ts'
import type { Configs, Service } from './places.ts'

/** One way into each provider: the entries for the edge, or those for a machine. */
export type Openers = {
  readonly [S in Service]: (config: Configs[S], world: ProviderWorld) => Promise<EnvelopeProvider>
}
