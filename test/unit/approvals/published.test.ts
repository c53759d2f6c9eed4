/** M-35: approvals from a whole data plane, checked with what it publishes: by JOSE libraries alone, and by our verifier. */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet, jwtVerify } from 'jose'
import { hashMessage, type Hex, keccak256, recoverAddress, sha256 } from 'viem'
import { openMetadataKey, verifyApproval } from '../../../src/approvals/index.ts'
import { createAdmin } from '../../../providers/mock/admin.ts'
import { fromBase64Url, toBase64Url } from '../../../src/bytes/base64.ts'
import { toHex } from '../../../src/bytes/hex.ts'
import { SignerError } from '../../../src/domain/errors.ts'
import { SCHEME_OF } from '../../../src/domain/key.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { publishedRoutes } from '../../../src/http/routes-published.ts'
import type { PolicyDocument } from '../../../src/policy/index.ts'
import { addressOf } from '../../../src/service/payloads.ts'
import { createPublished } from '../../../src/service/published.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { NOW, openRig, problemOf, type Rig, type RigKey } from '../../support/rig.ts'
import { metadataJwk } from './samples.ts'

const approvals = [{ action: 'escrow.release', audiences: 'any', maxLifetimeSeconds: 3600 }] as const
const stellarPolicy = { version: 1, network: 'testnet', approvals: [...approvals] } satisfies PolicyDocument
const evmPolicy = { version: 1, network: 'sepolia', approvals: [...approvals] } satisfies PolicyDocument
const KEYS: readonly RigKey[] = [
  { name: 'desk', policy: stellarPolicy },
  { name: 'vaulted', policy: stellarPolicy, custody: 'envelope' },
  { name: 'desk-evm', chain: 'evm', policy: evmPolicy },
  { name: 'quiet', policy: { version: 1, network: 'testnet' } },
]

const jwk = metadataJwk()
let issuer = ''
before(async () => {
  issuer = (await openMetadataKey(new Secret(jwk, 'test'))).thumbprint
})

interface Desk {
  readonly rig: Rig
  at(ms: number): void
  approve(key: string, over?: object, idempotencyKey?: string): Promise<Response>
  jws(key: string, over?: object): Promise<string>
  jwks(): Promise<JSONWebKeySet>
  metadata(): Promise<string>
}

const ASKED = {
  action: 'escrow.release',
  audience: 'settlement',
  subject: 'order-42',
  issuedAt: NOW / 1000,
  expiresAt: '2026-11-22T12:10:00Z',
  correlationId: 'c-1',
  details: { amount: '12.50', parties: ['a', 'b'] },
}

async function openDesk(keys = KEYS): Promise<Desk> {
  const time = { now: NOW }
  const clock = { now: () => time.now }
  const key = await openMetadataKey(new Secret(jwk, 'test'))
  const store = openMemoryStore({ clock })
  const rig = await openRig({
    keys,
    store,
    policy: { version: 1, network: 'testnet' },
    families: () => [
      publishedRoutes(
        createPublished({
          clock: { now: clock.now, monotonic: () => time.now },
          catalogue: store.keys,
          key,
          issuer: 'countersign',
          lifeSeconds: 3600,
        }),
      ),
    ],
  })
  let count = 0
  const approve: Desk['approve'] = (name, over = {}, idempotencyKey = `a-${++count}`) =>
    rig.sign({ key: name, body: JSON.stringify({ type: 'approval', approval: { ...ASKED, ...over } }), idempotencyKey })
  return {
    rig,
    at: ms => {
      time.now = ms
    },
    approve,
    jws: async (name, over) => {
      const response = await approve(name, over)
      assert.equal(response.status, 200, await response.clone().text())
      return ((await response.json()) as { jws: string }).jws
    },
    jwks: async () => (await (await rig.http('/.well-known/jwks.json')).json()) as JSONWebKeySet,
    metadata: async () => (await rig.http('/.well-known/countersign-keys')).text(),
  }
}

test('M-35 an approval of a Stellar key is a JWS that jose alone verifies from the published key set', async () => {
  const desk = await openDesk()
  for (const name of ['desk', 'vaulted']) {
    const jws = await desk.jws(name)
    const { payload, protectedHeader } = await jwtVerify(jws, createLocalJWKSet(await desk.jwks()), {
      issuer: name,
      audience: 'settlement',
      typ: 'approval+jws',
      algorithms: ['EdDSA'],
      currentDate: new Date(NOW),
    })
    assert.deepEqual(protectedHeader, { alg: 'EdDSA', kid: `${name}-v1`, typ: 'approval+jws' })
    assert.deepEqual(payload, {
      ...{ iss: name, sub: 'order-42', aud: 'settlement', iat: NOW / 1000, exp: NOW / 1000 + 600, jti: 'c-1' },
      ...{ action: 'escrow.release', details: { amount: '12.50', parties: ['a', 'b'] } },
    })
    const verified = await verifyApproval(jws, await desk.metadata(), { issuer, now: NOW, audience: 'settlement' })
    assert.deepEqual(verified.claims, payload)
    assert.equal(verified.state, 'active')
  }
})

test('M-35 an approval of an EVM key is ES256K: noble and viem verify it under the published point, and no chain would take it', async () => {
  const desk = await openDesk()
  const jws = await desk.jws('desk-evm')
  assert.deepEqual(decodeProtectedHeader(jws), { alg: 'ES256K', kid: 'desk-evm-v1', typ: 'approval+jws' })
  const published = (await desk.jwks()).keys.find(({ kid }) => kid === 'desk-evm-v1')
  assert.deepEqual(
    [published?.kty, published?.crv, published?.alg, published?.use],
    ['EC', 'secp256k1', 'ES256K', 'sig'],
  )
  const point = Uint8Array.of(4, ...part(published?.x ?? ''), ...part(published?.y ?? ''))
  const signature = part(jws.split('.')[2] ?? '')
  const input = new TextEncoder().encode(jws.slice(0, jws.lastIndexOf('.')))
  assert.ok(secp256k1.verify(signature, input, point, { lowS: true })) // hashes with SHA-256 itself
  const address = desk.rig.keys.get('desk-evm')?.version.address
  const hex = (bytes: Uint8Array): Hex => `0x${toHex(bytes)}`
  const [r, s] = [hex(signature.subarray(0, 32)), hex(signature.subarray(32))]
  const recover = (hash: Hex) =>
    Promise.all([0, 1].map(yParity => recoverAddress({ hash, signature: { r, s, yParity } })))
  assert.ok((await recover(sha256(input))).includes(address as Hex))
  assert.ok(!(await recover(keccak256(input))).includes(address as Hex))
  assert.ok(!(await recover(hashMessage(new TextDecoder().decode(input)))).includes(address as Hex))
  const verified = await verifyApproval(jws, await desk.metadata(), { issuer, now: NOW })
  assert.deepEqual([verified.alg, verified.address], ['ES256K', address])
})

test('M-35 M-61 across a rotation: both versions verify by jose alone, before, during and after the overlap', async () => {
  const desk = await openDesk()
  const { keys } = desk.rig.store
  const verifies = async (jws: string, kid: string): Promise<void> => {
    const set = createLocalJWKSet(await desk.jwks())
    const { payload, protectedHeader } = await jwtVerify(jws, set, { issuer: 'desk', currentDate: new Date(NOW) })
    assert.equal(protectedHeader.kid, kid)
    assert.equal(payload.jti, 'c-1')
    assert.equal((await verifyApproval(jws, await desk.metadata(), { issuer, now: NOW })).kid, kid)
  }
  const states = async () =>
    Object.fromEntries((await desk.jwks()).keys.map(key => [key.kid, (key as { state?: unknown }).state]))
  const first = await desk.jws('desk')
  await verifies(first, 'desk-v1')

  await addVersion(desk, 'desk', 2)
  desk.at(NOW + 2_000)
  assert.equal((await states())['desk-v2'], 'pending')
  await verifies(await desk.jws('desk'), 'desk-v1')

  await keys.setStates('desk', [
    { version: 1, state: 'overlap', from: ['active'] },
    { version: 2, state: 'active', from: ['pending'] },
  ])
  desk.at(NOW + 4_000)
  assert.deepEqual([(await states())['desk-v1'], (await states())['desk-v2']], ['overlap', 'active'])
  const second = await desk.jws('desk')
  await verifies(first, 'desk-v1')
  await verifies(second, 'desk-v2')

  await keys.setState('desk', 1, 'retired')
  desk.at(NOW + 6_000)
  assert.deepEqual([(await states())['desk-v1'], (await states())['desk-v2']], ['retired', 'active'])
  await verifies(first, 'desk-v1')
  await verifies(second, 'desk-v2')

  await keys.setState('desk', 1, 'destroyed')
  desk.at(NOW + 8_000)
  assert.equal((await states())['desk-v1'], undefined)
  assert.equal((await verifyApproval(first, await desk.metadata(), { issuer, now: NOW })).state, 'destroyed')
})

test('M-35 M-62 a revocation is heard before and after the end of a key, and its end takes none back', async () => {
  for (const order of [['revoked', 'destroyed'] as const, ['destroyed', 'revoked'] as const]) {
    const desk = await openDesk()
    const jws = await desk.jws('desk')
    for (const state of order) await desk.rig.store.keys.setState('desk', 1, state)
    desk.at(NOW + 1_000)
    await assert.rejects(compactVerify(jws, createLocalJWKSet(await desk.jwks())), errors.JWKSNoMatchingKey)
    const metadata = await desk.metadata()
    const rejected = await verifyApproval(jws, metadata, { issuer, now: NOW }).catch((error: unknown) => error)
    assert.equal((rejected as { detail: { rule?: string } }).detail.rule, 'state', order.join())
  }
})

test('M-35 M-62 after a revocation nothing of that version is good, whenever it says it was signed', async () => {
  const desk = await openDesk()
  const { keys } = desk.rig.store
  const jws = await desk.jws('desk')
  const metadata = await desk.metadata()
  await jwtVerify(jws, createLocalJWKSet(await desk.jwks()), { currentDate: new Date(NOW) })
  await keys.setState('desk', 1, 'revoked')
  desk.at(NOW + 1_000)
  await assert.rejects(compactVerify(jws, createLocalJWKSet(await desk.jwks())), errors.JWKSNoMatchingKey)
  const rejected = await verifyApproval(jws, await desk.metadata(), { issuer, now: NOW }).catch(
    (error: unknown) => error,
  )
  assert.deepEqual((rejected as { detail: object }).detail, {
    rule: 'state',
    reason: 'its key is revoked: nothing that it signed is good',
  })
  // An older document is good until it expires: that is how long a verifier that fetches nothing may lag.
  await verifyApproval(jws, metadata, { issuer, now: NOW + 1_000 })
  await assert.rejects(verifyApproval(jws, metadata, { issuer, now: NOW + 3_600_000 }), { code: 'approval/refused' })

  await keys.setState('desk', 1, 'active')
  await keys.setState('desk', 1, 'quarantined')
  desk.at(NOW + 3_000)
  await assert.rejects(compactVerify(jws, createLocalJWKSet(await desk.jwks())), errors.JWKSNoMatchingKey)
  await assert.rejects(verifyApproval(jws, await desk.metadata(), { issuer, now: NOW }), { code: 'approval/refused' })
})

test('M-35 only keys whose policy grants approvals are published; of others there is no trace, and none of a private half', async () => {
  const desk = await openDesk()
  const jwks = await (await desk.rig.http('/.well-known/jwks.json')).text()
  const metadata = await desk.metadata()
  const [, payload = ''] = metadata.split('.')
  const document = new TextDecoder().decode(part(payload))
  for (const text of [jwks, document]) {
    for (const name of ['desk-v1', 'vaulted-v1', 'desk-evm-v1']) assert.ok(text.includes(`"${name}"`), name)
    for (const name of ['quiet', 'treasury', 'reference', 'binding', 'mock', 'policy', '"d"']) {
      assert.ok(!text.includes(name), name)
    }
  }
  const { iss, iat, exp, keys } = JSON.parse(document) as Record<string, unknown> & { keys: Record<string, unknown>[] }
  assert.deepEqual([iss, iat, exp], ['countersign', NOW / 1000, NOW / 1000 + 3600])
  const [first] = keys
  assert.deepEqual(first, {
    ...{
      kid: 'desk-v1',
      key: 'desk',
      version: 1,
      scheme: 'ed25519',
      alg: 'EdDSA',
      state: 'active',
      validFrom: NOW / 1000,
    },
    address: desk.rig.keys.get('desk')?.version.address,
    jwk: {
      crv: 'Ed25519',
      kty: 'OKP',
      x: toBase64Url(desk.rig.keys.get('desk')?.version.publicKey ?? new Uint8Array()),
    },
  })
  const refused = await desk.approve('quiet')
  assert.equal((await problemOf(refused)).code, 'policy/denied')
})

test('M-35 the same request gives the same approval, to the byte, and another one under its Idempotency-Key is refused', async () => {
  const desk = await openDesk()
  const ask = async (over?: object) => desk.approve('desk', over, 'once')
  const [first, again] = [await ask(), await ask()]
  assert.equal(((await first.json()) as { jws: string }).jws, ((await again.json()) as { jws: string }).jws)
  assert.equal(again.headers.get('idempotency-replayed'), 'true')
  assert.equal((await problemOf(await ask({ subject: 'order-43' }))).code, 'idempotency/mismatch')
})

test('M-35 the documents need no token, may be kept for a minute, and cost one reading a second however many ask', async () => {
  let readings = 0
  let broken = false
  const time = { now: NOW }
  const published = createPublished({
    clock: { now: () => time.now, monotonic: () => time.now },
    catalogue: {
      versions: async () => {
        readings++
        if (broken) throw new SignerError('store/unavailable', { reason: 'gone' })
        return []
      },
    },
    key: await openMetadataKey(new Secret(jwk, 'test')),
    issuer: 'countersign',
    lifeSeconds: 60,
  })
  const rig = await openRig({ families: () => [publishedRoutes(published)] })
  const [path, signed] = ['/.well-known/jwks.json', '/.well-known/countersign-keys']
  const all = await Promise.all(Array.from({ length: 50 }, () => rig.http(path)))
  for (const { status, headers } of all) {
    assert.deepEqual([status, headers.get('cache-control')], [200, 'public, max-age=60'])
    assert.equal(headers.get('content-type'), 'application/jwk-set+json')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
  }
  assert.equal(readings, 1)
  assert.equal((await rig.http(signed)).headers.get('content-type'), 'application/jose')
  assert.equal((await rig.http('/livez')).headers.get('cache-control'), 'no-store')
  assert.equal((await rig.http(path, { method: 'POST' })).status, 404)
  time.now += 1_000
  broken = true
  const failed = await rig.http(path)
  assert.deepEqual([failed.status, failed.headers.get('cache-control')], [503, 'no-store'])
  broken = false
  assert.equal((await rig.http(path)).status, 200, 'a failure is not kept')
})

const part = (text: string): Uint8Array => fromBase64Url(text) as Uint8Array

/** As a rotation makes it: a key of its own at the key service, waiting. */
async function addVersion({ rig }: Desk, name: string, number: number): Promise<void> {
  const key = rig.keys.get(name)?.key
  assert.ok(key !== undefined)
  const scheme = SCHEME_OF[key.chain]
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
  const world = {
    clock: rig.clock,
    random,
    fetch: () => Promise.reject(new Error('none')),
    environment: 'development' as const,
  }
  const admin = await createAdmin({ kind: 'mock' }, world)
  const call = { requestId: 'rotate', signal: new AbortController().signal }
  const { reference, publicKey } = await admin.create({ scheme, label: `${name}-${number}` }, call)
  await rig.store.keys.addVersion({
    version: {
      key: name,
      version: number,
      scheme,
      publicKey,
      address: addressOf(key.chain, publicKey),
      account: addressOf(key.chain, publicKey),
      state: 'pending',
    },
    binding: { id: `b_${name}_${number}`, key: name, version: number, provider: 'mock', custody: 'native', reference },
  })
}
