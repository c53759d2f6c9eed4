/** M-08, R-22: a key under a passphrase, opened for each signature, leaves none of it in the process that opened it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519 } from '@noble/curves/ed25519.js'
import { create } from '../../providers/passphrase/index.ts'
import { toHex } from '../../src/bytes/hex.ts'
import { sha256 } from '../../src/bytes/sha256.ts'
import { contextFor } from '../../src/custody/index.ts'
import { Secret, SecretBytes } from '../../src/domain/secret.ts'
import { call, providerWorld } from '../support/provider-world.ts'
import { lookAt, type RuntimeName, skip } from './child.ts'
import { needlesOf, shown, total } from './needles.ts'
import type { PoolOrder } from './pool-signer.ts'
import type { Found } from './search.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] !== undefined
/** Each costs a key derivation. */
const COUNTS = LONG ? [200, 800] : [20, 20]
const PASSPHRASE = 'residue: a pool of channel accounts'
const digest = sha256(new TextEncoder().encode('residue'))

async function order(seed: Uint8Array, mode: PoolOrder['mode']): Promise<PoolOrder> {
  const publicKey = ed25519.getPublicKey(seed)
  const version = { key: 'channel-1', version: 1, scheme: 'ed25519', publicKey, address: 'address', state: 'active' }
  const context = contextFor(version as Parameters<typeof contextFor>[0], 'testnet')
  const passphrases = { channels: new Secret(PASSPHRASE, 'channels') }
  // scrypt, which both runtimes compute natively.
  const provider = await create({ kind: 'passphrase', passphrases, kdf: 'scrypt' }, providerWorld())
  const row = await provider.wrap('passphrase/channels', new SecretBytes(seed.slice(), 'seed'), context, call())
  const hex = { row: toHex(row), publicKey: toHex(publicKey), digest: toHex(digest) }
  return { mode, passphrase: PASSPHRASE, ...hex }
}

async function measure(runtime: RuntimeName, mode: PoolOrder['mode'], counts: number[]): Promise<Found[]> {
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const needles = needlesOf(seed, 'ed25519', digest)
  return lookAt(runtime, { script: './pool-signer.ts', order: await order(seed, mode), counts, needles })
}

for (const runtime of ['bun', 'node'] as const) {
  test(`M-08 R-22 T02: ${runtime}: signing with a key under a passphrase leaves 0 copies of it`, { skip }, async () => {
    for (const found of await measure(runtime, 'signer', COUNTS)) {
      console.log(`residue ${runtime} passphrase, of ${COUNTS.join(' + ')} signatures: ${shown(found)}`)
      assert.ok(found.searchedBytes > 4 * 2 ** 20, 'the search has seen the process')
      assert.equal(total(found), 0, shown(found))
    }
  })

  test(`M-08 R-22 T02: ${runtime}: one forgotten copy is found`, { skip }, async () => {
    const [found] = await measure(runtime, 'control', [2])
    for (const half of ['first', 'second']) assert.ok((found?.hits[`seed (${half} half)`] ?? 0) >= 1)
  })
}
