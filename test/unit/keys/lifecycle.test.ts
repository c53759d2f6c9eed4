import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maySign, VERSION_STATES, type VersionState } from '../../../src/domain/key.ts'
import {
  advance,
  type Aged,
  brokenInvariant,
  KEY_EVENTS,
  type KeyEvent,
  mayBegin,
  restoredTo,
  type Step,
  TRANSITIONS,
} from '../../../src/keys/lifecycle.ts'
import { seeded } from '../../fuzz/xdr-mutator.ts'

/** Written apart from the table: every way there is. */
const WAYS: Readonly<Record<KeyEvent, readonly (readonly [VersionState, VersionState])[]>> = {
  promote: [['pending', 'active']],
  demote: [['active', 'overlap']],
  withdraw: [['active', 'pending']],
  revert: [['overlap', 'active']],
  retire: [
    ['overlap', 'retired'],
    ['quarantined', 'retired'],
  ],
  abandon: [['pending', 'retired']],
  quarantine: [
    ['pending', 'quarantined'],
    ['active', 'quarantined'],
    ['overlap', 'quarantined'],
  ],
  restore: [['quarantined', 'active']],
  revoke: VERSION_STATES.filter(state => state !== 'revoked').map(state => [state, 'revoked'] as const),
  unrevoke: [['revoked', 'quarantined']],
  destroy: [
    ['retired', 'destroyed'],
    ['revoked', 'destroyed'],
  ],
}

test('M-61 M-62 every cell of the table: 7 states by 11 events, each as the law says', () => {
  let cells = 0
  for (const state of VERSION_STATES) {
    for (const event of KEY_EVENTS) {
      cells++
      const way = WAYS[event].find(([from]) => from === state)
      const cell = TRANSITIONS[state][event]
      assert.deepEqual('to' in cell ? cell.to : undefined, way?.[1], `${state} ${event}`)
      const outcome = advance([{ version: 1, state }], [{ version: 1, event }])
      assert.equal(outcome.kind, way === undefined ? 'refused' : 'moved', `${state} ${event}`)
      if (outcome.kind === 'refused') assert.ok(outcome.reason.length > 10)
    }
  }
  assert.equal(cells, 77)
})

test('L6 L7 revoked is left by a quorum alone, and nothing leads from destroyed to a state that signs', () => {
  const from = (state: VersionState): readonly VersionState[] =>
    Object.values(TRANSITIONS[state]).flatMap(cell => ('to' in cell ? [cell.to] : []))
  assert.deepEqual(from('revoked').toSorted(), ['destroyed', 'quarantined'])
  assert.deepEqual(from('destroyed'), ['revoked'])
  assert.ok(from('retired').every(state => !maySign(state)))
})

test('L7 over a whole history: what was once destroyed never signs again, also by way of a revocation that is taken back', () => {
  const end: Step[] = (['retire', 'destroy', 'revoke'] as const).map(event => ({ version: 1, event }))
  const after = advance(life('overlap'), end)
  assert.ok(after.kind === 'moved')
  assert.deepEqual(after.versions, [{ version: 1, state: 'revoked', destroyed: true }])
  const moves = KEY_EVENTS.filter(event => advance(after.versions, [{ version: 1, event }]).kind === 'moved')
  assert.deepEqual(moves, ['destroy'])
  assert.equal(states(advance(after.versions, [{ version: 1, event: 'unrevoke' }])), 'its private key is gone')
  // The same revocation of one that was not destroyed is taken back as ever.
  assert.deepEqual(states(advance(life('revoked'), [{ version: 1, event: 'unrevoke' }])), ['quarantined'])
})

const life = (...states: VersionState[]): Aged[] => states.map((state, at) => ({ version: at + 1, state }))
const states = (outcome: ReturnType<typeof advance>): readonly VersionState[] | string =>
  outcome.kind === 'moved' ? outcome.versions.map(({ state }) => state) : outcome.reason

test('M-61 a rotation, taken back and done again', () => {
  const open: Step[] = [
    { version: 1, event: 'demote' },
    { version: 2, event: 'promote' },
  ]
  const back: Step[] = [
    { version: 2, event: 'withdraw' },
    { version: 1, event: 'revert' },
  ]
  assert.deepEqual(states(advance(life('active', 'pending'), open)), ['overlap', 'active'])
  assert.deepEqual(states(advance(life('overlap', 'active'), back)), ['active', 'pending'])
  assert.deepEqual(states(advance(life('overlap', 'active'), [{ version: 1, event: 'retire' }])), ['retired', 'active'])
  assert.match(String(states(advance(life('active', 'pending'), open.slice(1)))), /^L1/)
  assert.match(String(states(advance(life('active', 'pending'), open.slice(0, 1)))), /^L3/)
  assert.match(String(states(advance(life('overlap', 'active'), back.slice(1)))), /^L1/)
  assert.equal(states(advance(life('active'), [{ version: 2, event: 'revoke' }])), 'there is no such version')
})

test('L4 a version is not followed by an older one', () => {
  const backwards: Step[] = [
    { version: 2, event: 'demote' },
    { version: 1, event: 'promote' },
  ]
  assert.match(String(states(advance(life('pending', 'active'), backwards))), /^L4/)
})

test('L5 whatever stops a version is obeyed, also in a state that should not be', () => {
  const odd = life('active', 'active', 'pending', 'pending')
  for (const event of ['quarantine', 'revoke'] as const) {
    assert.equal(advance(odd, [{ version: 2, event }]).kind, 'moved')
  }
})

test('restore puts a version where its siblings leave room', () => {
  assert.equal(restoredTo(life('quarantined'), 1), 'active')
  assert.equal(restoredTo(life('quarantined', 'active'), 1), 'overlap')
  assert.equal(restoredTo(life('active', 'quarantined'), 2), 'pending')
  assert.equal(
    states(advance(life('quarantined', 'active', 'pending'), [{ version: 1, event: 'restore' }])),
    'L3: a rotation is under way',
  )
})

test('L16 one that has never been active is restored to wait, whatever its siblings are', () => {
  for (const sibling of VERSION_STATES) {
    const versions: readonly Aged[] = [
      { version: 1, state: sibling },
      { version: 2, state: 'quarantined', untried: true },
    ]
    assert.equal(restoredTo(versions, 2), 'pending', sibling)
    const outcome = advance(versions, [{ version: 2, event: 'restore' }])
    const room = sibling !== 'pending' && sibling !== 'overlap'
    assert.equal(outcome.kind, room ? 'moved' : 'refused', sibling)
    // Its turn comes by promotion, and it is tried from then on only where the registry says so.
    if (outcome.kind === 'moved') assert.equal(outcome.versions[1]?.state, 'pending')
  }
})

test('M-61 a second rotation does not begin during one', () => {
  assert.equal(mayBegin(life('active')), undefined)
  assert.equal(mayBegin(life('retired', 'active')), undefined)
  assert.match(mayBegin(life('active', 'pending')) ?? '', /waits/)
  assert.match(mayBegin(life('overlap', 'active')) ?? '', /under way/)
})

test('a random walk of 20,000 events keeps the invariants, whatever is asked in whatever order', () => {
  const seed = 20_261_122
  const rng = seeded(seed)
  let versions: readonly Aged[] = life('active')
  let moved = 0
  /** Versions that were ever destroyed, noted apart from the law. */
  const ended = new Set<number>()
  let histories = 0
  for (let round = 0; round < 20_000; round++) {
    if (rng.int(12) === 0 && mayBegin(versions) === undefined) {
      versions = [...versions, { version: versions.length + 1, state: 'pending' }]
    }
    const steps = Array.from({ length: 1 + rng.int(2) }, () => ({
      version: Math.max(1, versions.length - rng.int(4)),
      event: KEY_EVENTS[rng.int(KEY_EVENTS.length)] ?? 'revoke',
    }))
    const before = versions
    const outcome = advance(versions, steps)
    if (outcome.kind === 'refused') continue
    moved++
    versions = outcome.versions
    for (const { version, event } of steps) if (event === 'destroy') ended.add(version)
    assert.equal(brokenInvariant(versions), undefined, `seed ${seed}, round ${round}`)
    assert.ok(versions.filter(({ state }) => state === 'active').length <= 1)
    for (const { version, state, destroyed } of versions) {
      assert.equal(destroyed === true, ended.has(version), `seed ${seed}, round ${round}`)
      if (ended.has(version)) {
        histories++
        assert.ok(state === 'destroyed' || state === 'revoked', `seed ${seed}, round ${round}: ${state} after its end`)
      }
      const was = before.find(one => one.version === version)?.state
      const isStopped = was === 'retired' || was === 'revoked' || was === 'destroyed'
      if (isStopped) assert.ok(!maySign(state), `seed ${seed}, round ${round}: ${was} to ${state}`)
    }
    // A key all of whose versions are over begins anew, as an operator would.
    if (versions.every(({ state }) => ['retired', 'revoked', 'destroyed'].includes(state))) {
      versions = [
        ...versions.slice(-3).map((one, at) => ({ ...one, version: at + 1 })),
        { version: 4, state: 'active' },
      ]
      ended.clear()
      for (const { version, destroyed } of versions) if (destroyed === true) ended.add(version)
    }
  }
  assert.ok(moved > 2_000, String(moved))
  assert.ok(histories > 500, String(histories))
})
