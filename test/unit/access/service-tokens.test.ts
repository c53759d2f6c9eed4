import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { createAuthenticator } from '../../../src/access/authenticate.ts'
import { createTokenIssuer, type TokenGrant, type TokenIssuerOptions } from '../../../src/access/service-tokens.ts'
import { toBase64Url } from '../../../src/bytes/base64.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { evmPerson, stellarPerson } from '../../support/login-world.ts'
import { clock, NOW_S } from './forge.ts'
import { BASE, byDpop, createSender } from './senders.ts'

const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
const sender = await createSender('EdDSA', 51)

async function privateJwk(alg: 'Ed25519' | 'ES256', over: Partial<JWK> = {}): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const { key_ops: _, ext: __, ...jwk } = (await exportJWK(privateKey)) as JWK & { ext?: boolean }
  return { ...jwk, kid: `control-${alg}`, ...over }
}
const okp = await privateJwk('Ed25519')
const ec = await privateJwk('ES256')

const issuerOf = (jwk: object | string = okp, over: Partial<TokenIssuerOptions> = {}) =>
  createTokenIssuer({
    key: new Secret(typeof jwk === 'string' ? jwk : JSON.stringify(jwk), 'issuer key'),
    issuer: 'countersign-control',
    audience: 'countersign',
    clock,
    random,
    ...over,
  })

const grant: TokenGrant = {
  subject: 'payments-api',
  issuedBy: 'GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN',
  scopes: ['sign:treasury', 'read:*'],
  constraints: {
    operations: ['payment', 'changeTrust'],
    networks: ['stellar:pubnet'],
    maxValue: { native: '5' },
    limit: 3,
  },
  confirmation: { jkt: sender.jkt },
  seconds: 300,
}

test('service tokens D18: what is issued is taken with its proof, with the constraints it was given', async () => {
  for (const jwk of [okp, ec]) {
    const issuer = issuerOf(jwk)
    await issuer.ready()
    const { token, record } = await issuer.issue(grant)
    const ask = createAuthenticator({
      jwks: issuer.jwks,
      issuer: issuer.issuer,
      audience: issuer.audience,
      clock,
      publicUrls: [BASE],
    })
    const caller = await ask(await byDpop(sender, token))
    assert.deepEqual(caller.constraints?.operations, ['changeTrust', 'payment'])
    assert.deepEqual(caller.constraints?.maxValue, new Map([['native', 5n]]))
    assert.deepEqual(
      [caller.subject, caller.tokenId, caller.expiresAt, caller.proof],
      ['payments-api', record.id, (NOW_S + 300) * 1000, 'dpop'],
    )
    assert.deepEqual(record, {
      id: record.id,
      subject: 'payments-api',
      issuedBy: grant.issuedBy,
      issuedAt: NOW_S * 1000,
      expiresAt: (NOW_S + 300) * 1000,
      grants: `{"cnf":{"jkt":"${sender.jkt}"},"cs":{"limit":3,"maxValue":{"native":"5"},"networks":["stellar:pubnet"],"operations":["changeTrust","payment"]},"scopes":["sign:treasury","read:*"]}`,
    })
    assert.ok(!JSON.stringify(record).includes(token))
    assert.notEqual((await issuer.issue(grant)).record.id, record.id)
  }
})

test('service tokens: reading needs no sender, and signing does unless the configuration lets it', async () => {
  const { confirmation: _, ...unbound } = grant
  await issuerOf().issue({ ...unbound, scopes: ['read:*', 'explain:treasury'] })
  await assert.rejects(issuerOf().issue(unbound), {
    code: 'request/malformed',
    detail: {
      field: 'confirmation',
      reason: 'is missing for a sign scope',
      fix: 'bind the token to a key or certificate (cnf)',
    },
  })
  await issuerOf(okp, { senderConstraint: 'optional' }).issue(unbound)
})

test('service tokens: a grant that is not exactly understood is refused, with the name of its field', async () => {
  const issuer = issuerOf(okp, { judges: { isBlock: text => text.includes('/'), isWindow: () => false } })
  const bad: readonly (readonly [Partial<TokenGrant>, string])[] = [
    ...['', 'x'.repeat(256), 'operator', 'unknown', 'control:x', 'pay\nouts', 'pay\u202eouts'].map(
      subject => [{ subject }, 'subject'] as const,
    ),
    ...[stellarPerson(1).address, evmPerson(1).address, evmPerson(1).address.toLowerCase()].map(
      subject => [{ subject }, 'subject'] as const,
    ),
    ...[0, 901, 1.5, Number.NaN, -1].map(seconds => [{ seconds }, 'seconds'] as const),
    ...[
      [],
      ['sign'],
      ['sign:'],
      ['admin:*'],
      ['admin:session'],
      ['sign:a*'],
      ['sign:a read:b'],
      ['read:*', 'read:*'],
      ['sign:*', ''],
    ].map(scopes => [{ scopes }, 'scopes'] as const),
    [{ scopes: Array.from({ length: 65 }, (_, n) => `read:k${n}`) }, 'scopes'],
    ...[
      null,
      'x',
      {},
      [],
      { admin: true },
      { limit: 0 },
      { cidrs: ['x'] },
      { window: {} },
      { maxValue: { a: '1.5' } },
      { networks: ['a', 'a'] },
    ].map(constraints => [{ constraints }, 'constraints'] as const),
    ...[null, 'x', {}, { jkt: 'x' }, { jkt: sender.jkt, jwk: sender.jwk }].map(
      confirmation => [{ confirmation }, 'confirmation'] as const,
    ),
    [{ constraints: { networks: Array.from({ length: 64 }, (_, n) => `${n}`.padEnd(100, 'n')) } }, 'constraints'],
  ]
  for (const [over, field] of bad) {
    await assert.rejects(issuer.issue({ ...grant, ...over }), (error: unknown) => {
      assert.ok(isSignerError(error) && error.code === 'request/malformed', String(error))
      assert.equal(error.detail.field, field, JSON.stringify(over))
      return true
    })
  }
})

test('service tokens: a key that cannot serve is refused, without a word about it', async () => {
  const { d, ...publicOnly } = okp
  const bad: readonly (object | string)[] = [
    ...['', 'not json', '[]', 'null'],
    ...[
      publicOnly,
      { ...okp, d: 'short' },
      { ...okp, d: 5 },
      { ...okp, kid: '../x' },
      { ...okp, crv: 'X25519' },
      { kty: 'oct', k: d, kid: 'x', d },
    ],
    ...[
      { ...okp, x5u: 'https://evil.example' },
      { ...ec, alg: 'ES384' },
    ],
  ]
  for (const jwk of bad) {
    assert.throws(
      () => issuerOf(jwk),
      (error: unknown) => {
        assert.ok(isSignerError(error) && error.code === 'config/invalid')
        assert.ok(!JSON.stringify(error.detail).includes(String(d)))
        return true
      },
    )
  }
  const mixed = [
    { ...okp, x: (await privateJwk('Ed25519')).x },
    { ...ec, d: (await privateJwk('ES256')).d },
    { ...okp, x: toBase64Url(new Uint8Array(32).fill(7)) },
  ]
  for (const jwk of mixed) {
    const issuer = issuerOf(jwk)
    await assert.rejects(issuer.ready(), { code: 'config/invalid' })
    await assert.rejects(issuer.issue(grant), { code: 'config/invalid' })
  }
  assert.ok(!JSON.stringify(issuerOf()).includes(String(d)))
})
