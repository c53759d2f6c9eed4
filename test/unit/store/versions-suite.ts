/** M-61: several versions of a key, their states and when each came into them: the same on every store. */
import assert from 'node:assert/strict'
import { VERSION_STATES, type VersionState, type VersionTimes } from '../../../src/domain/key.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import type { Alone, KeyRegistry } from '../../../src/domain/ports.ts'
import { KEPT, sampleAddition } from './samples.ts'
import type { Testing, With } from './store-suite.ts'

type NextVersion = Parameters<KeyRegistry['addVersion']>[0]

/** The next version of `treasury`, with a public key of its own. */
function sampleVersion(version: number, state: VersionState = 'pending'): NextVersion {
  const { version: first, binding } = sampleAddition('treasury')
  return {
    version: {
      ...first,
      version,
      state,
      publicKey: new Uint8Array(32).fill(10 + version),
      address: `G-${version}`,
      account: `G-${version}`,
    },
    binding: { ...binding, id: `b-treasury-${version}`, version, reference: `arn:${version}` },
  }
}

/** @param clock  what the stores that `using` gives are opened with */
export function versionsSuite(name: string, using: With, test: Testing, clock: { time: number }): void {
  const timesOf = async (keys: KeyRegistry): Promise<readonly VersionTimes[]> =>
    (await keys.versions('treasury')).map(({ times }) => times)
  const move = async (keys: KeyRegistry, version: number, state: VersionState, at: number): Promise<void> => {
    clock.time = at
    assert.ok(await keys.setState('treasury', version, state))
  }

  test(`${name} T31: who has a public key, and who an address, in whatever state; and whoever adds it is asked about them`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury'))
      await keys.add(sampleAddition('alias'))
      await keys.addVersion(sampleVersion(2))
      await keys.setState('alias', 1, 'revoked')
      const named = (found: readonly { key: { name: string }; version: { version: number; state: string } }[]) =>
        found.map(({ key, version }) => `${key.name} ${version.version} ${version.state}`)
      const { publicKey, address } = sampleAddition('treasury').version
      assert.deepEqual(named(await keys.holding({ publicKey })), ['alias 1 revoked', 'treasury 1 active'])
      assert.deepEqual(named(await keys.holding({ address })), ['treasury 1 active'])
      assert.deepEqual(await keys.holding({ address: 'g-treasury' }), [])
      assert.deepEqual(await keys.holding({ publicKey: new Uint8Array(32).fill(99) }), [])
      assert.deepEqual(await keys.holding({ publicKey: publicKey.subarray(1) }), [])
      const [whole] = await keys.holding({ address })
      assert.deepEqual(whole, (await keys.versions('treasury'))[0])

      const asked: string[][] = []
      const alone: Alone = others => {
        asked.push(named(others))
        if (others.length > 0) throw new SignerError('key/exists', { key: 'third' })
      }
      await assert.rejects(keys.add({ ...sampleAddition('third'), alone }), { code: 'key/exists' })
      assert.deepEqual(await keys.versions('third'), [], 'nothing is left behind')
      await keys.addVersion({ ...sampleVersion(3), alone })
      assert.deepEqual(asked, [['alias 1 revoked', 'treasury 1 active'], []])
    }))

  test(`${name} M-61: a rotation from end to end: each version has its state and the times it came into it`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury'))
      assert.deepEqual(await timesOf(keys), [{ createdAt: 1_000, activeFrom: 1_000 }])
      clock.time = 2_000
      await keys.addVersion(sampleVersion(2))
      assert.equal((await keys.resolve('treasury'))?.version.version, 1, 'the path sees the active one')
      assert.equal(await keys.stateOf('treasury', 2), 'pending')
      await move(keys, 1, 'overlap', 3_000)
      await move(keys, 2, 'active', 4_000)
      const now = await keys.resolve('treasury')
      assert.equal(now?.version.version, 2)
      assert.equal(now.bindings[0]?.reference, 'arn:2')
      assert.ok(!('times' in now))
      await move(keys, 1, 'retired', 5_000)
      await move(keys, 1, 'destroyed', 6_000)
      await move(keys, 2, 'revoked', 7_000)
      const versions = await keys.versions('treasury')
      assert.deepEqual(
        versions.map(({ version: { version, state, address }, times }) => [version, state, address, times]),
        [
          [
            1,
            'destroyed',
            'G-treasury',
            { createdAt: 1_000, activeFrom: 1_000, overlapFrom: 3_000, retiredAt: 5_000, destroyedAt: 6_000 },
          ],
          [2, 'revoked', 'G-2', { createdAt: 2_000, activeFrom: 4_000, revokedAt: 7_000 }],
        ],
      )
      assert.ok(
        versions.every(each => Object.isFrozen(each) && Object.isFrozen(each.times) && Object.isFrozen(each.key)),
      )
      assert.equal((await keys.list()).length, 2)
    }))

  test(`${name} M-61: the account of a version is kept with it, whatever becomes of its state and its places`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury'))
      const { version, binding } = sampleVersion(2)
      const next = { version: { ...version, account: KEPT }, binding }
      await keys.addVersion(next)
      await assert.rejects(
        keys.addVersion({ ...sampleVersion(3), version: { ...sampleVersion(3).version, account: 'G-other' } }),
        { code: 'key/mismatch' },
      )
      await keys.setState('treasury', 1, 'overlap')
      await keys.setState('treasury', 2, 'active')
      await keys.addBinding({ binding: { ...binding, id: 'b-more', reference: 'arn:more' } })
      await keys.suspendBinding('b-more', 'gave a wrong answer')
      const accounts = async () => (await keys.versions('treasury')).map(({ version: { account } }) => account)
      assert.deepEqual(await accounts(), ['G-treasury', KEPT])
      assert.deepEqual((await keys.resolve('treasury'))?.version, { ...next.version, state: 'active' })
      assert.equal((await keys.resolve('treasury', 1))?.version.account, 'G-treasury')
      assert.deepEqual(
        (await keys.list()).map(({ version: { account } }) => account),
        ['G-treasury', KEPT],
      )
    }))

  test(`${name} M-61: of all keys, or of one that nobody knows`, () =>
    using(async ({ keys }) => {
      await keys.add({ ...sampleAddition('zeta') })
      await keys.add(sampleAddition('treasury'))
      await keys.addVersion(sampleVersion(2))
      assert.deepEqual(
        (await keys.versions()).map(({ version }) => [version.key, version.version]),
        [
          ['treasury', 1],
          ['treasury', 2],
          ['zeta', 1],
        ],
      )
      assert.deepEqual(await keys.versions('nobody'), [])
    }))

  test(`${name} M-61: a version comes with its own number, public key and place, and a refused one leaves nothing behind`, () =>
    using(async ({ keys }) => {
      const refused = async (code: string, entry: NextVersion, why: string) => {
        await assert.rejects(keys.addVersion(entry), { code }, why)
        assert.equal((await keys.versions('treasury')).length, 1, why)
      }
      await assert.rejects(keys.addVersion(sampleVersion(2)), { code: 'key/unknown' })
      await keys.add(sampleAddition('treasury', 'envelope'))
      const next = sampleVersion(2)
      const version = (over: object): NextVersion => ({ ...next, version: { ...next.version, ...over } })
      const binding = (over: object): NextVersion => ({ ...next, binding: { ...next.binding, ...over } })
      const first = sampleAddition('treasury')
      await refused('key/exists', { ...first }, 'version 1 again')
      await refused('key/exists', version({ publicKey: first.version.publicKey }), 'the same public key')
      await refused('key/exists', binding({ id: 'b-treasury' }), 'a binding id that is taken')
      await refused('key/mismatch', version({ version: 3 }), 'a gap')
      await refused('key/mismatch', version({ scheme: 'ecdsa-secp256k1' }), 'the scheme of another chain')
      await refused('key/mismatch', version({ publicKey: new Uint8Array(31) }), 'a short key')
      await refused('key/mismatch', version({ address: '' }), 'no address')
      await refused('key/mismatch', binding({ version: 1 }), 'a binding of another version')
      await refused('key/mismatch', binding({ custody: 'envelope' }), 'an envelope without ciphertext')
      for (const state of VERSION_STATES.filter(each => !['pending', 'active', 'overlap'].includes(each)))
        await refused('key/unsupported', version({ state }), state)
      await refused('key/unsupported', version({ state: 'active' }), 'a second active one')
      await keys.addVersion(version({ state: 'overlap' }))
      assert.deepEqual((await keys.versions('treasury')).at(-1)?.times, {
        createdAt: clock.time,
        activeFrom: clock.time,
        overlapFrom: clock.time,
      })
      const envelope = { bindingId: 'b-3', ciphertext: Uint8Array.of(5), context: { pubkey: 'G-3' } }
      const third = sampleVersion(3)
      await keys.addVersion({ ...third, binding: { ...third.binding, id: 'b-3', custody: 'envelope' }, envelope })
      assert.deepEqual([...((await keys.envelope('b-3'))?.ciphertext ?? [])], [5])
    }))

  test(`${name} M-61: what may sign again has not ended; the first time of a state counts; nothing else moves a time`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury'))
      await move(keys, 1, 'revoked', 2_000)
      await move(keys, 1, 'revoked', 3_000)
      assert.deepEqual(await timesOf(keys), [{ createdAt: 1_000, activeFrom: 1_000, revokedAt: 2_000 }])
      await move(keys, 1, 'quarantined', 4_000)
      assert.equal((await timesOf(keys))[0]?.revokedAt, 2_000)
      await move(keys, 1, 'active', 5_000)
      assert.deepEqual(await timesOf(keys), [{ createdAt: 1_000, activeFrom: 1_000 }])
      await move(keys, 1, 'retired', 6_000)
      await move(keys, 1, 'pending', 7_000)
      assert.deepEqual(await timesOf(keys), [{ createdAt: 1_000, activeFrom: 1_000 }])
      await move(keys, 1, 'active', 8_000)
      assert.equal(await keys.setState('treasury', 1, 'retired', ['overlap']), false)
      await keys.addBinding({ binding: { ...sampleAddition('treasury').binding, id: 'b-more', reference: 'arn:more' } })
      assert.ok(await keys.suspendBinding('b-more', 'it differed'))
      assert.deepEqual(await timesOf(keys), [{ createdAt: 1_000, activeFrom: 1_000 }], 'and the seal fits')
    }))

  test(`${name} M-61: a successor takes over in one step, and back: all of it or none of it`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury'))
      await keys.addVersion(sampleVersion(2))
      const states = async () => (await keys.versions('treasury')).map(({ version }) => version.state)
      const over = [
        { version: 2, state: 'active', from: ['pending'] },
        { version: 1, state: 'overlap', from: ['active'] },
      ] as const
      assert.equal(await keys.setStates('treasury', over), true)
      assert.deepEqual(await states(), ['overlap', 'active'])
      assert.equal((await keys.resolve('treasury'))?.version.version, 2)
      assert.equal(await keys.setStates('treasury', over), false)
      const back = [
        { version: 1, state: 'active', from: ['overlap'] },
        { version: 2, state: 'pending', from: ['active'] },
      ] as const
      assert.equal(await keys.setStates('treasury', back), true)
      assert.deepEqual(await states(), ['active', 'pending'])
      const refused = (moves: Parameters<KeyRegistry['setStates']>[1], code: string) =>
        assert.rejects(keys.setStates('treasury', moves), { code })
      await refused([{ version: 2, state: 'active' }], 'key/unsupported')
      await refused(
        [
          { version: 1, state: 'overlap' },
          { version: 3, state: 'active' },
        ],
        'key/unknown',
      )
      await refused(
        [
          { version: 1, state: 'overlap' },
          { version: 1, state: 'active' },
        ],
        'key/mismatch',
      )
      await assert.rejects(keys.setStates('nobody', [{ version: 1, state: 'active' }]), { code: 'key/unknown' })
      assert.equal(
        await keys.setStates('treasury', [
          { version: 1, state: 'overlap' },
          { version: 2, state: 'active', from: ['overlap'] },
        ]),
        false,
      )
      assert.deepEqual(await states(), ['active', 'pending'], 'nothing of what was refused was done')
    }))
}
