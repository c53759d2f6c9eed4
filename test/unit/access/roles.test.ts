import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  checkRoles,
  DUTIES,
  PERMISSIONS,
  type Permission,
  permissionsOf,
  ROLE_PERMISSIONS,
} from '../../../src/access/roles.ts'
import { authorizeAdmin, openSession, SESSION_SCOPE, sessionClaims } from '../../../src/access/session.ts'
import { type Role, ROLES } from '../../../src/domain/admins.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { admin, adminsIn, stellarPerson } from '../../support/login-world.ts'

const subsets = <T>(all: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: 2 ** all.length }, (_, bits) => all.filter((_, at) => (bits >> at) & 1))
const code = (expected: string) => (error: unknown) => isSignerError(error) && error.code === expected
const passes = (run: () => unknown): boolean => {
  try {
    run()
    return true
  } catch {
    return false
  }
}
const holds = (held: ReadonlySet<Permission>, duty: readonly Permission[]) => duty.some(one => held.has(one))

test('D18 T64 the table of roles is what it is: a change here is a decision', () => {
  const common = ['keys:read', 'policies:read', 'status:read']
  const own = Object.fromEntries(
    Object.entries(ROLE_PERMISSIONS).map(([role, held]) => [
      role,
      held.filter(one => !common.includes(one)).toSorted(),
    ]),
  )
  assert.deepEqual(own, {
    requester: ['sign'],
    approver: ['approvals:decide', 'policies:approve'],
    operator: ['flags:set', 'keys:revoke', 'tokens:issue', 'tokens:read', 'tokens:revoke'],
    auditor: ['admins:read', 'audit:read', 'tokens:read'],
    'key-admin': ['keys:bind', 'keys:create', 'keys:destroy', 'keys:restore', 'keys:revoke'],
    'policy-admin': ['admins:manage', 'admins:read', 'policies:activate', 'policies:propose'],
  })
  for (const role of ROLES) for (const one of common) assert.ok(permissionsOf([role]).has(one as Permission))
})

test('every permission is held by some role, but the one that a quorum gives; and no role names one twice', () => {
  assert.deepEqual([...permissionsOf(ROLES), 'keys:unrevoke'].toSorted(), [...PERMISSIONS].toSorted())
  for (const role of ROLES) assert.equal(new Set(ROLE_PERMISSIONS[role]).size, ROLE_PERMISSIONS[role].length)
})

test('D18 of all 64 combinations of roles none that is given out holds sign, approve and policy', () => {
  const tally = { given: 0, refused: 0 }
  for (const roles of subsets(ROLES)) {
    const held = permissionsOf(roles)
    const all = Object.values(DUTIES).every(duty => holds(held, duty))
    if (passes(() => checkRoles(roles))) {
      tally.given++
      assert.ok(!all, roles.join())
    } else {
      tally.refused++
      assert.ok(all || roles.length === 0, roles.join())
      assert.throws(() => checkRoles(roles), code('request/malformed'))
    }
  }
  // Refused: the empty one, and approver with policy-admin and at least one of requester and operator, auditor and key-admin or not.
  assert.deepEqual(tally, { given: 51, refused: 13 })
  for (const role of ROLES) assert.deepEqual(checkRoles([role]), [role])
})

test('T64 role × permission: what the table lists and nothing else, 0 surplus grants of 1344', () => {
  let asked = 0
  for (const roles of subsets(ROLES)) {
    for (const permission of PERMISSIONS) {
      asked++
      const listed = roles.some(role => (ROLE_PERMISSIONS[role] as readonly Permission[]).includes(permission))
      const expected = listed && (roles.length === 0 || passes(() => checkRoles(roles)))
      assert.equal(
        passes(() => authorizeAdmin({ active: true, roles }, permission)),
        expected,
        `${roles.join()} ${permission}`,
      )
      assert.throws(() => authorizeAdmin({ active: false, roles }, permission), code('access/denied'))
    }
  }
  assert.equal(asked, 1344)
})

test('T64 roles from a store that somebody wrote to: unknown words hold nothing', () => {
  for (const word of ['root', 'toString', '__proto__', 'constructor', '', 'Operator']) {
    assert.equal(permissionsOf([word as Role]).size, 0, word)
    assert.throws(() => checkRoles([word]), code('request/malformed'))
  }
  assert.throws(() => checkRoles(['auditor', 'auditor']), code('request/malformed'))
  assert.deepEqual(checkRoles(['auditor', 'requester']), ['requester', 'auditor'])
})

const NOW = 1_700_000_000_000
const alice = stellarPerson(1).address
const tokenOf = (address: string, now = NOW) => {
  const { sub, iat, scope } = sessionClaims({ address }, { id: 'jti_1', now })
  return { subject: sub, issuedAt: iat * 1000, scope }
}

test('claims of a session: the address, a life of at most 900 s, no role', () => {
  assert.deepEqual(sessionClaims({ address: alice }, { id: 'jti_1', now: NOW + 999 }), {
    sub: alice,
    jti: 'jti_1',
    iat: NOW / 1000,
    exp: NOW / 1000 + 900,
    scope: 'admin:session',
  })
  for (const seconds of [0, 901, 1.5, Number.NaN, -1])
    assert.throws(() => sessionClaims({ address: alice }, { id: 'x', now: NOW, seconds }), code('config/invalid'))
})

test('M-41 roles are asked of the store at each request: a disabled administrator is out at once', async () => {
  const list = [admin(alice, ['auditor'])]
  const admins = adminsIn(list)
  const token = tokenOf(alice)
  assert.deepEqual(await openSession(token, admins), list[0])
  list[0] = admin(alice, ['auditor'], { active: false, changedAt: NOW })
  await assert.rejects(openSession(token, admins), code('access/denied'))
  list.length = 0
  await assert.rejects(openSession(token, admins), code('access/denied'))
  assert.deepEqual(admins.asked, [alice, alice, alice])
})

test('a session ends when its administrator is changed, also when enabled again', async () => {
  const list = [admin(alice, ['auditor'], { changedAt: NOW })]
  await openSession(tokenOf(alice), adminsIn(list))
  await openSession(tokenOf(alice), adminsIn([admin(alice, ['auditor'], { changedAt: NOW + 999 })]))
  const later = adminsIn([admin(alice, ['auditor'], { changedAt: NOW + 1000 })])
  await assert.rejects(openSession(tokenOf(alice), later), code('access/denied'))
  const timeless = { ...tokenOf(alice), issuedAt: Number.NaN }
  await assert.rejects(openSession(timeless, adminsIn(list)), code('access/denied'))
})

test('T64 a token of a service is no session, whatever its subject says', async () => {
  const admins = adminsIn([admin(alice, ['policy-admin'])])
  for (const scope of ['', 'sign:*', `sign:* ${SESSION_SCOPE}`, `${SESSION_SCOPE} `, 'admin:session2'])
    await assert.rejects(openSession({ ...tokenOf(alice), scope }, admins), code('access/denied'))
  assert.deepEqual(admins.asked, [])
  // A store that finds more than it was asked for.
  const sloppy = { find: async () => admin(alice, ['policy-admin']) }
  await assert.rejects(openSession(tokenOf(alice.toLowerCase()), sloppy), code('access/denied'))
})
