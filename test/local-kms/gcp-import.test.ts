import assert from 'node:assert/strict'
import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { aeskwp } from '@noble/ciphers/aes.js'
import { virtualClock } from '../../local-kms/core/clock.ts'
import { concat } from '../../local-kms/core/random.ts'
import {
  bytes,
  hex,
  keyName,
  type GcpRig,
  RFC_8032,
  RING,
  raw,
  refused,
  startGcp,
  toHex,
  TRANSPORTS,
  versionOf,
} from './gcp-support.ts'

const DAY = 86_400_000
const JOB = `${RING}/importJobs/job`
const PKCS8_ED25519 = '302e020100300506032b657004220420'
const seed = RFC_8032[1]

function wrap(pem: string, method: string, material: Uint8Array): Uint8Array {
  const oaepHash = method.includes('SHA256') ? 'sha256' : 'sha1'
  const oaep = (data: Uint8Array): Uint8Array =>
    new Uint8Array(
      publicEncrypt({ key: createPublicKey(pem), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, data),
    )
  if (!method.endsWith('AES_256')) return oaep(material)
  const aes = new Uint8Array(randomBytes(32))
  return concat(oaep(aes), aeskwp(aes).encrypt(material))
}

async function jobOf(rig: GcpRig, importMethod: string, protectionLevel = 'SOFTWARE', id = 'job'): Promise<string> {
  const { json } = await raw(rig, 'POST', `${RING}/importJobs?importJobId=${id}`, { importMethod, protectionLevel })
  assert.equal(json['state'], 'ACTIVE', JSON.stringify(json))
  return json['publicKey'].pem as string
}

const importing = {
  cryptoKeys: [{ name: keyName('k'), algorithm: 'EC_SIGN_ED25519' as const, importOnly: true, versions: [] }],
}

for (const method of [
  'RSA_OAEP_3072_SHA1_AES_256',
  'RSA_OAEP_3072_SHA256_AES_256',
  'RSA_OAEP_3072_SHA256',
  'RSA_OAEP_4096_SHA256_AES_256',
  'RSA_OAEP_4096_SHA1_AES_256',
  'RSA_OAEP_4096_SHA256',
] as const) {
  test(`local-kms gcp import ${method}: a seed comes in and signs as published`, { timeout: 30_000 }, async () => {
    const rig = await startGcp({ seed: importing })
    const client = rig.client(method.includes('3072') ? 'grpc' : 'rest')
    const wrappedKey = wrap(await jobOf(rig, method), method, hex(PKCS8_ED25519 + seed.seed))
    const [version] = await client.importCryptoKeyVersion({
      parent: keyName('k'),
      algorithm: 'EC_SIGN_ED25519',
      importJob: JOB,
      wrappedKey,
    })
    assert.equal(version.name, versionOf('k'))
    assert.equal(version.importJob, JOB)
    const [{ signature }] = await client.asymmetricSign({ name: versionOf('k'), data: hex(seed.message) })
    assert.equal(toHex(signature), seed.signature)
  })
}

test('local-kms gcp import: secp256k1, AES and RSA material, the older member name', { timeout: 30_000 }, async () => {
  const rig = await startGcp({
    seed: {
      cryptoKeys: [
        { name: keyName('evm'), algorithm: 'EC_SIGN_SECP256K1_SHA256', versions: [] },
        { name: keyName('aes'), algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protectionLevel: 'HSM', versions: [] },
      ],
    },
  })
  const method = 'RSA_OAEP_3072_SHA256_AES_256'
  const pem = await jobOf(rig, method, 'HSM')
  const pkcs8 = hex(
    `308184020100301006072a8648ce3d020106052b8104000a046d306b0201010420${'46'.repeat(32)}a144034200044bc2a31265153f07e70e0bab08724e6b85e217f8cd628ceb62974247bb493382ce28cab79ad7119ee1ad3ebcdb98a16805211530ecc6cfefa1b88e6dff99232a`,
  )
  const evm = await raw(rig, 'POST', `${keyName('evm')}/cryptoKeyVersions:import`, {
    algorithm: 'EC_SIGN_SECP256K1_SHA256',
    import_job: JOB,
    rsa_aes_wrapped_key: Buffer.from(wrap(pem, method, pkcs8)).toString('base64url'),
  })
  assert.equal(evm.json['state'], 'ENABLED', evm.text)
  const { json } = await raw(rig, 'GET', `${versionOf('evm')}/publicKey`)
  const point = Buffer.from((json['pem'] as string).split('\n').slice(1, -2).join(''), 'base64').toString('hex')
  assert.ok(
    point.endsWith(
      '4bc2a31265153f07e70e0bab08724e6b85e217f8cd628ceb62974247bb493382ce28cab79ad7119ee1ad3ebcdb98a16805211530ecc6cfefa1b88e6dff99232a',
    ),
  )
  const wrappedKey = Buffer.from(wrap(pem, method, new Uint8Array(32).fill(9))).toString('base64')
  const aes = await raw(rig, 'POST', `${keyName('aes')}/cryptoKeyVersions:import`, {
    algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
    importJob: JOB,
    wrappedKey,
  })
  assert.equal(aes.json['state'], 'ENABLED', aes.text)
  const sealed = await raw(rig, 'POST', `${versionOf('aes')}:encrypt`, { plaintext: 'eA==' })
  assert.equal(sealed.status, 200)
  assert.equal(
    (await raw(rig, 'POST', `${keyName('aes')}:encrypt`, { plaintext: 'eA==' })).json['error'].status,
    'FAILED_PRECONDITION',
  )
})

test('local-kms gcp import: what cannot be unwrapped fails, and may be tried again in the same version', {
  timeout: 30_000,
}, async () => {
  const clock = virtualClock()
  const rig = await startGcp({ seed: importing, clock, pendingImportMs: 1000 })
  const client = rig.client('grpc')
  const method = 'RSA_OAEP_3072_SHA256_AES_256'
  const pem = await jobOf(rig, method)
  const bring = (material: Uint8Array | 'damaged', extra: object = {}) => {
    const wrappedKey = wrap(pem, method, material === 'damaged' ? bytes('x') : material)
    if (material === 'damaged') wrappedKey[wrappedKey.length - 1]! ^= 1
    return client.importCryptoKeyVersion({
      parent: keyName('k'),
      algorithm: 'EC_SIGN_ED25519',
      importJob: JOB,
      wrappedKey,
      ...extra,
    })
  }
  const first = hex(PKCS8_ED25519 + RFC_8032[0].seed)
  const second = hex(PKCS8_ED25519 + RFC_8032[1].seed)
  const [failed] = await bring('damaged')
  assert.equal(failed.state, 'IMPORT_FAILED')
  assert.match(failed.importFailureReason!, /unwrapped/)
  assert.equal(failed.reimportEligible, true)
  assert.equal((await bring(bytes('no key')))[0].state, 'IMPORT_FAILED')
  const again = { cryptoKeyVersion: versionOf('k', 1) }
  const [pending] = await bring(first, again)
  assert.equal(pending.state, 'PENDING_IMPORT')
  assert.equal((await refused(client.getPublicKey({ name: versionOf('k', 1) }))).code, 9)
  await clock.advance(1000)
  assert.equal((await client.getCryptoKeyVersion({ name: versionOf('k', 1) }))[0].state, 'ENABLED')
  assert.equal((await refused(bring(first, again))).code, 9)
  await client.destroyCryptoKeyVersion({ name: versionOf('k', 1) })
  // Jobs live three days and versions wait thirty: another job brings the material back
  await clock.advance(31 * DAY)
  const expired = await refused(bring(first, again))
  assert.equal(expired.code, 9)
  assert.match(JSON.stringify(expired.statusDetails), /IMPORT_JOB_EXPIRED/)
  const [old] = await client.getImportJob({ name: JOB })
  assert.equal(old.state, 'EXPIRED')
  assert.equal(old.publicKey ?? null, null)
  const pem2 = await jobOf(rig, method, 'SOFTWARE', 'job2')
  const bring2 = (material: Uint8Array) =>
    client.importCryptoKeyVersion({
      parent: keyName('k'),
      algorithm: 'EC_SIGN_ED25519',
      importJob: `${RING}/importJobs/job2`,
      wrappedKey: wrap(pem2, method, material),
      ...again,
    })
  assert.equal((await refused(bring2(second))).code, 3)
  assert.equal((await bring2(first))[0].name, versionOf('k', 1))
})

test('local-kms gcp import: requests that do not fit are refused', { timeout: 30_000 }, async () => {
  const rig = await startGcp({ seed: { ...importing, keyRings: [{ name: `${RING}-2` }] } })
  await jobOf(rig, 'RSA_OAEP_3072_SHA256')
  const post = async (body: object): Promise<number> =>
    (await raw(rig, 'POST', `${keyName('k')}/cryptoKeyVersions:import`, body)).status
  const good = { algorithm: 'EC_SIGN_ED25519', importJob: JOB, wrappedKey: 'eA==' }
  for (const [body, status] of [
    [{ ...good, wrappedKey: undefined }, 400],
    [{ ...good, rsaAesWrappedKey: 'eA==' }, 400],
    [{ ...good, algorithm: 'EC_SIGN_P256_SHA256' }, 200],
    [{ ...good, algorithm: 'HMAC_SHA256' }, 400],
    [{ ...good, algorithm: 'RSA_SIGN_PSS_2048_SHA256' }, 400],
    [{ ...good, importJob: `${RING}/importJobs/none` }, 404],
    [{ ...good, cryptoKeyVersion: versionOf('k', 9) }, 404],
    [{ ...good, cryptoKeyVersion: 'nonsense' }, 400],
  ] as const) {
    assert.equal(await post(body), status, JSON.stringify(body))
  }
  const create = async (body: object): Promise<number> =>
    (await raw(rig, 'POST', `${RING}/importJobs?importJobId=x`, body)).status
  assert.equal(await create({ protectionLevel: 'HSM' }), 400)
  assert.equal(await create({ importMethod: 'RSA_OAEP_3072_SHA256' }), 400)
  assert.equal(
    await create({ importMethod: 'HPKE_KEM_ML_KEM_768_HKDF_SHA256_AES_256_GCM', protectionLevel: 'HSM' }),
    501,
  )
  assert.equal(
    (
      await raw(rig, 'POST', `${RING}/importJobs?importJobId=job`, {
        importMethod: 'RSA_OAEP_3072_SHA256',
        protectionLevel: 'HSM',
      })
    ).status,
    409,
  )
  assert.equal(
    (await raw(rig, 'POST', `${keyName('k')}/cryptoKeyVersions`, {})).json['error'].status,
    'FAILED_PRECONDITION',
  )
  for (const transport of TRANSPORTS) {
    const [jobs] = await rig.client(transport).listImportJobs({ parent: RING })
    assert.deepEqual(
      jobs.map(job => job.name),
      [JOB],
    )
  }
})
