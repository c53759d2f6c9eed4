import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createAuthenticator,
  type AuthenticationRequest,
  type AuthenticatorRules,
} from '../../../src/access/authenticate.ts'
import { createJudges } from '../../../src/access/judges.ts'
import { createReplayMemory } from '../../../src/access/replays.ts'
import { createTokenVerifier, refuseRevoked, TOKEN_REASONS } from '../../../src/access/tokens.ts'
import { isSignerError, SignerError } from '../../../src/domain/errors.ts'
import { createDice } from '../../fuzz/token-random.ts'
import { AUDIENCE, clock, createForger, goodClaims, goodHeader, ISSUER, NOW_S } from './forge.ts'
import { bare, BASE, type Bare, byDpop, bySignature, createSender, dpopProof, fresh } from './senders.ts'

const forger = await createForger(1)
const [sender, ecSender, stranger] = await Promise.all([
  createSender('EdDSA', 21),
  createSender('ES256'),
  createSender('EdDSA', 22),
])
const CERTIFICATE = 'A'.repeat(42) + 'Q'

const authenticator = (over: Partial<AuthenticatorRules> = {}) =>
  createAuthenticator({
    jwks: forger.jwks,
    issuer: ISSUER,
    audience: AUDIENCE,
    clock,
    publicUrls: ['https://old.sign.example/', BASE],
    ...over,
  })
/** Takes a proof any number of times, so that a refusal is never for having been used. */
const forgetful = { replays: { use: () => true } }

const tokenFor = (claims: object = {}): Promise<string> => forger.sign(goodHeader, { ...goodClaims, ...claims })
const bound = await tokenFor({ cnf: { jkt: sender.jkt } })
const plain = await tokenFor({ scope: 'read:*' })

type Reason = keyof typeof TOKEN_REASONS
type Ask = (request: AuthenticationRequest) => Promise<unknown>
const reasonOf = (ask: Ask, request: AuthenticationRequest): Promise<string> =>
  ask(request).then(
    () => 'accepted',
    (error: unknown) => {
      assert.ok(isSignerError(error), String(error))
      const { code, detail } = error
      if (code !== 'token/invalid' && code !== 'token/missing') return code
      const known = Object.entries(TOKEN_REASONS).find(([, text]) => text === detail.reason)
      return known?.[0] ?? assert.fail('an unknown reason')
    },
  )
const refused = async (ask: Ask, request: AuthenticationRequest, reason: Reason): Promise<void> =>
  assert.equal(await reasonOf(ask, request), reason)

test('authenticate D17: DPoP under both algorithms, a signed request, a certificate, and a bearer token that cannot sign', async () => {
  const ask = authenticator()
  const ecBound = await tokenFor({ cnf: { jkt: ecSender.jkt } })
  const keyed = await tokenFor({ cnf: { jwk: sender.jwk } })
  const certified = await tokenFor({ cnf: { 'x5t#S256': CERTIFICATE } })
  const good: readonly (readonly [AuthenticationRequest, string | undefined])[] = [
    [await byDpop(sender, bound), 'dpop'],
    [await byDpop(ecSender, ecBound), 'dpop'],
    [await byDpop(sender, keyed), 'dpop'],
    [await bySignature(sender, bound), 'signature'],
    [await bySignature(sender, keyed), 'signature'],
    [{ ...bare, authorization: `Bearer ${certified}`, certificateThumbprint: CERTIFICATE }, 'certificate'],
    [{ ...bare, authorization: `Bearer ${plain}` }, undefined],
  ]
  for (const [request, proof] of good) {
    const caller = await ask(request)
    assert.deepEqual([caller.subject, caller.tokenId, caller.proof], ['payments-api', 'token-1', proof])
    assert.ok(Object.isFrozen(caller))
  }
  const caller = await ask(await byDpop(sender, bound))
  assert.deepEqual(caller.confirmation, { kind: 'key', thumbprint: sender.jkt })
})

test('authenticate: requests without body or Idempotency-Key have their own one form', async () => {
  const ask = authenticator()
  const read: Bare = { method: 'GET', path: '/v1/keys/treasury', body: new Uint8Array(), peer: '192.0.2.7' }
  const bodyOnly: Bare = { ...read, method: 'POST', body: bare.body }
  const keyOnly: Bare = { ...read, method: 'DELETE', idempotencyKey: 'k' }
  for (const request of [read, bodyOnly, keyOnly]) {
    assert.equal((await ask(await byDpop(sender, bound, request))).proof, 'dpop')
    assert.equal((await ask(await bySignature(sender, bound, request))).proof, 'signature')
  }
})

test('authenticate T06: every pairing of token, scheme and proof; only the one meant for it passes', async () => {
  const ask = authenticator({ ...forgetful, senderConstraint: 'optional' })
  const tokens = {
    unbound: await tokenFor(),
    key: bound,
    certificate: await tokenFor({ cnf: { 'x5t#S256': CERTIFICATE } }),
  }
  const passed: string[] = []
  for (const [kind, token] of Object.entries(tokens)) {
    for (const scheme of ['Bearer', 'DPoP']) {
      for (let offers = 0; offers < 8; offers++) {
        const signed = await bySignature(sender, token, bare, { authorization: `${scheme} ${token}` })
        const { signature, signatureInput, contentDigest } = signed
        const request = {
          ...bare,
          authorization: `${scheme} ${token}`,
          ...((offers & 1) === 0 ? {} : { dpop: await dpopProof(sender, token) }),
          ...((offers & 2) === 0 ? {} : { signature, signatureInput, contentDigest }),
          ...((offers & 4) === 0 ? {} : { certificateThumbprint: CERTIFICATE }),
        }
        const outcome = await reasonOf(ask, request)
        if (outcome === 'accepted') passed.push(`${kind} ${scheme} ${offers}`)
        else assert.ok(outcome === 'bound' || outcome === 'surplus', outcome)
      }
    }
  }
  assert.deepEqual(passed, [
    'unbound Bearer 0', // no proof
    'unbound Bearer 4', // over a connection with a certificate nobody asked for
    'key Bearer 2',
    'key Bearer 6',
    'key DPoP 1',
    'key DPoP 5',
    'certificate Bearer 4',
  ])
})

test('authenticate T06: a sign scope without a sender is refused, unless the configuration lets it', async () => {
  const strict = authenticator()
  for (const [scope, outcome] of [
    ['sign:treasury', 'unbound'],
    ['read:* sign:a', 'unbound'],
    ['read:* explain:*', 'accepted'],
    ['', 'accepted'],
  ] as const) {
    const request = { ...bare, authorization: `Bearer ${await tokenFor({ scope })}` }
    assert.equal(await reasonOf(strict, request), outcome, scope)
    assert.equal(await reasonOf(authenticator({ senderConstraint: 'optional' }), request), 'accepted')
  }
  // The verifier for bearer tokens alone never takes a bound one.
  const verify = createTokenVerifier({ jwks: forger.jwks, issuer: ISSUER, audience: AUDIENCE, clock })
  await assert.rejects(verify(`Bearer ${bound}`), { code: 'token/invalid', detail: { reason: TOKEN_REASONS.bound } })
  await assert.rejects(verify(`DPoP ${bound}`), { code: 'token/invalid', detail: { reason: TOKEN_REASONS.scheme } })
})

test('authenticate T06: 10,000 replays by a second client, 0 accepted', async () => {
  const replays = createReplayMemory()
  const ask = authenticator({ replays })
  const seen = [await byDpop(sender, bound), await bySignature(sender, bound), await byDpop(sender, bound)]
  for (const request of seen) await ask(request)
  const { dpop } = seen[0] as { dpop: string }
  const [theirs, theirSignature] = [await byDpop(stranger, bound), await bySignature(stranger, bound)]
  const tries: readonly (readonly [AuthenticationRequest, Reason])[] = [
    ...seen.map(request => [request, 'proofUsed'] as const),
    [{ ...bare, authorization: `Bearer ${bound}` }, 'bound'],
    [{ ...bare, authorization: `DPoP ${bound}` }, 'bound'],
    [theirs, 'proofKey'],
    [theirSignature, 'proofKey'],
    [{ ...bare, path: '/v1/keys/payout/sign', authorization: `DPoP ${bound}`, dpop }, 'proofRequest'],
    [{ ...bare, authorization: `Bearer ${bound}`, dpop }, 'surplus'],
    [{ ...bare, authorization: `Bearer ${bound}`, certificateThumbprint: CERTIFICATE }, 'bound'],
  ]
  const outcomes = new Map<string, number>()
  for (let n = 0; n < 10_000; n++) {
    const [request, reason] = tries[n % tries.length] ?? assert.fail()
    const outcome = await reasonOf(ask, { ...request, peer: '198.51.100.9' })
    assert.equal(outcome, reason)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  assert.equal(outcomes.get('accepted'), undefined)
  assert.equal(outcomes.get('proofUsed'), 3_000)
  assert.equal(replays.size, 3)
})

const flip = (bytes: Uint8Array, bit: number): Uint8Array =>
  bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
const change = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)

test('authenticate T05: 1,000 requests, every field of each flipped under both kinds of proof: all refused', async () => {
  const seed = 20261122
  const dice = createDice(seed)
  const ask = authenticator(forgetful)
  const other = await tokenFor({ cnf: { jkt: sender.jkt }, jti: 'token-2' })
  let flips = 0
  for (let n = 0; n < 1000; n++) {
    const request: Bare = {
      method: dice.pick(['POST', 'PUT']),
      path: `/v1/keys/k${dice.roll(1000)}/sign`,
      body: dice.bytes(1 + dice.roll(300)),
      idempotencyKey: `key-${dice.roll(1_000_000)}`,
      peer: '192.0.2.7',
    }
    const proofs = [await byDpop(sender, bound, request), await bySignature(sender, bound, request)]
    for (const proven of proofs) {
      const scheme = 'dpop' in proven ? 'DPoP' : 'Bearer'
      const { idempotencyKey: _, ...keyless } = proven
      const { body, path } = request
      const changed: readonly AuthenticationRequest[] = [
        { ...proven, method: request.method === 'POST' ? 'PUT' : 'POST' },
        { ...proven, path: change(path, dice.roll(path.length)) },
        { ...proven, body: flip(body, dice.roll(8 * body.length)) },
        { ...proven, body: body.slice(0, -1) },
        { ...proven, idempotencyKey: `${request.idempotencyKey}0` },
        keyless,
        { ...proven, authorization: `${scheme} ${other}` },
        ...(scheme === 'DPoP'
          ? [{ ...proven, dpop: change(String(proven.dpop), dice.roll(String(proven.dpop).length)) }]
          : [
              { ...proven, signature: change(String(proven.signature), 6 + dice.roll(84)) },
              { ...proven, signatureInput: change(String(proven.signatureInput), dice.roll(240)) },
              { ...proven, contentDigest: change(String(proven.contentDigest), dice.roll(54)) },
            ]),
      ]
      if (n % 50 === 0) assert.equal(await reasonOf(ask, proven), 'accepted')
      for (const [which, wrong] of changed.entries()) {
        flips++
        const outcome = await reasonOf(ask, wrong)
        assert.match(outcome, /^proof(Request|Form|Key|Signature|Time)$/, `seed ${seed}, ${n}, ${scheme} ${which}`)
      }
    }
  }
  assert.equal(flips, 18_000)
})

test('authenticate: proofs are fresh for 15 seconds either way, and no proof is used up by a request that fails', async () => {
  let offset = 0
  const moving = { now: () => NOW_S * 1000 + offset }
  const makers = [byDpop, bySignature]
  for (const make of makers) {
    for (const [at, outcome] of [
      [15_000, 'accepted'],
      [15_001, 'proofTime'],
      [-15_000, 'accepted'],
      [-15_001, 'proofTime'],
    ] as const) {
      offset = at
      assert.equal(await reasonOf(authenticator({ clock: moving }), await make(sender, bound)), outcome)
    }
    offset = 0
    const ask = authenticator({ clock: moving, proofSeconds: 1 })
    const request = await make(sender, bound)
    await refused(ask, { ...request, body: flip(bare.body, 3) }, 'proofRequest')
    await refused(ask, { ...request, method: 'PUT' }, make === byDpop ? 'proofRequest' : 'proofSignature')
    assert.equal(await reasonOf(ask, request), 'accepted')
    await refused(ask, request, 'proofUsed')
    offset = 1_001
    await refused(ask, request, 'proofTime')
  }
})

test('authenticate: identifiers are counted by key, so nobody uses up those of another', async () => {
  const ask = authenticator()
  const theirs = await tokenFor({ cnf: { jkt: stranger.jkt } })
  const jti = fresh()
  const proven = async (who: typeof sender, token: string) => ({
    ...bare,
    authorization: `DPoP ${token}`,
    dpop: await dpopProof(who, token, bare, { claims: { jti } }),
  })
  assert.equal(await reasonOf(ask, await proven(stranger, theirs)), 'accepted')
  assert.equal(await reasonOf(ask, await proven(sender, bound)), 'accepted')
  await refused(ask, await proven(sender, bound), 'proofUsed')
  // A signature with the same identifier is another thing.
  assert.equal(await reasonOf(ask, await bySignature(sender, bound, bare, { nonce: jti })), 'accepted')
})

test('authenticate: a certificate must be the one of the token', async () => {
  const ask = authenticator()
  const authorization = `Bearer ${await tokenFor({ cnf: { 'x5t#S256': CERTIFICATE } })}`
  const others = [undefined, '', 'A'.repeat(43), `${CERTIFICATE}=`, CERTIFICATE.toLowerCase(), CERTIFICATE.slice(1)]
  for (const certificateThumbprint of others) {
    await refused(ask, { ...bare, authorization, certificateThumbprint }, 'bound')
  }
})

test('authenticate T59: a token that was taken back is refused from then on, also right before a release', async () => {
  const revoked = new Set<string>()
  const isRevoked = async (id: string) => revoked.has(id)
  const ask = authenticator({ isRevoked })
  const verify = createTokenVerifier({ jwks: forger.jwks, issuer: ISSUER, audience: AUDIENCE, clock, isRevoked })
  const caller = await ask(await byDpop(sender, bound))
  await verify(`Bearer ${plain}`)
  await refuseRevoked(caller, isRevoked)
  revoked.add('token-1')
  await assert.rejects(refuseRevoked(caller, isRevoked), { code: 'token/invalid' })
  await refused(ask, await byDpop(sender, bound), 'revoked')
  await refused(ask, { ...bare, authorization: `Bearer ${plain}` }, 'revoked')
  await assert.rejects(verify(`Bearer ${plain}`), { detail: { reason: TOKEN_REASONS.revoked } })
  // Whoever cannot answer has not said no.
  const down = new SignerError('store/unavailable', { reason: 'x' })
  assert.equal(
    await reasonOf(authenticator({ isRevoked: () => Promise.reject(down) }), await byDpop(sender, bound)),
    'store/unavailable',
  )
  const odd = authenticator({ isRevoked: async () => undefined as unknown as boolean })
  await refused(odd, await byDpop(sender, bound), 'revoked')
})

test('authenticate: a replay store that says anything but yes, or nothing, lets nobody in', async () => {
  const odd = authenticator({ replays: { use: () => 'yes' as unknown as boolean } })
  await refused(odd, await byDpop(sender, bound), 'proofUsed')
  const full = authenticator({ replays: createReplayMemory(2) })
  for (let n = 0; n < 2; n++) await full(await byDpop(sender, bound))
  assert.equal(await reasonOf(full, await byDpop(sender, bound)), 'service/overloaded')
})

test('authenticate: address and time of a token hold for every request', async () => {
  const judges = {
    isBlock: (cidr: string) => cidr.includes('/'),
    inBlocks: (cidrs: readonly string[], peer: string) =>
      cidrs.some(cidr => peer.startsWith(cidr.split('0/')[0] ?? '!')),
    inWindow: (window: unknown, now: number) => now < (window as { until: number }).until,
  }
  const ask = authenticator({ judges })
  const cs = { cidrs: ['192.0.2.0/24'], window: { until: NOW_S * 1000 + 1 } }
  const ok = { ...bare, authorization: `Bearer ${await tokenFor({ scope: 'read:*', cs })}` }
  assert.equal(await reasonOf(ask, ok), 'accepted')
  assert.equal(await reasonOf(ask, { ...ok, peer: '198.51.100.1' }), 'access/denied')
  assert.equal(await reasonOf(authenticator(), ok), 'access/denied') // nobody to judge it
  const late = { ...bare, authorization: `Bearer ${await tokenFor({ scope: '', cs: { window: { until: 5 } } })}` }
  assert.equal(await reasonOf(ask, late), 'access/denied')
  const odd = { ...bare, authorization: `Bearer ${await tokenFor({ scope: '', cs: { cidrs: ['everywhere'] } })}` }
  await refused(ask, odd, 'constraints')
})

test('authenticate T16: address blocks as admission judges them', async () => {
  const ask = authenticator({ judges: createJudges({ fault: () => undefined }) })
  const cs = { cidrs: ['192.0.2.0/24', '2001:db8::/32'] }
  const request = { ...bare, authorization: `Bearer ${await tokenFor({ scope: 'read:*', cs })}` }
  for (const peer of ['192.0.2.1', '2001:db8::1']) assert.equal(await reasonOf(ask, { ...request, peer }), 'accepted')
  for (const peer of ['192.0.3.1', '2001:db9::1', '', 'unix', '192.0.2.1, 1.1.1.1', '192.0.2.01'])
    assert.equal(await reasonOf(ask, { ...request, peer }), 'access/denied', peer)
  const odd = await tokenFor({ scope: 'read:*', cs: { cidrs: ['192.0.2.1/24'] } })
  await refused(ask, { ...bare, authorization: `Bearer ${odd}` }, 'constraints')
})

test('authenticate: rules that cannot hold are refused', () => {
  const bad = [
    'sign.example',
    'ftp://sign.example',
    'https://sign.example/?q',
    'https://u@sign.example',
    'https://SIGN.example',
    'https://sign.example:443',
    '',
  ]
  for (const url of bad) assert.throws(() => authenticator({ publicUrls: [url] }), { code: 'config/invalid' }, url)
  for (const url of [
    'https://sign.example',
    'https://sign.example/',
    'http://127.0.0.1:8080',
    'https://a.example/signer',
  ])
    authenticator({ publicUrls: [url] })
  for (const proofSeconds of [0, 61, 1.5, Number.NaN])
    assert.throws(() => authenticator({ proofSeconds }), { code: 'config/invalid' })
  assert.throws(() => authenticator({ audience: '' }), { code: 'config/invalid' })
})

test('authenticate T10: 40 shapes of the Authorization header beside a good proof, of which one passes', async () => {
  const ask = authenticator(forgetful)
  const token = bound
  const dpop = await dpopProof(sender, token)
  const good = `DPoP ${token}`
  const shapes: readonly AuthenticationRequest['authorization'][] = [
    good,
    ...[
      'dpop',
      'DPOP',
      'Dpop',
      'dPoP',
      'D PoP',
      'DPoP:',
      'DPoP,',
      '"DPoP"',
      'DPoP token',
      'PoP',
      'HTTPSig',
      'Basic',
      '',
    ].map(scheme => `${scheme} ${token}`),
    ...[
      `DPoP  ${token}`,
      `DPoP\t${token}`,
      `DPoP${token}`,
      `DPoP\u00a0${token}`,
      `DPoP=${token}`,
      ` ${good}`,
      `\t${good}`,
    ],
    ...[`${good} `, `${good}\n`, `${good}\u0000`, `${good},`, `${good}, ${good}`, `${good};q=1`, `${good} ${token}`],
    ...[`Bearer ${token}`, `Bearer ${good}`, `DPoP Bearer ${token}`, `Basic x, ${good}`, 'DPoP', 'DPoP ', 'DPoP null'],
    ...[`DPoP "${token}"`, `DPoP token=${token}`, good.padEnd(5000, 'A'), [good, good], ['Basic eDp5', good]],
  ]
  assert.equal(shapes.length, 40)
  const passed: unknown[] = []
  for (const authorization of shapes) {
    const outcome = await reasonOf(ask, { ...bare, authorization, dpop })
    if (outcome === 'accepted') passed.push(authorization)
    else assert.match(outcome, /^(scheme|spelling|long|repeated|surplus|key)$/)
  }
  assert.deepEqual(passed, [good])
})
