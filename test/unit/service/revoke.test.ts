import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import { VERSION_STATES } from '../../../src/domain/key.ts'
import { replayInto } from '../../../src/compose/restore.ts'
import { type RevokeDeps, revokeKey } from '../../../src/service/revoke.ts'
import { beginRotation, rotationStep } from '../../../src/service/rotate/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { openControlRig } from '../../support/control-rig.ts'
import { openRig, problemOf, type Rig } from '../../support/rig.ts'
import { rotationDeps } from '../../support/rotations.ts'

const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
const depsOf = (rig: Rig, over: Partial<RevokeDeps> = {}): RevokeDeps => ({
  registry: rig.store.keys,
  audit: rig.log,
  random,
  actor: { subject: 'operator', peer: '127.0.0.1' },
  clock: { sleep: async () => {} },
  ...over,
})
const revocations = async (rig: Rig): Promise<readonly AuditRecord[]> =>
  (await rig.records()).filter(record => record.kind === 'event' && record.event === 'key-revoked')

test('M-62 one person, at once: nothing is signed afterwards, not even an answer that was given before', async () => {
  const rig = await openRig()
  assert.equal((await rig.sign({ idempotencyKey: 'before' })).status, 200)
  const done = await revokeKey(depsOf(rig), 'treasury', { reason: 'the host was taken over' })
  assert.deepEqual(done, { revoked: [1], now: [1] })
  for (const idempotencyKey of ['before', 'after']) {
    const problem = await problemOf(await rig.sign({ idempotencyKey }))
    assert.deepEqual([problem.status, problem.code, problem['state']], [409, 'key/not-active', 'revoked'])
  }
  const [record, ...more] = await revocations(rig)
  assert.equal(more.length, 0)
  assert.ok(record?.kind === 'event')
  const { key, version, was, reason } = record.detail
  assert.deepEqual([key, version, was, reason], ['treasury', 1, 'active', 'the host was taken over'])
  // Once more changes nothing and is no failure.
  assert.deepEqual(await revokeKey(depsOf(rig), 'treasury', { reason: 'again' }), { revoked: [1], now: [] })
})

test('M-62 from every state there is; a key or a version that is not there is unknown', async () => {
  for (const state of VERSION_STATES) {
    const rig = await openRig()
    await rig.store.keys.setState('treasury', 1, state)
    const { now } = await revokeKey(depsOf(rig), 'treasury', { reason: 'r' })
    assert.deepEqual(now, state === 'revoked' ? [] : [1], state)
    assert.equal(await rig.store.keys.stateOf('treasury', 1), 'revoked')
  }
  const rig = await openRig()
  await assert.rejects(revokeKey(depsOf(rig), 'nobody', { reason: 'r' }), { code: 'key/unknown' })
  await assert.rejects(revokeKey(depsOf(rig), 'treasury', { version: 2, reason: 'r' }), { code: 'key/unknown' })
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'active')
})

test('M-62 a log that takes no record keeps nobody from revoking, and whoever revokes hears of it', async () => {
  const rig = await openRig()
  const sealed = new SignerError('audit/sealed', { reason: 'the disk is full' })
  const audit = { append: () => Promise.reject(sealed) }
  await assert.rejects(revokeKey(depsOf(rig, { audit }), 'treasury', { reason: 'r' }), { code: 'audit/sealed' })
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'revoked')
})

test('M-62 what a power cut kept out of the store, the log puts back; and no record of a restoration outweighs it', async () => {
  const rig = await openRig()
  await revokeKey(depsOf(rig), 'treasury', { reason: 'r' })
  const records = await rig.records()
  const store = openMemoryStore()
  await store.keys.add({ key: rig.key.key, version: rig.key.version, binding: rig.key.bindings[0] as never })
  const replay = replayInto(store)
  for (const record of records) await replay(record)
  assert.equal(await store.keys.stateOf('treasury', 1), 'revoked')
  const restored = { ...(await revocations(rig))[0], event: 'key-restored' } as AuditRecord
  await replay(restored)
  assert.equal(await store.keys.stateOf('treasury', 1), 'revoked')
})

test('M-62 on the control plane: an operator alone, one version or all; a reason is needed', async () => {
  const rig = openControlRig()
  const operator = await rig.admin('operator')
  const revoke = (body: unknown) =>
    rig.call('POST', '/v1/keys/treasury/revoke', { as: operator.address, body, idempotencyKey: crypto.randomUUID() })
  assert.equal((await revoke({})).status, 400)
  assert.equal((await revoke({ reason: 'r', versions: [1] })).status, 400)
  assert.equal((await revoke({ reason: 'r', version: 9 })).status, 404)
  const answer = await revoke({ reason: 'left with an employee', version: 1 })
  assert.deepEqual([answer.status, await answer.json()], [200, { key: 'treasury', revoked: [1], now: [1] }])
  const events = rig.records().flatMap(record => (record.kind === 'event' ? [record.event] : []))
  assert.ok(events.includes('key-revoked'))
})

test('M-62 the key service is told too, after the state has changed; what it says is in the answer and on record', async () => {
  const rig = await openRig()
  const seen: unknown[] = []
  const disable = async ({ reference }: { reference: string }): Promise<void> => {
    seen.push([reference, await rig.store.keys.stateOf('treasury', 1)])
  }
  const [binding] = rig.key.bindings
  assert.ok(binding)
  const done = await revokeKey(depsOf(rig, { disable }), 'treasury', { reason: 'r' })
  const place = { version: 1, binding: binding.id, provider: binding.provider, outcome: 'disabled' }
  assert.deepEqual(done, { revoked: [1], now: [1], places: [place] })
  assert.deepEqual(seen, [[binding.reference, 'revoked']])
  const stopped = (await rig.records()).filter(record => record.kind === 'event' && record.event === 'key-stopped')
  assert.equal(stopped.length, 1)
  assert.ok(stopped[0]?.kind === 'event')
  assert.deepEqual(stopped[0].detail, { key: 'treasury', ...place, reference: binding.reference })
})

test('M-62 a key service that refuses, hangs up or is not there undoes nothing, and its own words stay inside', async () => {
  const told = [
    [new SignerError('provider/refused', { provider: 'aws', reason: 'denied' }), 'provider/refused: denied'],
    [new SignerError('provider/unavailable', { provider: 'aws', reason: 'away' }), 'provider/unavailable: away'],
    [new TypeError('vendor words'), 'an unexpected fault'],
  ] as const
  for (const [error, reason] of told) {
    const rig = await openRig()
    const done = await revokeKey(depsOf(rig, { disable: () => Promise.reject(error) }), 'treasury', { reason: 'r' })
    assert.deepEqual([done.now, done.places?.[0]?.outcome, done.places?.[0]?.reason], [[1], 'failed', reason])
    assert.equal(await rig.store.keys.stateOf('treasury', 1), 'revoked')
    const problem = await problemOf(await rig.sign({ idempotencyKey: 'after' }))
    assert.equal(problem.code, 'key/not-active')
  }
})

test('M-62 what others need is left: a wrapping key, and a key that another name still signs with', async () => {
  const rig = await openRig()
  const [binding] = rig.key.bindings
  assert.ok(binding)
  const held = (name: string, more: object = {}) => ({
    key: { ...rig.key.key, name },
    version: { ...rig.key.version, key: name },
    bindings: [{ ...binding, key: name, id: `b-${name}`, ...more }],
  })
  const asked: string[] = []
  const disable = async ({ id }: { id: string }): Promise<void> => {
    asked.push(id)
  }
  const all = [held('one'), held('two'), held('sealed', { custody: 'envelope', reference: 'wrapping' })]
  const revoked = new Set<string>()
  const list = async () =>
    all.map(each =>
      revoked.has(each.key.name) ? { ...each, version: { ...each.version, state: 'revoked' as const } } : each,
    )
  const registry = {
    list,
    versions: async (name: string) => (await list()).filter(({ key }) => key.name === name),
    setState: async (name: string) => revoked.size !== revoked.add(name).size,
  } as unknown as RevokeDeps['registry']
  const revoke = async (name: string) =>
    (await revokeKey(depsOf(rig, { registry, disable }), name, { reason: 'r' })).places?.map(({ outcome }) => outcome)
  assert.deepEqual(await revoke('sealed'), ['left'])
  assert.deepEqual(await revoke('one'), ['left'])
  assert.deepEqual(await revoke('two'), ['disabled'])
  assert.deepEqual(await revoke('one'), ['disabled'], 'asked again once nobody needs it')
  assert.deepEqual(asked, ['b-two', 'b-one'])
})

test('M-62 T43 a reference that was exchanged stops nobody else: neither another key at that place nor what wraps seeds', async () => {
  const rig = await openRig()
  const [binding] = rig.key.bindings
  assert.ok(binding)
  const held = (name: string, first: number, more: object) => ({
    key: { ...rig.key.key, name },
    version: { ...rig.key.version, key: name, publicKey: new Uint8Array(32).fill(first) },
    bindings: [{ ...binding, key: name, id: `b-${name}`, ...more }],
  })
  const all = [
    held('live', 1, { reference: 'k-live' }),
    held('sealed', 2, { custody: 'envelope', reference: 'wrapping' }),
    held('exchanged', 3, { reference: 'k-live' }),
    held('aimed', 4, { reference: 'wrapping/cryptoKeyVersions/1' }),
    held('elsewhere', 5, { reference: 'k-live', provider: 'other' }),
  ]
  const registry = {
    list: async () => all,
    versions: async (name: string) => all.filter(({ key }) => key.name === name),
    setState: async () => true,
  } as unknown as RevokeDeps['registry']
  const asked: string[] = []
  const disable = async ({ id }: { id: string }): Promise<void> => void asked.push(id)
  const revoke = async (name: string) =>
    (await revokeKey(depsOf(rig, { registry, disable }), name, { reason: 'r' })).places?.[0]?.outcome
  assert.deepEqual(
    [await revoke('exchanged'), await revoke('aimed'), await revoke('elsewhere')],
    ['left', 'left', 'disabled'],
  )
  assert.deepEqual(asked, ['b-elsewhere'])
})

test('M-62 a row of another key that was tampered with keeps nobody from revoking, and no key service is asked blindly', async () => {
  const rig = await openRig()
  const damaged = new SignerError('key/mismatch', { key: 'other', reason: 'was changed outside the program' })
  const registry = { ...rig.store.keys, list: () => Promise.reject(damaged) }
  const disable = () => Promise.reject(new Error('nobody knows who else needs it'))
  const { now, places } = await revokeKey(depsOf(rig, { registry, disable }), 'treasury', { reason: 'r' })
  assert.deepEqual(now, [1])
  assert.equal(await rig.store.keys.stateOf('treasury', 1), 'revoked')
  assert.deepEqual(
    places?.map(({ outcome }) => outcome),
    ['left'],
  )
  assert.match(places?.[0]?.reason ?? '', /cannot be read \(key\/mismatch/)
})

test('M-62 a row of one version that was tampered with keeps nobody from revoking the others, and whoever revokes hears of it', async () => {
  const damaged = new SignerError('key/mismatch', { key: 'treasury', reason: 'was changed outside the program' })
  const open = async () => {
    const rig = await openRig()
    await beginRotation(rotationDeps(rig), 'treasury')
    await rotationStep(rotationDeps(rig), 'treasury', 'open')
    await rotationStep(rotationDeps(rig), 'treasury', 'cutover')
    const { keys } = rig.store
    const registry: RevokeDeps['registry'] = {
      ...keys,
      versions: () => Promise.reject(damaged),
      setState: (...given) => (given[1] === 1 ? Promise.reject(damaged) : keys.setState(...given)),
    }
    let waited = 0
    const clock = { sleep: async (ms: number) => void (waited += ms) }
    return { rig, deps: depsOf(rig, { registry, clock }), waited: () => waited }
  }
  const all = await open()
  await assert.rejects(revokeKey(all.deps, 'treasury', { reason: 'r' }), (error: unknown) => {
    assert.match(JSON.stringify((error as SignerError).detail), /was changed outside.*version 2 is revoked/)
    return (error as SignerError).code === 'key/mismatch'
  })
  assert.deepEqual([await all.rig.store.keys.stateOf('treasury', 2), all.waited() > 500], ['revoked', true])
  const versions = (await revocations(all.rig)).map(record => record.kind === 'event' && record.detail['version'])
  assert.deepEqual(versions, [2])
  const one = await open()
  assert.deepEqual(await revokeKey(one.deps, 'treasury', { version: 2, reason: 'r' }), { revoked: [2], now: [2] })
  assert.ok(one.waited() > 500)
  await assert.rejects(revokeKey(one.deps, 'treasury', { version: 1, reason: 'r' }), { code: 'key/mismatch' })
  await assert.rejects(revokeKey(one.deps, 'treasury', { version: 3, reason: 'r' }), { code: 'key/unknown' })
})

test('M-62 a store that fails at one version keeps nobody from revoking the next', async () => {
  const rig = await openRig()
  await beginRotation(rotationDeps(rig), 'treasury')
  await rotationStep(rotationDeps(rig), 'treasury', 'open')
  const gone = new SignerError('store/unavailable', { reason: 'could not change the state of a version' })
  const { keys } = rig.store
  const registry: RevokeDeps['registry'] = {
    ...keys,
    setState: (...given) => (given[1] === 1 ? Promise.reject(gone) : keys.setState(...given)),
  }
  await assert.rejects(revokeKey(depsOf(rig, { registry }), 'treasury', { reason: 'r' }), { code: 'store/unavailable' })
  assert.equal(await keys.stateOf('treasury', 2), 'revoked')
})
