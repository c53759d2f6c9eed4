import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair, exportJWK, importJWK, jwtVerify, SignJWT } from 'jose'
import { createDevIssuer } from '../../../src/access/dev-tokens.ts'
import { createTokenReader, createTokenVerifier, TOKEN_REASONS, type TokenRules } from '../../../src/access/tokens.ts'
import { rememberVerified } from '../../../src/access/verified-tokens.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import type { Jwks } from '../../../src/domain/jwks.ts'
import { createTokenMutator, MUTATION_KINDS } from '../../fuzz/token-mutator.ts'
import { AUDIENCE, clock, createForger, goodClaims, goodHeader, ISSUER, NOW_S } from './forge.ts'

const forger = await createForger(1)
const verifier = (over: Partial<TokenRules> = {}) =>
  createTokenVerifier({ jwks: forger.jwks, issuer: ISSUER, audience: AUDIENCE, clock, ...over })
const verify = verifier()

type Reason = keyof typeof TOKEN_REASONS
const refused = async (header: Parameters<typeof verify>[0], reason?: Reason, by = verify): Promise<void> => {
  await assert.rejects(by(header), (error: unknown) => {
    assert.ok(isSignerError(error), String(error))
    assert.ok(error.code === 'token/invalid' || error.code === 'token/missing', error.code)
    assert.ok(Object.values(TOKEN_REASONS).includes(error.detail.reason as never))
    if (reason !== undefined) assert.equal(error.detail.reason, TOKEN_REASONS[reason])
    return true
  })
}

test('tokens M-40: a good token gives its caller, frozen', async () => {
  const caller = await verify(`Bearer ${await forger.sign(goodHeader, goodClaims)}`)
  assert.deepEqual(caller, {
    subject: 'payments-api',
    tokenId: 'token-1',
    scope: 'sign:treasury read:*',
    scopes: [
      { action: 'sign', key: 'treasury' },
      { action: 'read', key: '*' },
    ],
    issuedAt: NOW_S * 1000,
    expiresAt: (NOW_S + 600) * 1000,
  })
  assert.ok(Object.isFrozen(caller) && Object.isFrozen(caller.scopes) && Object.isFrozen(caller.scopes[0]))
  const token = await forger.sign(goodHeader, { ...goodClaims, aud: ['other', AUDIENCE], scope: undefined })
  assert.deepEqual((await verify([`Bearer ${token}`])).scopes, [])
})

test('tokens M-40: ES256 and the fully named Ed25519 work, each only under the algorithm of its key', async () => {
  const ec = await generateKeyPair('ES256', { extractable: true })
  const { x = '', y = '' } = await exportJWK(ec.publicKey)
  const [okp] = forger.jwks.keys
  assert.ok(okp?.kty === 'OKP')
  const jwks: Jwks = {
    keys: [
      { kty: 'EC', crv: 'P-256', alg: 'ES256', kid: 'ec', x, y },
      { ...okp, kid: 'named', alg: 'Ed25519' },
    ],
  }
  const both = verifier({ jwks })
  const signed = (header: { alg: string; kid: string }) =>
    new SignJWT(goodClaims).setProtectedHeader({ ...header, typ: 'at+jwt' }).sign(ec.privateKey)
  assert.equal((await both(`Bearer ${await signed({ alg: 'ES256', kid: 'ec' })}`)).tokenId, 'token-1')
  const named = await forger.sign({ alg: 'Ed25519', kid: 'named', typ: 'at+jwt' }, goodClaims)
  assert.equal((await both(`Bearer ${named}`)).tokenId, 'token-1')
  await refused(`Bearer ${await signed({ alg: 'ES256', kid: 'named' })}`, 'algorithm', both)
  await refused(`Bearer ${await forger.sign({ ...goodHeader, kid: 'named' }, goodClaims)}`, 'algorithm', both)
  await refused(
    `Bearer ${await forger.sign({ alg: 'ES256', kid: 'ec', typ: 'at+jwt' }, goodClaims)}`,
    'signature',
    both,
  )
})

test('tokens: nothing sent is missing, anything else that fails is invalid', async () => {
  for (const header of [undefined, '', []]) {
    await assert.rejects(verify(header), { code: 'token/missing', detail: { reason: TOKEN_REASONS.absent } })
  }
  await assert.rejects(verify('Basic eDp5'), { code: 'token/invalid' })
})

/** 12 switches, each with the one thing that goes wrong when it is thrown. */
const SWITCHES: readonly ((token: {
  header: Record<string, unknown>
  claims: Record<string, unknown>
  forged: boolean
}) => void)[] = [
  ({ claims }) => void (claims['iss'] = 'https://evil.example'),
  ({ claims }) => void (claims['aud'] = 'another-service'),
  ({ claims }) => void delete claims['sub'],
  ({ claims }) => void delete claims['jti'],
  ({ claims }) => void delete claims['iat'],
  ({ claims }) => void delete claims['exp'],
  ({ claims }) => void (claims['exp'] = NOW_S - 31),
  ({ claims }) => void (claims['exp'] = NOW_S + 901),
  ({ claims }) => void (claims['iat'] = NOW_S + 31),
  ({ claims }) => void (claims['nbf'] = NOW_S + 31),
  ({ header }) => void (header['typ'] = 'JWT'),
  token => void (token.forged = true),
]

test('tokens T08: of 4,096 combinations of 12 faults only the one without any passes', async () => {
  const attacker = await createForger(2)
  const passed: number[] = []
  for (let faults = 0; faults < 4096; faults++) {
    const token = { header: { ...goodHeader }, claims: { ...goodClaims }, forged: false }
    SWITCHES.forEach((fault, bit) => {
      if ((faults & (1 << bit)) !== 0) fault(token)
    })
    const header = `Bearer ${await (token.forged ? attacker : forger).sign(token.header, token.claims)}`
    await verify(header).then(
      () => passed.push(faults),
      (error: { code?: string }) => assert.equal(error.code, 'token/invalid'),
    )
  }
  assert.deepEqual(passed, [0])
})

test('tokens T08: times are held to the second, with the skew and no more', async () => {
  const cases: readonly (readonly [object, Reason | undefined])[] = [
    [{ exp: NOW_S + 900 }, undefined],
    [{ exp: NOW_S + 901 }, 'life'],
    [{ iat: NOW_S - 600, exp: NOW_S - 29, nbf: undefined }, undefined],
    [{ iat: NOW_S - 600, exp: NOW_S - 30, nbf: undefined }, 'expired'],
    [{ iat: NOW_S + 30, exp: NOW_S + 60 }, undefined],
    [{ iat: NOW_S + 31, exp: NOW_S + 60 }, 'claims'],
    [{ nbf: NOW_S + 30 }, undefined],
    [{ nbf: NOW_S + 31 }, 'claims'],
    [{ exp: NOW_S }, 'life'],
    [{ iat: NOW_S + 20, exp: NOW_S + 10 }, 'life'],
    [{ iat: NOW_S - 931, exp: NOW_S + 10 }, 'expired'],
    [{ exp: NOW_S + 600.5 }, 'claims'],
    [{ iat: NOW_S + 0.5 }, 'claims'],
    [{ exp: `${NOW_S + 600}` }, 'claims'],
    [{ iat: `${NOW_S}` }, 'claims'],
    [{ nbf: `${NOW_S}` }, 'claims'],
  ]
  for (const [claims, reason] of cases) {
    const header = `Bearer ${await forger.sign(goodHeader, { ...goodClaims, ...claims })}`
    if (reason === undefined) await verify(header)
    else await refused(header, reason)
  }
  const strict = verifier({ skewSeconds: 0, maxAgeSeconds: 60 })
  await refused(`Bearer ${await forger.sign(goodHeader, goodClaims)}`, 'life', strict)
  await refused(
    `Bearer ${await forger.sign(goodHeader, { ...goodClaims, iat: NOW_S + 1, exp: NOW_S + 20 })}`,
    'claims',
    strict,
  )
  await strict(`Bearer ${await forger.sign(goodHeader, { ...goodClaims, exp: NOW_S + 60 })}`)
})

test('tokens T08: claims of a wrong type, empty, too long or twice are refused', async () => {
  const wrong: readonly object[] = [
    { sub: '' },
    { sub: 5 },
    { sub: null },
    { sub: 'x'.repeat(256) },
    { jti: '' },
    { jti: ['a'] },
    { jti: 'x'.repeat(256) },
    { scope: ['sign:*'] },
    { scope: null },
    { aud: [] },
    { aud: {} },
    { iss: [ISSUER] },
  ]
  for (const claims of wrong)
    await refused(`Bearer ${await forger.sign(goodHeader, { ...goodClaims, ...claims })}`, 'claims')
  const doubled = `{"sub":"operator",${JSON.stringify(goodClaims).slice(1)}`
  await refused(`Bearer ${await forger.sign(goodHeader, doubled)}`, 'claims')
  for (const payload of ['[]', 'null', '1', '"x"', '{', '\u0000']) {
    await refused(`Bearer ${await forger.sign(goodHeader, payload)}`, 'claims')
  }
})

test('tokens D18: constraints and confirmation are read strictly, and nobody takes a bound token for a bearer token', async () => {
  const shown = async (claims: object) =>
    verify(`Bearer ${await forger.sign(goodHeader, { ...goodClaims, ...claims })}`)
  const { constraints } = await shown({ cs: { limit: 5, networks: ['stellar:pubnet'] } })
  assert.deepEqual(constraints, { limit: 5, networks: ['stellar:pubnet'] })
  const token = async (claims: object) => `Bearer ${await forger.sign(goodHeader, { ...goodClaims, ...claims })}`
  for (const cs of [null, {}, [], 'x', { networks: [] }, { networks: ['b', 'a'] }, { limit: 5, extra: 1 }]) {
    await refused(await token({ cs }), 'constraints')
  }
  for (const cnf of [null, {}, [], 'x', { kid: 'k1' }, { jkt: 'short' }])
    await refused(await token({ cnf }), 'confirmation')
  const thumbprint = 'A'.repeat(43)
  for (const cnf of [{ jkt: thumbprint }, { 'x5t#S256': thumbprint }]) await refused(await token({ cnf }), 'bound')
})

test('tokens T07: none, HMAC with the public key, and keys brought along are refused', async () => {
  for (const alg of ['none', 'None', 'HS256', 'HS384', 'HS512', 'RS256', 'ES256', 'Ed25519', 'eddsa']) {
    await refused(`Bearer ${await forger.sign({ ...goodHeader, alg }, goodClaims)}`, 'algorithm')
  }
  const attacker = await createForger(2)
  for (const extra of [
    { jwk: attacker.jwks.keys[0] },
    { jku: 'https://evil.example' },
    { x5u: 'https://evil.example' },
    { crit: ['x'] },
  ]) {
    await refused(`Bearer ${await attacker.sign({ ...goodHeader, ...extra }, goodClaims)}`, 'header')
  }
  await refused(`Bearer ${await attacker.sign(goodHeader, goodClaims)}`, 'signature')
  const next = createTokenMutator({
    seed: 7,
    token: await forger.sign(goodHeader, goodClaims),
    jwk: forger.jwks.keys[0] ?? { x: '' },
  })
  for (let n = 0, forged = 0; forged < 500; n++) {
    const mutant = next()
    assert.ok(n < 100_000)
    if (mutant.kind !== 'header alg') continue
    forged++
    await refused(mutant.authorization)
  }
})

test('tokens T07: the published tokens of RFC 8037 A.4 and RFC 7515 A.3 lack kid and typ and are refused', async () => {
  const rfc8037 =
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg'
  const rfc7515 =
    'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q'
  for (const token of [rfc8037, rfc7515]) await refused(`Bearer ${token}`, 'header')
})

test('tokens T10: 40 shapes of the Authorization header, of which one passes', async () => {
  const token = await forger.sign(goodHeader, goodClaims)
  const good = `Bearer ${token}`
  const shapes: readonly (string | string[] | undefined)[] = [
    good,
    ...[
      `bearer ${token}`,
      `BEARER ${token}`,
      `BeArEr ${token}`,
      `Bearer  ${token}`,
      `Bearer\t${token}`,
      `Bearer${token}`,
    ],
    ...[` ${good}`, `${good} `, `\t${good}`, `${good}\n`, `${good}\r\nX: y`, `${good}\u0000`, `\ufeff${good}`],
    ...[`${good},`, `${good}, ${good}`, `${good};q=1`, `${good} ${token}`, `Bearer, ${token}`, `Bearer: ${token}`],
    ...[`DPoP ${token}`, `Basic ${token}`, `Token ${token}`, `JWT ${token}`, `HMAC ${token}`, `Bearer=${token}`, token],
    ...[
      'Bearer',
      'Bearer ',
      'Bearer  ',
      'Bearer null',
      'Bearer undefined',
      `Bearer "${token}"`,
      `Bearer token=${token}`,
    ],
    ...[
      `Bearer ${encodeURIComponent(token)}=`,
      `Bearer ${token.toUpperCase()}`,
      good.padEnd(5000, 'A'),
      `Basic x, ${good}`,
    ],
    ...[
      [good, good],
      ['Basic eDp5', good],
    ],
  ]
  assert.equal(shapes.length, 40)
  let passed = 0
  for (const shape of shapes) {
    if (shape === good) passed += (await verify(shape)).tokenId === 'token-1' ? 1 : 0
    else await refused(shape)
  }
  assert.equal(passed, 1)
  await refused([good, good], 'repeated')
  await refused(good.padEnd(5000, 'A'), 'long')
  await refused(`bearer ${token}`, 'scheme')
})

test('tokens T11: 1,000 hostile kids look nothing up', async () => {
  const bases = [
    '../',
    '..\\',
    '/etc/passwd',
    "' OR 1=1--",
    'https://evil.example/',
    'file:///',
    '__proto__',
    'constructor',
    '%00',
    'é',
    'k1 ',
    ' k1',
    'k1\u0000',
    'K1',
  ]
  for (let n = 0; n < 1000; n++) {
    const base = bases[n % bases.length] ?? ''
    const kid = base.repeat(1 + (n % 7)) + (n < bases.length ? '' : String(n))
    await refused(`Bearer ${await forger.sign({ ...goodHeader, kid }, goodClaims)}`, 'key')
  }
  for (const kid of ['', 'a'.repeat(65), 'a'.repeat(2000)]) {
    await refused(`Bearer ${await forger.sign({ ...goodHeader, kid }, goodClaims)}`, 'key')
  }
  for (const kid of [null, 1, ['k1'], { k: 1 }, undefined]) {
    await refused(`Bearer ${await forger.sign({ ...goodHeader, kid }, goodClaims)}`, 'header')
  }
})

test('tokens: headers that are not one flat object of alg, kid and typ are refused', async () => {
  for (const header of ['[]', 'null', '{', '"x"', '', '{"alg":"EdDSA","alg":"EdDSA","kid":"k1","typ":"at+jwt"}']) {
    await refused(`Bearer ${await forger.sign(header, goodClaims)}`, header === '' ? 'spelling' : 'header')
  }
  for (const header of [
    { ...goodHeader, alg: 1 },
    { ...goodHeader, typ: undefined },
    { ...goodHeader, typ: 'application/at+jwt' },
  ]) {
    await refused(`Bearer ${await forger.sign(header, goodClaims)}`, 'header')
  }
})

const MUTANTS = process.env['COUNTERSIGN_TEST_LONG'] === undefined ? 20_000 : 200_000

test(`tokens T09 R-10: ${MUTANTS} structure-aware mutants, none accepted, nothing but typed refusals`, async () => {
  const seed = 20261122
  for (const [at, kid] of ['k1', 'k2'].entries()) {
    const issuer = await createForger(10 + at, kid)
    const claims = { ...goodClaims, jti: `token-${at}` }
    const token = await issuer.sign({ ...goodHeader, kid }, claims)
    const by = verifier({ jwks: issuer.jwks })
    await by(`Bearer ${token}`)
    const next = createTokenMutator({ seed: seed + at, token, jwk: issuer.jwks.keys[0] ?? { x: '' } })
    const seen = new Set<string>()
    for (let n = 0; n < MUTANTS / 2; n++) {
      const { kind, authorization } = next()
      seen.add(kind)
      const outcome = await by(authorization).then(
        () => 'accepted',
        (error: unknown) => (isSignerError(error) ? error.code : `a bare error: ${String(error)}`),
      )
      assert.match(outcome, /^token\//, `seed ${seed + at}, mutant ${n}, ${kind}: ${JSON.stringify(authorization)}`)
    }
    assert.deepEqual([...seen].toSorted(), MUTATION_KINDS.toSorted())
  }
})

test('tokens T08 T09: a token shown before is judged anew: expiry, another text of it, another key set', async () => {
  let nowMs = NOW_S * 1000
  const by = verifier({ clock: { now: () => nowMs } })
  const token = await forger.sign(goodHeader, goodClaims)
  for (let n = 0; n < 3; n++) assert.equal((await by(`Bearer ${token}`)).tokenId, 'token-1')
  const [head = '', body = '', signature = ''] = token.split('.')
  const other = signature.startsWith('A') ? 'B' : 'A'
  await refused(`Bearer ${head}.${body}.${other}${signature.slice(1)}`, 'signature', by)
  await refused(`Bearer ${token}=`, 'spelling', by)
  nowMs += 631_000
  await refused(`Bearer ${token}`, 'expired', by)
  nowMs -= 631_000
  assert.equal((await by(`Bearer ${token}`)).tokenId, 'token-1')
  await refused(`Bearer ${token}`, 'signature', verifier({ jwks: (await createForger(77)).jwks }))
})

test('tokens: what is remembered is bounded, the least recently shown goes first, and a failure is never remembered', async () => {
  const known = rememberVerified(3)
  const verified: string[] = []
  const show = (token: string) => known.once(token, 'key', async () => void verified.push(token))
  for (const token of ['a', 'b', 'c', 'a', 'd', 'a', 'b']) await show(token)
  assert.deepEqual(verified, ['a', 'b', 'c', 'd', 'b'])
  assert.equal(known.size, 3)
  for (let n = 0; n < 2; n++) {
    await assert.rejects(
      known.once('bad', 'key', () => Promise.reject(new Error('no'))),
      /no/,
    )
  }
  assert.equal(known.size, 3)
  await known.once('bad', 'key', async () => void verified.push('bad'))
  assert.equal(verified.at(-1), 'bad')
})

test('tokens T08: times and names are judged as jose judges them, over a grid', async () => {
  const [jwk] = forger.jwks.keys
  const key = await importJWK({ ...(jwk ?? assert.fail()) }, 'EdDSA')
  const offs = [-1000, -931, -930, -900, -31, -30, 0, 30, 31, 600]
  let both = 0
  for (const iat of offs) {
    for (const exp of [-31, -30, -29, 1, 600, 'x', undefined]) {
      for (const more of [
        {},
        { nbf: NOW_S + 30 },
        { nbf: NOW_S + 31 },
        { aud: [AUDIENCE, 'b'] },
        { aud: ['b'] },
        { iss: [ISSUER] },
      ]) {
        const at = typeof exp === 'number' ? NOW_S + exp : exp
        const token = await forger.sign(goodHeader, { ...goodClaims, iat: NOW_S + iat, exp: at, ...more })
        const witness = await jwtVerify(token, key, {
          algorithms: ['EdDSA'],
          issuer: ISSUER,
          audience: AUDIENCE,
          currentDate: new Date(clock.now()),
          clockTolerance: 30,
          maxTokenAge: 900,
          requiredClaims: ['iss', 'aud', 'sub', 'exp', 'iat', 'jti'],
        }).then(
          () => 'ok',
          (error: { code?: string }) =>
            error.code === 'ERR_JWT_EXPIRED' ? TOKEN_REASONS.expired : TOKEN_REASONS.claims,
        )
        const ours = await verify(`Bearer ${token}`).then(
          () => 'ok',
          (error: unknown) => (isSignerError(error) && 'reason' in error.detail ? error.detail.reason : String(error)),
        )
        // jose leaves open how long a token may live from the start.
        if (ours !== TOKEN_REASONS.life) assert.equal(ours, witness, JSON.stringify({ iat, exp, more }))
        if (ours === 'ok') both++
      }
    }
  }
  assert.ok(both >= 20, `${both} accepted by both`)
})

test('tokens: no refusal carries anything of the token', async () => {
  const token = await forger.sign(goodHeader, { ...goodClaims, sub: 'very-private-subject', exp: NOW_S - 100 })
  await assert.rejects(verify(`Bearer ${token}`), (error: Error) => {
    for (const part of [...token.split('.'), 'very-private-subject']) assert.ok(!error.message.includes(part))
    return true
  })
})

test('tokens: rules that cannot hold are refused together when the verifier is made', () => {
  const make = () => verifier({ jwks: { keys: [] }, issuer: '', audience: '', maxAgeSeconds: 901, skewSeconds: 31 })
  assert.throws(make, (error: unknown) => {
    assert.ok(isSignerError(error) && error.code === 'config/invalid')
    assert.deepEqual(
      error.detail.problems.map(({ path }) => path),
      ['tokens.issuer', 'tokens.jwks', 'tokens.maxAgeSeconds', 'tokens.clockSkewSeconds', 'tokens.audience'],
    )
    return true
  })
  for (const bad of [{ maxAgeSeconds: 0 }, { maxAgeSeconds: 1.5 }, { skewSeconds: -1 }, { skewSeconds: Number.NaN }]) {
    assert.throws(() => verifier(bad), { code: 'config/invalid' })
  }
})

test('tokens: a key that is no point of its curve refuses every token that names it', async () => {
  const x = 'A'.repeat(43)
  const off = verifier({ jwks: { keys: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: 'k1', x, y: x }] } })
  await refused(`Bearer ${await forger.sign({ ...goodHeader, alg: 'ES256' }, goodClaims)}`, undefined, off)
  await refused(`Bearer ${await forger.sign({ ...goodHeader, alg: 'ES256' }, goodClaims)}`, undefined, off)
})

test('dev tokens: the issuer of `dev` gives tokens its own verifier takes, for at most 15 minutes', async () => {
  const issuer = createDevIssuer({ clock })
  const by = createTokenVerifier({ ...issuer, clock })
  const token = await issuer.issue({ subject: 'dev', scopes: ['sign:*', 'read:*'] })
  const caller = await by(`Bearer ${token}`)
  assert.deepEqual([caller.subject, caller.scopes.length, caller.expiresAt], ['dev', 2, (NOW_S + 900) * 1000])
  assert.match(caller.tokenId, /^jti_[0-9a-f]{32}$/)
  const short = await by(`Bearer ${await issuer.issue({ subject: 'dev', scopes: [], seconds: 1 })}`)
  assert.deepEqual([short.scopes, short.expiresAt], [[], (NOW_S + 1) * 1000])
  for (const seconds of [0, 901, 1.5, Number.NaN]) {
    await assert.rejects(issuer.issue({ subject: 'dev', scopes: [], seconds }), { code: 'config/invalid' })
  }
  const bound = { jkt: 'A'.repeat(43) }
  const limited = await issuer.issue({ subject: 'dev', scopes: [], constraints: { limit: 1 }, confirmation: bound })
  const read = await createTokenReader({ ...issuer, clock })(limited)
  assert.deepEqual([read.constraints, read.confirmation?.thumbprint], [{ limit: 1 }, bound.jkt])
  const stranger = createTokenVerifier({ ...createDevIssuer({ clock }), clock })
  await refused(`Bearer ${token}`, 'key', stranger)
})

test('dev tokens: the same randomness gives the same key, and the key set holds no private half', async () => {
  const random = { bytes: (length: number) => new Uint8Array(length).fill(5) }
  const [one, two] = [createDevIssuer({ clock, random }), createDevIssuer({ clock, random })]
  assert.deepEqual(one.jwks, two.jwks)
  assert.deepEqual(Object.keys(one.jwks.keys[0] ?? {}).toSorted(), ['alg', 'crv', 'kid', 'kty', 'x'])
  assert.equal(await one.issue({ subject: 'a', scopes: [] }), await two.issue({ subject: 'a', scopes: [] }))
})
