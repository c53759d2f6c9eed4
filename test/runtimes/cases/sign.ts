import { create, developmentSecret, devPublicKey, devReference } from '../../../providers/mock/index.ts'
import { createMemoryFiles } from '../../../src/audit/memory-files.ts'
import { openAuditLog } from '../../../src/audit/open.ts'
import { verifyAuditLog } from '../../../src/audit/verify.ts'
import { authorize, type Caller } from '../../../src/access/authorize.ts'
import {
  contextFor,
  createAttempts,
  createCustody,
  createEngines,
  type EngineCapability,
} from '../../../src/custody/index.ts'
import { createSigner } from '../../../src/service/signer.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { type Cases, outcome } from '../suite.ts'
import { BROKEN, ENVELOPES } from '../vectors.ts'
import { call, fixedClock, providerWorld, seededRandom } from '../world.ts'
import { addKey } from './store.ts'
import { GOOD_CLAIMS, mint, openVerifier } from './tokens.ts'

/** The whole path of a signature, wired as the service wires it, over memory. */
async function openPath(capability: EngineCapability) {
  const world = { ...providerWorld('sign'), clock: fixedClock() }
  const files = createMemoryFiles()
  const store = openMemoryStore()
  const provider = await create({ kind: 'mock' }, world)
  await addKey(store, 'treasury')
  await addKey(store, 'vault', await wrapped(provider, 'vault'))
  await addKey(store, 'swapped', await wrapped(provider, 'vault', 'swapped'))
  let calls = 0
  const custody = createCustody({
    provider: async () => provider,
    readRow: bindingId => {
      calls++
      return store.keys.envelope(bindingId)
    },
    engines: createEngines(capability),
    attempts: createAttempts({ clock: world.clock, random: world.random }),
  })
  const { log } = await openAuditLog({ files, clock: world.clock, random: seededRandom('log'), instance: 'parity' })
  const events: unknown[] = []
  const record = (event: string, fields?: Record<string, unknown>) => void events.push([event, fields?.['incident']])
  const signer = createSigner<Caller>({
    world,
    logger: { debug: record, info: record, warn: record, error: record },
    limits: { bodyBytes: 65_536 },
    catalogue: store.keys,
    setState: store.keys.setState,
    idempotency: store.idempotency,
    audit: log,
    authenticate: openVerifier(),
    authorize,
    custody,
    mayServe: () => {},
    recordRefusal: refusal => void events.push(refusal),
  })
  const sign = (key: string, body: string, authorization: string | undefined, idempotencyKey: string | undefined) =>
    outcome(() =>
      signer.sign({
        key,
        body: new TextEncoder().encode(body),
        authorization,
        idempotencyKey,
        requestId: 'r-parity',
        peer: '127.0.0.1',
      }),
    )
  const close = async () => {
    await log.close()
    return [events, calls, await verifyAuditLog(files)]
  }
  return { sign, close }
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

const body = (xdr: unknown): string => JSON.stringify({ type: 'stellar-transaction', xdr })

export const signCases = (capability: EngineCapability): Cases => ({
  'I1–I5 every envelope through the whole path': async () => {
    const { sign, close } = await openPath(capability)
    const token = await mint()
    const seen: unknown[] = []
    for (const [name, xdr] of Object.entries({ ...ENVELOPES, ...BROKEN })) {
      for (const key of ['treasury', 'vault']) {
        seen.push([name, key, await sign(key, body(xdr), token, `${key}-${name.replaceAll(' ', '-')}`)])
      }
    }
    return [seen, await close()]
  },
  'M-51 the same request again, another body, and what a request lacks': async () => {
    const { sign, close } = await openPath(capability)
    const token = await mint()
    const payment = body(ENVELOPES['payment'])
    const seen = [
      await sign('treasury', payment, token, 'k1'),
      await sign('treasury', payment, token, 'k1'),
      await sign('treasury', body(ENVELOPES['fee bump']), token, 'k1'),
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
    const { sign, close } = await openPath(capability)
    const token = await mint({ ...GOOD_CLAIMS, scope: 'sign:*' })
    return [await sign('swapped', body(ENVELOPES['payment']), token, 'k1'), await close()]
  },
  'references of development keys': () =>
    ['ed25519', 'wrapping'].map(use => devReference(use as 'ed25519', 'treasury')),
})
