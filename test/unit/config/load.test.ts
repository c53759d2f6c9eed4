import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../../src/config/load.ts'
import { reveal, Secret } from '../../../src/domain/secret.ts'
import { ACCOUNT, files, FULL, JWKS, load, problemsOf, STELLAR_SEED } from './samples.ts'

test('config: a small file gives a whole configuration, frozen all the way down', async () => {
  const config = await load()
  assert.deepEqual(JSON.parse(JSON.stringify(config)), {
    environment: 'production',
    plane: 'data',
    server: { host: '127.0.0.1', port: 9000, trustProxy: false, baseUrls: [] },
    control: { host: '127.0.0.1', port: 8421, trustProxy: false, baseUrls: [] },
    proxies: { addresses: [], header: 'x-forwarded-for', certificateForm: 'client-cert', hopsMax: 8 },
    admission: {
      data: { allow: [], hours: { windows: [], except: [] } },
      control: { allow: [], hours: { windows: [], except: [] } },
      limits: {
        perAddress: { count: 10, seconds: 60 },
        perToken: { count: 600, seconds: 60 },
        perSubject: { seconds: 60 },
        perKey: { seconds: 60 },
        global: { seconds: 60 },
        failures: { count: 60, seconds: 60 },
      },
    },
    data: { directory: '/var/lib/countersign' },
    tokens: {
      issuer: 'https://issuer.example',
      audience: 'countersign',
      jwks: JSON.parse(JWKS),
      maxAgeSeconds: 900,
      clockSkewSeconds: 30,
      senderConstraint: 'required',
      proofSeconds: 15,
    },
    store: { kind: 'sqlite', pool: 10, tls: 'verify', replicas: 1 },
    issuer: { name: 'countersign', audience: 'countersign', tokenSeconds: 900 },
    login: { network: 'public', chainIds: [1], sessionSeconds: 900 },
    approvals: { loosening: 2, coolDownMinutes: 60, expiryHours: 72 },
    equivocation: { exempt: [] },
    metadata: { issuer: 'countersign', lifeMinutes: 60 },
    providers: { 'aws-kms': { kind: 'aws-kms', region: 'eu-central-1', name: 'aws-kms' } },
    keys: { mapping: {}, recheckHours: 24, destroyAfterDays: 7 },
    flags: {
      ...{ name: 'countersign-route', maxAgeSeconds: 900, whenStale: 'keep' },
      ...{ shadowConcurrency: 4, shadowQueue: 256 },
    },
    limits: {
      ...{ bodyBytes: 65536, concurrency: 64, deadlineMs: 10000, tries: 3, idempotencyHours: 24 },
      ...{ breakerFailures: 5, breakerResetMs: 5000 },
    },
    audit: { segmentBytes: 67108864, instance: 'main' },
    log: { level: 'info' },
    networks: {},
    templates: {},
  })
  const open: string[] = []
  const walk = (value: unknown, path: string): void => {
    if (value === null || typeof value !== 'object') return
    if (!Object.isFrozen(value)) open.push(path)
    for (const [name, inner] of Object.entries(value)) walk(inner, `${path}.${name}`)
  }
  walk(config, 'config')
  assert.deepEqual(open, [])
})

test('config: file, then environment, then flags', async () => {
  const env = {
    COUNTERSIGN_SERVER_PORT: '9001',
    COUNTERSIGN_LOG_LEVEL: 'debug',
    COUNTERSIGN_SERVER_TRUST_PROXY: 'true',
  }
  const both = await load({ env, flags: { 'server.port': '9002', 'data.directory': undefined } })
  assert.deepEqual([both.server.port, both.log.level, both.server.trustProxy], [9002, 'debug', true])
  assert.equal(both.data.directory, '/var/lib/countersign')
  assert.equal((await load({ env })).server.port, 9001)
  assert.equal((await load({ flags: { 'server.port': 0 } })).server.port, 0)
  assert.equal((await load({ env: { COUNTERSIGN_SERVER_PORT: '' } })).server.port, 9000)
})

test('config: everything can come from the environment alone', async () => {
  const config = await loadConfig({
    env: {
      COUNTERSIGN_ENVIRONMENT: 'staging',
      COUNTERSIGN_PROVIDERS_KMS_KIND: 'aws-kms',
      COUNTERSIGN_PROVIDERS_KMS_REGION: 'us-east-1',
      COUNTERSIGN_PROVIDERS_KMS_ACCESS_KEY_ID: 'env:AWS_ACCESS_KEY_ID',
      COUNTERSIGN_PROVIDERS_KMS_SECRET_ACCESS_KEY: 'file:/run/secrets/aws',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      COUNTERSIGN_KEYS_MAPPING: `{"${ACCOUNT}":"arn:1"}`,
      COUNTERSIGN_TOKENS_ISSUER: 'i',
      COUNTERSIGN_TOKENS_AUDIENCE: 'a',
      COUNTERSIGN_TOKENS_JWKS: '/jwks',
    },
    readFile: async path => files({ '/run/secrets/aws': 'top secret\n', '/jwks': JWKS })(path),
  })
  const { kms } = config.providers
  assert.ok(kms?.kind === 'aws-kms' && kms.accessKeyId !== undefined && kms.secretAccessKey !== undefined)
  assert.deepEqual(
    [kms.name, reveal(kms.accessKeyId), reveal(kms.secretAccessKey)],
    ['kms', 'AKIDEXAMPLE', 'top secret'],
  )
  assert.deepEqual({ ...config.keys.mapping }, { [ACCOUNT]: 'arn:1' })
  assert.ok(!JSON.stringify(config).includes('top secret') && !JSON.stringify(config).includes('AKIDEXAMPLE'))
  assert.equal(kms.secretAccessKey.label, 'file:/run/secrets/aws')
})

test('config: the variable of a provider finds the name of the file, dashes and all', async () => {
  const toml = `${FULL}\n[providers.aws]\nkind = "aws-kms"\nregion = "us-east-1"\n`
  const config = await load({
    toml,
    env: { COUNTERSIGN_PROVIDERS_AWS_KMS_REGION: 'eu-west-1', COUNTERSIGN_PROVIDERS_AWS_REGION: 'eu-west-3' },
  })
  const regions = Object.entries(config.providers).map(([name, provider]) => [
    name,
    provider.kind === 'aws-kms' && provider.region,
  ])
  assert.deepEqual(regions, [
    ['aws-kms', 'eu-west-1'],
    ['aws', 'eu-west-3'],
  ])
})

test('config: COUNTERSIGN_CONFIG names the file, and a file that cannot be read is a problem', async () => {
  const readFile = files({ '/etc/c.toml': 'environment = "development"' })
  const config = await loadConfig({ env: { COUNTERSIGN_CONFIG: '/etc/c.toml' }, readFile })
  assert.equal(config.environment, 'development')
  const [first] = await problemsOf({ file: '/missing.toml' })
  assert.deepEqual([first?.path, first?.problem], ['/missing.toml', 'cannot be read'])
})

test('config: every problem is reported at once, each with its path and a fix', async () => {
  const toml = `
environment = "prod"
surprise = 1
[server]
port = 70000
hosst = "x"
[tokens]
issuer = "i"
jwks = "/missing.json"
maxAgeSeconds = 901
clockSkewSeconds = 31
[providers.main]
kind = "aws-kmss"
[providers.Other]
kind = "mock"
[providers.third]
kind = "aws-kms"
region = 5
reggion = "eu-central-1"
[limits]
tries = 1.5
idempotencyHours = "24"
[log]
level = "verbose"
[audit]
instance = "A B"
`
  const problems = await problemsOf({
    toml,
    env: { COUNTERSIGN_SERVER_PROT: '1', COUNTERSIGN_LIMITS_CONCURRENCY: 'many' },
  })
  const byPath = Object.fromEntries(problems.map(problem => [problem.path, problem]))
  assert.deepEqual(Object.keys(byPath).toSorted(), [
    'COUNTERSIGN_SERVER_PROT',
    'audit.instance',
    'environment',
    'limits.concurrency',
    'limits.idempotencyHours',
    'limits.tries',
    'log.level',
    'providers.Other',
    'providers.main.kind',
    'providers.third.reggion',
    'providers.third.region',
    'server.hosst',
    'server.port',
    'surprise',
    'tokens.audience',
    'tokens.clockSkewSeconds',
    'tokens.jwks',
    'tokens.maxAgeSeconds',
  ])
  assert.equal(byPath['server.hosst']?.fix, 'did you mean "host"?')
  assert.equal(byPath['providers.third.reggion']?.fix, 'did you mean "region"?')
  assert.equal(byPath['providers.main.kind']?.fix, 'did you mean "aws-kms"?')
  assert.equal(byPath['COUNTERSIGN_SERVER_PROT']?.fix, 'did you mean COUNTERSIGN_SERVER_PORT?')
  assert.equal(byPath['environment']?.fix, 'use one of development, staging, production')
  assert.equal(byPath['tokens.audience']?.problem, 'is missing')
  assert.match(byPath['limits.concurrency']?.problem ?? '', /from COUNTERSIGN_LIMITS_CONCURRENCY/)
  for (const { path, problem, fix } of problems) assert.ok(path !== '' && problem !== '' && fix !== '', path)
})

test('config: an empty file says what is needed', async () => {
  assert.deepEqual(await problemsOf({ toml: '' }), [
    { path: 'environment', problem: 'is missing', fix: 'use one of development, staging, production' },
  ])
})

test('config: a host that others can reach needs a statement about TLS', async () => {
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'signer.internal',
    '127.0.0.1.evil.example',
    '128.0.0.1',
    '127.0.0',
    '127.0.0.999',
  ]) {
    const [problem] = await problemsOf({ flags: { 'server.host': host } })
    assert.equal(problem?.path, 'server.host', host)
    assert.match(problem.fix, /trustProxy/)
    assert.equal((await load({ flags: { 'server.host': host, 'server.trustProxy': true } })).server.host, host)
    await load({ flags: { 'server.host': host, 'server.socket': '/run/countersign.sock' } })
  }
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) await load({ flags: { 'server.host': host } })
  const [socket] = await problemsOf({ flags: { 'server.socket': 'relative.sock' } })
  assert.equal(socket?.path, 'server.socket')
})

test('config D23: a secret in the configuration itself is refused and never quoted', async () => {
  const literal = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
  const toml = `${FULL}\naccessKeyId = "env:AWS_ACCESS_KEY_ID"\nsecretAccessKey = "${literal}"\n`
  const cases = [
    { toml, env: { AWS_ACCESS_KEY_ID: 'AKID' } },
    {
      env: {
        COUNTERSIGN_PROVIDERS_AWS_KMS_SECRET_ACCESS_KEY: literal,
        COUNTERSIGN_PROVIDERS_AWS_KMS_ACCESS_KEY_ID: literal,
      },
    },
    { flags: { 'providers.aws-kms.secretAccessKey': literal, 'providers.aws-kms.accessKeyId': `env:${literal}` } },
    { toml: `environment = "development"\n[providers.raw]\nkind = "raw-env"\nkeys = { treasury = "${STELLAR_SEED}" }` },
    { toml: `environment = "${STELLAR_SEED}"` },
    { toml: `environment = "development"\n[providers.raw]\nkind = "raw-env"\nkeys = { a = "env:${STELLAR_SEED}" }` },
    { toml: 'environment = "development"', env: { HSM_PROVIDER: STELLAR_SEED } },
    { toml: `environment = "development"\n[providers.x]\nkind = "${STELLAR_SEED}"` },
    { toml: `environment = "development"\nsecret = "${STELLAR_SEED}` },
  ]
  for (const given of cases) {
    const text = JSON.stringify(await problemsOf(given))
    assert.ok(!text.includes(literal) && !text.includes(STELLAR_SEED.slice(0, 20)), text)
  }
  const paths = (await problemsOf(cases[0] ?? {})).map(({ path }) => path)
  assert.deepEqual(paths, ['providers.aws-kms.secretAccessKey'])
})

test('config D23: references to what is not there are refused by name', async () => {
  const secret = async (reference: unknown, more = {}) => {
    const flags = { 'providers.aws-kms.accessKeyId': 'env:ID', 'providers.aws-kms.secretAccessKey': reference }
    return (await problemsOf({ flags, env: { ID: 'AKID', EMPTY: '' }, more }))[0]?.problem
  }
  assert.equal(
    await secret('env:MISSING'),
    'names the variable MISSING, which is not set (from flag providers.aws-kms.secretAccessKey)',
  )
  assert.match((await secret('env:EMPTY')) ?? '', /not set/)
  assert.match((await secret('file:/none')) ?? '', /cannot be read/)
  assert.match((await secret('file:/empty', { '/empty': '\n' })) ?? '', /is empty/)
  for (const bad of ['file:relative', 'env:', 'env:1A', 'ENV:ID', 'http://x', '', 5, true, ['env:ID'], { env: 'ID' }]) {
    assert.match((await secret(bad)) ?? '', /not a reference/, JSON.stringify(bad))
  }
})

test('config M-09: raw keys of development become secrets by reference', async () => {
  const toml =
    'environment = "development"\n[providers.raw]\nkind = "raw-env"\nkeys = { treasury = "env:COUNTERSIGN_TREASURY", other = "file:/k" }'
  const config = await load({
    toml,
    env: { COUNTERSIGN_TREASURY: STELLAR_SEED },
    more: { '/k': `${STELLAR_SEED}\r\n` },
  })
  const { raw } = config.providers
  assert.ok(raw?.kind === 'raw-env')
  for (const key of Object.values(raw.keys)) assert.ok(key instanceof Secret && reveal(key) === STELLAR_SEED)
})

test('config: a provider may repeat the name of its table, and no other', async () => {
  assert.equal((await load({ flags: { 'providers.aws-kms.name': 'aws-kms' } })).providers['aws-kms']?.name, 'aws-kms')
  assert.equal((await problemsOf({ flags: { 'providers.aws-kms.name': 'other' } }))[0]?.path, 'providers.aws-kms.name')
})

test('config: keys of the token issuer are read and checked with everything else', async () => {
  const broken = JSON.stringify({ keys: [{ kty: 'oct', k: 'AAAA', kid: 'x', alg: 'HS256' }] })
  const at = async (jwks: string) =>
    (await problemsOf({ more: { '/etc/countersign/jwks.json': jwks } })).map(({ path }) => path)
  assert.deepEqual(await at(broken), ['tokens.jwks.keys[0]'])
  assert.deepEqual(await at('{'), ['tokens.jwks'])
  assert.deepEqual(await at('{}'), ['tokens.jwks'])
  assert.deepEqual((await problemsOf({ flags: { 'tokens.jwks': '/none' } }))[0]?.path, 'tokens.jwks')
})

test('config: a syntax error tells the place and not the line', async () => {
  const [problem] = await problemsOf({ toml: 'environment = "production"\npassword = "hunter2\n' })
  assert.match(problem?.problem ?? '', /^is not TOML \(line 2, column \d+\)$/)
})

test('config: names that mean something to JavaScript are fields like any other, and refused', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const problems = await problemsOf({ toml: `environment = "development"\n"${name}" = { polluted = true }` })
    assert.equal(problems[0]?.path, name)
    await problemsOf({ flags: { [`${name}.polluted`]: true } })
    assert.equal(({} as { polluted?: boolean }).polluted, undefined)
  }
})

test('config M-50: familiar variables fill what was left open and change nothing that is there', async () => {
  const toml = 'environment = "development"\n[providers.kms]\nkind = "aws-kms"\n'
  const env = {
    AWS_REGION: 'eu-west-1',
    AWS_ENDPOINT_URL_KMS: 'https://kms.internal.example',
    KMS_KEY_ID: 'arn:aws:kms:x',
  }
  const filled = await load({ toml, env })
  const { kms } = filled.providers
  assert.ok(kms?.kind === 'aws-kms')
  assert.deepEqual(
    [kms.region, kms.endpoint, filled.keys.reference],
    ['eu-west-1', 'https://kms.internal.example', 'arn:aws:kms:x'],
  )
  const kept = await load({ env, flags: { 'keys.reference': 'alias/mine' } })
  assert.ok(kept.providers['aws-kms']?.kind === 'aws-kms')
  assert.deepEqual([kept.providers['aws-kms'].region, kept.keys.reference], ['eu-central-1', 'alias/mine'])
  const fallback = await load({ toml, env: { AWS_DEFAULT_REGION: 'us-west-2', AWS_KMS_KEY_ID: 'k' } })
  assert.ok(fallback.providers['kms']?.kind === 'aws-kms')
  assert.deepEqual([fallback.providers['kms'].region, fallback.keys.reference], ['us-west-2', 'k'])
  const [bad] = await problemsOf({ toml, env: { AWS_REGION: 'nowhere' } })
  assert.match(bad?.problem ?? '', /from AWS_REGION/)
})

test('config M-50: HSM_PROVIDER names the provider when none is configured', async () => {
  const toml = 'environment = "development"'
  const kinds = async (word: string) =>
    Object.values((await load({ toml, env: { HSM_PROVIDER: word, AWS_REGION: 'eu-west-1' } })).providers).map(
      ({ kind }) => kind,
    )
  for (const word of ['aws-kms', 'AWS_KMS', 'aws', 'awskms']) assert.deepEqual(await kinds(word), ['aws-kms'], word)
  assert.deepEqual(await kinds('mock'), ['mock'])
  assert.deepEqual((await load({ env: { HSM_PROVIDER: 'mock' } })).providers['mock'], undefined)
  for (const word of ['softhsm', '__proto__', 'constructor']) {
    assert.equal((await problemsOf({ toml, env: { HSM_PROVIDER: word } }))[0]?.path, 'HSM_PROVIDER', word)
  }
})

test('config: variables of others are left alone, unknown ones of ours are not', async () => {
  await load({
    env: {
      COUNTERSIGN_URL: 'http://127.0.0.1:1',
      COUNTERSIGN_TOKEN: 'x',
      COUNTERSIGN_SERVICE_HOST: '10.0.0.1',
      COUNTERSIGN_SERVICE_PORT_HTTP: '8420',
      COUNTERSIGN_PORT: 'tcp://10.0.0.1:8420',
      COUNTERSIGN_PORT_8420_TCP_ADDR: '10.0.0.1',
      PATH: '/bin',
      COUNTERSIGN: 'x',
    },
  })
  for (const variable of [
    'COUNTERSIGN_X',
    'COUNTERSIGN_SERVER',
    'COUNTERSIGN_PROVIDERS_',
    'COUNTERSIGN_PROVIDERS_AWS_KMS_REGIONS',
    'COUNTERSIGN_PORTS',
  ]) {
    assert.equal((await problemsOf({ env: { [variable]: 'x' } }))[0]?.path, variable)
  }
})

test('config: wrong types are told without the value', async () => {
  const cases: readonly (readonly [string, string])[] = [
    ['server = 5', 'server'],
    ['providers = []', 'providers'],
    ['[server]\nport = "x"', 'server.port'],
    ['[server]\ntrustProxy = "yes"', 'server.trustProxy'],
    ['[data]\ndirectory = 1979-05-27', 'data.directory'],
    ['[data]\ndirectory = ""', 'data.directory'],
    ['[providers.x]\nregion = "eu-west-1"', 'providers.x.kind'],
    ['[providers]\nx = "aws-kms"', 'providers.x'],
    ['[limits]\ntries = 9', 'limits.tries'],
  ]
  for (const [toml, path] of cases) {
    const problems = await problemsOf({ toml: `environment = "development"\n${toml}` })
    assert.deepEqual(
      problems.map(problem => problem.path),
      [path],
      toml,
    )
  }
})

test('config M-76: KMS_MAX_RETRIES counts what follows the first try, KMS_TIMEOUT is in milliseconds', async () => {
  for (const retries of [0, 1, 2]) {
    const { limits } = await load({ env: { KMS_MAX_RETRIES: String(retries), KMS_TIMEOUT: '3000' } })
    assert.deepEqual([limits.tries, limits.deadlineMs], [retries + 1, 3000])
  }
  const kept = await load({
    env: { KMS_MAX_RETRIES: '9', KMS_TIMEOUT: '5', COUNTERSIGN_LIMITS_TRIES: '2' },
    flags: { 'limits.deadlineMs': 700 },
  })
  assert.deepEqual([kept.limits.tries, kept.limits.deadlineMs], [2, 700], 'our own names have the last word')
  assert.deepEqual((await load({ env: { KMS_MAX_RETRIES: '', KMS_TIMEOUT: '' } })).limits.tries, 3)

  const refused = async (env: Record<string, string>): Promise<[string, string, string]> => {
    const [{ path, problem, fix } = { path: '', problem: '', fix: '' }, ...more] = await problemsOf({ env })
    assert.deepEqual(more, [])
    return [path, problem, fix]
  }
  assert.deepEqual(await refused({ KMS_TIMEOUT: '30' }), [
    'KMS_TIMEOUT',
    'is 30 milliseconds',
    'use at least 100; if seconds were meant, 30000',
  ])
  assert.deepEqual((await refused({ KMS_TIMEOUT: '0' }))[2], 'use at least 100; if seconds were meant, 1000')
  assert.deepEqual(await refused({ KMS_MAX_RETRIES: '3' }), [
    'KMS_MAX_RETRIES',
    'asks for 3 retries',
    'use 0, 1 or 2: more would only be load on a service that fails',
  ])
  for (const text of ['-1', '2.5', '3s', 'many', '1e3', '9999999999'])
    for (const variable of ['KMS_TIMEOUT', 'KMS_MAX_RETRIES'])
      assert.deepEqual((await refused({ [variable]: text })).slice(0, 2), [variable, 'is not a whole number'])
  assert.deepEqual(await refused({ KMS_TIMEOUT: '60001' }), [
    'limits.deadlineMs',
    'is out of range (from KMS_TIMEOUT)',
    'use at most 60000 (ms)',
  ])
})
