import { create, developmentSecret, devPublicKey, devReference } from '../../../providers/mock/index.ts'
import { contextFor, type EngineCapability } from '../../../src/custody/index.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { openPath, requestBody } from '../path.ts'
import type { Cases } from '../report.ts'
import { BROKEN, ENVELOPES } from '../vectors.ts'
import { call, providerWorld } from '../world.ts'
import { addKey } from './store.ts'
import { GOOD_CLAIMS, mint } from './tokens.ts'

/** The path over the mock provider and three of its keys. */
async function openMockPath(capability: EngineCapability) {
  const store = openMemoryStore()
  const provider = await create({ kind: 'mock' }, providerWorld('sign'))
  await addKey(store, 'treasury')
  await addKey(store, 'vault', await wrapped(provider, 'vault'))
  await addKey(store, 'swapped', await wrapped(provider, 'vault', 'swapped'))
  return openPath({ capability, store, provider })
}

/** The encrypted seed of a development key, bound to the key that `name` says. */
async function wrapped(provider: EnvelopeProvider, label: string, name = label) {
  const publicKey = devPublicKey(name)
  const version = {
    key: name,
    version: 1,
    scheme: 'ed25519',
    publicKey,
    address: stellar.address(publicKey),
    account: stellar.address(publicKey),
    state: 'active',
  } as const
  const context = contextFor(version, 'testnet')
  const ciphertext = await provider.wrap(
    devReference('wrapping', name),
    developmentSecret('ed25519', label),
    context,
    call(),
  )
  return { ciphertext, context }
}

export const signCases = (capability: EngineCapability): Cases => ({
  'I1–I5 every envelope through the whole path': async () => {
    const { sign, close } = await openMockPath(capability)
    const token = await mint()
    const seen: unknown[] = []
    for (const [name, xdr] of Object.entries({ ...ENVELOPES, ...BROKEN })) {
      for (const key of ['treasury', 'vault']) {
        seen.push([name, key, await sign(key, requestBody(xdr), token, `${key}-${name.replaceAll(' ', '-')}`)])
      }
    }
    return [seen, await close()]
  },
  'M-51 the same request again, another body, and what a request lacks': async () => {
    const { sign, close } = await openMockPath(capability)
    const token = await mint()
    const payment = requestBody(ENVELOPES['payment'])
    const seen = [
      await sign('treasury', payment, token, 'k1'),
      await sign('treasury', payment, token, 'k1'),
      await sign('treasury', requestBody(ENVELOPES['fee bump']), token, 'k1'),
      await sign('treasury', payment, token, undefined),
      await sign('treasury', payment, undefined, 'k2'),
      await sign('other', payment, token, 'k3'),
      await sign('vault', payment, token, 'k4'),
      await sign('treasury', '{"type":"stellar-transaction","type":"x"}', token, 'k5'),
      await sign('treasury', 'not json', token, 'k6'),
      await sign('treasury', '{"type":"evm-transaction"}', token, 'k7'),
    ]
    return [seen, await close()]
  },
  'M-05 a row that holds another key signs nothing': async () => {
    const { sign, close } = await openMockPath(capability)
    const token = await mint({ ...GOOD_CLAIMS, scope: 'sign:*' })
    return [await sign('swapped', requestBody(ENVELOPES['payment']), token, 'k1'), await close()]
  },
  'references of development keys': () =>
    ['ed25519', 'wrapping'].map(use => devReference(use as 'ed25519', 'treasury')),
})
