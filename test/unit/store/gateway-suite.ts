import assert from 'node:assert/strict'
import { toHex } from '../../../src/bytes/hex.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { type Admin, ROLES, type TokenRecord } from '../../../src/domain/admins.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import type { Approval, PolicyChange } from '../../../src/domain/changes.ts'
import { sampleAddition } from './samples.ts'
import type { Testing, With } from './store-suite.ts'

/** Administrators, challenges, tokens and policy changes: what every store does, whatever it is made of. */
export function gatewaySuite(name: string, using: With, test: Testing): void {
  adminSuite(name, using, test)
  challengeSuite(name, using, test)
  tokenSuite(name, using, test)
  changeSuite(name, using, test)
}

export const sampleAdmin = (address: string, over: Partial<Admin> = {}): Admin => ({
  ...{ address, name: `name of ${address}`, roles: ['policy-admin'], active: true, createdAt: 1_000, changedAt: 1_000 },
  ...over,
})

function adminSuite(name: string, using: With, test: Testing): void {
  test(`${name} M-42: administrators are kept, listed by address, found and frozen`, () =>
    using(async ({ admins }) => {
      assert.deepEqual(await admins.list(), [])
      await admins.add(sampleAdmin('GB', { roles: ['auditor', 'requester', 'auditor'] }))
      await admins.add(sampleAdmin('0xA', { active: false, roles: [] }))
      assert.deepEqual(
        (await admins.list()).map(({ address, roles, active }) => [address, roles, active]),
        [
          ['0xA', [], false],
          ['GB', ['requester', 'auditor'], true],
        ],
      )
      const found = await admins.find('GB')
      assert.deepEqual(found, sampleAdmin('GB', { roles: ['requester', 'auditor'] }))
      assert.ok(Object.isFrozen(found) && Object.isFrozen(found?.roles))
      assert.equal(await admins.find('gb'), undefined)
      await assert.rejects(admins.add(sampleAdmin('GB')), { code: 'admin/exists', detail: { address: 'GB' } })
    }))

  test(`${name} M-42: a change changes what it names, and nobody who is not there`, () =>
    using(async ({ admins }) => {
      await admins.add(sampleAdmin('GA'))
      await admins.add(sampleAdmin('GB', { roles: ['auditor'] }))
      const changed = await admins.change('GB', { roles: [...ROLES], at: 2_000 })
      assert.deepEqual(changed, sampleAdmin('GB', { roles: ROLES, changedAt: 2_000 }))
      assert.deepEqual(await admins.find('GB'), changed)
      assert.equal((await admins.change('GB', { active: false, at: 3_000 })).roles.length, ROLES.length)
      assert.equal((await admins.find('GB'))?.active, false)
      await assert.rejects(admins.change('GX', { active: false, at: 1 }), { code: 'admin/unknown' })
    }))

  test(`${name} M-42: the last active policy-admin keeps role and access, whatever else is changed`, () =>
    using(async ({ admins }) => {
      await admins.add(sampleAdmin('GA'))
      await admins.add(sampleAdmin('GB', { roles: ['operator'] }))
      await admins.add(sampleAdmin('GC', { active: false }))
      for (const change of [{ active: false }, { roles: ['auditor'] as const }, { roles: [], active: false }]) {
        await assert.rejects(admins.change('GA', { ...change, at: 2 }), { code: 'admin/last' })
      }
      assert.deepEqual(await admins.find('GA'), sampleAdmin('GA'))
      await admins.change('GA', { roles: ['policy-admin', 'auditor'], at: 2 })
      await admins.change('GB', { active: false, at: 2 })
      await admins.change('GC', { active: true, at: 3 })
      await admins.change('GA', { roles: ['auditor'], at: 4 })
      await assert.rejects(admins.change('GC', { active: false, at: 5 }), { code: 'admin/last' })
    }))

  test(`${name} M-42: 50 rounds of two who disable one another at once: one is left, always`, () =>
    using(async ({ admins }) => {
      for (let round = 0; round < 50; round++) {
        const pair = [`GA${round}`, `GB${round}`] as const
        for (const address of pair) await admins.add(sampleAdmin(address))
        if (round > 0) await admins.change(`GL${round - 1}`, { roles: [], at: 2 })
        const answers = await Promise.allSettled(pair.map(address => admins.change(address, { active: false, at: 3 })))
        assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1, `round ${round}`)
        const refused = answers.find(answer => answer.status === 'rejected')
        assert.ok(refused !== undefined && isSignerError(refused.reason) && refused.reason.code === 'admin/last')
        await admins.add(sampleAdmin(`GL${round}`))
        for (const address of pair) await admins.change(address, { roles: [], at: 4 })
      }
    }))

  test(`${name} M-42: a record that is not whole is not taken`, () =>
    using(async ({ admins }) => {
      for (const bad of [
        { address: '' },
        { roles: ['root'] },
        { roles: 'auditor' },
        { active: 1 },
        { createdAt: -1 },
        { changedAt: Number.NaN },
        { name: 7 },
      ]) {
        const admin = { ...sampleAdmin('GA'), ...bad } as never
        await assert.rejects(admins.add(admin), { code: 'store/unavailable' }, JSON.stringify(bad))
      }
      assert.deepEqual(await admins.list(), [])
    }))
}

function challengeSuite(name: string, using: With, test: Testing): void {
  test(`${name}: a challenge is used once, before it expires, and only if it was issued`, () =>
    using(async ({ challenges }) => {
      assert.equal(await challenges.use('never', 1), false)
      await challenges.issue('c1', 1_000)
      await challenges.issue('c2', 1_000)
      assert.equal(await challenges.use('c1', 1_000), false)
      assert.equal(await challenges.use('c1', 999), true)
      assert.equal(await challenges.use('c1', 999), false)
      await challenges.issue('c1', 5_000) // a nonce that comes again is still used
      assert.equal(await challenges.use('c1', 999), false)
      assert.equal(await challenges.use('c2', 0), true)
    }))

  test(`${name}: 100 rounds of 20 who use one challenge at once: one of them does`, () =>
    using(async ({ challenges }) => {
      for (let round = 0; round < 100; round++) {
        await challenges.issue(`c${round}`, 2_000)
        const uses = await Promise.all(Array.from({ length: 20 }, () => challenges.use(`c${round}`, 1_000)))
        assert.equal(uses.filter(Boolean).length, 1)
      }
    }))
}

const sampleToken = (id: string, over: Partial<TokenRecord> = {}): TokenRecord => ({
  ...{ id, subject: 'payments', issuedBy: 'GA', issuedAt: 1_000, expiresAt: 9_000, grants: '{"scopes":["sign"]}' },
  ...over,
})

function tokenSuite(name: string, using: With, test: Testing): void {
  test(`${name}: tokens are on record, the newest first, until they expire`, () =>
    using(async ({ tokens }) => {
      await tokens.record(sampleToken('t1'))
      await tokens.record(sampleToken('t2', { issuedAt: 2_000 }))
      await tokens.record(sampleToken('t3', { issuedAt: 3_000, expiresAt: 4_000 }))
      assert.deepEqual(await tokens.find('t1'), sampleToken('t1'))
      assert.equal(await tokens.find('t9'), undefined)
      const ids = async (now: number, limit = 10) => (await tokens.list({ now, limit })).map(({ id }) => id)
      assert.deepEqual(await ids(3_999), ['t3', 't2', 't1'])
      assert.deepEqual(await ids(4_000), ['t2', 't1'])
      assert.deepEqual(await ids(0, 2), ['t3', 't2'])
      assert.deepEqual(await ids(9_000), [])
      await assert.rejects(tokens.record(sampleToken('t1', { subject: 'other' })), { code: 'store/unavailable' })
      assert.equal((await tokens.find('t1'))?.subject, 'payments')
    }))

  test(`${name}: a revoked token stays revoked, also one that others issued`, () =>
    using(async ({ tokens }) => {
      await tokens.record(sampleToken('t1'))
      assert.equal(await tokens.isRevoked('t1'), false)
      await tokens.revoke('t1', 2_000, 9_000)
      await tokens.revoke('t1', 3_000, 8_000)
      await tokens.revoke('foreign', 2_000, 9_000)
      assert.equal(await tokens.isRevoked('t1'), true)
      assert.equal(await tokens.isRevoked('foreign'), true)
      assert.equal(await tokens.isRevoked('T1'), false)
      assert.equal((await tokens.find('t1'))?.revokedAt, 2_000)
      assert.equal((await tokens.list({ now: 0, limit: 1 }))[0]?.revokedAt, 2_000)
    }))

  test(`${name}: what is long over is forgotten, and nothing within seven days, so a clock may jump`, () =>
    using(async ({ tokens, challenges }) => {
      const week = 7 * 24 * 60 * 60 * 1000
      await tokens.record(sampleToken('t1'))
      await tokens.revoke('t1', 1_000, 9_000)
      await challenges.issue('c1', 9_000)
      await challenges.use('c1', 1)
      await tokens.revoke('t2', 9_000 + week, 10_000 + week)
      await tokens.record(sampleToken('t2', { issuedAt: 9_000 + week, expiresAt: 10_000 + week }))
      await challenges.issue('c2', 9_000 + week)
      assert.equal(await tokens.isRevoked('t1'), true)
      assert.notEqual(await tokens.find('t1'), undefined)
      await tokens.revoke('t3', 9_001 + week, 10_000 + week)
      await tokens.record(sampleToken('t3', { issuedAt: 9_001 + week, expiresAt: 10_000 + week }))
      assert.equal(await tokens.isRevoked('t1'), false)
      assert.equal(await tokens.find('t1'), undefined)
    }))
}

const OLD = '{"rules":[]}'
const NEW = '{"rules":["pay"]}'
const hashOf = (text: string) => toHex(sha256(new TextEncoder().encode(text)))

const proposal = (id: string, over: Partial<PolicyChange> = {}) => ({
  ...{ id, key: 'treasury', fromHash: hashOf(OLD), toHash: hashOf(NEW), toText: NEW, direction: 'loosening' as const },
  testsText: '[{"name":"a test"}]',
  ...{ proposedBy: 'GA', proposedAt: 1_000, expiresAt: 9_000 },
  ...over,
})
export const sampleProposal = (id: string, toText: string) => proposal(id, { toText, toHash: hashOf(toText) })
const approval = (address: string, at = 2_000): Approval => ({ address, signature: `signed by ${address}`, at })

function changeSuite(name: string, using: With, test: Testing): void {
  test(`${name}: a policy change is proposed, approved, activated; the key then has the new policy, sealed`, () =>
    using(async ({ changes, keys }) => {
      await keys.add(sampleAddition('treasury'))
      await keys.add(sampleAddition('other'))
      await keys.resolve('treasury') // what was read before is not what is read after
      await changes.propose(proposal('p1'))
      assert.deepEqual(await changes.find('p1'), { ...proposal('p1'), state: 'proposed', approvals: [] })
      await changes.approve('p1', approval('GB', 3_000))
      const approved = await changes.approve('p1', approval('GA'))
      assert.deepEqual(approved.approvals, [approval('GA'), approval('GB', 3_000)])
      const done = await changes.activate('p1', 4_000)
      assert.equal(done.state, 'activated')
      assert.deepEqual(await changes.find('p1'), done)
      const resolved = await keys.resolve('treasury')
      assert.equal(resolved?.key.policy, NEW)
      assert.equal(resolved?.key.policyHash, hashOf(NEW))
      assert.equal((await keys.resolve('other'))?.key.policy, OLD)
      assert.equal((await keys.list()).length, 2)
      assert.ok(await keys.setState('treasury', 1, 'quarantined', ['active'])) // the seal holds
    }))

  test(`${name}: a change that is void, over or done is refused whole`, () =>
    using(async ({ changes, keys }) => {
      const conflict = { code: 'change/conflict' }
      await keys.add(sampleAddition('treasury'))
      await changes.propose(proposal('p1'))
      await assert.rejects(changes.propose(proposal('p1')), conflict)
      await assert.rejects(changes.propose(proposal('p2', { toText: OLD })), conflict)
      await changes.approve('p1', approval('GA'))
      await assert.rejects(changes.approve('p1', approval('GA')), conflict)
      await assert.rejects(changes.approve('p1', approval('GB', 9_000)), conflict)
      await assert.rejects(changes.activate('p1', 9_000), conflict)
      await changes.propose(proposal('p3', { fromHash: 'f'.repeat(64) }))
      await assert.rejects(changes.activate('p3', 4_000), conflict)
      await changes.propose(proposal('p4', { key: 'nobody' }))
      await assert.rejects(changes.activate('p4', 4_000), conflict)
      assert.equal((await changes.withdraw('p3')).state, 'withdrawn')
      for (const id of ['p3']) {
        await assert.rejects(changes.approve(id, approval('GB')), conflict)
        await assert.rejects(changes.activate(id, 4_000), conflict)
        await assert.rejects(changes.withdraw(id), conflict)
      }
      const unknown = { code: 'change/unknown' }
      await assert.rejects(changes.approve('p9', approval('GA')), unknown)
      await assert.rejects(changes.activate('p9', 1), unknown)
      await assert.rejects(changes.withdraw('p9'), unknown)
      assert.equal((await keys.resolve('treasury'))?.key.policy, OLD)
      assert.equal(await changes.find('p9'), undefined)
    }))

  test(`${name}: changes are listed by key, the newest first`, () =>
    using(async ({ changes }) => {
      await changes.propose(proposal('p1'))
      await changes.propose(proposal('p2', { proposedAt: 2_000 }))
      await changes.propose(proposal('p3', { proposedAt: 3_000, key: 'other' }))
      await changes.approve('p2', approval('GA'))
      const ids = async (key: string | undefined, limit = 9) => (await changes.list(key, limit)).map(({ id }) => id)
      assert.deepEqual(await ids(undefined), ['p3', 'p2', 'p1'])
      assert.deepEqual(await ids(undefined, 1), ['p3'])
      assert.deepEqual(await ids('treasury'), ['p2', 'p1'])
      assert.equal((await changes.list('treasury', 1))[0]?.approvals.length, 1)
    }))

  test(`${name}: 30 rounds of two changes activated at once: one comes into force, the other is void`, () =>
    using(async ({ changes, keys }) => {
      await keys.add(sampleAddition('treasury'))
      let inForce = OLD
      for (let round = 0; round < 30; round++) {
        const texts = [`{"a":${round}}`, `{"b":${round}}`]
        const ids = texts.map((_, n) => `p${round}-${n}`)
        for (const [n, toText] of texts.entries()) {
          const hashes = { fromHash: hashOf(inForce), toHash: hashOf(toText) }
          await changes.propose(proposal(ids[n] ?? '', { ...hashes, toText }))
        }
        const answers = await Promise.allSettled(ids.map(id => changes.activate(id, 2_000)))
        const won = answers.findIndex(({ status }) => status === 'fulfilled')
        assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
        inForce = texts[won] ?? assert.fail()
        assert.equal((await keys.resolve('treasury'))?.key.policy, inForce)
      }
    }))
}
