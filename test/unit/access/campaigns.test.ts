import assert from 'node:assert/strict'
import { createHmac, createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { createAuthenticator, type AuthenticationRequest } from '../../../src/access/authenticate.ts'
import { createReplayMemory } from '../../../src/access/replays.ts'
import { createTokenVerifier } from '../../../src/access/tokens.ts'
import { fromBase64Url, toBase64Url } from '../../../src/bytes/base64.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { createTokenMutator } from '../../fuzz/token-mutator.ts'
import { createDice, type Dice } from '../../fuzz/token-random.ts'
import { sharedVectors, type WycheproofFile } from '../../support/shared-vectors.ts'
import { AUDIENCE, clock, createForger, goodClaims, goodHeader, ISSUER, NOW_S } from './forge.ts'
import { bare, BASE, type Bare, byDpop, createSender, dpopProof, fresh } from './senders.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] !== undefined
const forger = await createForger(61)
const [sender, stranger, third] = await Promise.all([62, 63, 64].map(fill => createSender('EdDSA', fill)))
assert.ok(sender !== undefined && stranger !== undefined && third !== undefined)
const trust = { jwks: forger.jwks, issuer: ISSUER, audience: AUDIENCE, clock }
const verify = createTokenVerifier(trust)

/** @returns `accepted`, or the code; anything that is not ours fails the test. */
const outcomeOf = (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => 'accepted',
    (error: unknown) => (isSignerError(error) ? error.code : assert.fail(`a bare error: ${String(error)}`)),
  )

interface Attempt {
  claims: Record<string, unknown>
  proof: Record<string, unknown>
  by: typeof sender
  request: Bare
  token?: string
  revoked?: boolean
  used?: boolean
}

/** 12 switches of a bound token and its proof, each with the one thing that goes wrong when it is thrown. */
const SWITCHES: readonly ((attempt: Attempt) => void)[] = [
  ({ claims }) => void (claims['cs'] = { networks: [] }),
  ({ claims }) => void (claims['cs'] = { cidrs: ['192.0.2.0/24'] }), // nobody to judge it
  ({ claims }) => void (claims['cnf'] = { jkt: third.jkt }),
  attempt => void (attempt.revoked = true),
  attempt => void (attempt.by = stranger),
  attempt => void (attempt.request = { ...attempt.request, method: 'PUT' }),
  attempt => void (attempt.request = { ...attempt.request, path: '/v1/keys/payout/sign' }),
  attempt =>
    void (attempt.request = { ...attempt.request, body: bare.body.map((byte, at) => (at === 7 ? byte ^ 1 : byte)) }),
  attempt => void (attempt.request = { ...attempt.request, idempotencyKey: 'order-2' }),
  ({ proof }) => void (proof['iat'] = NOW_S - 16),
  ({ proof }) => void (proof['ath'] = 'A'.repeat(43)),
  attempt => void (attempt.used = true),
]

test('authenticate T05 T06: of 4,096 combinations of 12 faults only the one without any passes', async () => {
  const passed: number[] = []
  let isRevoked = false
  const ask = createAuthenticator({ ...trust, publicUrls: [BASE], isRevoked: async () => isRevoked })
  for (let faults = 0; faults < 4096; faults++) {
    const attempt: Attempt = {
      claims: { cnf: { jkt: sender.jkt } },
      proof: { jti: fresh() },
      by: sender,
      request: bare,
    }
    SWITCHES.forEach((fault, bit) => {
      if ((faults & (1 << bit)) !== 0) fault(attempt)
    })
    const token = await forger.sign(goodHeader, { ...goodClaims, ...attempt.claims })
    const dpop = await dpopProof(attempt.by, token, bare, { claims: attempt.proof })
    const request = { ...attempt.request, authorization: `DPoP ${token}`, dpop }
    isRevoked = false
    if (attempt.used === true) await outcomeOf(ask({ ...bare, authorization: `DPoP ${token}`, dpop }))
    isRevoked = attempt.revoked === true
    const outcome = await outcomeOf(ask(request))
    if (outcome === 'accepted') passed.push(faults)
    else assert.ok(outcome === 'token/invalid' || outcome === 'access/denied', outcome)
  }
  assert.deepEqual(passed, [0])
})

const PROOFS = LONG ? 100_000 : 10_000

test(`dpop R-10: ${PROOFS} mutants of a proof, none accepted, nothing but token/invalid`, async () => {
  const seed = 20261123
  const token = await forger.sign(goodHeader, { ...goodClaims, cnf: { jkt: sender.jkt } })
  const { dpop } = (await byDpop(sender, token)) as { dpop: string }
  const ask = createAuthenticator({ ...trust, publicUrls: [BASE], replays: { use: () => true } })
  const about = { ...bare, authorization: `DPoP ${token}` }
  assert.equal(await outcomeOf(ask({ ...about, dpop })), 'accepted')
  const next = createTokenMutator({ seed, token: dpop, jwk: { x: String(sender.jwk.x) } })
  for (let n = 0; n < PROOFS; n++) {
    const { kind, authorization } = next()
    const texts = [authorization].flat().map(text => text.replace(/^Bearer /, ''))
    if (texts.length === 1 && texts[0] === dpop) continue // what was wrong was the scheme
    const outcome = await outcomeOf(ask({ ...about, dpop: texts }))
    assert.equal(outcome, 'token/invalid', `seed ${seed}, mutant ${n}, ${kind}: ${JSON.stringify(texts)}`)
  }
})

/** Texts that a lax reader takes for the same token. */
const RESPELL: readonly ((token: string, dice: Dice) => string)[] = [
  (token, dice) =>
    insert(
      token,
      dice,
      dice.pick(['=', ' ', '\t', '\n', '\r\n', '\v', '\f', '\u00a0', '\u200b', '\ufeff', '\0', '%', '~']),
    ),
  (token, dice) =>
    token
      .split('.')
      .map((part, at) => (at === dice.roll(3) ? part : part + '='.repeat(1 + dice.roll(3))))
      .join('.') + '=',
  (token, dice) => {
    const parts = token.split('.')
    const at = dice.roll(3)
    const part = parts[at] ?? ''
    // Unused bits at the end; where there are none, padding that says so.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const spare = part.length % 4 === 2 ? 15 : part.length % 4 === 3 ? 3 : 0
    const last = alphabet.indexOf(part.slice(-1))
    parts[at] = spare === 0 ? `${part}====` : part.slice(0, -1) + alphabet.charAt(last | (1 + dice.roll(spare)))
    return parts.join('.')
  },
  (token, dice) => {
    const at = dice.roll(token.length)
    return `${token.slice(0, at)}%${token.charCodeAt(at).toString(16)}${token.slice(at + 1)}`
  },
  token => token.replaceAll('-', '+').replaceAll('_', '/') + (/[-_]/.test(token) ? '' : '='),
  (token, dice) => `${token}${dice.pick(['.', '..', ',', ';', '.e30', '\u0000', '#', '?'])}`,
  (token, dice) => `${dice.pick(['.', ' ', '\t', '"', "'", '=', 'e30.'])}${token}`,
]
/** The same header and claims for a JSON reader, in other bytes. */
const REWRITE: typeof RESPELL = [
  (token, dice) => rewrite(token, 1, text => text.replace('{', dice.pick(['{ ', '{\n', '{\t', ' {']))),
  (token, dice) =>
    rewrite(token, dice.roll(2), text =>
      text.replace(/"(\w)/, (_, c: string) => `"\\u00${c.charCodeAt(0).toString(16)}`),
    ),
  token => rewrite(token, 1, text => text.replace(/(\d{10})/, '$1.0')),
]
const insert = (token: string, dice: Dice, what: string): string => {
  const at = dice.roll(token.length + 1)
  return token.slice(0, at) + what + token.slice(at)
}
const rewrite = (token: string, part: number, change: (text: string) => string): string =>
  token
    .split('.')
    .map((text, at) =>
      at === part ? toBase64Url(new TextEncoder().encode(change(new TextDecoder().decode(fromBase64Url(text))))) : text,
    )
    .join('.')

test('tokens T09: 100,000 other spellings of a token that is known and good, 0 accepted', {
  timeout: 60_000,
}, async () => {
  const seed = 20261124
  const dice = createDice(seed)
  const token = await forger.sign(goodHeader, goodClaims)
  await verify(`Bearer ${token}`)
  for (let n = 0; n < 100_000; n++) {
    const spelling = dice.pick(n % 16 === 0 ? REWRITE : RESPELL)(token, dice)
    if (spelling === token) continue
    assert.equal(
      await outcomeOf(verify(`Bearer ${spelling}`)),
      'token/invalid',
      `seed ${seed}, ${n}: ${JSON.stringify(spelling)}`,
    )
  }
})

test('tokens T07: algorithm confusion against a P-256 issuer: HMAC with any form of its key, empty and zero signatures, DER', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(publicKey)
  const { x = '', y = '' } = jwk
  const by = createTokenVerifier({
    ...trust,
    jwks: { keys: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: 'ec', x, y }] },
  })
  const part = (value: unknown) => toBase64Url(new TextEncoder().encode(JSON.stringify(value)))
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
  const pem = key.export({ type: 'spki', format: 'pem' })
  const secrets: readonly (string | Uint8Array)[] = [
    ...[pem, pem.trim(), pem.replaceAll('\n', '\r\n'), JSON.stringify(jwk), x, y, x + y, '', '\0'],
    ...[new Uint8Array(key.export({ type: 'spki', format: 'der' })), fromBase64Url(x) ?? '', fromBase64Url(y) ?? ''],
  ]
  const algorithms = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512', ES256: 'sha256', EdDSA: 'sha512' }
  let tried = 0
  const refuse = async (header: object, signature: string): Promise<void> => {
    tried++
    const token = `${part({ kid: 'ec', typ: 'at+jwt', ...header })}.${part(goodClaims)}.${signature}`
    assert.equal(await outcomeOf(by(`Bearer ${token}`)), 'token/invalid', JSON.stringify(header))
  }
  for (const [alg, hash] of Object.entries(algorithms)) {
    for (const secret of secrets) {
      const signed = `${part({ kid: 'ec', typ: 'at+jwt', alg })}.${part(goodClaims)}`
      await refuse({ alg }, createHmac(hash, secret).update(signed).digest('base64url'))
    }
  }
  const none = ['none', 'None', 'NONE', 'nOnE', 'none ', '', null, false, 0, undefined]
  for (const alg of none)
    for (const signature of ['', 'AA', toBase64Url(new Uint8Array(64))]) await refuse({ alg }, signature)
  // r = s = 0 (CVE-2022-21449), r or s = n, all ones.
  const n = fromBase64Url('_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE') ?? new Uint8Array()
  assert.equal(n.length, 32)
  const zero = new Uint8Array(32)
  for (const [r, s] of [
    [zero, zero],
    [n, n],
    [n, zero],
    [zero, n],
    [new Uint8Array(32).fill(255), n],
  ] as const)
    await refuse({ alg: 'ES256' }, toBase64Url(Uint8Array.of(...r, ...s)))
  const good = await new SignJWT(goodClaims)
    .setProtectedHeader({ alg: 'ES256', kid: 'ec', typ: 'at+jwt' })
    .sign(privateKey)
  assert.equal(await outcomeOf(by(`Bearer ${good}`)), 'accepted')
  const raw = fromBase64Url(good.split('.')[2] ?? '') ?? new Uint8Array()
  const der = Uint8Array.of(0x30, 0x44, 2, 32, ...raw.slice(0, 32), 2, 32, ...raw.slice(32))
  await refuse({ alg: 'ES256' }, toBase64Url(der))
  for (const extra of [
    { jwk },
    { jku: 'https://evil.example/jwks' },
    { x5u: 'https://evil.example' },
    { x5c: ['MIIB'] },
    { crit: ['exp'] },
    { kid: ['ec'] },
  ])
    await refuse({ alg: 'ES256', ...extra }, good.split('.')[2] ?? '')
  assert.ok(tried >= 100, `${tried}`)
})

interface JwsGroup {
  readonly public?: Record<string, unknown>
  readonly private?: Record<string, unknown>
  readonly tests: readonly { readonly tcId: number; readonly jws: string; readonly result: string }[]
}
const published = sharedVectors('wycheproof/json_web_signature_test.json')

test('tokens T07: no invalid signature of the Wycheproof JWS file is accepted', { skip: published.skip }, async () => {
  const { testGroups } = published.data as WycheproofFile<JwsGroup>
  let tried = 0
  for (const { public: key, tests } of testGroups) {
    const alg = key?.['kty'] === 'OKP' ? 'EdDSA' : 'ES256'
    const fits = (alg === 'EdDSA' && key?.['crv'] === 'Ed25519') || key?.['crv'] === 'P-256'
    if (!fits) continue
    const { x, y } = key as { x: string; y: string }
    const jwk =
      alg === 'EdDSA'
        ? ({ kty: 'OKP', crv: 'Ed25519', alg, kid: 'k1', x } as const)
        : ({ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: 'k1', x, y } as const)
    const by = createTokenVerifier({ ...trust, jwks: { keys: [jwk] } })
    for (const { tcId, jws, result } of tests) {
      if (result === 'valid') continue
      tried++
      assert.equal(await outcomeOf(by(`Bearer ${jws}`)), 'token/invalid', `tcId ${tcId}`)
    }
  }
  assert.ok(tried > 0)
})

test('authenticate T58: of 100 callers with one proof at the same time, one passes', async () => {
  const ask = createAuthenticator({ ...trust, publicUrls: [BASE], replays: createReplayMemory() })
  const token = await forger.sign(goodHeader, { ...goodClaims, cnf: { jkt: sender.jkt } })
  for (let round = 0; round < 20; round++) {
    const request: AuthenticationRequest = await byDpop(sender, token)
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => outcomeOf(ask(request))))
    assert.equal(outcomes.filter(outcome => outcome === 'accepted').length, 1)
  }
})
