/** T53: nobody becomes the signer's account at Google by a forged login: through our provider, and where a forger speaks for himself. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { virtualClock } from '../../local-kms/core/clock.ts'
import { create } from '../../providers/gcp-kms/index.ts'
import type { ErrorCode } from '../../src/domain/errors.ts'
import type { Fetch } from '../../src/domain/ports.ts'
import { Secret } from '../../src/domain/secret.ts'
import { type GcpRig, keyName, raw, startGcp, versionOf } from '../local-kms/gcp-support.ts'
import { forgeJwt, withTwice } from '../support/forge-jwt.ts'
import { refusal } from '../support/leaks.ts'
import { call, providerWorld } from '../support/provider-world.ts'

const START = Math.floor(Date.now() / 1000) * 1000
const NOW = START / 1000
const SIGNER = 'signer@pay.iam.gserviceaccount.com'
const IDLE = 'idle@pay.iam.gserviceaccount.com'
const POD = 'principal@pool.example'
const POOL = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster'
const ISSUER = 'https://oidc.example/cluster'
const SUBJECT = 'system:serviceaccount:pay:signer'
const OWN = generateKeyPairSync('rsa', { modulusLength: 2048 })
const CLUSTER = generateKeyPairSync('rsa', { modulusLength: 2048 })
const STRANGER = generateKeyPairSync('rsa', { modulusLength: 2048 })
const CLUSTER_PEM = CLUSTER.publicKey.export({ type: 'spki', format: 'pem' })
const PEM = OWN.publicKey.export({ type: 'spki', format: 'pem' })
const jwk = { ...CLUSTER.publicKey.export({ format: 'jwk' }), kid: 'one' }
const useToSign = ['cloudkms.cryptoKeyVersions.useToSign']

const rigOf = (): Promise<GcpRig> =>
  startGcp({
    clock: virtualClock(START),
    accounts: [
      { email: SIGNER, publicKey: PEM, permissions: useToSign, actors: [POD] },
      {
        email: IDLE,
        publicKey: STRANGER.publicKey.export({ type: 'spki', format: 'pem' }),
        permissions: ['cloudkms.cryptoKeys.get'],
        metadata: true,
      },
      { email: POD, permissions: [], federation: { provider: POOL, issuer: ISSUER, subjects: [SUBJECT], jwks: [jwk] } },
    ],
    seed: { cryptoKeys: [{ name: keyName('k'), algorithm: 'EC_SIGN_ED25519' }] },
  })

const signatures = (rig: GcpRig): number =>
  rig.face
    .audit()
    .filter(
      ({ protoPayload: { methodName, status } }) => methodName.endsWith('AsymmetricSign') && !((status?.code ?? 0) > 0),
    ).length
const folder = mkdtempSync(join(tmpdir(), 'forged-gcp-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const subjectFile = join(folder, 'token')

/** Google's own hosts, played by the emulator. */
const GOOGLE = [
  'sts.googleapis.com',
  'iamcredentials.googleapis.com',
  'oauth2.googleapis.com',
  'cloudkms.googleapis.com',
]
function wire(rig: GcpRig, answer?: (url: URL) => Response | undefined) {
  const asked: string[] = []
  const fetching: Fetch = async (input, init) => {
    const url = new URL(input)
    asked.push(url.host)
    const made = answer?.(url)
    if (made !== undefined) return made
    assert.ok(GOOGLE.includes(url.hostname), url.host)
    return fetch(`${rig.rest}${url.pathname}${url.search}`, init)
  }
  return { asked, fetching }
}
async function signThrough(config: object, fetching: Fetch): Promise<unknown> {
  const provider = await create({ kind: 'gcp-kms', ...config }, providerWorld('production', fetching))
  try {
    return await provider.sign(
      versionOf('k'),
      { scheme: 'ed25519', message: new TextEncoder().encode('hello') },
      call(),
    )
  } finally {
    await provider.close()
  }
}
const rawSign = async (rig: GcpRig, bearer: string): Promise<number> =>
  (await raw(rig, 'POST', `${versionOf('k')}:asymmetricSign`, { data: 'eA==' }, { authorization: `Bearer ${bearer}` }))
    .status
async function post(rig: GcpRig, path: string, form: Record<string, string>) {
  const response = await fetch(rig.rest + path, { method: 'POST', body: new URLSearchParams(form) })
  return { status: response.status, json: (await response.json()) as Record<string, string> }
}

// ── workload identity federation ────────────────────────────────────────────────────────────────────────────────────────

const federation = (more: object = {}) => ({
  type: 'external_account',
  audience: POOL,
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: 'https://sts.googleapis.com/v1/token',
  service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${SIGNER}:generateAccessToken`,
  credential_source: { file: subjectFile },
  ...more,
})
const secretOf = (file: object) => new Secret(JSON.stringify(file), 'credentials')
const exchange = (token: string, audience = POOL): Record<string, string> => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  scope: 'https://www.googleapis.com/auth/cloud-platform',
  subject_token: token,
  audience,
})

const CLAIMS = { iss: ISSUER, sub: SUBJECT, aud: `https:${POOL}`, iat: NOW, exp: NOW + 600 }
const by = { key: CLUSTER.privateKey }
const token = (claims: object, how: Parameters<typeof forgeJwt>[1] = by): string =>
  forgeJwt({ ...CLAIMS, ...claims }, how)
const GOOD = token({})
const [head = '', body = '', signature = ''] = GOOD.split('.')

const FORGED: readonly (readonly [what: string, token: string, says: RegExp, audience?: string])[] = [
  ['wrong audience', token({ aud: 'https://vault.example' }), /audience in ID Token/],
  ['audience of another pool', token({ aud: `https:${POOL.replace('pool/', 'other/')}` }), /audience in ID Token/],
  ['audience that begins the same', token({ aud: `https:${POOL}-2` }), /audience in ID Token/],
  ['no audience', token({ aud: undefined }), /audience in ID Token/],
  ['empty list of audiences', token({ aud: [] }), /audience in ID Token/],
  ['wrong issuer', token({ iss: 'https://evil.example' }), /issuer in ID Token/],
  ['issuer with a slash more', token({ iss: `${ISSUER}/` }), /issuer in ID Token/],
  ['no issuer', token({ iss: undefined }), /issuer in ID Token/],
  ['wrong subject', token({ sub: 'system:serviceaccount:evil:signer' }), /attribute condition/],
  ['subject that begins the same', token({ sub: `${SUBJECT}-2` }), /attribute condition/],
  ['no subject', token({ sub: undefined }), /attribute condition/],
  ['subject as a list', token({ sub: [SUBJECT] }), /attribute condition/],
  ['alg none', token({}, {}), /signature in the ID Token|Unable to parse/],
  ['HMAC with the public key', token({}, { hmac: CLUSTER_PEM }), /signature in the ID Token/],
  ['another key under the same kid', token({}, { key: STRANGER.privateKey }), /signature in the ID Token/],
  ['a kid nobody has', token({}, { ...by, header: { kid: 'two' } }), /signature in the ID Token/],
  [
    'a key of its own in the header',
    token({}, { key: STRANGER.privateKey, header: { jwk: STRANGER.publicKey.export({ format: 'jwk' }) } }),
    /signature in the ID Token/,
  ],
  ['critical header nobody knows', token({}, { ...by, header: { crit: ['x'], x: 1 } }), /signature in the ID Token/],
  [
    'claims exchanged under the signature',
    `${head}.${Buffer.from(JSON.stringify({ ...CLAIMS, exp: NOW + 9999 })).toString('base64url')}.${signature}`,
    /signature in the ID Token/,
  ],
  ['two parts', `${head}.${body}`, /Unable to parse/],
  ['expired', token({ iat: NOW - 900, exp: NOW - 300 }), /stale/],
  ['not yet valid', token({ nbf: NOW + 300 }), /stale/],
  ['issued in the future', token({ iat: NOW + 300, exp: NOW + 900 }), /stale/],
  ['missing exp', token({ exp: undefined }), /stale/],
  ['missing iat', token({ iat: undefined }), /stale/],
  ['a life of two days', token({ exp: NOW + 172_800 }), /stale/],
  [
    'subject twice, the good one last',
    forgeJwt(withTwice({ ...CLAIMS, sub: 'evil' }, `"sub":"${SUBJECT}"`), by),
    /Unable to parse/,
  ],
  ['a good token at another provider of the pool', GOOD, /attribute condition/, `${POOL}-2`],
]

test(`T53 Google workload identity: ${FORGED.length} forged forms, each refused and none led to a signature`, async () => {
  assert.ok(FORGED.length >= 20)
  const rig = await rigOf()
  for (const [what, forged, says, audience = POOL] of FORGED) {
    const { status, json } = await post(rig, '/v1/token', exchange(forged, audience))
    assert.deepEqual([status, json['error']], [400, 'invalid_grant'], what)
    assert.match(json['error_description'] ?? '', says, what)
    writeFileSync(subjectFile, forged)
    const { fetching, asked } = wire(rig)
    await refusal(signThrough({ credentials: secretOf(federation({ audience })) }, fetching), 'provider/refused', [
      forged,
    ])
    assert.ok(!asked.includes('cloudkms.googleapis.com'), what)
  }
  assert.equal(signatures(rig), 0)
  // A token for another account, from a good exchange: the account that is named has to be ours to act for.
  writeFileSync(subjectFile, GOOD)
  const other = federation({
    service_account_impersonation_url: federation().service_account_impersonation_url.replace(
      SIGNER,
      'boss@pay.iam.gserviceaccount.com',
    ),
  })
  await refusal(signThrough({ credentials: secretOf(other) }, wire(rig).fetching), 'provider/refused')
  const alone = federation({ service_account_impersonation_url: undefined })
  await refusal(signThrough({ credentials: secretOf(alone) }, wire(rig).fetching), 'provider/refused')
  assert.equal(signatures(rig), 0)
  await signThrough({ credentials: secretOf(federation()) }, wire(rig).fetching)
  assert.equal(signatures(rig), 1, 'the good one signs')
})

// ── service accounts ────────────────────────────────────────────────────────────────────────────────────────────────────

const SELF = { iss: SIGNER, sub: SIGNER, aud: 'https://cloudkms.googleapis.com/', iat: NOW, exp: NOW + 3600 }
const self = (claims: object, how: Parameters<typeof forgeJwt>[1] = { key: OWN.privateKey }): string =>
  forgeJwt({ ...SELF, ...claims }, how)
const goodSelf = self({})
const [selfHead = '', selfBody = '', selfSignature = ''] = goodSelf.split('.')

const BEARERS: readonly (readonly [what: string, bearer: string])[] = [
  ['audience of another service', self({ aud: 'https://storage.googleapis.com/' })],
  ['audience that begins the same', self({ aud: 'https://cloudkms.googleapis.com.evil.example/' })],
  ['audience with a path', self({ aud: 'https://cloudkms.googleapis.com/v1' })],
  [
    'list of audiences with one good',
    self({ aud: ['https://storage.googleapis.com/', 'https://cloudkms.googleapis.com/'] }),
  ],
  ['neither audience nor scope', self({ aud: undefined })],
  ['another issuer', self({ iss: IDLE })],
  [
    'an issuer that is not there',
    self({ iss: 'boss@pay.iam.gserviceaccount.com', sub: 'boss@pay.iam.gserviceaccount.com' }),
  ],
  ['another subject', self({ sub: IDLE })],
  ['no subject', self({ sub: undefined })],
  ['alg none', self({}, {})],
  ['HMAC with the public key', self({}, { hmac: PEM })],
  ['another key', self({}, { key: STRANGER.privateKey })],
  ['another key under the same kid', self({}, { key: STRANGER.privateKey, header: { kid: 'one' } })],
  [
    'a key of its own in the header',
    self({}, { key: STRANGER.privateKey, header: { jwk: STRANGER.publicKey.export({ format: 'jwk' }) } }),
  ],
  [
    'claims exchanged under the signature',
    `${selfHead}.${Buffer.from(JSON.stringify({ ...SELF, exp: NOW + 3599 })).toString('base64url')}.${selfSignature}`,
  ],
  ['no signature', `${selfHead}.${selfBody}.`],
  ['two parts', `${selfHead}.${selfBody}`],
  ['expired', self({ iat: NOW - 7200, exp: NOW - 3600 })],
  ['issued in the future', self({ iat: NOW + 3600, exp: NOW + 7200 })],
  ['a life of two hours', self({ exp: NOW + 7200 })],
  ['missing exp', self({ exp: undefined })],
  ['missing iat', self({ iat: undefined })],
  ['subject twice', forgeJwt(withTwice({ ...SELF, sub: IDLE }, `"sub":"${SIGNER}"`), { key: OWN.privateKey })],
  ['issuer twice', forgeJwt(withTwice({ ...SELF, iss: IDLE }, `"iss":"${SIGNER}"`), { key: OWN.privateKey })],
  ['an account that may not sign', forgeJwt({ ...SELF, iss: IDLE, sub: IDLE }, { key: STRANGER.privateKey })],
  ['a token that never was', 'ya29.local-kms-0000'],
  ['the subject token itself', GOOD],
]

test(`T53 Google service account: ${BEARERS.length} forged bearer tokens, each refused and none led to a signature`, async () => {
  assert.ok(BEARERS.length >= 20)
  const rig = await rigOf()
  for (const [what, bearer] of BEARERS) {
    const status = await rawSign(rig, bearer)
    assert.ok(status === 401 || status === 403, `${what}: ${status}`)
    const config = { accessToken: new Secret(bearer, 'token') }
    const error = await refusal(
      signThrough(config, wire(rig).fetching),
      'provider/refused',
      bearer.length > 40 ? [bearer] : [],
    )
    assert.equal(error.code, 'provider/refused', what)
  }
  assert.equal(signatures(rig), 0)
  assert.equal(await rawSign(rig, goodSelf), 200)
  const file = {
    type: 'service_account',
    client_email: SIGNER,
    private_key: OWN.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
  await signThrough({ credentials: secretOf(file) }, wire(rig).fetching)
  assert.equal(signatures(rig), 2, 'the good ones sign')
  for (const wrong of [
    { ...file, client_email: IDLE },
    { ...file, private_key: STRANGER.privateKey.export({ type: 'pkcs8', format: 'pem' }) },
  ])
    await refusal(signThrough({ credentials: secretOf(wrong) }, wire(rig).fetching), 'provider/refused', [
      wrong.private_key,
    ])
  assert.equal(signatures(rig), 2)
})

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const ASSERTION = {
  iss: SIGNER,
  scope: 'https://www.googleapis.com/auth/cloudkms',
  aud: 'https://oauth2.googleapis.com/token',
  iat: NOW,
  exp: NOW + 3600,
}
const assertion = (claims: object, how: Parameters<typeof forgeJwt>[1] = { key: OWN.privateKey }): string =>
  forgeJwt({ ...ASSERTION, ...claims }, how)
const goodAssertion = assertion({})

const ASSERTIONS: readonly (readonly [what: string, form: Record<string, string>])[] = [
  ...(
    [
      ['wrong audience', assertion({ aud: 'https://evil.example/' })],
      ['no audience', assertion({ aud: undefined })],
      ['list of audiences with one good', assertion({ aud: ['https://evil.example/', ASSERTION.aud] })],
      ['another issuer', assertion({ iss: IDLE })],
      ['an issuer that is not there', assertion({ iss: 'nobody@pay.example' })],
      ['no issuer', assertion({ iss: undefined })],
      ['an issuer without a key', assertion({ iss: POD })],
      ['alg none', assertion({}, {})],
      ['HMAC with the public key', assertion({}, { hmac: PEM })],
      ['another key', assertion({}, { key: STRANGER.privateKey })],
      [
        'a key of its own in the header',
        assertion({}, { key: STRANGER.privateKey, header: { jwk: STRANGER.publicKey.export({ format: 'jwk' }) } }),
      ],
      ['no signature', `${goodAssertion.split('.').slice(0, 2).join('.')}.`],
      ['two parts', goodAssertion.split('.').slice(0, 2).join('.')],
      ['expired', assertion({ iat: NOW - 7200, exp: NOW - 3600 })],
      ['issued in the future', assertion({ iat: NOW + 3600, exp: NOW + 7200 })],
      ['a life of two hours', assertion({ exp: NOW + 7200 })],
      ['missing exp', assertion({ exp: undefined })],
      ['missing iat', assertion({ iat: undefined })],
      ['issuer twice', forgeJwt(withTwice({ ...ASSERTION, iss: IDLE }, `"iss":"${SIGNER}"`), { key: OWN.privateKey })],
      ['nothing', ''],
    ] as const
  ).map(([what, text]) => [what, { grant_type: GRANT, assertion: text }] as const),
  ['another grant', { grant_type: 'password', assertion: goodAssertion }],
  ['no grant', { assertion: goodAssertion }],
]

test(`T53 Google token endpoint: ${ASSERTIONS.length} forged assertions, no token for any of them`, async () => {
  assert.ok(ASSERTIONS.length >= 20)
  const rig = await rigOf()
  for (const [what, form] of ASSERTIONS) {
    const { status, json } = await post(rig, '/token', form)
    assert.deepEqual([status, json['access_token']], [400, undefined], what)
  }
  const { json } = await post(rig, '/token', { grant_type: GRANT, assertion: goodAssertion })
  assert.equal(await rawSign(rig, json['access_token'] ?? ''), 200)
})

// ── metadata, impersonation ─────────────────────────────────────────────────────────────────────────────────────────────

const METADATA = '/computeMetadata/v1/instance/service-accounts'
const FLAVOR = { 'metadata-flavor': 'Google' }
const LOOKS: readonly (readonly [what: string, path: string, headers: Record<string, string>, method?: string])[] = [
  ['no word', '/default/token', {}],
  ['another word', '/default/token', { 'metadata-flavor': 'Amazon' }],
  ['the word in small letters', '/default/token', { 'metadata-flavor': 'google' }],
  ['the word twice', '/default/token', { 'metadata-flavor': 'Google, Google' }],
  ['another account', `/${SIGNER}/token`, FLAVOR],
  ['an account that is not there', '/boss@pay.example/token', FLAVOR],
  ['another account by its place', `/default/../${SIGNER}/token`, FLAVOR],
  ['another account, escaped', `/default%2f..%2f${SIGNER}/token`, FLAVOR],
  ['keys', '/default/keys', FLAVOR],
  ['an identity token', '/default/identity?audience=https://cloudkms.googleapis.com/', FLAVOR],
  ['an account without a name', '//token', FLAVOR],
  ['capitals', '/DEFAULT/token', FLAVOR],
]

test(`T53 Google metadata server and impersonation: forged forms get no token of the signer`, async () => {
  const rig = await rigOf()
  let forms = 0
  for (const [what, path, headers] of LOOKS) {
    forms++
    const response = await fetch(`${rig.rest}${METADATA}${path}`, { headers })
    assert.ok(response.status === 403 || response.status === 404, `${what}: ${response.status}`)
    assert.doesNotMatch(await response.text(), /access_token/, what)
  }
  // What the server does give is of its own account, which may not sign.
  const own = (await (await fetch(`${rig.rest}${METADATA}/default/token`, { headers: FLAVOR })).json()) as Record<
    string,
    string
  >
  assert.equal(await rawSign(rig, own['access_token'] ?? ''), 403)
  const act = (email: string, bearer: string) =>
    raw(
      rig,
      'POST',
      `projects/-/serviceAccounts/${encodeURIComponent(email)}:generateAccessToken`,
      { scope: [] },
      { authorization: bearer },
    )
  const pod = (await post(rig, '/v1/token', exchange(GOOD))).json['access_token'] ?? ''
  for (const [what, email, bearer] of [
    ['an account that may not act for it', SIGNER, `Bearer ${own['access_token']}`],
    ['nobody', SIGNER, ''],
    ['a token that never was', SIGNER, 'Bearer ya29.local-kms-00'],
    ['a good token under another scheme', SIGNER, `Basic ${pod}`],
    ['a good token, spelled otherwise', SIGNER, `Bearer ${pod.toUpperCase()}`],
    ['the subject token itself', SIGNER, `Bearer ${GOOD}`],
    ['a token the account signed itself', SIGNER, `Bearer ${goodSelf}`],
    ['an account that is not there', 'boss@pay.iam.gserviceaccount.com', `Bearer ${pod}`],
    ['a pattern', '*', `Bearer ${pod}`],
  ] as const) {
    forms++
    const { status, json } = await act(email, bearer)
    assert.ok(status === 401 || status === 403, `${what}: ${status}`)
    assert.equal(json['accessToken'], undefined, what)
  }
  assert.ok(forms >= 20, String(forms))
  assert.equal(await rawSign(rig, pod), 403, 'the pool itself may not sign')
  assert.equal(signatures(rig), 0)
  const acting = await act(SIGNER, `Bearer ${pod}`)
  assert.equal(await rawSign(rig, acting.json['accessToken']), 200)
})

// ── answers to a login, and configurations without a binding ────────────────────────────────────────────────────────────

const json = (value: unknown, status = 200) =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } })
const moved = (status: number) => new Response(null, { status, headers: { location: 'https://evil.example/v1/token' } })
const ANSWERS: readonly (readonly [what: string, answer: () => Response])[] = [
  ['no token', () => json({ expires_in: 3600, token_type: 'Bearer' })],
  ['a token that is empty', () => json({ access_token: '', expires_in: 3600 })],
  ['an error with status 200', () => json({ error: 'invalid_grant' })],
  ['a page', () => new Response('<html></html>', { headers: { 'content-type': 'text/html' } })],
  ['nothing', () => new Response('')],
  ['a refusal', () => json({ error: 'invalid_grant', error_description: 'no' }, 400)],
  ['a refusal with a token in it', () => json({ access_token: 'ya29.forged' }, 403)],
  ...[307].map(status => [`a redirect ${status}`, () => moved(status)] as const),
]

test('T53 Google: answers of the token servers that are none, redirects among them: refused, and the key service hears nothing', async () => {
  const rig = await rigOf()
  writeFileSync(subjectFile, GOOD)
  const codes: ErrorCode[] = ['provider/refused', 'provider/unavailable', 'provider/malformed']
  for (const host of ['sts.googleapis.com', 'iamcredentials.googleapis.com']) {
    for (const [what, answer] of ANSWERS) {
      const { asked, fetching } = wire(rig, url => (url.hostname === host ? answer() : undefined))
      await refusal(signThrough({ credentials: secretOf(federation()) }, fetching), codes, [GOOD, 'ya29.forged'])
      assert.ok(
        asked.every(each => GOOGLE.includes(each) && each !== 'cloudkms.googleapis.com'),
        `${host} ${what}: ${asked.join()}`,
      )
    }
  }
  assert.equal(signatures(rig), 0)
})

test('T53 Google: a configuration without its binding is refused when it is opened', async () => {
  const nowhere: Fetch = () => assert.fail('nothing is asked')
  for (const more of [
    { audience: undefined },
    { audience: '' },
    { audience: POOL.replace('/providers/cluster', '') },
    { audience: POOL.replace('projects/1', 'projects/*') },
    { audience: `https:${POOL}` },
    { audience: `${POOL}/x` },
    { audience: [POOL] },
    { subject_token_type: undefined },
    { token_url: 'https://sts.evil.example/v1/token' },
    { service_account_impersonation_url: 'https://iamcredentials.evil.example/x' },
    { universe_domain: 'evil.example' },
    { credential_source: { executable: { command: '/bin/sh' } } },
  ]) {
    const credentials = secretOf(federation(more))
    await refusal(create({ kind: 'gcp-kms', credentials }, providerWorld('production', nowhere)), 'config/invalid')
  }
})
