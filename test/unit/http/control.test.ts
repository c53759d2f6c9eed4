import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditRecord } from '../../../src/domain/audit.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import { type CallOptions, type ControlRig, openControlRig, person, RULE } from '../../support/control-rig.ts'
import { DEMO, DENIES, PAYLOAD, STRICT } from '../../support/control-samples.ts'
import { NOW, problemOf } from '../../support/rig.ts'

type Json = Record<string, any>
const json = async (response: Response): Promise<Json> => (await response.json()) as Json

/** The answer, once its status is the one expected. */
async function ok(rig: ControlRig, method: string, path: string, options: CallOptions, status = 200): Promise<Json> {
  const response = await rig.call(method, path, options)
  const answer = await json(response)
  assert.equal(response.status, status, `${method} ${path}: ${JSON.stringify(answer)}`)
  return answer
}
async function refused(rig: ControlRig, method: string, path: string, options: CallOptions): Promise<Json> {
  return problemOf(await rig.call(method, path, options))
}
/** Events and refusals of one operation, as `outcome` or error code. */
const storyOf = (records: readonly AuditRecord[], name: string): unknown[] =>
  records.flatMap(record => {
    if (record.kind === 'event' && record.event === name) return [record.detail['outcome']]
    if (record.kind === 'outcome' && record.operation === name) return [record.errorCode]
    return []
  })

test('M-42 administrators are added, listed, changed and disabled; each write stands on record before and after', async () => {
  const rig = openControlRig()
  const chief = await rig.admin('policy-admin')
  const who = person('newcomer')
  const added = await ok(
    rig,
    'POST',
    '/v1/admins',
    { as: chief.address, body: { address: who.address, name: 'Ann', roles: ['operator'] } },
    201,
  )
  assert.deepEqual([added['address'], added['roles'], added['active']], [who.address, ['operator'], true])
  const path = `/v1/admins/${who.address}`
  assert.deepEqual(
    (await ok(rig, 'PATCH', path, { as: chief.address, body: { roles: ['auditor', 'approver'] } }))['roles'],
    ['approver', 'auditor'],
  )
  assert.equal((await ok(rig, 'PATCH', path, { as: chief.address, body: { active: false } }))['active'], false)
  const { admins } = await ok(rig, 'GET', '/v1/admins', { as: chief.address })
  assert.equal(admins.length, 2)
  assert.deepEqual(storyOf(rig.records(), 'admins.add'), ['accepted', 'done'])
  assert.deepEqual(storyOf(rig.records(), 'admins.change'), ['accepted', 'done', 'accepted', 'done'])
  const done = rig.records().find(record => record.kind === 'event' && record.detail['outcome'] === 'done')
  assert.ok(done?.kind === 'event')
  assert.deepEqual(done.actor, { subject: chief.address, tokenId: `jti_${chief.address}`, peer: '127.0.0.1' })
  assert.deepEqual([done.detail['permission'], done.detail['address']], ['admins:manage', who.address])
})

test('T64 nobody changes their own roles, nobody gets roles that do not go together, and the last policy-admin stays', async () => {
  const rig = openControlRig()
  const chief = await rig.admin('policy-admin')
  const own = `/v1/admins/${chief.address}`
  for (const roles of [['operator'], ['policy-admin', 'approver'], ['policy-admin']]) {
    assert.equal((await refused(rig, 'PATCH', own, { as: chief.address, body: { roles } }))['code'], 'access/denied')
  }
  const all = ['operator', 'approver', 'policy-admin']
  const bad = await refused(rig, 'POST', '/v1/admins', {
    as: chief.address,
    body: { address: person('x').address, name: 'x', roles: all },
  })
  assert.deepEqual([bad['code'], bad['field']], ['request/malformed', 'roles'])
  assert.equal((await refused(rig, 'PATCH', own, { as: chief.address, body: { active: false } }))['code'], 'admin/last')
  assert.equal(
    (await refused(rig, 'PATCH', `/v1/admins/${person('y').address}`, { as: chief.address, body: { active: true } }))[
      'code'
    ],
    'admin/unknown',
  )
  const again = { address: chief.address, name: 'again', roles: ['auditor'] }
  assert.equal((await refused(rig, 'POST', '/v1/admins', { as: chief.address, body: again }))['code'], 'admin/exists')
  for (const address of ['', 'G', 'M'.repeat(69), `0x${'A'.repeat(40)}`, `0x${'a'.repeat(39)}`, `${chief.address}x`]) {
    const answer = await refused(rig, 'POST', '/v1/admins', {
      as: chief.address,
      body: { address, name: 'x', roles: ['auditor'] },
    })
    assert.equal(answer['code'], 'request/malformed', address)
  }
  assert.deepEqual(
    (await rig.parts.admins.list()).map(({ roles }) => roles),
    [['policy-admin']],
  )
})

test('M-51 a write takes an Idempotency-Key: the same again does nothing twice, another body is 422', async () => {
  const rig = openControlRig()
  const chief = await rig.admin('policy-admin')
  const body = { address: person('a').address, name: 'a', roles: ['auditor'] }
  const options = { as: chief.address, body, idempotencyKey: 'one' }
  assert.equal(
    (await refused(rig, 'POST', '/v1/admins', { ...options, idempotencyKey: undefined }))['code'],
    'idempotency/missing',
  )
  assert.equal(
    (await refused(rig, 'POST', '/v1/admins', { ...options, idempotencyKey: 'a b' }))['code'],
    'idempotency/malformed',
  )
  const first = await ok(rig, 'POST', '/v1/admins', options, 201)
  const replay = await rig.call('POST', '/v1/admins', options)
  assert.equal(replay.headers.get('idempotency-replayed'), 'true')
  assert.deepEqual(await json(replay), first)
  const other = { ...options, body: { ...body, name: 'b' } }
  assert.deepEqual((await refused(rig, 'POST', '/v1/admins', other))['code'], 'idempotency/mismatch')
  assert.equal(
    (await refused(rig, 'PATCH', `/v1/admins/${body.address}`, { ...options, body: { active: false } }))['code'],
    'idempotency/mismatch',
  )
  assert.equal(
    (await refused(rig, 'POST', '/v1/admins', { ...options, idempotencyKey: 'two' }))['code'],
    'admin/exists',
  )
  assert.equal((await rig.parts.admins.list()).length, 2)
  // Keys of different administrators are different keys.
  const second = await rig.admin('policy-admin', 'second')
  const theirs = { as: second.address, body: { ...body, address: person('c').address }, idempotencyKey: 'one' }
  await ok(rig, 'POST', '/v1/admins', theirs, 201)
})

test('M-51 two at once under one Idempotency-Key: one works, the other hears 409', async () => {
  const { promise: open, resolve: letGo } = Promise.withResolvers<void>()
  const rig = openControlRig({
    parts: real => ({ ...real, restore: async (...given) => (await open, real.restore(...given)) }),
  })
  const admin = await rig.admin('key-admin')
  const options = { as: admin.address, idempotencyKey: 'k' }
  const first = rig.call('POST', '/v1/keys/frozen/restore', options)
  assert.equal((await refused(rig, 'POST', '/v1/keys/frozen/restore', options))['code'], 'idempotency/in-flight')
  letGo()
  assert.equal((await json(await first))['state'], 'active')
  const replay = await rig.call('POST', '/v1/keys/frozen/restore', options)
  assert.deepEqual([replay.status, (await json(replay))['name']], [200, 'frozen'])
  assert.equal(
    (await refused(rig, 'POST', '/v1/keys/treasury/restore', { as: admin.address }))['code'],
    'key/unsupported',
  )
})

test('M-60 restore: which version is asked for is in the query, as a number and once, and part of what a retry is', async () => {
  const rig = openControlRig()
  const admin = await rig.admin('key-admin')
  for (const query of ['version=0', 'version=01', 'version=-1', 'version=1e0', 'version=', 'version=latest', 'v=1']) {
    const problem = await refused(rig, 'POST', `/v1/keys/frozen/restore?${query}`, { as: admin.address })
    assert.equal(problem['code'], 'request/malformed', query)
  }
  const twice = await refused(rig, 'POST', '/v1/keys/frozen/restore?version=1&version=1', { as: admin.address })
  assert.equal(twice['code'], 'request/malformed')
  const options = { as: admin.address, idempotencyKey: 'k' }
  const none = await refused(rig, 'POST', '/v1/keys/frozen/restore?version=9', { as: admin.address })
  assert.equal(none['code'], 'key/unknown')
  assert.equal((await json(await rig.call('POST', '/v1/keys/frozen/restore?version=1', options)))['state'], 'active')
  const other = await refused(rig, 'POST', '/v1/keys/frozen/restore?version=2', options)
  assert.equal(other['code'], 'idempotency/mismatch')
  const done = rig.records().findLast(each => each.kind === 'event' && each.event === 'keys.restore')
  assert.deepEqual(done?.kind === 'event' && [done.detail['version'], done.detail['to'], done.detail['outcome']], [
    1,
    'active',
    'done',
  ])
})

test('M-40 service tokens: issued with limits, listed, revoked; the token itself is shown once', async () => {
  const rig = openControlRig()
  const operator = await rig.admin('operator')
  const body = {
    subject: 'payouts',
    scopes: ['sign:treasury'],
    seconds: 300,
    constraints: { networks: ['testnet'], limit: 5 },
    confirmation: { jkt: 'A'.repeat(43) },
  }
  const options = { as: operator.address, body, idempotencyKey: 'token' }
  const issued = await ok(rig, 'POST', '/v1/tokens', options, 201)
  assert.equal(issued['token'].split('.').length, 3)
  assert.equal(issued['issuedBy'], operator.address)
  const { token: _, ...rest } = issued
  assert.deepEqual(
    await ok(rig, 'POST', '/v1/tokens', options, 201),
    rest,
    'a replay shows what was made, not the token',
  )
  assert.equal((await ok(rig, 'GET', '/v1/tokens', { as: operator.address }))['tokens'].length, 1)
  assert.deepEqual(await ok(rig, 'DELETE', `/v1/tokens/${issued['id']}`, { as: operator.address }), {
    id: issued['id'],
    revoked: true,
  })
  assert.equal(await rig.parts.tokens.isRevoked(issued['id']), true)
  const [listed] = (await ok(rig, 'GET', '/v1/tokens', { as: operator.address }))['tokens']
  assert.equal(listed.revokedAt, new Date(NOW).toISOString())
  assert.equal(JSON.stringify(rig.records()).includes(issued['token']), false, 'no token on record')
  const wishes = [
    { ...body, confirmation: undefined },
    { ...body, scopes: ['admin:session'] },
    { ...body, scopes: ['sign:treasury', 'sign:treasury'] },
    { ...body, scopes: [] },
    { ...body, seconds: 901 },
    { ...body, seconds: 0 },
    { ...body, constraints: { network: ['testnet'] } },
    { ...body, confirmation: { jkt: 'short' } },
    { ...body, confirmation: { jkt: 'A'.repeat(43), 'x5t#S256': 'A'.repeat(43) } },
    { ...body, subject: '' },
    { ...body, issuedBy: 'me' },
  ]
  for (const wish of wishes) {
    const answer = await refused(rig, 'POST', '/v1/tokens', { as: operator.address, body: wish })
    assert.equal(answer['code'], 'request/malformed', JSON.stringify(wish))
  }
  assert.equal((await ok(rig, 'GET', '/v1/tokens', { as: operator.address }))['tokens'].length, 1)
})

test('T64 who is disabled, or may give out no tokens any more, takes the tokens they gave out with them', async () => {
  const wish = { subject: 'payouts', scopes: ['read:treasury'] }
  for (const change of [{ active: false }, { roles: ['auditor'] }]) {
    const rig = openControlRig()
    const chief = await rig.admin('policy-admin')
    const [ann, bob] = [await rig.admin('operator', 'ann'), await rig.admin('operator', 'bob')]
    const [one, other] = [
      await ok(rig, 'POST', '/v1/tokens', { as: ann.address, body: wish }, 201),
      await ok(rig, 'POST', '/v1/tokens', { as: bob.address, body: wish }, 201),
    ]
    const gone = await ok(rig, 'POST', '/v1/tokens', { as: ann.address, body: { ...wish, seconds: 1 } }, 201)
    rig.clock.advance(5_000) // its life is over, the patience with slow clocks is not
    await ok(rig, 'PATCH', `/v1/admins/${ann.address}`, { as: chief.address, body: { roles: ['operator', 'auditor'] } })
    assert.equal(await rig.parts.tokens.isRevoked(one['id']), false, 'may give out tokens still')
    await ok(rig, 'PATCH', `/v1/admins/${ann.address}`, { as: chief.address, body: change })
    assert.deepEqual(await Promise.all([one, gone, other].map(({ id }) => rig.parts.tokens.isRevoked(id))), [
      true,
      true,
      false,
    ])
    const done = rig.records().findLast(record => record.kind === 'event' && record.event === 'admins.change')
    assert.equal(done?.kind === 'event' && done.detail['revokedTokens'], 2)
  }
})

test('T64 a token that is made while its maker is being disabled is not handed out, and is taken back', async () => {
  const made: string[] = []
  const rig = openControlRig({
    parts: real => ({
      ...real,
      tokens: {
        ...real.tokens,
        record: async token => {
          made.push(token.id)
          await real.admins.change(token.issuedBy, { active: false, at: real.world.clock.now() })
          await real.tokens.record(token) // after whoever disabled them has looked which there are
        },
      },
    }),
  })
  const ann = await rig.admin('operator', 'ann')
  const body = { subject: 'payouts', scopes: ['read:treasury'] }
  assert.equal((await refused(rig, 'POST', '/v1/tokens', { as: ann.address, body }))['code'], 'access/denied')
  assert.equal(made.length, 1)
  assert.equal(await rig.parts.tokens.isRevoked(made[0] ?? ''), true)
})

test('M-45 who is not let in is counted by address: nobody tries tokens without end', async () => {
  const visitors: (string | undefined)[] = []
  let left = 3
  const rig = openControlRig({
    parts: real => ({
      ...real,
      admit: async ({ subject }) => {
        visitors.push(subject)
        if (left-- > 0) return {}
        throw new SignerError('access/limited', { scope: 'address', limit: 3, windowSeconds: 60, retryAfterMs: 1_000 })
      },
    }),
  })
  const tries = [{ token: 'Bearer no' }, {}, { as: person('stranger').address }, { token: 'Bearer no' }]
  const codes: unknown[] = []
  for (const options of tries) codes.push((await refused(rig, 'GET', '/v1/status', options))['code'])
  assert.deepEqual(codes, ['token/invalid', 'token/missing', 'access/denied', 'access/limited'])
  assert.deepEqual(visitors, [undefined, undefined, undefined, undefined])
})

test('T64 the address of a key that signs here names no administrator: whoever may ask for its signatures could log in', async () => {
  const rig = openControlRig()
  const chief = await rig.admin('policy-admin')
  const body = { address: person('treasury').address, name: 'T', roles: ['approver'] }
  const answer = await refused(rig, 'POST', '/v1/admins', { as: chief.address, body })
  assert.deepEqual([answer['code'], answer['field']], ['request/malformed', 'address'])
})

const PROPOSE = '/v1/keys/treasury/policy/changes'
const WIDER = { ...DEMO, fee: { maxStroops: '200000000' } }
const SAYS = (expect: string) => [{ name: 'the example', payload: PAYLOAD, now: NOW, expect }]

test('T61 a loosening takes two approvals of others over the exact text, then it is in force', async () => {
  const rig = openControlRig()
  const chief = await rig.admin('policy-admin')
  const [ann, bob, cid] = [await rig.admin('approver', 'ann'), await rig.admin('approver', 'bob'), person('cid')]
  const change = await ok(
    rig,
    'POST',
    PROPOSE,
    { as: chief.address, body: { policy: WIDER, tests: SAYS('allow') } },
    201,
  )
  assert.deepEqual([change['direction'], change['state'], change['tests'][0].passed], ['loosening', 'proposed', true])
  const at = `/v1/changes/${change['id']}`
  const approve = (who: typeof ann, signature: string) =>
    rig.call('POST', `${at}/approvals`, { as: who.address, body: { signature } })
  const early = await refused(rig, 'POST', `${at}/activate`, { as: chief.address })
  assert.deepEqual([early['code'], early['needed'], early['given']], ['change/not-approved', 2, 0])
  // Of another text, of somebody else, of nothing.
  for (const signature of [ann.sign(`${change['text']} `), bob.sign(change['text']), 'AAAA', '0x00']) {
    assert.deepEqual((await problemOf(await approve(ann, signature)))['field'], 'signature')
  }
  assert.equal((await approve(ann, ann.sign(change['text']))).status, 200)
  assert.equal((await problemOf(await approve(ann, ann.sign(change['text'])))).code, 'change/conflict')
  assert.equal((await refused(rig, 'POST', `${at}/activate`, { as: chief.address }))['given'], 1)
  // Who was made an approver for this one change has no say in it.
  rig.clock.advance(1_000)
  await ok(
    rig,
    'POST',
    '/v1/admins',
    { as: chief.address, body: { address: cid.address, name: 'cid', roles: ['approver'] } },
    201,
  )
  assert.equal((await problemOf(await approve(cid, cid.sign(change['text'])))).code, 'access/denied')
  assert.equal((await approve(bob, bob.sign(change['text']))).status, 200)
  const done = await ok(rig, 'POST', `${at}/activate`, { as: chief.address, idempotencyKey: 'go' })
  assert.equal(done['state'], 'activated')
  assert.equal((await ok(rig, 'GET', '/v1/keys/treasury/policy', { as: ann.address }))['policyHash'], change['toHash'])
  assert.equal(
    (await ok(rig, 'POST', `${at}/activate`, { as: chief.address, idempotencyKey: 'go' }))['state'],
    'activated',
  )
  assert.equal((await refused(rig, 'POST', `${at}/activate`, { as: chief.address }))['code'], 'change/conflict')
  assert.equal((await refused(rig, 'POST', `${at}/withdraw`, { as: chief.address }))['code'], 'change/conflict')
  assert.equal(
    storyOf(rig.records(), 'changes.activate').join(),
    'accepted,change/not-approved,accepted,change/not-approved,accepted,done,replayed,accepted,change/conflict',
  )
})

test('T61 one policy-admin who adds approvers of their own beforehand gets no loosening through, where approvers are named', async () => {
  const [ann, bob] = [person('ann'), person('bob')]
  const approvals = { ...RULE, approvers: [ann.address, bob.address] }
  const rig = openControlRig({ parts: real => ({ ...real, approvals }) })
  const chief = await rig.admin('policy-admin')
  await rig.admin('approver', 'ann')
  const puppets = ['puppet-1', 'puppet-2'].map(person)
  for (const { address } of puppets) {
    const body = { address, name: 'puppet', roles: ['approver'] }
    await ok(rig, 'POST', '/v1/admins', { as: chief.address, body }, 201)
  }
  rig.clock.advance(24 * 3_600_000)
  const propose = { as: chief.address, body: { policy: WIDER, tests: SAYS('allow') } }
  const change = await ok(rig, 'POST', PROPOSE, propose, 201)
  const at = `/v1/changes/${change['id']}`
  const approve = (who: typeof ann) =>
    rig.call('POST', `${at}/approvals`, { as: who.address, body: { signature: who.sign(change['text']) } })
  for (const puppet of puppets) {
    const problem = await problemOf(await approve(puppet))
    assert.deepEqual([problem.code, String(problem['reason']).includes('approvals.approvers')], ['access/denied', true])
    // Nor by a row that somebody put there.
    const approval = { address: puppet.address, signature: puppet.sign(change['text']), at: rig.clock.now() }
    await rig.parts.changes.approve(change['id'], approval)
  }
  assert.equal((await approve(ann)).status, 200)
  const early = await refused(rig, 'POST', `${at}/activate`, { as: chief.address })
  assert.deepEqual([early['code'], early['given']], ['change/not-approved', 1])
  await ok(rig, 'POST', `${at}/withdraw`, { as: chief.address })
  await rig.admin('approver', 'bob')
  const second = await ok(rig, 'POST', PROPOSE, { ...propose, idempotencyKey: 'second' }, 201)
  for (const who of [ann, bob]) {
    const body = { signature: who.sign(second['text']) }
    await ok(rig, 'POST', `/v1/changes/${second['id']}/approvals`, { as: who.address, body })
  }
  await ok(rig, 'POST', `/v1/changes/${second['id']}/activate`, { as: chief.address })
})

test('a tightening takes one approval; a change made for another policy is void; an expired one is over', async () => {
  const rig = openControlRig()
  const chief = await rig.admin('policy-admin')
  const ann = await rig.admin('approver', 'ann')
  const propose = (policy: unknown, expect: string, more = {}) =>
    rig.call('POST', PROPOSE, { as: chief.address, body: { policy, tests: SAYS(expect), ...more } })
  const strict = await json(await propose(STRICT, 'deny'))
  const wider = await json(await propose(WIDER, 'allow'))
  const late = await json(await propose({ ...STRICT, network: 'testnet' }, 'deny'))
  assert.equal(strict['direction'], 'tightening')
  const path = (change: Json, what = '') => `/v1/changes/${change['id']}${what}`
  await ok(rig, 'POST', path(strict, '/approvals'), { as: ann.address, body: { signature: ann.sign(strict['text']) } })
  await ok(rig, 'POST', path(strict, '/activate'), { as: chief.address })
  await ok(rig, 'POST', path(wider, '/approvals'), { as: ann.address, body: { signature: ann.sign(wider['text']) } })
  assert.equal((await refused(rig, 'POST', path(wider, '/activate'), { as: chief.address }))['code'], 'change/conflict')
  rig.clock.advance(86_400_000)
  assert.equal((await ok(rig, 'GET', path(late), { as: ann.address }))['state'], 'expired')
  const signature = ann.sign(late['text'])
  assert.equal(
    (await refused(rig, 'POST', path(late, '/approvals'), { as: ann.address, body: { signature } }))['code'],
    'change/conflict',
  )
  assert.equal((await refused(rig, 'POST', path(late, '/activate'), { as: chief.address }))['code'], 'change/conflict')
  assert.equal((await ok(rig, 'POST', path(late, '/withdraw'), { as: chief.address }))['state'], 'withdrawn')
  const { changes } = await ok(rig, 'GET', PROPOSE, { as: ann.address })
  assert.deepEqual(changes.map((each: Json) => each['state']).toSorted(), ['activated', 'expired', 'withdrawn'])
  assert.equal((await problemOf(await propose(STRICT, 'deny'))).code, 'change/conflict', 'in force already')
  assert.equal((await problemOf(await propose(DEMO, 'allow', { fromHash: '0'.repeat(64) }))).code, 'change/conflict')
  assert.equal(
    (await refused(rig, 'GET', `/v1/changes/c_${'9'.repeat(32)}`, { as: ann.address }))['code'],
    'change/unknown',
  )
})

test('M-49 golden tests stand with the change, are bound by its text, and must pass again when it is put in force', async () => {
  const broken = { now: false }
  const rig = openControlRig({
    parts: real => ({
      ...real,
      changes: {
        ...real.changes,
        find: async id => {
          const found = await real.changes.find(id)
          if (found === undefined || !broken.now) return found
          return { ...found, testsText: found.testsText.replace('"deny"', '"allow"') }
        },
      },
    }),
  })
  const chief = await rig.admin('policy-admin')
  const ann = await rig.admin('approver', 'ann')
  const body = { policy: STRICT, tests: SAYS('deny') }
  const change = await ok(rig, 'POST', PROPOSE, { as: chief.address, body }, 201)
  const at = `/v1/changes/${change['id']}`
  const seen = await ok(rig, 'GET', at, { as: ann.address })
  assert.deepEqual(seen['goldenTests'], SAYS('deny'), 'approvers see what they agree to')
  assert.ok(String(seen['text']).includes('"testsHash":"'))
  await ok(rig, 'POST', `${at}/approvals`, { as: ann.address, body: { signature: ann.sign(seen['text']) } })
  broken.now = true // as a new version that judges differently, or a row that somebody wrote
  const refusal = await refused(rig, 'POST', `${at}/activate`, { as: chief.address })
  assert.equal(refusal['code'], 'change/conflict')
  assert.match(String(refusal['reason']), /golden tests do not pass any more: 1 of 1/)
  broken.now = false
  assert.equal((await ok(rig, 'POST', `${at}/activate`, { as: chief.address }))['state'], 'activated')
})

test('a proposal whose golden tests do not pass does not come to stand', async () => {
  const rig = openControlRig()
  const chief = await rig.admin('policy-admin')
  const wrong: ReadonlyArray<readonly [unknown, string]> = [
    [{ policy: WIDER, tests: SAYS('deny') }, 'tests'],
    [{ policy: STRICT, tests: [{ ...DENIES, rule: 'memo' }] }, 'tests'],
    [{ policy: STRICT, tests: [{ ...DENIES, payload: { type: 'stellar-transaction', xdr: 'AAAA' } }] }, 'tests'],
    [{ policy: STRICT, tests: [] }, '/tests'],
    [{ policy: STRICT }, '/tests'],
    [{ policy: { ...STRICT, oops: 1 }, tests: SAYS('deny') }, 'file.policy.oops'],
    [{ policy: STRICT, tests: [{ ...DENIES, xdr: 'AAAA' }] }, 'file.tests.0'],
  ]
  for (const [body, field] of wrong) {
    const answer = await refused(rig, 'POST', PROPOSE, { as: chief.address, body })
    assert.deepEqual([answer['code'], answer['field']], ['request/malformed', field], JSON.stringify(answer))
  }
  assert.deepEqual((await ok(rig, 'GET', PROPOSE, { as: chief.address }))['changes'], [])
})

test('M-52 check, explain and diff answer about documents and payloads, and change nothing', async () => {
  const rig = openControlRig()
  const who = await rig.admin('requester')
  const good = await ok(rig, 'POST', '/v1/policies/check', { as: who.address, body: { policy: DEMO } })
  assert.equal(good['valid'], true)
  const bad = await ok(rig, 'POST', '/v1/policies/check', { as: who.address, body: { policy: { version: 2, x: 1 } } })
  assert.deepEqual([bad['valid'], bad['problems'].length >= 2], [false, true])
  const path = '/v1/keys/treasury/policy'
  const yes = await ok(rig, 'POST', `${path}/explain`, { as: who.address, body: { payload: PAYLOAD } })
  assert.deepEqual([yes['decision'], yes['policyHash'], yes['checks'].length > 5], ['allow', good['policyHash'], true])
  const no = await ok(rig, 'POST', `${path}/explain`, { as: who.address, body: { payload: PAYLOAD, policy: STRICT } })
  assert.deepEqual([no['decision'], typeof no['rule']], ['deny', 'string'])
  const unread = await refused(rig, 'POST', `${path}/explain`, {
    as: who.address,
    body: { payload: { type: 'x', a: 1 } },
  })
  assert.equal(unread['code'], 'payload/unsupported')
  const diff = await ok(rig, 'POST', `${path}/diff`, { as: who.address, body: { policy: WIDER } })
  assert.deepEqual(
    [diff['direction'], diff['changes'].some((each: Json) => each['change'] === 'more')],
    ['loosening', true],
  )
  assert.equal((await refused(rig, 'GET', '/v1/keys/nokey/policy', { as: who.address }))['code'], 'key/unknown')
})

test('keys, one key and the status show what administrators need, and no more than the registry holds', async () => {
  const rig = openControlRig()
  const who = await rig.admin('auditor')
  const { keys } = await ok(rig, 'GET', '/v1/keys', { as: who.address })
  assert.deepEqual(
    keys.map((key: Json) => [key['name'], key['state']]),
    [
      ['frozen', 'quarantined'],
      ['treasury', 'active'],
    ],
  )
  const key = await ok(rig, 'GET', '/v1/keys/frozen', { as: who.address })
  assert.deepEqual(
    [key['versions'].length, key['versions'][0].bindings[0].id, key['policy'].version],
    [1, 'b_frozen', 1],
  )
  const status = await ok(rig, 'GET', '/v1/status', { as: who.address })
  assert.deepEqual(
    [status['versions'], status['admins'], status['ready']],
    [{ quarantined: 1, active: 1 }, { all: 1, active: 1 }, true],
  )
})

test('M-46 the audit log answers by time, key, subject, result and operation, in pages, and records who asked', async () => {
  const rig = openControlRig()
  const [auditor, chief] = [await rig.admin('auditor'), await rig.admin('policy-admin')]
  for (let n = 0; n < 30; n++) {
    rig.clock.advance(1_000)
    await rig.call('GET', n % 3 === 0 ? '/v1/keys/treasury' : '/v1/keys/nokey', { as: chief.address })
  }
  const ask = async (query: string) => ok(rig, 'GET', `/v1/audit${query}`, { as: auditor.address })
  assert.equal((await ask('?key=treasury'))['records'].length, 10)
  assert.equal((await ask('?key=nokey&result=refused&operation=keys.read'))['records'].length, 20)
  assert.equal((await ask(`?subject=${chief.address}&limit=7`))['records'].length, 7)
  const [from, to] = [NOW + 5_000, NOW + 9_000].map(ms => encodeURIComponent(new Date(ms).toISOString()))
  assert.equal((await ask(`?from=${from}&to=${to}`))['records'].length, 4)
  let [seq, seen]: [number | undefined, number] = [1, 0]
  while (seq !== undefined && seq <= 30) {
    const page = await ask(`?seq=${seq}&limit=8`)
    seen += page['records'].filter((record: Json) => record['seq'] <= 30).length
    seq = page['next'] as number | undefined
  }
  assert.equal(seen, 30)
  assert.equal(
    (await ask(`?operation=audit.read&subject=${auditor.address}&limit=1`))['records'][0].detail['query.key'],
    'treasury',
  )
  assert.ok((await ask(''))['records'].every((record: Json) => !('batch' in record)))
  for (const query of [
    '?limit=1001',
    '?limit=0',
    '?limit=-1',
    '?limit=1e3',
    '?seq=x',
    '?from=yesterday',
    '?key=..',
    '?result=x',
    '?x=1',
    '?limit=1&limit=2',
    '?__proto__=1',
  ]) {
    assert.equal(
      (await refused(rig, 'GET', `/v1/audit${query}`, { as: auditor.address }))['code'],
      'request/malformed',
      query,
    )
  }
})

test('an answer from the audit log looks at 20,000 records at most', async () => {
  const rig = openControlRig({
    parts: real => ({
      ...real,
      records: async function* (fromSeq) {
        for (let seq = fromSeq; ; seq++) {
          const place = { seq, time: '2026-01-01T00:00:00.000Z', instance: 'i', prev: '' }
          const actor = { subject: 's', peer: 'p' }
          yield { kind: 'event', auditId: 'a', event: 'e', actor, detail: {}, ...place } as const
        }
      },
    }),
  })
  const auditor = await rig.admin('auditor')
  const page = await ok(rig, 'GET', '/v1/audit?subject=nobody', { as: auditor.address })
  assert.deepEqual([page['records'].length, page['scanned'], page['next']], [0, 20_000, 20_001])
})

test('a log that is sealed lets nothing through, and health says so', async () => {
  const sealed = { kind: 'sealed', reason: 'the disk is full' } as const
  const rig = openControlRig({
    audit: real => ({ append: () => Promise.reject(new Error('sealed')), state: sealed, close: real.close }),
  })
  const chief = await rig.admin('policy-admin')
  assert.equal((await refused(rig, 'GET', '/v1/admins', { as: chief.address }))['code'], 'audit/sealed')
  const body = { address: person('z').address, name: 'z', roles: ['auditor'] }
  assert.equal((await refused(rig, 'POST', '/v1/admins', { as: chief.address, body }))['code'], 'audit/sealed')
  assert.equal(
    (await refused(rig, 'POST', '/auth/challenge', { body: { address: chief.address } }))['code'],
    'audit/sealed',
  )
  assert.equal((await rig.parts.admins.list()).length, 1)
})

test('a record that cannot be written before a write stops the write; after it, the caller hears of it and a retry is told how things are', async () => {
  let broken: string | undefined
  const rig = openControlRig({
    audit: real => ({
      get state() {
        return real.state
      },
      close: real.close,
      append: async (...entries) => {
        const [entry] = entries
        if (entry?.kind === 'event' && entry.detail['outcome'] === broken) throw new Error('EIO')
        return real.append(...entries)
      },
    }),
  })
  const chief = await rig.admin('policy-admin')
  const options = {
    as: chief.address,
    idempotencyKey: 'k',
    body: { address: person('z').address, name: 'z', roles: ['auditor'] },
  }
  broken = 'accepted'
  assert.equal((await refused(rig, 'POST', '/v1/admins', options))['code'], 'internal')
  assert.equal((await rig.parts.admins.list()).length, 1)
  broken = 'done'
  assert.equal((await refused(rig, 'POST', '/v1/admins', options))['code'], 'internal')
  assert.equal((await rig.parts.admins.list()).length, 2)
  broken = undefined
  assert.equal((await refused(rig, 'POST', '/v1/admins', options))['code'], 'admin/exists')
})

test('M-45 too many: 429 with the headers of the limit, on record; an admitted answer carries them too', async () => {
  const { SignerError } = await import('../../../src/domain/errors.ts')
  let left = 1
  const rig = openControlRig({
    parts: real => ({
      ...real,
      admit: async visitor => {
        if (left-- > 0) return real.admit(visitor)
        throw new SignerError('access/limited', { scope: 'address', limit: 10, windowSeconds: 60, retryAfterMs: 4_000 })
      },
    }),
  })
  const who = await rig.admin('auditor')
  const first = await rig.call('GET', '/v1/keys', { as: who.address })
  assert.equal(first.headers.get('ratelimit-policy'), '"address";q=10;w=60')
  const second = await rig.call('GET', '/v1/keys', { as: who.address })
  assert.deepEqual(
    [second.status, second.headers.get('retry-after'), second.headers.get('ratelimit')],
    [429, '4', '"address";r=0;t=4'],
  )
  assert.equal(rig.refusals.at(-1)?.errorCode, 'access/limited')
  assert.equal(
    (await refused(rig, 'POST', '/auth/challenge', { body: { address: who.address } }))['code'],
    'access/limited',
  )
})

test('the door lets so many in and sheds the rest; health goes on', async () => {
  const { promise: open, resolve: letGo } = Promise.withResolvers<void>()
  const rig = openControlRig({
    limits: { concurrency: 2 },
    parts: real => ({ ...real, readiness: async () => (await open, real.readiness()) }),
  })
  const who = await rig.admin('auditor')
  const inside = [1, 2].map(() => rig.call('GET', '/v1/status', { as: who.address }))
  await new Promise(resolve => setImmediate(resolve))
  assert.equal((await refused(rig, 'GET', '/v1/keys', { as: who.address }))['code'], 'service/overloaded')
  assert.equal((await rig.http('/livez')).status, 200)
  letGo()
  for (const response of await Promise.all(inside)) assert.equal(response.status, 200)
})
