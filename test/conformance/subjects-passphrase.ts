/** How the passphrase provider is opened for the conformance suite: with its real cost, and two rows at a time. */
import assert from 'node:assert/strict'
import { openProvider } from '../../providers/index.ts'
import { Secret } from '../../src/domain/secret.ts'
import { providerWorld } from '../support/provider-world.ts'
import type { Subject } from './provider.ts'

export const CHANNELS = 'conformance: 4 channels, all of low value'
export const CHANNELS_NEXT = 'conformance: the passphrase after that one'

export async function passphraseSubject(): Promise<Subject> {
  const passphrases = { channels: new Secret(CHANNELS, 'CHANNELS'), next: new Secret(CHANNELS_NEXT, 'NEXT') }
  // Nothing of it may leave the process: a request would be a fault.
  const world = providerWorld('production', () => assert.fail('the provider used the network'))
  return {
    provider: await openProvider({ kind: 'passphrase', passphrases, parallel: 2 }, world),
    keys: { ed25519: 'passphrase/next', 'ecdsa-secp256k1': 'passphrase/next' },
    wrapping: ['passphrase/channels', 'passphrase/next'],
    unknown: ['passphrase/nobody', 'passphrase/', '', 'channels', 'passphrase/Channels', '__proto__', 'constructor'],
    canaries: [CHANNELS, CHANNELS_NEXT],
    local: true,
    close: async () => {},
  }
}
