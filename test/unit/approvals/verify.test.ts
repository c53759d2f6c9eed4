/** M-35, M-62: what the offline verifier refuses. Keys, documents and approvals are made here by other libraries. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import canonicalize from 'canonicalize'
import * as fc from 'fast-check'
import { type ApprovalTerms, type KeyEntry, thumbprintOf, verifyApproval } from '../../../src/approvals/index.ts'
import { SKEW_SECONDS } from '../../../src/approvals/metadata.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { VERSION_STATES, type VersionState } from '../../../src/domain/key.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const NOW = 1_800_000_000

const b64 = (value: Uint8Array | string): string => Buffer.from(value).toString('base64url')
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const seedOf = (name: string): Uint8Array => utf8(name.padEnd(32, '.')).slice(0, 32)
const okp = (name: string) => ({ crv: 'Ed25519', kty: 'OKP', x: b64(ed25519.getPublicKey(seedOf(name))) }) as const

function ec(name: string) {
  const point = secp256k1.getPublicKey(seedOf(name), false)
  return { crv: 'secp256k1', kty: 'EC', x: b64(point.subarray(1, 33)), y: b64(point.subarray(33)) } as const
}

interface Signing {
  readonly header?: object
  readonly by?: string
  readonly alg?: 'EdDSA' | 'ES256K'
}

function sign(header: object, payload: object | string, { by = '', alg = 'EdDSA' }: Signing): string {
  const text = `${b64(canonicalize(header) ?? '')}.${b64(typeof payload === 'string' ? payload : (canonicalize(payload) ?? ''))}`
  const signature = alg === 'EdDSA' ? ed25519.sign(utf8(text), seedOf(by)) : secp256k1.sign(utf8(text), seedOf(by))
  return `${text}.${b64(signature)}`
}

const issuer = thumbprintOf(okp('issuer'))

const entry = (over: object = {}): KeyEntry =>
  ({
    ...{ kid: 'desk-v1', key: 'desk', version: 1, scheme: 'ed25519', alg: 'EdDSA', address: 'G', state: 'active' },
    ...({ jwk: okp('desk-v1'), validFrom: NOW - 1000, ...over } as object),
  }) as KeyEntry
const evmEntry = (over: object = {}): KeyEntry =>
  entry({ kid: 'evm-v1', key: 'evm', scheme: 'ecdsa-secp256k1', alg: 'ES256K', jwk: ec('evm-v1'), ...over })

function metadata(
  keys: readonly object[] = [entry(), evmEntry()],
  over: object = {},
  { header, by = 'issuer' }: Signing = {},
) {
  const head = { alg: 'EdDSA', jwk: okp('issuer'), kid: issuer, typ: 'key-metadata+jws', ...header }
  return sign(head, { iss: 'countersign', iat: NOW - 60, exp: NOW + 3540, keys, ...over }, { by })
}

const CLAIMS = { action: 'a.b', aud: 'settlement', exp: NOW + 600, iat: NOW, iss: 'desk', jti: 'j', sub: 's' }

function approval(over: object = {}, { header, by = 'desk-v1', alg }: Signing = {}): string {
  const head = { alg: 'EdDSA', kid: 'desk-v1', typ: 'approval+jws', ...header }
  return sign(head, { ...CLAIMS, ...over }, { by, ...(alg === undefined ? {} : { alg }) })
}

const verify = (jws: string, document = metadata(), terms: Partial<ApprovalTerms> = {}) =>
  verifyApproval(jws, document, { issuer, now: NOW * 1000, ...terms })

async function ruleOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'approval/refused', String(error))
    return error.detail.rule
  }
  return 'good'
}

test('M-35 what other libraries sign is taken, of both kinds of keys', async () => {
  assert.deepEqual((await verify(approval())).claims, CLAIMS)
  const evm = approval({ iss: 'evm' }, { header: { alg: 'ES256K', kid: 'evm-v1' }, by: 'evm-v1', alg: 'ES256K' })
  const { kid, alg, version, key, state } = await verify(evm, metadata(), { audience: 'settlement', action: 'a.b' })
  assert.deepEqual([kid, alg, version, key, state], ['evm-v1', 'ES256K', 1, 'evm', 'active'])
})

test('M-35 T07 an approval that is not exactly one is refused by the rule that says so', async () => {
  const cases: readonly (readonly [rule: string, jws: string, terms?: Partial<ApprovalTerms>])[] = [
    ['form', ''],
    ['form', 'a.b'],
    ['form', `${approval()}=`],
    ['form', `${approval()}\n`],
    ['form', approval().slice(0, -1)],
    ['form', approval({}, { header: { typ: 'JWT' } })],
    ['form', approval({}, { header: { typ: 'key-metadata+jws' } })],
    ['form', approval({}, { header: { crit: ['exp'] } })],
    ['form', approval({}, { header: { jwk: okp('desk-v1') } })],
    ['form', approval({}, { header: { b64: false } })],
    ['key', approval({}, { header: { kid: 'desk-v2' } })],
    ['key', approval({}, { header: { kid: '__proto__' } })],
    ['key', approval({}, { header: { alg: 'none' } })],
    ['key', approval({}, { header: { alg: 'Ed25519' } })],
    ['key', approval({}, { header: { alg: 'HS256' } })],
    ['key', approval({}, { header: { alg: 'ES256K' } })],
    ['key', approval({ iss: 'evm' })],
    ['key', approval({ iss: 'desk-v1' })],
    ['signature', approval({}, { by: 'desk-v2' })],
    ['signature', approval({}, { alg: 'ES256K' })],
    ['form', approval({ more: 1 })],
    ['form', approval({ details: [] })],
    ['form', approval({ details: { n: 0.5 } })],
    ['form', approval({ exp: String(NOW + 600) })],
    ['form', approval({ aud: ['settlement'] })],
    ['form', approval({ action: 'A' })],
    [
      'form',
      sign({ alg: 'EdDSA', kid: 'desk-v1', typ: 'approval+jws' }, ` ${canonicalize(CLAIMS)}`, { by: 'desk-v1' }),
    ],
    ['form', sign({ alg: 'EdDSA', kid: 'desk-v1', typ: 'approval+jws' }, '[]', { by: 'desk-v1' })],
    ['audience', approval(), { audience: 'other' }],
    ['audience', approval(), { audience: '' }],
    ['action', approval(), { action: 'a.c' }],
    ['time', approval({ exp: NOW })],
    ['time', approval({ iat: NOW + SKEW_SECONDS + 1 })],
    ['time', approval({ iat: NOW - 5000, exp: NOW - 1000 }), { now: (NOW - 2000) * 1000 + 0 }],
  ]
  for (const [rule, jws, terms] of cases) {
    const found = await ruleOf(
      verify(jws, terms?.now === undefined ? metadata() : metadata(undefined, { iat: NOW - 4000 }), terms),
    )
    assert.equal(found, rule, jws)
  }
  assert.equal(await ruleOf(verify(approval({ exp: NOW + 1, iat: NOW + SKEW_SECONDS }))), 'good')
})

test('M-35 a document of keys is taken from the pinned issuer alone, whole, and while it is good', async () => {
  const other = okp('other')
  const head = { alg: 'EdDSA', jwk: okp('issuer'), kid: issuer, typ: 'key-metadata+jws' }
  const cases: readonly (readonly [rule: string, document: string])[] = [
    ['metadata', 'x'],
    ['metadata', approval()],
    ['issuer', metadata(undefined, {}, { header: { jwk: other, kid: thumbprintOf(other) }, by: 'other' })],
    ['issuer', metadata(undefined, {}, { header: { jwk: other }, by: 'other' })],
    ['issuer', metadata(undefined, {}, { header: { kid: 'x' } })],
    ['metadata', metadata(undefined, {}, { by: 'other' })],
    ['metadata', metadata(undefined, {}, { header: { jwk: { ...okp('issuer'), d: 'x' } } })],
    ['metadata', metadata(undefined, {}, { header: { jwk: ec('issuer') } })],
    ['metadata', metadata(undefined, {}, { header: { alg: 'none' } })],
    ['metadata', metadata(undefined, {}, { header: { typ: 'approval+jws' } })],
    ['metadata', metadata(undefined, {}, { header: { crit: [] } })],
    ['metadata', metadata(undefined, { exp: NOW })],
    ['metadata', metadata(undefined, { iat: NOW + SKEW_SECONDS + 1 })],
    ['metadata', metadata(undefined, { more: 1 })],
    ['metadata', metadata(undefined, { keys: {} })],
    ['metadata', metadata([entry(), entry()])],
    ['metadata', sign(head, '{"iss":"c","iat":1,"iat":2,"exp":3,"keys":[]}', { by: 'issuer' })],
    ...[
      ...[
        { kid: 'desk-v2' },
        { version: 2 },
        { key: 'other' },
        { scheme: 'ecdsa-secp256k1' },
        { alg: 'ES256K' },
        { alg: 'none' },
      ],
      ...[
        { jwk: ec('desk-v1') },
        { jwk: { ...okp('desk-v1'), kid: 'x' } },
        { state: 'fine' },
        { address: 1 },
        { validFrom: '1' },
      ],
      ...[{ validUntil: 1.5 }, { revokedAt: -1 }, { more: 1 }],
    ].map(over => ['metadata', metadata([entry(over)])] as const),
  ]
  for (const [rule, document] of cases) assert.equal(await ruleOf(verify(approval(), document)), rule, document)
  assert.equal(await ruleOf(verify(approval(), metadata([]))), 'key')
})

test('M-35 M-62 every state, with every end, before and after it: what is revoked or suspended vouches for nothing', async () => {
  const good: Readonly<Record<VersionState, boolean>> = {
    ...{ pending: true, active: true, overlap: true, retired: true, destroyed: true }, // pending: it was in use before
    ...{ quarantined: false, revoked: false },
  }
  for (const state of VERSION_STATES) {
    const of = (over: object, claims: object = {}) =>
      ruleOf(verify(approval(claims), metadata([entry({ state, ...over })])))
    assert.equal(await of({}), good[state] ? 'good' : 'state', state)
    assert.equal(await of({ revokedAt: NOW + 100 }), 'state', `${state}: revoked after it was signed`)
    assert.equal(await of({ revokedAt: NOW - 900 }), 'state', `${state}: revoked before it was signed`)
    assert.equal(await of({ validFrom: undefined }), 'state', `${state}: never in use`)
    if (!good[state]) continue
    assert.equal(await of({ validUntil: NOW }), 'good', `${state}: signed at its end`)
    assert.equal(await of({ validUntil: NOW - SKEW_SECONDS }), 'good', `${state}: as far as clocks are apart`)
    assert.equal(await of({ validUntil: NOW - SKEW_SECONDS - 1 }), 'time', `${state}: signed after its end`)
    assert.equal(await of({ validFrom: NOW + 599 }), 'good', `${state}: it came into use while the approval was good`)
    assert.equal(await of({ validFrom: NOW + 600 }), 'time', `${state}: it came into use when the approval was over`)
  }
})

test('M-35 as of another time: the document must have been good then, and so must the approval', async () => {
  const at = (seconds: number) => ruleOf(verify(approval(), metadata(), { now: seconds * 1000 }))
  assert.equal(await at(NOW + 599), 'good')
  assert.equal(await at(NOW + 600), 'time')
  assert.equal(await at(NOW + 3540), 'metadata')
  assert.equal(await at(NOW - 61), 'time')
  assert.equal(await at(NOW - 60 - SKEW_SECONDS - 1), 'metadata')
})

test(`M-35 T09 ${LONG ? 100_000 : 3_000} mutants of approvals and documents: the good one alone passes, and nothing but a refusal comes out`, async () => {
  const [jws, document] = [approval({ details: { a: 1 } }), metadata()]
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \u0000é'
  const mutate = (text: string, at: number, how: number, letter: number): string => {
    const place = at % text.length
    const other = alphabet[letter % alphabet.length] ?? ''
    return [
      text.slice(0, place) + other + text.slice(place + 1),
      text.slice(0, place) + other + text.slice(place),
      text.slice(0, place) + text.slice(place + 1),
      text.slice(0, place),
      text + other,
    ][how % 5] as string
  }
  let passed = 0
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.nat(), fc.nat(), fc.nat(), async (which, at, how, letter) => {
      const mutant = mutate(which ? jws : document, at, how, letter)
      const rule = await ruleOf(verify(which ? mutant : jws, which ? document : mutant))
      if (rule === 'good') {
        assert.equal(mutant, which ? jws : document)
        passed++
      }
    }),
    { numRuns: LONG ? 100_000 : 3_000 },
  )
  assert.ok(passed < (LONG ? 5_000 : 150)) // a letter in its own place
})
