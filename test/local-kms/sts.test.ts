/** STS beside AWS KMS, asked by AWS's own client: who one is, sessions of roles, and what those sessions may do. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { DecryptCommand, EncryptCommand, GetPublicKeyCommand, SignCommand } from '@aws-sdk/client-kms'
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
  type STSClientConfig,
} from '@aws-sdk/client-sts'
import { type LocalKms, type LocalKmsOptions, startLocalKms, virtualClock } from '../../local-kms/index.ts'
import { bytes, clientOf, failure } from './support.ts'

const ACCOUNT = '000000000000'
const KEY = `arn:aws:kms:us-east-1:${ACCOUNT}:key/11111111-1111-4111-8111-111111111111`
const WRAPPING = `arn:aws:kms:us-east-1:${ACCOUNT}:key/33333333-3333-4333-8333-333333333333`
const SIGNER = `arn:aws:iam::${ACCOUNT}:role/pay/signer`
const OPERATOR = { accessKeyId: 'operator', secretAccessKey: 'operator-secret' }
const GUEST = { accessKeyId: 'guest', secretAccessKey: 'guest-secret' }

const SEED = {
  version: 1,
  credentials: [
    OPERATOR,
    {
      ...GUEST,
      principalArn: `arn:aws:iam::${ACCOUNT}:user/guest`,
      allow: [{ actions: ['kms:*'] }],
    },
  ],
  roles: [
    {
      arn: SIGNER,
      trust: { principals: [`arn:aws:iam::${ACCOUNT}:user/operator`], externalId: 'payments' },
      maxSessionSeconds: 7_200,
      allow: [
        {
          actions: ['kms:Sign'],
          resources: [KEY],
          conditions: { StringEquals: { 'kms:SigningAlgorithm': 'ED25519_SHA_512', 'kms:MessageType': 'RAW' } },
        },
        { actions: ['kms:GetPublicKey'], resources: [KEY] },
        { actions: ['sts:AssumeRole'], resources: [`arn:aws:iam::${ACCOUNT}:role/second`] },
      ],
    },
    { arn: `arn:aws:iam::${ACCOUNT}:role/second`, maxSessionSeconds: 43_200 },
    { arn: `arn:aws:iam::${ACCOUNT}:role/broad`, deny: [{ actions: ['kms:Encrypt'] }] },
  ],
  keys: [
    { arn: KEY, spec: 'ECC_NIST_EDWARDS25519' },
    { arn: WRAPPING, spec: 'SYMMETRIC_DEFAULT' },
  ],
} as const

const clock = virtualClock(Date.now())

async function begin(options: LocalKmsOptions = {}) {
  const kms = await startLocalKms({ sigv4: 'strict', clock, seed: structuredClone(SEED) as never, ...options })
  after(() => kms.close())
  return kms
}

function sts(kms: LocalKms, config: STSClientConfig = {}): STSClient {
  const client = new STSClient({
    endpoint: kms.aws,
    region: kms.region,
    credentials: { ...OPERATOR }, // the SDK writes into what it is given
    maxAttempts: 1,
    systemClockOffset: clock.now() - Date.now(),
    ...config,
  })
  after(() => client.destroy())
  return client
}

/** KMS as the holder of what AssumeRole gave. */
function kmsAs(
  kms: LocalKms,
  given: { AccessKeyId: string | undefined; SecretAccessKey: string | undefined; SessionToken: string | undefined },
  over: { sessionToken?: string } = {},
) {
  const client = clientOf(kms, {
    credentials: {
      accessKeyId: given.AccessKeyId!,
      secretAccessKey: given.SecretAccessKey!,
      sessionToken: given.SessionToken!,
      ...over,
    },
    systemClockOffset: clock.now() - Date.now(),
  })
  after(() => client.destroy())
  return client
}

const request = (more: Partial<AssumeRoleCommandInput> = {}): AssumeRoleCommandInput => ({
  RoleArn: SIGNER,
  RoleSessionName: 'countersign',
  ExternalId: 'payments',
  ...more,
})
const sign = (more: object = {}) =>
  new SignCommand({ KeyId: KEY, Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512', ...more })

test('GetCallerIdentity tells users and sessions apart and needs no right', async () => {
  const kms = await begin()
  const user = await sts(kms).send(new GetCallerIdentityCommand({}))
  assert.equal(user.Arn, `arn:aws:iam::${ACCOUNT}:user/operator`)
  assert.equal(user.Account, ACCOUNT)
  assert.match(user.UserId ?? '', /^AIDA[A-Z2-7]{17}$/)
  const { Credentials, AssumedRoleUser } = await sts(kms).send(new AssumeRoleCommand(request()))
  const credentials = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  }
  const session = await sts(kms, { credentials }).send(new GetCallerIdentityCommand({}))
  assert.equal(session.Arn, `arn:aws:sts::${ACCOUNT}:assumed-role/signer/countersign`)
  assert.equal(AssumedRoleUser?.Arn, session.Arn)
  assert.equal(AssumedRoleUser?.AssumedRoleId, session.UserId)
  assert.match(session.UserId ?? '', /^AROA[A-Z2-7]{17}:countersign$/)
})

test('M-72 a session may do what its role may, in the words of the service, and needs its token', async () => {
  const kms = await begin()
  const { Credentials } = await sts(kms).send(new AssumeRoleCommand(request()))
  assert.equal(Credentials!.Expiration!.getTime(), Math.floor(clock.now() / 1000 + 3_600) * 1000)
  const client = kmsAs(kms, Credentials!)
  assert.equal((await client.send(sign())).Signature?.length, 64)
  await client.send(new GetPublicKeyCommand({ KeyId: KEY }))
  const who = `User: arn:aws:sts::${ACCOUNT}:assumed-role/signer/countersign is not authorized to perform: `
  const ph = sign({ SigningAlgorithm: 'ED25519_PH_SHA_512', MessageType: 'DIGEST', Message: new Uint8Array(64) })
  assert.deepEqual(await failure(client.send(ph)), {
    name: 'AccessDeniedException',
    message: `${who}kms:Sign on resource: ${KEY} because no identity-based policy allows the kms:Sign action`,
    status: 400,
  })
  assert.equal(
    (await failure(client.send(new EncryptCommand({ KeyId: WRAPPING, Plaintext: bytes('x') })))).message,
    `${who}kms:Encrypt on resource: ${WRAPPING} because no identity-based policy allows the kms:Encrypt action`,
  )
  for (const sessionToken of ['', 'bm90IHRoZSB0b2tlbg==']) {
    assert.equal(
      (await failure(kmsAs(kms, Credentials!, { sessionToken }).send(sign()))).name,
      'UnrecognizedClientException',
    )
  }
})

test('an explicit deny outranks a role that may do everything', async () => {
  const kms = await begin()
  const { Credentials } = await sts(kms).send(
    new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${ACCOUNT}:role/broad`, RoleSessionName: 'import' }),
  )
  const client = kmsAs(kms, Credentials!)
  assert.equal((await client.send(sign())).Signature?.length, 64)
  assert.equal(
    (await failure(client.send(new EncryptCommand({ KeyId: WRAPPING, Plaintext: bytes('x') })))).message,
    `User: arn:aws:sts::${ACCOUNT}:assumed-role/broad/import is not authorized to perform: kms:Encrypt on resource: ` +
      `${WRAPPING} with an explicit deny in an identity-based policy`,
  )
})

test('a session policy narrows the role and cannot widen it', async () => {
  const kms = await begin()
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: ['kms:GetPublicKey', 'kms:Decrypt'], Resource: '*' }],
  })
  const { Credentials } = await sts(kms).send(new AssumeRoleCommand(request({ Policy })))
  const client = kmsAs(kms, Credentials!)
  await client.send(new GetPublicKeyCommand({ KeyId: KEY }))
  assert.match((await failure(client.send(sign()))).message, /because no session policy allows the kms:Sign action$/)
  const decrypt = new DecryptCommand({ KeyId: WRAPPING, DryRun: true, DryRunModifiers: ['IGNORE_CIPHERTEXT'] })
  assert.match((await failure(client.send(decrypt))).message, /because no identity-based policy allows/)
  const bad = await failure(sts(kms).send(new AssumeRoleCommand(request({ Policy: '{"Statement":1}' }))))
  assert.equal(bad.name, 'MalformedPolicyDocumentException')
})

test('expired sessions and expired tokens are told apart from unknown ones', async () => {
  const kms = await begin()
  const { Credentials } = await sts(kms).send(new AssumeRoleCommand(request({ DurationSeconds: 900 })))
  const client = kmsAs(kms, Credentials!)
  await client.send(sign())
  await clock.advance(901_000)
  const late = kmsAs(kms, Credentials!)
  assert.deepEqual(await failure(late.send(sign())), {
    name: 'ExpiredTokenException',
    message: 'The security token included in the request is expired',
    status: 400,
  })
  const credentials = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  }
  const asked = await failure(sts(kms, { credentials }).send(new GetCallerIdentityCommand({})))
  assert.deepEqual([asked.name, asked.status], ['ExpiredToken', 403])
})

test('who may not become a role is told so, and nothing more', async () => {
  const kms = await begin()
  const denied = async (config: STSClientConfig, input: AssumeRoleCommandInput, who: string) =>
    assert.deepEqual(await failure(sts(kms, config).send(new AssumeRoleCommand(input))), {
      name: 'AccessDenied',
      message: `User: ${who} is not authorized to perform: sts:AssumeRole on resource: ${input.RoleArn}`,
      status: 403,
    })
  const operator = `arn:aws:iam::${ACCOUNT}:user/operator`
  await denied({}, request({ ExternalId: 'another' }), operator)
  await denied({}, request({ ExternalId: undefined }), operator)
  await denied({}, request({ RoleArn: `arn:aws:iam::${ACCOUNT}:role/nobody` }), operator)
  await denied({ credentials: { ...GUEST } }, request(), `arn:aws:iam::${ACCOUNT}:user/guest`)
})

test('a role from a role: with the right to, and for an hour at most', async () => {
  const kms = await begin()
  const { Credentials } = await sts(kms).send(new AssumeRoleCommand(request()))
  const credentials = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  }
  const chained = sts(kms, { credentials })
  const second = { RoleArn: `arn:aws:iam::${ACCOUNT}:role/second`, RoleSessionName: 'two' }
  assert.ok((await chained.send(new AssumeRoleCommand(second))).Credentials)
  const long = await failure(chained.send(new AssumeRoleCommand({ ...second, DurationSeconds: 7_200 })))
  assert.match(long.message, /exceeds the 1 hour session limit for roles assumed by role chaining$/)
  const broad = { RoleArn: `arn:aws:iam::${ACCOUNT}:role/broad`, RoleSessionName: 'no' }
  assert.equal((await failure(chained.send(new AssumeRoleCommand(broad)))).name, 'AccessDenied')
})

test('members are held to the limits of the service', async () => {
  const kms = await begin()
  const refused = async (more: Partial<AssumeRoleCommandInput>) =>
    failure(sts(kms).send(new AssumeRoleCommand(request(more))))
  assert.deepEqual(await refused({ RoleSessionName: 'a b' }), {
    name: 'ValidationError',
    message:
      "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: " +
      'Member must satisfy regular expression pattern: ^[\\w+=,.@-]*$',
    status: 400,
  })
  assert.match((await refused({ DurationSeconds: 899 })).message, /greater than or equal to 900$/)
  assert.match((await refused({ DurationSeconds: 7_201 })).message, /exceeds the MaxSessionDuration set for this role/)
  assert.equal(
    (await refused({ RoleArn: 'arn:aws:iam::1:role/short' })).message,
    'arn:aws:iam::1:role/short is invalid',
  )
  assert.match((await refused({ SerialNumber: 'arn:aws:iam::0:mfa/x' })).message, /does not play SerialNumber/)
  assert.match((await refused({ PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/X' }] })).message, /PolicyArns/)
})

test('GetSessionToken gives the same rights for a while, and not to sessions', async () => {
  const kms = await begin()
  const guest = sts(kms, { credentials: { ...GUEST } })
  const { Credentials } = await guest.send(new GetSessionTokenCommand({ DurationSeconds: 900 }))
  assert.equal((await kmsAs(kms, Credentials!).send(sign())).Signature?.length, 64)
  const credentials = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  }
  const again = await failure(sts(kms, { credentials }).send(new GetSessionTokenCommand({})))
  assert.deepEqual([again.name, again.status], ['AccessDenied', 403])
  const role = new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${ACCOUNT}:role/broad`, RoleSessionName: 'no' })
  assert.equal((await failure(sts(kms, { credentials }).send(role))).name, 'AccessDenied')
})

test('SigV4: scope, signature and unknown keys are judged under the names of this service', async () => {
  const kms = await begin()
  const as = async (config: STSClientConfig) => {
    const { name, status } = await failure(sts(kms, config).send(new GetCallerIdentityCommand({})))
    return [name, status]
  }
  assert.deepEqual(await as({ credentials: { accessKeyId: 'operator', secretAccessKey: 'wrong' } }), [
    'SignatureDoesNotMatch',
    403,
  ])
  assert.deepEqual(await as({ credentials: { accessKeyId: 'nobody', secretAccessKey: 'wrong' } }), [
    'InvalidClientTokenId',
    403,
  ])
  assert.deepEqual(await as({ systemClockOffset: clock.now() - Date.now() - 6 * 60_000 }), [
    'SignatureDoesNotMatch',
    403,
  ])
})

test('the wire: form in, XML out, errors in the form of the Query protocol', async () => {
  const kms = await begin({ sigv4: 'off' })
  const post = async (body: string, init: RequestInit = {}) => {
    const type = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
    const response = await fetch(kms.aws, { method: 'POST', headers: type, body, ...init })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const good = await post('Action=GetCallerIdentity&Version=2011-06-15')
  assert.equal(good.headers.get('content-type'), 'text/xml')
  const id = good.headers.get('x-amzn-requestid')
  assert.match(
    good.text,
    /^<GetCallerIdentityResponse xmlns="https:\/\/sts\.amazonaws\.com\/doc\/2011-06-15\/"><GetCallerIdentityResult><UserId>AIDA[A-Z2-7]{17}<\/UserId><Account>000000000000<\/Account><Arn>arn:aws:iam::000000000000:user\/anonymous<\/Arn><\/GetCallerIdentityResult><ResponseMetadata><RequestId>[0-9a-f-]{36}<\/RequestId><\/ResponseMetadata><\/GetCallerIdentityResponse>$/,
  )
  assert.ok(good.text.includes(`<RequestId>${id}</RequestId>`))
  const unknown = await post('Action=Get%3CX%3E&Version=2011-06-15')
  assert.equal(unknown.status, 400)
  assert.ok(
    unknown.text.startsWith(
      '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>' +
        '<Code>InvalidAction</Code><Message>Could not find operation Get&lt;X&gt; for version 2011-06-15</Message></Error>',
    ),
    unknown.text,
  )
  assert.match((await post('Action=GetCallerIdentity')).text, /InvalidAction/)
  assert.match((await post('Action=constructor&Version=2011-06-15')).text, /InvalidAction/)
  const get = await fetch(`${kms.aws}/?Action=GetCallerIdentity&Version=2011-06-15`)
  assert.equal(get.status, 200)
  assert.match(await get.text(), /<Arn>/)
})

test('unsigned requests are refused unless SigV4 is off', async () => {
  for (const sigv4 of ['strict', 'lenient'] as const) {
    const kms = await begin({ sigv4 })
    const response = await fetch(kms.aws, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
    })
    assert.equal(response.status, 403)
    assert.match(await response.text(), /<Code>MissingAuthenticationToken<\/Code>/)
  }
})

test('without roles in the seed any role can be assumed, except under strict', async () => {
  const { roles: _, ...bare } = structuredClone(SEED)
  const anything = { RoleArn: `arn:aws:iam::${ACCOUNT}:role/anything`, RoleSessionName: 'dev' }
  const lenient = await begin({ sigv4: 'lenient', seed: bare as never })
  const { Credentials } = await sts(lenient).send(new AssumeRoleCommand(anything))
  await kmsAs(lenient, Credentials!).send(new EncryptCommand({ KeyId: WRAPPING, Plaintext: bytes('x') }))
  assert.equal(
    (await failure(kmsAs(lenient, Credentials!, { sessionToken: 'bm8=' }).send(sign()))).name,
    'UnrecognizedClientException',
  )
  const strict = await begin({ seed: bare as never })
  assert.equal((await failure(sts(strict).send(new AssumeRoleCommand(anything)))).name, 'AccessDenied')
})

test('calls, trail and faults know this service too; no credential stands in the trail', async () => {
  const kms = await begin({ faults: [{ operation: 'AssumeRole', fault: { kind: 'error', name: 'Throttling' } }] })
  const throttled = await failure(sts(kms).send(new AssumeRoleCommand(request())))
  assert.deepEqual([throttled.name, throttled.status], ['Throttling', 400])
  const { Credentials } = await sts(kms).send(new AssumeRoleCommand(request()))
  assert.equal(kms.calls()['AssumeRole'], 2)
  const record = kms.audit().at(-1)!
  assert.equal(record.eventSource, 'sts.amazonaws.com')
  assert.deepEqual(record.requestParameters, {
    roleArn: SIGNER,
    roleSessionName: 'countersign',
    externalId: 'payments',
  })
  assert.deepEqual(record.resources, [{ accountId: ACCOUNT, type: 'AWS::IAM::Role', ARN: SIGNER }])
  const trail = JSON.stringify(kms.audit())
  for (const secret of [Credentials!.SecretAccessKey!, Credentials!.SessionToken!]) assert.ok(!trail.includes(secret))
  kms.addFaults({ operation: 'AssumeRole', fault: { kind: 'status', status: 503, when: 'after' } })
  assert.equal((await failure(sts(kms).send(new AssumeRoleCommand(request())))).status, 503)
  kms.addFaults({ operation: 'GetCallerIdentity', fault: { kind: 'redirect', location: 'http://127.0.0.1:9/' } })
  assert.equal((await failure(sts(kms).send(new GetCallerIdentityCommand({})))).status, 307)
})

test('reset forgets the sessions', async () => {
  const kms = await begin()
  const { Credentials } = await sts(kms).send(new AssumeRoleCommand(request()))
  kms.reset()
  assert.equal((await failure(kmsAs(kms, Credentials!).send(sign()))).name, 'UnrecognizedClientException')
})
