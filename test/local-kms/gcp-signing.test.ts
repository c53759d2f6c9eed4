import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { crc32c } from '../../local-kms/gcp/crc32c.ts'
import { bytes, hex, keyName, RFC_8032, RING, refused, startGcp, toHex, TRANSPORTS, versionOf } from './gcp-support.ts'

const crcText = (data: Uint8Array): { value: string } => ({ value: String(crc32c(data)) })
const digestOf = (name: string, data: Uint8Array): Uint8Array => new Uint8Array(createHash(name).update(data).digest())

test('local-kms gcp crc32c: published check value', () => {
  assert.equal(crc32c(bytes('123456789')), 0xe3069283n)
})

for (const transport of TRANSPORTS) {
  test(`local-kms gcp ${transport} EC_SIGN_ED25519: RFC 8032 seeds sign as published`, async () => {
    const cryptoKeys = RFC_8032.map(({ seed }, i) => ({
      name: keyName(`rfc-${i}`),
      algorithm: 'EC_SIGN_ED25519' as const,
      versions: [{ material: { hex: seed } }],
    }))
    const rig = await startGcp({ seed: { cryptoKeys }, allowEmptyData: true })
    const client = rig.client(transport)
    for (const [i, { message, signature, point }] of RFC_8032.entries()) {
      const data = hex(message)
      const name = versionOf(`rfc-${i}`)
      const [answer] = await client.asymmetricSign({ name, data, dataCrc32c: crcText(data) })
      assert.equal(toHex(answer.signature), signature)
      assert.equal(answer.signatureCrc32c!.value, String(crc32c(hex(signature))))
      assert.equal(answer.verifiedDataCrc32c, true)
      assert.equal(answer.name, name)
      const [{ publicKey, algorithm }] = await client.getPublicKey({ name, publicKeyFormat: 'DER' })
      assert.equal(toHex(publicKey!.data), `302a300506032b6570032100${point}`)
      assert.ok(algorithm === 'EC_SIGN_ED25519' || (algorithm as unknown) === 40)
    }
    const sum = await refused(
      client.asymmetricSign({ name: versionOf('rfc-0'), data: bytes('x'), dataCrc32c: { value: '1' } }),
    )
    assert.equal(sum.code, 3)
    const digest = await refused(
      client.asymmetricSign({ name: versionOf('rfc-0'), digest: { sha256: new Uint8Array(32) } }),
    )
    assert.equal(digest.code, 3)
  })

  test(`local-kms gcp ${transport} EC_SIGN_SECP256K1_SHA256: DER that verifies, high s as often as low`, async () => {
    const rig = await startGcp()
    const client = rig.client(transport)
    await client.createKeyRing({ parent: 'projects/demo/locations/global', keyRingId: 'ring' })
    await client.createCryptoKey({
      parent: RING,
      cryptoKeyId: 'evm',
      cryptoKey: {
        purpose: 'ASYMMETRIC_SIGN',
        versionTemplate: { algorithm: 'EC_SIGN_SECP256K1_SHA256', protectionLevel: 'HSM' },
      },
    })
    const name = versionOf('evm')
    const [{ pem, pemCrc32c }] = await client.getPublicKey({ name })
    assert.equal(pemCrc32c!.value, String(crc32c(bytes(pem!))))
    const spki = Buffer.from(pem!.split('\n').slice(1, -2).join(''), 'base64')
    const point = new Uint8Array(spki.subarray(-65))
    let high = 0
    const rounds = 64
    for (let i = 0; i < rounds; i++) {
      const sha256 = digestOf('sha256', bytes(`transaction ${i}`))
      const [{ signature, verifiedDigestCrc32c }] = await client.asymmetricSign({
        name,
        digest: { sha256 },
        digestCrc32c: crcText(sha256),
      })
      assert.equal(verifiedDigestCrc32c, true)
      const der = new Uint8Array(signature as Uint8Array)
      assert.ok(secp256k1.verify(der, sha256, point, { prehash: false, lowS: false, format: 'der' }))
      if (secp256k1.Signature.fromBytes(der, 'der').hasHighS()) high++
    }
    // Below 2^-40 for a fair coin
    assert.ok(high > 8 && high < rounds - 8, `${high} of ${rounds} high`)
    const short = await refused(client.asymmetricSign({ name, digest: { sha256: new Uint8Array(31) } }))
    assert.equal(short.code, 3)
    const other = await refused(client.asymmetricSign({ name, digest: { sha512: new Uint8Array(64) } }))
    assert.equal(other.code, 3)
  })

  test(`local-kms gcp ${transport}: the other algorithms verify with OpenSSL, by digest and by data`, async () => {
    const cases = [
      ['EC_SIGN_P256_SHA256', 'sha256', {}],
      ['EC_SIGN_P384_SHA384', 'sha384', {}],
      ['RSA_SIGN_PSS_2048_SHA256', 'sha256', { padding: 6, saltLength: 32 }],
      ['RSA_SIGN_PKCS1_2048_SHA256', 'sha256', { padding: 1 }],
      ...(transport === 'grpc'
        ? ([['RSA_SIGN_PSS_4096_SHA512', 'sha512', { padding: 6, saltLength: 64 }]] as const)
        : ([['RSA_SIGN_PKCS1_3072_SHA256', 'sha256', { padding: 1 }]] as const)),
    ] as const
    const cryptoKeys = cases.map(([algorithm]) => ({ name: keyName(algorithm), algorithm }))
    const rig = await startGcp({ seed: { cryptoKeys } })
    const client = rig.client(transport)
    const data = bytes('a message')
    for (const [algorithm, hash, padding] of cases) {
      const name = versionOf(algorithm)
      const [{ pem }] = await client.getPublicKey({ name })
      const key = { key: createPublicKey(pem!), ...padding }
      const [byDigest] = await client.asymmetricSign({ name, digest: { [hash]: digestOf(hash, data) } })
      const [byData] = await client.asymmetricSign({ name, data, dataCrc32c: crcText(data) })
      assert.ok(verify(hash, data, key, byDigest.signature as Uint8Array), `${algorithm} digest`)
      assert.ok(verify(hash, data, key, byData.signature as Uint8Array), `${algorithm} data`)
      assert.equal(byData.verifiedDataCrc32c, true)
    }
  })
}

test('local-kms gcp: secp256k1 is for HSMs and Ed25519 for software, unless the switch is off', async () => {
  const create = (
    client: ReturnType<Awaited<ReturnType<typeof startGcp>>['client']>,
    algorithm: 'EC_SIGN_ED25519' | 'EC_SIGN_SECP256K1_SHA256',
    protectionLevel: 'HSM' | 'SOFTWARE',
  ) =>
    client.createCryptoKey({
      parent: RING,
      cryptoKeyId: `${algorithm}-${protectionLevel}`,
      cryptoKey: { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm, protectionLevel } },
    })
  const strict = (await startGcp({ seed: { keyRings: [{ name: RING }] } })).client('grpc')
  assert.equal((await refused(create(strict, 'EC_SIGN_SECP256K1_SHA256', 'SOFTWARE'))).code, 3)
  assert.equal((await refused(create(strict, 'EC_SIGN_ED25519', 'HSM'))).code, 3)
  const loose = (await startGcp({ seed: { keyRings: [{ name: RING }] }, strictProtectionLevels: false })).client('grpc')
  await create(loose, 'EC_SIGN_SECP256K1_SHA256', 'SOFTWARE')
  await create(loose, 'EC_SIGN_ED25519', 'HSM')
})
