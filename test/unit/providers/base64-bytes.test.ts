import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeBase64Bytes, encodeBase64Bytes } from '../../../providers/base64-bytes.ts'
import { fromBase64 } from '../../../src/bytes/base64.ts'

const ascii = (text: string): Uint8Array => Uint8Array.from(text, c => c.charCodeAt(0))

test('RFC 4648 §10 vectors decode', () => {
  for (const [text, plain] of [
    ['', ''],
    ['Zg==', 'f'],
    ['Zm8=', 'fo'],
    ['Zm9v', 'foo'],
    ['Zm9vYg==', 'foob'],
    ['Zm9vYmE=', 'fooba'],
    ['Zm9vYmFy', 'foobar'],
  ] as const) {
    assert.deepEqual(decodeBase64Bytes(ascii(text)), ascii(plain), text)
  }
})

test('all bytes come back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      assert.deepEqual(decodeBase64Bytes(ascii(Buffer.from(bytes).toString('base64'))), bytes)
    }),
  )
})

test('every byte outside the alphabet is refused at every place', () => {
  const alphabet = new Set(ascii('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'))
  for (let byte = 0; byte < 256; byte++) {
    for (let at = 0; at < 4; at++) {
      const text = ascii('QUJDREVG')
      text[at] = byte
      assert.equal(decodeBase64Bytes(text) !== undefined, alphabet.has(byte), `byte ${byte} at ${at}`)
    }
  }
})

test('padding in odd places, left-over bits, white space and cut text are refused', () => {
  for (const text of [
    'Zg=',
    'Zg',
    'Z',
    'Z===',
    '====',
    'Zh==',
    'Zm9=',
    'Zm9v\n',
    ' Zm9v',
    'Zg==Zg==',
    '=Zg=',
    'Z=g=',
    'Zm-_',
  ]) {
    assert.equal(decodeBase64Bytes(ascii(text)), undefined, text)
  }
})

test('agrees with the text decoder, which was written apart from it, on anything near base64', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'AQgw/+=09zZ.-_ '.split('')), maxLength: 12 }), text => {
      assert.deepEqual(decodeBase64Bytes(ascii(text)), fromBase64(text))
    }),
    { numRuns: 3_000 },
  )
})

test('what is encoded is what every encoder gives, and decodes to itself, for each length and each character', () => {
  for (let length = 0; length <= 100; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 83 + length * 29) & 0xff)
    const text = encodeBase64Bytes(bytes)
    assert.equal(Buffer.from(text).toString('latin1'), Buffer.from(bytes).toString('base64'))
    assert.deepEqual(decodeBase64Bytes(text), bytes)
  }
  const every = Uint8Array.from({ length: 48 }, (_, i) =>
    Number.parseInt(
      Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'base64')
        .toString('hex')
        .slice(i * 2, i * 2 + 2),
      16,
    ),
  )
  assert.equal(
    Buffer.from(encodeBase64Bytes(every)).toString(),
    'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  )
})
