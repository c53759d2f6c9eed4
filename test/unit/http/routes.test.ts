import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openRig, problemOf, type Rig } from '../../support/rig.ts'

const headersOf = async (rig: Rig): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await rig.token()}`,
})

const UNKNOWN: ReadonlyArray<readonly [string, string]> = [
  ['GET', '/'],
  ['GET', '/v1'],
  ['GET', '/v1/keys/'],
  ['GET', '/v1/keys/treasury/'],
  ['GET', '/v1/keys/treasury/sign'],
  ['GET', '/v1/keys/treasury/sign/'],
  ['POST', '/v1/keys/treasury/sign/'],
  ['POST', '/v1/keys/treasury'],
  ['POST', '/v1/keys/treasury/SIGN'],
  ['POST', '/V1/keys/treasury/sign'],
  ['POST', '/v2/keys/treasury/sign'],
  ['POST', '//v1/keys/treasury/sign'],
  ['POST', '/v1//keys/treasury/sign'],
  ['POST', '/v1/keys/treasury//sign'],
  ['POST', '/v1/keys/treasury/sign;x=1'],
  ['POST', '/v1/keys/treasury/sign%20'],
  ['POST', '/v1/keys/treasury%2fsign'],
  ['POST', '/v1/keys/../admin/sign'],
  ['POST', '/v1/keys/treasury/x/../../sign'],
  ['PUT', '/v1/keys/treasury/sign'],
  ['PATCH', '/v1/keys/treasury/sign'],
  ['DELETE', '/v1/keys/treasury'],
  ['OPTIONS', '/v1/keys/treasury/sign'],
  ['POST', '/livez'],
  ['POST', '/readyz'],
  ['POST', '/openapi.json'],
  ['GET', '/livez/'],
  ['GET', '/openapi'],
  ['GET', '/metrics'],
  ['GET', '/admin'],
  ['GET', '/.env'],
  ['GET', '/problems'],
  ['GET', '/problems/'],
]

test('API9 paths and methods are matched exactly: everything else is 404, and reaches no key', async () => {
  const rig = await openRig()
  const headers = { ...(await headersOf(rig)), 'content-type': 'application/json', 'idempotency-key': 'x' }
  for (const [method, path] of UNKNOWN) {
    const body = method === 'POST' || method === 'PUT' || method === 'PATCH' ? '{}' : null
    const response = await rig.http(path, { method, headers, body })
    const problem = await problemOf(response)
    assert.equal(response.status, 404, `${method} ${path}`)
    assert.equal(problem.code, 'request/unknown-route', `${method} ${path}`)
    assert.equal(problem['method'], method)
    assert.equal(response.headers.get('access-control-allow-origin'), null)
  }
  assert.equal(rig.signatures(), 0)
  assert.deepEqual(
    rig.refusals.map(({ errorCode }) => errorCode),
    UNKNOWN.map(() => 'request/unknown-route'),
  )
})

/** Name as it stands in the path, percent-encoded by the test where a URL needs it. */
const BAD_NAMES = [
  ...['-x', '.hidden', '_x', '%2e%2e%2fadmin', 'a%2fb', 'a%00', 'a%0d%0ab', 'a%20b', 'a%22b', '%F0%9F%94%91', '%zz'],
  ...['a'.repeat(65), '%27%20OR%201=1', 'a:b', 'a@b', '$%7Bx%7D', '%E2%80%AE', '*', 'a%25b'],
]

test('a key name has 1 to 64 letters, digits and _ . -, whatever its spelling in the URL', async () => {
  const rig = await openRig()
  const headers = await headersOf(rig)
  for (const name of BAD_NAMES) {
    const response = await rig.http(`/v1/keys/${name}`, { headers })
    const problem = await problemOf(response)
    assert.equal(response.status, 400, name)
    assert.equal(problem.code, 'request/malformed', name)
    assert.equal(problem['field'], 'key')
    assert.equal((await problemOf(await rig.sign({ key: name }))).code, 'request/malformed', name)
  }
  for (const name of ['a', '0', 'a'.repeat(64), 'A_b.c-d', '__proto__', 'constructor', 'tr%65asurx']) {
    const { code } = await problemOf(await rig.http(`/v1/keys/${name}`, { headers }))
    assert.equal(code, name.startsWith('_') ? 'request/malformed' : 'key/unknown', name)
  }
  assert.equal((await rig.http('/v1/keys/tre%61sury', { headers })).status, 200, 'one name, whatever its spelling')
})

test('a query changes nothing, and nothing in it is read', async () => {
  const rig = await openRig()
  assert.equal((await rig.http('/livez?x=1&__proto__=2')).status, 200)
  const token = await rig.token()
  assert.equal((await problemOf(await rig.http(`/v1/keys/treasury?access_token=${token}`))).code, 'token/missing')
})

test('every answer has a request id of its own, is not cached, is not sniffed, and names no software', async () => {
  const rig = await openRig()
  const headers = await headersOf(rig)
  const answers = [
    await rig.sign(),
    await rig.sign({ token: undefined }),
    await rig.sign({ type: 'text/plain' }),
    await rig.http('/v1/keys/treasury', { headers }),
    await rig.http('/livez'),
    await rig.http('/readyz'),
    await rig.http('/openapi.json'),
    await rig.http('/problems/internal'),
    await rig.http('/nowhere'),
  ]
  const ids = new Set<string>()
  for (const answer of answers) {
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    for (const name of ['server', 'x-powered-by', 'access-control-allow-origin', 'set-cookie']) {
      assert.equal(answer.headers.get(name), null)
    }
    const id = answer.headers.get('x-request-id') ?? ''
    assert.match(id, /^r_[0-9a-f]{32}$/)
    const body = (await answer.json()) as { requestId?: string }
    if (body.requestId !== undefined) assert.equal(body.requestId, id)
    ids.add(id)
  }
  assert.equal(ids.size, answers.length)
})

test('a request id sent by the caller is not taken over', async () => {
  const rig = await openRig()
  const response = await rig.http('/livez', { headers: { 'x-request-id': 'mine' } })
  assert.notEqual(response.headers.get('x-request-id'), 'mine')
})

test('HEAD answers as GET does, without a body', async () => {
  const rig = await openRig()
  const response = await rig.http('/livez', { method: 'HEAD' })
  assert.equal(response.status, 200)
  assert.equal(await response.text(), '')
})

test('the door lets so many in and sheds the rest with 503 and Retry-After; health and reading go on', async () => {
  const { promise: open, resolve: letGo } = Promise.withResolvers<void>()
  const { promise: full, resolve: isFull } = Promise.withResolvers<void>()
  let inside = 0
  const rig = await openRig({
    concurrency: 4,
    provider: real => ({
      ...real,
      sign: async (...given) => {
        if (++inside === 4) isFull()
        await open
        return real.sign(...given)
      },
    }),
  })
  const admitted = Array.from({ length: 4 }, () => rig.sign())
  await full
  const shed = await Promise.all(Array.from({ length: 20 }, () => rig.sign()))
  for (const response of shed) {
    assert.equal(response.status, 503)
    assert.equal(response.headers.get('retry-after'), '1')
    const problem = await problemOf(response)
    assert.equal(problem.code, 'service/overloaded')
    assert.equal(problem['retryable'], true)
  }
  assert.equal((await rig.http('/livez')).status, 200)
  assert.equal((await rig.http('/v1/keys/treasury', { headers: await headersOf(rig) })).status, 200)
  letGo()
  for (const response of await Promise.all(admitted)) assert.equal(response.status, 200)
  assert.equal(rig.signatures(), 4)
  assert.equal((await rig.sign()).status, 200, 'the places are free again')
  assert.equal((await rig.sign({ type: 'text/plain' })).status, 415)
  assert.equal(
    (await Promise.all(Array.from({ length: 4 }, () => rig.sign()))).every(({ ok }) => ok),
    true,
  )
})
