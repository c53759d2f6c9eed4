import { developmentSecret, devPublicKey } from '../../../providers/mock/index.ts'
import { evmAddress } from '../../../src/chains/evm/address.ts'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { type Attempts, contextFor, createAttempts, createCustody, createEngines } from '../../../src/custody/index.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import type { KeyVersion } from '../../../src/domain/key.ts'
import type { EnvelopeProvider, Scheme, SignInput } from '../../../src/domain/provider.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import type { Store } from '../../../src/store/store.ts'
import { addKey } from '../cases/store.ts'
import { GOOD_CLAIMS, mint } from '../cases/tokens.ts'
import { openPath, requestBody } from '../path.ts'
import type { Cases } from '../report.ts'
import { ENVELOPES } from '../vectors.ts'
import { call, NOW } from '../world.ts'
import { MESSAGE } from './keys.ts'
import { EVM_KEY } from './places.ts'
import { seen, verdict, withFixedIds } from './seen.ts'
import { ref, type Subject, withProvider } from './subject.ts'

/** Ends a call that hangs, and is far from what a slow machine needs. */
const DEADLINE_MS = 30_000

const attemptsOf = ({ world }: Subject): Attempts =>
  createAttempts({ clock: world.clock, random: world.random, deadlineMs: DEADLINE_MS })

function versionOf(key: string, scheme: Scheme): KeyVersion {
  const publicKey = devPublicKey(key, scheme)
  const address = scheme === 'ed25519' ? stellar.address(publicKey) : evmAddress(publicKey)
  return { key, version: 1, scheme, publicKey, address, account: address, state: 'active' }
}

/** The development key `label`, encrypted as the key `name`. */
async function rowOf(subject: Subject, provider: EnvelopeProvider, scheme: Scheme, label: string, name = label) {
  const context = contextFor(versionOf(name, scheme), 'testnet')
  const secret = developmentSecret(scheme, label)
  const ciphertext = await provider.wrap(ref(subject, 'wrapping'), secret, context, call())
  secret.wipe()
  return { ciphertext, context }
}

/** One signature by decrypt custody, with the engine this runtime has. */
const byEnvelope = (subject: Subject, input: SignInput, label: string, name = label) =>
  withProvider(subject, async provider => {
    const row = { bindingId: 'b-1', ...(await rowOf(subject, provider, input.scheme, label, name)) }
    const custody = createCustody({
      provider: async () => provider,
      readRow: async () => row,
      engines: createEngines(subject.capability),
      attempts: attemptsOf(subject),
    })
    const version = versionOf(name, input.scheme)
    const key = { name, chain: 'stellar', network: 'testnet', policy: '', policyHash: '', createdAt: NOW } as const
    const reference = ref(subject, 'wrapping')
    const binding = {
      id: 'b-1',
      key: name,
      version: 1,
      provider: provider.name,
      custody: 'envelope',
      reference,
    } as const
    const signer = {
      ...provider,
      sign: async () => custody({ key, version, bindings: [binding] }, binding, input, 'r-parity'),
    }
    // The bytes too: both engines and both curves are deterministic here.
    return [
      await verdict(signer, name, input, version.publicKey, call()),
      await seen(async () => (await signer.sign()).signature),
    ]
  })

/** The keys of the path: signed by the service, opened for a call, and four that must not work. */
async function storeOf(subject: Subject, provider: EnvelopeProvider): Promise<Store> {
  const store = openMemoryStore()
  const at = (name: Parameters<typeof ref>[1]) => ({ provider: provider.name, reference: ref(subject, name) })
  const row = (label: string, name = label) => rowOf(subject, provider, 'ed25519', label, name)
  await addKey(store, 'treasury', undefined, at('treasury'))
  await addKey(store, 'vault', await row('vault'), at('wrapping'))
  await addKey(store, 'swapped', await row('vault', 'swapped'), at('wrapping'))
  await addKey(store, 'elsewhere', await row('elsewhere'), at('other-wrapping'))
  await addKey(store, 'mispinned', undefined, at('treasury'))
  await addKey(store, 'disabled', undefined, at('disabled'))
  return store
}

export const custodyCases = (subject: Subject): Cases => ({
  'M-05 decrypt custody, Ed25519': () => byEnvelope(subject, { scheme: 'ed25519', message: MESSAGE }, 'vault'),
  'M-05 decrypt custody, secp256k1': () =>
    byEnvelope(subject, { scheme: 'ecdsa-secp256k1', digest: digest32(MESSAGE) }, EVM_KEY),
  'M-05 decrypt custody of another key': () =>
    byEnvelope(subject, { scheme: 'ed25519', message: MESSAGE }, 'vault', 'treasury'),
  'I1–I5 the whole path, native and by decrypting': () =>
    withProvider(subject, async provider => {
      const store = await storeOf(subject, provider)
      const path = await openPath({
        capability: subject.capability,
        store,
        provider: withFixedIds(provider),
        attempts: attemptsOf(subject),
      })
      const token = await mint({ ...GOOD_CLAIMS, scope: 'sign:*' })
      const told: unknown[] = []
      for (const key of ['treasury', 'vault']) {
        for (const name of ['payment', 'two payments, memo, time bounds', 'fee bump', 'set options', 'contract call']) {
          told.push([key, name, await path.sign(key, requestBody(ENVELOPES[name]), token, `${key}-${name.length}`)])
        }
        told.push([key, 'again', await path.sign(key, requestBody(ENVELOPES['payment']), token, `${key}-7`)])
      }
      for (const key of ['swapped', 'elsewhere', 'mispinned', 'disabled']) {
        // Twice: what answered wrongly is in quarantine by then.
        for (const at of [1, 2]) {
          told.push([key, at, await path.sign(key, requestBody(ENVELOPES['payment']), token, `${key}-${at}`)])
        }
        told.push(await store.keys.stateOf(key, 1))
      }
      return [told, await path.close()]
    }),
})
