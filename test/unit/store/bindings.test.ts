import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../src/bytes/hex.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import type { Binding, Key, KeyVersion } from '../../../src/domain/key.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { withCode } from '../../support/audit-world.ts'

const key: Key = {
  ...{ name: 'treasury', chain: 'stellar', network: 'testnet', policy: '{}', createdAt: 1 },
  policyHash: toHex(sha256(new TextEncoder().encode('{}'))),
} as const
const version: KeyVersion = {
  ...{ key: 'treasury', version: 1, scheme: 'ed25519', address: 'G', account: 'G', state: 'active' },
  publicKey: new Uint8Array(32).fill(3),
} as const
const at = (id: string, more: Partial<Binding> = {}): Binding => ({
  ...{ id, key: 'treasury', version: 1, provider: 'aws', custody: 'native', reference: `ref/${id}` },
  ...more,
})
const row = { bindingId: 'b_3', ciphertext: Uint8Array.of(1), context: { pubkey: 'G' } }
const clock = { now: () => 0 }

for (const [name, open] of [
  ['sqlite', () => openSqliteStore({ path: ':memory:', clock: { ...clock } })],
  ['memory', async () => openMemoryStore()],
] as const) {
  test(`M-10 ${name}: a version has several bindings, in the order they came, and one of them can be suspended`, async () => {
    const store = await open()
    const { keys } = store
    await keys.add({ key, version, binding: at('b_1') })
    await keys.addBinding({ binding: at('b_2') })
    await keys.addBinding({ binding: at('b_3', { custody: 'envelope' }), envelope: row })
    const ids = async () =>
      (await keys.resolve('treasury'))?.bindings.map(({ id, suspended }) => (suspended === undefined ? id : `${id}!`))
    assert.deepEqual(await ids(), ['b_1', 'b_2', 'b_3'])
    assert.deepEqual((await keys.envelope('b_3'))?.ciphertext, row.ciphertext)

    const refused = (code: string, entry: Parameters<typeof keys.addBinding>[0]) =>
      assert.rejects(keys.addBinding(entry), withCode(code))
    await refused('key/exists', { binding: at('b_9', { reference: 'ref/b_1' }) })
    await refused('key/exists', { binding: at('b_1', { reference: 'elsewhere' }) })
    await refused('key/unknown', { binding: at('b_9', { version: 2 }) })
    await refused('key/unknown', { binding: at('b_9', { key: 'nobody' }) })
    await refused('key/mismatch', { binding: at('b_9', { custody: 'envelope' }) })
    await refused('key/mismatch', { binding: at('b_9'), envelope: { ...row, bindingId: 'b_9' } })
    await refused('key/mismatch', { binding: at('b_9', { suspended: '' }) })

    assert.equal(await keys.suspendBinding('b_2', 'it differed'), true)
    assert.equal(await keys.suspendBinding('b_2', 'it differed'), false)
    assert.deepEqual(await ids(), ['b_1', 'b_2!', 'b_3'])
    assert.ok(await keys.setState('treasury', 1, 'quarantined'), 'the seal holds with a suspended binding')
    assert.ok(await keys.setState('treasury', 1, 'active'))
    assert.deepEqual(await ids(), ['b_1', 'b_2!', 'b_3'])
    assert.equal(await keys.suspendBinding('b_2', undefined), true)
    assert.equal(await keys.suspendBinding('b_2', undefined), false)
    assert.deepEqual(await ids(), ['b_1', 'b_2', 'b_3'])
    await assert.rejects(keys.suspendBinding('b_9', 'x'), withCode('key/unknown'))
    store.close()
  })
}
