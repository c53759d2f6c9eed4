import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CreateKeyCommand,
  DescribeKeyCommand,
  GetPublicKeyCommand,
  type KMSClient,
  ListKeysCommand,
  SignCommand,
} from '@aws-sdk/client-kms'
import { authenticate } from '../../local-kms/aws/sigv4.ts'
import { type Credential, virtualClock } from '../../local-kms/index.ts'
import { bytes, clientOf, createKey, failure, raw, start } from './support.ts'

const pair = (accessKeyId: string, secretAccessKey: string, sessionToken?: string) => ({
  credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
})
const list = (client: KMSClient) => client.send(new ListKeysCommand({}))

/** Changes the request after the SDK has signed it. */
function tamper(
  client: KMSClient,
  change: (request: { body: string; headers: Record<string, string> }) => void,
): KMSClient {
  const stack = client.middlewareStack as unknown as { addRelativeTo(handler: unknown, options: object): void }
  stack.addRelativeTo(
    (next: (args: { request: unknown }) => Promise<unknown>) => async (args: { request: unknown }) => {
      change(args.request as { body: string; headers: Record<string, string> })
      return next(args)
    },
    { relation: 'after', toMiddleware: 'httpSigningMiddleware', name: 'tamper' },
  )
  return client
}

// Published with the algorithm ("aws-sig-v4-test-suite"): access key, secret, time and expected signatures
const SUITE: [string, string, string, string, Record<string, string>][] = [
  ['get-vanilla', 'GET', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31', {}],
  ['post-vanilla', 'POST', '/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b', {}],
  [
    'get-vanilla-query-order-key-case',
    'GET',
    '/?Param2=value2&Param1=value1',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    {},
  ],
]
for (const [name, method, target, signature, extra] of SUITE) {
  test(`local-kms SigV4: published vector ${name}`, () => {
    const authorization = (s: string) =>
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${s}`
    const request = (s: string) => ({
      method,
      target,
      headers: {
        host: 'example.amazonaws.com',
        'x-amz-date': '20150830T123600Z',
        authorization: authorization(s),
        ...extra,
      },
      body: new Uint8Array(0),
      remoteAddress: '127.0.0.1',
      freshConnection: false,
    })
    const credentials = [{ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }]
    const options = { mode: 'lenient', credentials, region: 'us-east-1' } as const
    const now = Date.UTC(2015, 7, 30, 12, 36)
    assert.equal(authenticate(request(signature), options, now).accessKeyId, 'AKIDEXAMPLE')
    const wrong = signature.replace(/^./, c => (c === '0' ? '1' : '0'))
    assert.throws(() => authenticate(request(wrong), options, now), { code: 'InvalidSignatureException' })
  })
}

test('local-kms SigV4 off: no signature, any signature', async () => {
  const { kms } = await start()
  assert.equal((await raw(kms, 'ListKeys', {})).status, 200)
  await list(clientOf(kms, pair('whoever', 'whatever')))
})

for (const sigv4 of ['lenient', 'strict'] as const) {
  test(`local-kms SigV4 ${sigv4}: the real SDK passes; wrong secret, tampered body and header do not`, async () => {
    const { kms, client } = await start({ sigv4 })
    const { id } = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
    await client.send(new SignCommand({ KeyId: id, Message: bytes('é'), SigningAlgorithm: 'ED25519_SHA_512' }))
    const wrongSecret = await failure(list(clientOf(kms, pair('test', 'tesT'))))
    assert.equal(wrongSecret.name, 'InvalidSignatureException')
    assert.equal(wrongSecret.status, 400)
    assert.match(
      wrongSecret.message,
      /^The request signature we calculated does not match the signature you provided\./,
    )
    const body = tamper(clientOf(kms), request => void (request.body = '[]'))
    assert.equal((await failure(list(body))).name, 'InvalidSignatureException')
    const target = tamper(clientOf(kms), request => void (request.headers['x-amz-target'] = 'TrentService.CreateKey'))
    assert.equal((await failure(list(target))).name, 'InvalidSignatureException')
    assert.equal(kms.inspect().keys.length, 1)
  })

  test(`local-kms SigV4 ${sigv4}: missing and incomplete authorization have names of their own`, async () => {
    const { kms } = await start({ sigv4 })
    const none = await raw(kms, 'ListKeys', {})
    assert.deepEqual(none.json, {
      __type: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    })
    assert.equal(none.status, 400)
    for (const authorization of [
      'AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00',
      'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms/aws4_request, SignedHeaders=host',
      'AWS4-HMAC-SHA256 Credential=test, SignedHeaders=host, Signature=00',
      'Bearer x',
      'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=00',
    ]) {
      const answer = await raw(kms, 'ListKeys', {}, { authorization })
      assert.deepEqual([answer.status, answer.json['__type']], [400, 'IncompleteSignatureException'], authorization)
      assert.ok(!answer.text.includes('Signature=00'))
    }
  })
}

test('local-kms SigV4: an unknown access key is taken with the configured secret when lenient, refused when strict', async () => {
  const lenient = await start({ sigv4: 'lenient' })
  await list(clientOf(lenient.kms, pair('AKIAOTHER', 'test')))
  assert.equal(
    (await failure(list(clientOf(lenient.kms, pair('AKIAOTHER', 'other'))))).name,
    'InvalidSignatureException',
  )
  const strict = await start({ sigv4: 'strict' })
  assert.deepEqual(await failure(list(clientOf(strict.kms, pair('AKIAOTHER', 'test')))), {
    name: 'UnrecognizedClientException',
    message: 'The security token included in the request is invalid.',
    status: 400,
  })
})

test('local-kms SigV4: five minutes when strict, a day when lenient; the SDK corrects itself by the Date header', async () => {
  const clock = virtualClock(Date.now())
  const strict = await start({ sigv4: 'strict', clock })
  const lenient = await start({ sigv4: 'lenient', clock })
  const skewed = (kms: (typeof strict)['kms'], minutes: number) =>
    clientOf(kms, { systemClockOffset: minutes * 60_000 })
  await list(skewed(strict.kms, 4))
  await list(skewed(strict.kms, -4))
  const early = await failure(list(skewed(strict.kms, -6)))
  assert.equal(early.name, 'InvalidSignatureException')
  assert.match(
    early.message,
    /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)$/,
  )
  const late = await failure(list(skewed(strict.kms, 6)))
  assert.match(late.message, /^Signature not yet current: \d{8}T\d{6}Z is still later than/)
  await list(skewed(lenient.kms, 60))
  assert.equal((await failure(list(skewed(lenient.kms, 25 * 60)))).name, 'InvalidSignatureException')
  const ahead = await start({ sigv4: 'strict', clock: virtualClock(Date.now() + 3_600_000) }, { maxAttempts: 3 })
  const { $metadata } = await list(ahead.client)
  assert.equal($metadata.attempts, 2)
})

test('local-kms SigV4 strict: Region and service of the scope, session token, and its expiry', async () => {
  const clock = virtualClock(Date.now())
  const credentials: Credential[] = [
    { accessKeyId: 'test', secretAccessKey: 'test' },
    {
      accessKeyId: 'ASIA',
      secretAccessKey: 's',
      sessionToken: 'token',
      expiresAt: new Date(clock.now() + 60_000).toISOString(),
    },
  ]
  const { kms } = await start({ sigv4: 'strict', clock, credentials })
  const region = await failure(list(clientOf(kms, { region: 'eu-west-1' })))
  assert.equal(region.name, 'InvalidSignatureException')
  assert.match(region.message, /Credential should be scoped to a valid region, not 'eu-west-1'/)
  await list(clientOf(kms, pair('ASIA', 's', 'token')))
  for (const sent of ['other', undefined]) {
    assert.equal((await failure(list(clientOf(kms, pair('ASIA', 's', sent))))).name, 'UnrecognizedClientException')
  }
  await clock.advance(61_000)
  assert.deepEqual(await failure(list(clientOf(kms, pair('ASIA', 's', 'token')))), {
    name: 'ExpiredTokenException',
    message: 'The security token included in the request is expired',
    status: 400,
  })
})

test('local-kms SigV4 strict: a header that must be signed and is not is refused', async () => {
  const { kms } = await start({ sigv4: 'strict' })
  const added = tamper(clientOf(kms), request => void (request.headers['x-amz-security-token-2'] = 'x'))
  const refused = await failure(list(added))
  assert.match(refused.message, /'x-amz-security-token-2' must be a 'SignedHeader'/)
  const hash = tamper(clientOf(kms), request => void (request.headers['x-amz-content-sha256'] = '00'.repeat(32)))
  assert.equal((await failure(list(hash))).name, 'InvalidSignatureException')
})

test('local-kms access: a credential with an allow list may do that and nothing else, in the service’s words', async () => {
  const signerArn = 'arn:aws:iam::000000000000:role/signer'
  const { kms, client } = await start({
    sigv4: 'strict',
    seed: {
      version: 1,
      keys: [
        { keyId: 'mine', spec: 'ECC_NIST_EDWARDS25519' },
        { keyId: 'other', spec: 'ECC_NIST_EDWARDS25519' },
      ],
    },
    credentials: [
      { accessKeyId: 'test', secretAccessKey: 'test' },
      {
        accessKeyId: 'AKIASIGN',
        secretAccessKey: 's',
        principalArn: signerArn,
        allow: [{ actions: ['kms:Sign', 'kms:Get*'], resources: ['arn:aws:kms:us-east-1:000000000000:key/mine'] }],
      },
    ],
  })
  const signer = clientOf(kms, pair('AKIASIGN', 's'))
  const sign = (KeyId: string) =>
    signer.send(new SignCommand({ KeyId, Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512' }))
  await sign('mine')
  await signer.send(new GetPublicKeyCommand({ KeyId: 'mine' }))
  const other = await failure(sign('other'))
  assert.deepEqual([other.name, other.status], ['AccessDeniedException', 400])
  assert.ok(
    other.message.startsWith(
      `User: ${signerArn} is not authorized to perform: kms:Sign on resource: arn:aws:kms:us-east-1:000000000000:key/other because `,
    ),
  )
  for (const call of [
    signer.send(new DescribeKeyCommand({ KeyId: 'mine' })),
    signer.send(new CreateKeyCommand({})),
    list(signer),
  ]) {
    assert.equal((await failure(call)).name, 'AccessDeniedException')
  }
  await client.send(new DescribeKeyCommand({ KeyId: 'other' }))
})

test('local-kms SigV4 strict: service, terminator and date of the scope are checked', () => {
  const now = Date.UTC(2026, 0, 2, 12)
  const attempt = (scope: string, date: Record<string, string> = { 'x-amz-date': '20260102T120000Z' }) => {
    const authorization = `AWS4-HMAC-SHA256 Credential=test/${scope}, SignedHeaders=host;x-amz-date, Signature=00`
    const headers = { host: 'h', authorization, ...date }
    const request = {
      method: 'POST',
      target: '/',
      headers,
      body: new Uint8Array(0),
      remoteAddress: '',
      freshConnection: false,
    }
    const credentials = [{ accessKeyId: 'test', secretAccessKey: 'test' }]
    return () => authenticate(request, { mode: 'strict', credentials, region: 'us-east-1' }, now)
  }
  assert.throws(attempt('20260102/us-east-1/s3/aws4_request'), /Credential should be scoped to correct service: 'kms'/)
  assert.throws(attempt('20260102/us-east-1/kms/aws4'), /valid terminator/)
  assert.throws(
    attempt('20260101/us-east-1/kms/aws4_request'),
    /Date in Credential scope does not match.*'20260101' != '20260102'/,
  )
  assert.throws(attempt('20260102/us-east-1/kms/aws4_request'), /does not match the signature you provided/)
  assert.throws(
    attempt('20260102/us-east-1/kms/aws4_request', { date: 'Fri, 02 Jan 2026 12:00:00 GMT' }),
    /does not match the signature/,
  )
  assert.throws(attempt('20260102/us-east-1/kms/aws4_request', { 'x-amz-date': 'yesterday' }), {
    code: 'IncompleteSignatureException',
  })
})
