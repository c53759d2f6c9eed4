import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROLES, type Role } from '../../../src/domain/admins.ts'
import { CONTROL_ROUTES } from '../../../src/http/routes-control.ts'
import { type ControlParts, withBreakGlass } from '../../../src/service/control/index.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { GLASS } from '../../support/break-glass-world.ts'
import { type ControlRig, openControlRig, person } from '../../support/control-rig.ts'
import { type Sample, worldOf } from '../../support/control-samples.ts'
import { problemOf } from '../../support/rig.ts'

/** Who may do what, written down here a second time and in another order than the code has it: by what is done. */
const EXPECTED: Readonly<Record<string, readonly Role[]>> = {
  'status.read': [...ROLES],
  'keys.list': [...ROLES],
  'keys.read': [...ROLES],
  'policies.read': [...ROLES],
  'policies.check': [...ROLES],
  'policies.explain': [...ROLES],
  'policies.diff': [...ROLES],
  'changes.list': [...ROLES],
  'changes.read': [...ROLES],
  'keys.restore': ['key-admin'],
  'keys.rotation': [...ROLES],
  'keys.rotate': ['key-admin'],
  'keys.revoke': ['operator', 'key-admin'],
  'keys.destroy': ['key-admin'],
  'keys.unrevoke': [], // a quorum of custodians, and no role
  'tokens.issue': ['operator'],
  'tokens.revoke': ['operator'],
  'tokens.list': ['operator', 'auditor'],
  'admins.list': ['auditor', 'policy-admin'],
  'admins.add': ['policy-admin'],
  'admins.change': ['policy-admin'],
  'changes.propose': ['policy-admin'],
  'changes.withdraw': ['policy-admin'],
  'changes.activate': ['policy-admin'],
  'changes.approve': ['approver'],
  'audit.read': ['auditor'],
}
/** Roles that nobody holds together, whatever the store says: who could bring about, approve and allow. */
const holdsAll = (roles: readonly Role[]): boolean =>
  roles.includes('approver') &&
  roles.includes('policy-admin') &&
  (roles.includes('requester') || roles.includes('operator'))

/** Everything there is: what needs custodians too. */
const withCustodians = (real: ControlParts): ControlParts =>
  withBreakGlass(real, {
    rule: GLASS,
    challenges: openMemoryStore().challenges,
    watch: { fault: () => undefined, time: () => real.world.clock.now() },
  })

const guarded = CONTROL_ROUTES.filter(({ needs }) => needs !== 'login')
const every: Role[][] = Array.from({ length: 2 ** ROLES.length }, (_, set) =>
  ROLES.filter((_role, at) => (set >> at) % 2 === 1),
)

async function rigFor(roles: readonly Role[]): Promise<{ rig: ControlRig; who: ReturnType<typeof person> }> {
  const rig = openControlRig({ parts: withCustodians })
  const who = person('subject')
  const at = rig.clock.now() - 10_000
  await rig.admin('policy-admin', 'another')
  await rig.admin('auditor', 'proposer')
  await rig.parts.admins.add({
    address: who.address,
    name: 'subject',
    roles,
    active: true,
    createdAt: at,
    changedAt: at,
  })
  return { rig, who }
}

test('the expected table names every route that is guarded, and no other', () => {
  assert.deepEqual(guarded.map(({ name }) => name).toSorted(), Object.keys(EXPECTED).toSorted())
  assert.equal(new Set(CONTROL_ROUTES.map(({ method, path }) => `${method} ${path}`)).size, CONTROL_ROUTES.length)
})

test(`M-40 M-73 T64 ${every.length} sets of roles × ${guarded.length} routes × objects that exist or not: 0 surplus grants, 0 missing, every denial on record and the same for both objects`, async () => {
  let [granted, denied] = [0, 0]
  for (const roles of every) {
    for (const route of guarded) {
      const { rig, who } = await rigFor(roles)
      const world = await worldOf(rig, who)
      const may = !holdsAll(roles) && (EXPECTED[route.name] ?? []).some(role => roles.includes(role))
      const label = `${roles.join('+') || 'nobody'} ${route.name}`
      const said: Record<string, unknown>[] = []
      for (const sample of [world.stranger(route.name), world.sample(route.name)]) {
        if (sample === undefined) continue
        const before = rig.records().length
        const response = await ask(rig, route.method, sample, who.address)
        const answer = (await response.json()) as Record<string, unknown>
        assert.notEqual(response.status, 401, label)
        assert.notEqual(response.status, 500, `${label}: ${JSON.stringify(answer)}`)
        const records = rig.records().slice(before)
        assert.ok(records.length > 0, `${label} is not on record`)
        if (may) {
          granted++
          assert.notEqual(answer['code'], 'access/denied', `${label}: ${JSON.stringify(answer)}`)
          continue
        }
        denied++
        assert.deepEqual([response.status, answer['code']], [403, 'access/denied'], label)
        const { requestId, ...face } = answer
        said.push(face)
        const [record, ...more] = records
        assert.equal(more.length, 0)
        assert.equal(record?.kind, 'outcome')
        if (record?.kind !== 'outcome') continue
        assert.equal(record.result, 'refused')
        assert.equal(record.errorCode, 'access/denied')
        assert.equal(record.operation, route.name)
        assert.equal(record.permission, route.needs)
        assert.equal(record.requestId, requestId)
        assert.deepEqual(record.actor, { subject: who.address, tokenId: `jti_${who.address}`, peer: '127.0.0.1' })
        assert.equal(record.object, route.param === undefined ? undefined : objectOf(route.path, sample.path))
      }
      if (said.length === 2) assert.deepEqual(said[0], said[1], `${label}: the refusal tells whether the object exists`)
    }
  }
  const objects = guarded.reduce((sum, { param }) => sum + (param === undefined ? 1 : 2), 0)
  assert.equal(granted + denied, every.length * objects)
  assert.ok(granted > 900 && denied > 900, `${granted} granted, ${denied} denied`)
})

const ask = (rig: ControlRig, method: string, { path, body }: Sample, as: string): Promise<Response> =>
  rig.call(method, path, { as, ...(body === undefined ? {} : { body }) })

/** What stands where the path of the route has its parameters. */
function objectOf(template: string, path: string): string {
  const parts = path.split('/')
  return template
    .split('/')
    .flatMap((part, at) => (part.startsWith('{') ? [parts[at] ?? ''] : []))
    .join('/')
}

interface Stranger {
  readonly what: string
  readonly status: 401 | 403
  token(rig: ControlRig, address: string): Promise<string | undefined>
}
const STRANGERS: readonly Stranger[] = [
  { what: 'no token', status: 401, token: async () => undefined },
  { what: 'a token of nobody', status: 401, token: async () => 'Bearer x.y.z' },
  { what: 'a service token of the data plane', status: 403, token: async () => 'Service payouts' },
  { what: 'a service token with the address of an administrator', status: 403, token: async (_, a) => `Service ${a}` },
  { what: 'a session of nobody known', status: 403, token: async () => `Session ${person('unknown').address}` },
  {
    what: 'a session of a disabled administrator',
    status: 403,
    token: async (rig, address) => {
      await rig.parts.admins.change(address, { active: false, at: rig.clock.now() - 5_000 })
      return `Session ${address}`
    },
  },
  {
    what: 'a session from before the roles changed',
    status: 403,
    token: async (rig, address) => {
      await rig.parts.admins.change(address, { roles: ['auditor'], at: rig.clock.now() })
      return `Session ${address} ${Math.floor(rig.clock.now() / 1000) - 60}`
    },
  },
  {
    what: 'a revoked session',
    status: 401,
    token: async (rig, address) => {
      await rig.parts.tokens.revoke(`jti_${address}`, rig.clock.now(), rig.clock.now() + 900_000)
      return `Session ${address}`
    },
  },
]

for (const { what, status, token } of STRANGERS) {
  test(`M-73 ${what}: ${status} on every guarded route, before the body is read, and on record`, async () => {
    for (const route of guarded) {
      const { rig, who } = await rigFor(['auditor'])
      const { path } = (await worldOf(rig, who)).sample(route.name)
      const text = await token(rig, who.address)
      const before = rig.records().length
      const response = await rig.call(route.method, path, {
        ...(text === undefined ? {} : { token: text }),
        ...(route.method === 'GET' ? {} : { raw: '{"no' }),
      })
      assert.equal(response.status, status, `${route.name}: ${JSON.stringify(await problemOf(response))}`)
      const [record] = rig.records().slice(before)
      assert.equal(record?.kind === 'outcome' && record.result, 'refused', route.name)
      assert.equal(record?.kind === 'outcome' && record.operation, route.name)
    }
  })
}

const DATA_PLANE: ReadonlyArray<readonly [string, string]> = [
  ['POST', '/v1/keys/treasury/sign'],
  ['POST', '/v1/sign-batch'],
  ['POST', '/v1/cosign'],
  ['POST', '/v1/proposals'],
  ['POST', '/v1/keys/treasury'],
  ['POST', '/rpc'],
]

test('M-73 the control plane has no route that signs, whoever asks', async () => {
  const { rig, who } = await rigFor(['operator', 'key-admin'])
  for (const [method, path] of DATA_PLANE) {
    const response = await rig.call(method, path, { as: who.address, body: { type: 'stellar-transaction' } })
    assert.deepEqual([response.status, (await problemOf(response)).code], [404, 'request/unknown-route'], path)
    const last = rig.records().at(-1)
    assert.equal(last?.kind === 'outcome' && last.errorCode, 'request/unknown-route')
  }
  assert.ok(CONTROL_ROUTES.every(({ path }) => !/sign(?!ed)/.test(path)))
})

const STRAYS: ReadonlyArray<readonly [string, string]> = [
  ['GET', '/'],
  ['GET', '/v1'],
  ['GET', '/v1/keys/'],
  ['GET', '/V1/keys'],
  ['GET', '/v1//keys'],
  ['PUT', '/v1/admins'],
  ['DELETE', '/v1/keys/treasury'],
  ['DELETE', '/v1/admins/x'],
  ['GET', '/v1/tokens/x'],
  ['PATCH', '/v1/keys/treasury/policy'],
  ['PUT', '/v1/keys/treasury/policy'],
  ['GET', '/v1/audit/'],
  ['POST', '/v1/audit'],
  ['GET', '/auth/challenge'],
  ['GET', '/metrics'],
  ['OPTIONS', '/v1/admins'],
  ['TRACE', '/v1/admins'],
]

test('T17 API9 paths and methods are matched exactly: everything else is 404 and on record', async () => {
  const { rig, who } = await rigFor(['policy-admin'])
  for (const [method, path] of STRAYS) {
    if (method === 'TRACE') continue // no client sends it
    const before = rig.records().length
    const response = await rig.call(method, path, { as: who.address })
    assert.equal(response.status, 404, `${method} ${path}`)
    assert.equal((await problemOf(response)).code, 'request/unknown-route')
    assert.equal(rig.records().length, before + 1)
  }
})
