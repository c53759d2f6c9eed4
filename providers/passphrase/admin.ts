import { SignerError } from '../../src/domain/errors.ts'
import type { KeyAdmin } from '../../src/domain/provider.ts'
import type { ProviderWorld } from '../world.ts'
import type { PassphraseConfig } from './config.ts'

/** A passphrase is made by its owner and named in the configuration. @throws `key/unsupported`; never answers. */
export async function createAdmin(config: PassphraseConfig, _world: ProviderWorld): Promise<KeyAdmin> {
  const names = Object.keys(config.passphrases).map(label => `passphrase/${label}`)
  throw new SignerError('key/unsupported', {
    key: config.name ?? config.kind,
    wanted: 'key administration',
    reason: `this provider makes no keys: use envelope custody and name the wrapping key, ${names.slice(0, 4).join(' or ')}`,
  })
}
