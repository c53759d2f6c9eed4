import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import * as fc from 'fast-check'
import { openAdmin } from '../../../providers/admin.ts'
import { type Environment, openProvider } from '../../../providers/index.ts'
import { associatedData } from '../../../providers/mock/envelope.ts'
import {
  assertMayServe,
  create,
  DEVELOPMENT_LABELS,
  developmentSecret,
  devPublicKey,
  devReference,
  isDevelopmentKey,
} from '../../../providers/mock/index.ts'
import { mockSchema } from '../../../providers/mock/config.ts'
import { PUBLISHED, PUBLISHED_ELSEWHERE } from '../../../providers/development-keys.ts'
import { openSoftwareKey } from '../../../providers/software/key.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import { SCHEMES } from '../../../src/domain/provider.ts'
import { SecretBytes } from '../../../src/domain/secret.ts'
import { refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'

test('T69 the published development keys are what their labels derive to, and all of them are blocked', () => {
  for (const [label, scheme, publicKey] of PUBLISHED) {
    assert.equal(toHex(devPublicKey(label, scheme)), publicKey, label)
    assert.ok(isDevelopmentKey(devPublicKey(label, scheme)))
  }
  for (const label of DEVELOPMENT_LABELS)
    for (const scheme of SCHEMES) assert.ok(isDevelopmentKey(devPublicKey(label, scheme)))
  for (const [source, publicKey] of PUBLISHED_ELSEWHERE)
    assert.ok(isDevelopmentKey(fromHex(publicKey) ?? assert.fail()), source)
  assert.ok(!isDevelopmentKey(ed25519.keygen().publicKey))
  assert.ok(DEVELOPMENT_LABELS.includes('demo-stellar') && DEVELOPMENT_LABELS.includes('demo-evm'))
})

test('the same label gives the same key everywhere, and label and use are both part of it', () => {
  const texts = new Set<string>()
  for (const use of ['ed25519', 'ecdsa-secp256k1', 'wrapping'] as const) {
    for (const label of ['a', 'b', 'ab']) texts.add(developmentSecret(use, label).use(toHex))
  }
  assert.equal(texts.size, 9)
  // SHA-256 of the documented text, computed apart.
  assert.equal(toHex(devPublicKey('demo-stellar')), '917995087b3a0e9b20659c89b2a688be81a8d252555b34b2295091f36191cdf1')
})

for (const environment of ['production', 'prod', 'PRODUCTION', '', 'test', 'constructor'] as Environment[]) {
  test(`M-07 T69 the mock and its admin do not open in the environment ${JSON.stringify(environment)}`, async () => {
    const world = providerWorld(environment)
    for (const config of [{ kind: 'mock' as const }, { kind: 'mock' as const, name: 'aws-kms' }]) {
      await refusal(openProvider(config, world), 'start/refused')
      await refusal(openAdmin(config, world), 'start/refused')
      await refusal(create(config, world), 'start/refused')
    }
  })
}

test('M-07 the mock opens in development and staging, and says it is not for production', async () => {
  for (const environment of ['development', 'staging'] as const) {
    const provider = await openProvider({ kind: 'mock', name: 'pretend' }, providerWorld(environment))
    assert.equal(provider.can.production, false)
    assert.equal(provider.name, 'pretend')
  }
})

test('M-07 a development key may not serve a network of value, an unknown network, or production', () => {
  const refused = { code: 'start/refused' }
  const place = (chain: 'stellar' | 'evm', network: string, environment = 'development') => ({
    chain,
    network,
    environment,
  })
  for (const network of ['testnet', 'futurenet', 'local', 'Test SDF Network ; September 2015']) {
    assertMayServe(place('stellar', network))
    assertMayServe(place('stellar', network, 'staging'))
    assert.throws(() => assertMayServe(place('stellar', network, 'production')), refused)
  }
  for (const network of ['sepolia', '11155111', 'eip155:31337', 'anvil']) assertMayServe(place('evm', network))
  for (const network of [
    'public',
    'pubnet',
    'mainnet',
    'Public Global Stellar Network ; September 2015',
    'PUBLIC',
    'Testnet',
    '',
    'sepolia',
    '__proto__',
  ]) {
    assert.throws(() => assertMayServe(place('stellar', network)), refused, network)
  }
  for (const network of ['mainnet', '1', 'eip155:1', '137', 'testnet', 'base', '10'])
    assert.throws(() => assertMayServe(place('evm', network)), refused, network)
  assert.throws(() => assertMayServe(place('bitcoin' as 'evm', 'testnet')), refused)
  assert.throws(() => assertMayServe(place('evm', '1'), { production: 'yes' as unknown as boolean }), refused)
  assertMayServe(place('stellar', 'public', 'production'), { production: true })
})

test('an unknown kind is refused at run time too', async () => {
  for (const config of [{ kind: 'aws' }, { kind: '__proto__' }, { kind: 7 }, {}]) {
    await refusal(openProvider(config as never, providerWorld()), 'config/invalid')
    await refusal(openAdmin(config as never, providerWorld()), 'config/invalid')
  }
})

test('the schema takes a name and nothing else', () => {
  assert.ok(mockSchema().safeParse({ kind: 'mock', name: 'dev' }).success)
  for (const config of [{ kind: 'mock', production: true }, { kind: 'mock', name: 'A B' }, { kind: 'aws-kms' }])
    assert.ok(!mockSchema().safeParse(config).success)
})

test('two contexts never give the same associated data', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\0', '=', 'é'), maxLength: 4 })
  const context = fc.dictionary(text, text, { maxKeys: 3 })
  const sorted = (of: Record<string, string>) =>
    JSON.stringify(
      Object.keys(of)
        .toSorted()
        .map(name => [name, of[name]]),
    )
  fc.assert(
    fc.property(context, context, text, text, (one, two, key, otherKey) => {
      const same = key === otherKey && sorted(one) === sorted(two)
      assert.equal(toHex(associatedData(key, one)) === toHex(associatedData(otherKey, two)), same)
    }),
    { numRuns: 5_000 },
  )
})

test('M-14 a runtime without Ed25519 in WebCrypto falls back to the library: same key, same signature', async () => {
  const without = {
    importKey: () => Promise.reject(new DOMException('no', 'NotSupportedError')),
  } as unknown as SubtleCrypto
  const input = { scheme: 'ed25519', message: new Uint8Array([1, 2, 3]) } as const
  const native = await openSoftwareKey('ed25519', developmentSecret('ed25519', 'test-1'))
  const library = await openSoftwareKey('ed25519', developmentSecret('ed25519', 'test-1'), without)
  assert.deepEqual(native?.publicKey, library?.publicKey)
  assert.deepEqual(await native?.sign(input), await library?.sign(input))
  library?.close()
  await assert.rejects(async () => library?.sign(input))
})

test('with WebCrypto the key is not extractable and the seed is wiped at once; without, at close', async () => {
  let held: CryptoKey | undefined
  const spy = {
    importKey: async (...args: Parameters<SubtleCrypto['importKey']>) =>
      (held = await crypto.subtle.importKey(...args)),
    sign: crypto.subtle.sign.bind(crypto.subtle),
  } as unknown as SubtleCrypto
  const secret = developmentSecret('ed25519', 'test-1')
  await openSoftwareKey('ed25519', secret, spy)
  assert.ok(secret.wiped)
  assert.equal(held?.extractable, false)
  assert.deepEqual(held?.usages, ['sign'])
  const scalar = developmentSecret('ecdsa-secp256k1', 'test-1')
  const key = await openSoftwareKey('ecdsa-secp256k1', scalar)
  assert.ok(!scalar.wiped)
  key?.close()
  assert.ok(scalar.wiped)
})

test('bytes that are no private key give none, and are wiped', async () => {
  const n = fromHex('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141') ?? assert.fail()
  const rows = [
    ['ed25519', new Uint8Array(31)],
    ['ed25519', new Uint8Array(64)],
    ['ecdsa-secp256k1', new Uint8Array(32)],
    ['ecdsa-secp256k1', n],
    ['ecdsa-secp256k1', new Uint8Array(33)],
  ] as const
  for (const [scheme, bytes] of rows) {
    const secret = new SecretBytes(Uint8Array.from(bytes), 'bad')
    assert.equal(await openSoftwareKey(scheme, secret), undefined)
    assert.ok(secret.wiped)
  }
})

test('a software key does not sign another scheme, whoever forgot to check', async () => {
  const ed = await openSoftwareKey('ed25519', developmentSecret('ed25519', 'test-1'))
  const secp = await openSoftwareKey('ecdsa-secp256k1', developmentSecret('ecdsa-secp256k1', 'test-1'))
  await assert.rejects(async () => ed?.sign({ scheme: 'ecdsa-secp256k1', digest: digest32(new Uint8Array(32)) }))
  await assert.rejects(async () => secp?.sign({ scheme: 'ed25519', message: new Uint8Array(32) }))
})

test('labels with room for tricks are refused, and a wrapping key signs nothing', async () => {
  const admin = await openAdmin({ kind: 'mock' }, providerWorld())
  for (const label of ['', 'a/b', 'a b', 'ä', 'x'.repeat(65), '../x', 'a\0b']) {
    await refusal(admin.create({ scheme: 'ed25519', label }, call()), 'provider/refused')
    await refusal(admin.createWrappingKey({ label }, call()), 'provider/refused')
  }
  const provider = await create({ kind: 'mock' }, providerWorld())
  const wrapping = devReference('wrapping', 'test-1')
  await refusal(provider.sign(wrapping, { scheme: 'ed25519', message: new Uint8Array(1) }, call()), 'key/unsupported')
  await refusal(provider.describe(wrapping, call()), 'key/unsupported')
  const signing = devReference('ed25519', 'test-1')
  await refusal(
    provider.wrap(signing, new SecretBytes(new Uint8Array(32), 's'), { pubkey: 'G' }, call()),
    'provider/refused',
  )
})
