import assert from 'node:assert/strict'
import { test as runTest } from 'node:test'
import * as fc from 'fast-check'
import { VERSION_STATES, type VersionState } from '../../../src/domain/key.ts'
import type { Clock, IdempotencyEntry, Reservation } from '../../../src/domain/ports.ts'
import { KEPT_MS, type Store } from '../../../src/store/store.ts'
import { claimsSuite } from './claims-suite.ts'
import { gatewaySuite } from './gateway-suite.ts'
import { proposalsSuite } from './proposals-suite.ts'
import { transactionsSuite } from './transactions-suite.ts'
import { KEPT, type Addition, sampleAddition, sampleEntry, sampleResult } from './samples.ts'
import { rebindingSuite } from './rebinding-suite.ts'
import { versionsSuite } from './versions-suite.ts'

type Now = Pick<Clock, 'now'>

/** What every store does, whatever it is made of. `open` gives an empty one, at its own time unless told; `skip` says why there is none. */
export function storeSuite(name: string, open: (clock?: Now) => Promise<Store>, skip?: string): void {
  const using = usingStore(() => open())
  const test: Testing = (title, body) => void runTest(title, skip === undefined ? {} : { skip }, body)
  registrySuite(name, using, test)
  const clock = { time: 1_000 }
  versionsSuite(
    name,
    usingStore(() => open({ now: () => clock.time })),
    test,
    clock,
  )
  rebindingSuite(name, using, test)
  badRowSuite(name, using, test)
  idempotencySuite(name, using, test)
  idempotencyModel(name, using, test)
  indexSuite(name, using, test)
  gatewaySuite(name, using, test)
  claimsSuite(name, using, test)
  proposalsSuite(name, using, test)
  transactionsSuite(name, using, test)
}

export type With = (body: (store: Store) => Promise<void>) => Promise<void>
export type Testing = (title: string, body: () => Promise<void>) => void

/** A store for one test, closed after it. */
export const usingStore =
  (open: () => Promise<Store>): With =>
  async body => {
    const store = await open()
    try {
      await body(store)
    } finally {
      await closeStore(store)
    }
  }

export const closeStore = async (store: Store & { end?: () => Promise<void> }): Promise<void> =>
  store.end === undefined ? store.close() : store.end()

const ROUNDS = 200

function registrySuite(name: string, using: With, test: Testing): void {
  test(`${name} keys: what was added is resolved, listed and frozen`, () =>
    using(async ({ keys }) => {
      const added = sampleAddition('treasury')
      await keys.add(added)
      const resolved = await keys.resolve('treasury')
      assert.deepEqual(resolved?.key, added.key)
      assert.deepEqual(
        { ...resolved?.version, publicKey: [...(resolved?.version.publicKey ?? [])] },
        {
          ...added.version,
          publicKey: [...added.version.publicKey],
        },
      )
      assert.deepEqual(resolved?.bindings, [added.binding])
      assert.ok(Object.isFrozen(resolved) && Object.isFrozen(resolved.key) && Object.isFrozen(resolved.bindings[0]))
      assert.equal(await keys.resolve('other'), undefined)
      assert.equal(await keys.stateOf('treasury', 1), 'active')
      assert.equal(await keys.stateOf('treasury', 2), undefined)
      assert.equal(await keys.stateOf('other', 1), undefined)
    }))

  test(`${name} keys: an EVM key has a 65-byte public key`, () =>
    using(async ({ keys }) => {
      const { key, version, binding } = sampleAddition('deployer')
      const publicKey = new Uint8Array(65).fill(9)
      publicKey[0] = 4
      await keys.add({
        key: { ...key, chain: 'evm' },
        version: { ...version, scheme: 'ecdsa-secp256k1', publicKey },
        binding,
      })
      assert.equal((await keys.resolve('deployer'))?.version.publicKey.length, 65)
    }))

  test(`${name} keys: the list is by name, one entry for each version`, () =>
    using(async ({ keys }) => {
      for (const key of ['zeta', 'alpha', 'mid']) await keys.add(sampleAddition(key))
      assert.deepEqual(
        (await keys.list()).map(({ key }) => key.name),
        ['alpha', 'mid', 'zeta'],
      )
      assert.deepEqual(await keys.names(), ['alpha', 'mid', 'zeta'])
    }))

  test(`${name} keys: an encrypted key comes back byte for byte, and only under its own binding`, () =>
    using(async ({ keys }) => {
      const added = sampleAddition('vaulted', 'envelope')
      await keys.add(added)
      const row = await keys.envelope('b-vaulted')
      assert.deepEqual([...(row?.ciphertext ?? [])], [1, 2, 3, 0, 255])
      assert.deepEqual({ ...row?.context }, { pubkey: 'G-vaulted' })
      assert.equal(row?.bindingId, 'b-vaulted')
      assert.equal(await keys.envelope('b-other'), undefined)
    }))

  test(`${name} keys: a name or a binding id is given once, and a refused addition leaves nothing behind`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury'))
      await assert.rejects(keys.add(sampleAddition('treasury')), { code: 'key/exists', detail: { key: 'treasury' } })
      const clash = sampleAddition('second')
      const binding = { ...clash.binding, id: 'b-treasury' }
      await assert.rejects(keys.add({ ...clash, binding }), { code: 'key/exists' })
      assert.equal(await keys.resolve('second'), undefined)
      assert.equal((await keys.list()).length, 1)
    }))

  test(`${name} keys: changes to what was handed in or out do not reach the store`, () =>
    using(async ({ keys }) => {
      const added = sampleAddition('treasury', 'envelope')
      await keys.add(added)
      added.version.publicKey.fill(0)
      added.envelope?.ciphertext.fill(0)
      assert.equal((await keys.resolve('treasury'))?.version.publicKey[0], 7)
      assert.equal((await keys.envelope('b-treasury'))?.ciphertext[0], 1)
      ;(await keys.resolve('treasury'))?.version.publicKey.fill(0)
      ;(await keys.envelope('b-treasury'))?.ciphertext.fill(0)
      assert.equal((await keys.resolve('treasury'))?.version.publicKey[0], 7)
      assert.equal((await keys.envelope('b-treasury'))?.ciphertext[0], 1)
    }))

  test(`${name} keys: a key without an active version is not active, not unknown`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury'))
      for (const state of VERSION_STATES.filter(state => state !== 'active')) {
        await keys.setState('treasury', 1, state)
        assert.equal(await keys.stateOf('treasury', 1), state)
        await assert.rejects(keys.resolve('treasury'), {
          code: 'key/not-active',
          detail: { key: 'treasury', version: 1, state },
        })
        assert.equal((await keys.list())[0]?.version.state, state)
      }
      await assert.rejects(keys.setState('treasury', 1, 'active'), { code: 'key/unsupported' }, 'it was destroyed')
      await keys.add(sampleAddition('second'))
      await keys.setState('second', 1, 'revoked')
      await keys.setState('second', 1, 'active')
      await keys.setState('second', 1, 'active')
      assert.equal((await keys.resolve('second'))?.version.state, 'active')
    }))

  test(`${name} keys: a state of an unknown version, or an unknown state, is refused`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury'))
      await assert.rejects(keys.setState('treasury', 2, 'active'), { code: 'key/unknown' })
      await assert.rejects(keys.setState('other', 1, 'active'), { code: 'key/unknown' })
      await assert.rejects(keys.setState('treasury', 1, 'ACTIVE' as never), { code: 'key/mismatch' })
      assert.equal(await keys.stateOf('treasury', 1), 'active')
    }))

  test(`${name} keys: into quarantine and out of it, from every state: what was revoked or destroyed never comes back`, () =>
    using(async ({ keys }) => {
      await keys.add(sampleAddition('treasury'))
      const move = async (to: VersionState, from: readonly VersionState[]) => {
        const changed = await keys.setState('treasury', 1, to, from)
        return [changed, await keys.stateOf('treasury', 1)]
      }
      for (const state of VERSION_STATES) {
        const mayEnter = state === 'active' || state === 'overlap'
        await keys.setState('treasury', 1, state)
        assert.deepEqual(
          await move('quarantined', ['active', 'overlap']),
          [mayEnter, mayEnter ? 'quarantined' : state],
          state,
        )
        await keys.setState('treasury', 1, state)
        const mayLeave = state === 'quarantined'
        assert.deepEqual(await move('active', ['quarantined']), [mayLeave, mayLeave ? 'active' : state], state)
      }
      await keys.add(sampleAddition('second'))
      await keys.setState('second', 1, 'quarantined')
      await assert.rejects(keys.resolve('second'), {
        code: 'key/not-active',
        detail: { key: 'second', version: 1, state: 'quarantined' },
      })
      await assert.rejects(keys.setState('other', 1, 'quarantined', ['active']), { code: 'key/unknown' })
    }))
}

/** One wrong field at a time. */
export const BAD: Record<string, (entry: Addition) => object> = {
  'empty name': e => ({ ...e, key: { ...e.key, name: '' } }),
  'unknown chain': e => ({ ...e, key: { ...e.key, chain: 'bitcoin' } }),
  'empty network': e => ({ ...e, key: { ...e.key, network: '' } }),
  'empty policy': e => ({ ...e, key: { ...e.key, policy: '' } }),
  'short policy hash': e => ({ ...e, key: { ...e.key, policyHash: 'ab' } }),
  'policy hash of another policy': e => ({ ...e, key: { ...e.key, policy: '{"rules":[1]}' } }),
  'time that is no time': e => ({ ...e, key: { ...e.key, createdAt: Number.NaN } }),
  'version of another key': e => ({ ...e, version: { ...e.version, key: 'other' } }),
  'version 0': e => ({ ...e, version: { ...e.version, version: 0 } }),
  'fractional version': e => ({ ...e, version: { ...e.version, version: 1.5 } }),
  'unknown scheme': e => ({ ...e, version: { ...e.version, scheme: 'rsa' } }),
  'scheme of another chain': e => ({
    ...e,
    version: { ...e.version, scheme: 'ecdsa-secp256k1', publicKey: new Uint8Array(65) },
  }),
  'public key as text': e => ({ ...e, version: { ...e.version, publicKey: 'A'.repeat(32) } }),
  'short public key': e => ({ ...e, version: { ...e.version, publicKey: new Uint8Array(31) } }),
  'long public key': e => ({ ...e, version: { ...e.version, publicKey: new Uint8Array(33) } }),
  'compressed-looking point': e => ({
    ...e,
    key: { ...e.key, chain: 'evm' },
    version: { ...e.version, scheme: 'ecdsa-secp256k1', publicKey: new Uint8Array(65).fill(2) },
  }),
  'empty address': e => ({ ...e, version: { ...e.version, address: '' } }),
  'account that is none': e => ({ ...e, version: { ...e.version, account: 'G-other' } }),
  'account with a wrong checksum': e => ({ ...e, version: { ...e.version, account: KEPT.replace(/H$/, 'I') } }),
  'contract as account': e => ({ ...e, version: { ...e.version, account: `C${KEPT.slice(1)}` } }),
  'account that is no text': e => ({ ...e, version: { ...e.version, account: null } }),
  'another account on EVM': e => ({
    ...e,
    key: { ...e.key, chain: 'evm' },
    version: {
      ...{ ...e.version, scheme: 'ecdsa-secp256k1', account: KEPT },
      publicKey: new Uint8Array(65).fill(4),
    },
  }),
  'unknown state': e => ({ ...e, version: { ...e.version, state: 'on' } }),
  'binding without id': e => ({ ...e, binding: { ...e.binding, id: '' } }),
  'binding of another key': e => ({ ...e, binding: { ...e.binding, key: 'other' } }),
  'binding of another version': e => ({ ...e, binding: { ...e.binding, version: 2 } }),
  'binding without provider': e => ({ ...e, binding: { ...e.binding, provider: '' } }),
  'unknown custody': e => ({ ...e, binding: { ...e.binding, custody: 'cloud' } }),
  'binding without reference': e => ({ ...e, binding: { ...e.binding, reference: '' } }),
  'envelope custody without ciphertext': ({ key, version, binding }) => ({ key, version, binding }),
  'native custody with ciphertext': e => ({ ...e, binding: { ...e.binding, custody: 'native' } }),
  'empty ciphertext': e => ({ ...e, envelope: { ...e.envelope, ciphertext: new Uint8Array(0) } }),
  'ciphertext as text': e => ({ ...e, envelope: { ...e.envelope, ciphertext: 'abc' } }),
  'envelope of another binding': e => ({ ...e, envelope: { ...e.envelope, bindingId: 'b-other' } }),
  'envelope without binding': e => ({ ...e, envelope: { ...e.envelope, bindingId: '' } }),
  'context that is a list': e => ({ ...e, envelope: { ...e.envelope, context: ['pubkey'] } }),
  'context that is null': e => ({ ...e, envelope: { ...e.envelope, context: null } }),
  'context with a number': e => ({ ...e, envelope: { ...e.envelope, context: { pubkey: 1 } } }),
}

function badRowSuite(name: string, using: With, test: Testing): void {
  test(`${name} T43: an entry with one wrong field is refused whole (${Object.keys(BAD).length} fields)`, () =>
    using(async ({ keys }) => {
      for (const [field, spoil] of Object.entries(BAD)) {
        const entry = spoil(sampleAddition('treasury', 'envelope')) as Addition
        await assert.rejects(keys.add(entry), { code: 'key/mismatch' }, field)
        assert.equal(await keys.resolve('treasury'), undefined, field)
      }
      assert.deepEqual([await keys.list(), await keys.names()], [[], []])
      await keys.add(sampleAddition('treasury', 'envelope'))
    }))
}

function idempotencySuite(name: string, using: With, test: Testing): void {
  test(`${name} M-51: same request replays, other body mismatches, in flight says so`, () =>
    using(async ({ idempotency }) => {
      const entry = sampleEntry()
      const other = sampleEntry({ fingerprint: 'b'.repeat(64) })
      assert.deepEqual(await idempotency.reserve(entry), { kind: 'reserved' })
      assert.deepEqual(await idempotency.reserve(entry), { kind: 'in-flight' })
      assert.deepEqual(await idempotency.reserve(other), { kind: 'mismatch' })
      await idempotency.complete(entry, sampleResult())
      const later = sampleEntry({ at: entry.at + KEPT_MS - 1 })
      const replay = await idempotency.reserve(later)
      assert.deepEqual(replay, { kind: 'replay', result: sampleResult() })
      assert.deepEqual(await idempotency.reserve(other), { kind: 'mismatch' })
    }))

  test(`${name} M-51: scope and key together name an entry`, () =>
    using(async ({ idempotency }) => {
      const kinds = new Set<string>()
      for (const [scope, key] of [
        ['a', 'b'],
        ['ab', ''],
        ['', 'ab'],
        ['a","b', ''],
        ['a', '","b'],
      ] as const) {
        kinds.add((await idempotency.reserve(sampleEntry({ scope, key }))).kind)
      }
      assert.deepEqual([...kinds], ['reserved'])
    }))

  test(`${name} M-51: a released entry lets the same request go again and keeps its fingerprint`, () =>
    using(async ({ idempotency }) => {
      const entry = sampleEntry()
      await idempotency.reserve(entry)
      await idempotency.release(entry)
      assert.equal((await idempotency.reserve(sampleEntry({ fingerprint: 'b'.repeat(64) }))).kind, 'mismatch')
      assert.equal((await idempotency.reserve(entry)).kind, 'reserved')
      assert.equal((await idempotency.reserve(entry)).kind, 'in-flight')
    }))

  test(`${name} M-51: done and released entries expire 24 hours after their time`, () =>
    using(async ({ idempotency }) => {
      const first = sampleEntry()
      await idempotency.reserve(first)
      await idempotency.complete(first, sampleResult())
      const tomorrow = sampleEntry({ at: first.at + KEPT_MS, fingerprint: 'b'.repeat(64) })
      assert.equal((await idempotency.reserve(tomorrow)).kind, 'reserved')
      await idempotency.release(tomorrow)
      const later = sampleEntry({ at: tomorrow.at + KEPT_MS })
      assert.equal((await idempotency.reserve(later)).kind, 'reserved')
      assert.equal((await idempotency.reserve(sampleEntry({ at: later.at + 1 }))).kind, 'in-flight')
    }))

  test(`${name} T58: a clock that jumps a day ahead frees no call that is still in flight`, () =>
    using(async ({ idempotency }) => {
      const entry = sampleEntry()
      await idempotency.reserve(entry)
      const jumped = sampleEntry({ at: entry.at + 10 * KEPT_MS })
      assert.equal((await idempotency.reserve(jumped)).kind, 'in-flight')
      assert.equal(await idempotency.purge(jumped.at), 0)
      await idempotency.complete(entry, sampleResult())
      assert.equal((await idempotency.reserve(entry)).kind, 'replay')
    }))

  test(`${name} T58: completing or releasing takes the very reservation`, () =>
    using(async ({ idempotency }) => {
      const entry = sampleEntry()
      await assert.rejects(idempotency.complete(entry, sampleResult()), { code: 'store/unavailable' })
      await idempotency.release(entry)
      await idempotency.reserve(entry)
      const stale = sampleEntry({ at: entry.at - 1 })
      const other = sampleEntry({ fingerprint: 'b'.repeat(64) })
      for (const wrong of [stale, other]) {
        await idempotency.release(wrong)
        assert.equal((await idempotency.reserve(entry)).kind, 'in-flight')
        await assert.rejects(idempotency.complete(wrong, sampleResult()), { code: 'store/unavailable' })
      }
      await idempotency.complete(entry, sampleResult())
      await idempotency.release(entry) // too late: the answer stays
      await assert.rejects(idempotency.complete(entry, sampleResult({ signature: 'b3RoZXI=' })), {
        code: 'store/unavailable',
      })
      assert.deepEqual(await idempotency.reserve(entry), { kind: 'replay', result: sampleResult() })
    }))

  test(`${name} M-51: an answer that is not whole is never kept`, () =>
    using(async ({ idempotency }) => {
      const entry = sampleEntry()
      await idempotency.reserve(entry)
      for (const bad of [
        { signature: '' },
        { version: -1 },
        { version: '1' },
        { extra: 'x' },
        { auditId: undefined },
      ]) {
        const result = { ...sampleResult(), ...bad } as never
        await assert.rejects(idempotency.complete(entry, result), { code: 'store/unavailable' })
        await assert.rejects(idempotency.restore(entry, result), { code: 'store/unavailable' })
      }
      assert.equal((await idempotency.reserve(entry)).kind, 'in-flight')
    }))

  test(`${name} M-51: restore rebuilds from the log, in its order, and takes no answer back`, () =>
    using(async ({ idempotency }) => {
      const entry = sampleEntry()
      const other = sampleEntry({ fingerprint: 'b'.repeat(64) })
      await idempotency.restore(entry, undefined)
      assert.equal((await idempotency.reserve(other)).kind, 'mismatch')
      await idempotency.restore(entry, sampleResult())
      await idempotency.restore(entry, undefined)
      assert.deepEqual(await idempotency.reserve(entry), { kind: 'replay', result: sampleResult() })
      const nextDay = sampleEntry({ at: entry.at + KEPT_MS, fingerprint: 'c'.repeat(64) })
      await idempotency.restore(nextDay, undefined)
      assert.equal((await idempotency.reserve(entry)).kind, 'mismatch')
      assert.equal((await idempotency.reserve(nextDay)).kind, 'reserved')
      await idempotency.restore(nextDay, sampleResult({ requestId: 'req_2' }))
      const replay = await idempotency.reserve(nextDay)
      assert.equal(replay.kind === 'replay' && replay.result.requestId, 'req_2')
    }))

  test(`${name} M-51: purge forgets what is older`, () =>
    using(async ({ idempotency }) => {
      for (const at of [10, 20, 30]) await idempotency.restore(sampleEntry({ key: `k${at}`, at }), sampleResult())
      assert.equal(await idempotency.purge(30), 2)
      assert.equal((await idempotency.reserve(sampleEntry({ key: 'k30', at: 31 }))).kind, 'replay')
      assert.equal((await idempotency.reserve(sampleEntry({ key: 'k10', at: 31 }))).kind, 'reserved')
    }))

  test(`${name} R-16 T58: ${ROUNDS} rounds of 100 callers on one key give exactly one reservation each`, () =>
    using(async ({ idempotency }) => {
      for (let round = 0; round < ROUNDS; round++) {
        const callers = Array.from({ length: 100 }, (_, caller) =>
          idempotency.reserve(sampleEntry({ key: `round-${round}`, at: 1_000 + caller })),
        )
        const kinds = (await Promise.all(callers)).map(({ kind }) => kind)
        assert.equal(kinds.filter(kind => kind === 'reserved').length, 1)
        assert.equal(kinds.filter(kind => kind === 'in-flight').length, 99)
      }
    }))
}

/** The rules once more, as a second implementation short enough to read. */
function idempotencyModel(name: string, using: With, test: Testing): void {
  type State = { fingerprint: string; at: number; state: 'in-flight' | 'done' | 'released' }
  const model = (states: Map<string, State>, entry: IdempotencyEntry): Reservation['kind'] => {
    const old = states.get(entry.key)
    const expired = old !== undefined && old.state !== 'in-flight' && entry.at - old.at >= KEPT_MS
    if (old === undefined || expired) return 'reserved'
    if (old.fingerprint !== entry.fingerprint) return 'mismatch'
    return ({ 'in-flight': 'in-flight', done: 'replay', released: 'reserved' } as const)[old.state]
  }
  const step = fc.record({
    verb: fc.constantFrom('reserve', 'complete', 'release'),
    key: fc.constantFrom('k1', 'k2'),
    fingerprint: fc.constantFrom('f1', 'f2'),
    wait: fc.constantFrom(0, 1, KEPT_MS / 2, KEPT_MS),
  })

  test(`${name} M-51: any sequence of calls behaves as the rules say (fast-check)`, () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), steps =>
        using(async ({ idempotency }) => {
          const states = new Map<string, State>()
          let now = 1_000_000
          for (const { verb, key, fingerprint, wait } of steps) {
            now += wait
            const held = states.get(key)
            const entry = sampleEntry({ key, fingerprint, at: verb === 'reserve' ? now : (held?.at ?? now) })
            const mine = held?.state === 'in-flight' && held.fingerprint === fingerprint
            if (verb === 'reserve') {
              const expected = model(states, entry)
              assert.equal((await idempotency.reserve(entry)).kind, expected)
              if (expected === 'reserved') states.set(key, { fingerprint, at: now, state: 'in-flight' })
            } else if (verb === 'complete') {
              const completed = await idempotency.complete(entry, sampleResult()).then(
                () => true,
                () => false,
              )
              assert.equal(completed, mine)
              if (mine) states.set(key, { ...held, state: 'done' })
            } else {
              await idempotency.release(entry)
              if (mine) states.set(key, { ...held, state: 'released' })
            }
          }
        }),
      ),
      { numRuns: 100 },
    ))
}

function indexSuite(name: string, using: With, test: Testing): void {
  test(`${name} audit index: the head moves forward only, and a record has one hash`, () =>
    using(async ({ auditIndex }) => {
      assert.equal(await auditIndex.head(), undefined)
      await auditIndex.setHead({ seq: 0, hash: 'h0' })
      await auditIndex.setHead({ seq: 5, hash: 'h5' })
      await auditIndex.setHead({ seq: 3, hash: 'h3' })
      await auditIndex.setHead({ seq: 5, hash: 'h5' })
      assert.deepEqual({ ...(await auditIndex.head()) }, { seq: 5, hash: 'h5' })
      await assert.rejects(auditIndex.setHead({ seq: 5, hash: 'forged' }), { code: 'audit/corrupt' })
      assert.deepEqual({ ...(await auditIndex.head()) }, { seq: 5, hash: 'h5' })
    }))
}
