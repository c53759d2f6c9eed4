import assert from 'node:assert/strict'
import { constants, createPublicKey, generateKeyPairSync, publicDecrypt } from 'node:crypto'
import { test } from 'node:test'
import { loadSchema } from '../../local-kms/gcp/descriptors.ts'
import { decodeMessage, encodeMessage, ProtoError } from '../../local-kms/gcp/proto.ts'
import { bytes, keyName, LOCATION, RING, raw, refused, startGcp, toHex, versionOf } from './gcp-support.ts'

const sign = { name: keyName('sign'), algorithm: 'EC_SIGN_ED25519' as const, versions: [{}, { state: 'DESTROYED' }] }
const b64 = (data: Uint8Array): string => Buffer.from(data).toString('base64')

test('local-kms gcp: names of the wrong kind are refused before anything is looked up', async () => {
  const rig = await startGcp({ seed: { cryptoKeys: [sign] } })
  const client = rig.client('grpc')
  for (const name of [
    '',
    'projects/x',
    RING,
    'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/0',
    `${sign.name}/`,
  ]) {
    const failure = await refused(client.asymmetricSign({ name, data: bytes('x') }))
    assert.equal(failure.code, 3, name)
  }
  assert.equal((await refused(client.getKeyRing({ name: sign.name }))).code, 3)
  assert.equal((await refused(client.createKeyRing({ parent: 'projects/only', keyRingId: 'x' }))).code, 3)
  assert.equal((await refused(client.createKeyRing({ parent: LOCATION, keyRingId: 'a'.repeat(64) }))).code, 3)
})

test('local-kms gcp: public key formats and states that are not offered', async () => {
  const rig = await startGcp({ seed: { cryptoKeys: [sign] } })
  const pem = await raw(rig, 'GET', `${versionOf('sign')}/publicKey?publicKeyFormat=PEM`)
  assert.match(Buffer.from(pem.json['publicKey'].data, 'base64').toString(), /^-----BEGIN PUBLIC KEY-----\n/)
  assert.equal(pem.json['pem'], undefined)
  for (const format of ['NIST_PQC', 'XWING_RAW_BYTES']) {
    assert.equal((await raw(rig, 'GET', `${versionOf('sign')}/publicKey?publicKeyFormat=${format}`)).status, 400)
  }
  const patch = (version: number, mask: string, body: object) =>
    raw(rig, 'PATCH', `${versionOf('sign', version)}?updateMask=${mask}`, body)
  assert.equal((await patch(2, 'state', { state: 'ENABLED' })).json['error'].status, 'FAILED_PRECONDITION')
  assert.equal((await patch(1, 'algorithm', { algorithm: 'EC_SIGN_P256_SHA256' })).status, 400)
  assert.equal((await patch(1, '', { state: 'ENABLED' })).status, 400)
  assert.equal((await patch(9, 'state', { state: 'ENABLED' })).status, 404)
  const label = await raw(rig, 'PATCH', `${sign.name}?updateMask=labels.a`, { labels: { a: 'b', c: 'd' } })
  assert.deepEqual(label.json['labels'], { a: 'b' })
  assert.equal((await raw(rig, 'PATCH', `${sign.name}?updateMask=labels.a`, {})).json['labels'], undefined)
})

test('local-kms gcp: raw PKCS #1 signatures stand around the data as it is', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const material = { base64: b64(new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' }))) }
  const algorithm = 'RSA_SIGN_RAW_PKCS1_2048'
  const rig = await startGcp({ seed: { cryptoKeys: [{ name: keyName('raw'), algorithm, versions: [{ material }] }] } })
  const path = `${versionOf('raw')}:asymmetricSign`
  const { json } = await raw(rig, 'POST', path, { data: b64(bytes('anything')) })
  const opened = publicDecrypt(
    { key: createPublicKey(privateKey), padding: constants.RSA_PKCS1_PADDING },
    Buffer.from(json['signature'], 'base64'),
  )
  assert.equal(toHex(opened), toHex(bytes('anything')))
  assert.equal((await raw(rig, 'POST', path, { data: b64(new Uint8Array(246)) })).status, 400)
  assert.equal((await raw(rig, 'POST', path, { digest: { sha256: b64(new Uint8Array(32)) } })).status, 400)
  const both = { digest: { sha256: b64(new Uint8Array(32)) }, data: 'eA==' }
  assert.equal((await raw(rig, 'POST', path, both)).status, 400)
  const unfit = {
    cryptoKeys: [{ name: keyName('x'), algorithm: 'RSA_SIGN_PSS_3072_SHA256' as const, versions: [{ material }] }],
  }
  await assert.rejects(startGcp({ seed: unfit }), RangeError)
  const broken = { cryptoKeys: [{ name: keyName('x'), algorithm, versions: [{ material: { hex: '3000' } }] }] } as const
  await assert.rejects(startGcp({ seed: broken as never }), RangeError)
})

test('local-kms gcp proto: packed numbers, negative ones, unknown fields, the last of a oneof', async () => {
  const schema = await loadSchema()
  const config = schema.message('google.iam.v1.AuditLogConfig')
  const text = { logType: 'DATA_READ', exemptedMembers: ['a', 'b'] }
  assert.deepEqual(decodeMessage(config, encodeMessage(schema, config, text)), text)
  const policy = schema.message('google.iam.v1.Policy')
  const negative = { version: -1, bindings: [{ role: 'r', members: ['m'], condition: { title: 't' } }] }
  assert.deepEqual(decodeMessage(policy, encodeMessage(schema, policy, negative)), negative)
  const digest = schema.message('google.cloud.kms.v1.Digest')
  const twice = Uint8Array.of(0x0a, 1, 7, 0x12, 1, 8) // sha256, then sha384
  assert.deepEqual(decodeMessage(digest, twice), { sha384: Uint8Array.of(8) })
  const unknown = Uint8Array.of(
    0xfa,
    7,
    1,
    0,
    0xf8,
    7,
    1,
    0xf9,
    7,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0xfd,
    7,
    0,
    0,
    0,
    0,
    0x0a,
    1,
    9,
  )
  assert.deepEqual(decodeMessage(digest, unknown), { sha256: Uint8Array.of(9) })
  for (const wrong of [[0x08, 1], [0x0b], [0x0a], [0x0a, 5, 1], [0x80], Array.from({ length: 11 }, () => 0xff)]) {
    assert.throws(() => decodeMessage(digest, Uint8Array.from(wrong)), ProtoError)
  }
  const justification = schema.message('google.cloud.kms.v1.KeyAccessJustificationsPolicy')
  assert.deepEqual(decodeMessage(justification, Uint8Array.of(0x0a, 2, 1, 2))['allowedAccessReasons'], [
    'CUSTOMER_INITIATED_SUPPORT',
    'GOOGLE_INITIATED_SERVICE',
  ])
  assert.throws(() => schema.message('google.cloud.kms.v1.NoSuch'), TypeError)
})

test('local-kms gcp grpc: enums nobody knows are refused, not guessed', async () => {
  const rig = await startGcp({ seed: { keyRings: [{ name: RING }] } })
  const client = rig.client('grpc')
  const create = (purpose: unknown, algorithm: unknown) =>
    refused(
      client.createCryptoKey({
        parent: RING,
        cryptoKeyId: 'x',
        cryptoKey: { purpose, versionTemplate: { algorithm } } as never,
      }),
    )
  assert.equal((await create(99, 12)).code, 12)
  assert.equal((await create(5, 999)).code, 12)
  assert.equal((await create(5, 56)).code, 12)
})
