import assert from 'node:assert/strict'
import { constants, generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { test } from 'node:test'
import { aeskwp } from '@noble/ciphers/aes.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { abandon, wrapForImport } from '../../../providers/key-import.ts'
import { wrapKey } from '../../../providers/key-wrap.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import type { ImportKey } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { providerWorld } from '../../support/provider-world.ts'

const RSA = generateKeyPairSync('rsa', { modulusLength: 3072 })
const spkiOf = (key: typeof RSA.publicKey): Uint8Array => new Uint8Array(key.export({ type: 'spki', format: 'der' }))
const SPKI = spkiOf(RSA.publicKey)
const seed = new Uint8Array(32).fill(0x42)
const what = (wrap?: ImportKey['wrap']): ImportKey => ({
  scheme: 'ed25519',
  label: 'x',
  key: new SecretBytes(seed.slice(), 'seed'),
  publicKey: ed25519.getPublicKey(seed),
  ...(wrap === undefined ? {} : { wrap }),
})
const oaep = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(
    privateDecrypt({ key: RSA.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, bytes),
  )
const PKCS8 = `302e020100300506032b657004220420${toHex(seed)}`
const { random } = providerWorld()

test('RFC 5649 §6: the AES step gives the published bytes, and for any length what another implementation opens', () => {
  const kek = fromHex('5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8')
  const material = fromHex('c37b7e6492584340bed12207808941155068f738')
  assert.ok(kek !== undefined && material !== undefined)
  assert.equal(toHex(wrapKey(kek, material)), '138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a')
  for (let length = 9; length <= 160; length++) {
    const [key, bytes] = [random.bytes(32), random.bytes(length)]
    assert.equal(toHex(wrapKey(key, bytes)), toHex(aeskwp(key).encrypt(bytes)), `${length} bytes`)
  }
  assert.throws(() => wrapKey(kek, material.subarray(0, 8)), RangeError)
})

test('M-66 both wrappings open to the PKCS#8 of the key, and the AES key is drawn fresh and wiped', async () => {
  const drawn: Uint8Array[] = []
  const drawing = {
    bytes: (length: number) => {
      const bytes = random.bytes(length)
      drawn.push(bytes)
      return bytes
    },
  }
  const wrapped = await wrapForImport(what(), { spki: SPKI, bits: 3072 }, drawing)
  assert.ok(wrapped)
  const aes = oaep(wrapped.subarray(0, 384))
  assert.equal(aes.length, 32)
  assert.equal(toHex(aeskwp(aes).decrypt(wrapped.subarray(384))), PKCS8)
  assert.deepEqual(
    drawn.map(bytes => [bytes.length, bytes.every(byte => byte === 0)]),
    [[32, true]],
  )
  const direct = await wrapForImport(what('rsa-oaep'), { spki: SPKI, bits: 3072 }, drawing)
  assert.equal(toHex(oaep(direct ?? new Uint8Array())), PKCS8)
  assert.equal(drawn.length, 1)
  const again = await wrapForImport(what(), { spki: SPKI, bits: 3072 }, drawing)
  assert.notEqual(toHex(again ?? new Uint8Array()), toHex(wrapped))
})

test('M-66 a key of another length, kind or exponent wraps nothing', async () => {
  const short = spkiOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)
  const odd = spkiOf(generateKeyPairSync('rsa', { modulusLength: 3072, publicExponent: 3 }).publicKey)
  const curve = new Uint8Array(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' }),
  )
  for (const spki of [short, odd, curve, new Uint8Array(), SPKI.subarray(1), Uint8Array.from([...SPKI, 0])]) {
    assert.equal(await wrapForImport(what(), { spki, bits: 3072 }, random), undefined)
  }
  assert.equal(await wrapForImport(what(), { spki: SPKI, bits: 4096 }, random), undefined)
})

test('M-60 cleaning up is tried again, has an end of its own, and what it leaves is named once', async () => {
  const world = providerWorld()
  const cause = new SignerError('provider/unavailable', { provider: 'p', reason: 'GetPublicKey: away' })
  const about = { left: 'arn:x', requestId: 'r', cause }
  let tries = 0
  const third = async (): Promise<void> => {
    if (++tries < 3) throw new Error('not yet')
  }
  await assert.rejects(abandon(world, about, third), error => error === cause)
  const never = () => Promise.reject(new Error('vendor words'))
  await assert.rejects(abandon(world, about, never), {
    code: 'provider/ambiguous',
    detail: {
      provider: 'p',
      reason: 'GetPublicKey: away; arn:x may hold the key and could not be destroyed: do it by hand',
    },
  })
  const mismatch = new SignerError('key/mismatch', { key: 'arn:x', reason: 'another' })
  await assert.rejects(abandon(world, { ...about, cause: mismatch }, never), { code: 'key/mismatch' })
  const fault = new TypeError('ours')
  await assert.rejects(abandon(world, { ...about, cause: fault }, never), error => error === fault)
  // A service that says nothing: the clock ends it.
  const late = { clock: { ...world.clock, sleep: async () => {} } }
  const silent = ({ signal }: { signal: AbortSignal }) =>
    new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  await assert.rejects(abandon(late, about, silent), { code: 'provider/ambiguous' })
})
