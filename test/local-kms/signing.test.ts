import assert from 'node:assert/strict'
import { constants, createHash, createHmac, createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import {
  GenerateMacCommand,
  GetPublicKeyCommand,
  type KeySpec,
  SignCommand,
  type SigningAlgorithmSpec,
  VerifyCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms'
import { ed25519ph } from '@noble/curves/ed25519.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { bytes, createKey, failure, hex, start, toHex } from './support.ts'

const { client } = await start()

const publicKeyOf = async (KeyId: string): Promise<Uint8Array> =>
  (await client.send(new GetPublicKeyCommand({ KeyId }))).PublicKey!
const nodeKey = (der: Uint8Array) => createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })

test('local-kms Ed25519: the signature is 64 bytes, deterministic, and node:crypto verifies it (M-11)', async () => {
  const { id, arn } = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
  const spki = await publicKeyOf(id)
  assert.equal(spki.length, 44)
  assert.equal(toHex(spki).slice(0, 24), '302a300506032b6570032100')
  for (const length of [1, 32, 4096]) {
    const Message = new Uint8Array(length).fill(length)
    const input = { KeyId: id, Message, SigningAlgorithm: 'ED25519_SHA_512' } as const
    const answer = await client.send(new SignCommand(input))
    assert.equal(answer.KeyId, arn)
    assert.equal(answer.SigningAlgorithm, 'ED25519_SHA_512')
    assert.equal(answer.Signature!.length, 64)
    assert.ok(verify(null, Message, nodeKey(spki), answer.Signature!))
    const again = await client.send(new SignCommand({ ...input, MessageType: 'RAW' }))
    assert.equal(toHex(again.Signature), toHex(answer.Signature))
  }
})

test('local-kms Ed25519ph: the digest is hashed once more, as the fixture says (A.1)', async () => {
  const seed = '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42'
  const { client: seeded } = await start({
    seed: { version: 1, keys: [{ keyId: 'ph', spec: 'ECC_NIST_EDWARDS25519', material: { hex: seed } }] },
  })
  const Message = new Uint8Array(createHash('sha512').update('abc').digest())
  const input = { KeyId: 'ph', Message, MessageType: 'DIGEST', SigningAlgorithm: 'ED25519_PH_SHA_512' } as const
  const { Signature } = await seeded.send(new SignCommand(input))
  assert.equal(
    toHex(Signature),
    '914dc6538ac512db8ffbdfbbf9c2fd2c1e5c915ff5d708751ad2d3a1425f0c9bfa3f1da6d93e5c7fc5b106b536f7263a3db68e4a285f30e4bd7e8b9f93d42f0e',
  )
  const key = hex('ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf')
  assert.ok(ed25519ph.verify(Signature!, Message, key))
  assert.ok(!ed25519ph.verify(Signature!, bytes('abc'), key)) // the mistake the double hash invites
  assert.equal((await seeded.send(new VerifyCommand({ ...input, Signature }))).SignatureValid, true)
})

test('local-kms Ed25519: RFC 8032 test 1 with the switch for empty messages, refused without', async () => {
  const keys = [
    {
      keyId: 'rfc8032-1',
      spec: 'ECC_NIST_EDWARDS25519' as const,
      material: { hex: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60' },
    },
  ]
  const open = await start({ allowEmptyMessage: true, seed: { version: 1, keys } })
  const input = { KeyId: 'rfc8032-1', Message: new Uint8Array(0), SigningAlgorithm: 'ED25519_SHA_512' } as const
  assert.equal(
    toHex((await open.client.send(new SignCommand(input))).Signature),
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  )
  const strict = await start({ seed: { version: 1, keys } })
  const refused = await failure(strict.client.send(new SignCommand(input)))
  assert.equal(refused.name, 'ValidationException')
  assert.match(refused.message, /at 'message' failed to satisfy constraint/)
})

const CURVES = [
  ['ECC_SECG_P256K1', 'ECDSA_SHA_256', 'sha256', secp256k1, 88, 23],
  ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256', p256, 91, 26],
  ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384', p384, 120, 23],
  ['ECC_NIST_P521', 'ECDSA_SHA_512', 'sha512', p521, 158, 25],
] as const

for (const [KeySpec, SigningAlgorithm, hash, curve, spkiLength, prefix] of CURVES) {
  test(`local-kms ${KeySpec}: DER signatures over message and digest verify under noble`, async () => {
    const { id } = await createKey(client, { KeySpec, KeyUsage: 'SIGN_VERIFY' })
    const spki = await publicKeyOf(id)
    assert.equal(spki.length, spkiLength)
    const point = spki.subarray(prefix)
    const message = bytes('transaction')
    const digest = new Uint8Array(createHash(hash).update(message).digest())
    const raw = await client.send(new SignCommand({ KeyId: id, Message: message, SigningAlgorithm }))
    const byDigest = await client.send(
      new SignCommand({ KeyId: id, Message: digest, MessageType: 'DIGEST', SigningAlgorithm }),
    )
    for (const { Signature } of [raw, byDigest]) {
      assert.equal(Signature![0], 0x30)
      assert.ok(curve.verify(Signature!, digest, point, { prehash: false, lowS: false, format: 'der' }))
    }
    const verified = await client.send(
      new VerifyCommand({ KeyId: id, Message: message, SigningAlgorithm, Signature: byDigest.Signature }),
    )
    assert.equal(verified.SignatureValid, true)
  })
}

test('local-kms secp256k1: prefix as in 0.2; s falls high about half the time and no two signatures are alike', async () => {
  const { id } = await createKey(client, { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' })
  assert.equal(toHex(await publicKeyOf(id)).slice(0, 48), '3056301006072a8648ce3d020106052b8104000a03420004')
  const digest = new Uint8Array(createHash('sha256').update('same').digest())
  const input = { KeyId: id, Message: digest, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' } as const
  const seen = new Set<string>()
  let high = 0
  const rounds = 128
  for (let i = 0; i < rounds; i++) {
    const { Signature } = await client.send(new SignCommand(input))
    seen.add(toHex(Signature))
    if (secp256k1.Signature.fromBytes(Signature!, 'der').hasHighS()) high++
  }
  assert.equal(seen.size, rounds)
  // Outside of 32..96 of 128 a fair coin falls about once in 10^8 runs
  assert.ok(high > rounds / 4 && high < (3 * rounds) / 4, `high s in ${high} of ${rounds}`)
})

test('local-kms ECDSA: both s and n − s verify; a damaged or foreign signature is KMSInvalidSignatureException without text', async () => {
  const { id } = await createKey(client, { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' })
  const other = await createKey(client, { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY' })
  const input = { KeyId: id, Message: bytes('m'), SigningAlgorithm: 'ECDSA_SHA_256' } as const
  const { Signature } = await client.send(new SignCommand(input))
  const { r, s } = secp256k1.Signature.fromBytes(Signature!, 'der')
  const mirrored = new secp256k1.Signature(r, secp256k1.Point.Fn.ORDER - s).toBytes('der')
  assert.equal((await client.send(new VerifyCommand({ ...input, Signature: mirrored }))).SignatureValid, true)
  const damaged = Uint8Array.from(Signature!)
  damaged[20]! ^= 1
  const trailing = Uint8Array.from([...Signature!, 0])
  const compact = new secp256k1.Signature(r, s).toBytes('compact')
  for (const wrong of [damaged, trailing, compact, Uint8Array.of(1)]) {
    const refused = await failure(client.send(new VerifyCommand({ ...input, Signature: wrong })))
    assert.deepEqual(refused, { name: 'KMSInvalidSignatureException', message: 'UnknownError', status: 400 })
  }
  const foreign = await failure(client.send(new VerifyCommand({ ...input, KeyId: other.id, Signature })))
  assert.equal(foreign.name, 'KMSInvalidSignatureException')
})

const RSA: [SigningAlgorithmSpec, string, number | undefined][] = [
  ['RSASSA_PKCS1_V1_5_SHA_256', 'sha256', undefined],
  ['RSASSA_PKCS1_V1_5_SHA_384', 'sha384', undefined],
  ['RSASSA_PKCS1_V1_5_SHA_512', 'sha512', undefined],
  ['RSASSA_PSS_SHA_256', 'sha256', 32],
  ['RSASSA_PSS_SHA_384', 'sha384', 48],
  ['RSASSA_PSS_SHA_512', 'sha512', 64],
]

test('local-kms RSA_2048: every signing algorithm over message and digest verifies under node:crypto', async () => {
  const { id } = await createKey(client, { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })
  const key = nodeKey(await publicKeyOf(id))
  const message = bytes('invoice')
  for (const [SigningAlgorithm, hash, saltLength] of RSA) {
    const options = saltLength === undefined ? { key } : { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
    const Message = new Uint8Array(createHash(hash).update(message).digest())
    const raw = await client.send(new SignCommand({ KeyId: id, Message: message, SigningAlgorithm }))
    const digest = await client.send(new SignCommand({ KeyId: id, Message, MessageType: 'DIGEST', SigningAlgorithm }))
    for (const { Signature } of [raw, digest]) {
      assert.equal(Signature!.length, 256)
      assert.ok(verify(hash, message, options, Signature!), SigningAlgorithm)
      const check = { KeyId: id, Message: message, SigningAlgorithm, Signature }
      assert.equal((await client.send(new VerifyCommand(check))).SignatureValid, true)
      const wrong = Uint8Array.from(Signature!)
      wrong[100]! ^= 4
      const refused = await failure(client.send(new VerifyCommand({ ...check, Signature: wrong })))
      assert.equal(refused.name, 'KMSInvalidSignatureException')
    }
  }
})

test('local-kms GetPublicKey: SigningAlgorithms stand in the service order', async () => {
  const { id, arn } = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
  const { $metadata: _, PublicKey: __, ...facts } = await client.send(new GetPublicKeyCommand({ KeyId: id }))
  assert.deepEqual(facts, {
    CustomerMasterKeySpec: 'ECC_NIST_EDWARDS25519',
    KeyId: arn,
    KeySpec: 'ECC_NIST_EDWARDS25519',
    KeyUsage: 'SIGN_VERIFY',
    SigningAlgorithms: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
  })
  const symmetric = await createKey(client)
  const refused = await failure(client.send(new GetPublicKeyCommand({ KeyId: symmetric.id })))
  assert.equal(refused.name, 'UnsupportedOperationException')
})

test('local-kms HMAC: the MAC is the standard one and a wrong one is KMSInvalidMacException', async () => {
  for (const bits of [224, 256, 384, 512]) {
    const material = { hex: '0b'.repeat(64) }
    const { client: seeded } = await start({
      seed: { version: 1, keys: [{ keyId: 'mac', spec: `HMAC_${bits}` as KeySpec, material }] },
    })
    const input = { KeyId: 'mac', Message: bytes('Hi There'), MacAlgorithm: `HMAC_SHA_${bits}` as 'HMAC_SHA_256' }
    const { Mac } = await seeded.send(new GenerateMacCommand(input))
    const expected = createHmac(`sha${bits}`, hex(material.hex)).update('Hi There').digest('hex')
    assert.equal(toHex(Mac), expected)
    assert.equal((await seeded.send(new VerifyMacCommand({ ...input, Mac }))).MacValid, true)
    const refused = await failure(seeded.send(new VerifyMacCommand({ ...input, Mac: new Uint8Array(32) })))
    assert.deepEqual(refused, { name: 'KMSInvalidMacException', message: 'UnknownError', status: 400 })
  }
})
