import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configJsonSchema, configTable } from '../../../src/config/describe.ts'
import { checkStart } from '../../../src/config/start-guard.ts'
import { reveal } from '../../../src/domain/secret.ts'
import { FULL, load, problemsOf, STELLAR_SEED } from './samples.ts'

/** RFC 8037 A.1. */
const ISSUER_JWK = JSON.stringify({
  ...{ kty: 'OKP', crv: 'Ed25519', kid: 'i1', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
})
const FILES = {
  '/issuer': ISSUER_JWK,
  '/seed': `${STELLAR_SEED}\n`,
  '/pg': 'postgres://u:hunter2@db.internal:5432/signer',
}
const CONTROL = {
  plane: 'control',
  'issuer.key': 'file:/issuer',
  'login.homeDomain': 'example.com',
  'login.webAuthDomain': 'signer.example.com',
  'login.serverKey': 'file:/seed',
  'control.baseUrls': ['https://signer.example.com'],
  'approvals.approvers': [
    'GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H',
    'GAIQLDXLRUN7KX5AF7IVVNG447KWPJGCVNB37SB45AYSS7VVVVA6MGXI',
  ],
} as const

const PEOPLE = [
  'GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H',
  'GAIQLDXLRUN7KX5AF7IVVNG447KWPJGCVNB37SB45AYSS7VVVVA6MGXI',
]
const EVM = '0x52908400098527886E0F7030069857D2E4169EE7'

type Flags = Readonly<Record<string, unknown>>
const loaded = (flags: Flags, more: Readonly<Record<string, string>> = {}) =>
  load({ flags, more: { ...FILES, ...more } })
const refused = async (flags: Flags, more: Readonly<Record<string, string>> = {}) =>
  (await problemsOf({ flags, more: { ...FILES, ...more } })).map(({ path }) => path)

test('gateway config: lists come from variables, parted by commas or as JSON', async () => {
  const env = {
    COUNTERSIGN_SERVER_BASE_URLS: 'https://sign.example, https://sign.example/v2',
    COUNTERSIGN_LOGIN_CHAIN_IDS: '1,8453',
    COUNTERSIGN_PROXIES_ADDRESSES: '["10.0.0.1","2001:db8::/32"]',
    COUNTERSIGN_ADMISSION_CONTROL_ALLOW: '192.0.2.0/24',
    COUNTERSIGN_ADMISSION_LIMITS_PER_KEY_COUNT: '5',
    COUNTERSIGN_ADMISSION_DATA_HOURS_WINDOWS:
      '[{"zone":"Europe/Vienna","days":["mon","tue"],"from":"08:00","to":"18:00"}]',
    COUNTERSIGN_EQUIVOCATION_EXEMPT: 'a,b',
  }
  const config = await load({ env })
  assert.deepEqual(config.server.baseUrls, ['https://sign.example', 'https://sign.example/v2'])
  assert.deepEqual(config.login.chainIds, [1, 8453])
  assert.deepEqual(config.proxies.addresses, ['10.0.0.1', '2001:db8::/32'])
  assert.deepEqual(config.admission.control.allow, ['192.0.2.0/24'])
  assert.deepEqual(config.admission.limits.perKey, { count: 5, seconds: 60 })
  assert.equal(config.admission.data.hours.windows[0]?.zone, 'Europe/Vienna')
  assert.deepEqual(config.equivocation.exempt, ['a', 'b'])
  const [bad] = await problemsOf({ env: { COUNTERSIGN_LOGIN_CHAIN_IDS: '1,base' } })
  assert.deepEqual(
    [bad?.path, bad?.problem],
    ['login.chainIds.1', 'is not of the right type (a text) (from COUNTERSIGN_LOGIN_CHAIN_IDS)'],
  )
  assert.deepEqual(
    (await problemsOf({ flags: { 'login.chainIds': [] } })).map(({ fix }) => fix),
    ['use at least 1 entries'],
  )
  assert.deepEqual(
    (await problemsOf({ flags: { 'server.baseUrls': { a: 1 } } })).map(({ fix }) => fix),
    ['use a list'],
  )
})

test('gateway config: every section is in the table, and in the JSON Schema, closed', () => {
  const names = configTable().map(({ name }) => name)
  for (const name of [
    ...['plane', 'control.host', 'control.port', 'control.socket', 'control.baseUrls', 'proxies.header'],
    ...[
      'admission.data.allow',
      'admission.control.hours.windows',
      'admission.limits.perAddress.count',
      'tokens.jwksUrl',
    ],
    ...['tokens.senderConstraint', 'issuer.key', 'login.homeDomain', 'approvals.coolDownMinutes', 'store.url'],
    ...['equivocation.exempt', 'keys.mappingFile', 'keys.provider', 'limits.tokenConcurrency'],
  ])
    assert.ok(names.includes(name), name)
  const { properties } = configJsonSchema() as { properties: Record<string, { additionalProperties: boolean }> }
  assert.ok(names.includes('approvals.approvers') && names.includes('breakGlass.quorum'))
  for (const section of [
    'breakGlass',
    'control',
    'proxies',
    'admission',
    'store',
    'issuer',
    'login',
    'approvals',
    'equivocation',
    'webhooks',
  ])
    assert.equal(properties[section]?.additionalProperties, false, section)
})

/** What is wrong alone, and where it is said. Every row is a configuration that would be good without it. */
const REFUSED: readonly (readonly [flags: Flags, path: string])[] = [
  [{ plane: 'both' }, 'plane'],
  [{ 'control.host': '0.0.0.0' }, 'control.host'],
  [{ 'control.port': 9000 }, 'control.port'],
  [{ 'control.port': 9000, 'control.host': 'localhost' }, 'control.port'],
  [{ 'control.port': 9000, 'control.host': '::', 'control.trustProxy': true }, 'control.port'],
  [{ 'server.socket': '/run/a.sock', 'control.socket': '/run/a.sock' }, 'control.socket'],
  [{ 'server.baseUrls': ['http://sign.example'] }, 'server.baseUrls.0'],
  [{ 'server.baseUrls': ['https://Sign.example'] }, 'server.baseUrls.0'],
  [{ 'server.baseUrls': ['https://sign.example/'] }, 'server.baseUrls.0'],
  [{ 'server.baseUrls': ['https://sign.example:443'] }, 'server.baseUrls.0'],
  [{ 'server.baseUrls': ['https://u@sign.example'] }, 'server.baseUrls.0'],
  [{ 'server.baseUrls': ['https://sign.example?x'] }, 'server.baseUrls.0'],
  [{ 'server.baseUrls': ['sign.example'] }, 'server.baseUrls.0'],
  [{ 'server.baseUrls': ['https://a.example'], 'control.baseUrls': ['https://a.example'] }, 'control.baseUrls.0'],
  [{ 'proxies.addresses': ['10.0.0.0/33'] }, 'proxies.addresses.0'],
  [{ 'proxies.addresses': ['10.0.0.1/8'] }, 'proxies.addresses.0'],
  [{ 'proxies.addresses': ['010.0.0.1'] }, 'proxies.addresses.0'],
  [{ 'proxies.addresses': ['proxy.internal'] }, 'proxies.addresses.0'],
  [{ 'proxies.addresses': ['10.0.0.1', '0.0.0.0/0'] }, 'proxies.addresses.1'],
  [{ 'proxies.addresses': ['::/0'] }, 'proxies.addresses.0'],
  [{ 'proxies.addresses': ['unix'] }, 'proxies.addresses'],
  [{ 'proxies.header': 'x-real-ip' }, 'proxies.header'],
  [{ 'proxies.certificateHeader': 'client-cert' }, 'proxies.certificateHeader'],
  [{ 'proxies.certificateHeader': 'Client-Cert', 'proxies.addresses': ['10.0.0.1'] }, 'proxies.certificateHeader'],
  [{ 'admission.data.allow': ['2001:DB8::1'] }, 'admission.data.allow.0'],
  [{ 'admission.control.hours.windows': [window({ zone: 'CET+1' })] }, 'admission.control.hours.windows.0.zone'],
  [{ 'admission.control.hours.windows': [window({ from: '8:00' })] }, 'admission.control.hours.windows.0.from'],
  [{ 'admission.control.hours.windows': [window({ to: '08:00' })] }, 'admission.control.hours.windows.0'],
  [{ 'admission.control.hours.windows': [window({ days: ['monday'] })] }, 'admission.control.hours.windows.0.days.0'],
  [{ 'admission.control.hours.windows': [window({ holidays: 1 })] }, 'admission.control.hours.windows.0.holidays'],
  [{ 'admission.data.hours.except': ['2026-12-25'] }, 'admission.data.hours.except'],
  [{ 'admission.limits.perAddress.count': 0 }, 'admission.limits.perAddress.count'],
  [{ 'admission.limits.perMinute': 5 }, 'admission.limits.perMinute'],
  [{ 'tokens.jwksUrl': 'https://issuer.example/jwks' }, 'tokens.jwksUrl'],
  [{ 'tokens.jwks': undefined, tokens: { issuer: 'i', audience: 'a' } }, 'tokens.jwks'],
  [{ tokens: { issuer: 'i', audience: 'a', jwksUrl: 'http://issuer.example/jwks' } }, 'tokens.jwksUrl'],
  [{ tokens: { issuer: 'i', audience: 'a', jwksUrl: 'https://u:p@issuer.example/jwks' } }, 'tokens.jwksUrl'],
  [{ 'tokens.senderConstraint': 'no' }, 'tokens.senderConstraint'],
  [{ 'tokens.proofSeconds': 61 }, 'tokens.proofSeconds'],
  [{ 'issuer.key': 'file:/seed' }, 'issuer.key'],
  [{ 'issuer.key': 'env:NONE' }, 'issuer.key'],
  [{ 'metadata.key': 'file:/seed' }, 'metadata.key'],
  [{ 'metadata.lifeMinutes': 1441 }, 'metadata.lifeMinutes'],
  [{ plane: 'all', 'issuer.key': 'file:/issuer', 'issuer.audience': 'other' }, 'issuer.audience'],
  [{ ...CONTROL, 'login.serverKey': 'file:/issuer' }, 'login.serverKey'],
  [{ ...CONTROL, 'login.serverKey': undefined }, 'login.serverKey'],
  [{ ...CONTROL, 'login.homeDomain': undefined }, 'login.homeDomain'],
  [{ ...CONTROL, 'login.homeDomain': 'Example.com' }, 'login.homeDomain'],
  [{ ...CONTROL, 'login.webAuthDomain': 'other.example.com' }, 'login.webAuthDomain'],
  [{ ...CONTROL, 'control.baseUrls': undefined }, 'control.baseUrls'],
  [{ ...CONTROL, 'login.sessionSeconds': 901 }, 'login.sessionSeconds'],
  [{ 'approvals.loosening': 0 }, 'approvals.loosening'],
  [{ 'approvals.coolDownMinutes': 60, 'approvals.expiryHours': 1 }, 'approvals.coolDownMinutes'],
  [{ 'approvals.approvers': [] }, 'approvals.approvers'],
  [{ 'approvals.approvers': [EVM] }, 'approvals.approvers'],
  [{ 'approvals.approvers': [...PEOPLE, 'ann'] }, 'approvals.approvers.2'],
  [{ 'approvals.approvers': [...PEOPLE, EVM.toLowerCase()] }, 'approvals.approvers.2'],
  [{ 'approvals.approvers': [...PEOPLE, EVM, EVM] }, 'approvals.approvers.3'],
  [{ breakGlass: { custodians: PEOPLE } }, 'breakGlass.quorum'],
  [{ breakGlass: { quorum: 2 } }, 'breakGlass.custodians'],
  [{ breakGlass: { custodians: PEOPLE, quorum: 1 } }, 'breakGlass.quorum'],
  [{ breakGlass: { custodians: PEOPLE, quorum: 3 } }, 'breakGlass.quorum'],
  [{ breakGlass: { custodians: [EVM], quorum: 2 } }, 'breakGlass.custodians'],
  [{ breakGlass: { custodians: [EVM, EVM], quorum: 2 } }, 'breakGlass.custodians.1'],
  [{ breakGlass: { custodians: [EVM, 'GAAA'], quorum: 2 } }, 'breakGlass.custodians.1'],
  [{ breakGlass: { custodians: PEOPLE, quorum: 2, lifetimeMinutes: 61 } }, 'breakGlass.lifetimeMinutes'],
  [{ breakGlass: { custodians: PEOPLE, quorum: 2, sealed: true } }, 'breakGlass.sealed'],
  [{ 'store.kind': 'mysql' }, 'store.kind'],
  [{ 'store.kind': 'postgres' }, 'store.url'],
  [{ 'store.url': 'file:/pg' }, 'store.url'],
  [{ 'store.replicas': 2 }, 'store.kind'],
  [{ 'store.kind': 'postgres', 'store.url': 'postgres://u:hunter2@db/x' }, 'store.url'],
  [{ 'store.kind': 'postgres', 'store.url': 'file:/issuer' }, 'store.url'],
  [{ 'store.kind': 'postgres', 'store.url': 'file:/pg', 'store.tls': 'off' }, 'store.tls'],
  [{ 'store.kind': 'postgres', 'store.url': 'file:/pg', 'store.pool': 0 }, 'store.pool'],
  [{ 'equivocation.exempt': ['../x'] }, 'equivocation.exempt.0'],
  [{ 'flags.file': '/f.json', 'flags.service': 'https://flags.example' }, 'flags.service'],
]
function window(over: object): object {
  return { zone: 'Europe/Vienna', days: ['mon'], from: '08:00', to: '18:00', ...over }
}

test('gateway config: what contradicts itself is refused where it stands, with a fix and without a secret', async () => {
  for (const [flags, path] of REFUSED) {
    const problems = await problemsOf({ flags, more: FILES })
    assert.deepEqual(
      problems.map(problem => problem.path),
      [path],
      JSON.stringify(flags),
    )
    for (const { problem, fix } of problems) {
      assert.ok(problem !== '' && fix !== '')
      assert.ok(!/hunter2|nWGxne/.test(`${problem}${fix}`) && !`${problem}${fix}`.includes(STELLAR_SEED.slice(0, 20)))
    }
  }
})

test('gateway config: what the same rules allow', async () => {
  await loaded({ 'control.port': 9000, 'control.host': '127.0.0.2' })
  await loaded({ 'server.port': 0, 'control.port': 0 })
  await loaded({ 'server.socket': '/run/a.sock', 'control.port': 9000 })
  await loaded({ 'server.socket': '/run/a.sock', 'control.socket': '/run/b.sock', 'proxies.addresses': ['unix'] })
  await loaded({ 'server.baseUrls': ['http://127.0.0.1:8420', 'https://a.example:8443/signer'] })
  await loaded({
    'proxies.addresses': ['10.0.0.1'],
    'proxies.certificateHeader': 'ssl-client-hash',
    'proxies.certificateForm': 'sha256-hex',
  })
  await loaded({ tokens: { issuer: 'i', audience: 'a', jwksUrl: 'http://127.0.0.1:8421/.well-known/jwks.json' } })
  const night = window({ from: '22:00', to: '06:00', days: ['fri', 'sat'] })
  await loaded({ 'admission.data.hours.windows': [night], 'admission.data.hours.except': ['2026-12-25'] })
  const { login, issuer } = await loaded(CONTROL)
  assert.ok(login.serverKey !== undefined && issuer.key !== undefined)
  assert.deepEqual([reveal(login.serverKey), reveal(issuer.key)], [STELLAR_SEED, ISSUER_JWK])
  await loaded({ ...CONTROL, plane: 'all' })
  const postgres = { 'store.kind': 'postgres', 'store.url': 'file:/pg', 'store.replicas': 3 }
  const { store } = await loaded(postgres)
  assert.ok(store.url !== undefined && !JSON.stringify(store).includes('hunter2'))
  const local = [
    'postgres://u@127.0.0.1/x',
    'postgresql://u@[::1]:1/x',
    'postgres://u@localhost/x?host=/run/postgresql',
  ]
  for (const url of local) await loaded({ ...postgres, 'store.tls': 'off' }, { '/pg': url })
  const bad = ['postgres://u@db/x?sslmode=disable', 'mysql://u@db/x', 'postgres://u@db', 'postgres://db/x', 'db', '{}']
  for (const url of bad) assert.deepEqual(await refused(postgres, { '/pg': url }), ['store.url'], url)
  const away = 'postgres://u@127.0.0.1/x?host=db.internal'
  assert.deepEqual(await refused({ ...postgres, 'store.tls': 'off' }, { '/pg': away }), ['store.tls'])
})

test('gateway config D17: in production the sender of a token proves himself unless somebody wrote otherwise', async () => {
  const decided = async (flags: Flags) => (await loaded(flags)).tokens?.senderConstraint
  assert.equal(await decided({}), 'required')
  assert.equal(await decided({ environment: 'staging' }), 'optional')
  assert.equal(await decided({ environment: 'development' }), 'optional')
  assert.equal(await decided({ 'tokens.senderConstraint': 'optional' }), 'optional')
  assert.equal(await decided({ environment: 'staging', 'tokens.senderConstraint': 'required' }), 'required')
})

test('start guard M-73: what each plane needs, and nothing of the other', async () => {
  const start = async (flags: Flags, toml = FULL) =>
    checkStart({ config: await load({ flags, toml, more: FILES }), env: {}, command: 'serve' }).refusals.map(
      ({ path }) => path,
    )
  const bare = FULL.slice(0, FULL.indexOf('[tokens]')) + FULL.slice(FULL.indexOf('[providers'))
  assert.deepEqual(await start({}, bare), ['tokens'])
  assert.deepEqual(await start(CONTROL, bare), [])
  assert.deepEqual(await start({ ...CONTROL, plane: 'all' }, bare), [])
  assert.deepEqual(await start({ plane: 'control' }, bare), ['issuer.key', 'login.homeDomain'])
  assert.deepEqual(await start({ plane: 'all' }, bare), ['tokens', 'issuer.key', 'login.homeDomain'])
  assert.deepEqual(await start({ plane: 'control', environment: 'staging' }), ['issuer.key', 'login.homeDomain'])
  for (const plane of ['control', 'all']) assert.deepEqual(await start({ plane, environment: 'development' }, bare), [])
})

test('start guard: choices that are weaker than they could be are said, in production and staging only', async () => {
  const warned = async (flags: Flags) =>
    checkStart({ config: await loaded(flags), env: {}, command: 'serve' }).warnings.map(({ path }) => path)
  const POSTGRES = { 'store.kind': 'postgres', 'store.url': 'file:/pg' }
  const rows: readonly (readonly [Flags, string])[] = [
    [{ ...CONTROL, plane: 'all' }, 'plane'],
    [{ 'tokens.senderConstraint': 'optional' }, 'tokens.senderConstraint'],
    [{ 'proxies.addresses': ['10.0.0.1'] }, 'server.baseUrls'],
    [
      { 'server.host': '0.0.0.0', 'server.trustProxy': true, 'server.baseUrls': ['https://a.example'] },
      'server.trustProxy',
    ],
    [
      {
        ...CONTROL,
        ...POSTGRES,
        'control.host': '0.0.0.0',
        'control.trustProxy': true,
        'admission.control.allow': ['10.0.0.0/8'],
      },
      'control.trustProxy',
    ],
    [
      {
        ...CONTROL,
        ...POSTGRES,
        'control.host': '0.0.0.0',
        'control.trustProxy': true,
        'proxies.addresses': ['10.0.0.1'],
      },
      'admission.control.allow',
    ],
    [{ 'approvals.loosening': 1 }, 'approvals.loosening'],
    [{ 'approvals.coolDownMinutes': 0 }, 'approvals.coolDownMinutes'],
    [{ 'equivocation.exempt': ['hot'] }, 'equivocation.exempt'],
    [{ ...POSTGRES, 'store.replicas': 2, 'metadata.key': 'file:/issuer' }, 'audit.instance'],
    [{ ...POSTGRES, 'store.replicas': 2, 'audit.instance': 'one' }, 'metadata.key'],
  ]
  assert.deepEqual(await warned({}), [])
  assert.deepEqual(await warned({ ...CONTROL, ...POSTGRES }), [])
  assert.deepEqual(await warned(CONTROL), ['store.kind'])
  const all = { ...CONTROL, ...POSTGRES, 'approvals.approvers': undefined }
  assert.deepEqual(await warned(all), ['approvals.approvers'])
  assert.deepEqual(await warned({ ...all, environment: 'staging' }), [])
  for (const [flags, path] of rows) {
    assert.deepEqual(await warned(flags), [path], JSON.stringify(flags))
    assert.deepEqual(await warned({ ...flags, environment: 'development' }), [])
  }
  const config = await loaded({ 'approvals.loosening': 1 })
  assert.deepEqual(
    checkStart({ config, env: {}, command: 'keys' }).warnings,
    [],
    'a command on the registry serves nobody',
  )
})

test('gateway config T19: a webhook goes to https or to this machine, and its secret is one', async () => {
  const hook = (url: string) => ({ webhooks: { url, secret: 'file:/whsec' } })
  const secret = (text = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') => ({ '/whsec': text })
  for (const url of ['https://hooks.example/x?y=1', 'http://127.0.0.1:9000/x', 'http://localhost/', 'http://[::1]/']) {
    const { webhooks } = await loaded(hook(url), secret())
    assert.equal(webhooks?.url, url)
    assert.ok(!JSON.stringify(webhooks).includes('MfKQ'))
  }
  for (const url of [
    'http://hooks.example',
    'ftp://hooks.example',
    'hooks.example',
    'https://u:p@hooks.example',
    'https://a.example/#x',
  ])
    assert.deepEqual(await refused(hook(url), secret()), ['webhooks.url'], url)
  for (const text of ['whsec_short', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'x'])
    assert.deepEqual(await refused(hook('https://a.example'), secret(text)), ['webhooks.secret'], text)
  assert.deepEqual(await refused({ webhooks: { url: 'https://a.example' } }), ['webhooks.secret'])
  assert.equal((await loaded({})).webhooks, undefined)
})
