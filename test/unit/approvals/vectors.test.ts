/** M-35: published vectors of RFC 8785, RFC 7515, RFC 8037 and RFC 7638. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JOSE, readPublicJwk, thumbprintOf } from '../../../src/approvals/algorithms.ts'
import { canonicalJson } from '../../../src/approvals/canonical.ts'
import { openCompact, signingInputOf, withSignature } from '../../../src/approvals/compact.ts'
import { fromBase64Url } from '../../../src/bytes/base64.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { verifySignature } from '../../../src/bytes/verify.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

/** RFC 8785 appendix B: IEEE 754 in hex, and its text. */
const NUMBERS: Readonly<Record<string, string>> = {
  '0000000000000000': '0',
  '8000000000000000': '0',
  '0000000000000001': '5e-324',
  '8000000000000001': '-5e-324',
  '7fefffffffffffff': '1.7976931348623157e+308',
  ffefffffffffffff: '-1.7976931348623157e+308',
  '4340000000000000': '9007199254740992',
  c340000000000000: '-9007199254740992',
  '4430000000000000': '295147905179352830000',
  '44b52d02c7e14af5': '9.999999999999997e+22',
  '44b52d02c7e14af6': '1e+23',
  '44b52d02c7e14af7': '1.0000000000000001e+23',
  '444b1ae4d6e2ef4e': '999999999999999700000',
  '444b1ae4d6e2ef4f': '999999999999999900000',
  '444b1ae4d6e2ef50': '1e+21',
  '3eb0c6f7a0b5ed8c': '9.999999999999997e-7',
  '3eb0c6f7a0b5ed8d': '0.000001',
  '41b3de4355555553': '333333333.3333332',
  '41b3de4355555554': '333333333.33333325',
  '41b3de4355555555': '333333333.3333333',
  '41b3de4355555556': '333333333.3333334',
  '41b3de4355555557': '333333333.33333343',
  becbf647612f3696: '-0.0000033333333333333333',
  '43143ff3c1cb0959': '1424953923781206.2',
}

const double = (hex: string): number => new DataView((fromHex(hex) as Uint8Array).slice().buffer).getFloat64(0)

test('M-35 RFC 8785 appendix B: every number has its text, and what is no number has none', () => {
  for (const [hex, text] of Object.entries(NUMBERS)) assert.equal(canonicalJson([double(hex)]), `[${text}]`, hex)
  for (const hex of ['7fffffffffffffff', '7ff0000000000000']) assert.throws(() => canonicalJson([double(hex)]), hex)
  assert.throws(() => canonicalJson(['\ud800']))
})

test('M-35 RFC 8785 §3.2: the whole example, to the byte', () => {
  const value = {
    numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
    literals: [null, true, false],
  }
  assert.equal(
    toHex(utf8(canonicalJson(value))),
    '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b3333333333333333332e33333333333333' +
      '2c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d',
  )
})

test('M-35 RFC 8785 §3.2.3: members stand in the order of their UTF-16 code units', () => {
  const value = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    1: 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  }
  assert.deepEqual(Object.values(JSON.parse(canonicalJson({ o: value }).replace('"1":', '"_1":')).o), [
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ])
  const french = {
    sin: 'ignore locale',
    pêche: 'but canonicalization MUST',
    péché: 'is wrong according to French',
    peach: 'This sorting order',
  }
  assert.equal(
    canonicalJson(french),
    '{"peach":"This sorting order","péché":"is wrong according to French","pêche":"but canonicalization MUST","sin":"ignore locale"}',
  )
})

test('M-35 RFC 7515 appendix A.1: the compact form comes apart into what the RFC says', () => {
  const jws =
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
  const opened = openCompact(jws, 1000)
  assert.deepEqual({ ...opened?.header }, { typ: 'JWT', alg: 'HS256' })
  assert.equal(
    new TextDecoder().decode(opened?.payload),
    '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}',
  )
  assert.equal(new TextDecoder().decode(opened?.signingInput), jws.slice(0, jws.lastIndexOf('.')))
  assert.equal(opened?.signature.length, 32)
  assert.equal(openCompact(jws, jws.length - 1), undefined)
  for (const other of [
    `${jws}=`,
    `${jws}.`,
    ` ${jws}`,
    jws.replace('.', '..'),
    `${jws}.e30`,
    jws.slice(0, -1),
    '',
    '..',
  ])
    assert.equal(openCompact(other, 1000), undefined, other)
})

test('M-35 RFC 8037 appendix A: thumbprint (A.3), signing input and signature (A.4, A.5)', async () => {
  const known = readPublicJwk({ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' })
  assert.ok(known !== undefined)
  assert.equal(thumbprintOf(known.jwk), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  const signature = fromBase64Url(
    'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
  ) as Uint8Array
  const signingInput = signingInputOf({ alg: 'EdDSA' }, utf8('Example of Ed25519 signing'))
  assert.equal(signingInput, 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc')
  assert.ok(await verifySignature(JOSE.ed25519.toSign(utf8(signingInput)), known.publicKey, signature))
  assert.ok(!(await verifySignature(JOSE.ed25519.toSign(utf8(`${signingInput}A`)), known.publicKey, signature)))
  const jws = withSignature(signingInput, signature)
  assert.deepEqual(openCompact(jws, 1000)?.signature, signature)
})

test('M-35 a public key has one spelling: what is not exactly a bare key of ours is none', () => {
  const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'
  const good = { kty: 'OKP', crv: 'Ed25519', x }
  const point = { kty: 'EC', crv: 'secp256k1', x, y: x }
  assert.ok(readPublicJwk(good) !== undefined && readPublicJwk(point) !== undefined)
  const bad: unknown[] = [
    ...[
      undefined,
      null,
      [],
      'x',
      {},
      { ...good, d: x },
      { ...good, kid: 'a' },
      { ...good, y: x },
      { ...good, crv: 'X25519' },
    ],
    ...[
      { ...good, kty: 'EC' },
      { ...good, x: `${x}A` },
      { ...good, x: x.slice(1) },
      { ...good, x: `${x}=` },
      { ...good, x: 1 },
    ],
    ...[
      { ...point, y: undefined },
      { kty: 'EC', crv: 'secp256k1', x },
      { ...point, crv: 'P-256' },
      { ...point, y: 'x' },
    ],
    // The last character carries two bits that must be zero.
    { ...good, x: `${x.slice(0, -1)}p` },
  ]
  for (const value of bad) assert.equal(readPublicJwk(value), undefined, JSON.stringify(value))
})
