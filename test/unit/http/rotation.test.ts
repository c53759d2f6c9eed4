/** Rotations over the control plane: one person, one step a request. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openControlRig } from '../../support/control-rig.ts'
import { problemOf } from '../../support/rig.ts'

test('M-61 M-73 a key-admin rotates a key step by step; a retry repeats no step, and each is recorded with who did it', async () => {
  const rig = openControlRig()
  const { address: as } = await rig.admin('key-admin')
  const step = async (body: object, idempotencyKey: string = crypto.randomUUID()) =>
    rig.call('POST', '/v1/keys/treasury/rotation', { as, body, idempotencyKey })
  const done = async (body: object, idempotencyKey?: string) => {
    const response = await step(body, idempotencyKey)
    const answer = (await response.json()) as Record<string, any>
    assert.equal(response.status, 200, JSON.stringify(answer))
    return [
      answer['changed'],
      answer['phase'],
      answer['versions'].map((each: { state: string }) => each.state).join(' '),
    ]
  }
  assert.deepEqual(await done({ step: 'begin' }, 'once'), [true, 'waiting', 'active pending'])
  assert.deepEqual(
    await done({ step: 'begin' }, 'once'),
    [undefined, 'waiting', 'active pending'],
    'the same request again',
  )
  assert.equal((await problemOf(await step({ step: 'begin' }))).code, 'key/rotation')
  assert.deepEqual(await done({ step: 'open' }), [true, 'overlap', 'overlap active'])
  assert.deepEqual(await done({ step: 'open' }), [false, 'overlap', 'overlap active'])
  assert.deepEqual(await done({ step: 'revert' }), [true, 'waiting', 'active pending'])
  assert.deepEqual(await done({ step: 'open' }), [true, 'overlap', 'overlap active'])
  assert.deepEqual(await done({ step: 'cutover' }), [true, 'none', 'retired active'])
  const status = await rig.call('GET', '/v1/keys/treasury/rotation', { as })
  assert.deepEqual(((await status.json()) as { next: string[] }).next, ['begin'])
  const accounts = async (body: object) => {
    const answer = (await (await step(body)).json()) as { versions: { address: string; account: string }[] }
    return answer.versions.map(({ address, account }) => [address, account])
  }
  const [one, two, three] = (await accounts({ step: 'begin', newAccount: true })) as [string, string][]
  assert.deepEqual(
    [one?.[1], two?.[1], three?.[1]],
    [one?.[0], one?.[0], three?.[0]],
    'its own, since that was asked for',
  )
  assert.equal((await done({ step: 'open', newAccount: true }))[2], 'retired overlap active')
  for (const body of [
    { step: 'promote' },
    {},
    { step: 'open', provider: 'mock' },
    { step: 'cutover', newAccount: true },
    { step: 'open', to: 2 },
  ]) {
    assert.equal((await problemOf(await step(body))).code, 'request/malformed', JSON.stringify(body))
  }
  const events = rig.records().flatMap(record => (record.kind === 'event' ? [record] : []))
  const opened = events.filter(({ event }) => event === 'rotation-opened')
  assert.deepEqual(
    opened.map(({ actor }) => actor.subject),
    [as, as, as],
  )
})
