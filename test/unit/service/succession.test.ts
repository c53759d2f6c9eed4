/** Which version takes the place of which, and whose account the next one gets, after a rotation that was taken back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demoEvmPolicy } from '../../../src/policy/index.ts'
import { revokeKey } from '../../../src/service/revoke.ts'
import { beginRotation, type NextVersion, rotationStep, signerPair } from '../../../src/service/rotate/index.ts'
import { sweepPair } from '../../../src/service/sweep/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { manualClock } from '../../support/audit-world.ts'
import { NOW, openRig } from '../../support/rig.ts'
import { rotationDeps } from '../../support/rotations.ts'

/** Time passes only when it is told to: when a version ended is what decides. */
function openTimed(more: Parameters<typeof openRig>[0] = {}) {
  const clock = manualClock(NOW)
  const pass = (): void => clock.advance(1_000)
  return openRig({ ...more, store: openMemoryStore({ clock }) }).then(rig => ({ rig, deps: rotationDeps(rig), pass }))
}

type Deps = ReturnType<typeof rotationDeps>

/** A version that signed for a while, was taken back and given up. */
async function takenBack(deps: Deps, pass: () => void, key: string, wish: NextVersion): Promise<void> {
  await beginRotation(deps, key, wish)
  await rotationStep(deps, key, 'open', wish.newAccount === true ? { newAccount: true } : {})
  pass()
  await rotationStep(deps, key, 'revert')
  await rotationStep(deps, key, 'abandon')
  pass()
}

test('M-61 M-64 after a rotation that was taken back, the next version takes the place of the one that signs, not of the one given up', async () => {
  const { deps, pass } = await openTimed({
    keys: [{ name: 'hot', chain: 'evm', policy: JSON.parse(demoEvmPolicy().text) }],
  })
  const pairs: Readonly<Record<string, () => Promise<{ from: { version: number }; to: { version: number } }>>> = {
    treasury: () => signerPair(deps.registry, 'treasury'),
    hot: () => sweepPair(deps.registry, 'hot'),
  }
  for (const [key, pairOf] of Object.entries(pairs)) {
    const numbers = async () => {
      const { from, to } = await pairOf()
      return [from.version, to.version]
    }
    await takenBack(deps, pass, key, {})
    await beginRotation(deps, key)
    assert.deepEqual(await numbers(), [1, 3], `${key}, waiting`)
    await rotationStep(deps, key, 'open')
    assert.deepEqual(await numbers(), [1, 3], `${key}, overlap`)
    pass()
    await rotationStep(deps, key, 'cutover')
    assert.deepEqual(await numbers(), [1, 3], `${key}, cut over`)
    for (const version of [3, 1]) {
      pass()
      await revokeKey({ ...deps, clock: { sleep: async () => {} } }, key, { version, reason: 'found outside' })
    }
    await beginRotation(deps, key)
    assert.deepEqual(
      await numbers(),
      [3, 4],
      `${key}, revoked: the first signed longer ago, whatever is said of it since`,
    )
  }
})

test('M-61 where no version signs any more, the next one is for the account of the last that did', async () => {
  const { rig, deps, pass } = await openTimed()
  await takenBack(deps, pass, 'treasury', { newAccount: true })
  pass()
  await revokeKey({ ...deps, clock: { sleep: async () => {} } }, 'treasury', { version: 1, reason: 'found outside' })
  const next = await beginRotation(deps, 'treasury')
  assert.equal(next.account, rig.key.version.address)
  const { from, to, account } = await signerPair(deps.registry, 'treasury')
  assert.deepEqual([from.version, to.version, account], [1, 3, rig.key.version.address])
})
