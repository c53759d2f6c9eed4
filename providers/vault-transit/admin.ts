import { toHex } from '../../src/bytes/hex.ts'
import { SignerError } from '../../src/domain/errors.ts'
import type { Call, KeyAdmin } from '../../src/domain/provider.ts'
import { malformed } from '../judgement.ts'
import type { ProviderWorld } from '../world.ts'
import type { VaultTransitConfig } from './config.ts'
import { describeKey, isThere, readKey } from './describe.ts'
import { importKey } from './import.ts'
import { isFresh, KEPT } from './kept.ts'
import { openVaultClient } from './provider.ts'
import { pinned } from './reference.ts'
import { destroy, disable, enable } from './states.ts'

/**
 * Makes, imports, disables and gives up keys; needs `create`, `update` and `read` on `MOUNT/keys/*`, `read` on
 * `MOUNT/wrapping_key` and `delete` on `MOUNT/keys/*` for an import, and cannot sign. Vault answers the creation of a key that
 * exists as if it had made it, so the name is random, is looked up before, and is read back after.
 */
export async function createAdmin(config: VaultTransitConfig, world: ProviderWorld): Promise<KeyAdmin> {
  const { openNodeVault } = await import('./node-vault.ts')
  const client = openVaultClient(config, world, openNodeVault)
  const { name: provider, mount } = client

  async function make(type: 'ed25519' | 'aes256-gcm96', label: string, call: Call): Promise<string> {
    const name = keyName(label, world.random.bytes(8))
    if (await isThere(client, name, call)) throw new SignerError('key/exists', { key: `${mount}/${name}` })
    const { output, providerRequestId } = await client.attempt(
      { name: 'CreateKey', kind: 'effect' },
      { method: 'POST', path: `${mount}/keys/${name}`, body: { type, ...KEPT } },
      call,
    )
    const { warnings } = output
    if (Array.isArray(warnings) && warnings.some(text => String(text).includes('already existed'))) {
      throw new SignerError('key/exists', { key: `${mount}/${name}` })
    }
    const { data } = await readKey(client, name, call)
    if (data['type'] === type && isFresh(data, name)) return name
    const reason = 'CreateKey: the key that is there is not the one that was asked for'
    throw malformed(provider, reason, providerRequestId)
  }

  return Object.freeze({
    async create({ scheme, label }, call) {
      if (scheme !== 'ed25519') {
        const reason = 'Vault Transit makes Ed25519 keys only; keep a secp256k1 key as an envelope'
        throw new SignerError('key/unsupported', { key: label, wanted: scheme, reason })
      }
      const name = await make('ed25519', label, call)
      return describeKey(client, pinned(mount, name, 1), call)
    },
    createWrappingKey: async ({ label }, call) => `${mount}/${await make('aes256-gcm96', label, call)}`,
    async importKey(what, call) {
      const name = keyName(what.label, world.random.bytes(8))
      return importKey({ client, world, exists: (key, own) => isThere(client, key, own) }, what, name, call)
    },
    disable: (key, call) => disable(client, key, call),
    enable: (key, call) => enable(client, key, call),
    waitDaysMax: 0, // it gives up at once or not at all
    scheduleDestroy: (key, { days }, call) => destroy(client, key, days, call),
  } satisfies KeyAdmin)
}

/** The label in Transit's alphabet, and 64 random bits: readable in policies, never the name of a key that exists. */
export function keyName(label: string, random: Uint8Array): string {
  const word = label
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 48)
    .replaceAll(/^-|-$/g, '')
  return `${word === '' ? 'key' : word}-${toHex(random)}`
}
