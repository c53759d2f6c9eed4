import { SignerError } from '../../src/domain/errors.ts'
import { type KeyAdmin, SCHEMES } from '../../src/domain/provider.ts'
import { refuseProduction } from '../may-serve.ts'
import { requireLive } from '../software/guards.ts'
import type { ProviderWorld } from '../world.ts'
import type { MockConfig } from './config.ts'
import { devPublicKey, reference, requireLabel } from './keys.ts'

/** "Makes" keys: a label has always had its key. Nothing is kept, so any process can serve what another one made. */
export async function createAdmin(config: MockConfig, world: ProviderWorld): Promise<KeyAdmin> {
  refuseProduction(world.environment, 'The mock provider', 'set the provider to aws-kms')
  const name = config.name ?? config.kind
  return Object.freeze({
    async create({ scheme, label }, call) {
      requireLive(name, call, false)
      requireLabel(name, label)
      if (!SCHEMES.includes(scheme)) {
        throw new SignerError('key/unsupported', { key: label, wanted: scheme, reason: 'no such scheme' })
      }
      return {
        reference: reference(scheme, label),
        scheme,
        publicKey: devPublicKey(label, scheme),
        protection: 'software',
      }
    },
    async createWrappingKey({ label }, call) {
      requireLive(name, call, false)
      requireLabel(name, label)
      return reference('wrapping', label)
    },
  } satisfies KeyAdmin)
}
