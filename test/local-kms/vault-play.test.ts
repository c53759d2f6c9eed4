import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { virtualClock } from '../../local-kms/core/clock.ts'
import type { Fault } from '../../local-kms/core/faults.ts'
import { createVaultFace } from '../../local-kms/vault/face.ts'
import type { VaultSeed } from '../../local-kms/vault/seed.ts'
import { b64, makeWorld, serve, type Served } from './vault-support.ts'

const SEED = '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb' // RFC 8032 §7.1 test 2
const KEYS: VaultSeed = {
  version: 1,
  keys: [
    { name: 'k', type: 'ed25519', material: { hex: SEED } },
    { name: 'aes', type: 'aes256-gcm96', material: { hex: '11'.repeat(32) } },
    { name: 'p', type: 'ecdsa-p256' },
  ],
}
const INPUT = { input: b64('pay') }

async function publicKey(served: Served): Promise<string> {
  return (await served.call('GET', 'transit/keys/k')).json.data.keys['1'].public_key
}

function verifies(key: string, message: string, signature: string): boolean {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(key, 'base64')])
  const object = createPublicKey({ key: der, format: 'der', type: 'spki' })
  return verify(null, Buffer.from(message), object, Buffer.from(signature.split(':')[2]!, 'base64'))
}

test('Vault face: health and what each state lets through', async () => {
  const served = await serve({ seed: KEYS, standby: { mode: 'redirect', leader: 'http://127.0.0.1:9' } })
  const health = (query = '') => served.call('GET', `sys/health${query}`, undefined, { 'x-vault-token': '' })
  const sign = () => served.call('POST', 'transit/sign/k', INPUT)
  const table: [string, number, string, number][] = [
    ['active', 200, '?activecode=299', 299],
    ['standby', 429, '?standbyok=true', 200],
    ['standby', 429, '?standbycode=210', 210],
    ['performance-standby', 473, '?perfstandbyok', 200],
    ['dr-secondary', 472, '?drsecondarycode=201', 201],
    ['sealed', 503, '?sealedcode=202', 202],
    ['uninitialised', 501, '?uninitcode=203', 203],
  ]
  for (const [state, plain, query, other] of table) {
    served.face.setServerState(state)
    assert.equal((await health()).status, plain, state)
    assert.equal((await health(query)).status, other, state)
    const head = await fetch(`${served.url}/v1/sys/health`, { method: 'HEAD' })
    assert.equal(head.status, plain)
  }
  for (const state of ['sealed', 'uninitialised']) {
    served.face.setServerState(state)
    const refused = await sign()
    assert.deepEqual([refused.status, refused.json], [503, { errors: ['Vault is sealed'] }])
    assert.equal((await served.call('GET', 'sys/seal-status')).json.sealed, true)
  }
  served.face.setServerState('standby')
  const redirected = await sign()
  assert.equal(redirected.status, 307)
  assert.equal(redirected.headers.get('location'), 'http://127.0.0.1:9/v1/transit/sign/k')
  served.face.setServerState('performance-standby')
  assert.equal((await sign()).status, 200)
  assert.throws(() => served.face.setServerState('asleep'), RangeError)
})

test('Vault face: sealed by a call, opened by any key, initialised anew', async () => {
  const { call, face } = await serve({ seed: KEYS })
  assert.equal((await call('PUT', 'sys/seal')).status, 204)
  assert.equal((await call('POST', 'transit/sign/k', INPUT)).status, 503)
  assert.equal((await call('PUT', 'sys/unseal', { key: '00'.repeat(32) })).json.sealed, false)
  assert.equal((await call('POST', 'transit/sign/k', INPUT)).status, 200)
  face.setServerState('uninitialised')
  assert.deepEqual((await call('GET', 'sys/init')).json, { initialized: false })
})

test('Vault face: a server found uninitialised is initialised, opened with what it said, and served', async () => {
  const { call, face } = await serve({ seed: KEYS })
  face.setServerState('uninitialised')
  assert.equal((await call('PUT', 'sys/unseal', { key: '00'.repeat(32) })).status, 400)
  const made = await call('POST', 'sys/init', { secret_shares: 1, secret_threshold: 1 }, { 'x-vault-token': '' })
  assert.equal(made.status, 200, made.text)
  assert.equal((await call('GET', 'sys/health')).status, 503)
  assert.equal((await call('PUT', 'sys/unseal', { key: made.json.keys_base64[0] })).json.sealed, false)
  const own = { 'x-vault-token': made.json.root_token as string }
  assert.equal((await call('GET', 'transit/keys/k', undefined, own)).status, 200)
  assert.deepEqual((await call('POST', 'sys/init', { secret_shares: 1 }, own)).json, {
    errors: ['Vault is already initialized'],
  })
  for (const path of ['sys/host-info', 'sys/key-status', 'sys/plugins/catalog', 'sys/audit']) {
    assert.equal((await call('GET', path, undefined, own)).status, 200, path)
  }
  assert.match((await call('POST', 'sys/audit/f', { type: 'file' }, own)).json.errors[0], /cannot enable audit device/)
  assert.equal((await call('PUT', 'sys/step-down', {}, own)).status, 204)
})

test('Vault face: faults look into PEM, batches and logins', async () => {
  const { call, world } = await serve({ seed: KEYS })
  const pem = async (): Promise<string> => (await call('GET', 'transit/keys/p')).json.data.keys['1'].public_key
  const good = await pem()
  world.faults.add({ operation: 'transit/keys', fault: { kind: 'flip-bit', member: 'public_key' } })
  const bad = await pem()
  assert.notEqual(bad, good)
  assert.equal(bad.length, good.length)
  assert.match(bad, /^-----BEGIN PUBLIC KEY-----\n/)
  const batch = { batch_input: [INPUT, INPUT] }
  world.faults.add({ operation: 'transit/sign', fault: { kind: 'flip-bit', bit: 0 } })
  const [first, second] = (await call('POST', 'transit/sign/k', batch)).json.data.batch_results
  assert.notEqual(first.signature, second.signature)
  world.faults.add({ operation: 'transit/sign', fault: { kind: 'flip-bit' } })
  const jws = await call('POST', 'transit/sign/k', { ...INPUT, marshaling_algorithm: 'jws' })
  assert.equal(Buffer.from(jws.json.data.signature.split(':')[2], 'base64url').length, 64)
  world.faults.add({
    operation: 'auth/token/renew-self',
    fault: { kind: 'replace', members: { 'metadata.a': 'b', lease_duration: 1 } },
  })
  const token = (await call('POST', 'auth/token/create', { ttl: '1h' })).json.auth.client_token as string
  const { auth } = (await call('POST', 'auth/token/renew-self', {}, { 'x-vault-token': token })).json
  assert.deepEqual([auth.lease_duration, auth.metadata], [1, { a: 'b' }])
  world.faults.add({ operation: 'sys/health', fault: { kind: 'status', status: 500 } })
  assert.equal((await call('GET', 'sys/health')).status, 500)
  world.faults.add(
    { operation: 'transit/sign', fault: { kind: 'delay', ms: 1 } },
    { operation: 'transit/sign', fault: { kind: 'flip-bit', member: 'nothing' } },
  )
  assert.equal((await call('POST', 'transit/sign/k', INPUT)).status, 200)
})

test('Vault face: a lost standby says so; one behind a forwarder serves', async () => {
  const lost = await serve({ seed: KEYS, standby: { mode: 'lost' } })
  lost.face.setServerState('standby')
  const answer = await lost.call('POST', 'transit/sign/k', INPUT)
  assert.deepEqual(answer.json, { errors: ['local node not active but active cluster node not found'] })
  const forwarding = await serve({ seed: KEYS })
  forwarding.face.setServerState('standby')
  assert.equal((await forwarding.call('POST', 'transit/sign/k', INPUT)).status, 200)
})

test('Vault face: faults of the answer', async () => {
  const served = await serve({ seed: KEYS })
  const key = await publicKey(served)
  const strike = async (fault: Fault, operation = 'transit/sign') => {
    served.world.faults.add({ operation, key: 'k', fault })
    return served.call('POST', 'transit/sign/k', INPUT)
  }
  const good = (await served.call('POST', 'transit/sign/k', INPUT)).json.data.signature as string
  const flipped = (await strike({ kind: 'flip-bit' })).json.data.signature as string
  assert.notEqual(flipped, good)
  assert.equal(flipped.length, good.length)
  assert.equal(verifies(key, 'pay', flipped), false)
  const stranger = (await strike({ kind: 'other-key-signature' })).json.data.signature as string
  assert.equal(verifies(key, 'pay', stranger), false)
  assert.equal(Buffer.from(stranger.split(':')[2]!, 'base64').length, 64)
  assert.equal((await strike({ kind: 'replace', members: { key_version: 7 } })).json.data.key_version, 7)
  assert.equal((await strike({ kind: 'status', status: 502 })).status, 502)
  const sealed = await strike({ kind: 'error', name: 'sealed' })
  assert.deepEqual([sealed.status, sealed.json], [503, { errors: ['Vault is sealed'] }])
  const said = await strike({ kind: 'error', name: 'x', message: 'lease expired', status: 400 })
  assert.deepEqual([said.status, said.json], [400, { errors: ['lease expired'] }])
  assert.equal(
    (await strike({ kind: 'redirect', location: 'http://127.0.0.1:9/' })).headers.get('location'),
    'http://127.0.0.1:9/',
  )
  const twice = await strike({ kind: 'duplicate-json-keys', second: { signature: 'vault:v1:AAAA' } })
  assert.equal(twice.text.split('"signature"').length, 3)
  assert.equal(twice.json.data.signature, 'vault:v1:AAAA')
  assert.equal((await strike({ kind: 'content-type', value: 'text/html' })).headers.get('content-type'), 'text/html')
  const skewed = await strike({ kind: 'date-skew', ms: -3_600_000 })
  assert.ok(Math.abs(Date.parse(skewed.headers.get('date')!) - Date.now() + 3_600_000) < 5000)
  // A client may try again by itself, so these hit every call
  const broken: Fault[] = [{ kind: 'reset' }, { kind: 'truncate' }, { kind: 'reset', when: 'after' }]
  for (const fault of broken) {
    served.world.faults.add({ operation: 'transit/sign', times: 0, fault })
    await assert.rejects(served.call('POST', 'transit/sign/k', INPUT), fault.kind)
    served.world.faults.clear()
  }
  served.world.faults.add({ operation: 'transit/keys', fault: { kind: 'flip-bit', member: 'public_key' } })
  assert.notEqual(await publicKey(served), key)
  assert.equal(await publicKey(served), key)
})

test('Vault face: quotas hold callers back with Retry-After, and let them go on', async () => {
  const clock = virtualClock()
  const { call } = await serve(
    { seed: KEYS, throttle: [{ path: 'transit/', rate: 2, intervalSeconds: 10 }] },
    { clock },
  )
  const sign = () => call('POST', 'transit/sign/k', INPUT)
  assert.deepEqual([(await sign()).status, (await sign()).status], [200, 200])
  await clock.advance(4000)
  const refused = await sign()
  assert.equal(refused.status, 429)
  assert.match(refused.json.errors[0], /rate limit quota exceeded$/)
  assert.equal(refused.headers.get('retry-after'), '6')
  assert.equal((await call('GET', 'auth/token/lookup-self')).status, 200)
  await clock.advance(6000)
  assert.equal((await sign()).status, 200)
})

test('Vault face: latency is asked by operation and key, and sleeps on the given clock', async () => {
  const clock = virtualClock()
  const overrides = [{ operation: 'transit/sign', key: 'k', profile: 'fixed:500' as const }]
  const { call } = await serve({ seed: KEYS }, { clock, latency: { profile: 'none', overrides } })
  assert.equal((await call('POST', 'transit/sign/p', INPUT)).status, 200)
  const progress = { done: false }
  const signing = call('POST', 'transit/sign/k', INPUT).then(() => (progress.done = true))
  for (let i = 0; i < 50 && !progress.done; i++) {
    await new Promise(resolve => setTimeout(resolve, 2))
    if (i === 10) assert.equal(progress.done, false)
    if (i >= 10) await clock.advance(100)
  }
  await signing
})

test('Vault face: the trail has two records a request, with marks for texts', async () => {
  const seen: unknown[] = []
  const { call, face } = await serve({ seed: KEYS }, { onAudit: record => seen.push(record) })
  const signed = await call('POST', 'transit/sign/k', INPUT)
  await call('GET', 'transit/keys/k', undefined, { 'x-vault-token': 'wrong' })
  const trail = face.audit()
  assert.deepEqual(
    trail.map(({ type }) => type),
    ['request', 'response', 'request', 'response'],
  )
  assert.deepEqual(seen, trail)
  const text = JSON.stringify(trail)
  for (const secret of [INPUT.input, signed.json.data.signature, 'wrong']) assert.ok(!text.includes(secret))
  const [asked, answered] = trail
  assert.equal(asked!.request['path'], 'transit/sign/k')
  assert.match((asked!.request['data'] as { input: string }).input, /^hmac-sha256:[0-9a-f]{64}$/)
  assert.equal((answered!.response!['data'] as { key_version: number }).key_version, 1)
  assert.equal(trail[2]!.error, 'permission denied')
  const again = await call('POST', 'transit/sign/k', INPUT)
  assert.equal(again.status, 200)
  assert.deepEqual(face.audit()[4]!.request['data'], asked!.request['data'])
})

test('Vault face: calls are counted, inspect shows no secrets, snapshots bring everything back', async () => {
  const first = await serve({ seed: KEYS })
  const { ciphertext } = (await first.call('POST', 'transit/encrypt/aes', { plaintext: b64('x') })).json.data
  const token = (await first.call('POST', 'auth/token/create', { ttl: '1h' })).json.auth.client_token as string
  assert.equal(first.face.calls()['transit/encrypt'], 1)
  const shown = JSON.stringify(first.face.inspect())
  const secrets = ['11'.repeat(32), Buffer.from('11'.repeat(32), 'hex').toString('base64'), SEED, token]
  for (const secret of secrets) assert.ok(!shown.includes(secret))
  const snapshot: unknown = JSON.parse(JSON.stringify(first.face.snapshot()))
  const second = await serve()
  second.face.restore(snapshot)
  const opened = await second.call('POST', 'transit/decrypt/aes', { ciphertext }, { 'x-vault-token': token })
  assert.equal(opened.json.data.plaintext, b64('x'))
  await second.call('POST', 'transit/keys/aes/rotate')
  assert.equal((await first.call('GET', 'transit/keys/aes')).json.data.latest_version, 1)
  second.face.reset(() => makeWorld().entropy)
  assert.deepEqual(second.face.calls(), {})
  assert.deepEqual(second.face.audit(), [])
})

test('Vault face: a master seed gives the same keys, tokens and ids', async () => {
  const run = async (masterSeed: string) => {
    const { call } = await serve(
      { seed: { ...KEYS, keys: [...KEYS.keys!, { name: 'r', type: 'hmac' }] } },
      { masterSeed, clock: virtualClock() },
    )
    const made = await call('POST', 'transit/keys/new', { type: 'ed25519' })
    const token = await call('POST', 'auth/token/create', { ttl: '1h' })
    const random = await call('POST', 'transit/random/16')
    const dataKey = await call('POST', 'transit/datakey/plaintext/aes')
    return [made.text, token.text, random.text, dataKey.json.data.plaintext]
  }
  assert.deepEqual(await run('one'), await run('one'))
  assert.notDeepEqual(await run('one'), await run('two'))
})

test('Vault face: soft-deleted keys, rotation by the clock, the request header', async () => {
  const clock = virtualClock()
  const { call, face } = await serve(
    {
      seed: { version: 1, keys: [{ name: 'k', type: 'ed25519', autoRotateSeconds: 3600 }] },
      requireRequestHeader: true,
    },
    { clock },
  )
  const headers = { 'x-vault-request': 'true' }
  const missing = await call('GET', 'transit/keys/k')
  assert.deepEqual([missing.status, missing.json], [412, { errors: ["missing 'X-Vault-Request' header"] }])
  await clock.advance(2.5 * 3_600_000)
  assert.equal((await call('GET', 'transit/keys/k', undefined, headers)).json.data.latest_version, 3)
  assert.equal(face.setKeyState('k', 'soft-deleted'), true)
  assert.equal(face.setKeyState('nobody', 'active'), false)
  assert.throws(() => face.setKeyState('k', 'Disabled'), RangeError)
  const refused = await call('POST', 'transit/sign/k', INPUT, headers)
  assert.deepEqual(refused.json, { errors: ['1 error occurred:\n\t* refusing to use soft-deleted key\n\n'] })
})

test('Vault face: as Vault it refuses hashing for Ed25519 and names itself', async () => {
  const { call } = await serve({ seed: KEYS, flavour: 'vault' })
  const sign = (more: object) => call('POST', 'transit/sign/k', { ...INPUT, ...more })
  assert.equal((await sign({})).json.mount_type, 'transit')
  const prehashed = await sign({ prehashed: true })
  assert.deepEqual(
    [prehashed.status, prehashed.json],
    [400, { errors: ['failed to parse batch item: only Pure Ed25519 signatures supported, prehashed must be false'] }],
  )
  assert.match((await sign({ hash_algorithm: 'sha2-512' })).json.errors[0], /only Pure Ed25519 signatures supported/)
  assert.equal((await sign({ hash_algorithm: 'sha2-256' })).status, 200)
  assert.equal((await call('POST', 'transit/sign/p', { ...INPUT, hash_algorithm: 'sha2-512' })).status, 200)
  assert.match((await call('POST', 'auth/token/create', { ttl: '1h' })).json.auth.client_token, /^hvs\./)
  const unknown = await call('GET', 'transit/keys/k', undefined, { 'x-vault-token': 'hvs.nope' })
  assert.deepEqual(unknown.json, { errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'] })
  assert.equal((await call('POST', 'transit/keys/x', { type: 'xchacha20-poly1305' })).status, 400)
})

test('Vault face: answers wrapped on request open once', async () => {
  const clock = virtualClock()
  const { call } = await serve({ seed: KEYS }, { clock })
  const wrap = () => call('GET', 'transit/keys/k', undefined, { 'x-vault-wrap-ttl': '60s' })
  const { token, ttl, creation_path } = (await wrap()).json.wrap_info
  assert.deepEqual([ttl, creation_path], [60, 'transit/keys/k'])
  assert.equal((await call('POST', 'sys/wrapping/lookup', { token })).json.data.creation_ttl, 60)
  const opened = await call('POST', 'sys/wrapping/unwrap', {}, { 'x-vault-token': token })
  assert.equal(opened.json.data.name, 'k')
  assert.equal((await call('POST', 'sys/wrapping/unwrap', { token })).status, 400)
  const late = (await wrap()).json.wrap_info.token as string
  await clock.advance(61_000)
  assert.deepEqual((await call('POST', 'sys/wrapping/unwrap', { token: late })).json, {
    errors: ['wrapping token is not valid or does not exist'],
  })
})

test('Vault face: a seed’s problems are named, all of them, and no secret with them', async () => {
  const make = (seed: unknown) => createVaultFace(makeWorld(), { seed: seed as never })
  await assert.rejects(make({ version: 2, keyz: [] }), (error: Error) => {
    assert.ok(error instanceof RangeError && /version/.test(error.message) && /keyz/.test(error.message))
    return true
  })
  const bad = {
    version: 1,
    keys: [
      { name: 'a', type: 'ed25519', material: { hex: 'abcd' } },
      { name: 'b', type: 'aes256-gcm96', minDecryptionVersion: 4 },
      { name: 'c', type: 'rsa-2048', derived: true },
    ],
    policies: [{ name: 'p', policy: 'path "a" { capabilities = ["fly"] }' }],
    tokens: [
      { id: 't', policies: [] },
      { id: 't', policies: [] },
    ],
    jwt: { publicKeys: ['no pem'], roles: [] },
  }
  await assert.rejects(make(bad), (error: Error) => {
    for (const part of ['keys.0', 'keys.1', 'keys.2', 'policies.0', 'tokens.1', 'jwt.publicKeys.0']) {
      assert.ok(error.message.includes(part), `${part} in: ${error.message}`)
    }
    assert.ok(!error.message.includes('abcd'))
    return true
  })
})
