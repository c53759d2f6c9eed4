import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientOf } from '../../../src/access/forwarded.ts'
import { isOpenAt } from '../../../src/access/hours.ts'
import { signInRules } from '../../../src/compose/control-side.ts'
import { gatewaySettings, tokenRules } from '../../../src/compose/gateway-settings.ts'
import { serviceSettings, storeSettings } from '../../../src/compose/settings.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { reveal } from '../../../src/domain/secret.ts'
import { JWKS, load } from '../config/samples.ts'

const world = {
  clock: { now: () => 0, monotonic: () => 0, sleep: () => new Promise<void>(() => {}) },
  fetch: () => Promise.reject(new Error('no network')),
}

test('gateway settings: nothing configured is everybody, always, ten a minute an address, and no proxy', async () => {
  const settings = gatewaySettings(await load())
  assert.deepEqual(settings.data, { host: '127.0.0.1', port: 9000, baseUrls: [] })
  assert.deepEqual(settings.control, { host: '127.0.0.1', port: 8421, baseUrls: [] })
  assert.deepEqual([settings.forwarding, settings.identity, settings.login], [undefined, undefined, undefined])
  assert.deepEqual(settings.admission, {
    data: {},
    control: {},
    limits: {
      address: { limit: 10, windowMs: 60_000 },
      subject: undefined,
      token: { limit: 600, windowMs: 60_000 },
      key: undefined,
      global: undefined,
    },
    failures: { limit: 60, windowMs: 60_000 },
    concurrency: { token: undefined },
  })
  assert.deepEqual(settings.approvals, {
    ...{ environment: 'production', loosening: 2, tightening: 1 },
    ...{ coolDownMs: 3_600_000, expiryMs: 259_200_000 },
  })
  assert.equal(settings.senderConstraint, 'required')
})

test('gateway settings: texts become what the rooms judge by', async () => {
  const config = await load({
    flags: {
      'server.socket': '/run/d.sock',
      'proxies.addresses': ['10.0.0.1', 'unix'],
      'proxies.header': 'forwarded',
      'proxies.certificateHeader': 'client-cert',
      'admission.control.allow': ['192.0.2.0/24'],
      'admission.control.hours.windows': [{ zone: 'Europe/Vienna', days: ['mon'], from: '08:00', to: '18:00' }],
      'admission.limits.global.count': 5000,
      'admission.limits.failures.count': 7,
      'limits.tokenConcurrency': 4,
      'equivocation.exempt': ['hot'],
      'approvals.approvers': [
        'GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H',
        'GAIQLDXLRUN7KX5AF7IVVNG447KWPJGCVNB37SB45AYSS7VVVVA6MGXI',
      ],
      breakGlass: {
        custodians: [
          'GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H',
          'GAIQLDXLRUN7KX5AF7IVVNG447KWPJGCVNB37SB45AYSS7VVVVA6MGXI',
        ],
        quorum: 2,
      },
      environment: 'development',
    },
  })
  assert.deepEqual(gatewaySettings(config).approvals.approvers, config.approvals.approvers)
  assert.deepEqual(gatewaySettings(config).breakGlass, {
    custodians: [
      'GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H',
      'GAIQLDXLRUN7KX5AF7IVVNG447KWPJGCVNB37SB45AYSS7VVVVA6MGXI',
    ],
    ...{ quorum: 2, minutes: 15, environment: 'development', audience: 'countersign/control' },
  })
  const { data, forwarding, identity, admission, unguarded, login } = gatewaySettings(config)
  assert.equal(data.socket, '/run/d.sock')
  assert.ok(forwarding !== undefined && identity?.form === 'client-cert')
  const headers = (name: string) => (name === 'forwarded' ? 'for=198.51.100.7' : null)
  assert.equal(clientOf('unix', headers, forwarding).kind, 'ip')
  assert.deepEqual(
    clientOf('10.0.0.2', headers, forwarding),
    clientOf('10.0.0.2', () => null),
  )
  assert.ok(admission.control.allow?.unix === false && admission.control.hours !== undefined)
  assert.equal(isOpenAt(admission.control.hours, Date.parse('2026-11-23T08:00:00Z')), true)
  assert.equal(isOpenAt(admission.control.hours, Date.parse('2026-11-23T18:00:00Z')), false)
  assert.deepEqual([admission.limits.global, admission.concurrency.token], [{ limit: 5000, windowMs: 60_000 }, 4])
  assert.deepEqual(admission.failures, { limit: 7, windowMs: 60_000 })
  assert.deepEqual([...unguarded], ['hot'])
  assert.deepEqual([login?.homeDomain, login?.webAuthDomain], ['localhost', 'localhost'])
})

test('token rules: the issuer of the configuration, the control plane of this process, or both', async () => {
  const own = { issuer: 'countersign', jwks: JSON.parse(JWKS) }
  const config = await load()
  assert.deepEqual(tokenRules(config, world)?.others, undefined)
  assert.deepEqual(tokenRules(config, world, own)?.others, [own])
  const { tokens: _, ...alone } = config
  assert.equal(tokenRules(alone, world), undefined)
  assert.deepEqual(tokenRules(alone, world, own), { ...own, audience: 'countersign', clock: world.clock })
  const tokens = { issuer: 'i', audience: 'a', jwksUrl: 'https://issuer.example/jwks.json' }
  const remote = tokenRules(await load({ flags: { tokens } }), world)
  assert.ok(remote !== undefined && 'find' in remote.jwks)
  await assert.rejects(
    async () => serviceSettings(alone, world),
    (error: unknown) => {
      assert.ok(isSignerError(error) && error.code === 'config/invalid')
      assert.deepEqual(
        error.detail.problems.map(({ path }) => path),
        ['tokens'],
      )
      return true
    },
  )
})

test('M-73 a control plane needs neither the tokens nor the key services of a data plane', async () => {
  const { tokens: _, ...config } = await load({ flags: { plane: 'control' } })
  const settings = serviceSettings({ ...config, providers: {} }, world)
  assert.deepEqual([settings.gateway?.plane, settings.tokens, settings.providers], ['control', undefined, {}])
})

test('store settings: sqlite by itself, postgres with its URL as a secret', async () => {
  assert.deepEqual(storeSettings(await load()), { kind: 'sqlite' })
  const flags = { 'store.kind': 'postgres', 'store.url': 'env:PG', 'store.tls': 'off', 'store.ca': '/ca.pem' }
  const settings = storeSettings(await load({ flags, env: { PG: 'postgres://u:p@127.0.0.1/x' } }))
  assert.ok(settings.kind === 'postgres' && reveal(settings.url) === 'postgres://u:p@127.0.0.1/x')
  assert.deepEqual([settings.pool, settings.tls, settings.ca], [10, 'off', '/ca.pem'])
})

test('D18 the domain of a sign-in message is the host that its URI points to, whatever the home domain is', () => {
  const rules = (...baseUrls: string[]) => {
    const { domain, uri } = signInRules({ webAuthDomain: 'auth.example:8443', chainIds: [1] }, baseUrls)
    return [domain, uri]
  }
  const [own, other] = ['https://auth.example:8443/signer', 'https://other.example']
  assert.deepEqual(rules(other, own), ['auth.example:8443', own])
  assert.deepEqual(rules(other), ['other.example', other], 'in development, where nothing is configured')
  assert.deepEqual(rules(), ['auth.example:8443', 'https://auth.example:8443'])
})
