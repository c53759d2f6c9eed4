import assert from 'node:assert/strict'
import { constants, createPublicKey, generateKeyPairSync, publicEncrypt, randomBytes, verify } from 'node:crypto'
import { test } from 'node:test'
import {
  type AlgorithmSpec,
  DecryptCommand,
  DeleteImportedKeyMaterialCommand,
  DescribeKeyCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GetParametersForImportCommand,
  GetPublicKeyCommand,
  ImportKeyMaterialCommand,
  type ImportKeyMaterialCommandInput,
  type KMSClient,
  ScheduleKeyDeletionCommand,
  SignCommand,
  type WrappingKeySpec,
} from '@aws-sdk/client-kms'
import { aeskwp } from '@noble/ciphers/aes.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { virtualClock } from '../../local-kms/index.ts'
import { bytes, createKey, failure, hex, start, toHex } from './support.ts'

const DAY = 86_400_000
const clock = virtualClock(Date.now())
const { client } = await start({ clock })
const external = { Origin: 'EXTERNAL' } as const
const ed25519 = { ...external, KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' } as const
const forever = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' } as const

async function parameters(KeyId: string, WrappingAlgorithm: AlgorithmSpec, spec: WrappingKeySpec = 'RSA_2048') {
  return client.send(new GetParametersForImportCommand({ KeyId, WrappingAlgorithm, WrappingKeySpec: spec }))
}

/** As an importer does it, with node:crypto and noble only. */
function wrap(algorithm: string, spki: Uint8Array, material: Uint8Array): Uint8Array {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  const oaepHash = algorithm.endsWith('SHA_1') ? 'sha1' : 'sha256'
  const oaep = (plain: Uint8Array) => publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, plain)
  if (algorithm.startsWith('RSAES_OAEP')) return new Uint8Array(oaep(material))
  const aes = new Uint8Array(randomBytes(32))
  return new Uint8Array(Buffer.concat([oaep(aes), aeskwp(aes).encrypt(material)]))
}

async function importMaterial(
  KeyId: string,
  material: Uint8Array,
  options: { algorithm?: AlgorithmSpec; spec?: WrappingKeySpec } & Partial<ImportKeyMaterialCommandInput> = {},
) {
  const { algorithm = 'RSA_AES_KEY_WRAP_SHA_256', spec, ...rest } = options
  const { ImportToken, PublicKey } = await parameters(KeyId, algorithm, spec)
  const EncryptedKeyMaterial = wrap(algorithm, PublicKey!, material)
  return client.send(new ImportKeyMaterialCommand({ KeyId, ImportToken, EncryptedKeyMaterial, ...forever, ...rest }))
}

const ALGORITHMS = [
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'RSA_AES_KEY_WRAP_SHA_1',
  'RSA_AES_KEY_WRAP_SHA_256',
] as const

for (const algorithm of ALGORITHMS) {
  test(`local-kms import by ${algorithm}: symmetric, Ed25519 and secp256k1 material works as the importer's own`, async () => {
    const symmetric = await createKey(client, external)
    const answer = await importMaterial(symmetric.id, new Uint8Array(32).fill(9), { algorithm })
    assert.equal(answer.KeyId, symmetric.arn)
    assert.match(answer.KeyMaterialId!, /^[0-9a-f]{64}$/)
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: symmetric.id, Plaintext: bytes('x') }))
    assert.equal(Buffer.from((await client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext!).toString(), 'x')

    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const signer = await createKey(client, ed25519)
    await importMaterial(signer.id, new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' })), { algorithm })
    const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: signer.id }))
    assert.equal(toHex(PublicKey), publicKey.export({ type: 'spki', format: 'der' }).toString('hex'))
    const { Signature } = await client.send(
      new SignCommand({ KeyId: signer.id, Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512' }),
    )
    assert.ok(verify(null, bytes('m'), publicKey, Signature!))

    const scalar = secp256k1.utils.randomSecretKey()
    const evm = await createKey(client, { ...external, KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' })
    await importMaterial(evm.id, secp256k1Pkcs8(scalar), { algorithm })
    const spki = (await client.send(new GetPublicKeyCommand({ KeyId: evm.id }))).PublicKey!
    assert.equal(toHex(spki.subarray(23)), toHex(secp256k1.getPublicKey(scalar, false)))
  })
}

/** RFC 5915 in RFC 5208 without the optional public key: another lawful layout than OpenSSL's. */
function secp256k1Pkcs8(scalar: Uint8Array): Uint8Array {
  return hex(`303e020100301006072a8648ce3d020106052b8104000a042730250201010420${toHex(scalar)}`)
}

test('local-kms import: P-256 and RSA material, and wrapping keys of 3072 bits', async () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const p256 = await createKey(client, { ...external, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  await importMaterial(p256.id, new Uint8Array(pair.privateKey.export({ type: 'pkcs8', format: 'der' })), {
    spec: 'RSA_3072',
  })
  const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: p256.id }))
  assert.equal(toHex(PublicKey), pair.publicKey.export({ type: 'spki', format: 'der' }).toString('hex'))

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = await createKey(client, { ...external, KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })
  const refused = await failure(parameters(key.id, 'RSAES_OAEP_SHA_256'))
  assert.equal(refused.name, 'UnsupportedOperationException')
  await importMaterial(key.id, new Uint8Array(rsa.privateKey.export({ type: 'pkcs8', format: 'der' })))
  const imported = (await client.send(new GetPublicKeyCommand({ KeyId: key.id }))).PublicKey
  assert.equal(toHex(imported), rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('hex'))
})

test('local-kms import: PendingImport before, Enabled after, members of KeyMetadata come and go', async () => {
  const { id } = await createKey(client, external)
  const describe = async () => (await client.send(new DescribeKeyCommand({ KeyId: id }))).KeyMetadata!
  const before = await describe()
  assert.deepEqual([before.KeyState, before.Enabled, before.Origin], ['PendingImport', false, 'EXTERNAL'])
  assert.ok(!('ExpirationModel' in before) && !('CurrentKeyMaterialId' in before))
  const ValidTo = new Date(Math.floor(clock.now() / 1000) * 1000 + 30 * DAY)
  const material = new Uint8Array(32).fill(1)
  await importMaterial(id, material, { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo })
  const after = await describe()
  assert.deepEqual([after.KeyState, after.Enabled, after.ExpirationModel], ['Enabled', true, 'KEY_MATERIAL_EXPIRES'])
  assert.equal(after.ValidTo!.getTime(), ValidTo.getTime())

  await clock.advance(31 * DAY)
  assert.equal((await describe()).KeyState, 'PendingImport')
  const expired = await failure(client.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('x') })))
  assert.deepEqual(expired, {
    name: 'KMSInvalidStateException',
    message: `${before.Arn} is pending import.`,
    status: 400,
  })
  await importMaterial(id, material)
  assert.equal((await describe()).ExpirationModel, 'KEY_MATERIAL_DOES_NOT_EXPIRE')
  assert.ok(!('ValidTo' in (await describe())))
})

test('local-kms import: after deletion the same material comes back and opens old ciphertext, another is refused', async () => {
  const { id, arn } = await createKey(client, external)
  const material = new Uint8Array(32).fill(5)
  await importMaterial(id, material)
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('old') }))
  const deleted = await client.send(new DeleteImportedKeyMaterialCommand({ KeyId: id }))
  assert.equal(deleted.KeyId, arn)
  const gone = await failure(client.send(new DecryptCommand({ CiphertextBlob })))
  assert.equal(gone.message, `${arn} is pending import.`)
  const other = await failure(importMaterial(id, new Uint8Array(32).fill(6)))
  assert.deepEqual([other.name, other.status], ['IncorrectKeyMaterialException', 400])
  await importMaterial(id, material)
  assert.equal(Buffer.from((await client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext!).toString(), 'old')
  // Also while the first import is in place
  await importMaterial(id, material)
  assert.equal((await failure(importMaterial(id, new Uint8Array(32).fill(6)))).name, 'IncorrectKeyMaterialException')
  assert.equal(
    (await failure(importMaterial(id, material, { KeyMaterialId: 'ab'.repeat(32) }))).name,
    'IncorrectKeyMaterialException',
  )
})

test('local-kms import: a token lives 24 hours and belongs to one key', async () => {
  const { id } = await createKey(client, ed25519)
  const other = await createKey(client, ed25519)
  const { ImportToken, PublicKey, ParametersValidTo } = await parameters(id, 'RSAES_OAEP_SHA_256')
  assert.ok(Math.abs(ParametersValidTo!.getTime() - clock.now() - DAY) < 1000)
  const pkcs8 = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' })
  const EncryptedKeyMaterial = wrap('RSAES_OAEP_SHA_256', PublicKey!, new Uint8Array(pkcs8))
  const send = (input: Partial<ImportKeyMaterialCommandInput>, by: KMSClient = client) =>
    by.send(new ImportKeyMaterialCommand({ KeyId: id, ImportToken, EncryptedKeyMaterial, ...forever, ...input }))
  const name = async (call: Promise<unknown>) => (await failure(call)).name
  assert.equal(await name(send({ KeyId: other.id })), 'InvalidImportTokenException')
  assert.equal(await name(send({ ImportToken: new Uint8Array(128) })), 'InvalidImportTokenException')
  await clock.advance(DAY - 1000)
  await send({})
  await clock.advance(2000)
  assert.equal(await name(send({})), 'ExpiredImportTokenException')
})

test('local-kms import: wrapping by another key or algorithm is InvalidCiphertextException, unfit material IncorrectKeyMaterialException', async () => {
  const { id } = await createKey(client, ed25519)
  const { ImportToken, PublicKey } = await parameters(id, 'RSAES_OAEP_SHA_256')
  const stranger = await parameters(id, 'RSAES_OAEP_SHA_256')
  const send = (EncryptedKeyMaterial: Uint8Array) =>
    failure(client.send(new ImportKeyMaterialCommand({ KeyId: id, ImportToken, EncryptedKeyMaterial, ...forever })))
  const ed = new Uint8Array(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' }))
  assert.equal((await send(wrap('RSAES_OAEP_SHA_256', stranger.PublicKey!, ed))).name, 'InvalidCiphertextException')
  assert.equal((await send(wrap('RSAES_OAEP_SHA_1', PublicKey!, ed))).name, 'InvalidCiphertextException')
  assert.equal((await send(wrap('RSA_AES_KEY_WRAP_SHA_256', PublicKey!, ed))).name, 'InvalidCiphertextException')
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'der' })
  const unfit = [
    new Uint8Array(p256),
    ed.subarray(0, -1),
    Uint8Array.from([...ed, 0]),
    ed.subarray(16), // the bare seed: the service takes PKCS#8
    new Uint8Array(1),
  ]
  for (const material of unfit) {
    const { name } = await send(wrap('RSAES_OAEP_SHA_256', PublicKey!, material))
    assert.equal(name, 'IncorrectKeyMaterialException')
  }
  const symmetric = await createKey(client, external)
  assert.equal((await failure(importMaterial(symmetric.id, new Uint8Array(31)))).name, 'IncorrectKeyMaterialException')
  const zero = await createKey(client, { ...external, KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' })
  const outOfRange = secp256k1Pkcs8(new Uint8Array(32))
  assert.equal((await failure(importMaterial(zero.id, outOfRange))).name, 'IncorrectKeyMaterialException')
})

test('local-kms import: expiry model and date must fit, origins and wrappings without support are told apart', async () => {
  const { id } = await createKey(client, external)
  const material = new Uint8Array(32)
  const refusal = async (input: Partial<ImportKeyMaterialCommandInput>) => failure(importMaterial(id, material, input))
  assert.deepEqual(await refusal({ ExpirationModel: undefined }), {
    name: 'ValidationException',
    message: 'A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES',
    status: 400,
  })
  const soon = new Date(clock.now() + DAY)
  for (const input of [
    { ...forever, ValidTo: soon },
    { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: new Date(clock.now() - DAY) },
    { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: new Date(clock.now() + 367 * DAY) },
  ] as const) {
    assert.equal((await refusal(input)).name, 'ValidationException')
  }
  assert.equal((await failure(parameters(id, 'RSAES_PKCS1_V1_5'))).name, 'UnsupportedOperationException')
  assert.equal((await failure(parameters(id, 'SM2PKE', 'SM2'))).name, 'UnsupportedOperationException')
  assert.equal((await refusal({ ImportType: 'EXISTING_KEY_MATERIAL' })).name, 'IncorrectKeyMaterialException')
  await importMaterial(id, material, { ImportType: 'NEW_KEY_MATERIAL' })
  assert.equal((await refusal({ ImportType: 'NEW_KEY_MATERIAL' })).name, 'UnsupportedOperationException')

  const own = await createKey(client)
  assert.deepEqual(await failure(parameters(own.id, 'RSAES_OAEP_SHA_256')), {
    name: 'UnsupportedOperationException',
    message: `${own.arn} origin is AWS_KMS which is not valid for this operation.`,
    status: 400,
  })
  const { name } = await failure(client.send(new DeleteImportedKeyMaterialCommand({ KeyId: own.id })))
  assert.equal(name, 'UnsupportedOperationException')
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: id, PendingWindowInDays: 7 }))
  assert.equal((await failure(parameters(id, 'RSAES_OAEP_SHA_256'))).name, 'KMSInvalidStateException')
})

test('local-kms import: HMAC material between digest and block length, RSA material of the right size only', async () => {
  const hmac = { ...external, KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' } as const
  for (const [length, fits] of [
    [31, false],
    [32, true],
    [64, true],
    [65, false],
  ] as const) {
    const { id } = await createKey(client, hmac)
    const call = importMaterial(id, new Uint8Array(length).fill(1))
    if (fits) assert.ok(!('KeyMaterialId' in (await call)))
    else assert.equal((await failure(call)).name, 'IncorrectKeyMaterialException')
  }
  const rsa = await createKey(client, { ...external, KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'der' })
  for (const material of [new Uint8Array(small), new Uint8Array(40)]) {
    assert.equal((await failure(importMaterial(rsa.id, material))).name, 'IncorrectKeyMaterialException')
  }
  const symmetric = await createKey(client, external)
  await importMaterial(symmetric.id, new Uint8Array(32))
  const KeyMaterialId = 'ab'.repeat(32)
  const gone = await failure(client.send(new DeleteImportedKeyMaterialCommand({ KeyId: symmetric.id, KeyMaterialId })))
  assert.equal(gone.name, 'NotFoundException')
  assert.equal(
    (await failure(client.send(new EnableKeyRotationCommand({ KeyId: symmetric.id })))).name,
    'UnsupportedOperationException',
  )
})

test('local-kms import: a token long expired is forgotten', async () => {
  const { id } = await createKey(client, external)
  const { ImportToken } = await parameters(id, 'RSAES_OAEP_SHA_256')
  const name = async () =>
    (
      await failure(
        client.send(
          new ImportKeyMaterialCommand({
            KeyId: id,
            ImportToken,
            EncryptedKeyMaterial: new Uint8Array(256),
            ...forever,
          }),
        ),
      )
    ).name
  await clock.advance(2 * DAY)
  assert.equal(await name(), 'ExpiredImportTokenException')
  await clock.advance(8 * DAY)
  await parameters(id, 'RSAES_OAEP_SHA_256')
  assert.equal(await name(), 'InvalidImportTokenException')
})
