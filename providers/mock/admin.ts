import { SignerError } from '../../src/domain/errors.ts'
import { type ImportKey, type KeyAdmin, type KeyFacts, type KeyRef, SCHEMES } from '../../src/domain/provider.ts'
import { SecretBytes } from '../../src/domain/secret.ts'
import { requireDays, requireImportable, requireImported } from '../key-import.ts'
import { refuseProduction } from '../may-serve.ts'
import { requireLive } from '../software/guards.ts'
import { openSoftwareKey } from '../software/key.ts'
import type { ProviderWorld } from '../world.ts'
import type { MockConfig } from './config.ts'
import { houseOf, type State } from './house.ts'
import { devPublicKey, importedReference, isImported, parseReference, reference, requireLabel } from './keys.ts'

/** As AWS KMS has it, so that what works here works there. */
const WINDOW_DAYS_MAX = 30

/**
 * "Makes" keys: a label has always had its key. Nothing of that is kept, so any process can serve what another one made. Keys
 * that were imported and states are kept for as long as this process lives (see `house.ts`).
 */
export async function createAdmin(config: MockConfig, world: ProviderWorld): Promise<KeyAdmin> {
  refuseProduction(world.environment, 'The mock provider', 'set the provider to aws-kms')
  const name = config.name ?? config.kind
  const house = houseOf(world)

  async function importKey(what: ImportKey): Promise<KeyFacts> {
    requireImportable(what, 'The mock', { schemes: SCHEMES })
    const { scheme, label, key } = what
    const copy = new SecretBytes(
      key.use(bytes => bytes.slice()),
      `imported key ${label}`,
    )
    const opened = await openSoftwareKey(scheme, copy)
    if (opened === undefined) throw new SignerError('provider/refused', { provider: name, reason: 'this is no key' })
    const facts: KeyFacts = {
      reference: importedReference(scheme, label, opened.publicKey),
      scheme,
      publicKey: opened.publicKey.slice(),
      protection: 'software',
    }
    try {
      requireImported(what, 'The mock', facts)
    } catch (error) {
      opened.close()
      throw error
    }
    house.imported.set(facts.reference, opened)
    return facts
  }

  function set(key: KeyRef, state: State | undefined): void {
    if (!(isImported(key) && house.imported.has(key))) parseReference(name, key)
    const now = house.states.get(key)
    if (now === 'destroyed' && state !== 'destroyed') {
      throw new SignerError('provider/refused', { provider: name, reason: 'the key is destroyed' })
    }
    if (state === undefined) house.states.delete(key)
    else house.states.set(key, state)
  }

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
    async importKey(what, call) {
      requireLive(name, call, false)
      requireLabel(name, what.label)
      return importKey(what)
    },
    async disable(key, call) {
      requireLive(name, call, false)
      set(key, 'disabled')
    },
    async enable(key, call) {
      requireLive(name, call, false)
      set(key, undefined)
    },
    waitDaysMax: WINDOW_DAYS_MAX,
    async scheduleDestroy(key, { days }, call) {
      requireLive(name, call, false)
      requireDays(key, days, WINDOW_DAYS_MAX)
      set(key, 'destroyed')
      const at = house.ends.get(key) ?? world.clock.now() + days * 86_400_000
      house.ends.set(key, at)
      return { at }
    },
  } satisfies KeyAdmin)
}
