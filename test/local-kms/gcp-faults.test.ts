import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { virtualClock } from '../../local-kms/core/clock.ts'
import type { Fault } from '../../local-kms/core/faults.ts'
import { crc32c } from '../../local-kms/gcp/crc32c.ts'
import {
  bytes,
  type GcpRig,
  hex,
  keyName,
  raw,
  refused,
  RFC_8032,
  startGcp,
  type Transport,
  TRANSPORTS,
  versionOf,
} from './gcp-support.ts'

const key = {
  name: keyName('k'),
  algorithm: 'EC_SIGN_ED25519' as const,
  versions: [{ material: { hex: RFC_8032[1].seed } }, {}],
}
const point = hex(RFC_8032[1].point)
const data = bytes('pay 100 to G…')
const once = { retry: null, timeout: 2000 } as object

async function rigWith(fault: Fault, rule: object = {}): Promise<GcpRig> {
  const rig = await startGcp({ seed: { cryptoKeys: [key] } })
  rig.fail(fault, { operation: 'AsymmetricSign', ...rule })
  return rig
}
const sign = (rig: GcpRig, transport: Transport, options = once) =>
  rig
    .client(transport)
    .asymmetricSign({ name: versionOf('k'), data, dataCrc32c: { value: String(crc32c(data)) } }, options)

for (const transport of TRANSPORTS) {
  test(`R-14 local-kms gcp ${transport} fault error: by status name, before and after it took effect`, async () => {
    for (const [name, code] of [
      ['UNAVAILABLE', 14],
      ['RESOURCE_EXHAUSTED', 8],
      ['UNAUTHENTICATED', 16],
      ['PERMISSION_DENIED', 7],
      ['DEADLINE_EXCEEDED', 4],
      ['INTERNAL', 13],
    ] as const) {
      const rig = await rigWith({ kind: 'error', name, message: 'by the script' })
      const failure = await refused(sign(rig, transport))
      assert.equal(failure.code, code)
      assert.match(failure.message, /by the script/)
      await sign(rig, transport)
    }
    const rig = await rigWith({ kind: 'error', name: 'UNAVAILABLE', when: 'after' })
    assert.equal((await refused(sign(rig, transport))).code, 14)
    const trail = rig.face.audit()
    assert.equal(trail.length, 1)
    assert.deepEqual(trail[0]!.protoPayload.status, {})
  })

  test(`R-14 local-kms gcp ${transport} fault flip-bit: the checksum tells, or is made to fit`, async () => {
    for (const crc of ['keep', 'recompute'] as const) {
      const rig = await rigWith({ kind: 'flip-bit', crc })
      const [{ signature, signatureCrc32c }] = await sign(rig, transport)
      const bad = new Uint8Array(signature as Uint8Array)
      assert.equal(ed25519.verify(bad, data, point), false)
      assert.equal(String(crc32c(bad)) === signatureCrc32c!.value, crc === 'recompute')
      const [good] = await sign(rig, transport)
      assert.ok(ed25519.verify(new Uint8Array(good.signature as Uint8Array), data, point))
    }
    const rig = await startGcp({ seed: { cryptoKeys: [key] } })
    for (const [member, format] of [
      ['pem', undefined],
      ['publicKey.data', 'DER'],
      ['PublicKey.Data', 'DER'],
    ] as const) {
      rig.faults.clear()
      rig.fail({ kind: 'flip-bit', member })
      const [answer] = await rig
        .client(transport)
        .getPublicKey({ name: versionOf('k'), ...(format && { publicKeyFormat: format }) })
      const [bytesOf, sum] =
        format === undefined
          ? [bytes(answer.pem!), answer.pemCrc32c!.value]
          : [new Uint8Array(answer.publicKey!.data as Uint8Array), answer.publicKey!.crc32cChecksum!.value]
      assert.notEqual(String(crc32c(bytesOf)), String(sum), member)
    }
  })

  test(`R-14 local-kms gcp ${transport} fault other-key-signature: valid, of a key nobody asked for`, async () => {
    const rig = await rigWith({ kind: 'other-key-signature' })
    const [{ signature, signatureCrc32c, name }] = await sign(rig, transport)
    const strange = new Uint8Array(signature as Uint8Array)
    assert.equal(strange.length, 64)
    assert.equal(ed25519.verify(strange, data, point), false)
    assert.equal(String(crc32c(strange)), signatureCrc32c!.value)
    assert.equal(name, versionOf('k'))
  })

  test(`R-14 local-kms gcp ${transport} fault replace: checksum, verified false, another version's name`, async () => {
    const rig = await rigWith({
      kind: 'replace',
      members: { signatureCrc32c: '7', verifiedDataCrc32c: false, name: versionOf('k', 2) },
    })
    const [answer] = await sign(rig, transport)
    assert.equal(answer.signatureCrc32c!.value, '7')
    assert.ok(!answer.verifiedDataCrc32c)
    assert.equal(answer.name, versionOf('k', 2))
  })

  test(`R-14 local-kms gcp ${transport} faults reset and hang end without an answer`, async () => {
    const reset = await rigWith({ kind: 'reset' })
    await refused(sign(reset, transport))
    await sign(reset, transport)
    assert.equal(reset.face.calls()['AsymmetricSign'], 2)
    const hang = await rigWith({ kind: 'hang', when: 'after' })
    const before = Date.now()
    const failure = await refused(sign(hang, transport, { retry: null, timeout: 300 }))
    assert.ok(Date.now() - before < 2500)
    if (transport === 'grpc') assert.equal(failure.code, 4)
    await hang.close()
  })

  test(`R-14 local-kms gcp ${transport} fault delay and latency follow the clock`, async () => {
    const clock = virtualClock()
    const rig = await startGcp({ clock, seed: { cryptoKeys: [key] }, latency: { profile: 'fixed:40' } })
    rig.fail({ kind: 'delay', ms: 500 })
    const state = { done: false }
    const signing = sign(rig, transport).then(() => void (state.done = true))
    while (rig.face.calls()['AsymmetricSign'] === undefined) await new Promise(resolve => setTimeout(resolve, 5))
    await clock.advance(530)
    await new Promise(resolve => setTimeout(resolve, 30))
    assert.equal(state.done, false)
    while (!state.done) {
      await clock.advance(10)
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    await signing
  })

  test(`R-14 local-kms gcp ${transport} fault truncate: half an answer is no answer`, async () => {
    const rig = await rigWith({ kind: 'truncate' })
    await refused(sign(rig, transport))
    await sign(rig, transport)
  })

  test(`R-14 local-kms gcp ${transport} faults by key, number and chance`, async () => {
    const rig = await startGcp({ seed: { cryptoKeys: [key] } })
    const call = (version: number) =>
      rig.client(transport).asymmetricSign({ name: versionOf('k', version), data }, once)
    rig.fail({ kind: 'error', name: 'ABORTED' }, { key: versionOf('k', 2), nth: 2 })
    await call(1)
    await call(2)
    await call(1)
    assert.equal((await refused(call(2))).code, 10)
    await call(2)
    rig.faults.clear()
    rig.fail({ kind: 'error', name: 'ABORTED' }, { key: keyName('k'), times: 0, probability: 0.5 })
    const outcomes = []
    for (let i = 0; i < 20; i++)
      outcomes.push(
        await call(1).then(
          () => 0,
          () => 1,
        ),
      )
    const failed = outcomes.reduce((sum: number, each) => sum + each, 0)
    assert.ok(failed > 2 && failed < 18, String(failed))
  })
}

test('R-14 local-kms gcp rest: the faults HTTP has', async () => {
  const post = (rig: GcpRig) => raw(rig, 'POST', `${versionOf('k')}:asymmetricSign`, { data: 'eA==' })
  const redirect = await post(await rigWith({ kind: 'redirect', location: 'http://127.0.0.1:1/' }))
  assert.deepEqual([redirect.status, redirect.headers.get('location')], [307, 'http://127.0.0.1:1/'])
  const status = await post(await rigWith({ kind: 'status', status: 502, body: '<html>' }))
  assert.deepEqual([status.status, status.text], [502, '<html>'])
  const type = await post(await rigWith({ kind: 'content-type', value: 'text/html' }))
  assert.match(type.headers.get('content-type')!, /html/)
  const skewed = await post(await rigWith({ kind: 'date-skew', ms: 3_600_000 }))
  assert.ok(Date.parse(skewed.headers.get('date')!) > Date.now() + 3_000_000)
  const double = await post(await rigWith({ kind: 'duplicate-json-keys', second: { signature: 'AAAA' } }))
  assert.equal(double.text.split('"signature"').length, 3)
  assert.equal(double.json['signature'], 'AAAA')
  const cut = await post(await rigWith({ kind: 'truncated-json' }))
  assert.deepEqual([cut.status, cut.json], [200, {}])
  const big = await post(await rigWith({ kind: 'oversized-body', bytes: 100_000 }))
  assert.ok(big.text.length > 100_000)
  const malformed = await post(await rigWith({ kind: 'replace', members: { signature: 7 } }))
  assert.equal(malformed.json['signature'], 7)
  const named = await post(await rigWith({ kind: 'error', name: 'NoSuchStatus' }))
  assert.equal(named.json['error'].status, 'INTERNAL')
  const http = await post(await rigWith({ kind: 'error', name: 'UNAVAILABLE', status: 500 }))
  assert.equal(http.status, 500)
  await assert.rejects(post(await rigWith({ kind: 'reset', at: 'body' })))
})

test('R-14 local-kms gcp grpc: faults in the form gRPC has, the others refused with the reason', async () => {
  for (const [status, code] of [
    [503, 14],
    [429, 14],
    [401, 16],
    [403, 7],
    [500, 13],
  ] as const) {
    assert.equal((await refused(sign(await rigWith({ kind: 'status', status }), 'grpc'))).code, code)
  }
  for (const fault of [
    { kind: 'redirect', location: 'x' },
    { kind: 'slow-body', msPerByte: 1 },
    { kind: 'content-type', value: 'x' },
    { kind: 'date-skew', ms: 1 },
  ] as const) {
    const failure = await refused(sign(await rigWith(fault), 'grpc'))
    assert.equal(failure.code, 12)
    assert.match(failure.message, new RegExp(`cannot play fault '${fault.kind}' over gRPC: `))
  }
  const [double] = await sign(await rigWith({ kind: 'duplicate-json-keys', second: { signature: 'AAAA' } }), 'grpc')
  assert.deepEqual([...(double.signature as Uint8Array)], [0, 0, 0])
  const [padded] = await sign(await rigWith({ kind: 'oversized-body', bytes: 300_000 }), 'grpc')
  assert.ok(ed25519.verify(new Uint8Array(padded.signature as Uint8Array), data, point))
  const cut = await refused(sign(await rigWith({ kind: 'truncated-json', bytes: 10 }), 'grpc'))
  assert.equal(cut.code, 13)
  const unknown = await refused(sign(await rigWith({ kind: 'replace', members: { nonsense: 1 } }), 'grpc'))
  assert.equal(unknown.code, 13)
})
