/** One seed on every service, as its own key and as an envelope: the same address, and for Ed25519 the same signature. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { openAdmin } from '../../providers/admin.ts'
import type { ProviderConfig } from '../../providers/configs.ts'
import { openProvider } from '../../providers/index.ts'
import { openMemoryAuditLog } from '../../src/audit/memory.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { secretRoom } from '../../src/bytes/secret-room.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import type { Room } from '../../src/compose/room.ts'
import { SignerError } from '../../src/domain/errors.ts'
import { type Chain, type ResolvedKey, SCHEME_OF } from '../../src/domain/key.ts'
import type { KeyAdmin, KeyRef } from '../../src/domain/provider.ts'
import { Secret, SecretBytes } from '../../src/domain/secret.ts'
import { addressOf } from '../../src/service/payloads.ts'
import { importNative, type RegisterDeps, wrapSeed } from '../../src/service/register.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { makeKeyRing, mountTransit } from '../support/key-services.ts'
import { call } from '../support/provider-world.ts'
import { publicKeyOf, sampleOf, verifies } from './admin.ts'
import { restlessWorld } from './admin-subjects.ts'

const PLACE = { project: 'one-seed', location: 'europe-west3', keyRing: 'signing' } as const
let kms: LocalKms
let configs: Readonly<Record<'aws' | 'gcp' | 'vault', ProviderConfig>>
before(async () => {
  kms = await startLocalKms({ region: 'eu-central-1' })
  await makeKeyRing(kms.gcpRest, PLACE)
  await mountTransit(kms.vault, kms.vaultToken)
  const [id, secret] = [new Secret('id', 'id'), new Secret('secret', 'secret')]
  configs = {
    aws: { kind: 'aws-kms', region: kms.region, endpoint: kms.aws, accessKeyId: id, secretAccessKey: secret },
    gcp: { kind: 'gcp-kms', endpoint: kms.gcpRest, ...PLACE },
    vault: { kind: 'vault-transit', address: kms.vault, token: new Secret(kms.vaultToken, 'token') },
  }
})
after(() => kms.close())

/** A registry of its own, so that one seed may have a key in each. */
function houseOf(service: keyof typeof configs, bend: (admin: KeyAdmin) => KeyAdmin = admin => admin) {
  const world = { ...restlessWorld(), environment: 'staging' as const }
  const store = openMemoryStore({ clock: world.clock })
  const audit = openMemoryAuditLog({ clock: world.clock, instance: 'test' })
  const room = {
    store,
    audit,
    provider: () => openProvider(configs[service], world),
    admin: async () => bend(await openAdmin(configs[service], world)),
    mayServe: () => {},
  } as unknown as Room
  return { deps: registerDeps(room, world, 'staging'), store, audit }
}

const seedOf = (raw: Uint8Array): SecretBytes => {
  const room = secretRoom(32)
  room.set(raw)
  return new SecretBytes(room, 'seed')
}
const keyOf = (chain: Chain) => ({
  name: 'treasury',
  chain,
  network: chain === 'stellar' ? 'testnet' : 'sepolia',
  provider: 'kms',
})

async function signatureOf(deps: RegisterDeps, key: ResolvedKey, store: ReturnType<typeof houseOf>['store']) {
  const [binding] = key.bindings
  const row = await store.keys.envelope(binding?.id ?? '')
  return (await deps.trial(key, row, sampleOf(key.version.scheme))).signature
}

describe('M-66 one seed, native and decrypt', { timeout: 60_000 }, () => {
  for (const chain of ['stellar', 'evm'] as const) {
    test(`${chain}: every service gives the same address${chain === 'stellar' ? ', and the same signature bit for bit' : ''}; the seed is wiped each time`, async () => {
      const scheme = SCHEME_OF[chain]
      const raw = crypto.getRandomValues(new Uint8Array(32))
      const publicKey = publicKeyOf(scheme, raw)
      for (const service of ['aws', 'gcp', 'vault'] as const) {
        for (const custody of ['native', 'envelope'] as const) {
          const { deps, store, audit } = houseOf(service)
          const seed = seedOf(raw)
          const make = custody === 'native' ? importNative : wrapSeed
          const making = make(deps, keyOf(chain), { seed })
          if (service === 'vault' && chain === 'evm' && custody === 'native') {
            await assert.rejects(making, { code: 'key/unsupported' })
            assert.ok(seed.wiped)
            continue
          }
          const key = await making
          assert.ok(seed.wiped, `${service} ${custody}`)
          assert.equal(key.version.address, addressOf(chain, publicKey), `${service} ${custody}`)
          assert.equal(key.bindings[0]?.custody, custody)
          const signature = await signatureOf(deps, key, store)
          assert.ok(verifies(scheme, signature, publicKey))
          if (scheme === 'ed25519') {
            const sample = sampleOf(scheme)
            assert.ok(sample.scheme === 'ed25519')
            assert.equal(toHex(signature), toHex(ed25519.sign(sample.message, raw)), `${service} ${custody}`)
          }
          const events = audit.records().flatMap(record => (record.kind === 'event' ? [record.event] : []))
          assert.deepEqual(events, ['key-registering', 'key-registered'])
        }
      }
    })
  }

  test('M-60 a key that cannot be registered after its import signs no more at its service, and the seed is wiped', async () => {
    const imported: KeyRef[] = []
    const noting = (admin: KeyAdmin): KeyAdmin => ({
      ...admin,
      importKey: async (what, at) => {
        const facts = await admin.importKey(what, at)
        imported.push(facts.reference)
        return facts
      },
    })
    const { deps, store } = houseOf('vault', noting)
    const refused = new SignerError('audit/sealed', { reason: 'the disk is full' })
    const seed = seedOf(crypto.getRandomValues(new Uint8Array(32)))
    const sealed = { ...deps, audit: { ...deps.audit, append: () => Promise.reject(refused) } }
    await assert.rejects(importNative(sealed, keyOf('stellar'), { seed }), error => error === refused)
    assert.ok(seed.wiped)
    assert.equal(await store.keys.resolve('treasury'), undefined)
    const [reference = ''] = imported
    const provider = await deps.provider('kms')
    await assert.rejects(provider.describe(reference, call()), { code: 'provider/refused' })
  })

  test('M-60 an import that answers after the deadline is what counts, and one that is refused leaves nothing', async () => {
    const slow = houseOf('vault')
    // The deadline speaks first; the service has done it all the same.
    const late: RegisterDeps = {
      ...slow.deps,
      call: async (body, patience) => {
        if (patience === undefined) return slow.deps.call(body)
        body(call()).catch(() => {})
        throw new SignerError('provider/unavailable', { provider: 'vault', reason: 'no answer within the deadline' })
      },
    }
    const key = await importNative(late, keyOf('stellar'), { seed: seedOf(crypto.getRandomValues(new Uint8Array(32))) })
    assert.equal((await slow.store.keys.resolve('treasury'))?.version.address, key.version.address)

    const { deps, store } = houseOf('vault')
    const seed = seedOf(new Uint8Array(32).fill(3))
    const other = addressOf('stellar', ed25519.getPublicKey(new Uint8Array(32).fill(4)))
    await assert.rejects(importNative(deps, keyOf('stellar'), { seed, address: other }), { code: 'key/mismatch' })
    assert.ok(seed.wiped)
    assert.equal(await store.keys.resolve('treasury'), undefined)
  })
})
