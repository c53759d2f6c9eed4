/** M-63: one binding takes the place of another, and the old one goes later: the same on every store. */
import assert from 'node:assert/strict'
import { type Binding, replacedBy, VERSION_STATES } from '../../../src/domain/key.ts'
import type { KeyRegistry } from '../../../src/domain/ports.ts'
import { sampleAddition } from './samples.ts'
import type { Testing, With } from './store-suite.ts'

const place = (id: string, over: Partial<Binding> = {}) => ({
  binding: { ...sampleAddition('treasury').binding, id, custody: 'envelope' as const, reference: `w/${id}`, ...over },
  envelope: { bindingId: id, ciphertext: Uint8Array.of(9, id.length), context: { pubkey: 'G-treasury' } },
})

export function rebindingSuite(name: string, using: With, test: Testing): void {
  const shown = async (keys: KeyRegistry) =>
    (await keys.resolve('treasury'))?.bindings.map(({ id, suspended }) => (suspended === undefined ? id : `${id}!`))
  const old = 'b-treasury'

  test(`${name} M-63: a binding takes the place of another in one step; the old row stays readable until it is removed`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury', 'envelope'))
      await keys.addBinding(place('b-2'))
      await keys.replaceBinding(old, place('b-3'))
      assert.deepEqual(await shown(keys), ['b-3', 'b-2', 'b-treasury!'])
      assert.equal((await keys.resolve('treasury'))?.bindings.at(-1)?.suspended, replacedBy('b-3'))
      assert.deepEqual([...((await keys.envelope(old))?.ciphertext ?? [])], [1, 2, 3, 0, 255])
      assert.deepEqual([...((await keys.envelope('b-3'))?.ciphertext ?? [])], [9, 3])
      assert.ok(await keys.setState('treasury', 1, 'overlap'), 'the seal fits')
      assert.ok(await keys.setState('treasury', 1, 'active'))

      assert.equal(await keys.removeBinding(old), true)
      assert.equal(await keys.removeBinding(old), false)
      assert.deepEqual(await shown(keys), ['b-3', 'b-2'])
      assert.equal(await keys.envelope(old), undefined)
      await keys.addBinding(place('b-4'))
      await keys.replaceBinding('b-3', place('b-5'))
      await keys.addBinding(place('b-6'))
      await keys.removeBinding('b-3')
      assert.deepEqual(await shown(keys), ['b-5', 'b-2', 'b-4', 'b-6'], 'in order, without a gap')
      await keys.addBinding(place('b-7'))
      assert.equal((await keys.versions('treasury'))[0]?.bindings.length, 5)
    }))

  test(`${name} M-63: what must not be replaced or removed is not, and nothing of it is done`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury', 'envelope'))
      await keys.add(sampleAddition('other', 'envelope'))
      await keys.addBinding(place('b-2'))
      const before = await keys.versions()
      const refused = async (code: string, id: string, entry: Parameters<KeyRegistry['replaceBinding']>[1]) => {
        await assert.rejects(keys.replaceBinding(id, entry), { code })
        assert.deepEqual(await keys.versions(), before)
        assert.equal(await keys.envelope('b-3'), undefined)
      }
      await refused('key/unknown', 'nobody', place('b-3'))
      await refused('key/mismatch', 'b-other', place('b-3'))
      await refused('key/exists', old, place('b-2', { reference: 'elsewhere' }))
      await refused('key/exists', old, place('b-other'))
      await refused('key/exists', old, place('b-3', { reference: 'w/b-2' }))
      await refused('key/mismatch', old, { binding: place('b-3').binding })
      for (const id of [old, 'b-2']) await assert.rejects(keys.removeBinding(id), { code: 'key/unsupported' })
      assert.equal(await keys.removeBinding('nobody'), false)

      await keys.replaceBinding(old, place('b-3'))
      await assert.rejects(keys.replaceBinding(old, place('b-4')), { code: 'key/unsupported' }, 'a second operator')
      await keys.suspendBinding(old, undefined)
      await assert.rejects(keys.removeBinding(old), { code: 'key/unsupported' }, 'taken back meanwhile')
      await keys.suspendBinding(old, replacedBy('gone'))
      await assert.rejects(keys.removeBinding(old), { code: 'key/unsupported' }, 'its successor is not there')
      assert.deepEqual(await shown(keys), ['b-3', 'b-2', 'b-treasury!'])
    }))
  test(`${name} M-61 L7: of what was destroyed the encrypted keys go, all of them; nothing is added, and only a revocation is heard`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury', 'envelope'))
      await keys.add(sampleAddition('other', 'envelope'))
      await keys.addBinding(place('b-2'))
      await keys.replaceBinding('b-2', place('b-3'))
      const rows = async () =>
        (await Promise.all([old, 'b-2', 'b-3', 'b-other'].map(id => keys.envelope(id)))).map(row => row !== undefined)
      for (const state of VERSION_STATES.filter(each => each !== 'destroyed')) {
        await keys.setState('treasury', 1, state)
        await assert.rejects(keys.removeEnvelopes('treasury', 1), { code: 'key/unsupported' }, state)
      }
      assert.deepEqual(await rows(), [true, true, true, true])
      await assert.rejects(keys.removeEnvelopes('treasury', 2), { code: 'key/unknown' })
      await assert.rejects(keys.removeEnvelopes('nobody', 1), { code: 'key/unknown' })

      await keys.setState('treasury', 1, 'destroyed')
      assert.equal(await keys.removeEnvelopes('treasury', 1), 3)
      assert.equal(await keys.removeEnvelopes('treasury', 1), 0)
      assert.deepEqual(await rows(), [false, false, false, true])
      await assert.rejects(keys.addBinding(place('b-4')), { code: 'key/unsupported' })
      await assert.rejects(keys.replaceBinding(old, place('b-4')), { code: 'key/unsupported' })
      for (const revoked of [false, true]) {
        if (revoked) assert.ok(await keys.setState('treasury', 1, 'revoked'), 'somebody may have a copy')
        for (const state of VERSION_STATES.filter(each => each !== 'destroyed' && each !== 'revoked')) {
          const label = `${revoked ? 'revoked' : 'destroyed'} to ${state}`
          await assert.rejects(keys.setState('treasury', 1, state), { code: 'key/unsupported' }, label)
          await assert.rejects(keys.setState('treasury', 1, state, ['destroyed', 'revoked']), {
            code: 'key/unsupported',
          })
        }
        assert.equal(await keys.removeEnvelopes('treasury', 1), 0)
      }
      assert.ok(await keys.setState('treasury', 1, 'destroyed', ['revoked']))
      const held = (await keys.versions('treasury'))[0]
      assert.deepEqual([held?.bindings.length, held?.version.state], [3, 'destroyed'], 'it says where it was')
      assert.deepEqual(Object.keys(held?.times ?? {}).toSorted(), [
        ...['activeFrom', 'createdAt', 'destroyedAt', 'overlapFrom', 'retiredAt', 'revokedAt'],
      ])
    }))
}
