import assert from 'node:assert/strict'
import { constants, createHmac, createPublicKey, publicEncrypt } from 'node:crypto'
import { test } from 'node:test'
import { crc32c } from '../../local-kms/gcp/crc32c.ts'
import { sharedVectors, type WycheproofFile } from '../support/shared-vectors.ts'
import { bytes, hex, keyName, LOCATION, raw, refused, startGcp, toHex, TRANSPORTS, versionOf } from './gcp-support.ts'

const crcOf = (data: Uint8Array): { value: string } => ({ value: String(crc32c(data)) })
const b64 = (data: Uint8Array): string => Buffer.from(data).toString('base64')

for (const transport of TRANSPORTS) {
  test(`local-kms gcp ${transport} Encrypt and Decrypt: additional data is bound, checksums are checked`, async () => {
    const rig = await startGcp({
      seed: {
        cryptoKeys: [
          { name: keyName('k'), algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
          { name: keyName('other'), algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
        ],
      },
    })
    const client = rig.client(transport)
    const [plaintext, aad] = [bytes('a seed'), bytes('pubkey=G…')]
    const [sealed] = await client.encrypt({
      name: keyName('k'),
      plaintext,
      plaintextCrc32c: crcOf(plaintext),
      additionalAuthenticatedData: aad,
      additionalAuthenticatedDataCrc32c: crcOf(aad),
    })
    assert.equal(sealed.name, versionOf('k'))
    assert.equal(sealed.verifiedPlaintextCrc32c, true)
    assert.equal(sealed.verifiedAdditionalAuthenticatedDataCrc32c, true)
    const ciphertext = new Uint8Array(sealed.ciphertext as Uint8Array)
    assert.equal(sealed.ciphertextCrc32c!.value, String(crc32c(ciphertext)))
    const open = (name: string, blob: Uint8Array, additional: Uint8Array) =>
      client.decrypt({ name, ciphertext: blob, ciphertextCrc32c: crcOf(blob), additionalAuthenticatedData: additional })
    const [opened] = await open(keyName('k'), ciphertext, aad)
    assert.equal(toHex(opened.plaintext), toHex(plaintext))
    assert.equal(opened.plaintextCrc32c!.value, String(crc32c(plaintext)))
    assert.equal(opened.usedPrimary, true)
    const invalid = 'Decryption failed: the ciphertext is invalid.'
    const foreign = "Decryption failed: verify that 'name' refers to the correct CryptoKey."
    const last = Uint8Array.from(ciphertext)
    last[last.length - 1]! ^= 1
    for (const [name, blob, additional, text] of [
      [keyName('k'), ciphertext, bytes('pubkey=H…'), invalid],
      [keyName('k'), ciphertext, new Uint8Array(0), invalid],
      [keyName('k'), last, aad, invalid],
      [keyName('other'), ciphertext, aad, foreign],
      [keyName('k'), bytes('CiQAnot made here'), aad, foreign],
      [keyName('k'), new Uint8Array(0), aad, foreign],
    ] as const) {
      const failure = await refused(open(name, blob, additional))
      assert.equal(failure.code, 3)
      assert.ok(failure.message.endsWith(text), failure.message)
    }
    const wrongSum = await refused(client.encrypt({ name: keyName('k'), plaintext, plaintextCrc32c: { value: '7' } }))
    assert.equal(wrongSum.code, 3)
    assert.match(wrongSum.message, /plaintext_crc32c did not match/)
    const [unchecked] = await client.encrypt({ name: versionOf('k'), plaintext })
    assert.ok(!unchecked.verifiedPlaintextCrc32c)
  })

  test(`local-kms gcp ${transport}: MACs agree with OpenSSL and verify`, async () => {
    const algorithms = ['HMAC_SHA1', 'HMAC_SHA224', 'HMAC_SHA256', 'HMAC_SHA384', 'HMAC_SHA512'] as const
    const lengths = { HMAC_SHA1: 20, HMAC_SHA224: 28, HMAC_SHA256: 32, HMAC_SHA384: 48, HMAC_SHA512: 64 }
    const material = (name: (typeof algorithms)[number]): string => '5a'.repeat(lengths[name])
    const rig = await startGcp({
      seed: {
        cryptoKeys: algorithms.map(algorithm => ({
          name: keyName(algorithm),
          algorithm,
          versions: [{ material: { hex: material(algorithm) } }],
        })),
      },
    })
    const client = rig.client(transport)
    const data = bytes('to be authenticated')
    for (const algorithm of algorithms) {
      const name = versionOf(algorithm)
      const [{ mac, macCrc32c, verifiedDataCrc32c }] = await client.macSign({ name, data, dataCrc32c: crcOf(data) })
      const expected = createHmac(algorithm.slice(5).toLowerCase(), hex(material(algorithm)))
        .update(data)
        .digest('hex')
      assert.equal(toHex(mac), expected)
      assert.equal(macCrc32c!.value, String(crc32c(hex(expected))))
      assert.equal(verifiedDataCrc32c, true)
      const [right] = await client.macVerify({ name, data, mac: mac!, macCrc32c: crcOf(hex(expected)) })
      assert.deepEqual([right.success, right.verifiedSuccessIntegrity, right.verifiedMacCrc32c], [true, true, true])
      const [wrong] = await client.macVerify({ name, data: bytes('something else'), mac: mac! })
      assert.deepEqual([!!wrong.success, !!wrong.verifiedSuccessIntegrity], [false, false])
    }
  })

  test(`local-kms gcp ${transport}: raw encryption in every mode goes there and back`, async () => {
    const algorithms = [
      'AES_128_GCM',
      'AES_256_GCM',
      'AES_128_CBC',
      'AES_256_CBC',
      'AES_128_CTR',
      'AES_256_CTR',
    ] as const
    const rig = await startGcp({
      seed: { cryptoKeys: algorithms.map(algorithm => ({ name: keyName(algorithm), algorithm })) },
    })
    const client = rig.client(transport)
    const plaintext = bytes('two whole blocks of sixteen here')
    for (const algorithm of algorithms) {
      const name = versionOf(algorithm)
      const gcm = algorithm.endsWith('GCM')
      const additional = gcm ? { additionalAuthenticatedData: bytes('aad') } : {}
      const [sealed] = await client.rawEncrypt({ name, plaintext, plaintextCrc32c: crcOf(plaintext), ...additional })
      assert.equal((sealed.initializationVector as Uint8Array).length, gcm ? 12 : 16)
      assert.equal((sealed.ciphertext as Uint8Array).length, plaintext.length + (gcm ? 16 : 0))
      assert.equal(sealed.verifiedPlaintextCrc32c, true)
      const request = {
        name,
        ciphertext: sealed.ciphertext!,
        initializationVector: sealed.initializationVector!,
        ...additional,
      }
      const [opened] = await client.rawDecrypt(request)
      assert.equal(toHex(opened.plaintext), toHex(plaintext))
      assert.equal(opened.plaintextCrc32c!.value, String(crc32c(plaintext)))
      if (gcm)
        assert.equal(
          (await refused(client.rawDecrypt({ ...request, additionalAuthenticatedData: bytes('other') }))).code,
          3,
        )
      else
        assert.equal(
          (await refused(client.rawEncrypt({ name, plaintext, additionalAuthenticatedData: bytes('aad') }))).code,
          3,
        )
    }
    const cbc = await refused(client.rawEncrypt({ name: versionOf('AES_128_CBC'), plaintext: bytes('odd') }))
    assert.equal(cbc.code, 3)
    const iv = await refused(
      client.rawEncrypt({ name: versionOf('AES_128_GCM'), plaintext, initializationVector: new Uint8Array(12) }),
    )
    assert.equal(iv.code, 3)
    assert.equal(
      (
        await refused(
          client.rawDecrypt({
            name: versionOf('AES_128_GCM'),
            ciphertext: plaintext,
            initializationVector: new Uint8Array(12),
            tagLength: 4,
          }),
        )
      ).code,
      3,
    )
  })
}

test('local-kms gcp: RSA-OAEP ciphertexts made outside open, damaged ones do not', async () => {
  const algorithms = ['RSA_DECRYPT_OAEP_2048_SHA256', 'RSA_DECRYPT_OAEP_2048_SHA1'] as const
  const rig = await startGcp({
    seed: { cryptoKeys: algorithms.map(algorithm => ({ name: keyName(algorithm), algorithm })) },
  })
  const client = rig.client('grpc')
  for (const algorithm of algorithms) {
    const name = versionOf(algorithm)
    const [{ pem }] = await client.getPublicKey({ name })
    const oaepHash = algorithm.endsWith('SHA1') ? 'sha1' : 'sha256'
    const sealed = new Uint8Array(
      publicEncrypt(
        { key: createPublicKey(pem!), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash },
        bytes('secret'),
      ),
    )
    const [opened] = await client.asymmetricDecrypt({ name, ciphertext: sealed, ciphertextCrc32c: crcOf(sealed) })
    assert.equal(toHex(opened.plaintext), toHex(bytes('secret')))
    assert.equal(opened.verifiedCiphertextCrc32c, true)
    sealed[10]! ^= 1
    const failure = await refused(client.asymmetricDecrypt({ name, ciphertext: sealed }))
    assert.equal(failure.code, 3)
    assert.match(failure.message, /Decryption failed\.$/)
  }
})

test('local-kms gcp: lengths are limited, more tightly in HSMs', async () => {
  const algorithm = 'GOOGLE_SYMMETRIC_ENCRYPTION'
  const rig = await startGcp({
    seed: {
      cryptoKeys: [
        { name: keyName('soft'), algorithm },
        { name: keyName('hard'), algorithm, protectionLevel: 'HSM' },
      ],
    },
  })
  const encrypt = async (key: string, plain: number, aad: number): Promise<number> =>
    (
      await raw(rig, 'POST', `${keyName(key)}:encrypt`, {
        plaintext: b64(new Uint8Array(plain)),
        additionalAuthenticatedData: b64(new Uint8Array(aad)),
      })
    ).status
  assert.equal(await encrypt('soft', 65_536, 65_536), 200)
  assert.equal(await encrypt('soft', 65_537, 0), 400)
  assert.equal(await encrypt('soft', 0, 65_537), 400)
  assert.equal(await encrypt('hard', 4096, 4096), 200)
  assert.equal(await encrypt('hard', 4096, 4097), 400)
})

test('local-kms gcp: random bytes come from HSMs, 8 to 1024 of them', async () => {
  const rig = await startGcp()
  for (const transport of TRANSPORTS) {
    const client = rig.client(transport)
    const [{ data, dataCrc32c }] = await client.generateRandomBytes({
      location: LOCATION,
      lengthBytes: 1024,
      protectionLevel: 'HSM',
    })
    assert.equal((data as Uint8Array).length, 1024)
    assert.equal(dataCrc32c!.value, String(crc32c(new Uint8Array(data as Uint8Array))))
    for (const [lengthBytes, protectionLevel] of [
      [7, 'HSM'],
      [1025, 'HSM'],
      [32, 'SOFTWARE'],
    ] as const) {
      assert.equal(
        (await refused(client.generateRandomBytes({ location: LOCATION, lengthBytes, protectionLevel }))).code,
        3,
      )
    }
  }
})

interface GcmGroup {
  keySize: number
  ivSize: number
  tagSize: number
  tests: { tcId: number; key: string; iv: string; aad: string; msg: string; ct: string; tag: string; result: string }[]
}
const wycheproof = sharedVectors('wycheproof/aes_gcm_test.json')
test('local-kms gcp RawDecrypt: Wycheproof AES-GCM', { skip: wycheproof.skip }, async () => {
  const groups = (wycheproof.data as WycheproofFile<GcmGroup>).testGroups.filter(
    group => [128, 256].includes(group.keySize) && group.ivSize === 96 && group.tagSize === 128,
  )
  const cases = groups.flatMap(group =>
    group.tests.map(each => ({ ...each, algorithm: `AES_${group.keySize}_GCM` as 'AES_128_GCM' })),
  )
  const cryptoKeys = cases.map(({ tcId, key, algorithm }) => ({
    name: keyName(`w${tcId}`),
    algorithm,
    versions: [{ material: { hex: key } }],
  }))
  const rig = await startGcp({ seed: { cryptoKeys } })
  for (const { tcId, iv, aad, msg, ct, tag, result } of cases) {
    const { status, json } = await raw(rig, 'POST', `${versionOf(`w${tcId}`)}:rawDecrypt`, {
      ciphertext: b64(hex(ct + tag)),
      initializationVector: b64(hex(iv)),
      additionalAuthenticatedData: b64(hex(aad)),
    })
    assert.equal(status, result === 'valid' ? 200 : 400, `case ${tcId}`)
    if (result === 'valid')
      assert.equal(Buffer.from(json['plaintext'] ?? '', 'base64').toString('hex'), msg, `case ${tcId}`)
  }
  assert.ok(cases.length > 100, `${cases.length} cases`)
})

test('local-kms gcp RawDecrypt: NIST GCM test case 16 without the vectors beside the project', async () => {
  const material = { hex: 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308' }
  const rig = await startGcp({
    seed: { cryptoKeys: [{ name: keyName('nist'), algorithm: 'AES_256_GCM', versions: [{ material }] }] },
  })
  const { json } = await raw(rig, 'POST', `${versionOf('nist')}:rawDecrypt`, {
    initializationVector: b64(hex('cafebabefacedbaddecaf888')),
    additionalAuthenticatedData: b64(hex('feedfacedeadbeeffeedfacedeadbeefabaddad2')),
    ciphertext: b64(
      hex(
        '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
      ),
    ),
  })
  const message =
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39'
  assert.equal(Buffer.from(json['plaintext'], 'base64').toString('hex'), message)
})
