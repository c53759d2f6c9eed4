import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protos } from '@google-cloud/kms'
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import * as fc from 'fast-check'
import { loadSchema } from '../../local-kms/gcp/descriptors.ts'
import { decodeBase64, readMessage, writeMessage } from '../../local-kms/gcp/json.ts'
import { decodeMessage, encodeMessage, ProtoError } from '../../local-kms/gcp/proto.ts'
import { matchRoute } from '../../local-kms/gcp/routes.ts'
import { bytes, hex, keyName, LOCATION, RING, raw, refused, RFC_8032, startGcp, versionOf } from './gcp-support.ts'

const V1 = protos.google.cloud.kms.v1
const b64 = (data: Uint8Array): string => Buffer.from(data).toString('base64')
const ed25519 = {
  name: keyName('k'),
  algorithm: 'EC_SIGN_ED25519' as const,
  versions: [{ material: { hex: RFC_8032[1].seed } }],
}
const aes = { name: keyName('e'), algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' as const }

test('local-kms gcp rest: both spellings, all kinds of base64, numbers as text and text as numbers', async () => {
  const rig = await startGcp({ seed: { keyRings: [{ name: RING }], cryptoKeys: [ed25519] } })
  const data = hex('fbff72')
  const sign = async (body: object) => raw(rig, 'POST', `${versionOf('k')}:asymmetricSign`, body)
  const expected = (await sign({ data: '+/9y' })).json['signature']
  const { json } = await sign({ data: b64(data), dataCrc32c: '3193763014' })
  assert.equal(json['error']?.status, 'INVALID_ARGUMENT')
  assert.equal((await sign({ data: '-_9y' })).json['signature'], expected)
  assert.equal((await sign({ data: b64(bytes('ab')).replaceAll('=', '') })).status, 200)
  const crc = Number((await import('../../local-kms/gcp/crc32c.ts')).crc32c(data))
  for (const sum of [{ dataCrc32c: crc }, { dataCrc32c: String(crc) }, { data_crc32c: String(crc) }]) {
    const answer = (await sign({ data: '+/9y', ...sum })).json
    assert.equal(answer['verifiedDataCrc32c'], true)
    assert.equal(typeof answer['signatureCrc32c'], 'string')
  }
  const made = await raw(rig, 'POST', `${RING}/cryptoKeys?crypto_key_id=n&skipInitialVersionCreation=true`, {
    purpose: 5,
    version_template: { algorithm: 12, protection_level: 'HSM' },
    destroyScheduledDuration: '86400.5s',
  })
  assert.equal(made.json['versionTemplate'].algorithm, 'EC_SIGN_P256_SHA256')
  assert.equal(made.json['destroyScheduledDuration'], '86400.5s')
  assert.match(made.json['createTime'], /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  assert.equal(made.json['primary'], undefined)
  const numbers = await raw(rig, 'GET', `${keyName('n')}?%24alt=json%3Benum-encoding%3Dint`)
  assert.equal(numbers.json['versionTemplate'].algorithm, 12)
  assert.equal(numbers.json['purpose'], 5)
  const der = await raw(rig, 'GET', `${versionOf('k')}/publicKey?publicKeyFormat=2`)
  assert.equal(der.json['publicKeyFormat'], 'DER')
  const patched = await raw(rig, 'PATCH', `${keyName('n')}?updateMask=versionTemplate.algorithm,labels`, {
    labels: { a: 'b' },
    versionTemplate: { algorithm: 'EC_SIGN_P384_SHA384' },
  })
  assert.equal(patched.json['versionTemplate'].algorithm, 'EC_SIGN_P384_SHA384', patched.text)
  assert.match(made.text, /^\{\n {2}"name"/)
  assert.ok(!(await raw(rig, 'GET', `${keyName('n')}?prettyPrint=false`)).text.includes('\n'))
})

test('local-kms gcp rest: what cannot be read is refused in words, and never repeated where it may be secret', async () => {
  const rig = await startGcp({ seed: { cryptoKeys: [ed25519, aes] } })
  const cases: [string, unknown, RegExp][] = [
    [
      `${keyName('e')}:encrypt`,
      { plaintext: 'not base64!' },
      /Invalid value at 'plaintext' \(TYPE_BYTES\), Base64 decoding failed$/,
    ],
    [`${keyName('e')}:encrypt`, { plaintexts: 'eA==' }, /Unknown name "plaintexts": Cannot find field\./],
    [`${keyName('e')}:encrypt?plain=x`, {}, /Unknown name "plain": Cannot bind query parameter\./],
    [`${keyName('e')}:encrypt`, '{', /Invalid JSON payload/],
    [`${keyName('e')}:encrypt`, [], /Invalid JSON payload/],
    [
      `${versionOf('k')}:asymmetricSign`,
      { digest: { sha256: 'eA==', sha512: 'eA==' } },
      /oneof field 'digest' is already set/,
    ],
    [`${versionOf('k')}:asymmetricSign`, { digest: 7 }, /Invalid value at 'digest'/],
    [
      `${versionOf('k')}:asymmetricSign`,
      { data: 'eA==', dataCrc32c: 'x' },
      /Invalid value at 'dataCrc32c' \(TYPE_INT64\)/,
    ],
    [`${versionOf('k')}:asymmetricSign`, {}, /missing the required field 'data'/],
    [`${LOCATION}:generateRandomBytes`, { lengthBytes: 1.5 }, /TYPE_INT32/],
    [`${LOCATION}:generateRandomBytes`, { lengthBytes: 16, protectionLevel: 'SOFT' }, /protectionLevel/],
    [`${RING}/cryptoKeys?cryptoKeyId=x`, { labels: [] }, /Map/],
    [`${RING}/cryptoKeys?cryptoKeyId=x`, { rotationPeriod: '1h' }, /Duration/],
    [`${RING}/cryptoKeys?cryptoKeyId=x`, { nextRotationTime: 'tomorrow' }, /Timestamp/],
    [`${RING}/cryptoKeys?cryptoKeyId=x`, { importOnly: 'yes' }, /TYPE_BOOL/],
  ]
  for (const [path, body, text] of cases) {
    const { status, json, text: answer } = await raw(rig, 'POST', path, body)
    assert.equal(status, 400, `${path} ${answer}`)
    assert.equal(json['error'].code, 400)
    assert.equal(json['error'].status, 'INVALID_ARGUMENT')
    assert.match(json['error'].message, text)
    assert.ok(!answer.includes('not base64!'))
  }
})

test('local-kms gcp rest: error bodies, unknown paths and methods that are not played', async () => {
  const rig = await startGcp({ seed: { cryptoKeys: [{ ...ed25519, versions: [{ state: 'DISABLED' }] }] } })
  const disabled = await raw(rig, 'POST', `${versionOf('k')}:asymmetricSign`, { data: 'eA==' })
  assert.deepEqual(disabled.json, {
    error: {
      code: 400,
      message: `${versionOf('k')} is not enabled, current state is: DISABLED.`,
      status: 'FAILED_PRECONDITION',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.PreconditionFailure',
          violations: [{ type: 'KEY_DISABLED', subject: versionOf('k') }],
        },
      ],
    },
  })
  assert.equal(disabled.headers.get('content-type'), 'application/json; charset=UTF-8')
  assert.match(disabled.headers.get('x-local-kms')!, /not a secure store/)
  const missing = await raw(rig, 'GET', keyName('none'))
  assert.deepEqual(missing.json, {
    error: { code: 404, message: `CryptoKey ${keyName('none')} not found.`, status: 'NOT_FOUND' },
  })
  for (const [method, path] of [
    ['GET', 'nowhere'],
    ['DELETE', RING],
    ['PUT', `${versionOf('k')}:asymmetricSign`],
    ['GET', '%zz'],
  ] as const) {
    const answer = await raw(rig, method, path)
    assert.equal(answer.status, 404)
    assert.match(answer.headers.get('content-type')!, /html/)
  }
  const unplayed = await raw(rig, 'POST', `${versionOf('k')}:decapsulate`, {})
  assert.equal(unplayed.status, 501)
  assert.equal(unplayed.json['error'].status, 'UNIMPLEMENTED')
  assert.equal(rig.face.calls()['Unknown'], 4)
  assert.equal(rig.face.calls()['AsymmetricSign'], 1)
})

test('local-kms gcp grpc: google.rpc.Status stands in the trailers, as vendors read it', async () => {
  const rig = await startGcp({ seed: { cryptoKeys: [{ ...ed25519, versions: [{ state: 'DISABLED' }] }] } })
  const client = new Client(rig.grpc, credentials.createInsecure())
  const call = (path: string, request: Uint8Array): Promise<ServiceError> =>
    new Promise(resolve => {
      const same = (value: Buffer): Buffer => value
      client.makeUnaryRequest(path, same, same, Buffer.from(request), problem => resolve(problem!))
    })
  const service = '/google.cloud.kms.v1.KeyManagementService'
  const request = V1.AsymmetricSignRequest.encode({ name: versionOf('k'), data: bytes('x') }).finish()
  const error = await call(`${service}/AsymmetricSign`, request)
  assert.equal(error.code, 9)
  assert.equal(error.details, `${versionOf('k')} is not enabled, current state is: DISABLED.`)
  const status = protos.google.rpc.Status.decode(error.metadata.get('grpc-status-details-bin')[0] as Buffer)
  assert.equal(status.code, 9)
  assert.equal(status.message, error.details)
  assert.equal(status.details[0]!.type_url, 'type.googleapis.com/google.rpc.PreconditionFailure')
  assert.equal((await call(`${service}/AsymmetricSign`, Uint8Array.of(0x0a, 0x7f, 1))).code, 3)
  assert.equal((await call(`${service}/AsymmetricSign`, Uint8Array.of(0x0a, 0x02, 0xff, 0xff))).code, 3)
  assert.equal((await call(`${service}/Decapsulate`, new Uint8Array(0))).code, 12)
  assert.equal((await call(`${service}/NoSuchMethod`, new Uint8Array(0))).code, 12)
  assert.equal((await call('/google.cloud.kms.v1.EkmService/GetEkmConfig', new Uint8Array(0))).code, 12)
  client.close()
})

test('local-kms gcp proto: what is written here the vendor reads, and the other way round', async () => {
  const schema = await loadSchema()
  const versions = fc.record({
    name: fc.string(),
    state: fc.constantFrom('ENABLED', 'PENDING_IMPORT', 'DESTROYED'),
    createTime: fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
    reimportEligible: fc.boolean(),
  })
  const type = schema.message('google.cloud.kms.v1.CryptoKey')
  const arbitrary = fc.record({
    name: fc.string(),
    primary: fc.option(versions, { nil: undefined }),
    labels: fc
      .uniqueArray(fc.tuple(fc.string(), fc.string()), { selector: ([key]) => key })
      .map(pairs => new Map(pairs)),
    rotationPeriod: fc.option(
      fc.nat().map(n => n * 1000),
      { nil: undefined },
    ),
  })
  fc.assert(
    fc.property(arbitrary, value => {
      const theirs = V1.CryptoKey.decode(encodeMessage(schema, type, value))
      assert.equal(theirs.name, value.name)
      assert.deepEqual(new Map(Object.entries(theirs.labels)), value.labels)
      const back = decodeMessage(type, V1.CryptoKey.encode(theirs).finish())
      assert.equal(back['name'] ?? '', value.name)
      assert.equal(back['rotationPeriod'], value.rotationPeriod)
      assert.equal((back['primary'] as { createTime?: number } | undefined)?.createTime, value.primary?.createTime)
      // The same over JSON
      const again = readMessage(
        type,
        JSON.parse(JSON.stringify(writeMessage(schema, type, back, { enumNumbers: true }))),
      )
      assert.deepEqual(encodeMessage(schema, type, again), encodeMessage(schema, type, back))
    }),
    { numRuns: 300 },
  )
  const asked = schema.message('google.cloud.kms.v1.AsymmetricSignRequest')
  const request = { name: 'n', digest: { sha256: bytes('x') }, digestCrc32c: { value: 4_294_967_295 } }
  assert.deepEqual(decodeMessage(asked, V1.AsymmetricSignRequest.encode(request).finish()), {
    name: 'n',
    digest: { sha256: bytes('x') },
    digestCrc32c: 4_294_967_295n,
  })
  const update = V1.UpdateCryptoKeyRequest.encode({ updateMask: { paths: ['version_template.algorithm'] } }).finish()
  assert.deepEqual(decodeMessage(schema.message('google.cloud.kms.v1.UpdateCryptoKeyRequest'), update)['updateMask'], [
    'versionTemplate.algorithm',
  ])
})

test('local-kms gcp proto: random bytes are read or refused, never worse', async () => {
  const schema = await loadSchema()
  const type = schema.message('google.cloud.kms.v1.ImportCryptoKeyVersionRequest')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), noise => {
      try {
        decodeMessage(type, noise)
      } catch (problem) {
        assert.ok(problem instanceof ProtoError, String(problem))
      }
    }),
    { numRuns: 3000 },
  )
})

test('local-kms gcp base64: only whole encodings are taken', () => {
  assert.deepEqual(decodeBase64('eA=='), bytes('x'))
  assert.deepEqual(decodeBase64('eA'), bytes('x'))
  assert.deepEqual(decodeBase64(''), new Uint8Array(0))
  for (const text of ['e', 'eA=', 'eA===', 'e A=', 'eA==eA==', 'eAé='])
    assert.equal(decodeBase64(text), undefined, text)
})

test('local-kms gcp routes: every method of the definitions has its path', async () => {
  const schema = await loadSchema()
  const kms = schema.methods.filter(({ service }) => service.endsWith('KeyManagementService'))
  assert.ok(kms.length >= 30)
  for (const { name, http } of kms) {
    const { verb, template } = http[0]!
    const path = template
      .replace(/\{[a-z_.]+=([^}]+)\}/, '$1')
      .replaceAll('**', 'k')
      .replaceAll('*', 'x')
    const found = matchRoute(schema, verb, path)
    assert.ok(found !== undefined && 'method' in found && found.method.name === name, `${verb} ${path}`)
  }
  assert.equal(matchRoute(schema, 'POST', '/v1/projects//locations/l/keyRings'), undefined)
})

test('local-kms gcp rest and grpc answer the same for the same request', async () => {
  const rig = await startGcp({ seed: { cryptoKeys: [ed25519, aes] } })
  const [grpc, rest] = [rig.client('grpc'), rig.client('rest')]
  const shape = (value: object): string => JSON.stringify(value, Object.keys(value).toSorted())
  const request = { name: versionOf('k'), data: bytes('same') }
  assert.equal(
    shape((await grpc.asymmetricSign(request))[0].signature as object),
    shape((await rest.asymmetricSign(request))[0].signature as object),
  )
  for (const bad of [
    { name: versionOf('nope'), data: bytes('x') },
    { name: 'projects/x', data: bytes('x') },
  ]) {
    // The REST client does not find a path for a name that is none
    if (!bad.name.includes('cryptoKeyVersions')) continue
    const [a, b] = [await refused(grpc.asymmetricSign(bad)), await refused(rest.asymmetricSign(bad))]
    assert.equal(a.code, b.code)
    assert.ok(a.message.includes(b.message), `${a.message} / ${b.message}`)
  }
})
