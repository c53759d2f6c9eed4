/** Issue 7 part 1: the end of a key on the control plane. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignerError } from '../../../src/domain/errors.ts'
import type { ControlParts } from '../../../src/service/control/index.ts'
import { openControlRig, person } from '../../support/control-rig.ts'
import { NOW, problemOf } from '../../support/rig.ts'

const PATH = '/v1/keys/treasury/versions/1/destroy'
const CONFIRM = person('treasury').address
const BODY = { confirm: CONFIRM, reason: 'rotated in June' }
const OPERATOR = { subject: 'operator', peer: 'cli' }

async function house(parts: (real: ControlParts) => ControlParts = real => real) {
  let real = {} as ControlParts
  const rig = openControlRig({ parts: made => parts((real = made)) })
  const { address } = await rig.admin('key-admin')
  // It has the same key at the same place, so nothing there is given up before it is over too.
  await real.revoke('frozen', { reason: 'r' }, OPERATOR)
  const twin = await real.destroy('frozen', { version: 1, confirm: CONFIRM, days: 30 }, OPERATOR)
  assert.deepEqual(
    twin.places.map(({ outcome, reason }) => [outcome, reason]),
    [['left', 'it is version 1 of treasury too, which is active']],
  )
  const post = (body: unknown, idempotencyKey: string = crypto.randomUUID(), path = PATH) =>
    rig.call('POST', path, { as: address, body, idempotencyKey })
  const state = async () => (await rig.parts.keys.versions('treasury'))[0]?.version.state
  const revoke = () => rig.parts.revoke('treasury', { reason: 'r' }, OPERATOR)
  return { rig, post, state, revoke }
}

test('M-61 M-62 a key-admin destroys what is revoked: 30 days unless told, on record with who and which version', async () => {
  const { rig, post, state, revoke } = await house()
  await revoke()
  const before = rig.records().length
  const answer = await post(BODY)
  assert.equal(answer.status, 200)
  const { places, ...rest } = (await answer.json()) as { places: object[] }
  const note = `Nobody looked whether ${CONFIRM} is still a signer of an account: networks.testnet has no endpoint.`
  const about = { key: 'treasury', version: 1, address: CONFIRM }
  assert.deepEqual(rest, { ...about, changed: true, done: true, notes: [note] })
  const place = { binding: 'b_treasury', provider: 'mock', custody: 'native', reference: 'k' }
  assert.deepEqual(places, [{ ...place, outcome: 'scheduled', at: new Date(NOW + 30 * 86_400_000).toISOString() }])
  assert.equal(await state(), 'destroyed')
  const records = rig
    .records()
    .slice(before)
    .flatMap(record => (record.kind === 'event' ? [record] : []))
  const who = person('key-admin').address
  const own = records.filter(({ event }) => /^key-(destr|given)/.test(event))
  assert.deepEqual(
    own.map(({ event, actor }) => [event, actor.subject]),
    ['key-destroying', 'key-given-up', 'key-destroyed'].map(event => [event, who]),
  )
  assert.equal(own[0]?.detail['reason'], 'rotated in June')
  const done = records.findLast(({ event, detail }) => event === 'keys.destroy' && detail['outcome'] === 'done')
  assert.deepEqual([done?.detail['object'], done?.detail['version'], done?.detail['done']], ['treasury/1', 1, true])
})

test('M-61 a retry under the same Idempotency-Key is the same request; another one goes on with what failed', async () => {
  let asked = 0
  const { post, revoke } = await house(real => ({
    ...real,
    destroy: (name, wish, actor) => {
      asked++
      return real.destroy(name, wish, actor)
    },
  }))
  await revoke()
  const first = (await (await post(BODY, 'once')).json()) as { changed: boolean }
  const again = await post(BODY, 'once')
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  const second = (await again.json()) as { changed: boolean; done: boolean }
  assert.deepEqual([first.changed, second.changed, second.done, asked], [true, false, true, 2])
  assert.equal((await problemOf(await post({ ...BODY, days: 7 }, 'once'))).code, 'idempotency/mismatch')
})

test('M-61 what does not fit is refused before anything is looked up or done', async () => {
  const { post, state, revoke } = await house()
  await revoke()
  const bad: readonly (readonly [number, string, unknown])[] = [
    [400, 'request/malformed', { reason: 'r' }],
    [400, 'request/malformed', { confirm: CONFIRM }],
    [400, 'request/malformed', { ...BODY, days: 121 }],
    [400, 'request/malformed', { ...BODY, days: -1 }],
    [400, 'request/malformed', { ...BODY, days: 31 }],
    [400, 'request/malformed', { ...BODY, days: '30' }],
    [400, 'request/malformed', { ...BODY, version: 1 }],
    [400, 'request/malformed', { ...BODY, confirm: person('frozen').address }],
    [400, 'request/malformed', { ...BODY, signerRemains: 'yes' }],
  ]
  for (const [status, code, body] of bad) {
    const problem = await problemOf(await post(body))
    assert.deepEqual([problem.status, problem.code], [status, code], JSON.stringify(body))
  }
  const paths: readonly (readonly [number, string])[] = [
    [404, '/v1/keys/treasury/versions/2/destroy'],
    [404, '/v1/keys/nobody/versions/1/destroy'],
    [400, '/v1/keys/treasury/versions/0/destroy'],
    [400, '/v1/keys/treasury/versions/01/destroy'],
    [400, '/v1/keys/treasury/versions/latest/destroy'],
    [400, '/v1/keys/treasury%2F1/versions/1/destroy'],
    [400, '/v1/keys/treasury/versions/1%2F1/destroy'],
  ]
  for (const [status, path] of paths) assert.equal((await post(BODY, undefined, path)).status, status, path)
  assert.equal(await state(), 'revoked')
})

test('M-61 what signs is not destroyed, nor what an account still lists; an operator may revoke, and no more', async () => {
  const remains = new SignerError('key/unsupported', { key: 'treasury', wanted: 'destroy', reason: 'still a signer' })
  const { rig, post, state, revoke } = await house(real => ({
    ...real,
    destroy: (name, wish, actor) =>
      wish.signerRemains === true ? real.destroy(name, wish, actor) : Promise.reject(remains),
  }))
  const active = await problemOf(await post({ ...BODY, signerRemains: true }))
  assert.deepEqual([active.status, active.code, await state()], [422, 'key/unsupported', 'active'])
  await revoke()
  assert.equal((await problemOf(await post(BODY))).code, 'key/unsupported')
  const { address } = await rig.admin('operator', 'ann')
  const denied = await rig.call('POST', PATH, { as: address, body: BODY, idempotencyKey: 'ann' })
  assert.deepEqual([denied.status, (await problemOf(denied)).code, await state()], [403, 'access/denied', 'revoked'])
  assert.equal((await post({ ...BODY, signerRemains: true })).status, 200)
  assert.equal(await state(), 'destroyed')
})
