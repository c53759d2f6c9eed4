import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '../../local-kms/core/clock.ts'
import { keyName, LOCATION, RING, raw, refused, startGcp, TRANSPORTS, versionOf } from './gcp-support.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const seconds = (ms: number): { seconds: number } => ({ seconds: ms / 1000 })
const signing = { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'EC_SIGN_ED25519' } } as const

/** Enums come as names or as numbers, as the transport has them. */
const is = (value: unknown, name: string, number: number): void =>
  assert.ok(value === name || value === number, `${String(value)} for ${name}`)

for (const transport of TRANSPORTS) {
  test(`local-kms gcp ${transport}: rings, keys and versions are made, read, listed and found again`, async () => {
    const rig = await startGcp()
    const client = rig.client(transport)
    const [ring] = await client.createKeyRing({ parent: LOCATION, keyRingId: 'ring' })
    assert.equal(ring.name, RING)
    const twice = await refused(client.createKeyRing({ parent: LOCATION, keyRingId: 'ring' }))
    assert.equal(twice.code, 6)
    assert.match(twice.message, /KeyRing projects\/demo\/locations\/global\/keyRings\/ring already exists\./)
    const [key] = await client.createCryptoKey({
      parent: RING,
      cryptoKeyId: 'envelope',
      cryptoKey: {
        purpose: 'ENCRYPT_DECRYPT',
        labels: { team: 'pay' },
        nextRotationTime: seconds(Date.now() + DAY),
        rotationPeriod: seconds(30 * DAY),
      },
    })
    assert.equal(key.name, keyName('envelope'))
    assert.equal(key.primary!.name, versionOf('envelope'))
    is(key.primary!.state, 'ENABLED', 1)
    assert.deepEqual({ ...key.labels }, { team: 'pay' })
    assert.equal(Number(key.rotationPeriod!.seconds), (30 * DAY) / 1000)
    assert.equal(Number(key.destroyScheduledDuration!.seconds), (30 * DAY) / 1000)
    is(key.versionTemplate!.algorithm, 'GOOGLE_SYMMETRIC_ENCRYPTION', 1)
    for (const id of ['a', 'b', 'c'])
      await client.createCryptoKey({ parent: RING, cryptoKeyId: id, cryptoKey: signing })
    const [version] = await client.createCryptoKeyVersion({ parent: keyName('a') })
    assert.equal(version.name, versionOf('a', 2))
    const [keys] = await client.listCryptoKeys({ parent: RING })
    assert.deepEqual(
      keys.map(each => each.name),
      ['a', 'b', 'c', 'envelope'].map(keyName),
    )
    const [versions] = await client.listCryptoKeyVersions({ parent: keyName('a') })
    assert.equal(versions.length, 2)
    assert.equal((await client.getCryptoKey({ name: keyName('b') }))[0].primary ?? null, null)
    const missing = await refused(client.getCryptoKeyVersion({ name: versionOf('a', 9) }))
    assert.equal(missing.code, 5)
    assert.equal((await refused(client.getKeyRing({ name: `${LOCATION}/keyRings/none` }))).code, 5)
    const [rings] = await client.listKeyRings({ parent: LOCATION })
    assert.deepEqual(
      rings.map(each => each.name),
      [RING],
    )
    assert.ok(rig.changes() >= 6)
  })

  test(`local-kms gcp ${transport}: destroy, restore and the passing of time`, async () => {
    const clock = virtualClock()
    const rig = await startGcp({
      clock,
      seed: {
        cryptoKeys: [
          { name: keyName('k'), algorithm: 'EC_SIGN_ED25519', destroyScheduledDuration: '172800s', versions: [{}, {}] },
        ],
      },
    })
    const client = rig.client(transport)
    const name = versionOf('k')
    const [scheduled] = await client.destroyCryptoKeyVersion({ name })
    is(scheduled.state, 'DESTROY_SCHEDULED', 4)
    assert.equal(Number(scheduled.destroyTime!.seconds) * 1000, clock.now() + 2 * DAY)
    const use = await refused(client.asymmetricSign({ name, data: new Uint8Array([1]) }))
    assert.equal(use.code, 9)
    assert.match(use.message, /cryptoKeyVersions\/1 is not enabled, current state is: DESTROY_SCHEDULED\./)
    is((await client.restoreCryptoKeyVersion({ name }))[0].state, 'DISABLED', 2)
    assert.equal((await refused(client.restoreCryptoKeyVersion({ name }))).code, 9)
    await client.updateCryptoKeyVersion({
      cryptoKeyVersion: { name, state: 'ENABLED' },
      updateMask: { paths: ['state'] },
    })
    await client.asymmetricSign({ name, data: new Uint8Array([1]) })
    await client.destroyCryptoKeyVersion({ name })
    await clock.advance(2 * DAY)
    const [gone] = await client.getCryptoKeyVersion({ name })
    is(gone.state, 'DESTROYED', 3)
    assert.equal(Number(gone.destroyEventTime!.seconds) * 1000, clock.now())
    assert.equal((await refused(client.restoreCryptoKeyVersion({ name }))).code, 9)
    assert.equal((await refused(client.getPublicKey({ name }))).code, 9)
    assert.equal((await refused(client.destroyCryptoKeyVersion({ name }))).code, 9)
    assert.ok(!JSON.stringify(rig.face.snapshot()).includes('"state":"DESTROYED","material"'))
  })

  test(`local-kms gcp ${transport}: a disabled version is refused with the violation that names it`, async () => {
    const rig = await startGcp({
      seed: { cryptoKeys: [{ name: keyName('k'), algorithm: 'EC_SIGN_ED25519', versions: [{ state: 'DISABLED' }] }] },
    })
    const client = rig.client(transport)
    const failure = await refused(client.asymmetricSign({ name: versionOf('k'), data: new Uint8Array([1]) }))
    assert.equal(failure.code, 9)
    assert.match(failure.message, /is not enabled, current state is: DISABLED\.$/)
    const detail = JSON.stringify(failure.statusDetails)
    assert.match(detail, /KEY_DISABLED/)
    assert.ok(detail.includes(versionOf('k')))
  })

  test(`local-kms gcp ${transport}: new asymmetric versions are pending for as long as it was set`, async () => {
    const clock = virtualClock()
    const rig = await startGcp({ clock, pendingGenerationMs: 2000, seed: { keyRings: [{ name: RING }] } })
    const client = rig.client(transport)
    await client.createCryptoKey({ parent: RING, cryptoKeyId: 'k', cryptoKey: signing })
    const name = versionOf('k')
    is((await client.getCryptoKeyVersion({ name }))[0].state, 'PENDING_GENERATION', 5)
    const early = await refused(client.getPublicKey({ name }))
    assert.equal(early.code, 9)
    assert.match(JSON.stringify(early.statusDetails), /KEY_PENDING_GENERATION/)
    await clock.advance(2000)
    is((await client.getCryptoKeyVersion({ name }))[0].state, 'ENABLED', 1)
    await client.getPublicKey({ name })
  })

  test(`local-kms gcp ${transport}: rotation is due by the clock, old versions go on decrypting`, async () => {
    const clock = virtualClock()
    const rig = await startGcp({ clock, seed: { keyRings: [{ name: RING }] } })
    const client = rig.client(transport)
    await client.createCryptoKey({
      parent: RING,
      cryptoKeyId: 'k',
      cryptoKey: {
        purpose: 'ENCRYPT_DECRYPT',
        rotationPeriod: seconds(DAY),
        nextRotationTime: seconds(clock.now() + DAY),
      },
    })
    const [old] = await client.encrypt({ name: keyName('k'), plaintext: new Uint8Array([7]) })
    assert.equal(old.name, versionOf('k', 1))
    await clock.advance(3 * DAY + HOUR)
    const [fresh] = await client.encrypt({ name: keyName('k'), plaintext: new Uint8Array([7]) })
    assert.equal(fresh.name, versionOf('k', 4))
    const [opened] = await client.decrypt({ name: keyName('k'), ciphertext: old.ciphertext! })
    assert.deepEqual([...(opened.plaintext as Uint8Array)], [7])
    assert.equal(opened.usedPrimary, false)
    const [key] = await client.updateCryptoKeyPrimaryVersion({ name: keyName('k'), cryptoKeyVersionId: '2' })
    assert.equal(key.primary!.name, versionOf('k', 2))
    assert.equal(
      (await refused(client.updateCryptoKeyPrimaryVersion({ name: keyName('k'), cryptoKeyVersionId: '77' }))).code,
      5,
    )
  })

  test(`local-kms gcp ${transport}: update masks change what they name and nothing else`, async () => {
    const rig = await startGcp({
      seed: {
        cryptoKeys: [
          { name: keyName('k'), algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', labels: { a: '1', b: '2' } },
          { name: keyName('s'), algorithm: 'EC_SIGN_P256_SHA256' },
        ],
      },
    })
    const client = rig.client(transport)
    const update = (cryptoKey: object, ...paths: string[]) =>
      client.updateCryptoKey({ cryptoKey, updateMask: { paths } })
    const [labelled] = await update({ name: keyName('k'), labels: { c: '3' }, rotationPeriod: seconds(DAY) }, 'labels')
    assert.deepEqual({ ...labelled.labels }, { c: '3' })
    assert.equal(labelled.rotationPeriod ?? null, null)
    const next = seconds(Date.now() + DAY)
    await update(
      { name: keyName('k'), rotationPeriod: seconds(DAY), nextRotationTime: next },
      'rotation_period',
      'next_rotation_time',
    )
    const [stopped] = await update({ name: keyName('k') }, 'rotation_period', 'next_rotation_time')
    assert.equal(stopped.nextRotationTime ?? null, null)
    const [other] = await update(
      { name: keyName('s'), versionTemplate: { algorithm: 'EC_SIGN_P384_SHA384' } },
      'version_template.algorithm',
    )
    is(other.versionTemplate!.algorithm, 'EC_SIGN_P384_SHA384', 13)
    const [made] = await client.createCryptoKeyVersion({ parent: keyName('s') })
    is(made.algorithm, 'EC_SIGN_P384_SHA384', 13)
    for (const refusal of [
      update({ name: keyName('k') }),
      update({ name: keyName('k'), purpose: 'MAC' }, 'purpose'),
      update(
        { name: keyName('s'), rotationPeriod: seconds(DAY), nextRotationTime: next },
        'rotation_period',
        'next_rotation_time',
      ),
      update(
        { name: keyName('k'), rotationPeriod: seconds(HOUR), nextRotationTime: next },
        'rotation_period',
        'next_rotation_time',
      ),
      update(
        { name: keyName('s'), versionTemplate: { algorithm: 'EC_SIGN_ED25519', protectionLevel: 'HSM' } },
        'version_template',
      ),
      client.updateCryptoKeyVersion({
        cryptoKeyVersion: { name: versionOf('s'), state: 'DESTROYED' },
        updateMask: { paths: ['state'] },
      }),
    ]) {
      assert.equal((await refused(refusal)).code, 3)
    }
  })
}

test('local-kms gcp: lists come in pages, filtered and sorted', async () => {
  const ids = Array.from({ length: 25 }, (_, i) => `key-${String(i).padStart(2, '0')}`)
  const cryptoKeys = ids.map((id, i) => ({
    name: keyName(id),
    algorithm: i % 2 === 0 ? ('EC_SIGN_ED25519' as const) : ('HMAC_SHA256' as const),
    labels: { half: i < 10 ? 'first' : 'second' },
  }))
  const rig = await startGcp({ seed: { cryptoKeys } })
  const list = async (query: string) => (await raw(rig, 'GET', `${RING}/cryptoKeys?${query}`)).json
  const names = (page: { cryptoKeys?: { name: string }[] }): string[] =>
    (page.cryptoKeys ?? []).map(key => key.name.split('/').at(-1)!)
  const first = await list('pageSize=10')
  assert.deepEqual(names(first), ids.slice(0, 10))
  assert.equal(first['totalSize'], 25)
  const second = await list(`pageSize=10&pageToken=${encodeURIComponent(first['nextPageToken'])}`)
  const third = await list(`pageSize=10&pageToken=${encodeURIComponent(second['nextPageToken'])}`)
  assert.deepEqual([...names(first), ...names(second), ...names(third)], ids)
  assert.equal(third['nextPageToken'], undefined)
  assert.equal((await list('filter=purpose%3DMAC&pageSize=1000'))['totalSize'], 12)
  assert.equal((await list('filter=labels.half%3Dfirst+AND+purpose%3DMAC'))['totalSize'], 5)
  assert.equal((await list('filter=name:key-03+OR+name:key-04'))['totalSize'], 2)
  assert.equal((await list('filter=NOT+labels.half%3Dfirst'))['totalSize'], 15)
  assert.equal(
    (await list('filter=(purpose%3DMAC+OR+purpose%3DASYMMETRIC_SIGN)+labels.half!%3Dfirst'))['totalSize'],
    15,
  )
  assert.equal((await list(`filter=createTime%3E"2020-01-01T00:00:00Z"`))['totalSize'], 25)
  assert.deepEqual(names(await list('orderBy=name+desc&pageSize=2')), ['key-24', 'key-23'])
  for (const query of ['pageToken=abc', 'pageSize=-1', 'filter=%3D%3D', 'orderBy=name+up', 'filter=(a%3Db']) {
    const { status, json } = await raw(rig, 'GET', `${RING}/cryptoKeys?${query}`)
    assert.equal(status, 400, query)
    assert.equal(json['error'].status, 'INVALID_ARGUMENT')
  }
})

test('local-kms gcp: locations are listed and found', async () => {
  const rig = await startGcp()
  const all = (await raw(rig, 'GET', 'projects/demo/locations')).json['locations'] as { locationId: string }[]
  assert.ok(all.some(({ locationId }) => locationId === 'global'))
  const one = (await raw(rig, 'GET', 'projects/demo/locations/europe-west1')).json
  assert.equal(one['name'], 'projects/demo/locations/europe-west1')
  assert.equal(one['metadata']['@type'], 'type.googleapis.com/google.cloud.kms.v1.LocationMetadata')
  const client = rig.client('grpc')
  const [location] = (await client.getLocation({ name: 'projects/demo/locations/global' })) as unknown as [
    { locationId: string },
  ]
  assert.equal(location.locationId, 'global')
})

test('local-kms gcp: what a key may not be', async () => {
  const rig = await startGcp({
    seed: { keyRings: [{ name: RING }], cryptoKeys: [{ name: keyName('mac'), algorithm: 'HMAC_SHA256' }] },
  })
  const create = (cryptoKey: unknown, query = '') =>
    raw(rig, 'POST', `${RING}/cryptoKeys?cryptoKeyId=x${query}`, cryptoKey)
  const cases: [unknown, string?, number?][] = [
    [{}],
    [{ purpose: 'ASYMMETRIC_SIGN' }],
    [{ purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'HMAC_SHA256' } }],
    [{ purpose: 'MAC', versionTemplate: { algorithm: 'HMAC_SHA256' }, rotationPeriod: '86400s' }],
    [{ purpose: 'ENCRYPT_DECRYPT', rotationPeriod: '86400s' }],
    [{ purpose: 'ENCRYPT_DECRYPT', rotationPeriod: '3600s', nextRotationTime: '2030-01-01T00:00:00Z' }],
    [{ purpose: 'ENCRYPT_DECRYPT', nextRotationTime: '2020-01-01T00:00:00Z' }],
    [{ purpose: 'ENCRYPT_DECRYPT', destroyScheduledDuration: '3600s' }],
    [{ purpose: 'ENCRYPT_DECRYPT', labels: { 'Not a label': 'x' } }],
    [{ purpose: 'ENCRYPT_DECRYPT', importOnly: true }],
    [{ purpose: 'KEY_ENCAPSULATION', versionTemplate: { algorithm: 'ML_KEM_768' } }, '', 501],
    [{ purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'PQ_SIGN_ML_DSA_65' } }, '', 501],
    [{ purpose: 'ENCRYPT_DECRYPT', versionTemplate: { protectionLevel: 'EXTERNAL' } }, '', 501],
  ]
  for (const [body, query, status = 400] of cases) {
    assert.equal((await create(body, query)).status, status, JSON.stringify(body))
  }
  assert.equal(
    (await raw(rig, 'POST', `${RING}/cryptoKeys?cryptoKeyId=a%20b`, { purpose: 'ENCRYPT_DECRYPT' })).status,
    400,
  )
  assert.equal((await raw(rig, 'GET', versionOf('mac') + '/publicKey')).status, 400)
  assert.equal(
    (await raw(rig, 'POST', `${versionOf('mac')}:asymmetricSign`, { data: 'eA==' })).json['error'].status,
    'FAILED_PRECONDITION',
  )
  assert.equal(
    (await raw(rig, 'POST', `${keyName('mac')}:updatePrimaryVersion`, { cryptoKeyVersionId: '1' })).json['error']
      .status,
    'FAILED_PRECONDITION',
  )
})

test('local-kms gcp: two calls that make the same key at once leave one', async () => {
  const rig = await startGcp({ seed: { keyRings: [{ name: RING }] } })
  const body = { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'RSA_SIGN_PSS_2048_SHA256' } }
  const both = await Promise.all([1, 2].map(() => raw(rig, 'POST', `${RING}/cryptoKeys?cryptoKeyId=x`, body)))
  assert.deepEqual(
    both.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 409],
  )
  const versions = await Promise.all([1, 2, 3].map(() => raw(rig, 'POST', `${keyName('x')}/cryptoKeyVersions`, {})))
  assert.equal(new Set(versions.map(({ json }) => json['name'])).size, 3)
})
