import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { fromBase64, fromBase64Url, toBase64, toBase64Url } from '../../../src/bytes/base64.ts'
import { equalBytes } from '../../../src/bytes/equal.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { randomId } from '../../../src/bytes/ids.ts'
import { secretRoom } from '../../../src/bytes/secret-room.ts'
import { sha256 } from '../../../src/bytes/sha256.ts'

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

test('base64: the vectors of RFC 4648 §10, both ways', () => {
  const vectors = {
    '': '',
    f: 'Zg==',
    fo: 'Zm8=',
    foo: 'Zm9v',
    foob: 'Zm9vYg==',
    fooba: 'Zm9vYmE=',
    foobar: 'Zm9vYmFy',
  }
  for (const [plain, encoded] of Object.entries(vectors)) {
    assert.equal(toBase64(ascii(plain)), encoded)
    assert.deepEqual(fromBase64(encoded), ascii(plain))
    assert.equal(toBase64Url(ascii(plain)), encoded.replaceAll('=', ''))
    assert.deepEqual(fromBase64Url(encoded.replaceAll('=', '')), ascii(plain))
  }
  assert.equal(toBase64(Uint8Array.of(0xfb, 0xff)), '+/8=')
  assert.equal(toBase64Url(Uint8Array.of(0xfb, 0xff)), '-_8')
})

test('T09: a text that is not the one spelling of its bytes is no base64', () => {
  const refused = [
    'Zg',
    'Zg=',
    'Zg===',
    '====',
    '=',
    'Zh==',
    'Zm9=',
    'Zm9v ',
    ' Zm9v',
    'Zm9v\n',
    'Zm-v',
    'Zm_v',
    'Z=g=',
  ]
  for (const text of [...refused, 'Zg==Zg==', 'Zm9vé', 'Zm9\u0000', 'ÿÿÿÿ', 'Zm9v====']) {
    assert.equal(fromBase64(text), undefined, text)
  }
  for (const text of ['Zh', 'Z', 'Zm9vZ', 'Zg==', 'Zm9=', 'Zm+v', 'Zm/v', 'Zm9v ', 'é']) {
    assert.equal(fromBase64Url(text), undefined, text)
  }
})

test('T09: base64 and base64url, property: what decodes encodes to the same text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
      assert.deepEqual(fromBase64(toBase64(bytes)), bytes)
      assert.deepEqual(fromBase64Url(toBase64Url(bytes)), bytes)
    }),
  )
  const letters = fc.constantFrom(...Array.from('ABCQgwZz019+/-_= \n'))
  fc.assert(
    fc.property(fc.string({ unit: letters, maxLength: 12 }), text => {
      const standard = fromBase64(text)
      if (standard !== undefined) assert.equal(toBase64(standard), text)
      const url = fromBase64Url(text)
      if (url !== undefined) assert.equal(toBase64Url(url), text)
    }),
    { numRuns: 2_000 },
  )
})

test('hex: both ways, each case for itself, nothing else', () => {
  const every = Uint8Array.from({ length: 256 }, (_, value) => value)
  const text = toHex(every)
  assert.equal(text.slice(0, 8), '00010203')
  assert.deepEqual(fromHex(text), every)
  assert.deepEqual(fromHex(text, 'lower'), every)
  assert.deepEqual(fromHex(text.toUpperCase(), 'upper'), every)
  assert.deepEqual(fromHex('aAbB'), Uint8Array.of(0xaa, 0xbb))
  assert.equal(fromHex('AA', 'lower'), undefined)
  assert.equal(fromHex('aa', 'upper'), undefined)
  for (const bad of ['0', '0x00', ' 00', '0g', 'g0', '-1', '0\n', '@@', '``'])
    assert.equal(fromHex(bad), undefined, bad)
})

test('equalBytes: equal in length and in every bit, or not equal', () => {
  const bytes = Uint8Array.of(1, 2, 3)
  assert.equal(equalBytes(bytes, Uint8Array.of(1, 2, 3)), true)
  assert.equal(equalBytes(new Uint8Array(), new Uint8Array()), true)
  assert.equal(equalBytes(bytes, Uint8Array.of(1, 2)), false)
  for (let bit = 0; bit < 24; bit++) {
    const other = bytes.slice()
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.equal(equalBytes(bytes, other), false)
  }
})

test('sha256: FIPS 180-4 examples, in one part and in several', () => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  assert.equal(toHex(sha256(ascii('abc'))), abc)
  assert.equal(toHex(sha256(ascii('a'), ascii(''), ascii('bc'))), abc)
  assert.equal(toHex(sha256()), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  const network = ascii('Test SDF Network ; September 2015')
  assert.equal(toHex(sha256(network)), 'cee0302d59844d32bdca915c8203dd44b33fbb7edc19051ea37abedf28ecd472')
})

test('randomId: the prefix and all 128 bits it was given', () => {
  const random = { bytes: (length: number) => Uint8Array.from({ length }, (_, at) => at) }
  assert.equal(randomId(random, 'req'), 'req_000102030405060708090a0b0c0d0e0f')
})

test('T02: room for a secret lies over a buffer of its own', () => {
  const room = secretRoom(32)
  assert.equal(room.length, 32)
  assert.equal(room.buffer.byteLength, 32)
})
