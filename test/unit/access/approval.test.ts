/** m of n over the exact change (D19, T61): whose approval counts, for what, and when. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type ApprovalRule,
  type ApprovalVerdict,
  changeText,
  checkApprovalRule,
  judgeApprovals,
  mayApprove,
  verifyApproval,
} from '../../../src/access/approval.ts'
import { ROLES, type Admin, type Role } from '../../../src/domain/admins.ts'
import type { Approval, PolicyChange } from '../../../src/domain/changes.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { admin, evmPerson, type Person, stellarPerson } from '../../support/login-world.ts'

const HOUR = 3_600_000
const NOW = 1_700_000_000_000
const ENVIRONMENT = 'production'
const rule: ApprovalRule = { environment: ENVIRONMENT, loosening: 2, tightening: 1, coolDownMs: HOUR }
const proposer = stellarPerson(100)

type Change = Omit<PolicyChange, 'toText' | 'approvals'>
const change: Change = {
  id: 'change_0f',
  key: 'treasury',
  fromHash: 'a'.repeat(64),
  toHash: 'b'.repeat(64),
  testsText: '[]',
  direction: 'loosening',
  proposedBy: proposer.address,
  proposedAt: NOW - HOUR,
  expiresAt: NOW + HOUR,
  state: 'proposed',
}
const approvalBy = (person: Person, of: Change = change, environment = ENVIRONMENT): Approval => ({
  address: person.address,
  signature: person.signText(changeText(of, environment)),
  at: NOW,
})
const approver = (person: Person, rest: Partial<Admin> = {}) => admin(person.address, ['approver'], rest)
const given = (verdict: ApprovalVerdict) => [verdict.ok, verdict.given]

/** SHA-256 of `[]`. */
const EMPTY_LIST_HASH = '4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945'

test('D19 the text that is signed: a title, a line break, canonical JSON', () => {
  assert.equal(
    changeText(change, ENVIRONMENT),
    `Countersign policy change, version 1\n{"direction":"loosening","environment":"production","expires":"2023-11-14T23:13:20.000Z","fromHash":"${'a'.repeat(64)}","id":"change_0f","key":"treasury","proposed":"2023-11-14T21:13:20.000Z","proposedBy":"${proposer.address}","testsHash":"${EMPTY_LIST_HASH}","toHash":"${'b'.repeat(64)}"}`,
  )
})

test('D19 a signature holds for this change and no other: each field is bound, and the environment', async () => {
  for (const person of [stellarPerson(1), evmPerson(1)]) {
    const approval = approvalBy(person)
    assert.equal(await verifyApproval(change, ENVIRONMENT, approval), true)
    const others: Partial<Change>[] = [
      { id: 'change_10' },
      { key: 'treasury2' },
      { fromHash: 'c'.repeat(64) },
      { toHash: 'c'.repeat(64) },
      { testsText: '[{}]' },
      { direction: 'tightening' },
      { proposedBy: stellarPerson(101).address },
      { proposedAt: change.proposedAt - 1 },
      { expiresAt: change.expiresAt + 1 },
      // Text that would run into the next field, if fields were only put together.
      { id: 'change_0f","key":"treasury' },
    ]
    for (const other of others)
      assert.equal(await verifyApproval({ ...change, ...other }, ENVIRONMENT, approval), false, JSON.stringify(other))
    assert.equal(await verifyApproval(change, 'staging', approval), false)
    const { address } = stellarPerson(2)
    assert.equal(await verifyApproval(change, ENVIRONMENT, { ...approval, address }), false)
  }
})

test('the rule must need somebody', () => {
  const bad: Partial<ApprovalRule>[] = [
    { loosening: 0 },
    { tightening: 0 },
    { loosening: -1 },
    { loosening: 1.5 },
    { loosening: Number.NaN },
    { coolDownMs: -1 },
    { coolDownMs: Number.NaN },
    { environment: '' },
    { approvers: [] },
    { approvers: ['one'] },
    { approvers: ['one', 'one'] },
  ]
  checkApprovalRule(rule)
  checkApprovalRule({ ...rule, approvers: ['one', 'two'] })
  for (const one of bad)
    assert.throws(
      () => checkApprovalRule({ ...rule, ...one }),
      (error: unknown) => isSignerError(error) && error.code === 'config/invalid',
    )
})

test('T61 nobody who may not approve counts', async () => {
  const [one, two] = [stellarPerson(1), evmPerson(2)]
  const admins = [approver(one), approver(two)]
  const both = [approvalBy(one), approvalBy(two)]
  const judge = (approvals: readonly Approval[], who: readonly Admin[], of = change) =>
    judgeApprovals(of, approvals, who, rule, NOW)
  const good = await judge(both, admins)
  assert.deepEqual(good, { ok: true, needed: 2, given: 2, approvers: [one.address, two.address] })
  const shorter: readonly [string, readonly Approval[], readonly Admin[]][] = [
    ['nobody', [], admins],
    ['one alone', [approvalBy(one)], admins],
    ['one twice', [approvalBy(one), approvalBy(one)], admins],
    ['disabled', both, [approver(one), approver(two, { active: false })]],
    ['no approver any more', both, [approver(one), admin(two.address, ['auditor'])]],
    ['not listed any more', both, [approver(one)]],
    ['made an approver after the proposal', both, [approver(one), approver(two, { changedAt: change.proposedAt + 1 })]],
    ['holds what nobody may', both, [approver(one), admin(two.address, ROLES)]],
    ['a signature of another change', [approvalBy(one), approvalBy(two, { ...change, id: 'x' })], admins],
    ['a signature of another environment', [approvalBy(one), approvalBy(two, change, 'staging')], admins],
    ['the signature of the other', [approvalBy(one), { ...approvalBy(one), address: two.address }], admins],
    [
      'an EVM address in another spelling',
      [approvalBy(one), { ...approvalBy(two), address: two.address.toLowerCase() }],
      admins,
    ],
  ]
  for (const [name, approvals, who] of shorter) {
    const verdict = await judge(approvals, who)
    assert.equal(verdict.ok, false, name)
    assert.equal(verdict.needed, 2)
    assert.ok(verdict.given < 2, name)
  }
  const selfish = [...admins, admin(proposer.address, ['approver'])]
  assert.deepEqual(given(await judge([approvalBy(one), approvalBy(proposer)], selfish)), [false, 1])
  assert.deepEqual(given(await judge([approvalBy(proposer), approvalBy(proposer)], selfish)), [false, 0])
  // A bad one in front of a good one of the same address costs nothing.
  const bad = { ...approvalBy(one), signature: approvalBy(two).signature }
  assert.deepEqual(given(await judge([bad, ...both], admins)), [true, 2])
})

test('T61 where approvers are named, nobody else counts for a loosening, however long they have had the role', async () => {
  const [one, two, own] = [stellarPerson(1), evmPerson(2), stellarPerson(3)]
  const admins = [one, two, own].map(person => approver(person))
  const named: ApprovalRule = { ...rule, approvers: [one.address, two.address] }
  const judge = (by: readonly Person[], of = change, who: readonly Admin[] = admins) =>
    judgeApprovals(
      of,
      by.map(person => approvalBy(person, of)),
      who,
      named,
      NOW,
    )
  assert.deepEqual(given(await judge([one, two])), [true, 2])
  assert.deepEqual(given(await judge([one, own])), [false, 1])
  assert.deepEqual(given(await judge([own])), [false, 0])
  // To be named is not enough.
  assert.deepEqual(given(await judge([one, two], change, [approver(one)])), [false, 1])
  assert.deepEqual(given(await judge([one, two], change, [approver(one), approver(two, { active: false })])), [
    false,
    1,
  ])
  const tightening = { ...change, direction: 'tightening' } as const
  assert.deepEqual(given(await judge([own], tightening)), [true, 1])
  assert.deepEqual([mayApprove(approver(own), change), mayApprove(approver(own), change, named)], [true, false])
})

test('T61 expiry, cool-down and state', async () => {
  const people = [stellarPerson(1), stellarPerson(2)]
  const admins = people.map(person => approver(person))
  const judge = (of: Partial<Change>, now = NOW, by = rule) => {
    const changed = { ...change, ...of }
    return judgeApprovals(
      changed,
      people.map(person => approvalBy(person, changed)),
      admins,
      by,
      now,
    )
  }
  assert.equal((await judge({})).ok, true)
  assert.equal((await judge({}, change.expiresAt - 1)).ok, true)
  assert.equal((await judge({}, change.expiresAt)).ok, false)
  assert.equal((await judge({ expiresAt: NOW })).ok, false)
  const early = await judge({}, NOW - 1)
  assert.deepEqual(early, {
    ...{ ok: false, needed: 2, given: 2 },
    ...{ reason: 'the time for objections is not over', freeAt: NOW },
  })
  for (const state of ['activated', 'withdrawn'] as const) assert.equal((await judge({ state })).ok, false)
  assert.equal((await judge({ direction: 'tightening', proposedAt: NOW })).ok, true)
  for (const now of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    assert.equal((await judge({}, now)).ok, false, String(now))
})

test('a tightening needs one other person, at once, also one who is new', async () => {
  const tightening = { ...change, direction: 'tightening' as const, proposedAt: NOW }
  const person = evmPerson(1)
  const admins = [approver(person, { changedAt: NOW + 5 }), admin(proposer.address, ['approver'])]
  const judge = (approvals: readonly Approval[]) => judgeApprovals(tightening, approvals, admins, rule, NOW)
  assert.deepEqual(given(await judge([approvalBy(person, tightening)])), [true, 1])
  assert.deepEqual(given(await judge([approvalBy(proposer, tightening)])), [false, 0])
  assert.deepEqual(given(await judge([])), [false, 0])
})

test('who may approve, by every combination of roles: who holds the approver role in a combination that is given out', () => {
  for (let bits = 0; bits < 2 ** ROLES.length; bits++) {
    const roles: Role[] = ROLES.filter((_, at) => (bits >> at) & 1)
    const has = (role: Role) => roles.includes(role)
    const tooMuch = has('policy-admin') && (has('requester') || has('operator'))
    assert.equal(mayApprove(admin('G', roles), change), has('approver') && !tooMuch, roles.join())
  }
})

/** Every approver sends nothing, one approval, or two; and everybody else who might try sends one, or nobody of them does. */
async function campaign(m: number, n: number): Promise<{ judged: number; granted: number; wrong: number }> {
  const people = Array.from({ length: n }, (_, at) => (n === 3 && at === 2 ? evmPerson(50) : stellarPerson(at + 1)))
  const [disabled, former, late, outsider] = [11, 12, 13, 14].map(fill => stellarPerson(fill)) as unknown as [
    Person,
    Person,
    Person,
    Person,
  ]
  const admins = [
    ...people.map(person => approver(person)),
    admin(proposer.address, ['approver', 'policy-admin']),
    approver(disabled, { active: false }),
    admin(former.address, ['requester']),
    approver(late, { changedAt: change.proposedAt + 1 }),
  ]
  const signed = new Map(people.map(person => [person.address, approvalBy(person)]))
  const forged = people.map(({ address }) => ({ ...approvalBy(outsider), address }))
  const noise = [...[proposer, disabled, former, late, outsider].map(person => approvalBy(person)), ...forged]
  const tally = { judged: 0, granted: 0, wrong: 0 }
  for (let code = 0; code < 3 ** n; code++) {
    const counts = people.map((_, at) => Math.floor(code / 3 ** at) % 3)
    const sent = people.flatMap(({ address }, at) => Array.from({ length: counts[at] ?? 0 }, () => signed.get(address)))
    const real = sent.filter(one => one !== undefined)
    const distinct = counts.filter(count => count > 0).length
    for (const approvals of code % 8 === 0 || n < 5 ? [real, [...noise, ...real]] : [real]) {
      const verdict = await judgeApprovals(change, approvals, admins, { ...rule, loosening: m }, NOW)
      tally.judged++
      if (verdict.ok) tally.granted++
      if (verdict.ok !== distinct >= m || verdict.given !== distinct) tally.wrong++
    }
  }
  return tally
}

test('T61 all multisets of approvals for 2-of-3 to 5-of-7, with everybody else trying: 0 wrong grants', async () => {
  let judged = 0
  for (const [m, n] of [
    [2, 3],
    [3, 4],
    [3, 5],
    [4, 6],
    [5, 7],
  ] as const) {
    const tally = await campaign(m, n)
    assert.equal(tally.wrong, 0, `${m} of ${n}`)
    assert.ok(tally.granted > 0 && tally.granted < tally.judged)
    judged += tally.judged
  }
  assert.ok(judged > 3000, String(judged))
})
