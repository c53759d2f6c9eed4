import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { holdsRawEvmKey, holdsStellarSeed } from '../../../src/config/secret-shapes.ts'
import { checkStart, type StartFacts } from '../../../src/config/start-guard.ts'
import { EVM_KEY, FULL, load, STELLAR_SEED } from './samples.ts'

const production = await load()
const development = await load({ flags: { environment: 'development' } })
const withMock = (environment: string) => load({ flags: { environment, 'providers.mock.kind': 'mock' } })

const refusals = (facts: Partial<StartFacts>) =>
  checkStart({ config: production, env: {}, command: 'serve', ...facts }).refusals.map(({ path }) => path)
const warnings = (facts: Partial<StartFacts>) =>
  checkStart({ config: development, env: {}, command: 'serve', ...facts }).warnings.map(({ path }) => path)

test('start guard M-09 T54 T55 T69 R-28: of 256 rows only the documented 73 start', async () => {
  const providers: Record<string, string> = {
    mock: '\n[providers.fake]\nkind = "mock"\n',
    raw: '\n[providers.raw]\nkind = "raw-env"\nkeys = { a = "env:RAW" }\n',
  }
  let starts = 0
  for (let row = 0; row < 256; row++) {
    const on = (bit: number) => (row & (1 << bit)) !== 0
    const [isProduction, isDev, mock, raw, seed, options, proxy, inspect] = [0, 1, 2, 3, 4, 5, 6, 7].map(on)
    const toml = FULL + (mock ? providers['mock'] : '') + (raw ? providers['raw'] : '')
    const config = await load({
      toml,
      env: { RAW: 'x' },
      flags: { environment: isProduction ? 'production' : 'development' },
    })
    const env = {
      ...(seed ? { TREASURY: STELLAR_SEED } : {}),
      ...(options ? { NODE_OPTIONS: '--require ./x.js' } : {}),
      ...(proxy ? { https_proxy: 'http://proxy.example:3128' } : {}),
      ...(inspect ? { BUN_INSPECT: '127.0.0.1:6499' } : {}),
    }
    const clean = !options && !proxy && !inspect
    const documented = isDev ? !isProduction : clean && (!isProduction || (!mock && !raw && !seed))
    const started = checkStart({ config, env, command: isDev ? 'dev' : 'serve' }).refusals.length === 0
    assert.equal(started, documented, `row ${row}`)
    if (started) starts++
  }
  assert.equal(starts, 73)
})

const UNSAFE: Readonly<Record<string, string>> = {
  BUN_INSPECT: ':0',
  BUN_INSPECT_CONNECT_TO: 'ws://x',
  BUN_INSPECT_PRELOAD: './x',
  BUN_OPTIONS: '--preload ./x.ts',
  BUN_CONFIG_VERBOSE_FETCH: 'curl',
  BUN_BE_BUN: '1',
  NODE_OPTIONS: '--inspect',
  NODE_TLS_REJECT_UNAUTHORIZED: '0',
  NODE_EXTRA_CA_CERTS: '/tmp/ca.pem',
  NODE_USE_SYSTEM_CA: '1',
  SSL_CERT_FILE: '/tmp/ca.pem',
  SSL_CERT_DIR: '/tmp/certs',
  SSLKEYLOGFILE: '/tmp/keys',
  HTTP_PROXY: 'http://p',
  HTTPS_PROXY: 'http://p',
  ALL_PROXY: 'socks5://p',
  http_proxy: 'http://p',
  https_proxy: 'http://p',
  all_proxy: 'http://p',
  Https_Proxy: 'http://p',
  LD_PRELOAD: '/tmp/x.so',
  LD_AUDIT: '/tmp/x.so',
  LISTEN_FDS: '3',
}

/** Set by base images and company machines: no reason to refuse play money. */
const TRUST_STORES = ['NODE_EXTRA_CA_CERTS', 'NODE_USE_SYSTEM_CA', 'SSL_CERT_FILE', 'SSL_CERT_DIR']

test('start guard T54 T55: each unsafe variable stops serve, but for trust stores in development, and warns in dev', async () => {
  const staging = await load({ flags: { environment: 'staging' } })
  for (const [variable, value] of Object.entries(UNSAFE)) {
    for (const config of [production, staging, development]) {
      const tolerated = config === development && TRUST_STORES.includes(variable)
      assert.deepEqual(refusals({ config, env: { [variable]: value } }), tolerated ? [] : [variable])
      assert.deepEqual(warnings({ config, command: 'serve', env: { [variable]: value } }), tolerated ? [variable] : [])
      assert.deepEqual(refusals({ config, env: { [variable]: '' } }), [])
    }
    const dev = checkStart({ env: { [variable]: value }, command: 'dev' })
    assert.deepEqual([dev.refusals, dev.warnings.map(({ path }) => path)], [[], [variable]])
    assert.ok(
      dev.warnings.every(({ problem, fix }) => problem !== '' && fix !== '' && !`${problem}${fix}`.includes(value)),
    )
  }
  assert.deepEqual(refusals({ env: UNSAFE }).toSorted(), Object.keys(UNSAFE).toSorted())
  const harmless = {
    PATH: '/bin',
    NO_PROXY: '*',
    BUN_INSTALL: '/x',
    npm_config_https_proxy: 'x',
    MY_HTTP_PROXY: 'x',
    NODE_ENV: 'production',
  }
  assert.deepEqual(refusals({ env: harmless }), [])
})

test('start guard T51: in production no variable sends the calls of the key service elsewhere', async () => {
  for (const variable of ['AWS_ENDPOINT_URL_KMS', 'AWS_ENDPOINT_URL']) {
    const env = { [variable]: 'https://kms.attacker.example' }
    assert.deepEqual(refusals({ config: production, env }), [variable])
    assert.deepEqual(refusals({ command: 'keys', config: production, env }), [variable])
    assert.deepEqual(refusals({ config: development, env }), [])
    assert.deepEqual(refusals({ config: production, env: { [variable]: '' } }), [])
  }
})

test('start guard T54 a command that may send a seed to the key service does so over clean TLS, or only in development', async () => {
  const staging = await load({ flags: { environment: 'staging' } })
  for (const [variable, value] of Object.entries(UNSAFE)) {
    for (const config of [production, staging]) {
      assert.deepEqual(refusals({ command: 'keys', config, env: { [variable]: value } }), [variable])
    }
    const relaxed = { command: 'keys', config: development, env: { [variable]: value } } as const
    assert.deepEqual([refusals(relaxed), warnings(relaxed)], [[], [variable]])
  }
  const moving = { command: 'keys', config: production, env: { OLD: STELLAR_SEED } } as const
  assert.deepEqual([refusals(moving), warnings(moving)], [[], ['OLD']], 'a seed on its way in')
  const { tokens: _, ...unfinished } = production
  assert.deepEqual(refusals({ command: 'keys', config: unfinished }), [], 'the registry needs no tokens')
})

test('start guard M-09: a raw seed in any variable stops everything but development, and tells how to migrate', async () => {
  const staging = await load({ flags: { environment: 'staging' } })
  const values = [
    STELLAR_SEED,
    ` ${STELLAR_SEED}\n`,
    `{"seed":"${STELLAR_SEED}"}`,
    `A${STELLAR_SEED}`,
    `${STELLAR_SEED}7`,
    `GAAA,${STELLAR_SEED},x`,
  ]
  for (const value of values) {
    for (const config of [production, staging]) {
      const { refusals: found } = checkStart({ config, env: { ANYTHING: value }, command: 'serve' })
      assert.deepEqual(
        found.map(({ path, problem }) => [path, problem]),
        [['ANYTHING', 'holds a Stellar secret seed']],
      )
      assert.match(found[0]?.fix ?? '', /countersign migrate env/)
      assert.ok(!JSON.stringify(found).includes(STELLAR_SEED.slice(0, 20)))
    }
    assert.deepEqual(refusals({ config: development, env: { ANYTHING: value } }), [])
    assert.deepEqual(warnings({ env: { ANYTHING: value } }), ['ANYTHING'])
  }
  for (const variable of [
    'PRIVATE_KEY',
    'deployer_private_key',
    'TREASURY_SECRET',
    'EVM_SEED',
    'SIGNING_KEY',
    'PRIVATEKEY',
  ]) {
    for (const value of [EVM_KEY, EVM_KEY.slice(2), EVM_KEY.toUpperCase().replace('0X', '0x')]) {
      assert.deepEqual(refusals({ env: { [variable]: value } }), [variable])
    }
  }
  const innocent = {
    TX_HASH: EVM_KEY,
    PRIVATE_KEY_ID: 'arn:aws:kms:eu-central-1:1:key/2',
    CLIENT_SECRET: 'short',
    ACCOUNT: STELLAR_SEED.replace('S', 'G'),
    TYPO: STELLAR_SEED.replace('B', 'C'),
    CUT: STELLAR_SEED.slice(0, 55),
  }
  assert.deepEqual(refusals({ env: innocent }), [])
})

test('start guard: seeds are found by version and checksum (SEP-23), hex only under a telling name', () => {
  assert.ok(holdsStellarSeed(STELLAR_SEED))
  fc.assert(
    fc.property(fc.nat(55), fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.split('')), (at, letter) => {
      const changed = STELLAR_SEED.slice(0, at) + letter + STELLAR_SEED.slice(at + 1)
      assert.equal(holdsStellarSeed(changed), changed === STELLAR_SEED)
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.string(), fc.string(), (before, after) => {
      const text = `${before}!${STELLAR_SEED}!${after}`
      assert.ok(holdsStellarSeed(text))
      assert.ok(!holdsStellarSeed(text.toLowerCase()))
    }),
  )
  assert.ok(!holdsRawEvmKey('PRIVATE_KEY', `${EVM_KEY}00`) && !holdsRawEvmKey('PRIVATE_KEY', EVM_KEY.slice(0, -1)))
})

test('start guard M-09 T69: the mock is refused in production by every way in', async () => {
  const ways: readonly Partial<StartFacts>[] = [
    { config: await load({ toml: `${FULL}\n[providers.any-name]\nkind = "mock"\n` }) },
    { config: await load({ env: { COUNTERSIGN_PROVIDERS_MOCK_KIND: 'mock' } }) },
    { config: await withMock('production') },
    { config: await load({ toml: FULL.slice(0, FULL.indexOf('[providers')), env: { HSM_PROVIDER: 'mock' } }) },
    { env: { HSM_PROVIDER: 'mock' } },
    { env: { HSM_PROVIDER: 'MOCK' } },
    { registry: [{ key: 'treasury', provider: 'mock' }] },
    {
      config: production,
      registry: [
        { key: 'a', provider: 'aws-kms' },
        { key: 'b', provider: 'raw-env' },
      ],
    },
    { env: { HSM_PROVIDER: 'raw_env' } },
  ]
  for (const [index, facts] of ways.entries()) assert.equal(refusals(facts).length, 1, `way ${index}`)
  const renamed = await load({ flags: { 'providers.innocent.kind': 'mock' } })
  assert.deepEqual(refusals({ config: renamed, registry: [{ key: 'k', provider: 'innocent' }] }), [
    'providers.innocent',
    'key k',
  ])
  assert.deepEqual(refusals({ config: await withMock('staging') }), [])
  assert.deepEqual(refusals({ config: await withMock('development') }), [])
  const raw = await load({
    flags: { environment: 'staging', 'providers.raw.kind': 'raw-env', 'providers.raw.keys': { a: 'env:A' } },
    env: { A: 'x' },
  })
  assert.deepEqual(refusals({ config: raw }), ['providers.raw'])
})

test('start guard: serve needs a directory, tokens and a provider, and says all of it', async () => {
  const bare = await load({ toml: 'environment = "development"' })
  assert.deepEqual(refusals({ config: bare }), ['data.directory', 'tokens', 'providers'])
  const none = checkStart({ env: {}, command: 'serve' })
  assert.deepEqual(
    none.refusals.map(({ path }) => path),
    ['configuration', 'data.directory', 'tokens', 'providers'],
  )
  assert.deepEqual(checkStart({ env: { X: STELLAR_SEED }, command: 'serve' }).refusals[0]?.path, 'X')
  assert.deepEqual(refusals({}), [])
})

test('start guard: dev is for development on this machine', async () => {
  const open = await load({
    flags: { environment: 'development', 'server.host': '0.0.0.0', 'server.trustProxy': true },
  })
  assert.deepEqual(refusals({ command: 'dev', config: open }), ['server.host'])
  assert.deepEqual(refusals({ command: 'dev', config: production }), ['environment'])
  assert.deepEqual(checkStart({ command: 'dev', env: {} }), { refusals: [], warnings: [] })
})
