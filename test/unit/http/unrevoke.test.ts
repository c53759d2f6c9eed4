/** A revocation taken back (M-62, L6): by a quorum of custodians alone, as far as quarantine, and then by proof. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBreakGlass } from '../../../src/access/break-glass.ts'
import { replayInto } from '../../../src/compose/restore.ts'
import type { AuditActor } from '../../../src/domain/audit.ts'
import { VERSION_STATES } from '../../../src/domain/key.ts'
import { restoreKey } from '../../../src/service/restore.ts'
import { revokeKey } from '../../../src/service/revoke.ts'
import { unrevokeKey } from '../../../src/service/unrevoke.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { codeOf, CUSTODIANS, GLASS, type GlassWorld, HOLDER, openGlass } from '../../support/break-glass-world.ts'
import { openControlRig, type Person, person } from '../../support/control-rig.ts'
import { NOW, openRig, problemOf, type Rig } from '../../support/rig.ts'
import { rotationDeps } from '../../support/rotations.ts'

const [one, two] = CUSTODIANS as readonly [Person, Person, Person]
const OPERATOR: AuditActor = { subject: 'operator', peer: '127.0.0.1' }
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
const WISH = { actions: ['unrevoke-key'], keyVersion: { key: 'treasury', version: 1 } }

/** A data plane, and a control plane with custodians over the same keys. */
async function openHouse(
  now = () => NOW,
): Promise<{ rig: Rig; glass: GlassWorld; state: () => Promise<string | undefined> }> {
  const store = openMemoryStore({ clock: { now } })
  const rig = await openRig({ store })
  const deps = (actor: AuditActor) => ({ ...rotationDeps(rig), actor })
  const glass = openGlass({
    parts: real => ({
      ...real,
      keys: store.keys,
      revoke: (name, wish, actor) => {
        const clock = { sleep: async () => {} }
        return revokeKey({ registry: store.keys, audit: real.audit, random, actor, clock }, name, wish)
      },
      unrevoke: (name, version, actor) =>
        unrevokeKey({ registry: store.keys, audit: real.audit, random, actor }, name, version),
      restore: (name, wish, actor) => restoreKey(deps(actor), name, wish),
    }),
  })
  return { rig, glass, state: () => store.keys.stateOf('treasury', 1) }
}
const unrevoke = (glass: GlassWorld, token: string, { key = 'treasury', version = 1, idempotencyKey = '' } = {}) =>
  glass.call('POST', `/v1/keys/${key}/unrevoke`, {
    token: `Bearer ${token}`,
    body: { version },
    idempotencyKey: idempotencyKey === '' ? crypto.randomUUID() : idempotencyKey,
  })

test('M-62 T62 L6 a quorum takes a revocation back: quarantine, on record and loud; then a key-admin restores, and it signs', async () => {
  const { rig, glass, state } = await openHouse()
  await glass.parts.revoke('treasury', { reason: 'the host was taken over' }, OPERATOR)
  const text = await glass.ask(WISH)
  assert.deepEqual(JSON.parse(text.split('\n')[1] ?? '')['keyVersion'], WISH.keyVersion, 'they see what they sign')
  const opened = await glass.open(text, [one, two, HOLDER])
  const { token, keyVersion } = (await opened.json()) as { token: string; keyVersion: object }
  assert.deepEqual(keyVersion, WISH.keyVersion)
  assert.equal(await state(), 'revoked', 'the statement alone does nothing')
  const again = { idempotencyKey: 'once' }
  const done = await unrevoke(glass, token, again)
  const answer = { key: 'treasury', version: 1, state: 'quarantined' }
  assert.deepEqual([done.status, await done.json()], [200, answer])
  const replayed = await unrevoke(glass, token, again)
  assert.deepEqual([replayed.headers.get('idempotency-replayed'), await replayed.json()], ['true', answer])
  assert.equal((await problemOf(await rig.sign())).code, 'key/not-active')

  const [event, ...more] = glass.events('key-unrevoked')
  assert.ok(event?.kind === 'event' && more.length === 0)
  assert.deepEqual([event.detail, event.actor?.subject], [WISH.keyVersion, HOLDER.address])
  const [used] = glass.events('break-glass.used')
  assert.ok(used?.kind === 'event')
  const { operation, unrevokes, reason } = used.detail
  assert.deepEqual([operation, unrevokes, reason], ['keys.unrevoke', 'treasury version 1', 'nobody can log in'])
  assert.equal(glass.alarms('key-unrevoked').length, 1)

  const admin = await glass.admin('key-admin')
  assert.equal((await glass.call('POST', '/v1/keys/treasury/restore', { as: admin.address })).status, 200)
  assert.equal((await rig.sign()).status, 200)
})

test('M-62 T62 short by one, one custodian twice, without the holder: no token; no role and no other statement does it', async () => {
  const { glass, state } = await openHouse()
  await glass.parts.revoke('treasury', { reason: 'r' }, OPERATOR)
  const text = await glass.ask(WISH)
  for (const by of [
    [one, HOLDER],
    [one, one, HOLDER],
    [one, two],
    [one, person('stranger'), HOLDER],
  ])
    assert.equal(await codeOf(await glass.open(text, by)), '401 login/refused')
  const changed = text.replace('"version":1', '"version":2')
  const signatures = [one, two, HOLDER].map(({ address, sign }) => ({ address, signature: sign(text) }))
  assert.equal(
    await codeOf(await glass.call('POST', '/auth/break-glass', { body: { text: changed, signatures } })),
    '401 login/refused',
  )
  const other = await glass.token({ actions: ['read', 'revoke-key'] })
  assert.equal(await codeOf(await unrevoke(glass, other.token)), '403 access/denied')
  for (const role of ['operator', 'key-admin', 'policy-admin'] as const) {
    const { address } = await glass.admin(role)
    const response = await glass.call('POST', '/v1/keys/treasury/unrevoke', { as: address, body: { version: 1 } })
    assert.equal(await codeOf(response), '403 access/denied', role)
  }
  assert.equal(await state(), 'revoked')
  assert.equal((await glass.open(text, [one, two, HOLDER])).status, 200, 'nobody has used it up')
})

test('M-62 T62 the statement is good for its key and version, and for one revocation', async () => {
  const { glass, state } = await openHouse()
  await glass.parts.revoke('treasury', { reason: 'r' }, OPERATOR)
  const { token } = await glass.token(WISH)
  assert.equal(await codeOf(await unrevoke(glass, token, { version: 2 })), '403 access/denied')
  assert.equal(await codeOf(await unrevoke(glass, token, { key: 'frozen' })), '403 access/denied')
  assert.equal((await unrevoke(glass, token)).status, 200)
  await glass.parts.revoke('treasury', { reason: 'once more' }, OPERATOR)
  assert.equal(await codeOf(await unrevoke(glass, token)), '403 access/denied', 'a replay')
  assert.equal(await state(), 'revoked')
  assert.equal(await codeOf(await glass.open(await glass.ask(WISH), [one, HOLDER])), '401 login/refused')

  const nobody = await glass.token({ ...WISH, keyVersion: { key: 'treasury', version: 7 } })
  assert.equal(await codeOf(await unrevoke(glass, nobody.token, { version: 7 })), '404 key/unknown')
})

test('M-62 a statement from before the revocation is none of it', async () => {
  const { glass, state } = await openHouse(() => NOW + 1)
  const { token } = await glass.token(WISH)
  await glass.parts.revoke('treasury', { reason: 'r' }, OPERATOR)
  assert.equal(await codeOf(await unrevoke(glass, token)), '403 access/denied')
  assert.equal(await state(), 'revoked')
})

test('M-62 without custodians it does not exist', async () => {
  const rig = openControlRig()
  const { address } = await rig.admin('key-admin')
  const response = await rig.call('POST', '/v1/keys/treasury/unrevoke', { as: address, body: { version: 1 } })
  assert.equal(await codeOf(response), '404 request/unknown-route')
})

test('M-62 L7 only what is revoked, and was not destroyed; of two at once one wins; no record, no change', async () => {
  const gone = (await openRig()).store.keys
  const before = { registry: gone, audit: { append: () => Promise.reject(new Error('nothing to record')) } }
  for (const state of [...VERSION_STATES.filter(each => each !== 'revoked'), 'revoked'] as const) {
    await gone.setState('treasury', 1, state)
    const asked = unrevokeKey({ ...before, random, actor: OPERATOR }, 'treasury', 1)
    await assert.rejects(asked, { code: 'key/unsupported' }, `${state}, the last of them after its end`)
    assert.equal(await gone.stateOf('treasury', 1), state)
  }
  const rig = await openRig()
  const deps = { registry: rig.store.keys, audit: rig.log, random, actor: OPERATOR }
  await rig.store.keys.setState('treasury', 1, 'revoked')
  const audit = { append: () => Promise.reject(new Error('the disk is full')) }
  await assert.rejects(unrevokeKey({ ...deps, audit }, 'treasury', 1), /the disk is full/)
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'revoked')
  await assert.rejects(unrevokeKey(deps, 'treasury', 2), { code: 'key/unknown' })
  const both = await Promise.allSettled([unrevokeKey(deps, 'treasury', 1), unrevokeKey(deps, 'treasury', 1)])
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
})

test('M-62 what a power cut kept out of the store, the log puts back; in a shared store the revocation stays', async () => {
  const { rig, glass } = await openHouse()
  await glass.parts.revoke('treasury', { reason: 'r' }, OPERATOR)
  const { token } = await glass.token(WISH)
  assert.equal((await unrevoke(glass, token)).status, 200)
  for (const [shared, state] of [
    [false, 'quarantined'],
    [true, 'revoked'],
  ] as const) {
    const store = openMemoryStore()
    await store.keys.add({ key: rig.key.key, version: rig.key.version, binding: rig.key.bindings[0] as never })
    const replay = replayInto({ ...store, shared })
    for (const record of glass.records()) await replay(record)
    assert.equal(await store.keys.stateOf('treasury', 1), state)
  }
})

test('M-62 a statement names one version to the letter, and nothing beside it', async () => {
  const glass = openGlass()
  const text = await glass.ask(WISH)
  assert.deepEqual(readBreakGlass(text, GLASS)?.keyVersion, WISH.keyVersion)
  const named = '"keyVersion":{"key":"treasury","version":1}'
  assert.ok(text.includes(named))
  for (const bad of [
    'null',
    '7',
    '[]',
    '{}',
    '{"key":"treasury"}',
    '{"key":"treasury","version":1,"x":1}',
    '{"key":"a b","version":1}',
    '{"key":"treasury","version":0}',
    '{"key":"treasury","version":"1"}',
  ])
    assert.equal(readBreakGlass(text.replace(named, `"keyVersion":${bad}`), GLASS), undefined, bad)
  assert.equal(readBreakGlass(text.replace(`${named},`, ''), GLASS), undefined)
})
