import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultPolicy } from '../../../src/policy/index.ts'
import { openRig, problemOf } from '../../support/rig.ts'

test('I4 M-52 a policy that comes into force while the key service is asked stops the signature, and judges the retry', async () => {
  let during = async (): Promise<void> => {}
  const rig = await openRig({
    provider: real => ({
      ...real,
      sign: async (...given) => {
        await during()
        return real.sign(...given)
      },
    }),
  })
  const strict = defaultPolicy()
  during = async () => {
    during = async () => {}
    const at = rig.clock.now()
    const { key } = rig.key
    await rig.store.changes.propose({
      ...{ id: 'c_1', key: key.name, fromHash: key.policyHash, toHash: strict.hash, toText: strict.text },
      ...{ direction: 'tightening', proposedBy: 'G', proposedAt: at, expiresAt: at + 60_000, testsText: '[]' },
    })
    await rig.store.changes.activate('c_1', at)
  }
  const first = await problemOf(await rig.sign({ idempotencyKey: 'same' }))
  assert.equal(first.code, 'policy/undecided')
  assert.equal(rig.signatures(), 1)
  assert.equal((await problemOf(await rig.sign({ idempotencyKey: 'same' }))).code, 'policy/denied')
  const outcomes = (await rig.records()).filter(record => record.kind === 'outcome')
  assert.deepEqual(
    outcomes.map(({ result }) => result),
    ['refused', 'refused'],
  )
})
