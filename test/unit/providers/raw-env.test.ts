import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keypair } from '@stellar/stellar-sdk/base'
import { openAdmin } from '../../../providers/admin.ts'
import { type Environment, openProvider } from '../../../providers/index.ts'
import { rawEnvSchema } from '../../../providers/raw-env/config.ts'
import { readSecret } from '../../../providers/raw-env/secrets.ts'
import { digest32 } from '../../../src/domain/brands.ts'
import { toHex } from '../../../src/bytes/hex.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { everyText, refusal } from '../../support/leaks.ts'
import { call, providerWorld } from '../../support/provider-world.ts'

// SEP-23's own seed, and the key of the EIP-155 example.
const STELLAR = 'SBU2RRGLXH3E5CQHTD3ODLDF2BWDCYUSSBLLZ5GNW7JXHDIYKXZWHOKR'
const EVM = `0x${'46'.repeat(32)}`
const config = (keys: Record<string, string>) => ({
  kind: 'raw-env' as const,
  keys: Object.fromEntries(Object.entries(keys).map(([name, text]) => [name, new Secret(text, name)])),
})

for (const environment of ['production', 'staging', 'prod', '', 'Development'] as Environment[]) {
  test(`M-09 a raw key in the environment ${JSON.stringify(environment)} refuses to start and says how to migrate`, async () => {
    const error = await refusal(openProvider(config({ a: STELLAR }), providerWorld(environment)), 'start/refused', [
      STELLAR,
    ])
    const { fix } = error.detail as { fix: string }
    assert.match(fix, /countersign keys import/)
    assert.match(fix, /countersign keys create/)
    await refusal(openAdmin(config({ a: STELLAR }), providerWorld(environment)), 'start/refused', [STELLAR])
  })
}

test('both forms say their curve themselves', async () => {
  const provider = await openProvider(config({ treasury: STELLAR, deployer: ` ${EVM}\n` }), providerWorld())
  const treasury = await provider.describe('treasury', call())
  assert.deepEqual(treasury.publicKey, Uint8Array.from(Keypair.fromSecret(STELLAR).rawPublicKey()))
  assert.equal(treasury.scheme, 'ed25519')
  const deployer = await provider.describe('deployer', call())
  assert.equal(deployer.scheme, 'ecdsa-secp256k1')
  // EIP-155: the example's signing hash, r and s.
  const digest = digest32(
    Uint8Array.from(Buffer.from('daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53', 'hex')),
  )
  const { signature } = await provider.sign('deployer', { scheme: 'ecdsa-secp256k1', digest }, call())
  assert.equal(
    toHex(signature),
    '28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa63627667cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83',
  )
})

test('anything else is refused at the start, all at once, by name and without a letter of it', async () => {
  const bad: Record<string, string> = {
    empty: '',
    checksum: `${STELLAR.slice(0, -1)}S`,
    'public-key': Keypair.fromSecret(STELLAR).publicKey(),
    short: STELLAR.slice(0, 55),
    lower: STELLAR.toLowerCase(),
    'no-prefix': '46'.repeat(32),
    'odd-hex': `0x${'46'.repeat(31)}4`,
    'not-hex': `0x${'zz'.repeat(32)}`,
    zero: `0x${'00'.repeat(32)}`,
    order: '0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141',
    mnemonic: 'test test test test test test test test test test test junk',
  }
  const canaries = [STELLAR, ...Object.values(bad).filter(text => text.length > 8)]
  const error = await refusal(openProvider(config({ good: EVM, ...bad }), providerWorld()), 'config/invalid', canaries)
  const { problems } = error.detail as { problems: readonly { path: string }[] }
  assert.deepEqual(
    problems.map(({ path }) => path).toSorted(),
    Object.keys(bad)
      .map(name => `keys.${name}`)
      .toSorted(),
  )
  assert.ok(!everyText(error).includes('46'.repeat(16)))
})

test('no keys, odd names, plain text and unknown fields are refused', async () => {
  for (const odd of [
    { kind: 'raw-env', keys: {} },
    { kind: 'raw-env' },
    { ...config({ 'a/b': EVM }) },
    { kind: 'raw-env', keys: { a: STELLAR } },
    { ...config({ a: EVM }), extra: 1 },
  ]) {
    await refusal(openProvider(odd as never, providerWorld()), 'config/invalid', [STELLAR, EVM])
  }
  assert.ok(rawEnvSchema().safeParse(config({ a: EVM })).success)
})

test('there is no administration of an environment variable', async () => {
  await refusal(openAdmin(config({ a: EVM }), providerWorld()), 'key/unsupported', [EVM])
})

test('reading hands over bytes that can be wiped', () => {
  const read = readSecret(new Secret(EVM, 'x')) ?? assert.fail()
  assert.equal(read.bytes.length, 32)
  read.bytes.wipe()
  assert.ok(read.bytes.wiped)
})
