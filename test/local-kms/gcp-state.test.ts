import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '../../local-kms/core/clock.ts'
import { seededStreams } from '../../local-kms/core/random.ts'
import { gcpSeedDocument, type GcpAuditRecord } from '../../local-kms/gcp/face.ts'
import { bytes, hex, keyName, LOCATION, RFC_8032, RING, raw, startGcp, toHex, versionOf } from './gcp-support.ts'

const SECRET = RFC_8032[1].seed
const sign = { name: keyName('sign'), algorithm: 'EC_SIGN_ED25519' as const, versions: [{ material: { hex: SECRET } }] }
const aes = { name: keyName('aes'), algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' as const, versions: [{}, {}], primary: 1 }

test('local-kms gcp: the same master seed makes the same keys, whatever else is called', async () => {
  const run = async (noise: boolean): Promise<string[]> => {
    const rig = await startGcp({ masterSeed: 'fixed', seed: { cryptoKeys: [{ ...sign, versions: [{}] }] } })
    if (noise) await raw(rig, 'POST', `${LOCATION}/keyRings?keyRingId=noise`, {})
    await raw(rig, 'POST', `${RING}/cryptoKeys?cryptoKeyId=new`, {
      purpose: 5,
      versionTemplate: { algorithm: 31, protectionLevel: 'HSM' },
    })
    const random = await raw(rig, 'POST', `${LOCATION}:generateRandomBytes`, {
      lengthBytes: 32,
      protectionLevel: 'HSM',
    })
    const more = await raw(rig, 'POST', `${LOCATION}:generateRandomBytes`, { lengthBytes: 32, protectionLevel: 'HSM' })
    assert.notEqual(random.json['data'], more.json['data'])
    const pems = await Promise.all(['sign', 'new'].map(id => raw(rig, 'GET', `${versionOf(id)}/publicKey`)))
    return [...pems.map(({ json }) => json['pem'] as string), random.json['data'], more.json['data']]
  }
  assert.deepEqual(await run(false), await run(true))
})

test('local-kms gcp: what is kept comes back whole, and only what fits is taken', async () => {
  const clock = virtualClock()
  const rig = await startGcp({
    clock,
    seed: {
      cryptoKeys: [sign, aes],
      policies: [{ resource: RING, bindings: [{ role: 'roles/cloudkms.viewer', members: ['allUsers'] }] }],
    },
  })
  await raw(rig, 'POST', `${RING}/importJobs?importJobId=job`, {
    importMethod: 'RSA_OAEP_3072_SHA256',
    protectionLevel: 'SOFTWARE',
  })
  const sealed = (await raw(rig, 'POST', `${aes.name}:encrypt`, { plaintext: 'eHl6' })).json['ciphertext']
  const snapshot = JSON.parse(JSON.stringify(rig.face.snapshot()))
  const copy = await startGcp({ clock, snapshot, seed: { cryptoKeys: [{ ...sign, versions: [{}] }] } })
  assert.deepEqual(copy.face.inspect(), { ...(rig.face.inspect() as object), calls: {} })
  assert.equal((await raw(copy, 'POST', `${aes.name}:decrypt`, { ciphertext: sealed })).json['plaintext'], 'eHl6')
  const signature = (await raw(copy, 'POST', `${versionOf('sign')}:asymmetricSign`, { data: 'cg==' })).json['signature']
  assert.equal(toHex(Buffer.from(signature, 'base64')), RFC_8032[1].signature)
  assert.equal((await raw(copy, 'GET', `${RING}/importJobs/job`)).json['state'], 'ACTIVE')
  await raw(copy, 'POST', `${LOCATION}/keyRings?keyRingId=more`, {})
  copy.face.restore(snapshot)
  assert.equal((await raw(copy, 'GET', `${LOCATION}/keyRings/more`)).status, 404)
  assert.throws(() => copy.face.restore({ version: 2 }), RangeError)
  copy.face.reset(seededStreams('x'))
  assert.deepEqual(copy.face.calls(), {})
  assert.deepEqual(copy.face.audit(), [])
})

test('local-kms gcp: nothing secret stands in inspect or in the trail', async () => {
  const rig = await startGcp({
    seed: { cryptoKeys: [sign, aes] },
    credentials: [{ token: 'a-token', principal: 'svc@demo.invalid' }],
  })
  const headers = { authorization: 'Bearer a-token' }
  const plaintext = Buffer.from('very secret plaintext').toString('base64')
  await raw(
    rig,
    'POST',
    `${RING}/importJobs?importJobId=job`,
    { importMethod: 'RSA_OAEP_3072_SHA256', protectionLevel: 'SOFTWARE' },
    headers,
  )
  const sealed = (
    await raw(rig, 'POST', `${aes.name}:encrypt`, { plaintext, additionalAuthenticatedData: plaintext }, headers)
  ).json['ciphertext']
  await raw(rig, 'POST', `${aes.name}:decrypt`, { ciphertext: sealed, additionalAuthenticatedData: plaintext }, headers)
  await raw(rig, 'POST', `${versionOf('sign')}:asymmetricSign`, { data: plaintext }, headers)
  const shown = JSON.stringify([rig.face.inspect(), rig.face.audit(), rig.audited])
  for (const secret of [
    SECRET,
    Buffer.from(SECRET, 'hex').toString('base64'),
    plaintext,
    'very secret',
    'a-token',
    sealed,
    'PRIVATE KEY',
    'material',
    'wrappingKey"',
  ]) {
    assert.ok(!shown.includes(secret), secret)
  }
  const numbers = JSON.stringify([...hex(SECRET).subarray(0, 8)]).slice(1, -1)
  assert.ok(!shown.includes(numbers))
})

test('local-kms gcp audit: entries have the form of Cloud Audit Logs', async () => {
  const clock = virtualClock()
  const rig = await startGcp({
    clock,
    seed: { cryptoKeys: [sign] },
    credentials: [
      {
        token: 't',
        principal: 'svc@demo.invalid',
        permissions: [`cloudkms.cryptoKeyVersions.useToSign`, 'cloudkms.cryptoKeys.create'],
      },
    ],
  })
  const headers = { authorization: 'Bearer t', 'user-agent': 'a test' }
  await raw(rig, 'POST', `${versionOf('sign')}:asymmetricSign`, { data: 'eA==' }, headers)
  await raw(rig, 'GET', `${versionOf('sign')}/publicKey`, undefined, headers)
  await raw(
    rig,
    'POST',
    `${RING}/cryptoKeys?cryptoKeyId=made`,
    { purpose: 'ENCRYPT_DECRYPT', labels: { a: 'b' } },
    headers,
  )
  const [signed, denied, made] = rig.face.audit() as [GcpAuditRecord, GcpAuditRecord, GcpAuditRecord]
  assert.deepEqual(signed, {
    protoPayload: {
      '@type': 'type.googleapis.com/google.cloud.audit.AuditLog',
      status: {},
      authenticationInfo: { principalEmail: 'svc@demo.invalid' },
      requestMetadata: {
        callerIp: '127.0.0.1',
        callerSuppliedUserAgent: 'a test',
        requestAttributes: { time: '2026-01-01T00:00:00.000Z', auth: {} },
        destinationAttributes: {},
      },
      serviceName: 'cloudkms.googleapis.com',
      methodName: 'AsymmetricSign',
      authorizationInfo: [{ resource: sign.name, permission: 'cloudkms.cryptoKeyVersions.useToSign', granted: true }],
      resourceName: versionOf('sign'),
      request: { '@type': 'type.googleapis.com/google.cloud.kms.v1.AsymmetricSignRequest', name: versionOf('sign') },
      resourceLocation: { currentLocations: ['global'] },
    },
    insertId: signed.insertId,
    resource: {
      type: 'cloudkms_cryptokeyversion',
      labels: {
        project_id: 'demo',
        location: 'global',
        key_ring_id: 'ring',
        crypto_key_id: 'sign',
        crypto_key_version_id: '1',
      },
    },
    timestamp: '2026-01-01T00:00:00.000Z',
    severity: 'INFO',
    logName: 'projects/demo/logs/cloudaudit.googleapis.com%2Fdata_access',
    receiveTimestamp: '2026-01-01T00:00:00.000Z',
  })
  assert.deepEqual(
    [denied.severity, denied.protoPayload.status.code, denied.protoPayload.authorizationInfo[0]!.granted],
    ['ERROR', 7, false],
  )
  assert.equal(made.logName, 'projects/demo/logs/cloudaudit.googleapis.com%2Factivity')
  assert.equal(made.severity, 'NOTICE')
  assert.equal(made.protoPayload.resourceName, keyName('made'))
  assert.equal(made.protoPayload.response!['name'], keyName('made'))
  assert.deepEqual((made.protoPayload.request['cryptoKey'] as Record<string, unknown>)['labels'], { a: 'b' })
  assert.deepEqual(rig.audited, [signed, denied, made])
})

test('local-kms gcp: states can be forced, unknown ones cannot', async () => {
  const rig = await startGcp({ seed: { cryptoKeys: [sign] } })
  assert.equal(rig.face.setKeyState(versionOf('sign'), 'GENERATION_FAILED'), true)
  const { json } = await raw(rig, 'POST', `${versionOf('sign')}:asymmetricSign`, { data: 'eA==' })
  assert.match(json['error'].message, /current state is: GENERATION_FAILED\.$/)
  assert.equal(rig.face.setKeyState(sign.name, 'ENABLED'), true)
  assert.equal((await raw(rig, 'POST', `${versionOf('sign')}:asymmetricSign`, { data: 'eA==' })).status, 200)
  assert.equal(rig.face.setKeyState(keyName('none'), 'ENABLED'), false)
  assert.equal(rig.face.setKeyState('abc', 'ENABLED'), false)
  assert.throws(() => rig.face.setKeyState(sign.name, 'Disabled'), RangeError)
})

test('local-kms gcp seed: every field in question is named, and no value', async () => {
  const refusal = async (seed: unknown): Promise<string> => {
    try {
      await startGcp({ seed: seed as never })
    } catch (problem) {
      assert.ok(problem instanceof RangeError)
      return problem.message
    }
    throw new Error('Nothing was refused')
  }
  assert.match(await refusal({ cryptoKeys: [{ name: keyName('a'), algorithm: 'RSA' }] }), /cryptoKeys\.0\.algorithm/)
  assert.match(await refusal({ keys: [] }), /keys/)
  assert.match(
    await refusal({ cryptoKeys: [{ name: 'a', algorithm: 'HMAC_SHA256' }] }),
    /'a' is no name of a crypto key/,
  )
  assert.match(await refusal({ keyRings: [{ name: 'a' }] }), /no name of a key ring/)
  assert.match(await refusal({ policies: [{ resource: 'a', bindings: [] }] }), /no name of a resource/)
  const wrong = await refusal({ cryptoKeys: [{ ...sign, versions: [{ material: { hex: `${SECRET}00` } }] }] })
  assert.match(wrong, /material of version 1 of .* does not fit algorithm EC_SIGN_ED25519/)
  assert.ok(!wrong.includes(SECRET))
  assert.match(await refusal({ cryptoKeys: [{ ...sign, versions: [{ material: { hex: 'zz' } }] }] }), /does not fit/)
  assert.match(
    await refusal({ cryptoKeys: [{ ...sign, protectionLevel: 'HSM' }] }),
    /not offered at protection level HSM/,
  )
  assert.match(
    await refusal({ cryptoKeys: [{ ...sign, versions: [{ algorithm: 'HMAC_SHA256' }] }] }),
    /another purpose/,
  )
  assert.ok(gcpSeedDocument.safeParse({ cryptoKeys: [sign, aes] }).success)
})

test('local-kms gcp seed: everything a document can say', async () => {
  const clock = virtualClock(Date.UTC(2026, 5, 1))
  const rig = await startGcp({
    clock,
    seed: {
      cryptoKeys: [
        {
          ...aes,
          labels: { team: 'pay' },
          rotationPeriod: '86400s',
          nextRotationTime: '2026-07-01T00:00:00Z',
          destroyScheduledDuration: '172800s',
          createTime: '2026-01-01T00:00:00Z',
        },
        {
          name: keyName('p384'),
          algorithm: 'EC_SIGN_P384_SHA384',
          protectionLevel: 'HSM',
          versions: [
            {
              material: { base64: Buffer.alloc(48, 1).toString('base64') },
              state: 'DISABLED',
              createTime: '2026-02-01T00:00:00Z',
            },
            { algorithm: 'EC_SIGN_P256_SHA256' },
          ],
        },
      ],
      credentials: [{ token: 't' }],
    },
  })
  const get = async (path: string) => (await raw(rig, 'GET', path, undefined, { authorization: 'Bearer t' })).json
  const key = await get(aes.name)
  assert.equal(key['primary'].name, versionOf('aes', 1))
  assert.deepEqual(
    [key['labels'], key['rotationPeriod'], key['nextRotationTime'], key['destroyScheduledDuration'], key['createTime']],
    [{ team: 'pay' }, '86400s', '2026-07-01T00:00:00.000Z', '172800s', '2026-01-01T00:00:00.000Z'],
  )
  const disabled = await get(versionOf('p384'))
  assert.deepEqual(
    [disabled['state'], disabled['protectionLevel'], disabled['createTime']],
    ['DISABLED', 'HSM', '2026-02-01T00:00:00.000Z'],
  )
  assert.equal((await get(versionOf('p384', 2)))['algorithm'], 'EC_SIGN_P256_SHA256')
  assert.equal((await raw(rig, 'GET', aes.name)).status, 401)
})

test('local-kms gcp: gRPC ports are loopback ports, and are free again after closing', async () => {
  const rig = await startGcp()
  await assert.rejects(rig.face.startGrpc({ host: '0.0.0.0', port: 0 }), RangeError)
  const port = Number(rig.grpc.split(':')[1])
  await rig.client('grpc').listKeyRings({ parent: LOCATION })
  await rig.face.close()
  const again = await rig.face.startGrpc({ host: '127.0.0.1', port })
  assert.equal(again.address, rig.grpc)
  await again.close()
  assert.ok(bytes('x').length === 1)
})
