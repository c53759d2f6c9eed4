import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import {
  CreateGrantCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateMacCommand,
  GenerateRandomCommand,
  type KMSClient,
  ReEncryptCommand,
  SignCommand,
  type SignCommandInput,
  VerifyCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms'
import { base64, bytes, createKey, failure, raw, start } from './support.ts'

const { client, kms } = await start()
const ed25519 = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
const secp256k1 = await createKey(client, { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' })
const symmetric = await createKey(client)
const mac = await createKey(client, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })

const sha512 = new Uint8Array(createHash('sha512').update('m').digest())
const sha256 = new Uint8Array(createHash('sha256').update('m').digest())
const sign = async (input: Partial<SignCommandInput>, by: KMSClient = client) =>
  by.send(new SignCommand({ KeyId: ed25519.id, Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512', ...input }))

const SIGN_REFUSALS: [string, Partial<SignCommandInput>, string, string][] = [
  [
    'PH over a message',
    { SigningAlgorithm: 'ED25519_PH_SHA_512', MessageType: 'RAW' },
    'ValidationException',
    'Message type RAW is incompatible with algorithm ED25519_PH_SHA_512.',
  ],
  [
    'PH with the default message type',
    { SigningAlgorithm: 'ED25519_PH_SHA_512' },
    'ValidationException',
    'Message type RAW is incompatible with algorithm ED25519_PH_SHA_512.',
  ],
  [
    'pure over a digest',
    { MessageType: 'DIGEST', Message: sha512 },
    'ValidationException',
    'Message type DIGEST is incompatible with algorithm ED25519_SHA_512.',
  ],
  [
    'PH digest of 32 bytes',
    { SigningAlgorithm: 'ED25519_PH_SHA_512', MessageType: 'DIGEST', Message: sha256 },
    'ValidationException',
    'Digest is invalid length for algorithm ED25519_PH_SHA_512.',
  ],
  [
    'ECDSA digest of 64 bytes',
    { KeyId: secp256k1.id, SigningAlgorithm: 'ECDSA_SHA_256', MessageType: 'DIGEST', Message: sha512 },
    'ValidationException',
    'Digest is invalid length for algorithm ECDSA_SHA_256.',
  ],
  [
    'ECDSA with an Ed25519 key',
    { SigningAlgorithm: 'ECDSA_SHA_256' },
    'InvalidKeyUsageException',
    'Algorithm ECDSA_SHA_256 is incompatible with key spec ECC_NIST_EDWARDS25519.',
  ],
  [
    'Ed25519 with a secp256k1 key',
    { KeyId: secp256k1.id },
    'InvalidKeyUsageException',
    'Algorithm ED25519_SHA_512 is incompatible with key spec ECC_SECG_P256K1.',
  ],
  [
    'a key that encrypts',
    { KeyId: symmetric.id },
    'InvalidKeyUsageException',
    `${symmetric.arn} key usage is ENCRYPT_DECRYPT which is not valid for Sign.`,
  ],
  [
    'external mu',
    { KeyId: secp256k1.id, SigningAlgorithm: 'ECDSA_SHA_256', MessageType: 'EXTERNAL_MU' },
    'ValidationException',
    'Message type EXTERNAL_MU is incompatible with algorithm ECDSA_SHA_256.',
  ],
  [
    'a message of 4097 bytes',
    { Message: new Uint8Array(4097) },
    'ValidationException',
    "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096",
  ],
]
for (const [title, input, name, message] of SIGN_REFUSALS) {
  test(`local-kms Sign refuses ${title} in the service's words (A.4)`, async () => {
    assert.deepEqual(await failure(sign(input)), { name, message, status: 400 })
  })
}

test('local-kms Sign: a keccak digest is as good as any 32 bytes', async () => {
  const Message = new Uint8Array(32).fill(0xee)
  await sign({ KeyId: secp256k1.id, SigningAlgorithm: 'ECDSA_SHA_256', MessageType: 'DIGEST', Message })
})

test('local-kms usages: every family refuses the other families’ keys', async () => {
  const cases: [Promise<unknown>, string][] = [
    [
      client.send(new EncryptCommand({ KeyId: ed25519.id, Plaintext: bytes('x') })),
      `${ed25519.arn} key usage is SIGN_VERIFY which is not valid for Encrypt.`,
    ],
    [
      client.send(new GenerateDataKeyCommand({ KeyId: ed25519.id, KeySpec: 'AES_256' })),
      `${ed25519.arn} key usage is SIGN_VERIFY which is not valid for GenerateDataKey.`,
    ],
    [
      client.send(new GenerateMacCommand({ KeyId: symmetric.id, Message: bytes('x'), MacAlgorithm: 'HMAC_SHA_256' })),
      `${symmetric.arn} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.`,
    ],
    [
      client.send(new GenerateMacCommand({ KeyId: mac.id, Message: bytes('x'), MacAlgorithm: 'HMAC_SHA_512' })),
      'Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.',
    ],
    [sign({ KeyId: mac.id }), `${mac.arn} key usage is GENERATE_VERIFY_MAC which is not valid for Sign.`],
  ]
  for (const [call, message] of cases) {
    assert.deepEqual(await failure(call), { name: 'InvalidKeyUsageException', message, status: 400 })
  }
})

test('local-kms DryRun: what would succeed is DryRunOperationException, what would fail fails as ever', async () => {
  const KeyId = symmetric.id
  const { Signature } = await sign({})
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: bytes('x') }))
  const { Mac } = await client.send(
    new GenerateMacCommand({ KeyId: mac.id, Message: bytes('m'), MacAlgorithm: 'HMAC_SHA_256' }),
  )
  const DryRun = true
  const check = { KeyId: ed25519.id, Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512', DryRun } as const
  const macs = { KeyId: mac.id, Message: bytes('m'), MacAlgorithm: 'HMAC_SHA_256', DryRun } as const
  const calls: Promise<unknown>[] = [
    sign({ DryRun }),
    client.send(new VerifyCommand({ ...check, Signature })),
    client.send(new EncryptCommand({ KeyId, Plaintext: bytes('x'), DryRun })),
    client.send(new DecryptCommand({ CiphertextBlob, DryRun })),
    client.send(new DecryptCommand({ KeyId, DryRun, DryRunModifiers: ['IGNORE_CIPHERTEXT'] })),
    client.send(new ReEncryptCommand({ CiphertextBlob, DestinationKeyId: KeyId, DryRun })),
    client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', DryRun })),
    client.send(new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: 'ECC_NIST_P256', DryRun })),
    client.send(new GenerateMacCommand(macs)),
    client.send(new VerifyMacCommand({ ...macs, Mac })),
  ]
  for (const call of calls) {
    assert.deepEqual(await failure(call), {
      name: 'DryRunOperationException',
      message: 'The request would have succeeded, but the DryRun option is set.',
      status: 400,
    })
  }
  const wrong: [Promise<unknown>, string][] = [
    [sign({ DryRun, SigningAlgorithm: 'ECDSA_SHA_256' }), 'InvalidKeyUsageException'],
    [sign({ DryRun, MessageType: 'DIGEST' }), 'ValidationException'],
    [sign({ DryRun, KeyId: 'nobody' }), 'NotFoundException'],
    [client.send(new VerifyCommand({ ...check, Signature: new Uint8Array(64) })), 'KMSInvalidSignatureException'],
    [client.send(new VerifyMacCommand({ ...macs, Mac: new Uint8Array(32) })), 'KMSInvalidMacException'],
    [
      client.send(new DecryptCommand({ CiphertextBlob, DryRun, EncryptionContext: { a: 'b' } })),
      'InvalidCiphertextException',
    ],
    [
      client.send(new DecryptCommand({ CiphertextBlob, DryRunModifiers: ['IGNORE_CIPHERTEXT'] })),
      'ValidationException',
    ],
    [client.send(new DecryptCommand({ DryRun, DryRunModifiers: ['IGNORE_CIPHERTEXT'] })), 'ValidationException'],
  ]
  for (const [call, name] of wrong) assert.equal((await failure(call)).name, name)
})

test('local-kms grants: a token cannot be right, and the grant family says that it is not played', async () => {
  for (const call of [
    sign({ GrantTokens: ['token'] }),
    client.send(new DescribeKeyCommand({ KeyId: symmetric.id, GrantTokens: ['token'] })),
    client.send(new EncryptCommand({ KeyId: symmetric.id, Plaintext: bytes('x'), GrantTokens: ['token'] })),
  ]) {
    assert.equal((await failure(call)).name, 'InvalidGrantTokenException')
  }
  const grant = new CreateGrantCommand({
    KeyId: symmetric.id,
    GranteePrincipal: 'arn:aws:iam::000000000000:user/a',
    Operations: ['Sign'],
  })
  const refused = await failure(client.send(grant))
  assert.deepEqual([refused.name, refused.status], ['UnsupportedOperationException', 400])
  const AttestationDocument = new Uint8Array(8)
  const recipient = client.send(new GenerateRandomCommand({ NumberOfBytes: 1, Recipient: { AttestationDocument } }))
  assert.equal((await failure(recipient)).name, 'ValidationException')
})

const VALIDATION: [string, string, Record<string, unknown>, string][] = [
  [
    'a missing member',
    'DescribeKey',
    {},
    "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null",
  ],
  [
    'an empty key id',
    'DescribeKey',
    { KeyId: '' },
    "1 validation error detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
  ],
  [
    'a null where a member is needed',
    'DescribeKey',
    { KeyId: null },
    "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null",
  ],
  [
    'no bytes asked for',
    'GenerateRandom',
    { NumberOfBytes: 0 },
    "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
  ],
  [
    'too many bytes asked for',
    'GenerateRandom',
    { NumberOfBytes: 1025 },
    "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
  ],
  [
    'a spec that is none',
    'CreateKey',
    { KeyUsage: 'RANDOM' },
    "1 validation error detected: Value 'RANDOM' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum value set: [SIGN_VERIFY, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE]",
  ],
  [
    'two faults at once',
    'CreateAlias',
    { AliasName: 'a b', TargetKeyId: '' },
    "2 validation errors detected: Value 'a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$; Value '' at 'targetKeyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
  ],
  [
    'a nested member',
    'TagResource',
    { KeyId: 'k', Tags: [{ TagKey: '', TagValue: 'v' }] },
    "1 validation error detected: Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
  ],
  [
    'an empty ciphertext',
    'Decrypt',
    { CiphertextBlob: '' },
    "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at 'ciphertextBlob' failed to satisfy constraint: Member must have length greater than or equal to 1",
  ],
  [
    'no ciphertext',
    'Decrypt',
    {},
    "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
  ],
  [
    'an empty plaintext, which is not repeated',
    'Encrypt',
    { KeyId: 'k', Plaintext: '' },
    "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1",
  ],
]
for (const [title, operation, body, message] of VALIDATION) {
  test(`local-kms validation names the member: ${title}`, async () => {
    const answer = await raw(kms, operation, body)
    assert.equal(answer.status, 400)
    assert.deepEqual(answer.json, { __type: 'ValidationException', message })
  })
}

test('local-kms wire: wrong JSON types and broken JSON are SerializationException', async () => {
  const bodies = [
    '{"KeyId":1}',
    '{"KeyId":{}}',
    '{"KeyId":true}',
    '{',
    '[]',
    '"x"',
    'null',
    '{"KeyId":"k","GrantTokens":"t"}',
    '{"KeyId":"k","GrantTokens":{}}',
  ]
  for (const body of bodies) {
    const answer = await raw(kms, 'DescribeKey', body)
    assert.deepEqual([answer.status, answer.json['__type']], [400, 'SerializationException'], body)
  }
  for (const body of [
    '{"KeyId":"k","Plaintext":"***"}',
    '{"KeyId":"k","Plaintext":"YQ"}',
    '{"KeyId":"k","Plaintext":"YQ==","EncryptionContext":{"a":1}}',
    '{"KeyId":"k","Plaintext":"YQ==","EncryptionContext":[]}',
    '{"KeyId":"k","Plaintext":"YQ==","DryRun":"yes"}',
  ]) {
    const answer = await raw(kms, 'Encrypt', body)
    assert.deepEqual([answer.status, answer.json['__type']], [400, 'SerializationException'], body)
  }
  const numbers = await raw(kms, 'GenerateRandom', '{"NumberOfBytes":"8"}')
  assert.equal(numbers.json['__type'], 'SerializationException')
})

test('local-kms wire: members the model does not have are passed over, an empty body is an empty object', async () => {
  const extra = await raw(kms, 'DescribeKey', { KeyId: symmetric.id, Surprise: { a: 1 } })
  assert.equal(extra.status, 200)
  assert.equal((await raw(kms, 'ListKeys', '')).status, 200)
})

test('local-kms wire: headers, content type and types of the answer are those of AWS JSON 1.1', async () => {
  const before = Date.now()
  const ok = await raw(kms, 'DescribeKey', { KeyId: symmetric.id })
  assert.equal(ok.headers.get('content-type'), 'application/x-amz-json-1.1')
  assert.match(ok.headers.get('x-amzn-requestid')!, /^[0-9a-f]{8}-[0-9a-f-]{27}$/)
  assert.ok(Math.abs(Date.parse(ok.headers.get('date')!) - before) < 5000)
  const metadata = ok.json['KeyMetadata'] as Record<string, unknown>
  assert.equal(typeof metadata['CreationDate'], 'number')
  assert.ok(Math.abs((metadata['CreationDate'] as number) * 1000 - before) < 60_000)
  assert.ok(!('DeletionDate' in metadata)) // absent, not null
  const signed = await raw(kms, 'Sign', {
    KeyId: ed25519.id,
    Message: base64(bytes('m')),
    SigningAlgorithm: 'ED25519_SHA_512',
  })
  assert.match(signed.json['Signature'] as string, /^[A-Za-z0-9+/]{86}==$/)
  const empty = await raw(kms, 'EnableKey', { KeyId: symmetric.id })
  assert.deepEqual([empty.status, empty.text], [200, ''])
  const missing = await raw(kms, 'DescribeKey', { KeyId: 'x' })
  assert.equal(missing.text, `{"__type":"NotFoundException","message":"Invalid keyId 'x'"}`)
  assert.equal(missing.headers.get('content-type'), 'application/x-amz-json-1.1')
})

test('local-kms wire: unknown operations, other services, types, methods and paths are UnknownOperationException', async () => {
  assert.deepEqual((await raw(kms, 'MakeCoffee', {})).json, { __type: 'UnknownOperationException' })
  assert.equal((await raw(kms, 'toString', {})).status, 400)
  const cases: [string, RequestInit][] = [
    ['/', { method: 'GET' }],
    ['/elsewhere', { method: 'POST', body: '{}' }],
    [
      '/',
      {
        method: 'POST',
        body: '{}',
        headers: { 'x-amz-target': 'DynamoDB.ListTables', 'content-type': 'application/x-amz-json-1.1' },
      },
    ],
    [
      '/',
      {
        method: 'POST',
        body: '{}',
        headers: { 'x-amz-target': 'TrentService.ListKeys', 'content-type': 'application/json' },
      },
    ],
  ]
  for (const [path, init] of cases) {
    const response = await fetch(kms.aws + path, init)
    assert.equal(response.status, path === '/' && init.method === 'POST' ? 400 : 404)
    assert.deepEqual(await response.json(), { __type: 'UnknownOperationException' })
  }
  const charset = await raw(kms, 'ListKeys', {}, { 'content-type': 'application/x-amz-json-1.1; charset=utf-8' })
  assert.equal(charset.status, 200)
})

test('local-kms wire: a body over 1 MiB is cut off', async () => {
  const response = await fetch(kms.aws, { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) }).catch(() => undefined)
  assert.ok(response === undefined || response.status === 413)
})

test('local-kms order of checks: parameters, then the key, its state, usage, algorithm', async () => {
  kms.setKeyState(symmetric.id, 'Disabled')
  const bad = { MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' } as const
  assert.equal(
    (await failure(sign({ ...bad, KeyId: 'nobody', Message: new Uint8Array(4097) }))).name,
    'ValidationException',
  )
  assert.equal((await failure(sign({ ...bad, KeyId: 'nobody' }))).name, 'NotFoundException')
  assert.equal((await failure(sign({ ...bad, KeyId: symmetric.id }))).name, 'DisabledException')
  kms.setKeyState(symmetric.id, 'Enabled')
  assert.match((await failure(sign({ ...bad, KeyId: symmetric.id }))).message, /key usage is/)
  assert.match((await failure(sign(bad))).message, /incompatible with key spec/)
})

test('local-kms server fault: what goes wrong inside is KMSInternalException with 500, no detail', async () => {
  const broken = await start({ entropy: { bytes: () => assert.fail('no entropy') } })
  const { id } = await createKey(broken.client)
  const refused = await failure(broken.client.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('x') })))
  assert.deepEqual([refused.name, refused.status], ['KMSInternalException', 500])
  assert.ok(!refused.message.includes('entropy'))
  assert.equal(
    (await failure(client.send(new CreateKeyCommand({ KeySpec: 'NOPE' as 'RSA_2048' })))).name,
    'ValidationException',
  )
})
