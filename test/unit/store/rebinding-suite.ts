/** M-63: one binding takes the place of another, and the old one goes later: the same on every store. */
import assert from 'node:assert/strict'
import { type Binding, replacedBy } from '../../../src/domain/key.ts'
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
}
