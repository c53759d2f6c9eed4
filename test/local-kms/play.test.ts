import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyPairCommand,
  GetPublicKeyCommand,
  ListKeysCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
} from '@aws-sdk/client-kms'
import { quotaOf } from '../../local-kms/aws/quotas.ts'
import { createLatency, LATENCY_PROFILES, type LatencyProfile } from '../../local-kms/core/latency.ts'
import { seededStreams } from '../../local-kms/core/random.ts'
import { type LatencyName, startLocalKms, virtualClock } from '../../local-kms/index.ts'
import { bytes, createKey, failure, raw, start } from './support.ts'

test('local-kms throttling: the group’s quota, then ThrottlingException, then again after time has passed (A.8, A.9)', async () => {
  const clock = virtualClock()
  const { client } = await start({ clock, throttle: true })
  for (let i = 0; i < 5; i++) await client.send(new CreateKeyCommand({}))
  assert.deepEqual(await failure(client.send(new CreateKeyCommand({}))), {
    name: 'ThrottlingException',
    message: 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
    status: 400,
  })
  await client.send(new ListKeysCommand({})) // another group
  await clock.advance(200)
  await client.send(new CreateKeyCommand({}))
  assert.equal((await failure(client.send(new CreateKeyCommand({})))).name, 'ThrottlingException')
})

test('local-kms throttling: groups by key spec, own rates, and one hot key below the account’s quota', async () => {
  const clock = virtualClock()
  const { client } = await start({
    clock,
    throttle: { rates: { ecc: 3, symmetric: 2, 'GenerateDataKeyPair ECC_NIST_P256': 1 }, perKey: 2 },
  })
  const signers = [1, 2].map(() => createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' }))
  const [a, b] = [await signers[0]!, await signers[1]!]
  const sealer = await createKey(client)
  const sign = (KeyId: string) =>
    client.send(new SignCommand({ KeyId, Message: bytes('m'), SigningAlgorithm: 'ED25519_SHA_512' }))
  await sign(a.id)
  await sign(a.id)
  assert.equal((await failure(sign(a.id))).name, 'ThrottlingException') // hot key; the group's token is spent, too
  assert.equal((await failure(sign(b.id))).name, 'ThrottlingException')
  const encrypt = () => client.send(new EncryptCommand({ KeyId: sealer.id, Plaintext: bytes('x') }))
  const { CiphertextBlob } = await encrypt()
  await client.send(new DecryptCommand({ CiphertextBlob }))
  assert.equal((await failure(encrypt())).name, 'ThrottlingException')
  await clock.advance(1000)
  await sign(b.id)
  const pair = () => client.send(new GenerateDataKeyPairCommand({ KeyId: sealer.id, KeyPairSpec: 'ECC_NIST_P256' }))
  await pair()
  assert.equal((await failure(pair())).name, 'ThrottlingException')
})

test('local-kms throttling: off unless asked for', async () => {
  const { client } = await start({ clock: virtualClock() })
  for (let i = 0; i < 12; i++) await client.send(new CreateKeyCommand({}))
})

test('local-kms quotas: the shared symmetric quota depends on the Region, other operations have none', () => {
  const rate = (region: string) => quotaOf('Decrypt', undefined, undefined, region, {})?.perSecond
  assert.deepEqual(['us-east-1', 'eu-west-2', 'sa-east-1'].map(rate), [100_000, 20_000, 10_000])
  assert.equal(quotaOf('TagResource', undefined, undefined, 'us-east-1', {}), undefined)
  assert.equal(quotaOf('GenerateDataKeyPair', undefined, 'RSA_2048', 'us-east-1', {}), undefined)
})

const figures = (profile: LatencyName | LatencyProfile, seed: string, count: number): number[] => {
  const latency = createLatency({ profile, cold: false }, seededStreams(seed)('latency'))
  const call = { operation: 'Sign', keys: [], freshConnection: false, factor: 1 }
  return Array.from({ length: count }, () => latency.sample(call))
}

for (const [name, profile] of Object.entries(LATENCY_PROFILES)) {
  test(`local-kms latency ${name}: percentiles as documented, and the same row for the same seed`, () => {
    const row = figures(name as LatencyName, 'seed', 40_000)
    assert.deepEqual(row.slice(0, 100), figures(name as LatencyName, 'seed', 100))
    assert.notDeepEqual(row.slice(0, 100), figures(name as LatencyName, 'other', 100))
    const sorted = row.toSorted((a, b) => a - b)
    const at = (p: number) => sorted[Math.floor(p * sorted.length)]!
    const near = (measured: number, wanted: number, tolerance: number) =>
      assert.ok(Math.abs(measured / wanted - 1) < tolerance, `${measured} is not near ${wanted}`)
    near(at(0.5), profile.p50, 0.03)
    near(at(0.95), profile.p95, 0.08)
    near(at(0.99), profile.p99, 0.2)
    near(at(0.999), profile.p999, 0.35)
  })
}

test('local-kms latency: overrides by operation and key, RSA factor, cold connections, names that are none', () => {
  const profile = 'fixed:10' as const
  const overrides = [
    { key: 'slow', profile: 'fixed:500' },
    { operation: 'Decrypt', profile: 'none' },
  ] as const
  const latency = createLatency({ profile, overrides }, seededStreams('s')('latency'))
  const call = { operation: 'Sign', keys: ['k'], freshConnection: true, factor: 1 }
  assert.equal(latency.sample(call), 10)
  assert.equal(latency.sample({ ...call, keys: ['slow'] }), 500)
  assert.equal(latency.sample({ ...call, operation: 'Decrypt' }), 0)
  const flat = { p50: 10, p95: 10, p99: 10, p999: 10, coldMs: [200, 300] } as const
  const cold = createLatency({ profile: flat }, seededStreams('s')('latency'))
  const first = cold.sample(call)
  assert.ok(first >= 210 && first <= 310)
  assert.ok(Math.abs(cold.sample({ ...call, freshConnection: false, factor: 1.5 }) - 15) < 1e-9)
  for (const bad of ['fixed:', 'fixed:-1', 'fixed:x', 'warp'] as LatencyName[]) {
    assert.throws(() => createLatency({ profile: bad }, seededStreams('s')('l')), RangeError, bad)
  }
})

test('local-kms latency: calls wait on the injected clock', async () => {
  const clock = virtualClock()
  const { client, kms } = await start({ clock, latency: 'fixed:250' })
  const progress = { done: false }
  const call = client.send(new ListKeysCommand({})).then(() => void (progress.done = true))
  while (kms.calls()['ListKeys'] === undefined) await new Promise(resolve => setImmediate(resolve))
  await clock.advance(200)
  assert.equal(progress.done, false)
  while (!progress.done) {
    await clock.advance(50)
    await new Promise(resolve => setImmediate(resolve))
  }
  await call
  kms.setLatency('none')
  await client.send(new ListKeysCommand({}))
})

test('local-kms audit: events as CloudTrail writes them, with the context in clear and nothing that was signed (A.10)', async () => {
  const seen: unknown[] = []
  const { kms, client } = await start({ onAudit: record => void seen.push(record) })
  const signer = await createKey(client, {
    KeySpec: 'ECC_NIST_EDWARDS25519',
    KeyUsage: 'SIGN_VERIFY',
    Description: 'd',
  })
  const sealer = await createKey(client)
  const Message = bytes('a very secret message')
  const signed = await client.send(
    new SignCommand({ KeyId: signer.id, Message, SigningAlgorithm: 'ED25519_SHA_512', MessageType: 'RAW' }),
  )
  const EncryptionContext = { Pubkey: 'GABC' }
  const { CiphertextBlob } = await client.send(
    new EncryptCommand({ KeyId: sealer.id, Plaintext: Message, EncryptionContext }),
  )
  await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))
  await failure(client.send(new DecryptCommand({ CiphertextBlob })))
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: sealer.id }))
  await raw(kms, 'Nothing', {})
  const trail = kms.audit()
  assert.deepEqual(trail, seen)
  assert.deepEqual(
    trail.map(r => r.eventName),
    ['CreateKey', 'CreateKey', 'Sign', 'Encrypt', 'Decrypt', 'Decrypt', 'ScheduleKeyDeletion', 'Unknown'],
  )
  const sign = trail[2]!
  assert.deepEqual(sign.requestParameters, {
    keyId: signer.id,
    messageType: 'RAW',
    signingAlgorithm: 'ED25519_SHA_512',
  })
  assert.equal(sign.responseElements, null)
  assert.equal(sign.requestID, signed.$metadata.requestId)
  assert.deepEqual(sign.resources, [{ accountId: '000000000000', type: 'AWS::KMS::Key', ARN: signer.arn }])
  assert.deepEqual(
    [sign.eventSource, sign.eventCategory, sign.eventType, sign.readOnly, sign.awsRegion],
    ['kms.amazonaws.com', 'Management', 'AwsApiCall', true, 'us-east-1'],
  )
  assert.equal(sign.userIdentity['accessKeyId'], 'test')
  assert.match(sign.userAgent, /aws-sdk-js/)
  const [opened, refused, scheduled] = trail.slice(4)
  assert.deepEqual(opened!.requestParameters, { encryptionContext: { Pubkey: 'GABC' } })
  assert.equal(opened!.resources[0]!.ARN, sealer.arn)
  assert.equal(refused!.errorCode, 'InvalidCiphertextException')
  assert.ok(!('errorMessage' in refused!))
  assert.deepEqual([scheduled!.readOnly, scheduled!.responseElements?.['keyState']], [false, 'PendingDeletion'])
  assert.equal((trail[0]!.responseElements!['keyMetadata'] as { description: string }).description, 'd')
  const text = JSON.stringify(trail)
  for (const secret of [Message, signed.Signature!, CiphertextBlob!]) {
    assert.ok(!text.includes(Buffer.from(secret).toString('base64')))
  }
})

test('local-kms calls: counted by operation, also when refused, set back by reset', async () => {
  const { kms, client } = await start()
  await client.send(new ListKeysCommand({}))
  await failure(client.send(new DescribeKeyCommand({ KeyId: 'x' })))
  assert.deepEqual(kms.calls(), { DescribeKey: 1, ListKeys: 1 })
  kms.reset()
  assert.deepEqual([kms.calls(), kms.audit()], [{}, []])
})

test('local-kms administration over HTTP: under its own path, loopback callers only, no browsers', async () => {
  const clock = virtualClock()
  const { kms, client } = await start({ clock })
  const { id } = await createKey(client, { KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
  const admin = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const response = await fetch(`${kms.aws}/_local-kms/${path}`, init)
    return { status: response.status, json: (await response.json()) as Record<string, unknown> }
  }
  assert.match(String((await admin('GET', 'health')).json['warning']), /no secure store/)
  const inspection = (await admin('GET', 'inspect')).json as unknown as { keys: { metadata: { KeyId: string } }[] }
  assert.deepEqual(
    inspection.keys.map(key => key.metadata.KeyId),
    [id],
  )
  assert.deepEqual((await admin('GET', 'calls')).json, { CreateKey: 1 })
  assert.equal(((await admin('GET', 'audit')).json as unknown as unknown[]).length, 1)

  await admin('POST', 'faults', { fault: { kind: 'error', name: 'KMSInternalException' }, times: 0 })
  assert.equal((await failure(client.send(new GetPublicKeyCommand({ KeyId: id })))).status, 500)
  assert.equal(((await admin('GET', 'faults')).json as unknown as unknown[]).length, 1)
  await admin('DELETE', 'faults')
  await client.send(new GetPublicKeyCommand({ KeyId: id }))
  await admin('POST', 'state', { keyId: id, state: 'Unavailable' })
  assert.equal((await failure(client.send(new GetPublicKeyCommand({ KeyId: id })))).name, 'KMSInvalidStateException')
  const before = clock.now()
  assert.equal((await admin('POST', 'clock', { advanceMs: 5000 })).json['now'], before + 5000)
  assert.equal((await admin('POST', 'latency', 'none')).status, 200)
  for (const [method, path, body] of [
    ['POST', 'latency', 'warp'],
    ['POST', 'faults', { fault: { kind: 'gremlins' } }],
    ['POST', 'faults', 'nonsense'],
    ['POST', 'state', { keyId: 'nobody', state: 'Enabled' }],
    ['POST', 'state', { keyId: id, state: 'Melted' }],
    ['POST', 'clock', { advanceMs: -1 }],
  ] as const) {
    assert.equal((await admin(method, path, body)).status, 400, path)
  }
  assert.equal((await admin('GET', 'nothing')).status, 404)
  assert.equal((await admin('POST', 'reset', {}, { origin: 'https://evil.example' })).status, 403)
  assert.equal((await admin('POST', 'reset')).status, 200)
  assert.equal(kms.inspect().keys.length, 0)
  const real = await start()
  const clockCall = await fetch(`${real.kms.aws}/_local-kms/clock`, { method: 'POST', body: '{"advanceMs":1}' })
  assert.equal(clockCall.status, 400)
})

test('local-kms listens on loopback addresses only, unless told in so many words', async () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.com', '127.evil.com']) {
    await assert.rejects(startLocalKms({ host }), /takes loopback addresses only/, host)
  }
  const open = await startLocalKms({ host: '0.0.0.0', allowNonLoopback: true })
  await open.close()
  const localhost = await startLocalKms({ host: 'localhost' })
  assert.match(localhost.aws, /^http:\/\/localhost:\d+$/)
  await localhost.close()
  const taken = await startLocalKms()
  const port = Number(new URL(taken.aws).port)
  await assert.rejects(startLocalKms({ port }))
  await taken.close()
})

test('local-kms clock: sleepers wake in order and time only goes forward', async () => {
  const clock = virtualClock(1000)
  const order: string[] = []
  const late = clock.sleep(20).then(() => order.push(`late at ${clock.now()}`))
  const early = clock.sleep(10).then(() => order.push(`early at ${clock.now()}`))
  await clock.sleep(0)
  await clock.advance(30)
  await Promise.all([late, early])
  assert.deepEqual(order, ['early at 1010', 'late at 1020'])
  await clock.set(5)
  assert.equal(clock.now(), 1030)
})
