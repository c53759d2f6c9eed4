import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Chain, DatedVersion, VersionState } from '../../../src/domain/key.ts'
import { VERSION_STATES } from '../../../src/domain/key.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import { refuseShared } from '../../../src/service/register.ts'
import { testKey } from '../../fuzz/xdr-corpus.ts'

const publicKey = testKey('shared').rawPublicKey()
const held = (
  name: string,
  network: string,
  state: VersionState = 'active',
  chain: Chain = 'stellar',
): DatedVersion => ({
  key: { name, chain, network, policy: '', policyHash: '', createdAt: 0 },
  version: { key: name, version: 1, scheme: 'ed25519', publicKey, address: '', state },
  bindings: [],
  times: { createdAt: 0 },
})
const registry = (...versions: DatedVersion[]) => ({ versions: async () => versions })
const asked = (name: string, network: string, chain: Chain = 'stellar') => ({ name, chain, network })

test('T31 a public key that another key of the network has, in whatever state, is refused with its name', async () => {
  for (const state of VERSION_STATES) {
    const attempt = refuseShared(registry(held('treasury', 'public', state)), asked('second', 'public'), publicKey)
    await assert.rejects(attempt, error => {
      assert.ok(isSignerError(error) && error.code === 'key/exists')
      assert.equal(error.detail.key, 'second')
      assert.match(error.detail.reason ?? '', /version 1 of treasury .* sign with treasury/)
      return true
    })
  }
})

test('T31 whoever says so may have it under a second name', async () => {
  const wish = { ...asked('second', 'public'), shared: true }
  await refuseShared(registry(held('treasury', 'public')), wish, publicKey)
  const none = { ...wish, shared: false }
  await assert.rejects(refuseShared(registry(held('treasury', 'public')), none, publicKey), { code: 'key/exists' })
})

test('T31 two names of one network are one network', async () => {
  const attempt = refuseShared(registry(held('treasury', 'local')), asked('second', 'standalone'), publicKey)
  await assert.rejects(attempt, { code: 'key/exists' })
})

test('T31 not refused: another network, another key, its own versions, another chain', async () => {
  await refuseShared(registry(held('treasury', 'public')), asked('second', 'testnet'), publicKey)
  await refuseShared(registry(held('treasury', 'public')), asked('second', 'public'), testKey('other').rawPublicKey())
  await refuseShared(registry(held('treasury', 'public')), asked('treasury', 'public'), publicKey)
  await refuseShared(registry(held('evm', 'mainnet', 'active', 'evm')), asked('second', 'public'), publicKey)
  await refuseShared(registry(held('evm', 'mainnet', 'active', 'evm')), asked('second', 'base', 'evm'), publicKey)
})

test('T31 T59 an EVM key has one name a chain: a second one would bring a second policy, or a revoked key back', async () => {
  for (const state of VERSION_STATES) {
    const attempt = refuseShared(
      registry(held('payer', 'mainnet', state, 'evm')),
      asked('second', 'mainnet', 'evm'),
      publicKey,
    )
    await assert.rejects(attempt, { code: 'key/exists' })
  }
  await assert.rejects(
    refuseShared(
      registry(held('payer', 'eip155:999', 'active', 'evm')),
      asked('second', 'eip155:999', 'evm'),
      publicKey,
    ),
    { code: 'key/exists' },
  )
})
