/** T53: nobody becomes the signer's role at AWS by a forged login: through our provider, and where a forger speaks for himself. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type LocalKms, startLocalKms, virtualClock } from '../../local-kms/index.ts'
import { awsKmsSchema, type AwsKmsConfig } from '../../providers/aws-kms/config.ts'
import { create } from '../../providers/aws-kms/index.ts'
import { callerIdentity } from '../../providers/aws-kms/sts.ts'
import type { ErrorCode } from '../../src/domain/errors.ts'
import type { Fetch } from '../../src/domain/ports.ts'
import { Secret } from '../../src/domain/secret.ts'
import { forgeJwt, withTwice } from '../support/forge-jwt.ts'
import { refusal } from '../support/leaks.ts'
import { call, providerWorld } from '../support/provider-world.ts'

const ACCOUNT = '111122223333'
const OTHER_ACCOUNT = '999988887777'
const KEY = `arn:aws:kms:us-east-1:${ACCOUNT}:key/11111111-1111-4111-8111-111111111111`
const POD = `arn:aws:iam::${ACCOUNT}:role/pod`
const SIGNER = `arn:aws:iam::${ACCOUNT}:role/signer`
const ISSUER = 'https://oidc.example/id/1'
const SUBJECT = 'system:serviceaccount:payments:countersign'
const CLUSTER = generateKeyPairSync('rsa', { modulusLength: 2048 })
const STRANGER = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = { ...CLUSTER.publicKey.export({ format: 'jwk' }), kid: 'one' }
const PEM = CLUSTER.publicKey.export({ type: 'spki', format: 'pem' })

const clock = virtualClock(Date.now())
const NOW = Math.floor(clock.now() / 1000)
const allow = [{ actions: ['kms:Sign', 'kms:GetPublicKey'], resources: [KEY] }]
const USER = (name: string) => ({ accessKeyId: `AKID${name.toUpperCase()}`, secretAccessKey: `${name}-secret-canary` })
const SEED = {
  version: 1,
  accountId: ACCOUNT,
  credentials: [
    {
      ...USER('operator'),
      principalArn: `arn:aws:iam::${ACCOUNT}:user/operator`,
      allow: [{ actions: ['sts:AssumeRole'] }],
    },
    { ...USER('guest'), principalArn: `arn:aws:iam::${ACCOUNT}:user/guest`, allow: [{ actions: ['sts:AssumeRole'] }] },
    { ...USER('powerless'), principalArn: `arn:aws:iam::${ACCOUNT}:user/operator`, allow: [] },
  ],
  roles: [
    {
      arn: SIGNER,
      allow,
      trust: { principals: [`arn:aws:iam::${ACCOUNT}:user/operator`], externalId: 'payments', webIdentity: [] },
    },
    {
      arn: POD,
      allow,
      trust: {
        principals: [],
        webIdentity: [{ issuer: ISSUER, audience: 'sts.amazonaws.com', subject: SUBJECT, jwks: [jwk] }],
      },
    },
    {
      arn: `arn:aws:iam::${ACCOUNT}:role/idle`,
      allow: [{ actions: ['kms:GetPublicKey'], resources: [KEY] }],
      trust: {
        principals: [],
        webIdentity: [{ issuer: ISSUER, audience: 'sts.amazonaws.com', subject: SUBJECT, jwks: [jwk] }],
      },
    },
  ],
  keys: [{ arn: KEY, spec: 'ECC_NIST_EDWARDS25519' }],
}

const folder = mkdtempSync(join(tmpdir(), 'forged-aws-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const tokenFile = join(folder, 'token')

async function begin(): Promise<LocalKms> {
  const kms = await startLocalKms({ faces: ['aws'], sigv4: 'strict', clock, seed: structuredClone(SEED) as never })
  after(() => kms.close())
  return kms
}
const MESSAGE = new TextEncoder().encode('hello')
async function signThrough(kms: LocalKms, more: Partial<AwsKmsConfig>, fetching?: Fetch): Promise<unknown> {
  const real = providerWorld('development', fetching)
  const world = { ...real, clock: { ...real.clock, now: () => clock.now() } }
  const endpoints = { endpoint: kms.aws, stsEndpoint: kms.aws }
  const provider = await create({ kind: 'aws-kms', region: 'us-east-1', ...endpoints, ...more }, world)
  try {
    return await provider.sign(KEY, { scheme: 'ed25519', message: MESSAGE }, call())
  } finally {
    await provider.close()
  }
}
const signatures = (kms: LocalKms): number =>
  kms.audit().filter(({ eventName, errorCode }) => eventName === 'Sign' && errorCode === undefined).length

/** A form as anybody may post it; no signature. */
async function post(kms: LocalKms, form: Record<string, string> | string, headers: Record<string, string> = {}) {
  const body = typeof form === 'string' ? form : new URLSearchParams(form).toString()
  const response = await fetch(kms.aws, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body,
    redirect: 'manual',
  })
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') ?? '' }
}
const webIdentity = (token: string, role = POD): Record<string, string> => ({
  Action: 'AssumeRoleWithWebIdentity',
  Version: '2011-06-15',
  RoleArn: role,
  RoleSessionName: 'forger',
  WebIdentityToken: token,
})

// ── web identity ────────────────────────────────────────────────────────────────────────────────────────────────────────

const CLAIMS = { iss: ISSUER, sub: SUBJECT, aud: ['sts.amazonaws.com'], exp: NOW + 600, iat: NOW }
const by = { key: CLUSTER.privateKey }
const token = (claims: object, how: Parameters<typeof forgeJwt>[1] = by): string =>
  forgeJwt({ ...CLAIMS, ...claims }, how)
const GOOD = token({})
const [head = '', body = '', signature = ''] = GOOD.split('.')

interface Row {
  readonly what: string
  readonly token: string
  readonly role?: string
  /** What STS says. Absent: it takes it, and we do not send it. */
  readonly says?: string
  readonly reason: RegExp
}
const NOT_TAKEN = /does not accept the web identity token/
const NOT_ROLE = /does not let us become the role/
const NO_JWT = /no JWT in one spelling/
const OTHER_AUDIENCE = /another audience than the configuration says/

const FORGED: readonly Row[] = [
  {
    what: 'wrong audience',
    token: token({ aud: 'https://elsewhere.example' }),
    says: 'InvalidIdentityToken',
    reason: OTHER_AUDIENCE,
  },
  {
    what: 'audience that ends the same',
    token: token({ aud: 'evil.sts.amazonaws.com' }),
    says: 'InvalidIdentityToken',
    reason: OTHER_AUDIENCE,
  },
  { what: 'no audience', token: token({ aud: undefined }), says: 'InvalidIdentityToken', reason: /names no audience/ },
  {
    what: 'list of audiences with one good',
    token: token({ aud: ['https://vault.example', 'sts.amazonaws.com'] }),
    reason: /good for other audiences too/,
  },
  {
    what: 'wrong issuer',
    token: token({ iss: 'https://evil.example' }),
    says: 'InvalidIdentityToken',
    reason: NOT_TAKEN,
  },
  {
    what: 'issuer with a slash more',
    token: token({ iss: `${ISSUER}/` }),
    says: 'InvalidIdentityToken',
    reason: NOT_TAKEN,
  },
  { what: 'no issuer', token: token({ iss: undefined }), says: 'InvalidIdentityToken', reason: NOT_TAKEN },
  {
    what: 'wrong subject',
    token: token({ sub: 'system:serviceaccount:evil:countersign' }),
    says: 'AccessDenied',
    reason: NOT_ROLE,
  },
  {
    what: 'subject that begins the same',
    token: token({ sub: `${SUBJECT}-2` }),
    says: 'AccessDenied',
    reason: NOT_ROLE,
  },
  {
    what: 'subject that is a pattern',
    token: token({ sub: 'system:serviceaccount:*:*' }),
    says: 'AccessDenied',
    reason: NOT_ROLE,
  },
  { what: 'no subject', token: token({ sub: undefined }), says: 'InvalidIdentityToken', reason: NOT_TAKEN },
  { what: 'alg none', token: token({}, {}), says: 'InvalidIdentityToken', reason: NOT_TAKEN },
  {
    what: 'HMAC with the public key',
    token: token({}, { hmac: PEM }),
    says: 'InvalidIdentityToken',
    reason: NOT_TAKEN,
  },
  {
    what: 'another key under the same kid',
    token: token({}, { key: STRANGER.privateKey }),
    says: 'InvalidIdentityToken',
    reason: NOT_TAKEN,
  },
  {
    what: 'a kid nobody has',
    token: token({}, { ...by, header: { kid: 'two' } }),
    says: 'InvalidIdentityToken',
    reason: NOT_TAKEN,
  },
  {
    what: 'no kid',
    token: token({}, { ...by, header: { kid: undefined } }),
    says: 'InvalidIdentityToken',
    reason: NOT_TAKEN,
  },
  {
    what: 'a key of its own in the header',
    token: token({}, { key: STRANGER.privateKey, header: { jwk: STRANGER.publicKey.export({ format: 'jwk' }) } }),
    says: 'InvalidIdentityToken',
    reason: NOT_TAKEN,
  },
  { what: 'no signature', token: `${head}.${body}.`, says: 'InvalidIdentityToken', reason: NOT_TAKEN },
  {
    what: 'claims exchanged under the signature',
    token: `${head}.${Buffer.from(JSON.stringify({ ...CLAIMS, exp: NOW + 9999 })).toString('base64url')}.${signature}`,
    says: 'InvalidIdentityToken',
    reason: NOT_TAKEN,
  },
  { what: 'two parts', token: `${head}.${body}`, says: 'InvalidIdentityToken', reason: NO_JWT },
  {
    what: 'expired',
    token: token({ iat: NOW - 900, exp: NOW - 300 }),
    says: 'ExpiredTokenException',
    reason: /web identity token has expired/,
  },
  { what: 'not yet valid', token: token({ nbf: NOW + 300 }), says: 'InvalidIdentityToken', reason: NOT_TAKEN },
  { what: 'missing exp', token: token({ exp: undefined }), says: 'InvalidIdentityToken', reason: NOT_TAKEN },
  { what: 'exp as a text', token: token({ exp: String(NOW + 600) }), says: 'InvalidIdentityToken', reason: NOT_TAKEN },
  {
    what: 'subject twice, the good one last',
    token: forgeJwt(withTwice({ ...CLAIMS, sub: 'evil' }, `"sub":"${SUBJECT}"`), by),
    says: 'InvalidIdentityToken',
    reason: NO_JWT,
  },
  {
    what: 'subject twice, the good one first',
    token: forgeJwt(withTwice(CLAIMS, '"sub":"evil"'), by),
    says: 'InvalidIdentityToken',
    reason: NO_JWT,
  },
  {
    what: 'role that trusts no web identity',
    token: GOOD,
    role: SIGNER,
    says: 'InvalidIdentityToken',
    reason: NOT_TAKEN,
  },
  {
    what: 'role of another account',
    token: GOOD,
    role: `arn:aws:iam::${OTHER_ACCOUNT}:role/pod`,
    says: 'AccessDenied',
    reason: NOT_ROLE,
  },
  {
    what: 'role that is not there',
    token: GOOD,
    role: `arn:aws:iam::${ACCOUNT}:role/root`,
    says: 'AccessDenied',
    reason: NOT_ROLE,
  },
  {
    what: 'role of another path',
    token: GOOD,
    role: `arn:aws:iam::${ACCOUNT}:role/x/pod`,
    says: 'AccessDenied',
    reason: NOT_ROLE,
  },
]

test(`T53 AWS web identity: ${FORGED.length} forged forms, each refused and none led to a signature`, async () => {
  assert.ok(FORGED.length >= 20)
  const kms = await begin()
  for (const { what, token: forged, role = POD, says, reason } of FORGED) {
    const raw = await post(kms, webIdentity(forged, role))
    if (says === undefined) assert.equal(raw.status, 200, what)
    else {
      assert.ok(raw.status >= 400 && raw.text.includes(`<Code>${says}</Code>`), `${what}: ${raw.text}`)
      assert.doesNotMatch(raw.text, /SecretAccessKey/, what)
    }
    writeFileSync(tokenFile, forged)
    const config = { roleArn: role, webIdentityTokenFile: tokenFile }
    const error = await refusal(signThrough(kms, config), 'provider/refused', [forged], [OTHER_ACCOUNT, folder])
    assert.match((error.detail as { reason: string }).reason, reason, what)
  }
  assert.equal(signatures(kms), 0)
  writeFileSync(tokenFile, GOOD)
  await signThrough(kms, { roleArn: POD, webIdentityTokenFile: tokenFile })
  writeFileSync(tokenFile, token({ aud: 'sts.amazonaws.com' }))
  await signThrough(kms, { roleArn: POD, webIdentityTokenFile: tokenFile, webIdentityAudience: 'sts.amazonaws.com' })
  assert.equal(signatures(kms), 2, 'the good ones sign')
  writeFileSync(tokenFile, GOOD)
  const idle = { roleArn: `arn:aws:iam::${ACCOUNT}:role/idle`, webIdentityTokenFile: tokenFile }
  await refusal(signThrough(kms, idle), 'provider/refused')
  assert.equal(signatures(kms), 2, 'a good login to a role that may not sign')
})

// ── AssumeRole, keys ────────────────────────────────────────────────────────────────────────────────────────────────────

const keysOf = (name: string, over: Partial<ReturnType<typeof USER>> = {}) => {
  const { accessKeyId, secretAccessKey } = { ...USER(name), ...over }
  return { accessKeyId: new Secret(accessKeyId, 'id'), secretAccessKey: new Secret(secretAccessKey, 'secret') }
}
const assumed = (roleArn: string, more: Partial<AwsKmsConfig> = {}) => ({ roleArn, externalId: 'payments', ...more })

const KEYS: readonly (readonly [what: string, config: Partial<AwsKmsConfig>])[] = [
  ['a user whom the role does not trust', { ...keysOf('guest'), ...assumed(SIGNER) }],
  ['a user without the right to assume', { ...keysOf('powerless'), ...assumed(SIGNER) }],
  ['a wrong external id', { ...keysOf('operator'), ...assumed(SIGNER, { externalId: 'payroll' }) }],
  ['an external id in capitals', { ...keysOf('operator'), ...assumed(SIGNER, { externalId: 'PAYMENTS' }) }],
  ['no external id', { ...keysOf('operator'), roleArn: SIGNER }],
  ['a role of another account', { ...keysOf('operator'), ...assumed(`arn:aws:iam::${OTHER_ACCOUNT}:role/signer`) }],
  ['a role that is not there', { ...keysOf('operator'), ...assumed(`arn:aws:iam::${ACCOUNT}:role/nobody`) }],
  ['a role of web identities alone', { ...keysOf('operator'), ...assumed(POD) }],
  ['a wrong secret', { ...keysOf('operator', { secretAccessKey: 'guessed' }), ...assumed(SIGNER) }],
  [
    'the secret of another user',
    { ...keysOf('operator', { secretAccessKey: USER('guest').secretAccessKey }), ...assumed(SIGNER) },
  ],
  ['an unknown id', { ...keysOf('operator', { accessKeyId: 'AKIDNOBODY' }), ...assumed(SIGNER) }],
  [
    'a session token that is none',
    { ...keysOf('operator'), sessionToken: new Secret('bm9uZQ==', 't'), ...assumed(SIGNER) },
  ],
  ['the user without the role', keysOf('operator')],
  [
    'a role of the same name in another path',
    { ...keysOf('operator'), ...assumed(`arn:aws:iam::${ACCOUNT}:role/x/signer`) },
  ],
  ['a role of another partition', { ...keysOf('operator'), ...assumed(`arn:aws-cn:iam::${ACCOUNT}:role/signer`) }],
  ['a role in capitals', { ...keysOf('operator'), ...assumed(`arn:aws:iam::${ACCOUNT}:role/SIGNER`) }],
  ['an id in small letters', { ...keysOf('operator', { accessKeyId: 'akidoperator' }), ...assumed(SIGNER) }],
  [
    'a secret in capitals',
    { ...keysOf('operator', { secretAccessKey: 'OPERATOR-SECRET-CANARY' }), ...assumed(SIGNER) },
  ],
  [
    'a secret with a space behind it',
    { ...keysOf('operator', { secretAccessKey: `${USER('operator').secretAccessKey} ` }), ...assumed(SIGNER) },
  ],
  ['an external id with more behind it', { ...keysOf('operator'), ...assumed(SIGNER, { externalId: 'payments2' }) }],
  ['a wrong secret without a role', keysOf('operator', { secretAccessKey: 'guessed' })],
  ['an unknown id without a role', keysOf('operator', { accessKeyId: 'ASIANOBODY' })],
]

test(`T53 AWS AssumeRole and keys: ${KEYS.length} forged forms, each refused and none led to a signature`, async () => {
  assert.ok(KEYS.length >= 20)
  const kms = await begin()
  for (const [what, config] of KEYS) {
    const error = await refusal(
      signThrough(kms, config),
      'provider/refused',
      ['operator-secret-canary', 'guest-secret-canary'],
      [OTHER_ACCOUNT],
    )
    assert.equal(error.code, 'provider/refused', what)
  }
  assert.equal(signatures(kms), 0)
  await signThrough(kms, { ...keysOf('operator'), ...assumed(SIGNER) })
  assert.equal(signatures(kms), 1)
})

// ── who am I: CVE-2020-16250 ────────────────────────────────────────────────────────────────────────────────────────────

/** What a forger would have somebody believe: the answer to GetCallerIdentity of the signer. */
const IDENTITY =
  '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>' +
  `<Arn>arn:aws:sts::${ACCOUNT}:assumed-role/signer/countersign</Arn><UserId>AROA:countersign</UserId><Account>${ACCOUNT}</Account>` +
  '</GetCallerIdentityResult></GetCallerIdentityResponse>'

const WHO = { Action: 'GetCallerIdentity', Version: '2011-06-15' }
const ABROAD: readonly (readonly [
  what: string,
  form: Record<string, string> | string,
  headers?: Record<string, string>,
])[] = [
  ['no signature', WHO],
  ['no signature, asked for JSON', WHO, { accept: 'application/json' }],
  [
    'another host',
    WHO,
    {
      host: 'sts.amazonaws.com',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDOPERATOR/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=00',
    },
  ],
  ['a forwarded host', WHO, { 'x-forwarded-host': 'sts.amazonaws.com' }],
  [
    'signed for another service',
    WHO,
    {
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDOPERATOR/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00',
    },
  ],
  ['an identity in the form', { ...WHO, Arn: SIGNER, Account: ACCOUNT }],
  ['two actions', 'Action=AssumeRoleWithWebIdentity&Action=GetCallerIdentity&Version=2011-06-15'],
  ['two actions, the other first', 'Action=GetCallerIdentity&Action=AssumeRoleWithWebIdentity&Version=2011-06-15'],
  ['action of another case', { ...WHO, Action: 'getcalleridentity' }],
  ['XML as the action', { ...WHO, Action: IDENTITY }],
  ['XML as the version', { ...WHO, Version: IDENTITY }],
  ['XML instead of a form', IDENTITY, { 'content-type': 'text/xml' }],
  ['XML as a role', { ...webIdentity(GOOD), RoleArn: IDENTITY }],
  ['XML as a session name', { ...webIdentity(GOOD), RoleSessionName: IDENTITY }],
  ['XML as a token', webIdentity(IDENTITY)],
  ['XML as a subject, signed by the issuer', webIdentity(token({ sub: IDENTITY }))],
  ['XML as an audience, signed by the issuer', webIdentity(token({ aud: IDENTITY }))],
  ['XML as an issuer', webIdentity(token({ iss: IDENTITY }))],
  ['another method in a header', WHO, { 'x-http-method-override': 'GET' }],
  ['a body behind the form', `Action=GetCallerIdentity&Version=2011-06-15\r\n\r\n${IDENTITY}`],
]

test(`T53 CVE-2020-16250 ${ABROAD.length} requests that would have STS say another's name: no answer holds one`, async () => {
  assert.ok(ABROAD.length >= 20)
  const kms = await begin()
  for (const [what, form, headers] of ABROAD) {
    const { status, text } = await post(kms, form, headers)
    assert.ok(status >= 400, `${what}: ${status} ${text}`)
    assert.doesNotMatch(text, /<GetCallerIdentityResponse|<Arn>|SecretAccessKey/, what)
  }
  // Where the text of a forger does come back, in a session that was given, it is text and no element.
  const lenient = structuredClone(SEED)
  const [, pod] = lenient.roles
  if (pod?.trust.webIdentity[0] !== undefined) pod.trust.webIdentity[0].subject = '*'
  const wide = await startLocalKms({ faces: ['aws'], sigv4: 'strict', clock, seed: lenient as never })
  after(() => wide.close())
  const { status, text } = await post(wide, webIdentity(token({ sub: IDENTITY })))
  assert.equal(status, 200)
  assert.match(text, /<SubjectFromWebIdentityToken>&lt;GetCallerIdentityResponse/)
  assert.equal(text.match(/<Arn>/g)?.length, 1, 'its own')
  assert.match(text, new RegExp(`<Arn>arn:aws:sts::${ACCOUNT}:assumed-role/pod/forger</Arn>`))
})

// ── answers to a login ──────────────────────────────────────────────────────────────────────────────────────────────────

const later = new Date((NOW + 3600) * 1000).toISOString().replace('.000Z', 'Z')
const credentials = `<Credentials><AccessKeyId>ASIAFORGED</AccessKeyId><SecretAccessKey>forged</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${later}</Expiration></Credentials>`
const session = (arn: string) =>
  `<AssumedRoleUser><AssumedRoleId>AROA:countersign</AssumedRoleId><Arn>${arn}</Arn></AssumedRoleUser>`
const answered = (action: string, inside: string): string =>
  `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${inside}</${action}Result></${action}Response>`
const xml =
  (text: string, status = 200, headers: Record<string, string> = {}) =>
  () =>
    new Response(text, { status, headers: { 'content-type': 'text/xml', ...headers } })
const moved = (status: number) => xml('', status, { location: 'https://evil.example/' })

const answersOf = (action: string): readonly (readonly [what: string, answer: () => Response])[] => [
  [
    'a session of another account',
    xml(answered(action, credentials + session(`arn:aws:sts::${OTHER_ACCOUNT}:assumed-role/signer/countersign`))),
  ],
  ['a session of nobody', xml(answered(action, credentials))],
  ['a session whose name is empty', xml(answered(action, credentials + session('')))],
  ['a session whose name is no ARN', xml(answered(action, credentials + session('root')))],
  [
    'credentials without a secret',
    xml(
      answered(
        action,
        `<Credentials><AccessKeyId>A</AccessKeyId></Credentials>${session(`arn:aws:sts::${ACCOUNT}:assumed-role/signer/c`)}`,
      ),
    ),
  ],
  ['an answer to another question (CVE-2020-16250)', xml(IDENTITY)],
  ['an answer inside another', xml(answered('GetCallerIdentity', answered(action, credentials)))],
  ['an empty answer', xml('')],
  ['an empty result', xml(answered(action, ''))],
  [
    'JSON',
    () =>
      new Response(JSON.stringify({ [`${action}Response`]: {} }), { headers: { 'content-type': 'application/json' } }),
  ],
  ['a page', () => new Response('<html><body>hello</body></html>', { headers: { 'content-type': 'text/html' } })],
  ['XML that does not end', xml(`<${action}Response><${action}Result>`)],
  ['an entity from elsewhere', xml(`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${answered(action, '&e;')}`)],
  ['a redirect 301', moved(301)],
  ['a redirect 302', moved(302)],
  ['a redirect 303', moved(303)],
  ['a redirect 307', moved(307)],
  ['a redirect 308', moved(308)],
  [
    'a refusal',
    xml('<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>', 403),
  ],
  ['a refusal with credentials in it', xml(answered(action, credentials), 403)],
]

for (const [action, config] of [
  ['AssumeRole', { ...keysOf('operator'), ...assumed(SIGNER) }],
  ['AssumeRoleWithWebIdentity', { roleArn: POD, webIdentityTokenFile: tokenFile }],
] as const) {
  const answers = answersOf(action)
  test(`T53 AWS ${action}: ${answers.length} answers that are none, each refused, nothing signed, nobody else asked`, async () => {
    assert.ok(answers.length >= 20)
    const kms = await begin()
    writeFileSync(tokenFile, GOOD)
    for (const [what, answer] of answers) {
      const asked: string[] = []
      const fetching: Fetch = async input => {
        asked.push(new URL(input).origin)
        return answer()
      }
      const codes: ErrorCode[] = ['provider/refused', 'provider/malformed', 'provider/unavailable']
      const error = await refusal(
        signThrough(kms, config, fetching),
        codes,
        ['operator-secret-canary', GOOD],
        [OTHER_ACCOUNT],
      )
      assert.deepEqual(asked, [kms.aws], what) // the key service is not asked
      assert.notEqual(error.code, 'provider/ambiguous', what)
    }
    assert.equal(signatures(kms), 0)
  })
}

test('T53 CVE-2020-16250 who we are is asked of the endpoint that is configured, by a signature over its host', async () => {
  const kms = await begin()
  const real = providerWorld()
  const world = { ...real, clock: { ...real.clock, now: () => clock.now() } }
  const config = { kind: 'aws-kms', region: 'us-east-1', endpoint: kms.aws, stsEndpoint: kms.aws } as const
  const own = await callerIdentity(config, world, async () => USER('operator'))
  assert.deepEqual(own, { arn: `arn:aws:iam::${ACCOUNT}:user/operator`, account: ACCOUNT })
  await assert.rejects(callerIdentity(config, world, async () => ({ ...USER('operator'), secretAccessKey: 'guessed' })))
})

test('T53 AWS: a configuration without its binding is refused', () => {
  const base = { kind: 'aws-kms', region: 'us-east-1' }
  const bad: readonly [object, string][] = [
    [{ webIdentityTokenFile: '/t' }, 'webIdentityTokenFile'],
    [{ webIdentityAudience: 'a' }, 'webIdentityAudience'],
    [{ roleArn: POD, webIdentityAudience: 'a' }, 'webIdentityAudience'],
    [{ roleArn: POD, webIdentityTokenFile: '/t', webIdentityAudience: '' }, 'webIdentityAudience'],
    [{ roleArn: 'signer' }, 'roleArn'],
    [{ roleArn: 'arn:aws:iam::*:role/signer' }, 'roleArn'],
    [{ roleArn: `arn:aws:iam::${ACCOUNT}:user/signer` }, 'roleArn'],
    [{ roleArn: POD, webIdentityTokenFile: '/t', externalId: 'payments' }, 'webIdentityTokenFile'],
    [{ externalId: 'payments' }, 'externalId'],
  ]
  for (const [fields, path] of bad) {
    const read = awsKmsSchema().safeParse({ ...base, ...fields })
    assert.ok(!read.success && read.error.issues.some(issue => issue.path[0] === path), JSON.stringify(fields))
  }
})
