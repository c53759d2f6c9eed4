/** M-35: what an approval may say, and that nothing else is ever mistaken for one. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { sha256 } from '@noble/hashes/sha2.js'
import * as fc from 'fast-check'
import { readClaims } from '../../../src/approvals/claims.ts'
import { openCompact } from '../../../src/approvals/compact.ts'
import { approvalPayloads, SIGNING_INPUT_MAX } from '../../../src/approvals/payload.ts'
import { toHex } from '../../../src/bytes/hex.ts'
import { parseStrictJson } from '../../../src/bytes/json.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import type { ExecutionApprovalView } from '../../../src/domain/execution-approval.ts'
import type { Asked, Signatory } from '../../../src/domain/payload.ts'
import { parseFor } from '../../../src/service/payloads.ts'

const desk: Signatory = { key: 'desk', version: 3, chain: 'stellar', network: 'testnet', address: 'G', account: 'G' }
const deskEvm: Signatory = { ...desk, chain: 'evm', network: 'sepolia', address: '0x', account: '0x' }
const GOOD = {
  action: 'escrow.release',
  audience: 'settlement',
  subject: 'order 42',
  issuedAt: '2026-11-22T12:00:00Z',
  expiresAt: '2026-11-22T12:10:00Z',
  correlationId: 'c-1',
}

const read = (payload: object, signatory = desk): Asked => {
  const parse = approvalPayloads['approval']
  assert.ok(parse !== undefined)
  return parse({ type: 'approval', ...payload }, signatory)
}
const asked = (over: object = {}, signatory = desk): Asked => read({ approval: { ...GOOD, ...over } }, signatory)
const without = (name: keyof typeof GOOD) => Object.fromEntries(Object.entries(GOOD).filter(([each]) => each !== name))
const signature = new Uint8Array(64).fill(7)
const jwsOf = (of: Asked): string => of.attach(new Uint8Array(32), signature).jws ?? ''
const messageOf = ({ input }: Asked): Uint8Array => {
  assert.ok(input.scheme === 'ed25519')
  return input.message
}

function refusal(body: () => unknown): [field: string, reason: string] {
  try {
    body()
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'payload/invalid', String(error))
    return [error.detail.field, error.detail.reason]
  }
  return assert.fail('was not refused')
}

test('M-35 what is signed is canonical JSON under a header that names key and version, and the view says the same', () => {
  const of = asked({ details: { b: 1, a: ['x', null, true], amount: '10.50' } })
  const jws = jwsOf(of)
  const [header = '', payload = '', last] = jws.split('.')
  const text = (part: string) => Buffer.from(part, 'base64url').toString()
  assert.equal(text(header), '{"alg":"EdDSA","kid":"desk-v3","typ":"approval+jws"}')
  assert.equal(
    text(payload),
    '{"action":"escrow.release","aud":"settlement","details":{"a":["x",null,true],"amount":"10.50","b":1},"exp":1795349400,"iat":1795348800,"iss":"desk","jti":"c-1","sub":"order 42"}',
  )
  assert.equal(last, Buffer.from(signature).toString('base64url'))
  assert.equal(Buffer.from(messageOf(of)).toString(), `${header}.${payload}`)
  assert.deepEqual(of.view, {
    kind: 'approval',
    network: 'testnet',
    ...{ action: 'escrow.release', audience: 'settlement', subject: 'order 42', correlationId: 'c-1' },
    ...{
      issuedAt: 1795348800_000,
      expiresAt: 1795349400_000,
      details: { a: ['x', null, true], amount: '10.50', b: 1 },
    },
  } satisfies ExecutionApprovalView)
  assert.equal(of.hash, toHex(sha256(messageOf(of))))
  assert.deepEqual([of.operations, of.slot()], [['approval'], undefined])
  const what = 'Approve escrow.release of "order 42" for settlement until 2026-11-22T12:10:00Z, correlation id c-1'
  assert.equal(of.sentence, `${what}, with {"a":["x",null,true],"amount":"10.50","b":1}`)
  assert.equal(asked().sentence, what)
  assert.match(asked({ details: { to: 'a\u202eb\u{1f600}' } }).sentence, /, with \{"to":"a\\u202eb\\ud83d\\ude00"\}$/)
  const long = asked({ details: { note: 'x'.repeat(1_500) } }).sentence
  assert.match(long, /, with \{"note":"x{991} and 511 more characters$/)
  assert.deepEqual(of.describe().sentences, [`${of.sentence}.`])
})

test('M-35 one approval has one text: times as text or seconds, empty details or none, any order of members, -0 and 0', () => {
  const same = [
    asked(),
    asked({ issuedAt: 1795348800, expiresAt: 1795349400 }),
    asked({ details: {} }),
    read({ approval: Object.fromEntries(Object.entries(GOOD).toReversed()) }),
  ]
  for (const each of same) assert.equal(jwsOf(each), jwsOf(same[0] as Asked))
  assert.equal(jwsOf(asked({ details: { n: -0 } })), jwsOf(asked({ details: { n: 0 } })))
  assert.deepEqual((asked({ details: { n: -0 } }).view as ExecutionApprovalView).details, { n: 0 })
  const lists = { details: { list: [1] } }
  const before = asked(lists)
  lists.details.list.push(2)
  assert.deepEqual((before.view as ExecutionApprovalView).details, { list: [1] })
})

test('M-35 what is missing, unknown or of another form is refused, and the field is named', () => {
  for (const name of Object.keys(GOOD) as (keyof typeof GOOD)[]) {
    assert.deepEqual(
      refusal(() => read({ approval: without(name) })),
      [`approval.${name}`, 'is missing'],
    )
    for (const bad of [null, '', ' ', true, {}, [], 'x'.repeat(257), 'é', 'a\nb', '\u0000']) {
      assert.equal(refusal(() => asked({ [name]: bad }))[0], `approval.${name}`, JSON.stringify(bad))
    }
  }
  assert.deepEqual(
    refusal(() => asked({ iss: 'other' })),
    ['approval.iss', 'is not a field of an approval'],
  )
  assert.deepEqual(refusal(() => asked({ nö: 1 }))[0], 'approval.n?')
  assert.equal(refusal(() => read({ approval: GOOD, kid: 'x' }))[0], 'kid')
  for (const bad of [undefined, null, [], 'x', 1]) assert.equal(refusal(() => read({ approval: bad }))[0], 'approval')
  for (const action of ['Escrow', '.a', 'a b', 'a/b', 'x'.repeat(65), '-a']) {
    assert.equal(refusal(() => asked({ action }))[0], 'approval.action', action)
  }
  for (const audience of ['two words', 'x'.repeat(257)]) {
    assert.equal(refusal(() => asked({ audience }))[0], 'approval.audience')
  }
  for (const subject of [' a', 'a ', 'x'.repeat(257)])
    assert.equal(refusal(() => asked({ subject }))[0], 'approval.subject')
  assert.equal(refusal(() => asked({ correlationId: 'x'.repeat(129) }))[0], 'approval.correlationId')
})

test('M-35 a time is whole seconds, or UTC to the second; milliseconds and dates that do not exist are refused', () => {
  for (const expiresAt of [
    ...[
      '2026-11-22T12:10:00',
      '2026-11-22T12:10:00+00:00',
      '2026-11-22T12:10:00.000Z',
      '2026-11-22',
      '2026-02-30T00:00:00Z',
    ],
    ...[
      '2026-11-22T24:00:00Z',
      '2026-11-22T12:10:60Z',
      '+002026-11-22T12:10:00Z',
      '1795349400',
      ' 2026-11-22T12:10:00Z',
    ],
    ...[1795349400_000, -1, 1795349400.5, Number.NaN, Number.POSITIVE_INFINITY, 253_402_300_800, 1795349400n],
  ]) {
    assert.equal(refusal(() => asked({ expiresAt }))[0], 'approval.expiresAt', String(expiresAt))
  }
  for (const expiresAt of ['2026-11-22T12:00:00Z', '2026-11-22T11:59:59Z']) {
    assert.deepEqual(
      refusal(() => asked({ expiresAt })),
      ['approval.expiresAt', 'is not after issuedAt'],
    )
  }
  assert.equal(
    (asked({ expiresAt: '9999-12-31T23:59:59Z' }).view as ExecutionApprovalView).expiresAt,
    253_402_300_799_000,
  )
})

test('M-35 details are JSON that every reader reads alike: no fraction, no large number, no half character, no depth', () => {
  const nested = (depth: number): object => (depth === 1 ? {} : { a: nested(depth - 1) })
  const deep = JSON.parse('{"__proto__":{"a":1}}') as object
  const refused: readonly (readonly [details: unknown, field: RegExp])[] = [
    [null, /details$/],
    [[], /details$/],
    ['text', /details$/],
    [{ n: 0.5 }, /details\.n$/],
    [{ n: 2 ** 53 }, /details\.n$/],
    [{ n: Number.NaN }, /details\.n$/],
    [{ n: [1, { m: 1e300 }] }, /details\.n\[1\]\.m$/],
    [{ s: '\ud800' }, /details\.s$/],
    [{ '\udfff': 1 }, /details$/],
    [{ f: () => 1 }, /details\.f$/],
    [{ u: undefined }, /details\.u$/],
    [{ d: new Date(0) }, /details\.d$/],
    [{ b: 1n }, /details\.b$/],
    [{ [Symbol('s')]: 1, a: 1 }, /details$/],
    [deep, /details$/],
    [nested(10), /details(\.a)+$/],
    [{ list: Array.from({ length: 501 }, () => 0) }, /details$/],
  ]
  for (const [details, field] of refused) assert.match(refusal(() => asked({ details }))[0], field)
  asked({ details: nested(8) })
  asked({ details: { n: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER], s: '\u0000\u{1f600}€' } })
})

test('M-35 what an Ed25519 key of AWS KMS could not sign is refused for every key', () => {
  const size = (length: number) => messageOf(asked({ details: { text: 'x'.repeat(length) } })).length
  let length = 2_700
  while (size(length + 1) <= SIGNING_INPUT_MAX - 2) length++
  assert.ok(size(length) <= 4_096)
  for (const signatory of [desk, deskEvm]) {
    assert.equal(refusal(() => asked({ details: { text: 'x'.repeat(length + 10) } }, signatory))[0], 'approval')
  }
})

test('M-35 T33 nothing that is signed elsewhere is an approval, and no approval is anything else', () => {
  const xdr = readFileSync(new URL('../../../examples/payment.xdr', import.meta.url), 'utf8').trim()
  const transaction = messageOf(parseFor({ type: 'stellar-transaction', xdr } as { type: string }, desk))
  assert.equal(
    transaction.length,
    32,
    'a Stellar hash: of a transaction, an authorization entry or a message of SEP-53',
  )
  const word = fc.stringMatching(/^[\x21-\x7e]{1,40}$/)
  const claims = fc.record({
    audience: word,
    subject: word,
    correlationId: word,
    expiresAt: fc.integer({ min: 1795348801, max: 1795349400 }),
  })
  fc.assert(
    fc.property(claims, over => {
      const [ours, evm] = [asked(over), asked(over, deskEvm)]
      const message = messageOf(ours)
      assert.ok(message.length > 100 && message.length <= SIGNING_INPUT_MAX)
      // ASCII with one dot: no envelope, no challenge of this program (they hold blanks and line ends), and not 32 bytes.
      assert.match(new TextDecoder().decode(message), /^eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+$/)
      assert.ok(evm.input.scheme === 'ecdsa-secp256k1')
      const text = jwsOf(evm).slice(0, jwsOf(evm).lastIndexOf('.'))
      const preimage = new TextEncoder().encode(text)
      assert.deepEqual(new Uint8Array(evm.input.digest), sha256(preimage))
      assert.notDeepEqual(new Uint8Array(evm.input.digest), keccak_256(preimage))
      // And were the hash the same: a chain hashes what begins with 0x19 (EIP-191, EIP-712), a type (EIP-2718) or a list (RLP).
      assert.equal(preimage[0], 0x65)
      assert.notEqual(ours.hash, evm.hash, 'alg and key stand in what is signed')
    }),
    { numRuns: 200 },
  )
  assert.notEqual(jwsOf(asked()), jwsOf(asked({}, { ...desk, version: 4 })))
  assert.notEqual(jwsOf(asked()), jwsOf(asked({}, { ...desk, key: 'desk2' })))
})

test('M-35 any details that are taken come back as they went in, from the bytes that are signed', () => {
  const leaf = fc.oneof(
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
  )
  const name = fc.string({ unit: 'grapheme', maxLength: 8 }).filter(each => each !== '__proto__')
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(name, tie('tree'), { maxKeys: 3 }),
    ),
  }))
  fc.assert(
    fc.property(fc.dictionary(name, tree, { minKeys: 1, maxKeys: 3 }), details => {
      // As it comes in from outside: through the strict parser.
      const json = parseStrictJson(new TextEncoder().encode(JSON.stringify({ approval: { ...GOOD, details } })))
      const of = read(json as object)
      const opened = openCompact(jwsOf(of), 10_000)
      assert.ok(opened !== undefined)
      const claims = readClaims(opened.payload)
      assert.deepEqual(JSON.stringify(claims?.details), JSON.stringify((of.view as ExecutionApprovalView).details))
      assert.deepEqual(claims?.details, JSON.parse(JSON.stringify(details)))
    }),
    { numRuns: 500 },
  )
})
