import assert from 'node:assert/strict'
import { test } from 'node:test'
import { registerDeps } from '../../../src/compose/keys.ts'
import type { Room } from '../../../src/compose/room.ts'
import { signature64 } from '../../../src/domain/brands.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import { type Custody, VERSION_STATES } from '../../../src/domain/key.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import type { RegisterDeps } from '../../../src/service/register.ts'
import { restoreKey } from '../../../src/service/restore.ts'
import { realWorld } from '../../../src/runtime/world.ts'
import { openRig, problemOf, type Rig } from '../../support/rig.ts'

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
      ['key-restored', { subject: 'operator', peer: 'cli' }, { key: 'treasury', version: 1, bindings: 1 }],
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

test('I5 a version whose place was taken, or whose state changes while it is restored, is left alone', async () => {
  const one = await bench()
  await one.rig.store.keys.setState('treasury', 1, 'quarantined')
  const [held] = await one.rig.store.keys.list()
  const second = { ...held!, version: { ...held!.version, version: 2, state: 'active' as const } }
  const registry = { ...one.deps.registry, list: async () => [held!, second] }
  await assert.rejects(restoreKey({ ...one.deps, registry }, 'treasury'), (error: SignerError<'key/unsupported'>) =>
    error.detail.reason.includes('version 2 is active in its place'),
  )
  assert.deepEqual(await eventsOf(one), [])

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
