/** DryRun: every check is made as for the real thing, in the service's order, and then nothing is done. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DecryptCommand,
  type DecryptCommandInput,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  GetPublicKeyCommand,
  ReEncryptCommand,
  SignCommand,
  type SignCommandInput,
  VerifyCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms'
import { bytes, createKey, failure, raw, start } from './support.ts'

const { kms, client } = await start({
  seed: {
    version: 1,
    credentials: [
      { accessKeyId: 'test', secretAccessKey: 'test' },
      { accessKeyId: 'nobody', secretAccessKey: 'nobody', allow: [] },
    ],
  },
})
const ed = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
const ec = await createKey(client, { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' })
const aes = await createKey(client)
const mac = await createKey(client, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
const SUCCESS = {
  name: 'DryRunOperationException',
  message: 'The request would have succeeded, but the DryRun option is set.',
  status: 400,
}
const DryRun = true
const would = async (call: Promise<unknown>) => assert.deepEqual(await failure(call), SUCCESS)
const sign = (more: Partial<SignCommandInput> = {}) =>
  client.send(
    new SignCommand({ KeyId: ed.arn, Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512', DryRun, ...more }),
  )

test('every operation that has it says that it would have succeeded, and does nothing', async () => {
  const before = JSON.stringify(kms.snapshot())
  await would(sign())
  await would(
    sign({ KeyId: ec.arn, SigningAlgorithm: 'ECDSA_SHA_256', MessageType: 'DIGEST', Message: new Uint8Array(32) }),
  )
  await would(client.send(new EncryptCommand({ KeyId: aes.arn, Plaintext: bytes('x'), DryRun })))
  for (const Command of [GenerateDataKeyCommand, GenerateDataKeyWithoutPlaintextCommand]) {
    await would(client.send(new Command({ KeyId: aes.arn, KeySpec: 'AES_256', DryRun })))
  }
  for (const Command of [GenerateDataKeyPairCommand, GenerateDataKeyPairWithoutPlaintextCommand]) {
    await would(client.send(new Command({ KeyId: aes.arn, KeyPairSpec: 'ECC_SECG_P256K1', DryRun })))
  }
  const macInput = { KeyId: mac.arn, Message: bytes('m'), MacAlgorithm: 'HMAC_SHA_256', DryRun } as const
  await would(client.send(new GenerateMacCommand(macInput)))
  assert.equal(JSON.stringify(kms.snapshot()), before)
  const { Mac } = await client.send(new GenerateMacCommand({ ...macInput, DryRun: false }))
  await would(client.send(new VerifyMacCommand({ ...macInput, Mac })))
})

test('what is to be verified or opened is verified and opened first', async () => {
  const Message = bytes('m')
  const SigningAlgorithm = 'ED25519_SHA_512'
  const { Signature } = await client.send(new SignCommand({ KeyId: ed.arn, Message, SigningAlgorithm }))
  const input = { KeyId: ed.arn, Message, SigningAlgorithm, DryRun } as const
  await would(client.send(new VerifyCommand({ ...input, Signature })))
  const wrong = new VerifyCommand({ ...input, Signature: new Uint8Array(64) })
  assert.equal((await failure(client.send(wrong))).name, 'KMSInvalidSignatureException')
  const EncryptionContext = { pubkey: 'G' }
  const { CiphertextBlob } = await client.send(
    new EncryptCommand({ KeyId: aes.arn, Plaintext: bytes('x'), EncryptionContext }),
  )
  await would(client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext, DryRun })))
  const other = new DecryptCommand({ CiphertextBlob, EncryptionContext: { pubkey: 'H' }, DryRun })
  assert.equal((await failure(client.send(other))).name, 'InvalidCiphertextException')
  await would(
    client.send(
      new ReEncryptCommand({
        CiphertextBlob,
        SourceEncryptionContext: EncryptionContext,
        DestinationKeyId: aes.arn,
        DryRun,
      }),
    ),
  )
})

test('IGNORE_CIPHERTEXT asks for the right alone: a key, no ciphertext, only with DryRun', async () => {
  const ask = (more: Partial<DecryptCommandInput>) =>
    client.send(new DecryptCommand({ KeyId: aes.arn, DryRunModifiers: ['IGNORE_CIPHERTEXT'], DryRun, ...more }))
  await would(ask({}))
  await would(ask({ EncryptionContext: { pubkey: 'G' } }))
  await would(ask({ CiphertextBlob: bytes('not even a ciphertext') }))
  assert.equal((await failure(ask({ KeyId: undefined }))).name, 'ValidationException')
  assert.equal((await failure(ask({ DryRun: false }))).name, 'ValidationException')
  assert.match((await failure(ask({ DryRunModifiers: [] }))).message, /ciphertextBlob.* must not be null$/i)
  const unknown = await raw(kms, 'Decrypt', { KeyId: aes.arn, DryRun, DryRunModifiers: ['IGNORE_ALL'] })
  assert.equal(unknown.json['__type'], 'ValidationException')
  await would(
    client.send(
      new ReEncryptCommand({
        SourceKeyId: aes.arn,
        DestinationKeyId: aes.arn,
        DryRunModifiers: ['IGNORE_CIPHERTEXT'],
        DryRun,
      }),
    ),
  )
})

test('order: parameters, key, right, state, usage, algorithm, and only then the dry run', async () => {
  const text = async (call: Promise<unknown>) => {
    const { name, message } = await failure(call)
    return `${name}: ${message}`
  }
  assert.match(await text(sign({ Message: new Uint8Array(0), KeyId: 'nothing' })), /^ValidationException: .*'message'/)
  assert.match(await text(sign({ KeyId: 'nothing' })), /^NotFoundException/)
  const { arn } = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
  kms.setKeyState(arn, 'Disabled')
  const off = await raw(
    kms,
    'Sign',
    { KeyId: arn, Message: 'bQ==', SigningAlgorithm: 'ED25519_SHA_512', DryRun },
    { authorization: 'AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/kms/aws4_request' },
  )
  assert.equal(off.json['__type'], 'AccessDeniedException')
  assert.equal(
    await text(sign({ KeyId: arn, SigningAlgorithm: 'ECDSA_SHA_256' })),
    `DisabledException: ${arn} is disabled.`,
  )
  assert.match(await text(sign({ KeyId: aes.arn })), /^InvalidKeyUsageException: .*ENCRYPT_DECRYPT/)
  assert.equal(
    await text(sign({ SigningAlgorithm: 'ECDSA_SHA_256', MessageType: 'DIGEST' })),
    'InvalidKeyUsageException: Algorithm ECDSA_SHA_256 is incompatible with key spec ECC_NIST_EDWARDS25519.',
  )
  assert.equal(
    await text(sign({ MessageType: 'DIGEST' })),
    'ValidationException: Message type DIGEST is incompatible with algorithm ED25519_SHA_512.',
  )
  assert.equal(
    await text(sign({ KeyId: ec.arn, SigningAlgorithm: 'ECDSA_SHA_256', MessageType: 'DIGEST' })),
    'ValidationException: Digest is invalid length for algorithm ECDSA_SHA_256.',
  )
})

test('GetPublicKey has no dry run: the member is passed over', async () => {
  const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: ed.arn, DryRun } as never))
  assert.equal(PublicKey?.length, 44)
})
