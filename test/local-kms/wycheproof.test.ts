import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gcm as nobleGcm } from '@noble/ciphers/aes.js'
import { gcmOpen, gcmSeal } from '../../local-kms/aws/ciphertext.ts'
import { verifyEcdsa } from '../../local-kms/aws/material.ts'
import { hex, toHex } from './support.ts'

/** Vectors of C2SP/wycheproof, read where they lie beside the project; absent elsewhere. */
function vectors(name: string): unknown {
  const url = new URL(`../../../shared/vectors/wycheproof/${name}`, import.meta.url)
  return existsSync(url) ? JSON.parse(readFileSync(url, 'utf8')) : undefined
}
const ABSENT = 'the Wycheproof vectors are not beside the project'

interface GcmFile {
  numberOfTests: number
  testGroups: { keySize: number; ivSize: number; tagSize: number; tests: GcmCase[] }[]
}
interface GcmCase {
  tcId: number
  key: string
  iv: string
  aad: string
  msg: string
  ct: string
  tag: string
  result: string
}

const gcm = vectors('aes_gcm_test.json') as GcmFile | undefined
test('local-kms AES-256-GCM: Wycheproof', { skip: gcm === undefined && ABSENT }, () => {
  let count = 0
  for (const group of gcm!.testGroups) {
    if (group.keySize !== 256 || group.ivSize !== 96 || group.tagSize !== 128) continue
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of group.tests) {
      const opened = gcmOpen(hex(key), hex(iv), hex(ct + tag), hex(aad))
      assert.equal(
        opened === undefined ? undefined : toHex(opened),
        result === 'valid' ? msg : undefined,
        `case ${tcId}`,
      )
      if (result === 'valid') assert.equal(toHex(gcmSeal(hex(key), hex(iv), hex(msg), hex(aad))), ct + tag)
      count++
    }
  }
  assert.equal(count, 66)
  console.log(`AES-256-GCM with 96-bit nonces, as local-kms seals: ${count} cases as expected, 0 unexplained`)
})

/** Every case of the file, through an implementation. What it does not take is explained by a size, and by nothing else. */
async function wholeFile(
  open: (key: Uint8Array, iv: Uint8Array, sealed: Uint8Array, aad: Uint8Array) => Promise<Uint8Array>,
  takes: (group: GcmFile['testGroups'][number]) => boolean,
): Promise<{ expected: number; explained: number; unexplained: number[] }> {
  let [expected, explained] = [0, 0]
  const unexplained: number[] = []
  for (const group of gcm!.testGroups) {
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of group.tests) {
      const opened = await open(hex(key), hex(iv), hex(ct + tag), hex(aad)).then(toHex, () => undefined)
      if (opened === (result === 'valid' ? msg : undefined)) expected++
      else if (opened === undefined && !takes(group)) explained++
      else unexplained.push(tcId)
    }
  }
  return { expected, explained, unexplained }
}

test('AES-GCM of @noble/ciphers, which opens passphrase rows: Wycheproof, the whole file', {
  skip: gcm === undefined && ABSENT,
}, async () => {
  // SP 800-38D allows nonces of any length; the library wants 64 bits at least. Ours have 96.
  const counts = await wholeFile(
    async (key, iv, sealed, aad) => nobleGcm(key, iv, aad).decrypt(sealed),
    ({ ivSize }) => ivSize >= 64,
  )
  assert.deepEqual(counts.unexplained, [])
  assert.equal(counts.expected + counts.explained, gcm!.numberOfTests)
  assert.ok(counts.explained <= 30 && counts.expected >= 286, JSON.stringify(counts))
  console.log(
    `AES-GCM, engine: ${counts.expected} as expected, ${counts.explained} nonces too short for it, 0 unexplained`,
  )
})

test('AES-GCM of WebCrypto, which seals for the mock: Wycheproof, the whole file', {
  skip: gcm === undefined && ABSENT,
}, async () => {
  // Some runtimes take nonces of a few lengths alone; all take 96 bits.
  const counts = await wholeFile(
    async (raw, iv, sealed, additionalData) => {
      const [rawKey, bytes, data, nonce] = [raw, sealed, additionalData, iv].map(part => Uint8Array.from(part))
      const key = await crypto.subtle.importKey('raw', rawKey!, 'AES-GCM', false, ['decrypt'])
      return new Uint8Array(
        await crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce!, additionalData: data! }, key, bytes!),
      )
    },
    ({ ivSize }) => ivSize === 96,
  )
  assert.deepEqual(counts.unexplained, [])
  assert.equal(counts.expected + counts.explained, gcm!.numberOfTests)
  console.log(
    `AES-GCM, WebCrypto: ${counts.expected} as expected, ${counts.explained} other nonces refused, 0 unexplained`,
  )
})

interface EcdsaFile {
  numberOfTests: number
  testGroups: {
    publicKey: { uncompressed: string }
    tests: { tcId: number; msg: string; sig: string; result: string; comment: string }[]
  }[]
}

const ecdsa = vectors('ecdsa_secp256k1_sha256_test.json') as EcdsaFile | undefined
test('local-kms ECDSA secp256k1: Wycheproof', { skip: ecdsa === undefined && ABSENT }, () => {
  let count = 0
  for (const { publicKey, tests } of ecdsa!.testGroups) {
    for (const { tcId, msg, sig, result, comment } of tests) {
      const digest = new Uint8Array(createHash('sha256').update(hex(msg)).digest())
      const verified = verifyEcdsa('secp256k1', hex(publicKey.uncompressed), digest, hex(sig))
      assert.equal(verified, result === 'valid', `case ${tcId}: ${comment}`)
      count++
    }
  }
  assert.equal(count, ecdsa!.numberOfTests)
  console.log(`ECDSA secp256k1 SHA-256, local-kms: ${count} cases as expected, 0 unexplained`)
})

test('local-kms AES-256-GCM: NIST GCM test cases 14 and 16', () => {
  const zero = new Uint8Array(32)
  const sealed = gcmSeal(zero, zero.subarray(0, 12), zero.subarray(0, 16), new Uint8Array(0))
  assert.equal(toHex(sealed), 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919')
  const key = hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308')
  const iv = hex('cafebabefacedbaddecaf888')
  const aad = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2')
  const message = hex(
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  )
  const expected =
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
    '76fc6ece0f4e1768cddf8853bb2d551b'
  assert.equal(toHex(gcmSeal(key, iv, message, aad)), expected)
  assert.equal(toHex(gcmOpen(key, iv, hex(expected), aad)), toHex(message))
  assert.equal(gcmOpen(key, iv, hex(expected), aad.subarray(1)), undefined)
})
