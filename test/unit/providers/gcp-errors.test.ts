/** What Cloud KMS says when it says no, row by row over both transports; and what is on the way to it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { createServer as createTcp } from 'node:net'
import { test } from 'node:test'
import { create } from '../../../providers/gcp-kms/index.ts'
import {
  CredentialsError,
  FormError,
  isLevelOf,
  schemeOf,
  SPELLING,
  STATUS_NAMES,
  toSignerError,
  VendorError,
} from '../../../providers/gcp-kms/translate.ts'
import { vendorErrorOf } from '../../../providers/gcp-kms/grpc-errors.ts'
import { OPERATIONS } from '../../../providers/gcp-kms/wire.ts'
import { TransportError } from '../../../providers/one-fetch.ts'
import type { ErrorCode } from '../../../src/domain/errors.ts'
import type { EnvelopeProvider } from '../../../src/domain/provider.ts'
import { CIPHERTEXT, KEY, publicKeyAnswer, signAnswer, VERSION, WRAPPING } from '../../support/gcp-answers.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'
import { type GcpProblem, scriptedGcp } from '../../support/scripted-gcp.ts'
import { type Reply, reset, scriptedServer } from '../../support/scripted-server.ts'

const MESSAGE = { scheme: 'ed25519', message: new Uint8Array(32).fill(5) } as const
const CONTEXT = { pubkey: 'GABC' }
const VENDOR = 'vendor words about projects/payments-test'

const sign = (provider: EnvelopeProvider) => provider.sign(VERSION, MESSAGE, call())
const read = (provider: EnvelopeProvider) => provider.describe(VERSION, call())
const open = (provider: EnvelopeProvider) => provider.unwrap(WRAPPING, CIPHERTEXT, CONTEXT, call())

const errorInfo = (reason: string) => [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }]
const violation = (type: string) => [
  { '@type': 'type.googleapis.com/google.rpc.PreconditionFailure', violations: [{ type, subject: VERSION }] },
]

interface Row {
  readonly problem: GcpProblem
  readonly sign: ErrorCode
  readonly read: ErrorCode
  readonly open: ErrorCode
  readonly reason?: RegExp
}
const same = (problem: GcpProblem, code: ErrorCode, reason?: RegExp): Row => ({
  problem,
  sign: code,
  read: code,
  open: code,
  ...(reason === undefined ? {} : { reason }),
})
const lost = (status: string): Row => ({
  problem: { status },
  sign: 'provider/ambiguous',
  read: 'provider/unavailable',
  open: 'provider/unavailable',
})

const ROWS: readonly Row[] = [
  same({ status: 'UNAVAILABLE' }, 'provider/unavailable'),
  same({ status: 'ABORTED' }, 'provider/unavailable'),
  same({ status: 'RESOURCE_EXHAUSTED' }, 'provider/unavailable', /throttling/),
  lost('DEADLINE_EXCEEDED'),
  lost('INTERNAL'),
  lost('UNKNOWN'),
  lost('CANCELLED'),
  same({ status: 'DATA_LOSS' }, 'provider/corrupt'),
  same({ status: 'PERMISSION_DENIED' }, 'provider/refused', /denies this operation/),
  same(
    { status: 'PERMISSION_DENIED', details: errorInfo('SERVICE_DISABLED') },
    'provider/refused',
    /API is not enabled/,
  ),
  same({ status: 'PERMISSION_DENIED', details: errorInfo('BILLING_DISABLED') }, 'provider/refused', /billing/),
  same(
    { status: 'PERMISSION_DENIED', details: errorInfo('ACCESS_TOKEN_SCOPE_INSUFFICIENT') },
    'provider/refused',
    /scope/,
  ),
  same(
    { status: 'PERMISSION_DENIED', details: errorInfo('RATE_LIMIT_EXCEEDED') },
    'provider/unavailable',
    /throttling/,
  ),
  same({ status: 'UNAUTHENTICATED' }, 'provider/refused', /access token/),
  same({ status: 'NOT_FOUND' }, 'provider/refused', /no such key/),
  same({ status: 'ALREADY_EXISTS' }, 'provider/refused', /exists already/),
  same(
    { status: 'FAILED_PRECONDITION', message: `${VERSION} is not enabled, current state is: DISABLED.` },
    'provider/refused',
    /DISABLED/,
  ),
  same({ status: 'FAILED_PRECONDITION', details: violation('KEY_DISABLED') }, 'provider/refused', /DISABLED/),
  same(
    { status: 'FAILED_PRECONDITION', details: violation('KEY_DESTROY_SCHEDULED') },
    'provider/refused',
    /DESTROY_SCHEDULED/,
  ),
  same(
    { status: 'FAILED_PRECONDITION', details: violation('KEY_PENDING_GENERATION') },
    'provider/unavailable',
    /generated/,
  ),
  same({ status: 'FAILED_PRECONDITION', message: VENDOR }, 'provider/refused', /state or kind/),
  same(
    { status: 'INVALID_ARGUMENT', message: 'The checksum in field digest_crc32c did not match.' },
    'provider/corrupt',
    /checksum/,
  ),
  same({ status: 'INVALID_ARGUMENT', message: VENDOR }, 'provider/refused', /parameter/),
  {
    problem: {
      status: 'INVALID_ARGUMENT',
      message: "Decryption failed: verify that 'name' refers to the correct CryptoKey.",
    },
    sign: 'provider/refused',
    read: 'provider/refused',
    open: 'envelope/unreadable',
  },
  {
    problem: { status: 'INVALID_ARGUMENT', message: 'Decryption failed: the ciphertext is invalid.' },
    sign: 'provider/refused',
    read: 'provider/refused',
    open: 'envelope/unreadable',
  },
  same({ status: 'OUT_OF_RANGE' }, 'provider/refused'),
  same({ status: 'UNIMPLEMENTED' }, 'provider/refused', /does not know/),
]

for (const transport of ['rest', 'grpc'] as const) {
  for (const row of ROWS) {
    const detail = row.problem.message ?? JSON.stringify(row.problem.details ?? '')
    test(`R-14 ${row.problem.status} ${detail}: sign ${row.sign}, read ${row.read}, decrypt ${row.open} [${transport}]`, async () => {
      const server = await scriptedGcp(transport, () => ({ problem: { message: VENDOR, ...row.problem } }))
      const provider = await create({ kind: 'gcp-kms', transport, endpoint: server.url }, providerWorld())
      try {
        for (const [run, code] of [
          [sign, row.sign],
          [read, row.read],
          [open, row.open],
        ] as const) {
          const error = await refusal(run(provider), code, [], [VENDOR, 'payments-test'])
          if (row.reason !== undefined) assert.match((error.detail as { reason: string }).reason, row.reason)
          assert.ok(error.cause instanceof VendorError)
        }
        assert.equal(server.seen.length, 3, 'one request a call: nothing is tried twice')
      } finally {
        await provider.close()
        await server.close()
      }
    })
  }

  test(`RetryInfo and Retry-After become retryAfterMs; without them a throttled caller waits a second [${transport}]`, async () => {
    const retryInfo = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '7s' }]
    const cases: readonly (readonly [GcpProblem, number | undefined])[] = [
      [{ status: 'RESOURCE_EXHAUSTED', details: retryInfo }, 7_000],
      [{ status: 'UNAVAILABLE', details: retryInfo }, 7_000],
      [{ status: 'RESOURCE_EXHAUSTED' }, 1_000],
      [{ status: 'UNAVAILABLE' }, undefined],
      ...(transport === 'grpc'
        ? []
        : ([
            [{ status: 'RESOURCE_EXHAUSTED', headers: { 'retry-after': '3' } }, 3_000],
            [{ status: 'RESOURCE_EXHAUSTED', headers: { 'retry-after': '86400' } }, 1_000],
            [{ status: 'RESOURCE_EXHAUSTED', headers: { 'retry-after': '' } }, 1_000],
            [{ status: 'RESOURCE_EXHAUSTED', details: [{ ...retryInfo[0], retryDelay: 'soon' }] }, 1_000],
          ] as const)),
    ]
    for (const [problem, expected] of cases) {
      const server = await scriptedGcp(transport, () => ({ problem }))
      const provider = await create({ kind: 'gcp-kms', transport, endpoint: server.url }, providerWorld())
      const error = await refusal(sign(provider), 'provider/unavailable')
      assert.equal((error.detail as { retryAfterMs?: number }).retryAfterMs, expected, JSON.stringify(problem))
      await provider.close()
      await server.close()
    }
  })
}

/** Answers that no Cloud KMS gives. */
const json = { 'content-type': 'application/json; charset=UTF-8' }
const REST: readonly (readonly [what: string, reply: Reply, sign: ErrorCode, read: ErrorCode])[] = [
  [
    'a redirect',
    { status: 307, headers: { location: 'http://127.0.0.1:1/' } },
    'provider/malformed',
    'provider/malformed',
  ],
  [
    'another content type',
    { headers: { 'content-type': 'text/html' }, body: '<p>' },
    'provider/malformed',
    'provider/malformed',
  ],
  ['no JSON', { headers: json, body: '{"name":' }, 'provider/malformed', 'provider/malformed'],
  ['a list', { headers: json, body: '[]' }, 'provider/malformed', 'provider/malformed'],
  [
    'a member twice',
    { headers: json, body: `{"name":"${VERSION}","name":"${KEY}"}` },
    'provider/malformed',
    'provider/malformed',
  ],
  [
    'a checksum that is a number',
    { headers: json, body: '{"signatureCrc32c":1,"pemCrc32c":1}' },
    'provider/malformed',
    'provider/malformed',
  ],
  [
    'a checksum of 33 bits',
    { headers: json, body: '{"signatureCrc32c":"4294967296","pemCrc32c":"4294967296"}' },
    'provider/malformed',
    'provider/malformed',
  ],
  [
    'a negative checksum',
    { headers: json, body: '{"signatureCrc32c":"-1","pemCrc32c":"-1"}' },
    'provider/malformed',
    'provider/malformed',
  ],
  [
    'a padded checksum',
    { headers: json, body: '{"signatureCrc32c":"01","pemCrc32c":"01"}' },
    'provider/malformed',
    'provider/malformed',
  ],
  [
    'bytes that are no base64',
    { headers: json, body: '{"signature":"*","publicKey":{"data":"*"}}' },
    'provider/malformed',
    'provider/malformed',
  ],
  ['502 of a proxy', { status: 502, body: 'bad gateway' }, 'provider/ambiguous', 'provider/unavailable'],
  ['500 of a proxy', { status: 500, headers: json, body: '{}' }, 'provider/ambiguous', 'provider/unavailable'],
  ['504 of a proxy', { status: 504, body: '' }, 'provider/ambiguous', 'provider/unavailable'],
  ['503 of a proxy', { status: 503, body: '' }, 'provider/ambiguous', 'provider/unavailable'],
  ['429 of a proxy', { status: 429, body: '' }, 'provider/unavailable', 'provider/unavailable'],
  ['403 of a proxy', { status: 403, body: 'no' }, 'provider/refused', 'provider/refused'],
  ['404 of a proxy', { status: 404, body: 'no' }, 'provider/malformed', 'provider/malformed'],
  ['201', { status: 201, headers: json, body: '{}' }, 'provider/malformed', 'provider/malformed'],
  [
    'an error without a status',
    { status: 404, headers: json, body: '{"error":{"code":404,"message":"x"}}' },
    'provider/refused',
    'provider/refused',
  ],
  [
    'an error of a status nobody knows',
    { status: 418, headers: json, body: '{"error":{"status":"TEAPOT"}}' },
    'provider/malformed',
    'provider/malformed',
  ],
  ['reset before the answer', socket => reset(socket), 'provider/ambiguous', 'provider/unavailable'],
  [
    'reset in the headers',
    socket => void socket.write('HTTP/1.1 200 OK\r\nco', () => reset(socket)),
    'provider/ambiguous',
    'provider/unavailable',
  ],
  [
    'reset in the body',
    socket =>
      void socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{', () =>
        reset(socket),
      ),
    'provider/ambiguous',
    'provider/unavailable',
  ],
  [
    'an answer of 100 MB',
    socket =>
      void socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n{'),
    'provider/malformed',
    'provider/malformed',
  ],
]
for (const [what, reply, onSign, onRead] of REST) {
  test(`R-14 ${what}: sign ${onSign}, read ${onRead} [rest]`, async () => {
    const server = await scriptedServer(() => reply)
    const provider = await create({ kind: 'gcp-kms', endpoint: server.url }, providerWorld())
    await refusal(sign(provider), onSign)
    await refusal(read(provider), onRead)
    await refusal(open(provider), onRead === 'provider/refused' ? 'provider/refused' : onRead)
    assert.equal(server.requests.length, 3)
    await provider.close()
    await server.close()
  })
}

test('T54 a redirect to another host carries no token there', async () => {
  const elsewhere = await scriptedServer(() => ({ body: 'thanks' }))
  const server = await scriptedServer(() => ({ status: 307, headers: { location: `${elsewhere.url}/v1/x` } }))
  const { Secret } = await import('../../../src/domain/secret.ts')
  const provider = await create(
    { kind: 'gcp-kms', endpoint: server.url, accessToken: new Secret('ya29.canary-token', 'token') },
    providerWorld(),
  )
  await refusal(sign(provider), 'provider/malformed', ['ya29.canary-token'])
  assert.equal(server.requests[0]?.headers.get('authorization'), 'Bearer ya29.canary-token')
  assert.equal(elsewhere.requests.length, 0)
  await provider.close()
  await server.close()
  await elsewhere.close()
})

test('the id of a call is what the answer offers, and nothing odd', async () => {
  const ids: readonly (readonly [Record<string, string>, string | undefined])[] = [
    [{ 'x-goog-request-id': 'abc-123-def' }, 'abc-123-def'],
    [{ 'x-cloud-trace-context': '105445aa7843bc8bf206b12000100000/1;o=1' }, '105445aa7843bc8bf206b12000100000/1;o=1'],
    [{ 'x-goog-request-id': 'a b c d e f g' }, undefined],
    [{}, undefined],
  ]
  for (const [headers, expected] of ids) {
    const server = await scriptedGcp('rest', seen => ({ answer: signAnswer(seen), headers }))
    const provider = await create({ kind: 'gcp-kms', endpoint: server.url }, providerWorld())
    assert.equal((await sign(provider)).providerRequestId, expected)
    await provider.close()
    await server.close()
  }
})

/** An HTTP/2 server that is no gRPC service. */
async function http2(
  status: number,
  headers: Record<string, string>,
  body: Uint8Array,
): Promise<{ url: string; requests(): number; close(): void }> {
  let requests = 0
  const sessions = new Set<{ destroy(): void }>()
  const server = createHttp2()
  server.on('session', session => sessions.add(session))
  server.on('stream', (stream: ServerHttp2Stream) => {
    requests++
    stream.on('error', () => {})
    stream.respond({ ':status': status, ...headers })
    stream.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    close: () => {
      for (const session of sessions) session.destroy()
      server.close()
    },
  }
}

const frame = (message: Uint8Array): Uint8Array =>
  Uint8Array.of(0, 0, 0, message.length >> 8, message.length & 255, ...message)
const GRPC: readonly (readonly [
  what: string,
  status: number,
  headers: Record<string, string>,
  body: Uint8Array,
  sign: ErrorCode,
  read: ErrorCode,
])[] = [
  [
    '502 of a proxy',
    502,
    { 'content-type': 'text/html' },
    new TextEncoder().encode('bad'),
    'provider/ambiguous',
    'provider/unavailable',
  ],
  ['503 of a proxy', 503, {}, new Uint8Array(0), 'provider/ambiguous', 'provider/unavailable'],
  ['429 of a proxy', 429, {}, new Uint8Array(0), 'provider/unavailable', 'provider/unavailable'],
  ['403 of a proxy', 403, {}, new Uint8Array(0), 'provider/refused', 'provider/refused'],
  ['404 of a proxy', 404, {}, new Uint8Array(0), 'provider/malformed', 'provider/malformed'],
  [
    '200 without a status',
    200,
    { 'content-type': 'application/grpc' },
    new Uint8Array(0),
    'provider/ambiguous',
    'provider/unavailable',
  ],
  [
    'bytes that are no message',
    200,
    { 'content-type': 'application/grpc' },
    frame(Uint8Array.of(255, 255, 255, 255)),
    'provider/malformed',
    'provider/malformed',
  ],
]
for (const [what, status, headers, body, onSign, onRead] of GRPC) {
  test(`R-14 ${what}: sign ${onSign}, read ${onRead} [grpc]`, async () => {
    const server = await http2(status, headers, body)
    const provider = await create({ kind: 'gcp-kms', transport: 'grpc', endpoint: server.url }, providerWorld())
    try {
      await refusal(sign(provider), onSign)
      await refusal(read(provider), onRead)
      assert.equal(server.requests(), 2)
    } finally {
      await provider.close()
      server.close()
    }
  })
}

test('R-14 a connection that ends before it speaks HTTP/2 is unavailable: nothing was sent [grpc]', async () => {
  const server = createTcp(socket => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const provider = await create(
    { kind: 'gcp-kms', transport: 'grpc', endpoint: `http://127.0.0.1:${port}` },
    providerWorld(),
  )
  await refusal(sign(provider), ['provider/unavailable', 'provider/ambiguous'])
  await provider.close()
  server.close()
})

test('R-14 a server that dies under a signature leaves it ambiguous, and the next one finds it again [grpc]', async () => {
  const server = await scriptedGcp('grpc', () => 'hang')
  const provider = await create({ kind: 'gcp-kms', transport: 'grpc', endpoint: server.url }, providerWorld())
  const arrived = server.arrived()
  const outcome = refusal(sign(provider), 'provider/ambiguous')
  await arrived
  await server.close()
  await outcome
  await provider.close()
})

test('an answer of more than the cap is malformed [grpc]', async () => {
  const server = await scriptedGcp('grpc', () => ({
    answer: { ...publicKeyAnswer('ed25519'), pem: 'x'.repeat(300_000) },
  }))
  const provider = await create({ kind: 'gcp-kms', transport: 'grpc', endpoint: server.url }, providerWorld())
  await refusal(read(provider), 'provider/malformed')
  await provider.close()
  await server.close()
})

test('a transport failure is ambiguous only for a request that makes something and may have arrived', () => {
  const rows = [
    ['not-sent', 'provider/unavailable', 'provider/unavailable'],
    ['unreachable', 'provider/unavailable', 'provider/unavailable'],
    ['aborted', 'provider/ambiguous', 'provider/unavailable'],
    ['lost', 'provider/ambiguous', 'provider/unavailable'],
    ['redirected', 'provider/malformed', 'provider/malformed'],
    ['oversized', 'provider/malformed', 'provider/malformed'],
  ] as const
  for (const [kind, effect, readCode] of rows) {
    const failure = { provider: 'gcp-kms', sent: true, error: new TransportError(kind) }
    assert.equal(toSignerError({ ...failure, operation: OPERATIONS.sign }).code, effect, kind)
    assert.equal(toSignerError({ ...failure, operation: OPERATIONS.createKey }).code, effect, kind)
    assert.equal(toSignerError({ ...failure, operation: OPERATIONS.decrypt }).code, readCode, kind)
  }
})

test('what was not sent is safe to retry; credentials that are refused are not', () => {
  const failure = { provider: 'gcp-kms', operation: OPERATIONS.sign, sent: false }
  const codes = {
    absent: 'provider/unavailable',
    unreachable: 'provider/unavailable',
    refused: 'provider/refused',
  } as const
  for (const [kind, code] of Object.entries(codes)) {
    assert.equal(toSignerError({ ...failure, error: new CredentialsError(kind as keyof typeof codes) }).code, code)
  }
  for (const error of [undefined, null, 'text', new TypeError('x')]) {
    assert.equal(toSignerError({ ...failure, error }).code, 'provider/unavailable')
    assert.equal(toSignerError({ ...failure, sent: true, error }).code, 'provider/malformed')
  }
})

test('every google.rpc.Code has its row, and a status of its own makes no signature certain', () => {
  for (const status of STATUS_NAMES.slice(1)) {
    const error = new VendorError(status, VENDOR)
    assert.notEqual(
      toSignerError({ provider: 'p', operation: OPERATIONS.sign, sent: true, error }).code,
      'provider/malformed',
      status,
    )
  }
  for (const status of ['', 'OK', 'constructor', '__proto__']) {
    const error = new VendorError(status, VENDOR)
    assert.equal(
      toSignerError({ provider: 'p', operation: OPERATIONS.sign, sent: true, error }).code,
      'provider/malformed',
    )
  }
})

test('statuses that grpc-js makes itself are not taken for the word of the service', () => {
  const bare = { getMap: () => ({}) }
  const theirs = { getMap: () => ({ 'content-type': 'application/grpc' }) }
  const kind = (code: number, details: string, metadata = bare) => vendorErrorOf({ code, details, metadata })
  assert.ok(kind(14, 'Connection dropped') instanceof TransportError)
  assert.ok(kind(13, 'Received RST_STREAM with code 2') instanceof TransportError)
  assert.ok(kind(1, 'Call cancelled') instanceof TransportError)
  assert.ok(kind(13, 'Response message parsing error: x') instanceof FormError)
  assert.equal((kind(8, 'Received message larger than max') as TransportError).kind, 'oversized')
  assert.equal((kind(14, 'overloaded', theirs) as VendorError).status, 'UNAVAILABLE')
  assert.equal((kind(5, 'x') as VendorError).status, 'NOT_FOUND')
  assert.equal((kind(14, 'Received HTTP status code 503', theirs) as VendorError).facts.httpStatus, 503)
  assert.ok(vendorErrorOf({ code: 99 }) instanceof TransportError)
})

test('schemes have their row, and nothing else has', () => {
  assert.equal(SPELLING.ed25519.algorithm, 'EC_SIGN_ED25519')
  assert.equal(SPELLING['ecdsa-secp256k1'].algorithm, 'EC_SIGN_SECP256K1_SHA256')
  assert.equal(schemeOf('EC_SIGN_ED25519'), 'ed25519')
  for (const other of ['EC_SIGN_P256_SHA256', '', undefined]) assert.equal(schemeOf(other), undefined)
  assert.ok(isLevelOf('ed25519', 'SOFTWARE') && isLevelOf('ecdsa-secp256k1', 'HSM'))
  assert.ok(!isLevelOf('ecdsa-secp256k1', 'SOFTWARE') && !isLevelOf('ed25519', undefined))
})
