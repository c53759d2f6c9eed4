import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { ed25519FromSpki, ed25519ToSpki, secp256k1FromSpki, secp256k1ToSpki } from '../../../src/bytes/spki.ts'

const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array
const ed25519Key = bytes('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
const secp256k1Key = secp256k1.getPublicKey(new Uint8Array(32).fill(0x46), false)

test('SPKI of both curves, both ways', () => {
  assert.equal(toHex(ed25519ToSpki(ed25519Key)), `302a300506032b6570032100${toHex(ed25519Key)}`)
  assert.deepEqual(ed25519FromSpki(ed25519ToSpki(ed25519Key)), ed25519Key)
  assert.deepEqual(secp256k1FromSpki(secp256k1ToSpki(secp256k1Key)), secp256k1Key)
  const foreign = new Uint8Array(generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }))
  assert.deepEqual(ed25519FromSpki(foreign), foreign.slice(12))
})

test('SPKI: a changed header, another length or another curve is refused', () => {
  const kinds = [
    [ed25519ToSpki(ed25519Key), ed25519FromSpki, 12],
    [secp256k1ToSpki(secp256k1Key), secp256k1FromSpki, 23],
  ] as const
  for (const [spki, read, header] of kinds) {
    for (let at = 0; at < header; at++) {
      const changed = spki.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      assert.equal(read(changed), undefined)
    }
    assert.equal(read(Uint8Array.of(...spki, 0)), undefined)
    assert.equal(read(spki.slice(0, -1)), undefined)
    assert.equal(read(new Uint8Array()), undefined)
  }
  const p256 = new Uint8Array(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' }),
  )
  assert.equal(secp256k1FromSpki(p256), undefined)
  assert.equal(ed25519FromSpki(secp256k1ToSpki(secp256k1Key)), undefined)
})

test('T39: a secp256k1 point that is compressed, hybrid or off the curve is refused', () => {
  const offCurve = secp256k1Key.slice()
  offCurve[64] = (offCurve[64] ?? 0) ^ 1
  const hybrid = Uint8Array.of(6, ...secp256k1Key.slice(1))
  for (const point of [offCurve, hybrid, new Uint8Array(65)]) {
    assert.equal(secp256k1FromSpki(secp256k1ToSpki(point)), undefined)
  }
})

test('SPKI: a key of the wrong length is not encoded', () => {
  assert.throws(() => ed25519ToSpki(new Uint8Array(31)), RangeError)
  assert.throws(() => secp256k1ToSpki(new Uint8Array(33)), RangeError)
})
