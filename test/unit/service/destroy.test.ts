/** Issue 7 part 1, M-61 M-62: the end of a private key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryAuditLog } from '../../../src/audit/memory.ts'
import { replayInto } from '../../../src/compose/restore.ts'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import { type ErrorCode, SignerError } from '../../../src/domain/errors.ts'
import { type Binding, VERSION_STATES } from '../../../src/domain/key.ts'
import type { Destruction } from '../../../src/domain/provider.ts'
import type { AccountState } from '../../../src/domain/stellar-network.ts'
import { DESTROYABLE, type DestroyDeps, destroyVersion, planDestruction } from '../../../src/service/destroy.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import type { Store } from '../../../src/store/store.ts'
import { sampleAddition } from '../store/samples.ts'

const NOW = Date.UTC(2026, 5, 1)
const DAY = 86_400_000
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
const actor = { subject: 'operator', peer: 'cli' }
const clock = { now: () => NOW }
const unavailable = new SignerError('provider/unavailable', { provider: 'aws', reason: 'away' })

interface House {
  readonly store: Store
  readonly deps: DestroyDeps
  /** References that were given up, with the days that were asked for. */
  readonly asked: (readonly [string, number])[]
  events(): readonly Extract<AuditRecord, { kind: 'event' }>[]
}

/** `treasury` in one native place and one envelope, retired. */
async function house(over: Partial<DestroyDeps> = {}): Promise<House> {
  const store = openMemoryStore({ clock })
  const log = openMemoryAuditLog({ clock: { ...clock, monotonic: () => 0, sleep: async () => {} }, instance: 'test' })
  await store.keys.add(sampleAddition('treasury'))
  await store.keys.addBinding({
    binding: { ...sampleAddition('treasury').binding, id: 'b-wrapped', custody: 'envelope', reference: 'wrapping' },
    envelope: { bindingId: 'b-wrapped', ciphertext: Uint8Array.of(7, 7, 7), context: { pubkey: 'G-treasury' } },
  })
  await store.keys.setState('treasury', 1, 'retired')
  const asked: (readonly [string, number])[] = []
  const deps: DestroyDeps = {
    registry: store.keys,
    clock,
    restMs: 0,
    audit: log,
    random,
    actor,
    waitDaysMax: async () => 30,
    publicKeyAt: async () => sampleAddition('treasury').version.publicKey,
    giveUp: async ({ reference }, days) => {
      asked.push([reference, days])
      return { at: NOW + days * DAY }
    },
    accounts: () => undefined,
    ...over,
  }
  const events = () => log.records().flatMap(record => (record.kind === 'event' ? [record] : []))
  return { store, deps, asked, events }
}

const WISH = { version: 1, confirm: 'G-treasury', days: 30, reason: 'rotated in June' }
const [NATIVE] = [sampleAddition('treasury').binding.reference]

test('M-61 M-62 on record, then destroyed, then each place; the row goes, the binding stays and says where it was', async () => {
  const { store, deps, asked, events } = await house({})
  const during: unknown[] = []
  const giveUp: DestroyDeps['giveUp'] = async (place, days) => {
    during.push([await store.keys.stateOf('treasury', 1), events().map(({ event }) => event)])
    return deps.giveUp(place, days)
  }
  const report = await destroyVersion({ ...deps, giveUp }, 'treasury', WISH)
  const at = new Date(NOW + 30 * DAY).toISOString()
  assert.deepEqual(
    report.places.map(({ binding, outcome, at: when }) => [binding, outcome, when]),
    [
      ['b-treasury', 'scheduled', at],
      ['b-wrapped', 'removed', undefined],
    ],
  )
  assert.deepEqual([report.changed, report.done], [true, true])
  assert.deepEqual(asked, [[NATIVE, 30]])
  assert.deepEqual(during, [['destroyed', ['key-destroying']]])
  const [held] = await store.keys.versions('treasury')
  assert.deepEqual([held?.version.state, held?.times.destroyedAt, held?.bindings.length], ['destroyed', NOW, 2])
  assert.equal(await store.keys.envelope('b-wrapped'), undefined)
  const told = events().map(({ event, detail }) => [event, detail])
  assert.deepEqual(
    told.map(([event]) => event),
    ['key-destroying', 'key-given-up', 'key-given-up', 'key-destroyed'],
  )
  const about = { key: 'treasury', version: 1, address: 'G-treasury' }
  assert.deepEqual(told[0]?.[1], { ...about, was: 'retired', days: 30, reason: 'rotated in June' })
  assert.deepEqual(told[3]?.[1], { ...about, scheduled: 1, removed: 1, left: 0, failed: 0 })
})

test('M-61 from retired and revoked alone; every other state is refused and nothing is touched', async () => {
  assert.deepEqual([...DESTROYABLE].toSorted(), ['retired', 'revoked'])
  for (const state of VERSION_STATES.filter(each => each !== 'destroyed')) {
    const { store, deps, asked, events } = await house()
    await store.keys.setState('treasury', 1, state)
    if (DESTROYABLE.includes(state)) {
      assert.equal((await destroyVersion(deps, 'treasury', WISH)).done, true, state)
      continue
    }
    await assert.rejects(destroyVersion(deps, 'treasury', WISH), { code: 'key/unsupported' }, state)
    await assert.rejects(planDestruction(deps, 'treasury', WISH), { code: 'key/unsupported' }, state)
    assert.deepEqual([await store.keys.stateOf('treasury', 1), asked, events().length], [state, [], 0])
    assert.ok((await store.keys.envelope('b-wrapped')) !== undefined)
  }
})

test('M-61 a confirmation that is not the address to the letter, days nobody grants, a version that is not there: nothing changes', async () => {
  const bad: readonly (readonly [ErrorCode, string | undefined, object])[] = [
    ['request/malformed', 'confirm', { confirm: 'g-treasury' }],
    ['request/malformed', 'confirm', { confirm: '' }],
    ['request/malformed', 'confirm', { confirm: 'G-treasury ' }],
    ['request/malformed', 'days', { days: 31 }],
    ['request/malformed', 'days', { days: -1 }],
    ['request/malformed', 'days', { days: 1.5 }],
    ['request/malformed', 'days', { days: Number.NaN }],
    ['key/unknown', undefined, { version: 2 }],
    ['key/unknown', undefined, { version: 0 }],
  ]
  const { store, deps, asked, events } = await house()
  for (const [code, field, over] of bad) {
    const error = await destroyVersion(deps, 'treasury', { ...WISH, ...over }).catch((thrown: unknown) => thrown)
    assert.ok(error instanceof SignerError, JSON.stringify(over))
    assert.deepEqual([error.code, (error.detail as { field?: string }).field], [code, field], JSON.stringify(over))
  }
  await assert.rejects(destroyVersion(deps, 'nobody', WISH), { code: 'key/unknown' })
  assert.deepEqual([await store.keys.stateOf('treasury', 1), asked, events().length], ['retired', [], 0])
  // A service that does not wait says so before anything is half done.
  const vault = { ...deps, waitDaysMax: async () => 0 }
  await assert.rejects(destroyVersion(vault, 'treasury', WISH), { code: 'request/malformed' })
  assert.equal(await store.keys.stateOf('treasury', 1), 'retired')
  assert.equal((await destroyVersion(vault, 'treasury', { ...WISH, days: 0 })).done, true)
})

test('M-61 a plan changes nothing and says what would become of each place', async () => {
  const { store, deps, asked, events } = await house()
  const plan = await planDestruction(deps, 'treasury', WISH)
  assert.deepEqual(
    plan.places.map(({ custody, will }) => [custody, will]),
    [
      ['native', 'schedule'],
      ['envelope', 'remove'],
    ],
  )
  assert.match(plan.notes.join(), /Nobody looked whether G-treasury is still a signer/)
  assert.deepEqual([await store.keys.stateOf('treasury', 1), asked, events().length], ['retired', [], 0])
})

test('M-61 M-62 it rests first, since the earlier of retired and revoked; nothing is recorded or changed before', async () => {
  const RESTED = { restMs: 7 * DAY }
  const at = (days: number): Partial<DestroyDeps> => ({ ...RESTED, clock: { now: () => NOW + days * DAY } })
  const early = await house(RESTED)
  await assert.rejects(destroyVersion(early.deps, 'treasury', WISH), { code: 'key/unsupported' })
  assert.equal((await planDestruction(early.deps, 'treasury', WISH)).notBefore, new Date(NOW + 7 * DAY).toISOString())
  assert.deepEqual([await early.store.keys.stateOf('treasury', 1), early.events(), early.asked], ['retired', [], []])
  const almost = { ...early.deps, ...RESTED, clock: { now: () => NOW + 7 * DAY - 1 } }
  await assert.rejects(destroyVersion(almost, 'treasury', WISH), { code: 'key/unsupported' })
  // A revocation in between begins nothing anew: it does not sign for a week already.
  await early.store.keys.setState('treasury', 1, 'revoked')
  assert.equal((await destroyVersion({ ...early.deps, ...at(7) }, 'treasury', WISH)).done, true)
  const retired = await house(at(7))
  assert.equal((await destroyVersion(retired.deps, 'treasury', WISH)).done, true, 'retired alone, and long enough ago')
  const owner = await house(RESTED)
  assert.equal((await destroyVersion(owner.deps, 'treasury', { ...WISH, atOnce: true })).done, true)
  assert.equal((await destroyVersion(owner.deps, 'treasury', WISH)).changed, false, 'gone on with')
  // Rows of an earlier release do not say since when.
  const undated = await house(at(100))
  const registry: DestroyDeps['registry'] = {
    ...undated.store.keys,
    versions: async () => (await undated.store.keys.versions()).map(each => ({ ...each, times: { createdAt: 0 } })),
  }
  await assert.rejects(destroyVersion({ ...undated.deps, registry }, 'treasury', WISH), { code: 'key/unsupported' })
})

test('M-61 M-62 a service that is down leaves it destroyed and is told; asked again, it goes on with what is not done', async () => {
  const { store, deps, asked, events } = await house()
  const down = { ...deps, giveUp: () => Promise.reject(unavailable) }
  const first = await destroyVersion(down, 'treasury', WISH)
  assert.deepEqual([first.done, first.changed], [false, true])
  const [native, wrapped] = first.places
  assert.deepEqual([native?.outcome, native?.reason], ['failed', 'provider/unavailable: away'])
  assert.equal(wrapped?.outcome, 'removed')
  assert.equal(await store.keys.stateOf('treasury', 1), 'destroyed')
  assert.equal(events().at(-1)?.detail['failed'], 1)

  const second = await destroyVersion(deps, 'treasury', WISH)
  assert.deepEqual([second.done, second.changed], [true, false])
  assert.deepEqual(
    second.places.map(({ outcome }) => outcome),
    ['scheduled', 'removed'],
  )
  assert.equal(asked.length, 1)
  assert.equal((await store.keys.versions('treasury'))[0]?.times.destroyedAt, NOW)
  const broken = { ...deps, giveUp: () => Promise.reject(new TypeError('vendor words')) }
  const { places } = await destroyVersion(broken, 'treasury', WISH)
  assert.equal(places[0]?.reason, 'an unexpected fault')
})

const silent = () => Promise.reject(new SignerError('provider/refused', { provider: 'aws', reason: 'it is disabled' }))

test('M-61 a key that its service does not know is no success, however often it is asked; one that was there is', async () => {
  const absent = async (): Promise<Destruction> => ({ absent: true })
  const { deps } = await house({ giveUp: absent, publicKeyAt: silent })
  for (const time of [1, 2, 3]) {
    const { places, done } = await destroyVersion(deps, 'treasury', WISH)
    assert.deepEqual([places[0]?.outcome, done], ['failed', false], `asked ${time} times`)
    assert.match(places[0]?.reason ?? '', /knows no such key/)
  }
  // It was found there, the answer of its end was lost, and the next try finds nothing.
  const lost = await house({ giveUp: absent })
  assert.deepEqual((await destroyVersion(lost.deps, 'treasury', WISH)).places[0]?.outcome, 'removed')
  // A stopped key says nothing, is scheduled, and is gone when somebody asks after its day.
  const late = await house({ publicKeyAt: silent })
  assert.deepEqual((await destroyVersion(late.deps, 'treasury', WISH)).places[0]?.outcome, 'scheduled')
  const after = await destroyVersion({ ...late.deps, giveUp: absent }, 'treasury', WISH)
  assert.deepEqual([after.places[0]?.outcome, after.done], ['removed', true])
  // Gone at once, as Vault says it.
  const gone = await house({ giveUp: async () => ({}) })
  assert.deepEqual((await destroyVersion(gone.deps, 'treasury', WISH)).places[0]?.outcome, 'removed')
})

test('M-61 T43 a reference that was exchanged for that of another key: that key is not given up, and it is told', async () => {
  for (const [publicKeyAt, code] of [
    [async () => new Uint8Array(32).fill(9), /^key\/mismatch: .*nothing was given up there/],
    [() => Promise.reject(unavailable), /^provider\/unavailable/],
    // One that signs nothing: it may wrap what others need.
    [() => Promise.reject(new SignerError('key/unsupported', { key: 'k', wanted: 'sign', reason: 'AES' })), /AES/],
  ] as const) {
    const { store, deps, asked } = await house({ publicKeyAt })
    const { places, done } = await destroyVersion(deps, 'treasury', WISH)
    assert.deepEqual([places[0]?.outcome, done, asked], ['failed', false, []])
    assert.match(places[0]?.reason ?? '', code)
    assert.equal((await store.keys.versions('treasury'))[0]?.bindings[0]?.suspended, undefined)
  }
})

test('M-61 a place that another version needs is left, until that one was destroyed too; so is one whose provider gives nothing up', async () => {
  const { store, deps, asked } = await house()
  const twin = sampleAddition('twin')
  const first = sampleAddition('treasury')
  const { address, account, publicKey } = first.version
  await store.keys.add({
    ...twin,
    version: { ...twin.version, address, account, publicKey },
    // Under another name of the same service.
    binding: { ...twin.binding, provider: 'aws-too', reference: NATIVE },
  })
  for (const state of ['active', 'overlap', 'quarantined', 'retired', 'revoked', 'pending'] as const) {
    await store.keys.setState('twin', 1, state)
    const { places, done } = await destroyVersion(deps, 'treasury', WISH)
    assert.deepEqual([places[0]?.outcome, done], ['left', true], state)
    assert.equal(places[0]?.reason, `it is version 1 of twin too, which is ${state}`)
  }
  assert.deepEqual(asked, [])
  await store.keys.setState('twin', 1, 'revoked')
  const last = await destroyVersion(deps, 'twin', WISH)
  assert.equal(last.places[0]?.outcome, 'scheduled')
  await store.keys.setState('twin', 1, 'revoked')
  const { places } = await destroyVersion(deps, 'treasury', WISH)
  assert.equal(places[0]?.outcome, 'scheduled', 'revoked after its end is no need')

  const none = new SignerError('key/unsupported', { key: 'env', wanted: 'key administration', reason: 'it has none' })
  const raw = await house({ waitDaysMax: () => Promise.reject(none) })
  const report = await destroyVersion(raw.deps, 'treasury', WISH)
  assert.deepEqual([report.places[0]?.outcome, report.places[0]?.reason], ['left', 'key/unsupported: it has none'])
  // A service that is in no configuration is not passed over in silence.
  const unknown = new SignerError('config/invalid', { problems: [] })
  const lost = await house({ waitDaysMax: () => Promise.reject(unknown) })
  await assert.rejects(destroyVersion(lost.deps, 'treasury', WISH), { code: 'config/invalid' })
  assert.equal(await lost.store.keys.stateOf('treasury', 1), 'retired')
})

test('M-61 the same reference with another public key is another key: two services may call theirs alike', async () => {
  const { store, deps } = await house()
  const other = sampleAddition('other')
  const publicKey = new Uint8Array(32).fill(9)
  await store.keys.add({
    ...other,
    version: { ...other.version, publicKey },
    binding: { ...other.binding, provider: 'elsewhere', reference: NATIVE },
  })
  assert.equal((await destroyVersion(deps, 'treasury', WISH)).places[0]?.outcome, 'scheduled')
})

test('M-61 its private key under another name, at another place or wrapped: not touched, and told until that is over too', async () => {
  const { store, deps } = await house()
  const twin = sampleAddition('twin', 'envelope')
  const { address, account, publicKey } = sampleAddition('treasury').version
  await store.keys.add({ ...twin, version: { ...twin.version, address, account, publicKey } })
  const told = 'Its private key is that of version 1 of twin too, which is active: what lies there stays.'
  assert.ok((await planDestruction(deps, 'treasury', WISH)).notes.includes(told))
  assert.ok((await destroyVersion(deps, 'treasury', WISH)).notes.includes(told))
  assert.ok((await store.keys.envelope('b-twin')) !== undefined)
  await store.keys.setState('twin', 1, 'destroyed')
  assert.deepEqual((await destroyVersion(deps, 'treasury', WISH)).notes, [])
})

test('M-61 T43 what wraps seeds is never given up as a key, though a row says that it is one and the service says nothing', async () => {
  for (const [wrapping, named] of [
    ['arn:wrapping', 'arn:wrapping'],
    ['keyRings/r/cryptoKeys/w', 'keyRings/r/cryptoKeys/w/cryptoKeyVersions/1'],
    ['transit/seeds', 'transit/seeds@1'],
  ] as const) {
    const { store, deps, asked } = await house({ publicKeyAt: silent })
    const other = sampleAddition('other', 'envelope')
    await store.keys.add({ ...other, binding: { ...other.binding, reference: wrapping } })
    const exchanged = (await store.keys.versions()).map(each => ({
      ...each,
      bindings: each.bindings.map(place => (place.custody === 'native' ? { ...place, reference: named } : place)),
    }))
    const registry: DestroyDeps['registry'] = {
      ...deps.registry,
      versions: async () => {
        const [state] = [await store.keys.stateOf('treasury', 1)]
        return exchanged.map(each =>
          each.key.name === 'treasury' && state !== undefined ? { ...each, version: { ...each.version, state } } : each,
        )
      },
    }
    const { places } = await destroyVersion({ ...deps, registry }, 'treasury', WISH)
    assert.deepEqual([places[0]?.outcome, asked], ['left', []], named)
    assert.equal(places[0]?.reason, 'it wraps version 1 of other')
  }
})

test('M-61 two operators at once come to the same end; one who un-revokes meanwhile wins, and nothing is given up', async () => {
  const { store, deps, asked } = await house()
  const both = await Promise.all([destroyVersion(deps, 'treasury', WISH), destroyVersion(deps, 'treasury', WISH)])
  assert.deepEqual(both.map(({ changed, done }) => `${changed} ${done}`).toSorted(), ['false true', 'true true'])
  assert.equal(asked.length, 2)
  assert.equal(await store.keys.stateOf('treasury', 1), 'destroyed')

  const other = await house()
  await other.store.keys.setState('treasury', 1, 'revoked')
  const audit: DestroyDeps['audit'] = {
    append: async (...entries) => {
      await other.store.keys.setState('treasury', 1, 'quarantined', ['revoked'])
      return other.deps.audit.append(...entries)
    },
  }
  await assert.rejects(destroyVersion({ ...other.deps, audit }, 'treasury', WISH), { code: 'key/unsupported' })
  assert.deepEqual([await other.store.keys.stateOf('treasury', 1), other.asked], ['quarantined', []])
  assert.ok((await other.store.keys.envelope('b-wrapped')) !== undefined)
})

test('M-61 L7 a place that was added until its end goes too, and none is added after it', async () => {
  const { store, deps } = await house()
  const more: Binding = { ...sampleAddition('treasury').binding, id: 'b-more', custody: 'envelope', reference: 'w2' }
  const envelope = { bindingId: 'b-more', ciphertext: Uint8Array.of(8), context: { pubkey: 'G-treasury' } }
  const registry: DestroyDeps['registry'] = {
    ...deps.registry,
    setState: async (...asked) => {
      if (await store.keys.envelope('b-more').then(row => row === undefined))
        await store.keys.addBinding({ binding: more, envelope })
      return store.keys.setState(...asked)
    },
  }
  const { places } = await destroyVersion({ ...deps, registry }, 'treasury', WISH)
  assert.equal(places.length, 3)
  assert.equal(await store.keys.envelope('b-more'), undefined)
  const late = { binding: { ...more, id: 'b-late', reference: 'w3' }, envelope: { ...envelope, bindingId: 'b-late' } }
  await assert.rejects(store.keys.addBinding(late), { code: 'key/unsupported' })
  await assert.rejects(store.keys.replaceBinding('b-wrapped', late), { code: 'key/unsupported' })
})

test('M-61 no record, no change; a log that ends half-way keeps no place from its end, and is told', async () => {
  const sealed = new SignerError('audit/sealed', { reason: 'the disk is full' })
  for (const records of [0, 1, 2]) {
    const { store, deps, asked } = await house()
    let left = records
    const audit: DestroyDeps['audit'] = {
      append: (...entries) => (left-- > 0 ? deps.audit.append(...entries) : Promise.reject(sealed)),
    }
    await assert.rejects(destroyVersion({ ...deps, audit }, 'treasury', WISH), { code: 'audit/sealed' })
    const expected = records === 0 ? ['retired', 0] : ['destroyed', 1]
    assert.deepEqual([await store.keys.stateOf('treasury', 1), asked.length], expected)
    assert.equal((await store.keys.envelope('b-wrapped')) === undefined, records > 0)
    assert.equal((await destroyVersion(deps, 'treasury', WISH)).done, true, 'asked again')
  }
})

test('M-61 a start makes nothing of a destruction that was only begun, and puts one back that was done', async () => {
  const { deps, events } = await house()
  await destroyVersion(deps, 'treasury', WISH)
  const replayed = async (names: readonly string[], from: 'retired' | 'revoked' | 'active'): Promise<unknown> => {
    const store = openMemoryStore({ clock })
    await store.keys.add(sampleAddition('treasury'))
    await store.keys.setState('treasury', 1, from)
    const replay = replayInto(store)
    for (const record of events().filter(({ event }) => names.includes(event))) await replay(record)
    return store.keys.stateOf('treasury', 1)
  }
  assert.equal(await replayed(['key-destroying', 'key-given-up'], 'retired'), 'retired')
  assert.equal(await replayed(['key-destroying', 'key-given-up', 'key-destroyed'], 'retired'), 'destroyed')
  assert.equal(await replayed(['key-destroyed'], 'revoked'), 'destroyed')
  assert.equal(await replayed(['key-destroyed'], 'active'), 'active')
})

const account = (address: string, signers: Readonly<Record<string, number>>): AccountState => ({
  address,
  sequence: 1n,
  thresholds: { low: 0, medium: 0, high: 0 },
  signers: Object.entries(signers).map(([key, weight]) => ({ key, weight })),
})

test('M-61 an account that still lists it is reason to refuse, unless that is said; so is a node that does not answer', async () => {
  const states: readonly (readonly [boolean, AccountState | undefined])[] = [
    [true, account('G-treasury', { 'G-treasury': 1 })],
    [true, account('G-treasury', { 'G-other': 5, 'G-treasury': 255 })],
    [false, account('G-treasury', { 'G-other': 5, 'G-treasury': 0 })],
    [false, account('G-treasury', { 'G-other': 5 })],
    [false, undefined],
  ]
  for (const [refused, state] of states) {
    const { store, deps, asked } = await house({ accounts: () => async () => state })
    const plan = await planDestruction(deps, 'treasury', WISH)
    assert.deepEqual([plan.signerOf.length, plan.notes], [refused ? 1 : 0, []])
    if (refused) {
      await assert.rejects(destroyVersion(deps, 'treasury', WISH), { code: 'key/unsupported' })
      assert.deepEqual([await store.keys.stateOf('treasury', 1), asked], ['retired', []])
    }
    const over = refused ? { signerRemains: true } : {}
    assert.equal((await destroyVersion(deps, 'treasury', { ...WISH, ...over })).done, true)
    // What is over needs nobody's leave to be gone on with.
    assert.equal((await destroyVersion(deps, 'treasury', WISH)).done, true)
  }
  const away = new SignerError('network/unavailable', { network: 'testnet', reason: 'away' })
  const { store, deps } = await house({ accounts: () => () => Promise.reject(away) })
  await assert.rejects(destroyVersion(deps, 'treasury', WISH), { code: 'network/unavailable' })
  assert.equal(await store.keys.stateOf('treasury', 1), 'retired')
  assert.equal((await destroyVersion(deps, 'treasury', { ...WISH, signerRemains: true })).done, true)
})

test('M-61 both accounts are looked at: the one it signs for, and its own', async () => {
  const GA = 'GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ'
  const seen: string[] = []
  const { store, deps } = await house({
    accounts: () => async address => {
      seen.push(address)
      return account(address, { 'G-treasury': address === GA ? 2 : 0 })
    },
  })
  const held = (await store.keys.versions('treasury')).map(each => ({
    ...each,
    version: { ...each.version, account: GA },
  }))
  const registry = { ...deps.registry, versions: async () => held }
  const plan = await planDestruction({ ...deps, registry }, 'treasury', WISH)
  assert.deepEqual(seen.toSorted(), ['G-treasury', GA].toSorted())
  assert.deepEqual(plan.signerOf, [`${GA} (weight 2)`])
})
