import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Chain, DatedVersion, VersionState } from '../../../src/domain/key.ts'
import { VERSION_STATES } from '../../../src/domain/key.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import type { Held } from '../../../src/domain/ports.ts'
import { equalBytes } from '../../../src/bytes/equal.ts'
import { adopt, refuseShared } from '../../../src/service/register.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { testKey } from '../../fuzz/xdr-corpus.ts'
import { NOW, openRig } from '../../support/rig.ts'
import { rotationDeps } from '../../support/rotations.ts'

const publicKey = testKey('shared').rawPublicKey()
const held = (
  name: string,
  network: string,
  state: VersionState = 'active',
  chain: Chain = 'stellar',
): DatedVersion => ({
  key: { name, chain, network, policy: '', policyHash: '', createdAt: 0 },
  version: { key: name, version: 1, scheme: 'ed25519', publicKey, address: '', account: '', state },
  bindings: [],
  times: { createdAt: 0 },
})
const registry = (...versions: DatedVersion[]) => ({
  holding: async (what: Held) =>
    versions.filter(({ version }) => 'publicKey' in what && equalBytes(version.publicKey, what.publicKey)),
})
const asked = (name: string, network: string, chain: Chain = 'stellar') => ({ name, chain, network })

test('T31 a public key that another key of the network has, in whatever state, is refused with its name', async () => {
  for (const state of VERSION_STATES) {
    const attempt = refuseShared(registry(held('treasury', 'public', state)), asked('second', 'public'), publicKey)
    await assert.rejects(attempt, error => {
      assert.ok(isSignerError(error) && error.code === 'key/exists')
      assert.equal(error.detail.key, 'second')
      assert.match(error.detail.reason ?? '', /version 1 of treasury .* sign with treasury/)
      return true
    })
  }
})

test('T31 whoever says so may have it under a second name', async () => {
  const wish = { ...asked('second', 'public'), shared: true }
  await refuseShared(registry(held('treasury', 'public')), wish, publicKey)
  const none = { ...wish, shared: false }
  await assert.rejects(refuseShared(registry(held('treasury', 'public')), none, publicKey), { code: 'key/exists' })
})

test('T31 two names of one network are one network', async () => {
  const attempt = refuseShared(registry(held('treasury', 'local')), asked('second', 'standalone'), publicKey)
  await assert.rejects(attempt, { code: 'key/exists' })
})

test('T31 not refused: another network, another key, its own versions, another chain', async () => {
  await refuseShared(registry(held('treasury', 'public')), asked('second', 'testnet'), publicKey)
  await refuseShared(registry(held('treasury', 'public')), asked('second', 'public'), testKey('other').rawPublicKey())
  await refuseShared(registry(held('treasury', 'public')), asked('treasury', 'public'), publicKey)
  await refuseShared(registry(held('evm', 'mainnet', 'active', 'evm')), asked('second', 'public'), publicKey)
  await refuseShared(registry(held('evm', 'mainnet', 'active', 'evm')), asked('second', 'base', 'evm'), publicKey)
})

test('T31 T59 an EVM key has one name a chain: a second one would bring a second policy, or a revoked key back', async () => {
  for (const state of VERSION_STATES) {
    const attempt = refuseShared(
      registry(held('payer', 'mainnet', state, 'evm')),
      asked('second', 'mainnet', 'evm'),
      publicKey,
    )
    await assert.rejects(attempt, { code: 'key/exists' })
  }
  await assert.rejects(
    refuseShared(
      registry(held('payer', 'eip155:999', 'active', 'evm')),
      asked('second', 'eip155:999', 'evm'),
      publicKey,
    ),
    { code: 'key/exists' },
  )
})

for (const [kind, open] of [
  ['memory', async () => openMemoryStore()],
  ['sqlite', () => openSqliteStore({ path: ':memory:', clock: { now: () => NOW } })],
] as const) {
  test(`T31 ${kind}: 50 times two names for one key at the same moment: one is registered, the other refused with its name`, async () => {
    const store = await open()
    const rig = await openRig({ store, log: 'memory' })
    /** Both have looked and seen nobody before either goes on. */
    let waiting: (() => void) | undefined
    const meet = (): Promise<void> =>
      new Promise(resolve => {
        if (waiting === undefined) return void (waiting = resolve)
        waiting()
        waiting = undefined
        resolve()
      })
    const deps = rotationDeps(rig, real => ({
      ...real,
      holding: async what => {
        const found = await real.holding(what)
        await meet()
        return found
      },
    }))
    const admin = await deps.admin('mock')
    for (let round = 0; round < 50; round++) {
      const { reference, publicKey: made } = await deps.call(call =>
        admin.create({ scheme: 'ed25519', label: `r${round}` }, call),
      )
      const names = [`one-${round}`, `two-${round}`]
      const wishes = names.map(name => ({ name, chain: 'stellar', network: 'testnet', provider: 'mock' }) as const)
      const done = await Promise.allSettled(wishes.map(wish => adopt(deps, wish, reference)))
      const won = done.findIndex(({ status }) => status === 'fulfilled')
      const refusal = done[1 - won]
      assert.ok(won >= 0 && refusal?.status === 'rejected', `round ${round}`)
      assert.equal(refusal.reason.code, 'key/exists')
      assert.match(refusal.reason.detail.reason, new RegExp(`version 1 of ${names[won]} `))
      const held = await store.keys.holding({ publicKey: made })
      assert.deepEqual(
        held.map(({ key }) => key.name),
        [names[won]],
      )
    }
    // Whoever answers for both has both.
    const { reference } = await deps.call(call => admin.create({ scheme: 'ed25519', label: 'shared' }, call))
    const wish = { chain: 'stellar', network: 'testnet', provider: 'mock', shared: true } as const
    await Promise.all(['this', 'that'].map(name => adopt(deps, { ...wish, name }, reference)))
    store.close()
  })
}
