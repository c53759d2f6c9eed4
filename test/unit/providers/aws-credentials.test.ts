/** Where credentials come from, end to end: the provider, AWS's own credential code, and an STS that checks everything. */
import assert from 'node:assert/strict'
import { createSign, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { type LocalKms, type LocalKmsOptions, startLocalKms, virtualClock } from '../../../local-kms/index.ts'
import type { AwsKmsConfig } from '../../../providers/aws-kms/config.ts'
import { create } from '../../../providers/aws-kms/index.ts'
import { Secret } from '../../../src/domain/secret.ts'
import type { ProviderWorld } from '../../../providers/world.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'

const ACCOUNT = '000000000000'
const KEY = `arn:aws:kms:us-east-1:${ACCOUNT}:key/11111111-1111-4111-8111-111111111111`
const SIGNER = `arn:aws:iam::${ACCOUNT}:role/signer`
const POD = `arn:aws:iam::${ACCOUNT}:role/pod`
const ISSUER = 'https://oidc.example/id/1'
const SUBJECT = 'system:serviceaccount:payments:countersign'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one' }

const folder = mkdtempSync(join(tmpdir(), 'aws-credentials-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const tokenFile = join(folder, 'token')

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A token as a cluster's issuer writes it. */
function writeToken(claims: object = {}, header: object = {}): string {
  const now = Math.floor(clock.now() / 1000)
  const all = { iss: ISSUER, sub: SUBJECT, aud: ['sts.amazonaws.com'], exp: now + 600, iat: now, ...claims }
  const signed = `${base64url({ alg: 'RS256', kid: 'one', ...header })}.${base64url(all)}`
  const token = `${signed}.${createSign('sha256').update(signed).sign(privateKey).toString('base64url')}`
  writeFileSync(tokenFile, token)
  return token
}

const clock = virtualClock(Date.now())
const allow = [{ actions: ['kms:Sign', 'kms:GetPublicKey'], resources: [KEY] }]
const seed = () => ({
  version: 1,
  credentials: [
    { accessKeyId: 'AKIDOPERATOR', secretAccessKey: 'canary-operator', allow: [{ actions: ['sts:AssumeRole'] }] },
  ],
  roles: [
    { arn: SIGNER, allow, trust: { externalId: 'payments' } },
    {
      arn: POD,
      allow,
      trust: {
        principals: [],
        webIdentity: [
          { issuer: ISSUER, audience: 'sts.amazonaws.com', subject: 'system:serviceaccount:payments:*', jwks: [jwk] },
        ],
      },
    },
  ],
  keys: [{ arn: KEY, spec: 'ECC_NIST_EDWARDS25519' }],
})

const NAMES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_PROFILE',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_ROLE_ARN',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_ROLE_SESSION_NAME',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_STS',
  'AWS_EC2_METADATA_DISABLED',
]
const kept = new Map(NAMES.map(name => [name, process.env[name]]))
const bare = () => {
  for (const name of NAMES) delete process.env[name]
  Object.assign(process.env, {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    // Nobody may be sent there.
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9',
  })
}
before(bare)
afterEach(bare)
after(() => {
  for (const [name, value] of kept) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
})

async function begin(options: LocalKmsOptions = {}): Promise<LocalKms> {
  const kms = await startLocalKms({ sigv4: 'lenient', clock, seed: seed() as never, ...options })
  after(() => kms.close())
  return kms
}

/** Requests on the wire. */
const wire = { underway: 0 }
/** A renewal that a call has started is over: hours pass at once here, and must not pass in the middle of it. */
async function renewed(): Promise<void> {
  for (let turn = 0; turn < 20 || wire.underway > 0; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** The provider's clock is the emulator's, so that hours pass at once. */
const world = (environment: ProviderWorld['environment'] = 'development'): ProviderWorld => {
  const real = providerWorld(environment, async (input, init) => {
    wire.underway++
    try {
      return await fetch(input, init)
    } finally {
      wire.underway--
    }
  })
  return { ...real, clock: { ...real.clock, now: () => clock.now() } }
}

const statics = () => ({
  accessKeyId: new Secret('AKIDOPERATOR', 'id'),
  secretAccessKey: new Secret('canary-operator', 'secret'),
})

async function open(kms: LocalKms, more: Partial<AwsKmsConfig>, environment?: ProviderWorld['environment']) {
  const endpoints = { endpoint: kms.aws, stsEndpoint: kms.aws }
  const provider = await create({ kind: 'aws-kms', region: 'us-east-1', ...endpoints, ...more }, world(environment))
  after(() => provider.close())
  return provider
}

const message = new TextEncoder().encode('hello')
const sign = (provider: Awaited<ReturnType<typeof open>>) => provider.sign(KEY, { scheme: 'ed25519', message }, call())

const who = (kms: LocalKms) => kms.audit().findLast(({ eventName }) => eventName === 'Sign')?.userIdentity['arn']

test('M-02 a role assumed with static keys: one STS request for many calls, in the Region that is configured', async () => {
  const kms = await begin()
  const provider = await open(kms, { ...statics(), roleArn: SIGNER, externalId: 'payments', roleSessionName: 'pay-1' })
  await Promise.all(Array.from({ length: 20 }, () => sign(provider)))
  assert.equal(kms.calls()['AssumeRole'], 1)
  assert.equal(kms.calls()['Sign'], 20)
  assert.equal(who(kms), `arn:aws:sts::${ACCOUNT}:assumed-role/signer/pay-1`)
  assert.equal(
    kms.audit().find(({ eventName }) => eventName === 'AssumeRole')?.requestParameters?.['externalId'],
    'payments',
  )
})

test('a session is renewed ahead of its end without a call failing or waiting, hour after hour', async () => {
  const kms = await begin()
  const provider = await open(kms, { ...statics(), roleArn: SIGNER, externalId: 'payments' })
  await sign(provider)
  for (let minute = 0; minute < 150; minute += 3) {
    await clock.advance(3 * 60_000)
    await sign(provider)
    await renewed()
  }
  assert.equal(kms.calls()['AssumeRole'], 3)
})

test('R-14 a session that ends in mid-flight: nothing was signed, the next try has another', async () => {
  const kms = await begin()
  const provider = await open(kms, { ...statics(), roleArn: SIGNER, externalId: 'payments' })
  await sign(provider)
  kms.addFaults({ operation: 'Sign', fault: { kind: 'error', name: 'ExpiredTokenException' } })
  // So fresh a session cannot have ended: new ones would fare no better, so this is no matter for another try.
  await refusal(sign(provider), 'provider/refused', ['canary-operator'])
  await clock.advance(10 * 60_000)
  kms.addFaults({ operation: 'Sign', times: 2, fault: { kind: 'error', name: 'ExpiredTokenException' } })
  const both = await Promise.all([
    refusal(sign(provider), 'provider/unavailable', ['canary-operator']),
    refusal(sign(provider), 'provider/unavailable', ['canary-operator']),
  ])
  assert.match((both[0].detail as { reason: string }).reason, /session had expired .* the next try has a new one/)
  await sign(provider)
  assert.equal(kms.calls()['AssumeRole'], 2)
})

test('what is wrong with a role is said in our words, and no secret is', async () => {
  const kms = await begin()
  const reason = async (more: Partial<AwsKmsConfig>, code: 'provider/refused' | 'provider/unavailable') => {
    const error = await refusal(sign(await open(kms, more)), code, ['canary-operator'], [ACCOUNT])
    return (error.detail as { reason: string }).reason
  }
  assert.match(await reason({ ...statics(), roleArn: SIGNER }, 'provider/refused'), /external id/)
  const stranger = { accessKeyId: new Secret('AKIDOPERATOR', 'id'), secretAccessKey: new Secret('wrong', 'secret') }
  assert.match(
    await reason({ ...stranger, roleArn: SIGNER, externalId: 'payments' }, 'provider/refused'),
    /does not accept the credentials that were to become the role/,
  )
  kms.addFaults({ operation: 'AssumeRole', fault: { kind: 'truncate' } })
  assert.match(
    await reason({ ...statics(), roleArn: SIGNER, externalId: 'payments' }, 'provider/unavailable'),
    /AWS STS gave no answer in time/,
  )
  const gone = await begin()
  await gone.close()
  const closed = await open(kms, { ...statics(), roleArn: SIGNER, stsEndpoint: gone.aws })
  const error = await refusal(sign(closed), 'provider/unavailable', ['canary-operator'])
  assert.match((error.detail as { reason: string }).reason, /AWS STS cannot be reached/)
})

test('R-14 STS may lie: a redirect, a huge answer, a broken one. No request to sign is made', async () => {
  const kms = await begin()
  const role = { ...statics(), roleArn: SIGNER, externalId: 'payments' }
  kms.addFaults({ operation: 'AssumeRole', fault: { kind: 'redirect', location: 'http://127.0.0.1:9/' } })
  await refusal(sign(await open(kms, role)), 'provider/malformed', ['canary-operator'])
  kms.addFaults({ operation: 'AssumeRole', fault: { kind: 'status', status: 200, body: 'x'.repeat(70_000) } })
  await refusal(sign(await open(kms, role)), 'provider/malformed', ['canary-operator'])
  for (const body of ['', '<a>', '<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>']) {
    kms.addFaults({ operation: 'AssumeRole', fault: { kind: 'status', status: 200, body } })
    await assert.rejects(sign(await open(kms, role)), (error: { code?: string }) =>
      ['provider/malformed', 'provider/unavailable'].includes(error.code ?? ''),
    )
  }
  assert.equal(kms.calls()['Sign'], undefined)
})

test('a web identity by configuration: the file is read again at every renewal', async () => {
  const kms = await begin()
  writeToken()
  const provider = await open(kms, { roleArn: POD, webIdentityTokenFile: tokenFile })
  await sign(provider)
  assert.equal(who(kms), `arn:aws:sts::${ACCOUNT}:assumed-role/pod/countersign`)
  await clock.advance(57 * 60_000)
  writeToken()
  await sign(provider) // starts the renewal
  await renewed()
  await clock.advance(4 * 60_000)
  await sign(provider)
  assert.equal(kms.calls()['AssumeRoleWithWebIdentity'], 2)
  const trail = JSON.stringify(kms.audit())
  assert.ok(!trail.includes(writeToken().slice(0, 200)))
})

test('a web identity that does not hold: expired, of another audience, subject, issuer or key, no file', async () => {
  const kms = await begin()
  const reason = async (file = tokenFile) => {
    const provider = await open(kms, { roleArn: POD, webIdentityTokenFile: file })
    const error = await refusal(sign(provider), 'provider/refused', [], [ACCOUNT, folder])
    return (error.detail as { reason: string }).reason
  }
  writeToken({ exp: Math.floor(clock.now() / 1000) - 1 })
  assert.match(await reason(), /web identity token has expired/)
  writeToken({ aud: 'https://elsewhere.example' })
  assert.match(await reason(), /is for another audience than the configuration says/)
  for (const claims of [{ iss: 'https://other.example' }, { exp: 'soon' }]) {
    writeToken(claims)
    assert.match(await reason(), /does not accept the web identity token/, JSON.stringify(claims))
  }
  writeToken({ nbf: Math.floor(clock.now() / 1000) + 60 })
  assert.match(await reason(), /does not accept the web identity token/)
  for (const header of [{ alg: 'none' }, { alg: 'HS256' }, { kid: 'two' }]) {
    writeToken({}, header)
    assert.match(await reason(), /does not accept the web identity token/, JSON.stringify(header))
  }
  const [head, body, signature] = writeToken().split('.')
  writeFileSync(tokenFile, `${head}.${body}.${(signature ?? '').slice(0, -8)}AAAAAAAA`)
  assert.match(await reason(), /does not accept the web identity token/)
  for (const text of ['no token', 'a.b.c', `${head}.${body}`]) {
    writeFileSync(tokenFile, text)
    assert.match(await reason(), /is no JWT in one spelling/, text)
  }
  writeToken({ sub: 'system:serviceaccount:other:countersign' })
  assert.match(await reason(), /does not let us become the role/)
  assert.match(await reason(join(folder, 'absent')), /file that credentials come from cannot be read/)
  assert.equal(kms.calls()['Sign'], undefined)
})

test('the default chain: environment, profile, a profile with a role, web identity of the platform', async () => {
  const kms = await begin()
  writeFileSync(
    join(folder, 'config'),
    [
      '[default]',
      'region = eu-north-1',
      '[profile signer]',
      `role_arn = ${SIGNER}`,
      'source_profile = operator',
      'external_id = payments',
      'role_session_name = by-profile',
    ].join('\n'),
  )
  writeFileSync(
    join(folder, 'credentials'),
    '[operator]\naws_access_key_id = AKIDOPERATOR\naws_secret_access_key = canary-operator\n',
  )
  // In production a loopback endpoint gets what the chain finds; elsewhere it would get dummy credentials.
  await sign(await open(kms, { profile: 'signer' }))
  assert.equal(who(kms), `arn:aws:sts::${ACCOUNT}:assumed-role/signer/by-profile`)

  await sign(await open(kms, { profile: 'operator', roleArn: SIGNER, externalId: 'payments' }))
  assert.equal(who(kms), `arn:aws:sts::${ACCOUNT}:assumed-role/signer/countersign`)

  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIDOPERATOR', AWS_SECRET_ACCESS_KEY: 'canary-operator' })
  await refusal(sign(await open(kms, {}, 'production')), 'provider/refused', ['canary-operator']) // may assume, not sign
  assert.equal(who(kms), `arn:aws:iam::${ACCOUNT}:user/AKIDOPERATOR`)
  await sign(await open(kms, { roleArn: SIGNER, externalId: 'payments', roleSessionName: 'by-env' }, 'production'))
  assert.equal(who(kms), `arn:aws:sts::${ACCOUNT}:assumed-role/signer/by-env`)

  bare()
  writeToken()
  Object.assign(process.env, {
    AWS_ROLE_ARN: POD,
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ROLE_SESSION_NAME: 'by-platform',
  })
  const pod = await open(kms, {}, 'production')
  await Promise.all([sign(pod), sign(pod), sign(pod)])
  assert.equal(who(kms), `arn:aws:sts::${ACCOUNT}:assumed-role/pod/by-platform`)
  assert.equal(kms.calls()['AssumeRoleWithWebIdentity'], 1)
})

test('no credentials anywhere: which sources were looked at is said, and nothing is sent', async () => {
  const kms = await begin()
  const error = await refusal(sign(await open(kms, {}, 'production')), 'provider/unavailable', [folder])
  assert.match(
    (error.detail as { reason: string }).reason,
    /looked at environment, shared files, SSO, process, web identity, container and instance metadata/,
  )
  assert.deepEqual(kms.calls(), {})
})

test('T51 neither FIPS nor dual-stack nor STS endpoints come from the environment; the SDK chooses those of the Region', async () => {
  const hosts: string[] = []
  const asked = async (more: Partial<AwsKmsConfig>) => {
    hosts.length = 0
    const fetch = async (url: string) => {
      hosts.push(new URL(url).host)
      return new Response('{"__type":"DisabledException"}', {
        status: 400,
        headers: { 'content-type': 'application/x-amz-json-1.1' },
      })
    }
    const real = world('production')
    const config: AwsKmsConfig = { kind: 'aws-kms', region: 'us-west-2', ...statics(), ...more }
    const provider = await create(config, { ...real, fetch })
    await assert.rejects(sign(provider))
    await provider.close()
    return hosts[0]
  }
  assert.equal(await asked({}), 'kms.us-west-2.amazonaws.com')
  assert.equal(await asked({ fips: true }), 'kms-fips.us-west-2.amazonaws.com')
  assert.equal(await asked({ dualstack: true }), 'kms.us-west-2.api.aws')
  assert.equal(await asked({ fips: true, dualstack: true }), 'kms-fips.us-west-2.api.aws')
  assert.equal(await asked({ roleArn: SIGNER }), 'sts.us-west-2.amazonaws.com')
  assert.equal(await asked({ roleArn: SIGNER, region: 'us-east-1' }), 'sts.us-east-1.amazonaws.com')
  assert.equal(await asked({ roleArn: SIGNER, fips: true }), 'sts-fips.us-west-2.amazonaws.com')
  const vpce = 'https://vpce-1.sts.us-west-2.vpce.amazonaws.com'
  assert.equal(await asked({ roleArn: SIGNER, stsEndpoint: vpce }), new URL(vpce).host)
  assert.equal(await asked({ roleArn: SIGNER, stsEndpoint: vpce, fips: true }), new URL(vpce).host)
})
