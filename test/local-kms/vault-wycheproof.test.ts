import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { open, seal } from '../../local-kms/vault/transit/aead.ts'
import { serve } from './vault-support.ts'

/** Vectors of C2SP/wycheproof, read where they lie beside the project; absent elsewhere. */
function vectors(name: string): unknown {
  const url = new URL(`../../../shared/vectors/wycheproof/${name}`, import.meta.url)
  return existsSync(url) ? JSON.parse(readFileSync(url, 'utf8')) : undefined
}
const ABSENT = 'the Wycheproof vectors are not beside the project'
const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

interface GcmFile {
  testGroups: {
    keySize: number
    ivSize: number
    tagSize: number
    tests: {
      tcId: number
      key: string
      iv: string
      aad: string
      msg: string
      ct: string
      tag: string
      result: string
    }[]
  }[]
}
const gcm = vectors('aes_gcm_test.json') as GcmFile | undefined

test('Vault face AES-GCM: Wycheproof through decrypt', { skip: gcm === undefined && ABSENT }, async () => {
  const cases = gcm!.testGroups
    .filter(({ keySize, ivSize, tagSize }) => keySize !== 192 && ivSize === 96 && tagSize === 128)
    .flatMap(({ keySize, tests }) => tests.map(each => ({ ...each, keySize })))
  const keys = cases.map(({ tcId, key, keySize }) => ({
    name: `k${tcId}`,
    type: keySize === 128 ? ('aes128-gcm96' as const) : ('aes256-gcm96' as const),
    material: { hex: key },
  }))
  const { call } = await serve({ seed: { version: 1, keys } })
  let count = 0
  for (const { tcId, iv, aad, msg, ct, tag, result } of cases) {
    const { status, json } = await call('POST', `transit/decrypt/k${tcId}`, {
      ciphertext: `vault:v1:${base64(iv + ct + tag)}`,
      associated_data: base64(aad),
    })
    if (result === 'valid') assert.equal(json.data?.plaintext, base64(msg), `case ${tcId}`)
    else assert.deepEqual([status, json], [400, { errors: ['cipher: message authentication failed'] }], `case ${tcId}`)
    count++
  }
  assert.ok(count > 100, `${count} cases`)
})

interface EdFile {
  testGroups: {
    publicKeyPem: string
    tests: { tcId: number; msg: string; sig: string; result: string; comment: string }[]
  }[]
}
const ed = vectors('ed25519_test.json') as EdFile | undefined

test('Vault face ed25519: Wycheproof through verify', { skip: ed === undefined && ABSENT }, async () => {
  const { call } = await serve({ seed: { version: 1, mounts: [{ path: 'transit', type: 'transit' }] } })
  let count = 0
  for (const [i, { publicKeyPem, tests }] of ed!.testGroups.entries()) {
    const made = await call('POST', `transit/keys/k${i}/import`, { type: 'ed25519', public_key: publicKeyPem })
    assert.equal(made.status, 204, made.text)
    for (const { tcId, msg, sig, result, comment } of tests) {
      const body = { input: base64(msg), signature: `vault:v1:${base64(sig)}` }
      const { json } = await call('POST', `transit/verify/k${i}`, body)
      assert.equal(json.data.valid, result === 'valid', `case ${tcId}: ${comment}`)
      count++
    }
  }
  assert.ok(count > 100, `${count} cases`)
})

/** Carried by the project: RFC 8439 §2.8.2, NIST GCM test case 16, draft-irtf-cfrg-xchacha-03 §A.3.1, RFC 8032 §7.1. */
test('Vault face AEADs: published vectors open, and nothing else does', () => {
  const sunscreen =
    '4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e'
  const job = { context: undefined, convergent: false, imported: false }
  const table = [
    {
      type: 'chacha20-poly1305' as const,
      key: '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f',
      nonce: '070000004041424344454647',
      aad: '50515253c0c1c2c3c4c5c6c7',
      plain: sunscreen,
      sealed:
        'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691',
    },
    {
      type: 'xchacha20-poly1305' as const,
      key: '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f',
      nonce: '404142434445464748494a4b4c4d4e4f5051525354555657',
      aad: '50515253c0c1c2c3c4c5c6c7',
      plain: sunscreen,
      sealed:
        'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49',
    },
    {
      type: 'aes256-gcm96' as const,
      key: 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
      nonce: 'cafebabefacedbaddecaf888',
      aad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
      plain:
        'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
      sealed:
        '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
    },
  ]
  for (const { type, key, nonce, aad, plain, sealed } of table) {
    const each = { ...job, type, material: hex(key), associatedData: hex(aad) }
    const whole = hex(nonce + sealed)
    assert.deepEqual(seal(each, hex(plain), { bytes: () => hex(nonce) }), whole, type)
    assert.deepEqual(open(each, whole), hex(plain), type)
    assert.equal(open({ ...each, associatedData: hex('00') }, whole), null)
    for (const at of [0, nonce.length / 2, whole.length - 1]) {
      const broken = whole.slice()
      broken[at] = broken[at]! ^ 1
      assert.equal(open(each, broken), null)
    }
    assert.equal(open(each, whole.subarray(0, 5)), undefined)
  }
})

test('Vault face ed25519: RFC 8032 §7.1 tests 1 to 3', async () => {
  const table = [
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ] as const
  const keys = table.map(([seed], i) => ({ name: `k${i}`, type: 'ed25519' as const, material: { hex: seed } }))
  const { call } = await serve({ seed: { version: 1, keys } })
  for (const [i, [, message, signature]] of table.entries()) {
    const { json } = await call('POST', `transit/sign/k${i}`, { input: base64(message) })
    assert.equal(json.data.signature, `vault:v1:${base64(signature)}`)
  }
})
