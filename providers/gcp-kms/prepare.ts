import { checkedConfig } from '../checks.ts'
import { isLoopback } from '../endpoint.ts'
import type { ProviderWorld } from '../world.ts'
import { type LoadGoogleAuth, openAuth } from './auth.ts'
import { type GcpKmsConfig, gcpKmsSchema } from './config.ts'
import type { WireOptions } from './rest.ts'

export interface Prepared {
  readonly config: GcpKmsConfig
  readonly options: WireOptions
}

/**
 * Configuration checked, credentials chosen, nothing asked of anybody yet.
 * @param load Google's credentials library; undefined where it cannot run.
 * @throws `config/invalid`
 */
export function prepare(config: GcpKmsConfig, world: ProviderWorld, load: LoadGoogleAuth | undefined): Prepared {
  const checked = checkedConfig(gcpKmsSchema(), config, 'see providers/gcp-kms/README.md')
  const { endpoint } = checked
  const local = endpoint !== undefined && isLoopback(new URL(endpoint).hostname)
  const auth = openAuth(checked, world, local, load)
  return { config: checked, options: { provider: checked.name ?? checked.kind, endpoint, world, auth } }
}
