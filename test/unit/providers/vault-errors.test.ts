/** Vault's errors, row by row: status and text to our code, for a call that signs, one that opens, and one that reads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Failure, type Operation, toSignerError } from '../../../providers/vault-transit/translate.ts'
import { TransportError, type TransportKind } from '../../../providers/one-fetch.ts'
import type { ErrorCode } from '../../../src/domain/errors.ts'
import { refusal } from '../../support/leaks.ts'
import { call } from '../../support/provider-world.ts'
import { bad, base64, open, scene, sign, type Told, TOKEN } from './vault-support.ts'

const ROW = new TextEncoder().encode(`vault:v1:${base64(new Uint8Array(60).fill(5))}`)
const SEALED = 'Vault is sealed'

interface Expected {
  readonly sign: ErrorCode
  readonly read: ErrorCode
  readonly decrypt?: ErrorCode
  readonly reason?: RegExp
}
const all = (code: ErrorCode, reason?: RegExp): Expected => ({
  sign: code,
  read: code,
  ...(reason === undefined ? {} : { reason }),
})
const REFUSED = 'provider/refused'
const UNAVAILABLE = 'provider/unavailable'
const opening: Expected = { sign: 'provider/malformed', read: 'provider/malformed', decrypt: 'envelope/unreadable' }
const between: Expected = { sign: 'provider/ambiguous', read: UNAVAILABLE }
const html = (status: number): Told => ({ status, headers: { 'content-type': 'text/html' }, body: '<html>' })

/** Read off a running OpenBao, or from the fact sheet where it does not say it. */
const ROWS: readonly (readonly [title: string, told: Told, expected: Expected])[] = [
  ['a missing signing key', bad(400, 'signing key not found'), all(REFUSED, /no such signing key/)],
  ['a missing wrapping key', bad(400, 'encryption key not found'), all(REFUSED, /no such wrapping key/)],
  ['a missing key, read', { status: 404, body: { errors: [] } }, all(REFUSED, /no such key in the mount transit/)],
  [
    'the guard against making a key',
    bad(400, 'key type ecdsa-p256 not supported for this operation'),
    all(REFUSED, /no such wrapping key/),
  ],
  ['the guard, elsewhere', bad(400, 'unknown key type ecdsa-p256'), all(REFUSED, /no such wrapping key/)],
  ['a wrong tag', bad(400, 'cipher: message authentication failed'), opening],
  ['a wrong tag of chacha', bad(400, 'chacha20poly1305: message authentication failed'), opening],
  ['no prefix', bad(400, 'invalid ciphertext: no prefix'), opening],
  ['too new', bad(400, 'invalid ciphertext: version is too new'), opening],
  ['bad base64', bad(400, 'invalid ciphertext: could not decode base64'), opening],
  ['too short', bad(400, 'invalid ciphertext length'), opening],
  ['too old', bad(400, 'ciphertext or signature version is disallowed by policy (too old)'), opening],
  [
    'a key that does not sign',
    bad(400, 'key type aes256-gcm96 does not support signing'),
    all(REFUSED, /another kind/),
  ],
  [
    'a key that does not open',
    bad(400, 'message decryption not supported for key type ed25519'),
    all(REFUSED, /another kind/),
  ],
  [
    'a key without associated data',
    bad(400, "'[0].associated_data' provided for non-AEAD cipher suite rsa-2048"),
    all(REFUSED, /another kind/),
  ],
  [
    'a derived key (500)',
    bad(500, "1 error occurred:\n\t* error deriving key: missing 'context' for key derivation; …\n\n"),
    all(REFUSED, /derived/),
  ],
  [
    'a version that is not there (500)',
    bad(500, '1 error occurred:\n\t* requested version for signing is higher than the latest key version\n\n'),
    all(REFUSED, /no such version/),
  ],
  [
    'a version below the least (500)',
    bad(
      500,
      '1 error occurred:\n\t* requested version for signing is less than the minimum encryption key version\n\n',
    ),
    all(REFUSED, /no longer allows/),
  ],
  ['policy', bad(403, '1 error occurred:\n\t* permission denied\n\n'), all(REFUSED, /denies this operation/)],
  [
    'a token Vault does not know',
    bad(403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'),
    all(REFUSED, /does not accept the token/),
  ],
  ['a token OpenBao does not know', bad(403, 'permission denied'), all(REFUSED, /does not accept the token/)],
  ['no token', bad(400, 'missing client token'), all(REFUSED, /does not accept the token/)],
  ['403 in other words', bad(403, 'no'), all(REFUSED, /denies this/)],
  [
    'no mount',
    bad(404, 'no handler for route "transit/sign/x". route entry not found.'),
    all(REFUSED, /mounted at transit/),
  ],
  ['another engine', bad(404, '1 error occurred:\n\t* unsupported path\n\n'), all(REFUSED, /mounted at transit/)],
  ['another method', bad(405, '1 error occurred:\n\t* unsupported operation\n\n'), all(REFUSED, /mounted at transit/)],
  ['a namespace that is not there', bad(404, 'namespace not found'), all(REFUSED, /namespace/)],
  ['a request for another key', bad(400, 'something new'), all(REFUSED, /does not accept the request/)],
  ['too large', bad(413, 'request body too large'), all(REFUSED, /too large/)],
  ['quota', bad(429, 'request path "x": rate limit quota exceeded'), all(UNAVAILABLE, /throttling/)],
  ['lease quota', bad(429, 'request path "x": lease count quota exceeded'), all(UNAVAILABLE, /throttling/)],
  ['429 of something in between', html(429), all(UNAVAILABLE, /throttling/)],
  ['behind the others', bad(412, 'required index state not present'), all(UNAVAILABLE, /behind/)],
  ['a DR secondary', bad(472, 'x'), all(UNAVAILABLE, /standby/)],
  ['a performance standby', html(473), all(UNAVAILABLE, /standby/)],
  [
    'a standby without an active server',
    bad(500, 'local node not active but active cluster node not found'),
    all(UNAVAILABLE, /standby/),
  ],
  ['sealed', bad(503, SEALED), all(UNAVAILABLE, /is sealed/)],
  ['maintenance', bad(503, 'maintenance'), all(UNAVAILABLE, /503/)],
  ['503 of something in between', html(503), between],
  ['a fault of its own', bad(500, 'internal error'), all(UNAVAILABLE, /fault of its own/)],
  ['a fault while passing on', bad(500, 'error during forwarding RPC request'), between],
  ['500 of something in between', html(500), between],
  ['502', bad(502, 'x'), between],
  ['502 of something in between', html(502), between],
  ['504 of something in between', html(504), between],
  [
    'an error that carries data',
    { status: 400, body: { errors: ['cipher: message authentication failed'], data: { plaintext: 'AAAA' } } },
    all('provider/malformed'),
  ],
  ['403 of something in between', html(403), all('provider/malformed', /403/)],
  ['a status nobody knows', bad(418, 'x'), all('provider/malformed', /418/)],
  ['errors that are no list', { status: 400, body: { errors: 'x' } }, all('provider/malformed')],
  ['100 Continue as an answer', { status: 206, body: { errors: [] } }, all('provider/malformed')],
]

for (const [title, told, expected] of ROWS) {
  test(`${title}: ${expected.sign}${expected.read === expected.sign ? '' : ` when signing, ${expected.read} else`}`, async () => {
    const vendor = (told.body as { errors?: string[] } | string | undefined) ?? ''
    const texts =
      typeof vendor === 'string'
        ? ['<html>']
        : [vendor.errors ?? []].flat().filter(text => text.length > 12 && text !== SEALED)
    const provider = await open(scene(() => told))
    const first = await refusal(sign(provider), expected.sign, [TOKEN], texts)
    if (expected.reason !== undefined) assert.match(first.message, expected.reason)
    await refusal(provider.describe('treasury', call()), expected.read, [TOKEN], texts)
    await refusal(
      provider.unwrap('transit/w', ROW, { pubkey: 'G' }, call()),
      expected.decrypt ?? expected.read,
      [TOKEN],
      texts,
    )
    // What Vault said is there for logs.
    if (texts.length > 0 && texts[0] !== '<html>' && !title.includes('carries'))
      assert.ok(String((first as Error).cause).includes(texts[0] ?? ''))
  })
}

test('Retry-After is handed on in milliseconds, within reason', async () => {
  for (const [header, expected] of [
    ['2', 2_000],
    ['0.25', 250],
    ['1e9', 1_000],
    ['soon', 1_000],
    [undefined, 1_000],
  ] as const) {
    const told = {
      ...bad(429, 'rate limit quota exceeded'),
      headers: header === undefined ? {} : { 'retry-after': header },
    }
    const { detail } = await refusal(sign(await open(scene(() => told))), UNAVAILABLE)
    assert.equal((detail as { retryAfterMs?: number }).retryAfterMs, expected)
  }
  const told = { ...bad(503, SEALED), headers: { 'retry-after': '3' } }
  const { detail } = await refusal(sign(await open(scene(() => told))), UNAVAILABLE)
  assert.equal((detail as { retryAfterMs?: number }).retryAfterMs, 3_000)
})

test('a server that repeats the token, or the secrets of a login, does not carry them into the log', async () => {
  const provider = await open(scene(({ headers }) => bad(400, `you sent ${headers['x-vault-token']} and it is wrong`)))
  const error = await refusal(sign(provider), REFUSED, [TOKEN])
  assert.match(String((error as Error).cause), /you sent \[secret token\]/)
})

const KINDS: Readonly<Record<TransportKind, readonly [sign: ErrorCode, read: ErrorCode]>> = {
  'not-sent': [UNAVAILABLE, UNAVAILABLE],
  unreachable: [UNAVAILABLE, UNAVAILABLE],
  aborted: ['provider/ambiguous', UNAVAILABLE],
  lost: ['provider/ambiguous', UNAVAILABLE],
  redirected: ['provider/malformed', 'provider/malformed'],
  oversized: ['provider/malformed', 'provider/malformed'],
}
for (const [kind, [signing, reading]] of Object.entries(KINDS) as [TransportKind, readonly [ErrorCode, ErrorCode]][]) {
  test(`a connection that is ${kind}: ${signing} when signing, ${reading} when reading`, () => {
    const failure = (operation: Operation): Failure => ({
      provider: 'vault',
      mount: 'transit',
      operation,
      sent: kind !== 'not-sent',
      answered: false,
      texts: [],
      error: new TransportError(kind),
    })
    assert.equal(toSignerError(failure({ name: 'Sign', kind: 'effect' })).code, signing)
    assert.equal(toSignerError(failure({ name: 'ReadKey', kind: 'read' })).code, reading)
  })
}

test('an answer in time that arrives whole is no failure; one that was never sent is safe to try again', () => {
  const failure: Failure = {
    provider: 'v',
    mount: 't',
    operation: { name: 'Sign', kind: 'effect' },
    sent: false,
    answered: false,
    texts: [],
    error: new Error('x'),
  }
  assert.equal(toSignerError(failure).code, UNAVAILABLE)
})
