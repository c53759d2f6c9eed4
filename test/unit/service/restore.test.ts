import assert from 'node:assert/strict'
import { test } from 'node:test'
import { registerDeps } from '../../../src/compose/keys.ts'
import type { Room } from '../../../src/compose/room.ts'
import { signature64 } from '../../../src/domain/brands.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import { type Custody, maySign, VERSION_STATES, type VersionState } from '../../../src/domain/key.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import type { RegisterDeps } from '../../../src/service/register.ts'
import { restoreKey } from '../../../src/service/restore.ts'
import { replayInto } from '../../../src/compose/restore.ts'
import { realWorld } from '../../../src/runtime/world.ts'
import { beginRotation, rotationStep } from '../../../src/service/rotate/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { openRig, problemOf, type Rig } from '../../support/rig.ts'
import { rotationDeps, signBy } from '../../support/rotations.ts'

interface Bench {
  readonly rig: Rig
  readonly deps: RegisterDeps
  /** What the service does to those who come to restore. */
  change: (real: EnvelopeProvider) => EnvelopeProvider
}

async function bench(custody: Custody = 'native'): Promise<Bench> {
  const rig = await openRig({ custody })
  const one: Bench = { rig, deps: undefined as never, change: real => real }
  const room = {
    store: rig.store,
    audit: rig.log,
    provider: async () => one.change(rig.provider),
    mayServe: () => {},
  } as unknown as Room
  return Object.assign(one, { deps: registerDeps(room, realWorld(), 'development') })
}

const eventsOf = async ({ rig }: Bench) =>
  (await rig.records()).flatMap(record => (record.kind === 'event' ? [record] : []))

for (const custody of ['native', 'envelope'] as const) {
  test(`T37 ${custody}: a key in quarantine proves itself again, is restored on record, and signs`, async () => {
    const one = await bench(custody)
    await one.rig.store.keys.setState('treasury', 1, 'quarantined')
    assert.equal((await problemOf(await one.rig.sign())).code, 'key/not-active')
    const asked = one.rig.signatures()
    const { version } = await restoreKey(one.deps, 'treasury')
    assert.equal(version.state, 'active')
    assert.equal(one.rig.signatures(), asked + 1, 'one proof')
    const [event, ...more] = await eventsOf(one)
    assert.deepEqual(more, [])
    assert.deepEqual(
      [event?.event, event?.actor, event?.detail],
      [
        'key-restored',
        { subject: 'operator', peer: 'cli' },
        { key: 'treasury', version: 1, to: 'active', bindings: 1 },
      ],
    )
    assert.equal((await one.rig.sign()).status, 200)

    // The next start reads the log again and finds the same.
    await one.rig.log.close()
    const restarted = await openRig({ custody, files: one.rig.files.copy(), store: one.rig.store })
    assert.equal((await restarted.sign()).status, 200)
  })
}

test('T37 a proof that fails restores nothing, and says why', async () => {
  const one = await bench()
  await one.rig.store.keys.setState('treasury', 1, 'quarantined')
  const { change } = one
  const refused = async (code: string, broken: Bench['change']): Promise<void> => {
    one.change = broken
    await assert.rejects(restoreKey(one.deps, 'treasury'), { code })
    assert.equal(await one.rig.store.keys.stateOf('treasury', 1), 'quarantined')
    assert.deepEqual(await eventsOf(one), [])
  }
  await refused('key/mismatch', real => ({
    ...real,
    describe: async (...given) => ({ ...(await real.describe(...given)), publicKey: new Uint8Array(32).fill(9) }),
  }))
  await refused('signature/unverified', real => ({
    ...real,
    sign: async () => ({ signature: signature64(new Uint8Array(64).fill(1)) }),
  }))
  await refused('provider/refused', real => ({
    ...real,
    sign: () =>
      Promise.reject(new SignerError('provider/refused', { provider: 'mock', reason: 'the key is disabled' })),
  }))
  one.change = change
  const opened = await bench('envelope')
  await opened.rig.store.keys.setState('treasury', 1, 'quarantined')
  opened.change = real => ({
    ...real,
    unwrap: async () => ({ plaintext: new SecretBytes(new Uint8Array(32).fill(3), 'another seed') }),
  })
  await assert.rejects(restoreKey(opened.deps, 'treasury'), { code: 'envelope/mismatch' })
  assert.equal(await opened.rig.store.keys.stateOf('treasury', 1), 'quarantined')
})

test('I5 no other state is restored, and no key that is not there', async () => {
  const one = await bench()
  for (const state of VERSION_STATES.filter(each => each !== 'quarantined')) {
    await one.rig.store.keys.setState('treasury', 1, state)
    await assert.rejects(restoreKey(one.deps, 'treasury'), {
      code: 'key/unsupported',
      detail: { key: 'treasury', wanted: 'restore', reason: `version 1 is ${state}, not in quarantine` },
    })
    assert.equal(await one.rig.store.keys.stateOf('treasury', 1), state)
  }
  await assert.rejects(restoreKey(one.deps, 'nobody'), { code: 'key/unknown' })
  assert.equal(one.rig.signatures(), 0)
})

test('I5 a version whose state changes while it is restored is left alone', async () => {
  const one = await bench()
  await one.rig.store.keys.setState('treasury', 1, 'quarantined')
  one.change = real => ({
    ...real,
    sign: async (...given) => {
      await one.rig.store.keys.setState('treasury', 1, 'revoked')
      return real.sign(...given)
    },
  })
  await assert.rejects(restoreKey(one.deps, 'treasury'), { code: 'key/unsupported' })
  assert.equal(await one.rig.store.keys.stateOf('treasury', 1), 'revoked')
})

const statesOf = async ({ store }: Pick<Rig, 'store'>): Promise<string> =>
  (await store.keys.versions('treasury')).map(({ version }) => version.state).join(' ')

/** A key whose versions came to these states by steps of a rotation and by wrong answers; `untried`: the second never signed. */
async function house(states: string, untried = false) {
  const rig = await openRig()
  const deps = rotationDeps(rig)
  const wanted = states.split(' ') as VersionState[]
  for (let at = 1; at < wanted.length; at++) {
    if (at === 2) await rig.store.keys.setState('treasury', 1, 'retired') // room for one more
    if (at === 2) await rig.store.keys.setState('treasury', 2, 'active')
    await beginRotation(deps, 'treasury')
    if (!untried && at === 1) await rotationStep(deps, 'treasury', 'open')
    if (!untried && at === 1 && wanted.length > 2) await rotationStep(deps, 'treasury', 'cutover')
  }
  for (const state of ['retired', 'quarantined', 'pending', 'overlap', 'revoked', 'active'] as const) {
    for (const [at, to] of wanted.entries()) {
      if (to === state) await rig.store.keys.setState('treasury', at + 1, state)
    }
  }
  assert.equal(await statesOf(rig), states)
  return { rig, deps }
}

const CELLS: readonly {
  readonly from: string
  readonly version?: number
  readonly untried?: boolean
  readonly to: string
}[] = [
  { from: 'quarantined', to: 'active' },
  { from: 'quarantined active', to: 'overlap active' },
  { from: 'quarantined revoked', to: 'active revoked' },
  { from: 'active quarantined', to: 'active pending' },
  { from: 'overlap quarantined', to: 'overlap active' },
  { from: 'quarantined quarantined', version: 1, to: 'active quarantined' },
  { from: 'quarantined quarantined', version: 2, to: 'quarantined active' },
  { from: 'quarantined quarantined', version: 2, untried: true, to: 'quarantined pending' },
  { from: 'revoked quarantined', untried: true, to: 'revoked pending' },
  { from: 'active quarantined', untried: true, to: 'active pending' },
]

for (const { from, version, untried = false, to } of CELLS) {
  const said = `${from}${version === undefined ? '' : `, version ${version}`}${untried ? ', which never signed' : ''}`
  test(`M-60 M-62 restore by the table: ${said} → ${to}, on record, the same after a start that reads it again`, async () => {
    const { rig, deps } = await house(from, untried)
    const before = await rig.store.keys.versions('treasury')
    const restored = await restoreKey(deps, 'treasury', { version })
    assert.equal(await statesOf(rig), to)
    assert.equal(restored.version.state, to.split(' ')[restored.version.version - 1])
    const record = (await rig.records()).findLast(each => each.kind === 'event' && each.event === 'key-restored')
    assert.ok(record?.kind === 'event')
    assert.deepEqual(record.detail, {
      key: 'treasury',
      version: restored.version.version,
      to: restored.version.state,
      bindings: 1,
    })
    for (const { version: each } of await rig.store.keys.versions('treasury')) {
      assert.equal((await signBy(rig, each.version)).status === 200, maySign(each.state), `version ${each.version}`)
    }
    // Killed between record and registry.
    const store = openMemoryStore()
    for (const { key, version: each, bindings, times } of before) {
      const [binding] = bindings
      if (each.version === 1) await store.keys.add({ key, version: { ...each, state: 'pending' }, binding: binding! })
      else await store.keys.addVersion({ version: { ...each, state: 'pending' }, binding: binding! })
      if (times.activeFrom !== undefined) await store.keys.setState('treasury', each.version, 'overlap')
      await store.keys.setState('treasury', each.version, 'retired')
    }
    for (const { version: each } of before) await store.keys.setState('treasury', each.version, each.state)
    const replay = replayInto(store)
    for (let times = 0; times < 2; times++) await replay(record)
    assert.equal(await statesOf({ store }), to)
  })
}

test('M-60 restore: several in quarantine must be named, a version must be there and in quarantine, and there must be room', async () => {
  const { deps } = await house('quarantined quarantined')
  const says = (code: string, reason: RegExp) => (error: unknown) =>
    error instanceof SignerError && error.code === code && reason.test(JSON.stringify(error.detail))
  await assert.rejects(
    restoreKey(deps, 'treasury'),
    says('key/unsupported', /versions 1, 2 are in quarantine: name one/),
  )
  await assert.rejects(restoreKey(deps, 'treasury', { version: 3 }), says('key/unknown', /treasury version 3/))
  await restoreKey(deps, 'treasury', { version: 1 })
  await assert.rejects(
    restoreKey(deps, 'treasury', { version: 1 }),
    says('key/unsupported', /version 1 is active, not/),
  )

  const busy = await house('retired active quarantined')
  await beginRotation(busy.deps, 'treasury')
  const asked = busy.rig.signatures()
  await assert.rejects(
    restoreKey(busy.deps, 'treasury'),
    says('key/unsupported', /version 3: L2: two versions would wait/),
  )
  assert.equal(busy.rig.signatures(), asked, 'nobody is asked for a proof that leads nowhere')
  await rotationStep(busy.deps, 'treasury', 'abandon')
  await restoreKey(busy.deps, 'treasury')
  assert.equal(await statesOf(busy.rig), 'retired active pending retired')
  await rotationStep(busy.deps, 'treasury', 'abandon')
  assert.equal(await statesOf(busy.rig), 'retired active retired retired')
})

test('M-61 a rotation that is begun while a version is restored beside it: the law holds, and the record says what became of it', async () => {
  const { rig, deps } = await house('quarantined active')
  let begun = false
  const registry: RegisterDeps['registry'] = {
    ...deps.registry,
    setState: async (...given) => {
      if (!begun) {
        begun = true
        await beginRotation(deps, 'treasury')
      }
      return deps.registry.setState(...given)
    },
  }
  await assert.rejects(restoreKey({ ...deps, registry }, 'treasury'), (error: SignerError<'key/unsupported'>) =>
    /changed meanwhile: L3/.test(error.detail.reason),
  )
  assert.equal(await statesOf(rig), 'quarantined active pending')
  const [first, second] = (await rig.records()).flatMap(each =>
    each.kind === 'event' && each.event.startsWith('key-') ? [each] : [],
  )
  assert.deepEqual([first?.event, second?.event, second?.detail['was']], ['key-restored', 'key-quarantined', 'overlap'])
})

test('M-61 L2 L3 a version is restored while a rotation is begun beside it: the new version does not wait, and the law holds', async () => {
  const { rig, deps } = await house('quarantined active')
  const registry: RegisterDeps['registry'] = {
    ...deps.registry,
    addVersion: async entry => {
      await restoreKey(deps, 'treasury') // it took a while to make the key
      return deps.registry.addVersion(entry)
    },
  }
  await assert.rejects(beginRotation({ ...deps, registry }, 'treasury'), { code: 'key/rotation' })
  assert.equal(await statesOf(rig), 'overlap active retired')
  const events = (await rig.records()).flatMap(each => (each.kind === 'event' ? [each.event] : []))
  assert.deepEqual(events.slice(-2), ['key-restored', 'rotation-not-begun'])
})
