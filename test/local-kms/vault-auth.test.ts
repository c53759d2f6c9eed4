import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { test } from 'node:test'
import { virtualClock } from '../../local-kms/core/clock.ts'
import { serve, TRANSIT, b64, type Served } from './vault-support.ts'

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A JWT in compact form. */
function jwt(claims: object, key: KeyObject, alg: string): string {
  const signed = `${base64url({ alg, typ: 'JWT' })}.${base64url(claims)}`
  const hash = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`
  const options = alg.startsWith('PS')
    ? { key, padding: 6, saltLength: -1 }
    : alg.startsWith('ES')
      ? { key, dsaEncoding: 'ieee-p1363' as const }
      : key
  return `${signed}.${sign(hash, Buffer.from(signed), options).toString('base64url')}`
}
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' })
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ED = generateKeyPairSync('ed25519')
const OTHER = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const NOW = Date.UTC(2026, 0, 1) / 1000
const CLAIMS = { iss: 'ci', sub: 'signer', aud: 'vault', iat: NOW, nbf: NOW, exp: NOW + 600 }
const POLICY = { name: 'sign', policy: 'path "transit/sign/+" { capabilities = ["update"] }' }
const KEY = { name: 'k', type: 'ed25519' } as const

const login = (served: Served, method: string, token: string, role = 'r') =>
  served.call('POST', `auth/${method}/login`, { role, jwt: token }, { 'x-vault-token': '' })

test('Vault face: JWT login takes tokens its keys signed, and no others', async () => {
  const clock = virtualClock()
  const served = await serve(
    {
      seed: { version: 1, keys: [KEY], policies: [POLICY] },
      jwt: {
        publicKeys: [pem(EC.publicKey), pem(RSA.publicKey), pem(ED.publicKey)],
        boundIssuer: 'ci',
        roles: [{ name: 'r', boundAudiences: ['vault'], boundSubject: 'signer', policies: ['sign'], ttl: 60 }],
      },
    },
    { clock },
  )
  for (const [alg, { privateKey }] of [
    ['ES256', EC],
    ['RS256', RSA],
    ['RS512', RSA],
    ['PS256', RSA],
    ['EdDSA', ED],
  ] as const) {
    const { json } = await login(served, 'jwt', jwt(CLAIMS, privateKey, alg))
    assert.deepEqual(json.auth.policies, ['default', 'sign'], alg)
    const signed = await served.call(
      'POST',
      'transit/sign/k',
      { input: b64('x') },
      { 'x-vault-token': json.auth.client_token },
    )
    assert.equal(signed.status, 200)
  }
  const refusals: [string, string, RegExp][] = [
    ['another key', jwt(CLAIMS, OTHER.privateKey, 'ES256'), /no known key successfully validated/],
    ['expired', jwt({ ...CLAIMS, exp: NOW - 100 }, EC.privateKey, 'ES256'), /token is expired/],
    ['not yet', jwt({ ...CLAIMS, nbf: NOW + 100 }, EC.privateKey, 'ES256'), /token not yet valid/],
    ['from the future', jwt({ ...CLAIMS, iat: NOW + 100 }, EC.privateKey, 'ES256'), /issued in the future/],
    ['audience', jwt({ ...CLAIMS, aud: 'x' }, EC.privateKey, 'ES256'), /audience claim does not match/],
    ['subject', jwt({ ...CLAIMS, sub: 'x' }, EC.privateKey, 'ES256'), /invalid subject/],
    ['issuer', jwt({ ...CLAIMS, iss: 'x' }, EC.privateKey, 'ES256'), /invalid issuer/],
    ['algorithm none', `${base64url({ alg: 'none' })}.${base64url(CLAIMS)}.`, /unexpected signature algorithm/],
    ['public key as HMAC secret', hmacToken(), /unexpected signature algorithm/],
    [
      'ES256 under an RSA header',
      jwt(CLAIMS, EC.privateKey, 'ES256').replace(/^[^.]+/, base64url({ alg: 'RS256' })),
      /no known key/,
    ],
    ['two parts', 'a.b', /three parts/],
  ]
  for (const [what, token, text] of refusals) {
    const { status, json } = await login(served, 'jwt', token)
    assert.equal(status, 400, what)
    assert.match(json.errors[0], text, what)
  }
  await clock.advance(600_000 + 61_000)
  assert.match((await login(served, 'jwt', jwt(CLAIMS, EC.privateKey, 'ES256'))).json.errors[0], /token is expired/)
})

function hmacToken(): string {
  const signed = `${base64url({ alg: 'HS256' })}.${base64url(CLAIMS)}`
  return `${signed}.${createHmac('sha256', pem(EC.publicKey)).update(signed).digest('base64url')}`
}

const ACCOUNT = {
  iss: 'https://kubernetes.default.svc',
  sub: 'system:serviceaccount:pay:signer',
  aud: ['https://kubernetes.default.svc'],
  iat: NOW,
  nbf: NOW,
  exp: NOW + 600,
  'kubernetes.io': { namespace: 'pay', serviceaccount: { name: 'signer', uid: 'u-1' } },
}
const inNamespace = (namespace: string, name = 'signer'): object => ({
  ...ACCOUNT,
  'kubernetes.io': { namespace, serviceaccount: { name, uid: 'u-2' } },
})

test('Vault face: Kubernetes login binds service account, namespace and audience', async () => {
  const roles = [
    { name: 'r', serviceAccounts: ['signer'], namespaces: ['pay'], policies: ['sign'], ttl: 60 },
    { name: 'strict', serviceAccounts: ['sig*'], namespaces: ['*'], audience: 'vault', policies: ['sign'] },
  ]
  const served = await serve(
    { seed: { version: 1, kubernetes: { publicKeys: [pem(EC.publicKey)], roles } } },
    { clock: virtualClock() },
  )
  const good = await login(served, 'kubernetes', jwt(ACCOUNT, EC.privateKey, 'ES256'))
  assert.equal(good.json.auth.metadata.service_account_name, 'signer')
  assert.equal(good.json.auth.lease_duration, 60)
  const bound = jwt({ ...ACCOUNT, aud: ['vault'] }, EC.privateKey, 'ES256')
  assert.equal((await login(served, 'kubernetes', bound, 'strict')).status, 200)
  const refusals: [string, string, string, RegExp][] = [
    ['r', 'another namespace', jwt(inNamespace('x'), EC.privateKey, 'ES256'), /namespace not authorized/],
    [
      'r',
      'another account',
      jwt(inNamespace('pay', 'x'), EC.privateKey, 'ES256'),
      /service account name not authorized/,
    ],
    ['r', 'another key', jwt(ACCOUNT, OTHER.privateKey, 'ES256'), /permission denied/],
    ['r', 'expired', jwt({ ...ACCOUNT, exp: NOW - 100 }, EC.privateKey, 'ES256'), /token is expired/],
    ['strict', 'audience', jwt(ACCOUNT, EC.privateKey, 'ES256'), /invalid audience/],
  ]
  for (const [role, what, token, text] of refusals) {
    const { status, json } = await login(served, 'kubernetes', token, role)
    assert.equal(status, 403, what)
    assert.match(json.errors[0], text, what)
  }
  const nobody = await login(served, 'kubernetes', jwt(ACCOUNT, EC.privateKey, 'ES256'), 'nobody')
  assert.deepEqual([nobody.status, nobody.json], [400, { errors: ['invalid role name "nobody"'] }])
})

test('Vault face: tokens end with their time, renew to their limit, and take their children along', async () => {
  const clock = virtualClock()
  const { call } = await serve(
    {
      seed: {
        ...TRANSIT,
        policies: [{ name: 'make', policy: 'path "auth/token/create" { capabilities = ["update"] }' }],
      },
    },
    { clock },
  )
  const made = await call('POST', 'auth/token/create', { policies: ['make'], ttl: '1h', explicit_max_ttl: '2h' })
  const parent = { 'x-vault-token': made.json.auth.client_token as string }
  const child = await call('POST', 'auth/token/create', { policies: ['default'] }, parent)
  const childToken = { 'x-vault-token': child.json.auth.client_token as string }
  await clock.advance(30 * 60_000)
  assert.equal((await call('GET', 'auth/token/lookup-self', undefined, parent)).json.data.ttl, 1800)
  assert.equal((await call('POST', 'auth/token/renew-self', {}, parent)).json.auth.lease_duration, 3600)
  await clock.advance(45 * 60_000)
  const capped = await call('POST', 'auth/token/renew-self', { increment: '5h' }, parent)
  assert.equal(capped.json.auth.lease_duration, 2700)
  assert.match(capped.json.warnings[0], /exceeded the effective max_ttl of "2h"/)
  await clock.advance(44 * 60_000)
  assert.equal((await call('GET', 'auth/token/lookup-self', undefined, parent)).status, 200)
  await clock.advance(2 * 60_000)
  assert.equal((await call('GET', 'auth/token/lookup-self', undefined, parent)).status, 403)
  assert.equal((await call('GET', 'auth/token/lookup-self', undefined, childToken)).status, 403)
})

test('Vault face: AppRole secrets are counted and end; periodic tokens go on for ever; batch tokens cannot be renewed', async () => {
  const clock = virtualClock()
  const { call } = await serve(
    {
      seed: {
        version: 1,
        approle: [
          {
            name: 'api',
            roleId: 'api-role',
            secretIds: [
              { id: 's1', numUses: 2 },
              { id: 's2', ttl: 60 },
            ],
            period: 600,
          },
          { name: 'job', roleId: 'job-role', secretIds: [{ id: 's3' }], tokenType: 'batch', ttl: 300 },
        ],
      },
    },
    { clock },
  )
  const logIn = (role_id: string, secret_id: string) =>
    call('POST', 'auth/approle/login', { role_id, secret_id }, { 'x-vault-token': '' })
  const first = await logIn('api-role', 's1')
  assert.equal((await logIn('api-role', 's1')).status, 200)
  const refused = await logIn('api-role', 's1')
  assert.deepEqual([refused.status, refused.json], [400, { errors: ['invalid role or secret ID'] }])
  assert.equal((await logIn('api-role', 's2')).status, 200)
  await clock.advance(61_000)
  assert.equal((await logIn('api-role', 's2')).status, 400)
  const own = { 'x-vault-token': first.json.auth.client_token as string }
  for (let i = 0; i < 50; i++) {
    await clock.advance(500_000)
    assert.equal((await call('POST', 'auth/token/renew-self', {}, own)).json.auth.lease_duration, 600)
  }
  const batch = await logIn('job-role', 's3')
  const batchToken = { 'x-vault-token': batch.json.auth.client_token as string }
  assert.match(batchToken['x-vault-token'], /^b\./)
  assert.deepEqual((await call('POST', 'auth/token/renew-self', {}, batchToken)).json.errors, [
    'batch tokens cannot be renewed',
  ])
  await clock.advance(301_000)
  assert.equal((await call('GET', 'auth/token/lookup-self', undefined, batchToken)).status, 403)
})

test('Vault face: a token of three uses serves three requests, whatever becomes of them', async () => {
  const { call } = await serve({
    seed: { version: 1, keys: [KEY], policies: [POLICY], tokens: [{ id: 'thrice', policies: ['sign'], numUses: 3 }] },
  })
  const own = { 'x-vault-token': 'thrice' }
  assert.equal((await call('GET', 'transit/keys/k', undefined, own)).status, 403)
  assert.equal((await call('POST', 'transit/sign/k', { input: '' }, own)).status, 200)
  assert.equal((await call('POST', 'transit/sign/k', { input: '' }, own)).status, 200)
  const last = await call('POST', 'transit/sign/k', { input: '' }, own)
  assert.deepEqual([last.status, last.json], [403, { errors: ['permission denied'] }])
})

test('Vault face: namespaces keep keys, policies and tokens apart', async () => {
  const { call } = await serve({
    seed: {
      version: 1,
      namespaces: ['team', 'team/sub'],
      keys: [
        { ...KEY, namespace: 'team' },
        { ...KEY, namespace: 'team/sub' },
      ],
      policies: [{ ...POLICY, namespace: 'team' }],
      tokens: [{ id: 'insider', policies: ['sign'], namespace: 'team' }],
    },
  })
  const sign = (path: string, headers: Record<string, string>) => call('POST', path, { input: '' }, headers)
  const inside = await sign('transit/sign/k', { 'x-vault-token': 'insider', 'x-vault-namespace': 'team' })
  assert.equal(inside.status, 200)
  assert.equal((await sign('team/transit/sign/k', { 'x-vault-token': 'insider' })).status, 200)
  assert.equal((await sign('transit/sign/k', { 'x-vault-token': 'insider' })).status, 403)
  assert.equal(
    (await sign('transit/sign/k', { 'x-vault-token': 'insider', 'x-vault-namespace': 'team/sub' })).status,
    403,
  )
  assert.equal((await sign('transit/sign/k', { 'x-vault-namespace': 'team/sub' })).status, 200)
  assert.notEqual(
    (await sign('transit/sign/k', { 'x-vault-namespace': 'team/sub' })).json.data.signature,
    inside.json.data.signature,
  )
  const unknown = await sign('transit/sign/k', { 'x-vault-namespace': 'elsewhere' })
  assert.deepEqual([unknown.status, unknown.json], [404, { errors: ['namespace not found'] }])
})
