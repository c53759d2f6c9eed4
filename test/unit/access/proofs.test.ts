import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDpopCheck, type DpopRules } from '../../../src/access/dpop.ts'
import { ed25519ProofKey, readProofKey } from '../../../src/access/proof-key.ts'
import { contentDigest, createSignatureCheck } from '../../../src/access/request-proof.ts'
import { TOKEN_REASONS } from '../../../src/access/tokens.ts'
import { readConfirmation } from '../../../src/access/confirmation.ts'
import { fromBase64, fromBase64Url, toBase64Url } from '../../../src/bytes/base64.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { clock, NOW_S } from './forge.ts'
import { bare, BASE, bySignature, createSender, dpopProof, type Sender, type SignatureParts } from './senders.ts'

const TOKEN = 'header.claims.signature'
const [okp, ec] = await Promise.all([createSender('EdDSA', 31), createSender('ES256')])
const rules: DpopRules = { clock, proofSeconds: 15, publicUrls: [BASE], bodyBinding: 'required' }
const checkDpop = createDpopCheck(rules)
const checkSignature = createSignatureCheck(rules)

type Reason = keyof typeof TOKEN_REASONS
const refused = (checking: Promise<unknown>, reason: Reason, about = ''): Promise<void> =>
  assert.rejects(checking, (error: unknown) => {
    assert.ok(isSignerError(error) && error.code === 'token/invalid', `${about} ${String(error)}`)
    assert.equal(error.detail.reason, TOKEN_REASONS[reason], about)
    return true
  })

test('dpop: the published request of RFC 9449 §7.1 verifies, with the thumbprint of §6.1', async () => {
  const token = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
  const proof =
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA'
  const check = createDpopCheck({
    ...rules,
    clock: { now: () => 1_562_262_620_000 },
    publicUrls: ['https://resource.example.org'],
  })
  const request = { method: 'GET', path: '/protectedresource', body: new Uint8Array() }
  const thumbprint = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
  assert.deepEqual(await check(proof, token, thumbprint, request), {
    kind: 'dpop',
    thumbprint,
    identifier: 'e1j3V_bKic8-LAEB',
    freshUntil: 1_562_262_633_000,
  })
  await refused(check(proof, `${token}x`, thumbprint, request), 'proofRequest')
  await refused(check(proof, token, thumbprint, { ...request, method: 'POST' }), 'proofRequest')
})

test('proof keys: thumbprints of RFC 8037 A.3 and of jose, and nothing but a bare public key is one', () => {
  const rfc = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
  assert.equal(readProofKey(rfc)?.thumbprint, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  for (const { jwk, jkt } of [okp, ec]) assert.equal(readProofKey(jwk)?.thumbprint, jkt)
  const { y, ...half } = ec.jwk
  const bad: readonly unknown[] = [
    ...[undefined, null, 'key', 5, [], {}, { ...rfc, d: rfc.x }, { ...ec.jwk, d: rfc.x }, { ...rfc, kid: 'k' }],
    ...[{ ...rfc, alg: 'EdDSA' }, { ...rfc, crv: 'Ed448' }, { ...rfc, crv: 'X25519' }, { ...rfc, y: rfc.x }, half],
    ...[
      { ...ec.jwk, crv: 'secp256k1' },
      { ...ec.jwk, y: `${y}=` },
      { ...ec.jwk, x: 7 },
      { kty: 'RSA', n: 'AQAB', e: 'AQAB' },
    ],
    ...[
      { kty: 'oct', k: rfc.x },
      { ...rfc, x: `${rfc.x}A` },
      { ...rfc, x: rfc.x.slice(1) },
      { ...rfc, x: `${rfc.x.slice(0, -1)}p` },
    ],
  ]
  for (const jwk of bad) assert.equal(readProofKey(jwk), undefined, JSON.stringify(jwk))
})

test('proof keys T39: points that are not on the curve, or of small order, prove nothing', async () => {
  const message = new Uint8Array(3)
  const off = readProofKey({ kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) })
  assert.equal(await off?.verify(message, new Uint8Array(64)), false)
  // With A and R of order 1 and S = 0, every message verifies for a lax verifier.
  const identity = new Uint8Array(32)
  identity[0] = 1
  const signature = new Uint8Array(64)
  signature[0] = 1
  assert.equal(await ed25519ProofKey(identity).verify(message, signature), false)
  for (const sender of [okp, ec]) {
    const key = readProofKey(sender.jwk)
    const good = await sender.sign(message)
    assert.equal(await key?.verify(message, good), true)
    assert.equal(await key?.verify(new Uint8Array(4), good), false)
    assert.equal(await key?.verify(message, good.slice(1)), false)
  }
})

test('confirmation: exactly one member, and a good one', () => {
  const { jkt: thumbprint } = okp
  assert.deepEqual(readConfirmation({ jkt: thumbprint }), { kind: 'key', thumbprint })
  assert.deepEqual(readConfirmation({ jwk: okp.jwk }), { kind: 'key', thumbprint })
  assert.deepEqual(readConfirmation({ 'x5t#S256': thumbprint }), { kind: 'certificate', thumbprint })
  const bad: readonly unknown[] = [
    ...[
      null,
      undefined,
      'x',
      5,
      [],
      {},
      [thumbprint],
      { jkt: '' },
      { jkt: 5 },
      { jkt: `${thumbprint}=` },
      { jkt: null },
    ],
    ...[{ jkt: thumbprint, jwk: okp.jwk }, { jkt: thumbprint, x: 1 }, { kid: 'k' }, { jku: 'https://evil.example' }],
    ...[
      { 'x5t#S256': 'ab' },
      { x5t: thumbprint },
      { jwk: { ...okp.jwk, d: thumbprint } },
      { jwk: thumbprint },
      { jwe: 'x' },
    ],
  ]
  for (const cnf of bad) assert.equal(readConfirmation(cnf), undefined, JSON.stringify(cnf))
})

const dpop = async (over: Parameters<typeof dpopProof>[3], sender: Sender = okp) =>
  checkDpop(await dpopProof(sender, TOKEN, bare, over), TOKEN, sender.jkt, bare)

test('dpop T07: every member of the header is pinned', async () => {
  await dpop({})
  await dpop({}, ec)
  await dpop({ header: { alg: 'Ed25519' } })
  const faults: readonly (object | string)[] = [
    ...['none', 'None', 'HS256', 'RS256', 'PS256', 'ES256', 'ES384', 'eddsa', '', null, 7, ['EdDSA']].map(alg => ({
      alg,
    })),
    ...['JWT', 'at+jwt', 'DPOP+JWT', 'application/dpop+jwt', '', null].map(typ => ({ typ })),
    ...[undefined, null, 'x', {}, { ...okp.jwk, d: 'A'.repeat(43) }, { ...okp.jwk, kid: 'x' }].map(jwk => ({ jwk })),
    ...[
      { kid: 'k1' },
      { jku: 'https://evil.example' },
      { x5c: ['MIIB'] },
      { crit: ['b64'] },
      { b64: false },
      { cty: 'x' },
    ],
    ...['[]', 'null', '{', '"x"', '1'],
    `{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"EdDSA","jwk":${JSON.stringify(okp.jwk)}}`,
  ]
  for (const header of faults) await refused(dpop({ header }), 'proofForm', JSON.stringify(header))
  for (const alg of ['EdDSA', 'HS256', 'none']) await refused(dpop({ header: { alg } }, ec), 'proofForm')
  // The key of the header is the caller's choice, so it must be the one that the token names.
  await refused(dpop({ header: { jwk: ec.jwk, alg: 'ES256' } }), 'proofKey')
})

test('dpop T05: every claim is held against the request', async () => {
  const forms: readonly (object | string)[] = [
    ...['', 5, null, 'a b', 'é', 'x'.repeat(129), ['a']].map(jti => ({ jti })),
    ...[`${NOW_S}`, NOW_S + 0.5, null, 1e300].map(iat => ({ iat })),
    ...['jti', 'htm', 'htu', 'iat', 'ath'].map(name => ({ [name]: undefined })),
    ...[{ nonce: 'x' }, { exp: NOW_S + 60 }, { aud: 'x' }, { cs: {} }],
    ...['[]', 'null', '{', '"x"'],
  ]
  for (const claims of forms) await refused(dpop({ claims }), 'proofForm', JSON.stringify(claims))
  const url = BASE + bare.path
  const others: readonly object[] = [
    ...['post', 'GET', 'POST ', '', null, ['POST']].map(htm => ({ htm })),
    ...[`${url}/`, `${url}?`, `${url}?a=1`, `${url}#x`, url.toUpperCase(), `http${url.slice(5)}`].map(htu => ({ htu })),
    ...[
      'https://sign.example:443',
      'https://SIGN.example',
      'https://sign.example.evil.example',
      'https://evil.example',
      '',
    ].map(base => ({ htu: base + bare.path })),
    ...[`${BASE}//v1/keys/treasury/sign`, `${BASE}/v1/keys/./treasury/sign`, `${BASE}/v1/keys/%74reasury/sign`].map(
      htu => ({ htu }),
    ),
    ...['', null, 'A'.repeat(43), TOKEN].map(ath => ({ ath })),
    ...[undefined, '', null, 'A'.repeat(43)].map(bh => ({ bh })),
    ...[undefined, '', null, 'order-2', 'ORDER-1', ['order-1']].map(ik => ({ ik })),
  ]
  for (const claims of others) await refused(dpop({ claims }), 'proofRequest', JSON.stringify(claims))
  for (const iat of [NOW_S - 16, NOW_S + 16, 0, -1, 9_999_999_999])
    await refused(dpop({ claims: { iat } }), 'proofTime')
})

test('dpop: without binding of the body the two claims may be missing, and must hold where they are', async () => {
  const check = createDpopCheck({ ...rules, bodyBinding: 'optional' })
  const judge = async (claims: object) => check(await dpopProof(okp, TOKEN, bare, { claims }), TOKEN, okp.jkt, bare)
  await judge({})
  await judge({ bh: undefined, ik: undefined })
  for (const claims of [{ bh: 'x' }, { ik: 'x' }]) await refused(judge(claims), 'proofRequest')
})

test('dpop T09: one header, one spelling, a good signature', async () => {
  const good = await dpopProof(okp, TOKEN)
  const judge = (header: Parameters<typeof checkDpop>[0]) => checkDpop(header, TOKEN, okp.jkt, bare)
  await judge(good)
  await judge([good])
  const spellings = [
    undefined,
    '',
    [],
    [good, good],
    `${good}=`,
    ` ${good}`,
    `${good} `,
    `${good},${good}`,
    `${good}.`,
    good.padEnd(5000, 'A'),
  ]
  for (const header of spellings) await refused(judge(header), 'proofForm')
  const [head = '', claims = '', signature = ''] = good.split('.')
  for (const at of [0, 20, 40, 60, 80]) {
    const wrong = signature.slice(0, at) + (signature[at] === 'A' ? 'B' : 'A') + signature.slice(at + 1)
    await refused(judge(`${head}.${claims}.${wrong}`), 'proofSignature')
  }
  await refused(judge(`${head}.${claims}.${toBase64Url(new Uint8Array(64))}`), 'proofSignature')
  await refused(judge(`${head}.${claims}.AAAA`), 'proofSignature')
})

test('signed requests: RFC 9530 and the Ed25519 example of RFC 9421 B.2.6', async () => {
  const body = new TextEncoder().encode('{"hello": "world"}')
  assert.equal(contentDigest(body), 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:')
  const base = [
    '"date": Tue, 20 Apr 2021 02:07:55 GMT',
    '"@method": POST',
    '"@path": /foo',
    '"@authority": example.com',
    '"content-type": application/json',
    '"content-length": 18',
    '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
  ].join('\n')
  const signature = fromBase64(
    'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==',
  )
  const key = ed25519ProofKey(fromBase64Url('JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs') ?? new Uint8Array())
  assert.equal(await key.verify(new TextEncoder().encode(base), signature ?? new Uint8Array()), true)
})

const judgeSignature = async (over: Partial<SignatureParts> = {}, headers: object = {}, sender: Sender = okp) => {
  const made = { ...(await bySignature(sender, TOKEN, bare, over)), ...headers }
  const { signature, signatureInput, contentDigest: digest } = made
  const signed = { authorization: `Bearer ${TOKEN}`, signature, signatureInput, contentDigest: digest }
  return checkSignature(signed, okp.jkt, bare)
}

test('signed requests: one grammar, and no other list of components, however well it is signed', async () => {
  const proof = await judgeSignature({ nonce: 'nonce-of-16-chars' })
  assert.deepEqual(proof, {
    kind: 'signature',
    thumbprint: okp.jkt,
    identifier: 'nonce-of-16-chars',
    freshUntil: (NOW_S + 15) * 1000,
  })
  const full = '"@method" "@path" "content-digest" "authorization" "idempotency-key"'
  const faults: readonly Partial<SignatureParts>[] = [
    ...['', '"@method"', '"@path" "@method" "content-digest" "authorization" "idempotency-key"'].map(components => ({
      components,
    })),
    ...[
      full.replace(' "content-digest"', ''),
      full.replace(' "authorization"', ''),
      full.replace(' "idempotency-key"', ''),
    ].map(components => ({ components })),
    ...[`${full} "date"`, full.replaceAll(' ', '  '), ` ${full}`, full.replace('"@path"', '"@path";req')].map(
      components => ({ components }),
    ),
    ...['0', '01700000000', '-1', '1700000000.0', '1e9', '', '9'.repeat(16), `${NOW_S} `].map(created => ({ created })),
    ...['', 'short', 'x'.repeat(65), 'with space in it!!', 'quote"in-the-nonce', 'é'.repeat(16)].map(nonce => ({
      nonce,
    })),
    ...['', 'k1', `${okp.jwk.x}=`, `${okp.jwk.x}A`, `${String(okp.jwk.x).slice(0, -1)}!`].map(keyId => ({ keyId })),
    ...[';expires=9999999999', ';tag="x"', ' ', ';', ', sig2=()', ';alg="ed25519"'].map(rest => ({ rest })),
  ]
  for (const over of faults) await refused(judgeSignature(over), 'proofForm', JSON.stringify(over))
  for (const created of [NOW_S - 16, NOW_S + 16]) await refused(judgeSignature({ created }), 'proofTime')
  await refused(judgeSignature({ keyId: 'A'.repeat(43) }), 'proofKey')
  await refused(judgeSignature({ path: '/v1/keys/payout/sign' }), 'proofSignature')
  await refused(judgeSignature({ authorization: `Bearer ${TOKEN}x` }), 'proofSignature')
  await refused(judgeSignature({ keyId: String(ec.jwk.x) }, {}, ec), 'proofKey')
})

test('signed requests: the headers come once, labelled, and name the body that came', async () => {
  const { signature = '', signatureInput = '', contentDigest: digest = '' } = await bySignature(okp, TOKEN)
  const twice = [signature, signature]
  const forms: readonly object[] = [
    ...[
      undefined,
      '',
      [],
      twice,
      'sig1=',
      'sig1=:',
      'sig1=::',
      'sig1=:AAAA',
      'sig1=AAAA',
      `${String(signature)}, sig2=:AAAA:`,
      ` ${String(signature)}`,
    ].map(value => ({ signature: value })),
    { signature: String(signature).replace('sig1', 'sig2') },
    { signature: String(signature).replaceAll('=', '') },
    ...[
      undefined,
      '',
      [signatureInput, signatureInput],
      `${String(signatureInput)} `,
      String(signatureInput).replace('sig1', 'sig2'),
      `a=(), ${String(signatureInput)}`,
    ].map(value => ({ signatureInput: value })),
    { signatureInput: String(signatureInput).padEnd(1100, ' ') },
    { contentDigest: [digest, digest] },
  ]
  for (const headers of forms) await refused(judgeSignature({}, headers), 'proofForm', JSON.stringify(headers))
  const digests = [
    undefined,
    '',
    contentDigest(new Uint8Array()),
    `${String(digest)} `,
    `${String(digest)}, sha-512=:AAAA:`,
    String(digest).replace('256', '512'),
    String(digest).replaceAll(':', ''),
  ]
  for (const wrong of digests) await refused(judgeSignature({}, { contentDigest: wrong }), 'proofRequest')
  await judgeSignature({}, { contentDigest: [digest] })
  await refused(judgeSignature({}, { signature: `sig1=:${'A'.repeat(86)}==:` }), 'proofSignature')
})

test('signed requests: a line end in what is covered is refused, and a digest of no body must be of no body', async () => {
  const headers = {
    authorization: 'Bearer a\n"@path": /x',
    signature: 'sig1=::',
    signatureInput: 'sig1=()',
    contentDigest: undefined,
  }
  const empty = { method: 'GET', path: '/v1/keys/a', body: new Uint8Array() }
  await refused(checkSignature(headers, okp.jkt, empty), 'proofForm')
  const lines = { ...headers, authorization: 'Bearer a' }
  for (const idempotencyKey of ['a\r', 'a\nb', 'a\0'])
    await refused(checkSignature(lines, okp.jkt, { ...empty, idempotencyKey }), 'proofForm')
  await refused(checkSignature({ ...lines, contentDigest: contentDigest(bare.body) }, okp.jkt, empty), 'proofRequest')
})
