import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '../../local-kms/core/clock.ts'
import { ROLES } from '../../local-kms/gcp/access.ts'
import { bytes, keyName, LOCATION, RING, raw, refused, startGcp, versionOf, withToken } from './gcp-support.ts'

const V = 'cloudkms.cryptoKeyVersions.'
const sign = { name: keyName('sign'), algorithm: 'EC_SIGN_ED25519' as const }
const aes = { name: keyName('aes'), algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' as const }
const mac = { name: keyName('mac'), algorithm: 'HMAC_SHA256' as const }
const as = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

test('local-kms gcp: without credentials nobody is asked; with them everybody is', async () => {
  const clock = virtualClock()
  const soon = new Date(clock.now() + 60_000).toISOString()
  const rig = await startGcp({
    clock,
    seed: { cryptoKeys: [sign] },
    credentials: [
      { token: 'good', principal: 'svc@demo.invalid' },
      { token: 'short', expiresAt: soon },
    ],
  })
  const none = await raw(rig, 'GET', sign.name)
  assert.equal(none.status, 401)
  assert.equal(none.json['error'].status, 'UNAUTHENTICATED')
  assert.match(none.json['error'].message, /^Request is missing required authentication credential\./)
  assert.equal(none.json['error'].details[0].reason, 'CREDENTIALS_MISSING')
  assert.match(none.headers.get('www-authenticate')!, /^Bearer /)
  assert.equal(
    (await raw(rig, 'GET', sign.name, undefined, as('bad'))).json['error'].details[0].reason,
    'ACCESS_TOKEN_TYPE_UNSUPPORTED',
  )
  assert.equal((await raw(rig, 'GET', sign.name, undefined, { authorization: 'Basic good' })).status, 401)
  assert.equal((await raw(rig, 'GET', sign.name, undefined, as('good'))).status, 200)
  assert.equal((await raw(rig, 'GET', `${sign.name}?access_token=good`)).status, 200)
  assert.equal((await raw(rig, 'GET', sign.name, undefined, as('short'))).status, 200)
  await clock.advance(60_000)
  const late = await raw(rig, 'GET', sign.name, undefined, as('short'))
  assert.equal(late.status, 401)
  assert.equal(late.json['error'].details[0].reason, 'ACCESS_TOKEN_EXPIRED')
  const client = rig.client('grpc')
  assert.equal((await refused(client.getCryptoKey({ name: sign.name }))).code, 16)
  await client.getCryptoKey({ name: sign.name }, withToken('good'))
  await rig.client('rest', 'good').getCryptoKey({ name: sign.name })
})

/** Every operation with the permission it asks for and the resource it asks it on. */
const TABLE: readonly (readonly [string, string, unknown, string, string])[] = [
  ['POST', `${versionOf('sign')}:asymmetricSign`, { data: 'eA==' }, `${V}useToSign`, sign.name],
  ['GET', `${versionOf('sign')}/publicKey`, undefined, `${V}viewPublicKey`, versionOf('sign')],
  ['POST', `${aes.name}:encrypt`, { plaintext: 'eA==' }, `${V}useToEncrypt`, aes.name],
  ['POST', `${aes.name}:decrypt`, { ciphertext: 'eA==' }, `${V}useToDecrypt`, aes.name],
  ['POST', `${versionOf('mac')}:macSign`, { data: 'eA==' }, `${V}useToSign`, mac.name],
  ['POST', `${versionOf('mac')}:macVerify`, { data: 'eA==', mac: 'eA==' }, `${V}useToVerify`, mac.name],
  ['POST', `${versionOf('sign')}:asymmetricDecrypt`, {}, `${V}useToDecrypt`, sign.name],
  ['POST', `${versionOf('sign')}:rawEncrypt`, {}, `${V}useToEncrypt`, sign.name],
  ['POST', `${versionOf('sign')}:rawDecrypt`, {}, `${V}useToDecrypt`, sign.name],
  [
    'POST',
    `${LOCATION}:generateRandomBytes`,
    { lengthBytes: 8, protectionLevel: 'HSM' },
    'cloudkms.locations.generateRandomBytes',
    LOCATION,
  ],
  ['GET', `${LOCATION}/keyRings`, undefined, 'cloudkms.keyRings.list', LOCATION],
  ['GET', RING, undefined, 'cloudkms.keyRings.get', RING],
  ['POST', `${LOCATION}/keyRings?keyRingId=x`, {}, 'cloudkms.keyRings.create', LOCATION],
  ['GET', `${RING}/cryptoKeys`, undefined, 'cloudkms.cryptoKeys.list', RING],
  ['GET', sign.name, undefined, 'cloudkms.cryptoKeys.get', sign.name],
  ['POST', `${RING}/cryptoKeys?cryptoKeyId=new`, { purpose: 1 }, 'cloudkms.cryptoKeys.create', RING],
  ['PATCH', `${sign.name}?updateMask=labels`, {}, 'cloudkms.cryptoKeys.update', sign.name],
  ['POST', `${aes.name}:updatePrimaryVersion`, { cryptoKeyVersionId: '1' }, 'cloudkms.cryptoKeys.update', aes.name],
  ['GET', `${sign.name}/cryptoKeyVersions`, undefined, `${V}list`, sign.name],
  ['GET', versionOf('sign'), undefined, `${V}get`, versionOf('sign')],
  ['POST', `${sign.name}/cryptoKeyVersions`, {}, `${V}create`, sign.name],
  ['PATCH', `${versionOf('sign')}?updateMask=state`, { state: 'ENABLED' }, `${V}update`, versionOf('sign')],
  ['POST', `${versionOf('sign', 2)}:destroy`, {}, `${V}destroy`, versionOf('sign', 2)],
  ['POST', `${versionOf('sign', 2)}:restore`, {}, `${V}restore`, versionOf('sign', 2)],
  ['GET', `${RING}/importJobs`, undefined, 'cloudkms.importJobs.list', RING],
  ['GET', `${RING}/importJobs/j`, undefined, 'cloudkms.importJobs.get', `${RING}/importJobs/j`],
  ['POST', `${RING}/importJobs?importJobId=j`, {}, 'cloudkms.importJobs.create', RING],
  ['POST', `${sign.name}/cryptoKeyVersions:import`, { importJob: `${RING}/importJobs/j` }, `${V}create`, sign.name],
  [
    'POST',
    `${sign.name}/cryptoKeyVersions:import`,
    { importJob: `${RING}/importJobs/j` },
    'cloudkms.importJobs.useToImport',
    `${RING}/importJobs/j`,
  ],
  ['GET', `${sign.name}:getIamPolicy`, undefined, 'cloudkms.cryptoKeys.getIamPolicy', sign.name],
  ['POST', `${RING}:setIamPolicy`, { policy: {} }, 'cloudkms.keyRings.setIamPolicy', RING],
  ['GET', 'projects/demo/locations', undefined, 'cloudkms.locations.list', 'projects/demo'],
  ['GET', LOCATION, undefined, 'cloudkms.locations.get', LOCATION],
]

test('M-72 local-kms gcp: each operation is refused by exactly its permission, before anything else is told', async () => {
  const all = [...new Set(TABLE.map(row => row[3]))]
  const credentials = all.map(removed => ({
    token: `all but ${removed}`.replaceAll(' ', '-'),
    permissions: all.filter(each => each !== removed),
  }))
  const rig = await startGcp({
    seed: { cryptoKeys: [sign, aes, mac] },
    credentials: [...credentials, { token: 'all', permissions: ['cloudkms.*'] }, { token: 'none', permissions: [] }],
  })
  for (const [method, path, body, permission, resource] of TABLE) {
    const denied = await raw(rig, method, path, body, as(`all-but-${permission}`))
    assert.equal(denied.status, 403, `${method} ${path}`)
    assert.deepEqual(denied.json['error'], {
      code: 403,
      message: `Permission '${permission}' denied on resource '${resource}' (or it may not exist).`,
      status: 'PERMISSION_DENIED',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'IAM_PERMISSION_DENIED',
          domain: 'cloudkms.googleapis.com',
          metadata: { permission, resource },
        },
      ],
    })
    assert.notEqual((await raw(rig, method, path, body, as('all'))).status, 403, `${method} ${path}`)
  }
  const hidden = await raw(rig, 'GET', keyName('does-not-exist'), undefined, as('none'))
  assert.equal(hidden.status, 403)
  const overGrpc = await refused(
    rig.client('grpc').asymmetricSign({ name: versionOf('sign'), data: bytes('x') }, withToken('none')),
  )
  assert.equal(overGrpc.code, 7)
  assert.match(overGrpc.message, /Permission 'cloudkms\.cryptoKeyVersions\.useToSign' denied on resource/)
})

test('M-72 local-kms gcp: policies are kept, read back, guarded by their etag and grant what their roles carry', async () => {
  const signer = { token: 'signer', principal: 'signer@demo.invalid', permissions: [] }
  const rig = await startGcp({ seed: { cryptoKeys: [sign, aes] }, credentials: [{ token: 'admin' }, signer] })
  const get = async () => (await raw(rig, 'POST', `${sign.name}:getIamPolicy`, {}, as('admin'))).json
  assert.deepEqual(await get(), { etag: 'ACAB' })
  const attempt = async (path: string, body: object = { data: 'eA==' }) =>
    (await raw(rig, 'POST', path, body, as('signer'))).status
  assert.equal(await attempt(`${versionOf('sign')}:asymmetricSign`), 403)
  const bindings = [
    { role: 'roles/cloudkms.signer', members: ['serviceAccount:signer@demo.invalid'] },
    { role: 'roles/cloudkms.publicKeyViewer', members: ['serviceAccount:other@demo.invalid'] },
  ]
  const set = (policy: object) => raw(rig, 'POST', `${sign.name}:setIamPolicy`, { policy }, as('admin'))
  const stored = (await set({ bindings, etag: 'ACAB' })).json
  assert.deepEqual(stored['bindings'], bindings)
  assert.equal(await attempt(`${versionOf('sign')}:asymmetricSign`), 200)
  assert.equal((await raw(rig, 'GET', `${versionOf('sign')}/publicKey`, undefined, as('signer'))).status, 403)
  assert.equal(await attempt(`${aes.name}:encrypt`, { plaintext: 'eA==' }), 403)
  assert.equal((await set({ bindings: [], etag: 'ACAB' })).json['error'].status, 'ABORTED')
  const asked = { permissions: [`${V}useToSign`, `${V}viewPublicKey`, 'cloudkms.cryptoKeys.get'] }
  const held = await raw(rig, 'POST', `${sign.name}:testIamPermissions`, asked, as('signer'))
  assert.deepEqual(held.json, { permissions: [`${V}useToSign`] })
  assert.deepEqual((await raw(rig, 'POST', `${sign.name}:testIamPermissions`, asked, as('admin'))).json, asked)
  const conditional = [
    {
      role: 'roles/cloudkms.signer',
      members: ['allUsers'],
      condition: { title: 't', expression: 'request.time < timestamp("2030-01-01T00:00:00Z")' },
    },
  ]
  const kept = (await set({ bindings: conditional, etag: stored['etag'], version: 3 })).json
  assert.deepEqual([kept['version'], kept['bindings']], [3, conditional])
  assert.equal(
    await attempt(`${versionOf('sign')}:asymmetricSign`),
    403,
    'a condition that nobody evaluates grants nothing',
  )
  await raw(
    rig,
    'POST',
    `${RING}:setIamPolicy`,
    { policy: { bindings: [{ role: 'roles/cloudkms.cryptoKeyEncrypter', members: ['allUsers'] }] } },
    as('admin'),
  )
  assert.equal(await attempt(`${aes.name}:encrypt`, { plaintext: 'eA==' }), 200, 'a ring hands down what it grants')
  const [policy] = await rig.client('grpc').getIamPolicy({ resource: RING } as never, withToken('admin'))
  assert.equal(policy.bindings[0]!.role, 'roles/cloudkms.cryptoKeyEncrypter')
  assert.ok(Object.keys(ROLES).length > 8)
})

test('local-kms gcp quotas: tokens a minute by level, requests a minute for reads and writes', async () => {
  const clock = virtualClock()
  const evm = { name: keyName('evm'), algorithm: 'EC_SIGN_SECP256K1_SHA256' as const }
  const rig = await startGcp({ clock, throttle: true, seed: { cryptoKeys: [sign, evm] } })
  const spend = async (path: string, body: object | undefined, most: number): Promise<number> => {
    for (let i = 0; i < most; i++) {
      const { status, json } = await raw(rig, body === undefined ? 'GET' : 'POST', path, body)
      if (status === 429) {
        assert.equal(json['error'].status, 'RESOURCE_EXHAUSTED')
        assert.match(
          json['error'].message,
          /^Quota exceeded for quota metric '.+' and limit '.+ per minute' of service 'cloudkms\.googleapis\.com' for consumer 'projects\/demo'\.$/,
        )
        return i
      }
    }
    return most
  }
  const digest = { digest: { sha256: Buffer.alloc(32, 1).toString('base64') } }
  assert.equal(await spend(`${versionOf('evm')}:asymmetricSign`, digest, 700), 666)
  await clock.advance(1000)
  const inOneSecond = await spend(`${versionOf('evm')}:asymmetricSign`, digest, 20)
  assert.ok(inOneSecond === 11, `${inOneSecond} a second`)
  assert.equal(await spend(`${versionOf('sign')}:asymmetricSign`, { data: 'eA==' }, 50), 50)
  assert.equal(await spend(sign.name, undefined, 700), 600)
  assert.equal(await spend(`${aes.name}x:getIamPolicy`, {}, 1), 0)
  const small = await startGcp({ throttle: { softwareTokens: 300 }, seed: { cryptoKeys: [sign] }, clock })
  const client = small.client('grpc')
  const call = () => client.asymmetricSign({ name: versionOf('sign'), data: bytes('x') })
  for (let i = 0; i < 3; i++) await call()
  const failure = await refused(call())
  assert.equal(failure.code, 8)
  assert.equal(failure.reason, 'RATE_LIMIT_EXCEEDED')
})
