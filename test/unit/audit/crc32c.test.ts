import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c as witness } from '@aws-crypto/crc32c'
import { crc32c } from '../../../src/audit/crc32c.ts'
import { seeded } from '../../support/audit-world.ts'

test('CRC32C gives the values of RFC 3720 appendix B.4 and the check value', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, n) => n)
  // The RFC prints the bytes as they stand in a packet, least significant first.
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43)
  assert.equal(crc32c(ascending), 0x46dd794e)
  assert.equal(crc32c(ascending.toReversed()), 0x113fdb5c)
  assert.equal(crc32c(new TextEncoder().encode('123456789')), 0xe3069283)
  assert.equal(crc32c(new Uint8Array()), 0)
})

test('CRC32C agrees with a second implementation on 5,000 random ranges', () => {
  const draw = seeded(1)
  for (let n = 0; n < 5_000; n++) {
    const bytes = Uint8Array.from({ length: Math.floor(draw() * 400) }, () => Math.floor(draw() * 256))
    const from = Math.floor(draw() * bytes.length)
    const to = from + Math.floor(draw() * (bytes.length - from + 1))
    assert.equal(crc32c(bytes, from, to), witness(bytes.subarray(from, to)))
  }
})

test('CRC32C notices every changed byte value at every place', () => {
  const bytes = Uint8Array.from({ length: 41 }, (_, n) => n * 7)
  const sound = crc32c(bytes)
  for (let at = 0; at < bytes.length; at++) {
    const was = bytes[at]!
    for (let value = 0; value < 256; value++) {
      bytes[at] = value
      assert.equal(crc32c(bytes) === sound, value === was)
    }
    bytes[at] = was
  }
})
