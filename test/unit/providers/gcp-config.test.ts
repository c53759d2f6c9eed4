import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type GcpKmsConfig, gcpKms, gcpKmsSchema } from '../../../providers/gcp-kms/config.ts'
import { create as createEdge } from '../../../providers/gcp-kms/edge.ts'
import { create } from '../../../providers/gcp-kms/index.ts'
import { fullName, isKeyName, isVersionName, keyOf, ringName } from '../../../providers/gcp-kms/names.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'

const CANARY = 'canary-secret-value'
const config = (more: Record<string, unknown>): GcpKmsConfig => ({ kind: 'gcp-kms', ...more })
const secret = (text = CANARY) => new Secret(text, 'GCP')

async function problems(more: Record<string, unknown>, open: typeof create = create) {
  const error = await refusal(open(config(more), providerWorld()), 'config/invalid', [CANARY])
  return (error.detail as { problems: readonly { path: string; problem: string; fix: string }[] }).problems
}

test('good configurations open without a single request', async () => {
  const world = providerWorld('development', () => assert.fail('nothing may be fetched'))
  const good = [
    {},
    { name: 'gcp-frankfurt' },
    { transport: 'rest' },
    { transport: 'grpc' },
    { transport: 'grpc', endpoint: 'https://cloudkms.europe-west3.rep.googleapis.com' },
    { endpoint: 'https://cloudkms.europe-west3.rep.googleapis.com' },
    { endpoint: 'http://127.0.0.1:9010' },
    { endpoint: 'http://[::1]:9010' },
    { project: 'payments-prod' },
    { project: 'example.com:payments', location: 'europe', keyRing: 'signing_1' },
    { project: '123456789012', location: 'global', keyRing: 'R' },
    { accessToken: secret(), quotaProject: 'billing' },
    { credentials: secret('{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}') },
  ]
  for (const more of good) {
    const provider = await create(config(more), world)
    assert.equal(provider.name, (more as { name?: string }).name ?? 'gcp-kms')
    assert.ok(Object.isFrozen(provider) && Object.isFrozen(provider.can) && provider.can.production)
    await provider.close()
  }
})

test('T51 an endpoint is https or loopback, and nothing else', async () => {
  for (const endpoint of [
    'http://kms.example',
    'http://10.0.0.1',
    'ftp://127.0.0.1',
    'kms.example',
    '',
    'https://h/path',
    'http://169.254.169.254/',
  ]) {
    const [problem, ...more] = await problems({ endpoint })
    assert.equal(more.length, 0, endpoint)
    assert.equal(problem?.path, 'endpoint')
    assert.match(problem?.fix ?? '', /https:\/\/HOST/)
  }
  assert.equal((await problems({ endpoint: `https://user:${CANARY}@kms.example` }))[0]?.path, 'endpoint')
})

test('all problems come at once, unknown fields included', async () => {
  const found = await problems({
    name: 'No Name',
    transport: 'soap',
    project: 'Not A Project',
    location: '../x',
    keyRing: 'a/b',
    endpoint: 'http://x.example',
    quotaProject: '?',
    retries: 3,
  })
  const paths = found.map(({ path }) => path)
  for (const path of ['name', 'transport', 'project', 'location', 'keyRing', 'endpoint', 'quotaProject', '(root)']) {
    assert.ok(paths.includes(path), `${path} in ${paths.join()}`)
  }
  assert.ok(found.every(({ fix, problem }) => fix !== '' && problem !== ''))
})

test('a key ring needs its project and location; a token does not stand beside credentials; secrets are Secrets', async () => {
  assert.equal((await problems({ keyRing: 'r' }))[0]?.path, 'keyRing')
  assert.equal((await problems({ keyRing: 'r', project: 'p' }))[0]?.path, 'keyRing')
  assert.equal((await problems({ accessToken: secret(), credentials: secret('{}') }))[0]?.path, 'accessToken')
  assert.deepEqual((await problems({ accessToken: CANARY, credentials: CANARY })).map(({ path }) => path).toSorted(), [
    'accessToken',
    'credentials',
  ])
})

const federated = {
  type: 'external_account',
  audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: 'https://sts.googleapis.com/v1/token',
  credential_source: { file: '/x' },
}
const noFetch = (): Promise<Response> => assert.fail('nothing is asked')

test('T51 credential files that cannot be read, start programs or send tokens elsewhere are refused when the provider opens', async () => {
  const bad: readonly unknown[] = [
    CANARY,
    '[]',
    'null',
    { type: 'gdch_service_account' },
    { type: 'impersonated_service_account' },
    { private: CANARY },
    { type: 'service_account', client_email: 'a@b' },
    { type: 'service_account', client_email: 'a@b', private_key: CANARY },
    { ...federated, token_url: 'https://sts.evil.example/v1/token' },
    { ...federated, token_url: 'http://sts.googleapis.com/v1/token' },
    { ...federated, token_url: 'https://sts.googleapis.com.evil.example/' },
    // Without an address of its own, Google's library makes one of the universe.
    { ...federated, token_url: undefined, universe_domain: 'evil.example' },
    { ...federated, universe_domain: 'evil.example' },
    { ...federated, service_account_impersonation_url: 'https://evil.example/x' },
    { ...federated, credential_source: { executable: { command: '/bin/sh' } } },
    { ...federated, credential_source: {} },
    { ...federated, audience: undefined },
    { ...federated, audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool' },
    { ...federated, audience: 'https://iam.googleapis.com/projects/1' },
    { ...federated, subject_token_type: undefined },
    { type: 'authorized_user', client_id: CANARY },
    { type: '__proto__' },
  ]
  for (const file of bad) {
    const text = typeof file === 'string' ? file : JSON.stringify(file)
    const [problem] = await problems({ credentials: secret(text) })
    assert.equal(problem?.path, 'credentials', text)
  }
  await (await create(config({ credentials: secret(JSON.stringify(federated)) }), providerWorld())).close()
})

test("T51 what only Google's library finds wrong is refused at the call, and not called an outage", async () => {
  const file = { ...federated, credential_source: { file: '/x', url: 'https://issuer.example/token' } }
  const provider = await create(
    config({ credentials: secret(JSON.stringify(file)) }),
    providerWorld('production', noFetch),
  )
  const version = 'projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1'
  const error = await refusal(provider.describe(version, call()), 'provider/refused')
  assert.match(error.message, /does not exchange the configured credentials/)
  await provider.close()
})

test('an access token that no header can hold is refused when the provider opens, and is not quoted', async () => {
  for (const token of [`${CANARY}\nx`, `${CANARY} x`, `${CANARY}\u0100`, '']) {
    const [problem] = await problems({ accessToken: secret(token) })
    assert.equal(problem?.path, 'accessToken', JSON.stringify(token))
  }
})

test('M-14 the edge takes REST with a token or a service account key, and says so when asked for more', async () => {
  assert.equal((await problems({ transport: 'grpc', accessToken: secret() }, createEdge))[0]?.path, 'transport')
  assert.equal((await problems({}, createEdge))[0]?.path, 'credentials')
  const user = secret('{"type":"authorized_user"}')
  assert.equal((await problems({ credentials: user }, createEdge))[0]?.path, 'credentials')
  const provider = await createEdge(config({ accessToken: secret() }), providerWorld())
  assert.equal(provider.name, 'gcp-kms')
  await provider.close()
})

test('the familiar variables and other words lead here', () => {
  const fields = Object.keys(gcpKmsSchema().shape)
  for (const { field } of gcpKms.familiar) assert.ok(fields.includes(field), field)
  assert.deepEqual(Object.keys(gcpKms.meanings).toSorted(), fields.toSorted())
  const variables = gcpKms.familiar.map(({ variable }) => variable)
  for (const variable of ['GCP_PROJECT_ID', 'GOOGLE_CLOUD_PROJECT', 'GCP_LOCATION', 'GCP_KEY_RING']) {
    assert.ok(variables.includes(variable))
  }
  // Read by the application-default credentials alone.
  assert.ok(!variables.includes('GOOGLE_APPLICATION_CREDENTIALS'))
  for (const alias of ['gcp', 'gcpkms', 'google', 'googlekms', 'cloudkms']) assert.ok(gcpKms.aliases.includes(alias))
})

test('T43 resource names are read strictly', () => {
  const key = 'projects/p/locations/global/keyRings/r/cryptoKeys/k'
  assert.ok(isKeyName(key) && !isVersionName(key))
  assert.ok(isVersionName(`${key}/cryptoKeyVersions/12`) && !isKeyName(`${key}/cryptoKeyVersions/12`))
  assert.equal(keyOf(`${key}/cryptoKeyVersions/12`), key)
  const bad = [
    '',
    'k',
    `/${key}`,
    `${key}/`,
    `${key}/cryptoKeyVersions/`,
    `${key}/cryptoKeyVersions/0`,
    `${key}/cryptoKeyVersions/1:destroy`,
  ]
  for (const name of [
    ...bad,
    `${key}?x=1`,
    key.replace('/k', '/..'),
    key.replace('/k', '/%2e'),
    key.replace('projects', 'project'),
    `${key}\n`,
  ]) {
    assert.ok(!isKeyName(name) && !isVersionName(name), JSON.stringify(name))
  }
  const ring = { project: 'p', location: 'global', keyRing: 'r' }
  assert.equal(ringName(ring), 'projects/p/locations/global/keyRings/r')
  assert.equal(ringName({ project: 'p', location: 'global' }), undefined)
  assert.equal(fullName('k', ring), key)
  assert.equal(fullName('k/3', ring), `${key}/cryptoKeyVersions/3`)
  assert.equal(fullName(key, {}), key)
  for (const name of ['k/0', 'k/3/4', '', '..', 'k/latest']) assert.equal(fullName(name, ring), undefined)
  assert.equal(fullName('k/3', {}), undefined)
})

/** All that importing `entry` loads at once, types left out; dynamic imports by name. */
function loadedWith(entry: string) {
  const files = new Set<string>()
  const packages = new Set<string>()
  const lazy = new Set<string>()
  const visit = (url: URL): void => {
    if (files.has(url.pathname)) return
    files.add(url.pathname)
    const source = readFileSync(url, 'utf8').replaceAll(/typeof import\([^)]*\)/g, '')
    for (const [, each] of source.matchAll(/import\('([^']+)'\)/g)) lazy.add(each ?? '')
    const imports = /^\s*(?:import|export)\s+(type\s)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gm
    for (const [, types, named] of source.matchAll(imports)) {
      if (types !== undefined || named === undefined) continue
      if (named.startsWith('.')) visit(new URL(named, url))
      else packages.add(named)
    }
  }
  visit(new URL(`../../../providers/gcp-kms/${entry}`, import.meta.url))
  return { files: [...files], packages: [...packages], lazy: [...lazy] }
}

test("M-14 the edge reaches none of Google's libraries, not even lazily, and nothing of node:", () => {
  const { files, packages, lazy } = loadedWith('edge.ts')
  assert.deepEqual(lazy, [])
  assert.deepEqual(
    packages.filter(name => /^(node:|bun|@google-cloud\/|@grpc\/|google-)/.test(name)),
    [],
  )
  for (const file of files) {
    assert.doesNotMatch(readFileSync(file, 'utf8'), /\b(Buffer|process|Deno|Bun)\.[a-zA-Z]/, file)
  }
})

test('the provider loads the gRPC client and the credentials library late, and no administration at all', () => {
  const { files, packages, lazy } = loadedWith('index.ts')
  assert.deepEqual(lazy.toSorted(), ['./google-auth.ts', './grpc.ts'])
  assert.deepEqual(
    packages.filter(name => /^(@google-cloud\/|@grpc\/|google-)/.test(name)),
    [],
  )
  assert.deepEqual(
    files.filter(file => /\/(admin|doctor)[a-z-]*\.ts$/.test(file)),
    [],
  )
  assert.ok(loadedWith('grpc.ts').packages.includes('@google-cloud/kms'), 'the reader sees what is there')
  assert.deepEqual(loadedWith('config.ts').packages, ['zod'])
})
