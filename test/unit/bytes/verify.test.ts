import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import * as fc from 'fast-check'
import { nativeEd25519 } from '../../../src/bytes/ed25519-native.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'
import { checkPin, verifySignature } from '../../../src/bytes/verify.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import type { SignInput } from '../../../src/domain/provider.ts'
import { libsodiumVerify } from '../../support/libsodium-oracle.ts'
import { sharedVectors, type WycheproofFile } from '../../support/shared-vectors.ts'
import speccheck from '../../vectors/ed25519-speccheck/cases.json' with { type: 'json' }
import { edgeVectors, join, littleEndian, smallOrderEncodings, toLittleEndian } from './edge-points.ts'

const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array
const webCryptoOnly = nativeEd25519({ crypto: globalThis.crypto })
const pure = (message: Uint8Array): SignInput => ({ scheme: 'ed25519', message })
const hashed = (digest: Uint8Array): SignInput => ({ scheme: 'ecdsa-secp256k1', digest: digest32(digest) })

const RFC8032 = {
  publicKey: bytes('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'),
  message: new Uint8Array(),
  signature: bytes(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ),
}
const RFC6979 = {
  publicKey: secp256k1.getPublicKey(toLittleEndian(1n).toReversed(), false),
  digest: sha256(new TextEncoder().encode('Everything should be made as simple as possible, but not simpler.')),
  signature: bytes(
    '33a69cd2065432a30f3d1ce4eb0d59b8ab58c74f27c41a7fdb5696ad4e6108c96f807982866f785d3f6418d24163ddae117b7db4d5fdf0071de069fa54342262',
  ),
}
const EIP155 = {
  publicKey: secp256k1.getPublicKey(new Uint8Array(32).fill(0x46), false),
  digest: bytes('daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53'),
  signature: bytes(
    '28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa63627667cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
  ),
}

test('R-09: the published signature of RFC 8032 verifies, on the native engine and on WebCrypto', async () => {
  assert.equal(await verifySignature(pure(RFC8032.message), RFC8032.publicKey, RFC8032.signature), true)
  assert.equal(await verifySignature(pure(RFC8032.message), RFC8032.publicKey, RFC8032.signature, webCryptoOnly), true)
})

test('R-09: the published signatures of RFC 6979 and EIP-155 verify', async () => {
  for (const { publicKey, digest, signature } of [RFC6979, EIP155]) {
    assert.equal(await verifySignature(hashed(digest), publicKey, signature), true)
  }
})

test('R-09 T39: ed25519-speccheck gives the row of libsodium, XXXVXXXXXXXX', async () => {
  for (const engine of [undefined, webCryptoOnly]) {
    let row = ''
    for (const { message, publicKey, signature } of speccheck) {
      const verified = await verifySignature(pure(bytes(message)), bytes(publicKey), bytes(signature), engine)
      row += verified ? 'V' : 'X'
    }
    assert.equal(row, 'XXXVXXXXXXXX')
  }
})

test('R-09 T39: every odd pair of points is judged as libsodium judges it; 43 are accepted', async () => {
  const oracle = await libsodiumVerify()
  const vectors = edgeVectors()
  let accepted = 0
  for (const vector of vectors) {
    const { publicKey, message, signature } = vector
    const ours = await verifySignature(pure(message), publicKey, signature)
    assert.equal(await verifySignature(pure(message), publicKey, signature, webCryptoOnly), ours)
    assert.equal(ours, oracle(publicKey, message, signature), toHex(join([publicKey, signature])))
    assert.equal(ours, !(vector.smallOrder || vector.oddEncoding || vector.residue))
    if (ours) accepted++
  }
  assert.equal(vectors.length, 1112)
  assert.equal(accepted, 43)
})

test('T39: S at or above the group order is refused, whatever the engine says', async () => {
  const order = ed25519.Point.Fn.ORDER
  const s = littleEndian(RFC8032.signature.slice(32))
  const agreeable = (): boolean => true
  for (const bad of [s + order, order, order + 1n, 2n ** 256n - 1n]) {
    const signature = join([RFC8032.signature.slice(0, 32), toLittleEndian(bad)])
    assert.equal(await verifySignature(pure(RFC8032.message), RFC8032.publicKey, signature, agreeable), false)
  }
  const last = join([RFC8032.signature.slice(0, 32), toLittleEndian(order - 1n)])
  assert.equal(await verifySignature(pure(RFC8032.message), RFC8032.publicKey, last, agreeable), true)
})

test('T39: small-order and non-canonical points are refused as key and as R, whatever the engine says', async () => {
  const agreeable = async (): Promise<boolean> => true
  const odd = [...smallOrderEncodings()]
  for (let y = 0; y < 19; y++) {
    for (const top of [0x7f, 0xff]) odd.push(Uint8Array.of(0xed + y, ...Array.from({ length: 30 }, () => 0xff), top))
  }
  for (const point of odd) {
    const signature = join([point, RFC8032.signature.slice(32)])
    assert.equal(await verifySignature(pure(RFC8032.message), RFC8032.publicKey, signature, agreeable), false)
    assert.equal(await verifySignature(pure(RFC8032.message), point, RFC8032.signature, agreeable), false)
    assert.throws(() => checkPin('ed25519', point, 'treasury'), { code: 'key/mismatch' })
  }
})

test('R-15 T37: every single-bit flip of a signature and every swapped key is refused, both curves', async () => {
  const cases = [
    { input: pure(RFC8032.message), other: pure(Uint8Array.of(1)), ...RFC8032 },
    { input: hashed(EIP155.digest), other: hashed(RFC6979.digest), ...EIP155 },
  ]
  const swapped = [ed25519.getPublicKey(new Uint8Array(32).fill(1)), RFC6979.publicKey]
  let accepted = 0
  for (const [index, { input, other, publicKey, signature }] of cases.entries()) {
    for (let bit = 0; bit < 512; bit++) {
      const flipped = signature.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      if (await verifySignature(input, publicKey, flipped)) accepted++
    }
    if (await verifySignature(input, swapped[index] ?? new Uint8Array(), signature)) accepted++
    if (await verifySignature(other, publicKey, signature)) accepted++
  }
  assert.equal(accepted, 0)
})

/** A curve; R-15 asks for the larger count at night. */
const MUTANTS = process.env['COUNTERSIGN_TEST_LONG'] === undefined ? 2_048 : 100_000

test(`R-15: ${MUTANTS} mutated signatures a curve, 0 accepted; the unchanged ones are`, async () => {
  const edit = fc.tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 1, max: 255 }))
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter(s => s.some(byte => byte !== 0 && byte !== 255))
  const sample = fc.record({ seed, message: fc.uint8Array({ minLength: 32, maxLength: 32 }) })
  const signers = fc.sample(sample, { numRuns: 8, seed: 15 }).flatMap(({ seed, message }) => [
    { input: pure(message), publicKey: ed25519.getPublicKey(seed), signature: ed25519.sign(message, seed) },
    {
      input: hashed(message),
      publicKey: secp256k1.getPublicKey(seed, false),
      signature: secp256k1.sign(message, seed, { prehash: false }),
    },
  ])
  for (const { input, publicKey, signature } of signers) {
    assert.equal(await verifySignature(input, publicKey, signature), true)
    const edits = fc.array(edit, { minLength: 1, maxLength: 4 })
    for (const changes of fc.sample(edits, { numRuns: MUTANTS / 8, seed: 36 })) {
      const mutant = signature.slice()
      for (const [at, value] of changes) mutant[at] = (mutant[at] ?? 0) ^ value
      if (toHex(mutant) === toHex(signature)) continue
      assert.equal(await verifySignature(input, publicKey, mutant), false, toHex(mutant))
    }
  }
})

test('T36: a high s is refused, although the equation holds', async () => {
  const order = secp256k1.Point.Fn.ORDER
  const s = littleEndian(EIP155.signature.slice(32).toReversed())
  const high = join([EIP155.signature.slice(0, 32), toLittleEndian(order - s).toReversed()])
  assert.equal(secp256k1.verify(high, EIP155.digest, EIP155.publicKey, { prehash: false, lowS: false }), true)
  assert.equal(await verifySignature(hashed(EIP155.digest), EIP155.publicKey, high), false)
})

test('T40: inputs of another length or type are not verified, and nothing throws', async () => {
  for (const signature of [new Uint8Array(), RFC8032.signature.slice(0, 63), new Uint8Array(65), new Uint8Array(64)]) {
    assert.equal(await verifySignature(pure(RFC8032.message), RFC8032.publicKey, signature), false)
    assert.equal(await verifySignature(hashed(EIP155.digest), EIP155.publicKey, signature), false)
  }
  for (const publicKey of [new Uint8Array(), EIP155.publicKey.slice(0, 33), new Uint8Array(65)]) {
    assert.equal(await verifySignature(pure(RFC8032.message), publicKey, RFC8032.signature), false)
    assert.equal(await verifySignature(hashed(EIP155.digest), publicKey, EIP155.signature), false)
  }
  const short = { scheme: 'ecdsa-secp256k1', digest: new Uint8Array(31) } as unknown as SignInput
  assert.equal(await verifySignature(short, EIP155.publicKey, EIP155.signature), false)
  const noBytes = { scheme: 'ecdsa-secp256k1', digest: { length: 32 } } as unknown as SignInput
  assert.equal(await verifySignature(noBytes, EIP155.publicKey, EIP155.signature), false)
  const unknown = { scheme: 'rsa', message: RFC8032.message } as unknown as SignInput
  assert.equal(await verifySignature(unknown, RFC8032.publicKey, RFC8032.signature), false)
})

test('T37: an engine that throws, rejects or answers with something else has not verified', async () => {
  const answers = [
    () => {
      throw new Error('broken')
    },
    () => Promise.reject(new Error('broken')),
    () => 1 as unknown as boolean,
    () => Promise.resolve('yes') as unknown as Promise<boolean>,
    () => undefined as unknown as boolean,
    () => false,
  ]
  for (const engine of answers) {
    assert.equal(await verifySignature(pure(RFC8032.message), RFC8032.publicKey, RFC8032.signature, engine), false)
  }
})

test('T39: a pin of the wrong length, off the curve or with a small-order part is refused by name', () => {
  checkPin('ed25519', RFC8032.publicKey, 'treasury')
  checkPin('ecdsa-secp256k1', EIP155.publicKey, 'deployer')
  const offCurve = new Uint8Array(32).fill(2, 0, 1)
  const mixed = ed25519.Point.fromHex(toHex(RFC8032.publicKey))
    .add(ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'))
    .toBytes()
  const refused: [Parameters<typeof checkPin>[0], Uint8Array, RegExp][] = [
    ['ed25519', new Uint8Array(31), /31 bytes/],
    ['ed25519', EIP155.publicKey, /65 bytes/],
    ['ed25519', offCurve, /not a point/],
    ['ed25519', mixed, /small-order part/],
    ['ecdsa-secp256k1', secp256k1.getPublicKey(new Uint8Array(32).fill(1), true), /33 bytes/],
    ['ecdsa-secp256k1', new Uint8Array(65), /not a point/],
    ['ecdsa-secp256k1', Uint8Array.of(4, ...Array.from({ length: 64 }, () => 7)), /not a point/],
    ['ecdsa-secp256k1', Uint8Array.of(6, ...EIP155.publicKey.slice(1)), /not a point/],
  ]
  for (const [scheme, publicKey, reason] of refused) {
    assert.throws(
      () => checkPin(scheme, publicKey, 'treasury'),
      error =>
        isSignerError(error) &&
        error.code === 'key/mismatch' &&
        error.detail.key === 'treasury' &&
        reason.test(error.detail.reason),
    )
  }
})

interface Group {
  readonly publicKey: { readonly pk?: string }
  readonly tests: readonly { msg: string; sig: string; result: string; tcId: number }[]
}
const wycheproof = sharedVectors('wycheproof/ed25519_test.json')
const published = wycheproof.data as WycheproofFile<Group> | undefined

test('R-08: Wycheproof Ed25519, no mismatch', { skip: wycheproof.skip }, async () => {
  let seen = 0
  for (const group of published?.testGroups ?? []) {
    for (const { msg, sig, result, tcId } of group.tests) {
      const verified = await verifySignature(pure(bytes(msg)), bytes(group.publicKey.pk ?? ''), bytes(sig))
      assert.equal(verified, result === 'valid', `tcId ${tcId}`)
      seen++
    }
  }
  assert.equal(seen, published?.numberOfTests)
})
