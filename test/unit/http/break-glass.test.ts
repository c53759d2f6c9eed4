/** Access in an emergency (T62): who opens it, what it may do, when it ends, and who hears of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BREAK_GLASS_ACTIONS, type BreakGlassRule, checkBreakGlassRule } from '../../../src/access/break-glass.ts'
import type { Role } from '../../../src/domain/admins.ts'
import { isSignerError, SignerError } from '../../../src/domain/errors.ts'
import { CONTROL_ROUTES } from '../../../src/http/routes-control.ts'
import { codeOf, CUSTODIANS, GLASS, type GlassWorld, HOLDER, openGlass } from '../../support/break-glass-world.ts'
import { openControlRig, type Person, person } from '../../support/control-rig.ts'
import { worldOf } from '../../support/control-samples.ts'
import { problemOf } from '../../support/rig.ts'

type Json = Record<string, any>
const MINUTE = 60_000
const [one, two, three] = CUSTODIANS as readonly [Person, Person, Person]

const use = (rig: GlassWorld, token: string, method = 'GET', path = '/v1/status', body?: unknown): Promise<Response> =>
  rig.call(method, path, { token: `Bearer ${token}`, ...(body === undefined ? {} : { body }) })
const stateOf = async (rig: GlassWorld, name: string): Promise<boolean | undefined> =>
  (await rig.parts.admins.find(person(name).address))?.active

test('T62 a quorum of custodians and the holder sign one statement: one token, once, loud and on record', async () => {
  const rig = openGlass()
  const text = await rig.ask({ actions: ['revoke-token', 'read'], minutes: 5 })
  const [title, terms = ''] = text.split('\n')
  assert.equal(title, 'Countersign break-glass, version 1')
  const { nonce, ...said } = JSON.parse(terms) as Json
  assert.match(nonce, /^[0-9a-f]{32}$/)
  assert.deepEqual(said, {
    actions: ['read', 'revoke-token'],
    audience: 'countersign/control',
    environment: 'test',
    holder: HOLDER.address,
    minutes: 5,
    reason: 'nobody can log in',
    asked: new Date(rig.time.wall).toISOString(),
    signBy: new Date(rig.time.wall + 60 * MINUTE).toISOString(),
  })
  const opened = await rig.open(text, [one, three, HOLDER])
  assert.equal(opened.status, 200)
  const { token, id, ...rest } = (await opened.json()) as Json
  assert.deepEqual(rest, {
    tokenType: 'Bearer',
    holder: HOLDER.address,
    actions: ['read', 'revoke-token'],
    expiresAt: new Date(rig.time.wall + 5 * MINUTE).toISOString(),
  })
  const record = await rig.parts.tokens.find(id)
  assert.ok(Number.isSafeInteger(record?.issuedAt) && Number.isSafeInteger(record?.expiresAt), 'as stores have it')
  const [event] = rig.events('break-glass.opened')
  assert.ok(event?.kind === 'event')
  assert.deepEqual(event.actor, { subject: HOLDER.address, tokenId: id, peer: '127.0.0.1' })
  assert.equal(event.detail['custodians'], `${one.address} ${three.address}`)
  assert.equal(event.detail['reason'], 'nobody can log in')
  assert.equal(rig.alarms('break-glass-opened').length, 1)
  assert.equal(JSON.stringify([rig.records(), rig.logs]).includes(token), false, 'the token itself is nowhere')
  assert.equal((await use(rig, token)).status, 200)
  assert.equal(await codeOf(await rig.open(text, [one, three, HOLDER])), '401 login/refused')
})

const SHORT: readonly (readonly [string, readonly Person[], ((text: string) => string)?])[] = [
  ['nobody', [HOLDER]],
  ['one of two', [one, HOLDER]],
  ['the same custodian twice', [one, one, HOLDER]],
  ['one and a stranger', [one, person('stranger'), HOLDER]],
  ['without the holder', [one, two]],
  ['another text', [one, two, HOLDER], text => `${text} `],
  ['another title', [one, two, HOLDER], text => text.replace('break-glass', 'policy change')],
  ['another reason', [one, two, HOLDER], text => text.replace('nobody', 'somebody')],
  ['longer', [one, two, HOLDER], text => text.replace('"minutes":15', '"minutes":60')],
]

test('T62 short by one, the same custodian twice, strangers, other texts: refused, loud, and the statement stays good', async () => {
  const rig = openGlass()
  const text = await rig.ask()
  for (const [name, by, over] of SHORT) {
    const [alarms, events] = [rig.alarms('break-glass-refused').length, rig.events('break-glass.refused').length]
    assert.equal(await codeOf(await rig.open(text, by, over)), '401 login/refused', name)
    assert.deepEqual(
      [rig.alarms('break-glass-refused').length, rig.events('break-glass.refused').length],
      [alarms + 1, events + 1],
      name,
    )
  }
  assert.equal((await rig.open(text, [two, three, HOLDER])).status, 200)
})

test('T62 the signature of one under the address of another, and a holder who is a custodian, count for nobody else', async () => {
  const rig = openGlass()
  const send = (text: string, signatures: readonly (readonly [Person, Person])[]) =>
    rig.call('POST', '/auth/break-glass', {
      body: { text, signatures: signatures.map(([as, by]) => ({ address: as.address, signature: by.sign(text) })) },
    })
  const text = await rig.ask()
  const swapped = [
    [one, one],
    [two, one],
    [HOLDER, HOLDER],
  ] as const
  assert.equal(await codeOf(await send(text, swapped)), '401 login/refused')
  const own = await rig.ask({ holder: one.address })
  assert.equal(await codeOf(await rig.open(own, [one, two])), '401 login/refused')
  assert.equal((await rig.open(own, [one, two, three])).status, 200)
})

test('T62 the address of a key that signs here is no custodian', async () => {
  const rig = openGlass({ rule: { custodians: [one.address, person('treasury').address] } })
  assert.equal(await codeOf(await rig.open(await rig.ask(), [one, person('treasury'), HOLDER])), '401 login/refused')
})

test('T62 a statement that was not asked for here, is late, or is for another installation opens nothing', async () => {
  const rig = openGlass()
  const text = await rig.ask()
  const other = text.replace(/"nonce":"./, value => (value.endsWith('0') ? '"nonce":"1' : '"nonce":"0'))
  assert.equal(await codeOf(await rig.open(other, [one, two, HOLDER])), '401 login/refused')
  const elsewhere = openGlass({ rule: { audience: 'other/control' } })
  assert.equal(await codeOf(await rig.open(await elsewhere.ask(), [one, two, HOLDER])), '401 login/refused')
  for (const bad of [
    '',
    'x',
    text.slice(0, -1),
    `${text}\n`,
    text.replace('{', '{ '),
    text.replace('"minutes":15', '"minutes":1e9'),
  ]) {
    if (bad !== '') assert.equal(await codeOf(await rig.open(bad, [one, two, HOLDER])), '401 login/refused', bad)
  }
  rig.pass(60 * MINUTE)
  assert.equal(await codeOf(await rig.open(text, [one, two, HOLDER])), '401 login/refused')
})

test('T62 what may be asked for: known actions once, a life within the rule, one address to let in', async () => {
  const rig = openGlass()
  const newcomer = person('newcomer').address
  const rows: readonly (readonly [object, string])[] = [
    [{ actions: [] }, '/actions'],
    [{ actions: ['sign'] }, '/actions/0'],
    [{ minutes: 16 }, 'minutes'],
    [{ minutes: 61 }, '/minutes'],
    [{ minutes: 0 }, '/minutes'],
    [{ holder: 'me' }, 'address'],
    [{ reason: 'two\nlines' }, 'reason'],
    [{ reason: 'back\u202ewards' }, 'reason'],
    [{ actions: ['restore-policy-admin'] }, 'policyAdmin'],
    [{ policyAdmin: newcomer }, 'policyAdmin'],
    [{ actions: ['unrevoke-key'] }, 'keyVersion'],
    [{ keyVersion: { key: 'treasury', version: 1 } }, 'keyVersion'],
    [{ actions: ['unrevoke-key'], keyVersion: { key: 'treasury', version: 0 } }, '/keyVersion/version'],
    [{ actions: ['unrevoke-key'], keyVersion: { key: 'no key', version: 1 } }, '/keyVersion/key'],
    [{ actions: ['unrevoke-key'], keyVersion: { key: 'treasury', version: 1, all: true } }, '/keyVersion/all'],
    [{ roles: ['operator'] }, '/roles'],
  ]
  for (const [wish, field] of rows) {
    const body = { holder: HOLDER.address, reason: 'r', actions: ['read'], ...wish }
    const problem = await problemOf(await rig.call('POST', '/auth/break-glass/statement', { body }))
    assert.deepEqual([problem.code, problem['field']], ['request/malformed', field], JSON.stringify(wish))
  }
})

/** What a token with every action may do, written down a second time. */
const ALLOWED = [
  ...['status.read', 'keys.list', 'keys.read', 'tokens.revoke', 'tokens.list', 'admins.list', 'admins.add'],
  ...[
    'admins.change',
    'policies.read',
    'changes.list',
    'changes.read',
    'changes.withdraw',
    'audit.read',
    'keys.revoke',
    'keys.unrevoke',
  ],
]

test('T62 every route of the control plane × a token with every action: the reduced set passes, all else is refused, and every use alarms', async () => {
  let passed = 0
  for (const route of CONTROL_ROUTES.filter(({ needs }) => needs !== 'login')) {
    const rig = openGlass()
    await rig.admin('auditor', 'proposer')
    await rig.admin('policy-admin', 'chief')
    const world = await worldOf(rig, person('chief'))
    const policyAdmin = person('newcomer').address
    const keyVersion = { key: 'treasury', version: 1 }
    const { token, id } = await rig.token({ actions: [...BREAK_GLASS_ACTIONS], policyAdmin, keyVersion })
    if (route.name === 'keys.unrevoke')
      await rig.parts.revoke('treasury', { reason: 'r' }, { subject: 'x', peer: 'cli' })
    const { path, body } = world.sample(route.name)
    const mine = route.name === 'admins.add' ? { ...(body as object), roles: ['policy-admin'] } : body
    const response = await use(rig, token, route.method, path, mine)
    const answer = (await response.json()) as Json
    const may = ALLOWED.includes(route.name)
    assert.equal(response.status, may ? route.status : 403, `${route.name}: ${JSON.stringify(answer)}`)
    if (may) passed++
    else assert.equal(answer['code'], 'access/denied', route.name)
    const [event, ...more] = rig.events('break-glass.used')
    assert.ok(event?.kind === 'event' && more.length === 0, route.name)
    assert.deepEqual(event.actor, { subject: HOLDER.address, tokenId: id, peer: '127.0.0.1' })
    assert.deepEqual([event.detail['operation'], event.detail['reason']], [route.name, 'nobody can log in'])
    assert.equal(rig.alarms('break-glass-used').length, 1, route.name)
    const [after] = rig.records().slice(rig.records().indexOf(event) + 1)
    assert.equal(after?.actor?.tokenId, id, `${route.name}: what came of it is on record too`)
  }
  assert.equal(passed, ALLOWED.length)
})

test('T62 a token does what its statement names and nothing of the other actions', async () => {
  const WRITES: Readonly<Record<string, string>> = {
    'disable-admin': 'admins.change',
    'revoke-token': 'tokens.revoke',
    'withdraw-change': 'changes.withdraw',
    'revoke-key': 'keys.revoke',
    'unrevoke-key': 'keys.unrevoke',
  }
  for (const action of ['read', ...Object.keys(WRITES)]) {
    for (const [needs, operation] of Object.entries(WRITES)) {
      const rig = openGlass()
      await rig.admin('auditor', 'proposer')
      const named = action === 'unrevoke-key' ? { keyVersion: { key: 'treasury', version: 1 } } : {}
      const { token } = await rig.token({ actions: [action], ...named })
      if (operation === 'keys.unrevoke')
        await rig.parts.revoke('treasury', { reason: 'r' }, { subject: 'x', peer: 'cli' })
      const { path, body } = (await worldOf(rig, HOLDER)).sample(operation)
      const method = CONTROL_ROUTES.find(({ name }) => name === operation)?.method ?? ''
      const response = await use(rig, token, method, path, body)
      assert.equal(response.status, needs === action ? 200 : 403, `${action}: ${operation}`)
    }
  }
})

test('T62 it lets in the one policy-admin of its statement, under that role alone, and nobody who brings signatures about', async () => {
  const rig = openGlass()
  const [chief, second] = [await rig.admin('policy-admin', 'chief'), person('newcomer')]
  const { token } = await rig.token({ actions: ['restore-policy-admin'], policyAdmin: second.address })
  const add = (address: string, roles: readonly Role[]) =>
    use(rig, token, 'POST', '/v1/admins', { address, name: 'back', roles })
  assert.equal(await codeOf(await add(person('other').address, ['policy-admin'])), '403 access/denied')
  for (const roles of [['operator'], ['policy-admin', 'auditor'], ['approver'], ['policy-admin', 'operator']] as const)
    assert.equal(await codeOf(await add(second.address, roles)), '403 access/denied', roles.join())
  assert.equal((await add(second.address, ['policy-admin'])).status, 201)
  assert.equal(await codeOf(await add(second.address, ['policy-admin'])), '409 admin/exists')
  const change = (who: Person, body: object) => use(rig, token, 'PATCH', `/v1/admins/${who.address}`, body)
  assert.equal(await codeOf(await change(second, { active: true, roles: ['operator'] })), '403 access/denied')
  assert.equal(await codeOf(await change(second, { roles: ['approver'] })), '403 access/denied')
  assert.equal(await codeOf(await change(second, { active: false })), '403 access/denied')
  assert.equal(await codeOf(await change(chief, { active: true })), '403 access/denied')
  assert.equal((await change(second, { active: true })).status, 200)
  await rig.parts.admins.change(second.address, {
    roles: ['operator', 'policy-admin'],
    active: false,
    at: rig.time.wall,
  })
  assert.equal(await codeOf(await change(second, { active: true })), '403 access/denied')
  assert.equal(await stateOf(rig, 'newcomer'), false)
})

test('T62 the last policy-admin stays, also against a quorum', async () => {
  const rig = openGlass()
  const chief = await rig.admin('policy-admin', 'chief')
  const { token } = await rig.token({ actions: ['disable-admin'] })
  const path = `/v1/admins/${chief.address}`
  assert.equal(await codeOf(await use(rig, token, 'PATCH', path, { active: false })), '409 admin/last')
})

test('T62 any operator takes it back; it opens no other door: not as a session, nor with a letter changed', async () => {
  const rig = openGlass()
  const operator = await rig.admin('operator')
  const { token, id } = await rig.token()
  for (const text of [
    `Session ${HOLDER.address}`,
    `DPoP ${token}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(0, -1)}`,
    `bearer ${token}`,
  ]) {
    const response = await rig.call('GET', '/v1/status', { token: text })
    assert.ok([401, 403].includes(response.status), text)
  }
  assert.equal((await use(rig, token)).status, 200)
  assert.equal((await rig.call('DELETE', `/v1/tokens/${id}`, { as: operator.address })).status, 200)
  assert.equal(await codeOf(await use(rig, token)), '401 token/invalid')
  assert.equal(rig.alarms('break-glass-refused').length, 1)
  assert.equal(rig.events('break-glass.refused').length, 1)
})

test('T62 it ends on the minute, whatever the clock does: ahead ends it, behind refuses it until the clock has caught up', async () => {
  const shifts = [1, 60, 15 * 60, 3_600, 86_400, 366 * 86_400].map(seconds => seconds * 1000)
  for (const minutes of [1, 15]) {
    for (const shift of shifts) {
      const rig = openGlass()
      const { token } = await rig.token({ minutes })
      const began = rig.time.passed
      const life = minutes * MINUTE
      // Ahead, and back again: gone for good once the time was reached.
      const ahead = openGlass()
      const other = await ahead.token({ minutes })
      ahead.time.wall += shift
      assert.equal((await use(ahead, other.token)).status, shift < life ? 200 : 401, `ahead by ${shift}`)
      ahead.time.wall -= shift
      assert.equal((await use(ahead, other.token)).status === 200, false, 'put back: the clock is behind what was seen')
      // Behind: while it is, and after it was put right, never later than its end.
      for (let at = 0; at < 2 * life; at += life / 4) {
        rig.time.wall -= shift
        const whileBehind = (await use(rig, token)).status
        if (shift > 1_000) assert.ok([401, 403].includes(whileBehind), `behind by ${shift}: ${whileBehind}`)
        rig.time.wall += shift
        const { status } = await use(rig, token)
        assert.equal(status, rig.time.passed - began < life ? 200 : 401, `${minutes} min, at ${at} of ${life}`)
        rig.pass(life / 4)
      }
    }
  }
})

test('T62 a restart forgets nothing: the token goes on, ends when it must, and a clock set back meanwhile opens nothing', async () => {
  const before = openGlass()
  const { token } = await before.token()
  before.pass(10 * MINUTE)
  assert.equal((await use(before, token)).status, 200)
  const text = await before.ask()
  const back = openGlass({ kept: before.kept })
  back.time.wall -= 5 * MINUTE
  assert.equal(await codeOf(await use(back, token)), '403 access/denied')
  assert.equal(await codeOf(await back.open(text, [one, two, HOLDER])), '403 access/denied')
  back.time.wall += 5 * MINUTE
  const after = openGlass({ kept: before.kept })
  assert.deepEqual(await inUse(after), true)
  assert.equal((await use(after, token)).status, 200)
  after.pass(5 * MINUTE)
  assert.equal(await codeOf(await use(after, token)), '401 token/invalid')
  assert.deepEqual(await inUse(after), false)
})

test('T62 nothing in the store is believed: a longer life, another holder, wider terms, fewer signatures are worth nothing', async () => {
  const alter: readonly ((row: Json) => Json)[] = [
    row => ({ ...row, subject: one.address }),
    row => ({ ...row, grants: row['grants'].replace('"read', '"disable-admin') }),
    row => ({ ...row, grants: row['grants'].replace('\\"read\\"', '\\"read\\",\\"disable-admin\\"') }),
    row => ({ ...row, grants: JSON.stringify({ ...JSON.parse(row['grants']), signatures: [] }) }),
    row => ({
      ...row,
      grants: JSON.stringify({
        ...JSON.parse(row['grants']),
        signatures: JSON.parse(row['grants']).signatures.slice(1),
      }),
    }),
    row => ({ ...row, grants: JSON.stringify({ ...JSON.parse(row['grants']), signatures: 7 }) }),
    row => ({ ...row, grants: '{}' }),
    row => ({ ...row, grants: 'x' }),
  ]
  for (const [at, each] of alter.entries()) {
    let change = (row: Json): Json => row
    const rig = openGlass({
      parts: real => ({
        ...real,
        tokens: { ...real.tokens, find: async id => change((await real.tokens.find(id)) ?? {}) as never },
      }),
    })
    const { token } = await rig.token()
    assert.equal((await use(rig, token)).status, 200)
    change = each
    assert.ok([401, 403].includes((await use(rig, token)).status), String(at))
  }
  // The life is that of the statement, whatever the row says.
  let late = 0
  const rig = openGlass({
    parts: real => ({
      ...real,
      tokens: {
        ...real.tokens,
        find: async id => {
          const row = await real.tokens.find(id)
          return row === undefined
            ? undefined
            : { ...row, expiresAt: row.expiresAt + late, issuedAt: row.issuedAt + late }
        },
      },
    }),
  })
  const { token } = await rig.token()
  late = 5 * MINUTE
  assert.equal(await codeOf(await use(rig, token)), '401 token/invalid', 'not before it was given out')
  late = 10 * 86_400_000
  rig.pass(late)
  assert.equal(await codeOf(await use(rig, token)), '401 token/invalid')
})

test('T62 good from the client and at the instance that opened it alone, and by the custodians of today', async () => {
  let peer = '192.0.2.1'
  const rig = openGlass({ parts: real => ({ ...real, clientOf: () => peer }) })
  const { token } = await rig.token()
  assert.equal((await use(rig, token)).status, 200)
  peer = '192.0.2.2'
  assert.equal(await codeOf(await use(rig, token)), '403 access/denied')
  const first = openGlass()
  const opened = await first.token()
  assert.equal(
    await codeOf(await use(openGlass({ kept: first.kept, instance: 'other' }), opened.token)),
    '403 access/denied',
  )
  const custodians = [one.address, three.address]
  assert.equal(
    await codeOf(await use(openGlass({ kept: first.kept, rule: { custodians } }), opened.token)),
    '401 token/invalid',
  )
  assert.equal(
    await codeOf(await use(openGlass({ kept: first.kept, rule: { quorum: 3 } }), opened.token)),
    '401 token/invalid',
  )
  assert.equal((await use(openGlass({ kept: first.kept }), opened.token)).status, 200)
})

const inUse = async (rig: GlassWorld): Promise<boolean> =>
  (await rig.parts.readiness()).some(
    ({ name, ok, detail }) => name === 'break-glass' && ok && detail?.startsWith('in use until 20') === true,
  )

test('T62 the status says until when it is in use, and /readyz names it and stays ready', async () => {
  const rig = openGlass()
  assert.equal(await inUse(rig), false)
  const { token, expiresAt, id } = await rig.token()
  const status = (await (await use(rig, token)).json()) as Json
  assert.equal(status['ready'], true)
  assert.deepEqual(status['checks'].at(-1), { name: 'break-glass', ok: true, detail: `in use until ${expiresAt}` })
  const ready = await rig.http('/readyz')
  assert.equal(ready.status, 200)
  assert.ok((await ready.text()).includes('break-glass'))
  await rig.parts.tokens.revoke(id, rig.time.wall, rig.time.wall + MINUTE)
  assert.equal(await inUse(rig), false)
})

test('T62 where it is not configured it does not exist', async () => {
  const rig = openControlRig()
  const body = { holder: HOLDER.address, reason: 'r', actions: ['read'] }
  assert.equal(
    await codeOf(await rig.call('POST', '/auth/break-glass/statement', { body })),
    '404 request/unknown-route',
  )
  const signatures = [{ address: one.address, signature: 's' }]
  assert.equal(
    await codeOf(await rig.call('POST', '/auth/break-glass', { body: { text: 't', signatures } })),
    '404 request/unknown-route',
  )
  assert.equal((await rig.call('GET', '/v1/status', { token: 'Bearer bg_x' })).status, 401)
})

test('T62 no record, no use: a log that cannot be written opens nothing and does nothing, and still alarms', async () => {
  let broken = false
  const rig = openGlass({
    parts: real => ({
      ...real,
      audit: {
        get state() {
          return real.audit.state
        },
        close: () => real.audit.close(),
        append: async (...entries) => {
          if (broken) throw new SignerError('audit/sealed', { reason: 'disk full' })
          return real.audit.append(...entries)
        },
      },
    }),
  })
  await rig.admin('auditor', 'proposer')
  await rig.admin('policy-admin', 'chief')
  const { token } = await rig.token({ actions: ['disable-admin'] })
  const text = await rig.ask()
  broken = true
  const path = `/v1/admins/${person('proposer').address}`
  assert.equal(await codeOf(await use(rig, token, 'PATCH', path, { active: false })), '503 audit/sealed')
  assert.equal(await stateOf(rig, 'proposer'), true)
  assert.equal(await codeOf(await rig.open(text, [one, two, HOLDER])), '503 audit/sealed')
  assert.equal(rig.alarms('break-glass-used').length, 1)
  assert.equal((await rig.parts.tokens.list({ now: 0, limit: 9 })).length, 1)
})

test('T62 the rule must need two people, and be one that can be met', () => {
  const bad: readonly Partial<BreakGlassRule>[] = [
    ...[{ quorum: 1 }, { quorum: 4 }, { quorum: 2.5 }, { quorum: Number.NaN }],
    ...[{ minutes: 0 }, { minutes: 61 }, { minutes: Number.NaN }, { audience: '' }, { environment: '' }],
    ...[{ custodians: [] }, { custodians: [one.address] }, { custodians: [one.address, one.address] }],
    { custodians: [one.address, two.address, 'somebody'] },
  ]
  checkBreakGlassRule(GLASS)
  for (const each of bad) {
    const isSaid = (error: unknown) => isSignerError(error) && error.code === 'config/invalid'
    assert.throws(() => checkBreakGlassRule({ ...GLASS, ...each }), isSaid, JSON.stringify(each))
  }
})

test('T62 a clock that was ahead when the token was given, and is put back, lengthens nothing, also over a restart', async () => {
  const rig = openGlass()
  rig.time.wall += 366 * 24 * 60 * MINUTE
  const { token } = await rig.token()
  assert.equal((await use(rig, token)).status, 200)
  rig.time.wall -= 366 * 24 * 60 * MINUTE
  for (const each of [rig, openGlass({ kept: rig.kept })]) {
    assert.equal(await codeOf(await use(each, token)), '403 access/denied')
    rig.pass(16 * MINUTE)
  }
})
