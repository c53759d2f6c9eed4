import assert from 'node:assert/strict'
import { constants, createPublicKey, createPrivateKey, publicEncrypt, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import {
  DecryptCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  GetPublicKeyCommand,
  ReEncryptCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms'
import * as fc from 'fast-check'
import { encodeContext, seal, parseBlob, unseal } from '../../local-kms/aws/ciphertext.ts'
import { systemRandom } from '../../local-kms/core/random.ts'
import { virtualClock } from '../../local-kms/index.ts'
import { bytes, createKey, failure, raw, start, toHex } from './support.ts'

const clock = virtualClock(Date.now())
const { kms, client } = await start({ clock })
const symmetric = await createKey(client)

const EMPTY = { name: 'InvalidCiphertextException', message: 'UnknownError', status: 400 }

test('local-kms Encrypt and Decrypt: round trip with the right context, without naming the key (M-05)', async () => {
  const EncryptionContext = { pubkey: 'GABC', network: 'testnet' }
  const { CiphertextBlob, KeyId, EncryptionAlgorithm } = await client.send(
    new EncryptCommand({ KeyId: symmetric.id, Plaintext: bytes('seed'), EncryptionContext }),
  )
  assert.deepEqual([KeyId, EncryptionAlgorithm], [symmetric.arn, 'SYMMETRIC_DEFAULT'])
  assert.equal(Buffer.from(CiphertextBlob!.subarray(0, 4)).toString(), 'LKMS')
  // The order of the entries does not matter
  const other = { network: 'testnet', pubkey: 'GABC' }
  const opened = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: other }))
  assert.equal(Buffer.from(opened.Plaintext!).toString(), 'seed')
  assert.deepEqual([opened.KeyId, opened.EncryptionAlgorithm], [symmetric.arn, 'SYMMETRIC_DEFAULT'])
  assert.match(opened.KeyMaterialId!, /^[0-9a-f]{64}$/)
})

test('local-kms Decrypt: another, a missing, an added or a re-cased context is InvalidCiphertextException with no text (M-05)', async () => {
  const EncryptionContext = { pubkey: 'GABC' }
  const { CiphertextBlob } = await client.send(
    new EncryptCommand({ KeyId: symmetric.id, Plaintext: bytes('seed'), EncryptionContext }),
  )
  const wrong = [undefined, {}, { pubkey: 'GABD' }, { Pubkey: 'GABC' }, { pubkey: 'GABC', x: '' }, { pubke: 'yGABC' }]
  for (const EncryptionContext of wrong) {
    assert.deepEqual(await failure(client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))), EMPTY)
  }
  const wire = await raw(kms, 'Decrypt', { CiphertextBlob: Buffer.from(CiphertextBlob!).toString('base64') })
  assert.equal(wire.text, '{"__type":"InvalidCiphertextException"}')
})

test('local-kms Decrypt: any flipped bit, cut or foreign blob is refused', async () => {
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: symmetric.id, Plaintext: bytes('x') }))
  const blob = CiphertextBlob!
  for (let i = 0; i < blob.length; i++) {
    const damaged = Uint8Array.from(blob)
    damaged[i]! ^= 1 << (i % 8)
    assert.deepEqual(await failure(client.send(new DecryptCommand({ CiphertextBlob: damaged }))), EMPTY, `byte ${i}`)
  }
  for (const CiphertextBlob of [blob.subarray(0, -1), blob.subarray(0, 20), Uint8Array.of(1, 2, 2, 0, 0x78)]) {
    assert.deepEqual(await failure(client.send(new DecryptCommand({ CiphertextBlob }))), EMPTY)
  }
})

test('local-kms Decrypt: a KeyId that is not the blob’s own is IncorrectKeyException', async () => {
  const other = await createKey(client)
  const signer = await createKey(client, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: symmetric.id, Plaintext: bytes('x') }))
  for (const { id } of [other, signer]) {
    assert.deepEqual(await failure(client.send(new DecryptCommand({ CiphertextBlob, KeyId: id }))), {
      name: 'IncorrectKeyException',
      message: 'The key ID in the request does not identify a CMK that can perform this operation.',
      status: 400,
    })
  }
  const right = await client.send(new DecryptCommand({ CiphertextBlob, KeyId: symmetric.arn }))
  assert.equal(Buffer.from(right.Plaintext!).toString(), 'x')
})

test('local-kms Decrypt: a ciphertext of a key that is gone is AccessDeniedException', async () => {
  const gone = await createKey(client)
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: gone.id, Plaintext: bytes('x') }))
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: gone.id, PendingWindowInDays: 7 }))
  await clock.advance(7 * 86_400_000)
  const refused = await failure(client.send(new DecryptCommand({ CiphertextBlob })))
  assert.equal(refused.name, 'AccessDeniedException')
  assert.match(refused.message, /^The ciphertext refers to a customer master key that does not exist/)
})

const context = fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 3 }), fc.string({ maxLength: 3 }), {
  maxKeys: 3,
})

test('local-kms context encoding: two contexts have the same bytes only if they are the same (property)', () => {
  fc.assert(
    fc.property(fc.array(context, { minLength: 2, maxLength: 12 }), contexts => {
      const canonical = (c: Record<string, string>): string =>
        JSON.stringify(Object.entries(c).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      for (const a of contexts) {
        for (const b of contexts) {
          const same =
            toHex(encodeContext(new Map(Object.entries(a)))) === toHex(encodeContext(new Map(Object.entries(b))))
          assert.equal(same, canonical(a) === canonical(b))
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('local-kms context: of all pairs of look-alikes none opens the other’s ciphertext', async () => {
  const contexts: Record<string, string>[] = [
    {},
    { a: 'b' },
    { ab: '' },
    { '': 'ab' },
    { a: 'bc' },
    { ab: 'c' },
    { a: 'b', c: 'd' },
    { a: 'bcd' },
    { a: 'b:c=d' },
    { a: 'd', c: 'b' },
    { A: 'b' },
    { a: 'b ' },
    { 'a\0': 'b' },
    { a: '\0b' },
    { '\u00e9': 'x' }, // composed
    { 'e\u0301': 'x' }, // decomposed
    { ['__proto__']: 'b' },
    { constructor: 'b' },
    { '\u{10000}': 'x', '\uffff': 'y' },
  ]
  const key = { id: 'k', materialId: '00'.repeat(32), material: new Uint8Array(32).fill(3) }
  const blobs = contexts.map(c => seal(key, bytes('x'), new Map(Object.entries(c)), systemRandom))
  for (const [i, blob] of blobs.entries()) {
    for (const [j, c] of contexts.entries()) {
      const opened = unseal(parseBlob(blob)!, key.material, new Map(Object.entries(c)))
      assert.equal(opened !== undefined, i === j, `${JSON.stringify(contexts[i])} against ${JSON.stringify(c)}`)
    }
  }
  // And over the wire, where a name such as __proto__ could get lost
  const EncryptionContext = JSON.parse('{"__proto__":"b"}') as Record<string, string>
  const { json } = await raw(
    kms,
    'Encrypt',
    `{"KeyId":"${symmetric.id}","Plaintext":"eA==","EncryptionContext":{"__proto__":"b"}}`,
  )
  const opened = await raw(kms, 'Decrypt', { CiphertextBlob: json['CiphertextBlob'] })
  assert.equal(opened.json['__type'], 'InvalidCiphertextException')
  const right = await raw(kms, 'Decrypt', JSON.stringify({ CiphertextBlob: json['CiphertextBlob'], EncryptionContext }))
  assert.equal(right.json['Plaintext'], 'eA==')
})

test('local-kms context: half a surrogate pair is refused, since it would collide with another', async () => {
  const body = `{"KeyId":"${symmetric.id}","Plaintext":"eA==","EncryptionContext":{"a":"\\ud800"}}`
  const refused = await raw(kms, 'Encrypt', body)
  assert.deepEqual([refused.status, refused.json['__type']], [400, 'SerializationException'])
})

test('local-kms RSA_2048 encryption: OAEP both ways, also from outside, with the size limits of each hash', async () => {
  const { id } = await createKey(client, { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
  const { PublicKey, EncryptionAlgorithms } = await client.send(new GetPublicKeyCommand({ KeyId: id }))
  assert.deepEqual(EncryptionAlgorithms, ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'])
  const key = createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' })
  for (const [EncryptionAlgorithm, oaepHash, max] of [
    ['RSAES_OAEP_SHA_1', 'sha1', 214],
    ['RSAES_OAEP_SHA_256', 'sha256', 190],
  ] as const) {
    const Plaintext = new Uint8Array(max).fill(7)
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: id, Plaintext, EncryptionAlgorithm }))
    const outside = publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, Plaintext)
    for (const blob of [CiphertextBlob!, new Uint8Array(outside)]) {
      const opened = await client.send(new DecryptCommand({ KeyId: id, CiphertextBlob: blob, EncryptionAlgorithm }))
      assert.equal(toHex(opened.Plaintext), toHex(Plaintext))
    }
    const long = { KeyId: id, Plaintext: new Uint8Array(max + 1), EncryptionAlgorithm }
    const refused = await failure(client.send(new EncryptCommand(long)))
    assert.equal(
      refused.message,
      `Algorithm ${EncryptionAlgorithm} and key spec RSA_2048 cannot encrypt data larger than ${max} bytes.`,
    )
    const damaged = { KeyId: id, CiphertextBlob: new Uint8Array(256).fill(1), EncryptionAlgorithm }
    assert.deepEqual(await failure(client.send(new DecryptCommand(damaged))), EMPTY)
    const { name } = await failure(client.send(new DecryptCommand({ CiphertextBlob, EncryptionAlgorithm })))
    assert.equal(name, 'ValidationException')
    const context = { KeyId: id, Plaintext, EncryptionAlgorithm, EncryptionContext: { a: 'b' } }
    assert.equal((await failure(client.send(new EncryptCommand(context)))).name, 'ValidationException')
  }
  const plain = await failure(client.send(new EncryptCommand({ KeyId: id, Plaintext: bytes('x') })))
  assert.equal(plain.name, 'InvalidKeyUsageException')
  assert.equal(plain.message, 'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.')
})

test('local-kms ReEncrypt: from one key and context to another, also out of RSA', async () => {
  const to = await createKey(client)
  const EncryptionContext = { from: 'a' }
  const { CiphertextBlob } = await client.send(
    new EncryptCommand({ KeyId: symmetric.id, Plaintext: bytes('x'), EncryptionContext }),
  )
  const moved = await client.send(
    new ReEncryptCommand({
      CiphertextBlob,
      SourceEncryptionContext: EncryptionContext,
      DestinationKeyId: to.id,
      DestinationEncryptionContext: { to: 'b' },
    }),
  )
  assert.deepEqual([moved.SourceKeyId, moved.KeyId], [symmetric.arn, to.arn])
  assert.notEqual(moved.SourceKeyMaterialId, moved.DestinationKeyMaterialId)
  const opened = await client.send(
    new DecryptCommand({ CiphertextBlob: moved.CiphertextBlob, EncryptionContext: { to: 'b' } }),
  )
  assert.equal(Buffer.from(opened.Plaintext!).toString(), 'x')
  const refused = await failure(client.send(new ReEncryptCommand({ CiphertextBlob, DestinationKeyId: to.id })))
  assert.deepEqual(refused, EMPTY)
})

test('local-kms data keys: lengths, wrapped copy opens to the same bytes, exactly one of the two size members', async () => {
  for (const [size, length] of [
    [{ KeySpec: 'AES_256' }, 32],
    [{ KeySpec: 'AES_128' }, 16],
    [{ NumberOfBytes: 1024 }, 1024],
  ] as const) {
    const input = { KeyId: symmetric.id, EncryptionContext: { a: 'b' }, ...size }
    const { Plaintext, CiphertextBlob, KeyMaterialId } = await client.send(new GenerateDataKeyCommand(input))
    assert.equal(Plaintext!.length, length)
    const opened = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: 'b' } }))
    assert.equal(toHex(opened.Plaintext), toHex(Plaintext))
    assert.equal(opened.KeyMaterialId, KeyMaterialId)
    const closed = await client.send(new GenerateDataKeyWithoutPlaintextCommand(input))
    assert.ok(!('Plaintext' in closed))
  }
  for (const size of [{}, { KeySpec: 'AES_256', NumberOfBytes: 32 }] as const) {
    const refused = await failure(client.send(new GenerateDataKeyCommand({ KeyId: symmetric.id, ...size })))
    assert.equal(refused.message, 'Please specify either number of bytes or key spec.')
  }
})

test('local-kms data key pairs: the private half is PKCS#8 that the public half verifies', async () => {
  for (const KeyPairSpec of ['ECC_NIST_EDWARDS25519', 'ECC_NIST_P256', 'RSA_2048', 'ECC_SECG_P256K1'] as const) {
    const input = { KeyId: symmetric.id, KeyPairSpec, EncryptionContext: { pair: KeyPairSpec } }
    const pair = await client.send(new GenerateDataKeyPairCommand(input))
    const opened = await client.send(
      new DecryptCommand({ CiphertextBlob: pair.PrivateKeyCiphertextBlob, EncryptionContext: input.EncryptionContext }),
    )
    assert.equal(toHex(opened.Plaintext), toHex(pair.PrivateKeyPlaintext))
    assert.deepEqual([pair.KeyId, pair.KeyPairSpec], [symmetric.arn, KeyPairSpec])
    const closed = await client.send(new GenerateDataKeyPairWithoutPlaintextCommand(input))
    assert.ok(!('PrivateKeyPlaintext' in closed))
    if (KeyPairSpec === 'ECC_SECG_P256K1') {
      // Not every runtime's node:crypto has this curve: lengths and frames are those of OpenSSL
      assert.deepEqual([pair.PrivateKeyPlaintext!.length, pair.PublicKey!.length], [135, 88])
      continue
    }
    const privateKey = createPrivateKey({ key: Buffer.from(pair.PrivateKeyPlaintext!), format: 'der', type: 'pkcs8' })
    const publicKey = createPublicKey({ key: Buffer.from(pair.PublicKey!), format: 'der', type: 'spki' })
    const hash = KeyPairSpec === 'ECC_NIST_EDWARDS25519' ? null : 'sha256'
    assert.ok(verify(hash, bytes('m'), publicKey, sign(hash, bytes('m'), privateKey)), KeyPairSpec)
  }
})

test('local-kms GenerateRandom: so many bytes and never the same', async () => {
  const draw = async () => toHex((await client.send(new GenerateRandomCommand({ NumberOfBytes: 32 }))).Plaintext)
  const [a, b] = [await draw(), await draw()]
  assert.equal(a.length, 64)
  assert.notEqual(a, b)
  assert.equal((await failure(client.send(new GenerateRandomCommand({})))).message, 'NumberOfBytes is required.')
})
