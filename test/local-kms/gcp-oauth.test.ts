import assert from 'node:assert/strict'
import { createSign, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { virtualClock } from '../../local-kms/core/clock.ts'
import { type GcpRig, keyName, raw, startGcp, versionOf } from './gcp-support.ts'

const EMAIL = 'signer@demo.iam.gserviceaccount.com'
const OTHER = 'other@demo.iam.gserviceaccount.com'
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' })
const useToSign = ['cloudkms.cryptoKeyVersions.useToSign']
const accounts = [
  { email: EMAIL, publicKey, metadata: true, permissions: useToSign },
  { email: OTHER, subjectTokens: ['federated-subject'], permissions: useToSign },
]
const START = Date.UTC(2026, 0, 1)

function jwt(claims: object, key = pair.privateKey, alg = 'RS256'): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg, typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createSign('sha256').update(signed).sign(key).toString('base64url')}`
}
const now = START / 1000
const claims = {
  iss: EMAIL,
  scope: 'https://www.googleapis.com/auth/cloudkms',
  aud: 'https://oauth2.googleapis.com/token',
  iat: now,
  exp: now + 3600,
}

const rigOf = (clock = virtualClock(START)): Promise<GcpRig> =>
  startGcp({ clock, accounts, seed: { cryptoKeys: [{ name: keyName('k'), algorithm: 'EC_SIGN_ED25519' }] } })
const signWith = async (rig: GcpRig, token: string): Promise<number> =>
  (await raw(rig, 'POST', `${versionOf('k')}:asymmetricSign`, { data: 'eA==' }, { authorization: `Bearer ${token}` }))
    .status

async function post(rig: GcpRig, path: string, parameters: Record<string, string>, asJson = false) {
  const body = asJson ? JSON.stringify(parameters) : new URLSearchParams(parameters).toString()
  const type = asJson ? 'application/json' : 'application/x-www-form-urlencoded'
  const response = await fetch(rig.rest + path, { method: 'POST', body, headers: { 'content-type': type } })
  return { status: response.status, json: (await response.json()) as Record<string, string> }
}
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

test('local-kms gcp oauth: what a service account signed is changed into a token that ends with its hour', async () => {
  const clock = virtualClock(START)
  const rig = await rigOf(clock)
  assert.equal(await signWith(rig, 'none'), 401)
  const { json } = await post(rig, '/token', { grant_type: GRANT, assertion: jwt(claims) })
  assert.deepEqual([json['token_type'], json['expires_in']], ['Bearer', 3600])
  assert.equal(await signWith(rig, json['access_token']!), 200)
  const read = await raw(rig, 'GET', keyName('k'), undefined, { authorization: `Bearer ${json['access_token']!}` })
  assert.equal(read.status, 403)
  assert.equal(rig.face.audit().at(-1)!.protoPayload.authenticationInfo.principalEmail, EMAIL)
  await clock.advance(3_600_000)
  const late = await raw(rig, 'GET', keyName('k'), undefined, { authorization: `Bearer ${json['access_token']!}` })
  assert.equal(late.json['error'].details[0].reason, 'ACCESS_TOKEN_EXPIRED')
})

test('local-kms gcp oauth: assertions that are not right are refused', async () => {
  const rig = await rigOf()
  for (const [assertion, text] of [
    [jwt(claims, stranger.privateKey), 'Invalid JWT Signature.'],
    [jwt({ ...claims, exp: now + 7200 }), /^Invalid JWT: Token must be a short-lived token/],
    [jwt({ ...claims, iat: now - 7200, exp: now - 3700 }), /short-lived/],
    [jwt({ ...claims, iat: undefined }), /short-lived/],
    [jwt({ ...claims, aud: 'https://elsewhere.invalid/' }), /audience/],
    [jwt({ ...claims, iss: 'nobody@demo.invalid' }), /account not found/],
    [jwt({ ...claims, iss: OTHER }), 'Invalid JWT Signature.'],
    [jwt(claims, pair.privateKey, 'none'), /account not found/],
    ['a.b.c', /account not found/],
    ['', /account not found/],
  ] as const) {
    const { status, json } = await post(rig, '/token', { grant_type: GRANT, assertion })
    assert.equal(status, 400)
    assert.equal(json['error'], 'invalid_grant')
    if (typeof text === 'string') assert.equal(json['error_description'], text)
    else assert.match(json['error_description']!, text)
  }
  assert.equal((await post(rig, '/token', { grant_type: 'password' })).json['error'], 'unsupported_grant_type')
})

test('local-kms gcp oauth: a public key that is none is refused at once', async () => {
  await assert.rejects(startGcp({ accounts: [{ email: EMAIL, publicKey: 'nonsense' }] }), RangeError)
})

test('local-kms gcp oauth: a bearer token the account signed itself opens this service and no other', async () => {
  const rig = await rigOf()
  const own = { iss: EMAIL, sub: EMAIL, aud: 'https://cloudkms.googleapis.com/', iat: now, exp: now + 3600 }
  assert.equal(await signWith(rig, jwt(own)), 200)
  assert.equal(await signWith(rig, jwt({ ...own, aud: undefined, scope: claims.scope })), 200)
  assert.equal(await signWith(rig, jwt({ ...own, aud: 'https://storage.googleapis.com/' })), 401)
  assert.equal(await signWith(rig, jwt(own, stranger.privateKey)), 401)
  assert.equal(await signWith(rig, jwt({ ...own, sub: OTHER })), 401)
})

test('local-kms gcp oauth: a foreign token is exchanged, and one account acts for another', async () => {
  const rig = await rigOf()
  const request = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x',
    subject_token: 'federated-subject',
  }
  const { json } = await post(rig, '/v1/token', request)
  assert.equal(json['issued_token_type'], 'urn:ietf:params:oauth:token-type:access_token')
  assert.equal(await signWith(rig, json['access_token']!), 200)
  const { grant_type: grantType, subject_token: subjectToken, audience } = request
  assert.equal((await post(rig, '/v1/token', { grantType, subjectToken, audience }, true)).status, 200)
  assert.equal((await post(rig, '/v1/token', { ...request, subject_token: 'another' })).json['error'], 'invalid_grant')
  assert.equal((await post(rig, '/v1/token', { ...request, audience: '' })).json['error'], 'invalid_request')
  assert.equal(
    (await post(rig, '/v1/token', { ...request, grant_type: GRANT })).json['error'],
    'unsupported_grant_type',
  )
  const act = (email: string, token: string) =>
    raw(
      rig,
      'POST',
      `projects/-/serviceAccounts/${encodeURIComponent(email)}:generateAccessToken`,
      { scope: [] },
      { authorization: `Bearer ${token}` },
    )
  const acting = await act(EMAIL, json['access_token']!)
  assert.equal(await signWith(rig, acting.json['accessToken']), 200)
  assert.match(acting.json['expireTime'], /^2026-01-01T01:00:00/)
  assert.equal((await act('nobody@demo.invalid', json['access_token']!)).status, 403)
  assert.equal((await act(EMAIL, 'none')).status, 401)
})

test('local-kms gcp oauth: the metadata server speaks for one account, to those who say the word', async () => {
  const rig = await rigOf()
  const get = (path: string, headers: Record<string, string> = { 'metadata-flavor': 'Google' }) =>
    fetch(`${rig.rest}/computeMetadata/v1${path}`, { headers })
  assert.equal((await get('/instance', {})).status, 403)
  assert.equal((await get('/instance')).headers.get('metadata-flavor'), 'Google')
  assert.equal(await (await get('/instance/service-accounts/default/email')).text(), EMAIL)
  const { access_token: token } = (await (
    await get('/instance/service-accounts/default/token?scopes=x')
  ).json()) as Record<string, string>
  assert.equal(await signWith(rig, token!), 200)
  for (const path of [
    '/project/zone',
    '/instance/service-accounts/nobody/token',
    '/instance/service-accounts/default/keys',
  ]) {
    assert.equal((await get(path)).status, 404)
  }
  rig.face.reset(() => ({ bytes: length => new Uint8Array(length) }))
  assert.equal(await signWith(rig, token!), 401)
})
