import assert from 'node:assert/strict'
import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { test } from 'node:test'
import { aeskwp } from '@noble/ciphers/aes.js'
import { encodePkcs8 } from '../../local-kms/core/der.ts'
import { b64, serve, type Served, TRANSIT } from './vault-support.ts'

/** RSA-OAEP of a fresh AES key, then AES-KWP of the material under it. */
async function wrapper(served: Served): Promise<(material: Uint8Array, hash?: string) => string> {
  const key: string = (await served.call('GET', 'transit/wrapping_key')).json.data.public_key
  return (material, oaepHash = 'sha256') => {
    const ephemeral = randomBytes(32)
    const wrapped = publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, ephemeral)
    return Buffer.concat([wrapped, aeskwp(ephemeral).encrypt(material)]).toString('base64')
  }
}
const der = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }))
const spki = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' })
// The wrapping key is RSA-4096, which takes its time on a busy machine
const TIMEOUT = { timeout: 60_000 }
const SEED = new Uint8Array(32).fill(7)
const ED_DER = encodePkcs8('ed25519', SEED, new Uint8Array(0))
const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ED = generateKeyPairSync('ed25519')
const framed = (text: string) => ({ errors: [`1 error occurred:\n\t* ${text}\n\n`] })

test('Vault face: imports of every kind and hash, and what the keys then do', TIMEOUT, async () => {
  const served = await serve({ seed: TRANSIT })
  const { call } = served
  const wrap = await wrapper(served)
  const put = (name: string, body: object) => call('POST', `transit/keys/${name}/import`, body)
  for (const hash of ['SHA1', 'SHA224', 'SHA256', 'SHA384', 'SHA512']) {
    const body = { type: 'ed25519', hash_function: hash, ciphertext: wrap(ED_DER, hash.toLowerCase()) }
    assert.equal((await put(`ed-${hash}`, body)).status, 204, hash)
  }
  const sign = async (name: string) =>
    (await call('POST', `transit/sign/${name}`, { input: b64('x') })).json.data.signature
  assert.equal(await sign('ed-SHA1'), await sign('ed-SHA512'))
  const kinds: [string, string, Uint8Array][] = [
    ['aes', 'aes256-gcm96', SEED],
    ['aes128', 'aes128-gcm96', SEED.subarray(16)],
    ['mac', 'hmac', SEED],
    ['p256', 'ecdsa-p256', der(P256.privateKey)],
    ['p384', 'ecdsa-p384', der(P384.privateKey)],
    ['rsa', 'rsa-2048', der(RSA.privateKey)],
  ]
  for (const [name, type, material] of kinds) {
    const answer = await put(name, { type, ciphertext: wrap(material), exportable: true, allow_plaintext_backup: true })
    assert.equal(answer.status, 204, `${type} ${answer.text}`)
  }
  const shown = (await call('GET', 'transit/keys/p256')).json.data
  assert.equal(shown.keys['1'].public_key, spki(P256.publicKey))
  assert.equal(shown.imported_key, true)
  const exported = await call('GET', 'transit/export/signing-key/p384?format=der')
  assert.equal(createPublicKey(P384.privateKey).equals(P384.publicKey), true)
  assert.ok(Buffer.from(exported.json.data.keys['1'], 'base64').length > 100)
  assert.deepEqual(
    (await call('POST', 'transit/keys/p256/rotate')).json,
    framed('imported key p256 does not allow rotation within Vault'),
  )
  const { backup } = (await call('GET', 'transit/backup/aes')).json.data
  const { ciphertext } = (await call('POST', 'transit/encrypt/aes', { plaintext: b64('y') })).json.data
  assert.equal((await call('POST', 'transit/restore/again', { backup })).status, 204)
  assert.equal((await call('POST', 'transit/decrypt/again', { ciphertext })).json.data.plaintext, b64('y'))
  const foreign = Buffer.from('{"policy":{}}').toString('base64')
  assert.match((await call('POST', 'transit/restore/x', { backup: foreign })).json.errors[0], /restores its own/)
})

test('Vault face: imports that do not fit are refused in the server’s words', TIMEOUT, async () => {
  const served = await serve({ seed: TRANSIT })
  const wrap = await wrapper(served)
  const broken = Buffer.from(wrap(SEED), 'base64')
  broken[broken.length - 1] = broken.at(-1)! ^ 1
  const wrong = 'error importing key: '
  const cases: [object, string | RegExp][] = [
    [
      { type: 'ed25519', ciphertext: wrap(der(P256.privateKey)) },
      `${wrong}invalid key type: expected ed25519, got *ecdsa.PrivateKey`,
    ],
    [
      { type: 'ecdsa-p256', ciphertext: wrap(ED_DER) },
      `${wrong}invalid key type: expected ecdsa-p256, got ed25519.PrivateKey`,
    ],
    [
      { type: 'ecdsa-p256', ciphertext: wrap(der(P384.privateKey)) },
      `${wrong}invalid curve: expected P-256, got P-384`,
    ],
    [
      { type: 'rsa-3072', ciphertext: wrap(der(RSA.privateKey)) },
      `${wrong}invalid key size: expected 384 bytes, got 256 bytes`,
    ],
    [
      { type: 'aes256-gcm96', ciphertext: wrap(SEED.subarray(16)) },
      `${wrong}invalid key size 16 bytes for key type aes256-gcm96`,
    ],
    [{ type: 'ed25519', ciphertext: wrap(SEED) }, /error parsing asymmetric key/],
    [{ type: 'ed25519', ciphertext: wrap(ED_DER, 'sha1') }, 'crypto/rsa: decryption error'],
    [{ type: 'aes256-gcm96', ciphertext: broken.toString('base64') }, 'kwp: unwrap failed integrity check'],
    [
      { type: 'ecdsa-p256', public_key: spki(ED.publicKey) },
      `${wrong}invalid key type: expected ecdsa-p256, got ed25519.PublicKey`,
    ],
    [{ type: 'ecdsa-p256', public_key: spki(P384.publicKey) }, `${wrong}invalid curve: expected P-256, got P-384`],
    [
      { type: 'rsa-3072', public_key: spki(RSA.publicKey) },
      `${wrong}invalid key size: expected 384 bytes, got 256 bytes`,
    ],
    [
      { type: 'rsa-2048', public_key: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n' },
      /error parsing public key/,
    ],
  ]
  for (const [body, text] of cases) {
    const { status, json } = await served.call('POST', 'transit/keys/bad/import', body)
    assert.equal(status, 500)
    if (typeof text === 'string') assert.deepEqual(json, framed(text))
    else assert.match(json.errors[0], text)
  }
  assert.equal((await served.call('GET', 'transit/keys/bad')).status, 404)
})

test('Vault face: public halves verify, and take their private halves later', TIMEOUT, async () => {
  const served = await serve({ seed: TRANSIT })
  const { call } = served
  const wrap = await wrapper(served)
  for (const [name, type, key] of [
    ['ed', 'ed25519', ED.publicKey],
    ['rsa', 'rsa-2048', RSA.publicKey],
    ['p256', 'ecdsa-p256', P256.publicKey],
  ] as const) {
    assert.equal((await call('POST', `transit/keys/${name}/import`, { type, public_key: spki(key) })).status, 204)
    const refused = await call('POST', `transit/sign/${name}`, { input: '' })
    assert.deepEqual(refused.json, framed('requested version for signing does not contain a private part'))
  }
  const complete = (material: Uint8Array, version: number) =>
    call('POST', 'transit/keys/ed/import_version', { ciphertext: wrap(material), version })
  assert.deepEqual((await complete(ED_DER, 1)).json, framed('cannot import key, key pair does not match'))
  assert.deepEqual((await complete(der(ED.privateKey), 5)).json, framed('no such key version'))
  assert.equal((await complete(der(ED.privateKey), 1)).status, 204)
  assert.deepEqual(
    (await complete(der(ED.privateKey), 1)).json,
    framed('private key imported, key version cannot be updated'),
  )
  const { signature } = (await call('POST', 'transit/sign/ed', { input: b64('x') })).json.data
  assert.equal((await call('POST', 'transit/verify/ed', { input: b64('x'), signature })).json.data.valid, true)
  assert.equal((await call('POST', 'transit/keys/ed/import_version', { ciphertext: wrap(ED_DER) })).status, 204)
  assert.equal((await call('GET', 'transit/keys/ed')).json.data.latest_version, 2)
})

test('Vault face: RSA in every scheme, by keys of its own', async () => {
  const { call } = await serve({ seed: { version: 1, keys: [{ name: 'r', type: 'rsa-2048' }] } })
  const pss = [{}, { salt_length: 'hash' }, { salt_length: '0' }, { salt_length: '20' }, { salt_length: '-1' }]
  const terms = [
    ...pss,
    { signature_algorithm: 'pkcs1v15' },
    { signature_algorithm: 'pkcs1v15', marshaling_algorithm: 'jws' },
  ]
  for (const term of terms) {
    for (const hash_algorithm of ['sha1', 'sha2-256', 'sha2-512', 'sha3-256']) {
      const body = { input: b64('pay'), hash_algorithm, ...term }
      const { signature } = (await call('POST', 'transit/sign/r', body)).json.data
      const verify = async (more: object) =>
        (await call('POST', 'transit/verify/r', { ...body, signature, ...more })).json.data.valid
      assert.equal(await verify({}), true, JSON.stringify(body))
      assert.equal(await verify({ input: b64('pay more') }), false)
    }
  }
  const { ciphertext } = (await call('POST', 'transit/encrypt/r', { plaintext: b64('x') })).json.data
  assert.equal((await call('POST', 'transit/decrypt/r', { ciphertext })).json.data.plaintext, b64('x'))
  const long = await call('POST', 'transit/encrypt/r', { plaintext: 'AAAA'.repeat(200) })
  assert.match(long.json.errors[0], /message too long for RSA key size/)
})
