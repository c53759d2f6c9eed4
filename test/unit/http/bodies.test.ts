import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXAMPLE, openRig, problemOf } from '../../support/rig.ts'

const GOOD = JSON.stringify({ type: 'stellar-transaction', xdr: EXAMPLE })
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const LIMIT = 65_536

const TYPES: ReadonlyArray<readonly [string, boolean]> = [
  ['application/json', true],
  ['APPLICATION/JSON', true],
  ['application/json; charset=utf-8', true],
  ['application/json;charset=UTF-8', true],
  ['application/json; charset=latin1', false],
  ['application/json; charset=utf-8; x=1', false],
  ['application/jsonp', false],
  ['application/problem+json', false],
  ['text/json', false],
  ['text/plain', false],
  ['multipart/form-data; boundary=x', false],
  ['application/x-www-form-urlencoded', false],
  ['application/json, text/plain', false],
]

test('a sign request is application/json in UTF-8, or 415', async () => {
  const rig = await openRig()
  for (const [type, accepted] of TYPES) {
    const response = await rig.sign({ type })
    assert.equal(response.status, accepted ? 200 : 415, type)
    if (!accepted) assert.equal((await problemOf(response)).code, 'request/unsupported-media')
  }
  const headers = { authorization: `Bearer ${await rig.token()}`, 'idempotency-key': 'x' }
  const none = await rig.http('/v1/keys/treasury/sign', { method: 'POST', headers, body: encode(GOOD) })
  assert.equal((await problemOf(none))['contentType'], 'none')
})

test('T20 a body of 64 KiB is read, one byte more is not: by its length, or by what arrives', async () => {
  const rig = await openRig()
  const padded = (length: number): string => `${GOOD}${' '.repeat(length - GOOD.length)}`
  assert.equal((await rig.sign({ body: padded(LIMIT) })).status, 200)
  const over = await rig.sign({ body: padded(LIMIT + 1) })
  assert.equal(over.status, 413)
  assert.equal((await problemOf(over))['limitBytes'], LIMIT)

  const headers = {
    authorization: `Bearer ${await rig.token()}`,
    'content-type': 'application/json',
    'idempotency-key': 'stream',
  }
  const post = (body: ReadableStream<Uint8Array>, more: Record<string, string> = {}) =>
    rig.http('/v1/keys/treasury/sign', {
      method: 'POST',
      headers: { ...headers, ...more },
      body,
      duplex: 'half',
    })
  let pulled = 0
  const endless = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      pull(controller) {
        pulled += 4096
        controller.enqueue(new Uint8Array(4096).fill(0x20))
      },
    })
  const cut = await post(endless())
  assert.equal(cut.status, 413)
  assert.ok(pulled <= LIMIT + 16 * 4096, `${pulled} bytes were pulled`)

  const told = await post(endless(), { 'content-length': '99999999999999999999' })
  assert.equal(told.status, 413)
  for (const lie of ['-1', 'abc', '1e9', '']) {
    assert.equal(
      (await post(endless(), { 'content-length': lie })).status,
      413,
      `content-length ${JSON.stringify(lie)}`,
    )
  }
  const chunks = encode(GOOD)
  const slow = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of chunks) controller.enqueue(new Uint8Array([byte]))
      controller.close()
    },
  })
  assert.equal((await post(slow)).status, 200, 'one byte at a time is the same body')
})

test('T19 strangers who never end their bodies take no place from those who sign', async () => {
  const rig = await openRig({ concurrency: 2 })
  const unfinished = Array.from({ length: 8 }, () => {
    let give: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        give = controller
        controller.enqueue(encode('{'))
      },
    })
    const headers = { 'content-type': 'application/json' }
    const answer = rig.http('/v1/keys/treasury/sign', { method: 'POST', headers, body, duplex: 'half' })
    return { answer, close: () => give?.close() }
  })
  assert.equal((await rig.sign()).status, 200)
  for (const { answer, close } of unfinished) {
    close()
    assert.notEqual((await answer).status, 200)
  }
})

const quoted = JSON.stringify(EXAMPLE)
const BAD_JSON: ReadonlyArray<readonly [string, string | Uint8Array]> = [
  ['nothing', ''],
  ['blanks', '   '],
  ['two values', `${GOOD}${GOOD}`],
  ['text behind', `${GOOD}x`],
  ['a name twice', `{"type":"stellar-transaction","xdr":"AAAA","xdr":${quoted}}`],
  ['a name twice, once escaped', `{"type":"stellar-transaction","\\u0078dr":"AAAA","xdr":${quoted}}`],
  ['__proto__', `{"type":"stellar-transaction","xdr":${quoted},"__proto__":{"network":"public"}}`],
  ['__proto__, escaped', `{"type":"stellar-transaction","xdr":${quoted},"\\u005f_proto__":{}}`],
  ['constructor', `{"type":"stellar-transaction","xdr":${quoted},"constructor":{"prototype":{"x":1}}}`],
  ['an unknown field', `{"type":"stellar-transaction","xdr":${quoted},"network":"public"}`],
  ['a field in another case', `{"Type":"stellar-transaction","xdr":${quoted}}`],
  ['no type', `{"xdr":${quoted}}`],
  ['no xdr', '{"type":"stellar-transaction"}'],
  ['an empty object', '{}'],
  ['null', 'null'],
  ['true', 'true'],
  ['a number', '7'],
  ['a string', quoted],
  ['an array', `[${GOOD}]`],
  ...['null', '7', 'true', '[]', '{}', '["AAAA"]'].map(
    value => [`xdr ${value}`, `{"type":"stellar-transaction","xdr":${value}}`] as const,
  ),
  ...['null', '7', '[]', '{}'].map(value => [`type ${value}`, `{"type":${value},"xdr":${quoted}}`] as const),
  ['a thousand brackets', `${'['.repeat(1_000)}${']'.repeat(1_000)}`],
  ['as many as fit', '['.repeat(LIMIT)],
  ['17 objects deep', `{"type":"x","a":${'{"a":'.repeat(16)}1${'}'.repeat(16)}}`],
  ['a number beyond 2^53', '{"type":"x","n":9007199254740993}'],
  ['a number beyond a double', '{"type":"x","n":1e999}'],
  ['single quotes', "{'type':'stellar-transaction'}"],
  ['a comment', `/* x */${GOOD}`],
  ['a comma at the end', `{"type":"stellar-transaction","xdr":${quoted},}`],
  ['half a surrogate pair', '{"type":"\\ud800"}'],
  ['a control character', '{"type":"a\u0001"}'],
  ['a byte order mark', new Uint8Array([0xef, 0xbb, 0xbf, ...encode(GOOD)])],
  ['bad UTF-8', new Uint8Array([...encode('{"type":"'), 0xff, 0xfe, ...encode('"}')])],
  ['an overlong slash', new Uint8Array([...encode('{"type":"'), 0xc0, 0xaf, ...encode('"}')])],
  ['UTF-16', new Uint8Array(Array.from(encode(GOOD), byte => [byte, 0]).flat())],
]

for (const [what, body] of BAD_JSON) {
  test(`T20 T21 a body that is ${what}: 400, with the field and what to do`, async () => {
    const rig = await openRig()
    const response = await rig.sign({ body: body as string })
    assert.equal(response.status, 400)
    const problem = await problemOf(response)
    assert.ok(['request/malformed', 'payload/invalid', 'payload/unsupported'].includes(problem.code), problem.code)
    if (problem.code !== 'payload/unsupported') assert.equal(typeof problem['field'], 'string')
    assert.equal(rig.signatures(), 0)
    assert.equal(rig.logs.filter(({ event }) => event === 'incident').length, 0)
    assert.equal(({} as { network?: string }).network, undefined, 'no prototype was changed')
  })
}

const KEYS: ReadonlyArray<readonly [string | undefined, number, string?]> = [
  ['a', 200],
  ['0', 200],
  ['a'.repeat(255), 200],
  [`"${'a'.repeat(255)}"`, 200],
  ['550e8400-e29b-41d4-a716-446655440000', 200],
  ["!#$%&'()*+-./:;<=>?@[]^_`{|}~", 200],
  [undefined, 400, 'idempotency/missing'],
  ['', 400, 'idempotency/missing'],
  ['""', 400, 'idempotency/malformed'],
  ['"', 400, 'idempotency/malformed'],
  ['a'.repeat(256), 400, 'idempotency/malformed'],
  [`"${'a'.repeat(256)}"`, 400, 'idempotency/malformed'],
  ['a b', 400, 'idempotency/malformed'],
  ['a,b', 400, 'idempotency/malformed'],
  ['a"b', 400, 'idempotency/malformed'],
  ['"a', 400, 'idempotency/malformed'],
  ['a\\b', 400, 'idempotency/malformed'],
  ['"a\\"b"', 400, 'idempotency/malformed'],
  ['\u00e9', 400, 'idempotency/malformed'],
  ['a\tb', 400, 'idempotency/malformed'],
]

test('an Idempotency-Key has 1 to 255 printable characters, plain or quoted', async () => {
  const rig = await openRig()
  for (const [idempotencyKey, status, code] of KEYS) {
    const response = await rig.sign({ idempotencyKey })
    assert.equal(response.status, status, String(idempotencyKey))
    if (code !== undefined) assert.equal((await problemOf(response)).code, code, String(idempotencyKey))
  }
})

test('an Idempotency-Key that came twice is refused', async () => {
  const rig = await openRig()
  const headers = new Headers({ authorization: `Bearer ${await rig.token()}`, 'content-type': 'application/json' })
  headers.append('idempotency-key', 'a')
  headers.append('idempotency-key', 'b')
  const response = await rig.http('/v1/keys/treasury/sign', { method: 'POST', headers, body: GOOD })
  assert.equal((await problemOf(response)).code, 'idempotency/malformed')
})

test('a reader that breaks off in the middle of the body is no fault of ours', async () => {
  const rig = await openRig()
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Error('the connection was reset'))
    },
  })
  const headers = {
    authorization: `Bearer ${await rig.token()}`,
    'content-type': 'application/json',
    'idempotency-key': 'x',
  }
  const response = await rig.http('/v1/keys/treasury/sign', {
    method: 'POST',
    headers,
    body,
    duplex: 'half',
  })
  assert.equal(response.status, 400)
  assert.deepEqual((await problemOf(response))['field'], 'body')
  assert.equal(rig.logs.filter(({ event }) => event === 'incident').length, 0)
  assert.equal(rig.signatures(), 0)
})
