import { SignerError } from '../../src/domain/errors.ts'
import type { Call, KeyAdmin, KeyRef } from '../../src/domain/provider.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { configInvalid } from '../checks.ts'
import type { ProviderWorld } from '../world.ts'
import type { GcpKmsConfig } from './config.ts'
import { describeKey } from './describe.ts'
import { importKey } from './import.ts'
import { type About, malformed } from './integrity.ts'
import { ringName } from './names.ts'
import { openWire } from './open.ts'
import { SPELLING } from './translate.ts'
import { destroy, setState, WINDOW_DAYS_MAX } from './states.ts'
import { OPERATIONS, textIn, type WireFields } from './wire.ts'

/** A fresh asymmetric version, above all in an HSM, is generated after the answer. */
const POLL_MS = 500

/**
 * Makes, imports, disables and gives up keys in the configured key ring; cannot sign. Needs cloudkms.cryptoKeys.create,
 * cloudkms.cryptoKeyVersions.get and cloudkms.cryptoKeyVersions.viewPublicKey there; for an import also
 * cloudkms.importJobs.create, .get and .useToImport, cloudkms.cryptoKeyVersions.create and .destroy; to stop a key
 * cloudkms.cryptoKeyVersions.update. A key can never be deleted and its id never used again, so ids end in random digits.
 * When no answer comes (`provider/ambiguous`), look for a key with the label before trying again.
 *
 * @throws `config/invalid` unless project, location and keyRing are configured.
 */
export async function createAdmin(given: GcpKmsConfig, world: ProviderWorld): Promise<KeyAdmin> {
  const { config, name, wire } = await openWire(given, world)
  const ring = ringName(config)
  if (ring === undefined) {
    throw configInvalid([
      {
        path: 'keyRing',
        problem: 'missing: keys are made in a key ring',
        fix: 'give project, location and keyRing; make the ring with gcloud kms keyrings create',
      },
    ])
  }

  async function createKey(cryptoKeyId: string, cryptoKey: WireFields, call: Call): Promise<KeyRef> {
    // A version of its own is made for every key but those that wait for an import.
    const empty = cryptoKey['importOnly'] === true ? ({ skipInitialVersionCreation: true } as const) : {}
    const answer = await wire.attempt(
      OPERATIONS.createKey,
      { name: ring ?? '', cryptoKeyId, fields: { cryptoKey }, ...empty },
      call,
    )
    const about: About = { provider: name, operation: 'CreateCryptoKey', answer }
    const made = textIn(answer.message, 'name')
    if (made !== `${ring}/cryptoKeys/${cryptoKeyId}` || textIn(answer.message, 'purpose') !== cryptoKey['purpose']) {
      throw malformed(about, 'the answer is not about the key that was asked for')
    }
    return made
  }

  async function generated(version: string, call: Call): Promise<void> {
    for (;;) {
      const { message } = await wire.attempt(OPERATIONS.version, { name: version }, call)
      const state = textIn(message, 'state')
      if (state === 'ENABLED') return
      if (state !== 'PENDING_GENERATION') {
        const reason = `GetCryptoKeyVersion: the new version is ${state === undefined ? 'in no state' : state.slice(0, 40)}`
        throw new SignerError('provider/refused', { provider: name, reason })
      }
      await world.clock.sleep(POLL_MS, call.signal).catch(() => {
        const reason = `GetCryptoKeyVersion: ${version} is still being generated; it can be described later`
        throw new SignerError('provider/unavailable', { provider: name, reason })
      })
    }
  }

  const parts = { wire, name, config, world }
  return Object.freeze({
    async create({ scheme, label }, call) {
      const row = Object.hasOwn(SPELLING, scheme) ? SPELLING[scheme] : undefined
      if (row === undefined) {
        const reason = 'Cloud KMS is not asked for this scheme'
        throw new SignerError('key/unsupported', { key: label, wanted: scheme, reason })
      }
      const versionTemplate = { algorithm: row.algorithm, protectionLevel: row.createLevel }
      const key = await createKey(idOf(label, world), { purpose: 'ASYMMETRIC_SIGN', versionTemplate }, call)
      const version = `${key}/cryptoKeyVersions/1`
      await generated(version, call)
      return describeKey(wire, name, config, version, call)
    },
    createWrappingKey: ({ label }, call) => {
      const versionTemplate = { algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protectionLevel: 'SOFTWARE' }
      return createKey(idOf(label, world), { purpose: 'ENCRYPT_DECRYPT', versionTemplate }, call)
    },
    importKey: (what, call) => importKey({ ...parts, ring, createKey }, what, idOf(what.label, world), call),
    disable: (key, call) => setState(parts, 'DISABLED', key, call),
    enable: (key, call) => setState(parts, 'ENABLED', key, call),
    waitDaysMax: WINDOW_DAYS_MAX,
    scheduleDestroy: (key, { days }, call) => destroy(parts, key, days, call),
  } satisfies KeyAdmin)
}

/** A label as the readable part of an id: letters, digits, _ and -, at most 63 with the random end. */
function idOf(label: string, { random }: ProviderWorld): string {
  const readable = label.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 46)
  return `${readable === '' ? 'key' : readable}-${toHex(random.bytes(8))}`
}
