import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { fromBase64 } from '../../../src/bytes/base64.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { spkiFromPem } from '../../../src/bytes/pem.ts'
import { toPkcs8 } from '../../../src/bytes/pkcs8.ts'
import { openSeed } from '../../../src/custody/seed.ts'

/** RFC 8410 §10.3, the first private key. */
const RFC_8410 = 'MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC'

test('PKCS#8 of Ed25519 is that of RFC 8410 §10.3, and Node reads it', () => {
  const wanted = fromBase64(RFC_8410)
  assert.ok(wanted)
  const seed = wanted.slice(-32)
  const written = toPkcs8('ed25519', seed, ed25519.getPublicKey(seed))
  assert.equal(toHex(written), toHex(wanted))
  const read = createPrivateKey({ key: Buffer.from(written), format: 'der', type: 'pkcs8' })
  assert.equal(read.asymmetricKeyType, 'ed25519')
})

test('PKCS#8 of secp256k1 is as OpenSSL writes it, public key included', () => {
  const key = new Uint8Array(32).fill(0x46)
  // openssl pkcs8 -topk8 -nocrypt -outform der, of the key of the EIP-155 example
  const wanted = `308184020100301006072a8648ce3d020106052b8104000a046d306b0201010420${'46'.repeat(32)}a144034200044bc2a31265153f07e70e0bab08724e6b85e217f8cd628ceb62974247bb493382ce28cab79ad7119ee1ad3ebcdb98a16805211530ecc6cfefa1b88e6dff99232a`
  assert.equal(toHex(toPkcs8('ecdsa-secp256k1', key, secp256k1.getPublicKey(key, false))), wanted)
})

test('what is written is read back, and its public half with it', () => {
  for (let n = 0; n < 50; n++) {
    const key = secp256k1.utils.randomSecretKey()
    const point = secp256k1.getPublicKey(key, false)
    const opened = openSeed('ecdsa-secp256k1', toPkcs8('ecdsa-secp256k1', key, point))
    assert.deepEqual(
      [opened?.seed, opened?.statedPublicKey].map(bytes => toHex(bytes ?? new Uint8Array())),
      [toHex(key), toHex(point)],
    )
    assert.equal(openSeed('ed25519', toPkcs8('ecdsa-secp256k1', key, point)), undefined)
  }
})

test('another length is refused and nothing of it is echoed', () => {
  for (const [key, point] of [
    [31, 65],
    [33, 65],
    [32, 33],
  ] as const) {
    assert.throws(() => toPkcs8('ecdsa-secp256k1', new Uint8Array(key).fill(7), new Uint8Array(point)), RangeError)
  }
  assert.throws(() => toPkcs8('ed25519', new Uint8Array(64), new Uint8Array(32)), RangeError)
})

test('PEM of a public key is read strictly (RFC 7468 §13)', () => {
  const der = fromHex('302a300506032b6570032100'.padEnd(88, '7')) ?? new Uint8Array()
  const body = Buffer.from(der).toString('base64')
  const pem = `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----\n`
  assert.equal(toHex(spkiFromPem(pem) ?? new Uint8Array()), toHex(der))
  assert.equal(toHex(spkiFromPem(pem.replaceAll('\n', '\r\n')) ?? new Uint8Array()), toHex(der))
  for (const bad of [
    '',
    body,
    pem.replace('PUBLIC', 'PRIVATE'),
    `${pem}${pem}`,
    pem.replace(body, `${body}!`),
    `x\n${pem}`,
  ]) {
    assert.equal(spkiFromPem(bad), undefined)
  }
})
