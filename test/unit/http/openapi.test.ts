import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { errorsPage } from '../../../scripts/docs.ts'
import { openApiDocument } from '../../../src/http/openapi.ts'
import { PROBLEMS } from '../../../src/http/problem.ts'
import { openRig, problemOf } from '../../support/rig.ts'

type Json = Record<string, unknown>
const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const document = openApiDocument() as unknown as Json & { paths: Record<string, Record<string, Json>> }

/** `METHOD /path` of the document, parameters as `{}`. */
const described = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.keys(methods).map(method => `${method.toUpperCase()} ${path.replaceAll(/\{[^}]+\}/g, '{}')}`),
)

/** The same of the routes as they stand in the edge's list. */
/** The plane's own routes, and those that both planes have. */
const routesIn = (text: string): string[] =>
  [...text.matchAll(/\bapp\.(get|post|put|patch|delete|all|on)\(\s*'([^']+)'/g)].map(
    ([, method = '', path = '']) => `${method.toUpperCase()} ${path.replaceAll(/:[^/]+/g, '{}')}`,
  )
/** Every family of routes has its file, and its tests; those of the control plane are in another document. */
const families = readdirSync(new URL('../../../src/http/', import.meta.url)).filter(
  name => name.startsWith('routes-') && name !== 'routes-control.ts',
)
const own = routesIn(read('src/http/app.ts') + read('src/http/edge.ts'))
const routed = [...own, ...families.flatMap(name => routesIn(read(`src/http/${name}`)))]

test('docs/openapi.json is the document of this version (bun scripts/docs.ts writes it)', () => {
  assert.deepEqual(JSON.parse(read('docs/openapi.json')), JSON.parse(JSON.stringify(document)))
})

test('docs/errors.md says of each code what this version says (bun scripts/docs.ts writes it)', () => {
  assert.equal(read('docs/errors.md'), errorsPage())
})

test('API9 every route of the edge is described, and everything described is a route', () => {
  assert.ok(routed.length >= 6)
  assert.deepEqual(routed.toSorted(), described.toSorted())
})

test('API9 everything described answers, in process, with something else than "no such route"', async () => {
  const rig = await openRig()
  const authorization = `Bearer ${await rig.token()}`
  for (const route of own) {
    const [method = '', path = ''] = route.split(' ')
    const at = path.replace('/problems/{}', '/problems/policy-denied').replace('{}', 'treasury')
    const response = await rig.http(at, { method, headers: { authorization } })
    if (response.status === 404) assert.fail(`${route}: ${JSON.stringify(await problemOf(response))}`)
  }
})

test('the document the service gives is the one in the repository', async () => {
  const rig = await openRig()
  const response = await rig.http('/openapi.json')
  assert.equal(response.headers.get('content-type'), 'application/json')
  assert.deepEqual(await response.json(), JSON.parse(read('docs/openapi.json')))
})

test('every answer the sign route can give has its status in the document', () => {
  const route = document.paths['/v1/keys/{key}/sign']?.['post'] as { responses: Json; security: unknown }
  const notHere = ['config/invalid', 'start/refused', 'key/exists', 'internal']
  for (const [code, { status }] of Object.entries(PROBLEMS)) {
    if (notHere.includes(code)) continue
    assert.ok(String(status) in route.responses, `${code} answers ${status}, which the document does not list`)
  }
  assert.deepEqual(route.security, [{ bearer: [] }])
})

test('a signature and a key come in the shape the document describes', async () => {
  const rig = await openRig()
  const schemas = (document['components'] as { schemas: Record<string, { properties: Json; required: string[] }> })
    .schemas
  const signed = (await (await rig.sign()).json()) as Json
  const headers = { authorization: `Bearer ${await rig.token()}` }
  const key = (await (await rig.http('/v1/keys/treasury', { headers })).json()) as Json
  for (const [name, value] of [
    ['SignAnswer', signed],
    ['Key', key],
  ] as const) {
    const { properties = {}, required = [] } = schemas[name] ?? {}
    assert.deepEqual(
      Object.keys(value).filter(member => !(member in properties)),
      [],
      name,
    )
    // Beside what is always there, a signature has what its payload type gives.
    const more = name === 'SignAnswer' ? ['signedXdr'] : []
    assert.deepEqual(Object.keys(value).toSorted(), [...required, ...more].toSorted(), name)
  }
})
