/** The pins against the key services, of their own accord: what is found, what follows from it, and what must not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replayInto } from '../../../src/compose/restore.ts'
import { signature64 } from '../../../src/domain/brands.ts'
import { type ErrorCode, SignerError } from '../../../src/domain/errors.ts'
import type { Custody } from '../../../src/domain/key.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { addBinding } from '../../../src/service/bind.ts'
import { pinRound, type PinRoundDeps, type PinRoundOptions } from '../../../src/service/pin-round.ts'
import { checkPins, type PinDeps, type PinFinding } from '../../../src/service/pins.ts'
import { restoreKey } from '../../../src/service/restore.ts'
import { beginRotation, rotationStep } from '../../../src/service/rotate/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { memoryLogger, openRig, problemOf, type Rig, type RigOptions } from '../../support/rig.ts'
import { rotationDeps } from '../../support/rotations.ts'

interface Bench {
  readonly rig: Rig
  readonly deps: PinRoundDeps & ReturnType<typeof rotationDeps>
  /** What the key service does otherwise than it should. */
  lie: (real: EnvelopeProvider) => Partial<EnvelopeProvider>
  /** Calls of the key service, by method. */
  readonly calls: Record<string, number>
  readonly logs: Record<string, unknown>[]
  round(options?: Partial<PinRoundOptions>): ReturnType<typeof pinRound>
}

async function bench(options: RigOptions = {}): Promise<Bench> {
  const calls: Record<string, number> = {}
  const one = { lie: () => ({}), calls, logs: [] } as unknown as Bench & { rig: Rig; deps: Bench['deps'] }
  const provider = (real: EnvelopeProvider): EnvelopeProvider => {
    const now = (method: string): EnvelopeProvider => {
      calls[method] = (calls[method] ?? 0) + 1
      return { ...real, ...one.lie(real) }
    }
    return {
      ...real,
      describe: (...given) => now('describe').describe(...given),
      sign: (...given) => now('sign').sign(...given),
      unwrap: (...given) => now('unwrap').unwrap(...given),
    }
  }
  one.rig = await openRig({ ...options, provider })
  one.deps = {
    ...rotationDeps(one.rig),
    logger: memoryLogger(one.logs),
    actor: { subject: 'system', peer: 'none' },
    suspect: one.rig.room.deps.suspect,
    suspendBinding: one.rig.store.keys.suspendBinding,
  }
  one.round = (more = {}) => pinRound(one.deps, { paceMs: 0, ...more })
  return one
}

const eventsOf = async ({ rig }: Pick<Bench, 'rig'>) =>
  (await rig.records()).flatMap(record => (record.kind === 'event' ? [record] : []))
const stateOf = ({ rig }: Pick<Bench, 'rig'>, version = 1) => rig.store.keys.stateOf('treasury', version)
const throws = (code: ErrorCode) => (): Promise<never> =>
  Promise.reject(new SignerError<ErrorCode>(code, { provider: 'mock', reason: 'of this test' }))

for (const [custody, asked] of [
  ['native', { describe: 1, sign: 1 }],
  ['envelope', { unwrap: 1 }],
] as const) {
  test(`M-60 ${custody}: a key that is as it was pinned: one proof, one record of the round, nothing else`, async () => {
    const one = await bench({ custody })
    const { checked, ok, wrong, unanswered, skipped, stopped } = await one.round()
    assert.deepEqual([checked, ok, wrong, unanswered, skipped, stopped], [1, 1, 0, 0, 0, false])
    assert.deepEqual(one.calls, asked)
    const [event, ...more] = await eventsOf(one)
    assert.deepEqual([event?.event, event?.actor.subject, more], ['pins-checked', 'system', []])
    const { durationMs, ...counts } = event?.detail ?? {}
    assert.deepEqual(counts, { checked: 1, ok: 1, wrong: 0, unanswered: 0 })
    assert.ok(Number(durationMs) >= 0)
    assert.deepEqual(one.logs, [])
  })
}

const OTHER = new Uint8Array(64).fill(1)
const HONEST: Bench['lie'] = () => ({})
const FORGED: Bench['lie'] = () => ({ sign: async () => ({ signature: signature64(OTHER) }) })
const WRONG: readonly (readonly [string, Custody, ErrorCode, Bench['lie']])[] = [
  [
    'another public key behind the reference',
    'native',
    'key/mismatch',
    real => ({
      describe: async (...given) => ({ ...(await real.describe(...given)), publicKey: new Uint8Array(32).fill(9) }),
    }),
  ],
  ['another key that signs behind the same public key', 'native', 'signature/unverified', FORGED],
  [
    'another seed in its row',
    'envelope',
    'envelope/mismatch',
    () => ({ unwrap: async () => ({ plaintext: new SecretBytes(new Uint8Array(32).fill(3), 'another seed') }) }),
  ],
  ['a damaged answer', 'envelope', 'provider/corrupt', () => ({ unwrap: throws('provider/corrupt') })],
]

for (const [what, custody, code, lie] of WRONG) {
  test(`M-60 T37 ${custody}: ${what}: quarantined by the round, on record first, before a caller asks`, async () => {
    const one = await bench({ custody })
    one.lie = lie
    const found: PinFinding[] = []
    const { wrong } = await one.round({ onFinding: async finding => void found.push(finding) })
    assert.deepEqual([wrong, found[0]?.verdict, found[0]?.error?.code, found[0]?.first], [1, 'wrong', code, true])
    assert.equal(await stateOf(one), 'quarantined')
    const [arrest, round] = await eventsOf(one)
    assert.deepEqual([arrest?.event, round?.event, round?.detail['wrong']], ['key-quarantined', 'pins-checked', 1])
    const { auditId } = round ?? assert.fail()
    assert.equal(arrest?.auditId, auditId)
    assert.deepEqual(arrest?.detail, { key: 'treasury', version: 1, binding: 'b_1', errorCode: code, auditId })
    assert.deepEqual(
      one.logs.map(({ level, event }) => [level, event]),
      [['error', 'pin-wrong']],
    )
    const asked = one.rig.signatures()
    assert.equal((await problemOf(await one.rig.sign())).code, 'key/not-active')
    assert.equal(one.rig.signatures(), asked)

    one.lie = HONEST
    assert.equal((await one.round()).checked, 0, 'who is in quarantine is not asked')
    await restoreKey(one.deps, 'treasury')
    assert.equal((await one.rig.sign()).status, 200)
    assert.equal((await one.round()).ok, 1)
  })
}

test('M-60 T41 the ciphertext of another row: quarantined by the round; the other key signs on', async () => {
  const seed = new Uint8Array(32).fill(41)
  const one = await bench({ custody: 'envelope', keys: [{ name: 'other', custody: 'envelope', seed }] })
  const { registry } = one.deps
  const envelope = async (id: string) => {
    const [own, others] = await Promise.all([registry.envelope(id), registry.envelope('b_other')])
    return own === undefined || others === undefined ? own : { ...own, ciphertext: others.ciphertext }
  }
  const { ok, wrong } = await pinRound({ ...one.deps, registry: { ...registry, envelope } }, { paceMs: 0 })
  assert.deepEqual([ok, wrong], [1, 1])
  assert.equal(await stateOf(one), 'quarantined')
  assert.equal((await one.rig.sign({ key: 'other' })).status, 200)
})

test('M-60 from the first wrong answer on the version is out here, though the registry cannot be written', async () => {
  let broken = true
  const one = await bench({
    setState:
      real =>
      (...given) =>
        broken ? throws('store/unavailable')() : real(...given),
  })
  one.lie = FORGED
  await one.round()
  assert.equal(await stateOf(one), 'active')
  assert.equal((await problemOf(await one.rig.sign()))['state'], 'quarantined')
  broken = false
  assert.equal((await problemOf(await one.rig.sign())).code, 'key/not-active')
  assert.equal(await stateOf(one), 'quarantined')
})

test('M-60 a version that waits is checked too: quarantined from there, on record as such, restored to wait, given up', async () => {
  const one = await bench()
  const next = await beginRotation(one.deps, 'treasury')
  const reference = (await one.rig.store.keys.versions('treasury'))[1]?.bindings[0]?.reference ?? assert.fail()
  one.lie = real => ({
    sign: async (key, ...rest) => (key === reference ? { signature: signature64(OTHER) } : real.sign(key, ...rest)),
  })
  const { ok, wrong } = await one.round()
  assert.deepEqual([ok, wrong, await stateOf(one, 1), await stateOf(one, 2)], [1, 1, 'active', 'quarantined'])
  const arrest = (await eventsOf(one)).find(({ event }) => event === 'key-quarantined') ?? assert.fail()
  assert.deepEqual([arrest.detail['version'], arrest.detail['was']], [next.version, 'pending'])
  assert.equal((await one.rig.sign()).status, 200, 'the one that signs is another')

  one.lie = HONEST
  const { version } = await restoreKey(one.deps, 'treasury')
  assert.deepEqual([version.version, version.state], [2, 'pending'])
  await rotationStep(one.deps, 'treasury', 'abandon')
  assert.equal(await stateOf(one, 2), 'retired')
})

test('L11 M-60 a start reads the arrest of a version again: one that waited is stopped from any state, one that signed not out of waiting', async () => {
  const one = await bench()
  await beginRotation(one.deps, 'treasury')
  const replayed = async (state: 'pending' | 'active' | 'overlap' | 'retired', was?: 'pending') => {
    const { keys } = one.rig.store
    await keys.setState('treasury', 1, 'retired')
    await keys.setState('treasury', 2, state)
    const detail = { key: 'treasury', version: 2, errorCode: 'key/mismatch', ...(was === undefined ? {} : { was }) }
    await replayInto(one.rig.store)({ kind: 'event', event: 'key-quarantined', auditId: 'a', detail } as never)
    return stateOf(one, 2)
  }
  for (const state of ['pending', 'active', 'overlap'] as const) {
    assert.equal(await replayed(state, 'pending'), 'quarantined')
    assert.equal(await replayed(state), state === 'pending' ? 'pending' : 'quarantined')
  }
  assert.equal(await replayed('retired', 'pending'), 'retired')
})

/** A second place of the same key: its seed, wrapped. */
async function twoPlaces(): Promise<{ one: Bench; second: string }> {
  const seed = new Uint8Array(32).fill(41)
  const one = await bench({ custody: 'envelope', seed })
  const admin = await one.deps.admin('mock')
  const call = { requestId: 'setup', signal: new AbortController().signal }
  const wrappingKey = await admin.createWrappingKey({ label: 'second' }, call)
  const place = { name: 'treasury', provider: 'mock', wrappingKey, seed: new SecretBytes(seed.slice(), 'seed') }
  const { bindings } = await addBinding(one.deps, place)
  return { one, second: bindings[1]?.id ?? assert.fail() }
}

for (const wrongAt of [0, 1]) {
  test(`M-60 M-24 two places, the ${wrongAt === 0 ? 'first' : 'second'} wrong: ${wrongAt === 0 ? 'the version is out' : 'that place is suspended, and the version signs on'}`, async () => {
    const { one, second } = await twoPlaces()
    const [first, other] = (await one.rig.store.keys.versions('treasury'))[0]?.bindings ?? assert.fail()
    const bad = (wrongAt === 0 ? first : other)?.reference
    one.lie = real => ({
      unwrap: (key, ...rest) => (key === bad ? throws('envelope/unreadable')() : real.unwrap(key, ...rest)),
    })
    const { checked, ok, wrong } = await one.round()
    const now = (await one.rig.store.keys.versions('treasury'))[0]
    if (wrongAt === 0) {
      assert.deepEqual([checked, ok, wrong, now?.version.state], [1, 0, 1, 'quarantined'])
      return
    }
    assert.deepEqual([checked, ok, wrong, now?.version.state], [2, 1, 1, 'active'])
    assert.match(now?.bindings[1]?.suspended ?? '', /did not fit the pin: envelope\/unreadable/)
    assert.equal(now?.bindings[0]?.suspended, undefined)
    const events = await eventsOf(one)
    assert.deepEqual(
      events.slice(-2).map(({ event, detail }) => [event, detail['binding']]),
      [
        ['binding-suspended', second],
        ['pins-checked', undefined],
      ],
    )
    assert.deepEqual((await one.round()).checked, 1, 'a suspended place is left')
  })
}

test('M-60 restore: every place that may serve proves itself; a suspended one need not, unless it is the first', async () => {
  for (const [wrongAt, isSuspended, restored] of [
    [0, false, false],
    [0, true, false],
    [1, false, false],
    [1, true, true],
  ] as const) {
    const { one } = await twoPlaces()
    const { keys } = one.rig.store
    const place = (await keys.versions('treasury'))[0]?.bindings[wrongAt] ?? assert.fail()
    if (isSuspended) await keys.suspendBinding(place.id, 'shadow')
    await keys.setState('treasury', 1, 'quarantined')
    one.lie = real => ({
      unwrap: (key, ...rest) => (key === place.reference ? throws('envelope/unreadable')() : real.unwrap(key, ...rest)),
    })
    const done = restoreKey(one.deps, 'treasury')
    if (restored) await done
    else await assert.rejects(done, { code: 'envelope/unreadable' })
    assert.equal(await stateOf(one), restored ? 'active' : 'quarantined', `${wrongAt} ${isSuspended}`)
  }
})

test('M-60 an honest no, or none at all, changes nothing and is told with its code', async () => {
  for (const code of [
    'provider/refused',
    'provider/unavailable',
    'provider/ambiguous',
    'provider/malformed',
  ] as const) {
    const one = await bench()
    one.lie = () => ({ sign: throws(code) })
    const found: PinFinding[] = []
    const { checked, unanswered } = await one.round({ onFinding: async finding => void found.push(finding) })
    assert.deepEqual([checked, unanswered, found[0]?.error?.code, await stateOf(one)], [1, 1, code, 'active'])
    assert.deepEqual(
      one.logs.map(({ level, event, code: told }) => [level, event, told]),
      [['warn', 'pin-unanswered', code]],
    )
    one.lie = HONEST
    assert.equal((await one.rig.sign()).status, 200)
  }
  const one = await bench()
  const gone = {
    provider: throws('config/invalid'),
    mayServe: () => {
      throw new TypeError('odd')
    },
  }
  for (const [member, code] of [
    ['provider', 'config/invalid'],
    ['mayServe', 'internal'],
  ] as const) {
    const found: PinFinding[] = []
    const deps: PinDeps = { ...one.deps, [member]: gone[member] }
    await checkPins(deps, { proof: true, paceMs: 0, onFinding: async finding => void found.push(finding) })
    assert.deepEqual([found[0]?.verdict, found[0]?.error?.code], ['unanswered', code])
  }
})

test('M-60 what is stopped, moved or removed while it is asked about is left out: that answer says nothing', async () => {
  const one = await bench({ custody: 'envelope' })
  one.lie = () => ({
    unwrap: async () => {
      await one.rig.store.keys.setState('treasury', 1, 'revoked')
      return throws('provider/refused')()
    },
  })
  assert.equal((await one.round()).checked, 0)
  const two = await bench({ custody: 'envelope' })
  two.lie = () => ({
    unwrap: async () => {
      await two.rig.store.keys.setState('treasury', 1, 'retired')
      return throws('envelope/unreadable')() // its row went under our hands
    },
  })
  assert.equal((await two.round()).checked, 0)
  assert.deepEqual([await stateOf(two), await eventsOf(two)], ['retired', []])
})

test('M-60 M-63 a place that is replaced while it is asked about keeps the reason of that, and the version signs on', async () => {
  const { one, second } = await twoPlaces()
  const { keys } = one.rig.store
  const bad = (await keys.versions('treasury'))[0]?.bindings[1]?.reference
  one.lie = real => ({
    unwrap: async (key, ...rest) => {
      if (key !== bad) return real.unwrap(key, ...rest)
      await keys.suspendBinding(second, 'replaced by b_new')
      return throws('envelope/unreadable')()
    },
  })
  const { wrong } = await one.round()
  const now = (await keys.versions('treasury'))[0]
  assert.deepEqual([wrong, now?.version.state, now?.bindings[1]?.suspended], [0, 'active', 'replaced by b_new'])
})

test('M-60 without a proof nothing is signed and no seed opened; wrapped keys are counted as not looked at', async () => {
  const one = await bench({ keys: [{ name: 'other', custody: 'envelope' }] })
  const { checked, ok, skipped } = await checkPins(one.deps, { proof: false, paceMs: 0 })
  assert.deepEqual([checked, ok, skipped, one.calls], [1, 1, 1, { describe: 1 }])
  await assert.rejects(checkPins(one.deps, { name: 'nobody', proof: true, paceMs: 0 }), { code: 'key/unknown' })
  const named = await checkPins(one.deps, { name: 'other', proof: true, paceMs: 0 })
  assert.deepEqual([named.checked, one.calls], [1, { describe: 1, unwrap: 1 }])
})

/** So many names for one key; `ask` is the key service. */
async function many(count: number, ask: (at: number) => Promise<void>): Promise<PinDeps & { asked: () => number }> {
  const rig = await openRig({ log: 'memory' })
  const store = openMemoryStore()
  for (let n = 0; n < count; n++) {
    const key = { ...rig.key.key, name: `k${String(n).padStart(4, '0')}` }
    const binding = { ...(rig.key.bindings[0] ?? assert.fail()), id: `b${n}`, key: key.name }
    await store.keys.add({ key, version: { ...rig.key.version, key: key.name }, binding })
  }
  const facts = { reference: 'r', protection: 'software' as const, scheme: 'ed25519' as const }
  let asked = 0
  const provider = {
    ...rig.provider,
    describe: async () => {
      await ask(asked++)
      return { ...facts, publicKey: rig.key.version.publicKey }
    },
  }
  const deps = rotationDeps({ ...rig, store, provider })
  const call: PinDeps['call'] = run => run({ requestId: 'r', signal: new AbortController().signal })
  return { ...deps, call, clock: rig.clock, asked: () => asked, registry: store.keys }
}

test('M-60 1,000 keys: two under way at a time, none twice, none left', async () => {
  let [now, most] = [0, 0]
  const deps = await many(1_000, async () => {
    most = Math.max(most, ++now)
    await new Promise(resolve => setImmediate(resolve))
    now--
  })
  const keys = new Set<string>()
  const told: number[] = []
  const { checked, ok } = await checkPins(deps, {
    proof: false,
    paceMs: 0,
    onFinding: async ({ key }) => void keys.add(key),
    onProgress: (counts, places) => void told.push(counts.checked, places),
  })
  assert.deepEqual([checked, ok, keys.size, deps.asked(), most], [1_000, 1_000, 1_000, 1_000, 2])
  assert.deepEqual(told.slice(-2), [1_000, 1_000])
})

test('M-60 a service that goes down half-way: five in a row without an answer, and it is not asked again in this round', async () => {
  const deps = await many(40, async at => {
    if (at === 3 || at >= 10) await throws('provider/unavailable')()
  })
  const found: PinFinding[] = []
  const counts = await checkPins(deps, {
    proof: false,
    paceMs: 0,
    onFinding: async finding => void found.push(finding),
  })
  assert.deepEqual([counts.checked, counts.ok, counts.wrong, counts.unanswered], [40, 9, 0, 31])
  assert.ok(deps.asked() <= 16, `${deps.asked()} calls`)
  assert.match(JSON.stringify(found.at(-1)?.error?.detail), /not asked: 5 places in a row/)
  const flapping = await many(20, async at => {
    if (at % 2 === 0) await throws('provider/unavailable')()
  })
  await checkPins(flapping, { proof: false, paceMs: 0 })
  assert.equal(flapping.asked(), 20, 'never five in a row')
  const refused = await many(20, throws('provider/refused'))
  await checkPins(refused, { proof: false, paceMs: 0 })
  assert.equal(refused.asked(), 20, 'who says no has answered')
})

test('M-60 stopped in the middle: what came after the stop counts for nothing, and there is no record of the round', async () => {
  const stop = new AbortController()
  const deps = await many(40, async at => {
    if (at === 7) stop.abort()
    if (at >= 7) await throws('key/mismatch')()
  })
  const one = await bench()
  const { checked, wrong, stopped } = await pinRound(
    { ...one.deps, ...deps, audit: one.rig.log, trial: async () => assert.fail('stopped before any proof') },
    { paceMs: 0, signal: stop.signal },
  ).catch(error => assert.fail(String(error)))
  assert.deepEqual([wrong, stopped], [0, true])
  assert.ok(checked <= 40)
  assert.deepEqual(await eventsOf(one), [])
})

test('M-60 a store that cannot be read ends the round; a log that cannot be written does not make a wrong key good', async () => {
  const one = await bench()
  const registry = { ...one.deps.registry, envelope: throws('store/unavailable') }
  await assert.rejects(pinRound({ ...one.deps, registry }, { paceMs: 0 }), { code: 'store/unavailable' })
  one.lie = FORGED
  const audit = { append: throws('audit/sealed') }
  await assert.rejects(pinRound({ ...one.deps, audit }, { paceMs: 0 }), { code: 'audit/sealed' })
  assert.equal(await stateOf(one), 'quarantined')
  assert.ok(one.logs.some(({ event, code }) => event === 'pin-not-enforced' && code === 'audit/sealed'))
})

test('M-60 T43 a row that was tampered with hides no other key: they are looked at and acted upon, then it is told', async () => {
  const one = await bench({ keys: [{ name: 'aaa', custody: 'envelope' }] })
  const { registry } = one.deps
  const damage = () => Promise.reject(new SignerError('key/mismatch', { key: 'aaa', reason: 'the seal does not fit' }))
  for (const laterOn of [false, true]) {
    const one = await bench({ keys: [{ name: 'aaa', custody: 'envelope' }] })
    const { registry } = one.deps
    let reads = 0
    const versions = async (name?: string) =>
      name === undefined || (name === 'aaa' && (!laterOn || reads++ > 0)) ? damage() : registry.versions(name)
    one.lie = FORGED
    const round = pinRound({ ...one.deps, registry: { ...registry, versions } }, { paceMs: 0 })
    await assert.rejects(round, { code: 'key/mismatch' })
    assert.equal(await stateOf(one), 'quarantined')
    assert.deepEqual(
      (await eventsOf(one)).map(({ event }) => event),
      ['key-quarantined'],
      'no round on record',
    )
  }
  const named = checkPins(
    { ...one.deps, registry: { ...registry, versions: damage } },
    { name: 'aaa', proof: true, paceMs: 0 },
  )
  await assert.rejects(named, { code: 'key/mismatch' })
})

test('M-60 pace: the second place waits for its turn, by the monotonic clock', async () => {
  const deps = await many(3, async () => {})
  const clock = deps.clock as typeof deps.clock & { advance(ms: number): void }
  const done = checkPins(deps, { proof: false, paceMs: 500 })
  const turns = async () => {
    for (let n = 0; n < 50; n++) await new Promise(resolve => setImmediate(resolve))
    return deps.asked()
  }
  assert.equal(await turns(), 1)
  clock.advance(499)
  assert.equal(await turns(), 1)
  clock.advance(1)
  assert.equal(await turns(), 2)
  clock.advance(500)
  assert.equal(await turns(), 3)
  assert.deepEqual([(await done).checked, (await done).durationMs], [3, 1_000])
})
