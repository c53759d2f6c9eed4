import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ROLES } from '../../../src/domain/admins.ts'
import { controlDocument } from '../../../src/http/openapi-control.ts'
import type { ControlRoute } from '../../../src/http/route-control.ts'
import { CONTROL_ROUTES } from '../../../src/http/routes-control.ts'
import { openQuorum } from '../../support/break-glass-world.ts'
import { type ControlRig, openControlRig, type Person } from '../../support/control-rig.ts'
import { worldOf } from '../../support/control-samples.ts'
import { problemOf } from '../../support/rig.ts'

const SEED = 20_261_122
const bodied = CONTROL_ROUTES.filter(({ body }) => body !== undefined)
const PER_ROUTE = 1_000
const document = controlDocument() as unknown as { paths: Record<string, Record<string, { responses: object }>> }

/** One who may call the route, whatever it is. */
async function rigFor({ needs, quorum }: ControlRoute): Promise<{ rig: ControlRig; who: Person }> {
  if (quorum === true) return openQuorum()
  const rig = openControlRig()
  const { permissionsOf } = await import('../../../src/access/roles.ts')
  const role = ROLES.find(each => (permissionsOf([each]) as ReadonlySet<string>).has(needs)) ?? 'requester'
  await rig.admin('auditor', 'proposer')
  return { rig, who: await rig.admin(role, 'caller') }
}

const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'length',
  'then',
  '',
  'toJSON',
]
const value = fc.letrec(tie => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      null,
      true,
      false,
      0,
      -1,
      1.5,
      2 ** 53 - 1,
      '',
      'x',
      '__proto__',
      'G'.repeat(56),
      '\u0000',
      '\u202e',
      'a'.repeat(5_000),
    ),
    fc.string(),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string()), tie('any'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).any

/** A good body with something in it that does not belong: another type, one field less, one more, or a poisoned name, at any depth. */
const spoiled = (good: unknown) =>
  fc
    .record({
      how: fc.constantFrom('replace', 'drop', 'add', 'poison', 'whole'),
      at: fc.nat(),
      name: fc.constantFrom(...NAMES, 'roles', 'issuedBy', 'id', 'admin'),
      value,
    })
    .map(({ how, at, name, value: bad }): string => {
      if (how === 'whole') return JSON.stringify(bad)
      const copy = structuredClone(good) as Record<string, unknown>
      const places = placesOf(copy)
      const place = places[at % places.length] ?? { holder: copy, field: 'x' }
      if (how === 'replace') place.holder[place.field] = bad
      if (how === 'drop') delete place.holder[place.field]
      if (how === 'add' && !Array.isArray(place.holder))
        Object.defineProperty(place.holder, name === '__proto__' ? 'x' : name, {
          value: bad,
          enumerable: true,
          configurable: true,
          writable: true,
        })
      const text = JSON.stringify(copy)
      // JSON.stringify of an object literal cannot say it: the name has to be an own member.
      return how === 'poison' ? text.replace('{', `{${JSON.stringify(name)}:${JSON.stringify(bad)},`) : text
    })

interface Place {
  readonly holder: Record<string, unknown>
  readonly field: string
}
const placesOf = (node: unknown): Place[] =>
  node === null || typeof node !== 'object'
    ? []
    : Object.entries(node).flatMap(([field, inside]) => [
        { holder: node as Record<string, unknown>, field },
        ...placesOf(inside),
      ])

for (const route of bodied) {
  const runs = route.quorum === true ? PER_ROUTE / 10 : PER_ROUTE // each judges a whole statement again
  test(`T20 T21 T64 ${route.name}: ${runs} spoiled bodies (seed ${SEED}): typed answers, none of them 500, and no prototype changed`, async () => {
    const { rig, who } = await rigFor(route)
    const world = await worldOf(rig, who)
    const { path, body } = world.sample(route.name)
    const listed = Object.keys(document.paths[route.path]?.[route.method.toLowerCase()]?.responses ?? {})
    let refusals = 0
    await fc.assert(
      fc.asyncProperty(spoiled(body), async raw => {
        const response = await rig.call(route.method, path, { as: who.address, raw })
        const answer = (await response.json()) as Record<string, unknown>
        assert.ok(response.status < 500, `${response.status} ${JSON.stringify(answer)}`)
        assert.ok(listed.includes(String(response.status)), `${response.status} is not in the document`)
        if (response.status < 300) return
        refusals++
        assert.equal(response.headers.get('content-type'), 'application/problem+json')
        assert.equal(typeof answer['code'], 'string')
        assert.ok(JSON.stringify(answer).length < 4_096, 'a refusal does not repeat what was sent')
      }),
      { seed: SEED, numRuns: runs },
    )
    assert.ok(refusals > runs / 4, `${refusals} refusals`)
    assert.equal(({} as Record<string, unknown>)['roles'], undefined)
    assert.equal(rig.logs.filter(({ event }) => event === 'incident').length, 0)
    const [caller] = (await rig.parts.admins.list()).filter(({ address }) => address === who.address)
    assert.equal(caller?.roles.length, 1)
  })
}

const RAW: ReadonlyArray<readonly [string, string]> = [
  ['nothing', ''],
  ['no JSON', '{'],
  ['an array', '[]'],
  ['null', 'null'],
  ['a name twice', '{"a":1,"a":2}'],
  ['17 deep', `${'{"a":'.repeat(17)}1${'}'.repeat(17)}`],
  ['a number beyond 2^53', '{"seconds":9007199254740993}'],
  ['half a surrogate pair', '{"subject":"\\ud800"}'],
]

test('T20 every route with a body refuses what is no strict JSON object, and takes nothing but JSON', async () => {
  for (const route of bodied) {
    const { rig, who } = await rigFor(route)
    const { path, body } = (await worldOf(rig, who)).sample(route.name)
    for (const [what, raw] of RAW) {
      const problem = await problemOf(await rig.call(route.method, path, { as: who.address, raw }))
      assert.deepEqual([problem.status, problem.code], [400, 'request/malformed'], `${route.name}: ${what}`)
    }
    const headers = { 'content-type': 'text/plain' }
    assert.equal((await rig.call(route.method, path, { as: who.address, body, headers })).status, 415)
    const long = await rig.call(route.method, path, { as: who.address, raw: ' '.repeat(262_145) })
    assert.equal((await problemOf(long)).code, 'request/too-large')
  }
})

test('a route without a body refuses one, and a route without a query refuses that', async () => {
  for (const route of CONTROL_ROUTES) {
    const { rig, who } = await rigFor(route)
    const { path, body } = (await worldOf(rig, who)).sample(route.name)
    const as = who.address
    if (route.body === undefined && route.method !== 'GET') {
      const surplus = await problemOf(await rig.call(route.method, path, { as, raw: '{}' }))
      assert.deepEqual([surplus.code, surplus['field']], ['request/malformed', 'body'], route.name)
    }
    const query = await rig.call(route.method, `${path}?admin=true`, { as, ...(body === undefined ? {} : { body }) })
    assert.deepEqual([(await problemOf(query)).code], ['request/malformed'], route.name)
  }
})

const OBJECTS = [
  '..',
  '%2e%2e',
  '.',
  'a%2fb',
  '%00',
  'a%0d%0ab',
  '%20',
  '%E2%80%AE',
  'x'.repeat(300),
  '__proto__',
  'constructor',
  '%zz',
  "'%20OR%201=1",
  'c_',
  '*',
  '%F0%9F%94%91',
]

test('T17 T64 what stands in a path is checked before it is looked up: never 500, never somebody else’s object', async () => {
  for (const route of CONTROL_ROUTES.filter(({ param }) => param !== undefined)) {
    const { rig, who } = await rigFor(route)
    const { body } = (await worldOf(rig, who)).sample(route.name)
    for (const name of OBJECTS) {
      const path = route.path.replace(/\{\w+\}/, name)
      const response = await rig.call(route.method, path, { as: who.address, ...(body === undefined ? {} : { body }) })
      const label = `${route.name} ${name}: ${response.status}`
      if (route.quorum === true && response.status === 403) continue // the statement names another key
      if (route.name === 'tokens.revoke' && response.status === 200) continue // any id may stand on the list
      assert.ok(response.status === 400 || response.status === 404, label)
      assert.ok(
        ['request/malformed', 'request/unknown-route', 'key/unknown'].includes((await problemOf(response)).code),
        label,
      )
    }
    assert.equal(rig.logs.filter(({ event }) => event === 'incident').length, 0)
  }
})
