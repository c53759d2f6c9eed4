import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readJwks } from '../../../src/domain/jwks.ts'

/** RFC 8037 A.2 and RFC 7515 A.3.1. */
const okp = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: 'okp-1', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
const ec = {
  ...{ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: 'ec-1' },
  ...{ x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' },
}

test('jwks: published keys are read, frozen, without members that say nothing', () => {
  const { jwks, problems } = readJwks(
    { keys: [{ ...okp, use: 'sig', key_ops: ['verify'], ext: true }, ec] },
    'tokens.jwks',
  )
  assert.deepEqual(problems, [])
  assert.deepEqual(jwks, { keys: [okp, ec] })
  assert.ok(Object.isFrozen(jwks) && Object.isFrozen(jwks.keys) && jwks.keys.every(Object.isFrozen))
  assert.equal(readJwks({ keys: [{ ...okp, alg: 'Ed25519' }] }, 'j').problems.length, 0)
})

test('jwks T07 T11 T12: private, symmetric, foreign and double keys are refused, all at once', () => {
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [{ ...okp, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' }, /private/],
    [{ kty: 'oct', alg: 'HS256', kid: 'h', k: 'AAAA' }, /private/],
    [{ ...okp, kid: 'x', crv: 'Ed448' }, /kind/],
    [{ ...okp, kid: 'x', alg: 'HS256' }, /kind/],
    [{ ...okp, kid: 'x', alg: undefined }, /kind/],
    [{ ...ec, kid: 'x', alg: 'ES384' }, /kind/],
    [{ kty: 'RSA', alg: 'RS256', kid: 'r', n: 'AQAB', e: 'AQAB' }, /kind/],
    [{ ...okp, kid: 'x', x5u: 'https://evil.example' }, /unknown member "x5u"/],
    [{ ...okp, kid: 'x', y: ec.y }, /unknown member "y"/],
    [{ ...okp, kid: 'x', use: 'enc' }, /signatures/],
    [{ ...okp, kid: 'x', key_ops: ['sign'] }, /verifying/],
    [{ ...okp, kid: '../x' }, /kid/],
    [{ ...okp, kid: 'x'.repeat(65) }, /kid/],
    [{ ...okp, kid: 7 }, /kid/],
    [{ ...okp, kid: 'x', x: `${okp.x}A` }, /coordinate/],
    [{ ...okp, kid: 'x', x: `${okp.x.slice(0, -1)}p` }, /coordinate/],
    [{ ...okp, kid: 'x', x: 5 }, /coordinate/],
    [{ ...ec, kid: 'x', y: undefined }, /coordinate/],
    [null, /kid/],
    ['text', /kid/],
    [okp, /kid "okp-1" of another key/],
  ]
  const { problems } = readJwks({ keys: [okp, ...bad.map(([key]) => key)] }, 'tokens.jwks')
  assert.equal(problems.length, bad.length)
  bad.forEach(([, expected], index) => {
    assert.match(problems[index]?.problem ?? '', expected)
    assert.equal(problems[index]?.path, `tokens.jwks.keys[${index + 1}]`)
  })
  assert.ok(!JSON.stringify(problems).includes('nWGxne'))
})

test('jwks: a document that is no key set is refused', () => {
  const many = { keys: Array.from({ length: 65 }, (_, n) => ({ ...okp, kid: `k${n}` })) }
  for (const value of [undefined, null, 5, 'x', [], {}, { keys: {} }, { keys: [] }, many]) {
    assert.equal(readJwks(value, 'tokens.jwks').problems[0]?.path, 'tokens.jwks')
  }
})
