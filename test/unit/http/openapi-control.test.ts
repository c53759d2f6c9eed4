import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ROLES } from '../../../src/domain/admins.ts'
import { createRemoteKeys } from '../../../src/access/remote-keys.ts'
import { permissionsOf } from '../../../src/access/roles.ts'
import { readJwks } from '../../../src/domain/jwks.ts'
import { controlDocument } from '../../../src/http/openapi-control.ts'
import { openApiDocument } from '../../../src/http/openapi.ts'
import { PROBLEMS } from '../../../src/http/problem.ts'
import { CONTROL_ROUTES } from '../../../src/http/routes-control.ts'
import { openQuorum } from '../../support/break-glass-world.ts'
import { openControlRig } from '../../support/control-rig.ts'
import { worldOf } from '../../support/control-samples.ts'

type Json = Record<string, any>
const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const document = controlDocument() as unknown as Json & { paths: Record<string, Record<string, Json>> }
const described = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
)

test('docs/openapi-control.json is the document of this version (bun scripts/docs.ts writes it)', () => {
  assert.deepEqual(JSON.parse(read('docs/openapi-control.json')), JSON.parse(JSON.stringify(document)))
})

test('M-49 the document is OpenAPI 3.1: version, paths, one description and one answer for every operation, no open reference', () => {
  assert.match(document['openapi'], /^3\.1\./)
  const ids = new Set<string>()
  for (const [path, methods] of Object.entries(document.paths)) {
    assert.match(path, /^\/[A-Za-z0-9/{}._-]*$/)
    for (const [method, operation] of Object.entries(methods)) {
      const label = `${method} ${path}`
      assert.equal(typeof operation['summary'], 'string', label)
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const parameters = (operation['parameters'] ?? []) as Json[]
      const inPath = parameters.filter(each => each['in'] === 'path')
      assert.deepEqual(
        inPath.map(each => each['name']),
        names,
        label,
      )
      assert.ok(
        inPath.every(each => each['required'] === true),
        label,
      )
      if (operation['operationId'] !== undefined) {
        assert.equal(ids.has(operation['operationId']), false, label)
        ids.add(operation['operationId'])
      }
      const statuses = Object.keys(operation['responses'])
      assert.equal(statuses.filter(status => status.startsWith('2')).length, 1, label)
      for (const status of statuses) {
        assert.match(status, /^[2-5]\d\d$/, label)
        const { description, content } = operation['responses'][status]
        assert.equal(typeof description, 'string', label)
        const [type] = Object.keys(content)
        assert.equal(
          type,
          Number(status) < 400 || (status === '503' && path === '/readyz')
            ? 'application/json'
            : 'application/problem+json',
          `${label} ${status}`,
        )
      }
    }
  }
  const text = JSON.stringify(document)
  for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
    assert.ok(name in document['components'].schemas, name)
  }
  assert.equal(text.includes('"nullable"'), false, 'a word of 3.0')
})

test('API9 every route of the table is described, and everything described is a route or health', () => {
  const health = ['/livez', '/readyz', '/.well-known/jwks.json', '/openapi.json', '/problems/{code}'].map(
    path => `GET ${path}`,
  )
  const routes = CONTROL_ROUTES.map(({ method, path }) => `${method} ${path}`)
  assert.deepEqual([...routes, ...health].toSorted(), described.toSorted())
})

test('M-73 the planes share no route that does anything', () => {
  const data = Object.entries(openApiDocument().paths ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods as object).map(method => `${method.toUpperCase()} ${path}`),
  )
  const both = described.filter(route => data.includes(route))
  const reading = [
    'GET /livez',
    'GET /readyz',
    'GET /openapi.json',
    'GET /problems/{code}',
    'GET /.well-known/jwks.json', // of the issuer there, of keys that sign approvals here
    'GET /v1/keys',
    'GET /v1/keys/{key}',
  ]
  assert.deepEqual(
    both.filter(route => !reading.includes(route)),
    [],
  )
})

test('writes take an Idempotency-Key, everything but a login takes a session, and the document says so', () => {
  for (const { method, path, writes, needs } of CONTROL_ROUTES) {
    const operation = document.paths[path]?.[method.toLowerCase()] as Json
    const headers = ((operation['parameters'] ?? []) as Json[]).filter(each => each['in'] === 'header')
    assert.deepEqual(
      headers.map(each => each['name']),
      writes ? ['Idempotency-Key'] : [],
      `${method} ${path}`,
    )
    assert.deepEqual(operation['security'], needs === 'login' ? [] : [{ session: [] }], `${method} ${path}`)
  }
})

test('the permissions that routes need are held by some role, and the problems they answer have their page', async () => {
  const held = permissionsOf(ROLES) as ReadonlySet<string>
  assert.deepEqual(
    CONTROL_ROUTES.filter(({ needs, quorum }) => needs !== 'login' && quorum !== true && !held.has(needs)),
    [],
  )
  const rig = openControlRig()
  assert.deepEqual(await (await rig.http('/openapi.json')).json(), JSON.parse(read('docs/openapi-control.json')))
  for (const code of Object.keys(PROBLEMS)) {
    assert.equal((await rig.http(`/problems/${code.replace('/', '-')}`)).status, 200, code)
  }
  assert.equal((await rig.http('/problems/nothing')).status, 404)
})

test('M-41 whoever asks gets the public keys of the issuer at /.well-known/jwks.json, as a data plane reads them, and no private half', async () => {
  const rig = openControlRig()
  const response = await rig.http('/.well-known/jwks.json')
  assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'application/json'])
  const text = await response.text()
  assert.equal(text.includes('"d"'), false)
  assert.deepEqual(readJwks(JSON.parse(text), 'jwks'), { jwks: rig.parts.issuer.jwks, problems: [] })
  const remote = createRemoteKeys({
    url: 'https://control.test/.well-known/jwks.json',
    fetch: async url => rig.http(new URL(url).pathname),
    clock: rig.clock,
  })
  assert.equal((await remote.find('test'))?.kid, 'test')
  assert.equal((await rig.http('/.well-known/jwks.json', { method: 'POST' })).status, 404)
})

test('M-49 every answer to a good request fits the schema of its route', async () => {
  for (const route of CONTROL_ROUTES) {
    if (route.needs === 'login') continue
    const { rig } = route.quorum === true ? await openQuorum() : { rig: openControlRig() }
    const role = ROLES.find(each => (permissionsOf([each]) as ReadonlySet<string>).has(route.needs)) ?? 'auditor'
    await rig.admin('auditor', 'proposer')
    await rig.admin('policy-admin', 'other')
    const [who, ann] = [await rig.admin(role, 'caller'), await rig.admin('approver', 'ann')]
    const world = await worldOf(rig, who)
    const { path, body } = world.sample(route.name)
    if (route.name === 'changes.activate') {
      const signed = (await worldOf(rig, ann)).sample('changes.approve')
      assert.equal((await rig.call('POST', signed.path, { as: ann.address, body: signed.body })).status, 200)
    }
    const actor = { subject: 'operator', peer: 'cli' }
    if (route.name === 'keys.destroy') await rig.parts.revoke('treasury', { reason: 'its end' }, actor)
    const response = await rig.call(route.method, path, { as: who.address, ...(body === undefined ? {} : { body }) })
    const answer: unknown = await response.json()
    assert.equal(response.status, route.status, `${route.name}: ${JSON.stringify(answer)}`)
    const fits = route.answer.safeParse(answer)
    assert.ok(fits.success, `${route.name}: ${JSON.stringify(fits.error?.issues)} in ${JSON.stringify(answer)}`)
  }
})
