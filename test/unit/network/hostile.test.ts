/** What nodes answer besides what is asked of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Transaction, TransactionBuilder } from '@stellar/stellar-sdk/base'
import { passphraseOf } from '../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import type { Fetch } from '../../../src/domain/ports.ts'
import { alice, bob, testKey } from '../../fuzz/xdr-corpus.ts'
import { manualClock } from '../../support/audit-world.ts'
import { hashOf, unsignedPayment } from '../../support/payment.ts'
import { openStubNetwork, STUB_HORIZON, stubbedTestnet } from '../../support/stub-network.ts'

const NOW = Date.UTC(2026, 10, 22, 12)
const never = new AbortController().signal
const networkPassphrase = passphraseOf('testnet')

function open(by: 'rpc' | 'horizon', fetchWith: (real: Fetch) => Fetch) {
  const clock = manualClock(NOW)
  const stub = openStubNetwork({ now: clock.now, closesAfter: 0 })
  for (const each of [alice, bob]) stub.account(each)
  const way = by === 'rpc' ? undefined : { horizonUrl: STUB_HORIZON }
  return stubbedTestnet({ fetch: fetchWith(stub.fetch), clock }, way)
}

function payment(): Transaction {
  const transaction = unsignedPayment('41', NOW / 1000 + 300)
  transaction.sign(testKey('alice'))
  return transaction
}

const problem = (name: string, status: number): Response =>
  Response.json({ type: `https://stellar.org/horizon-errors/${name}`, title: name, status }, { status })

test('M-25 Horizon: one that is behind, busy or closed has refused nothing; one that cannot read it has', async () => {
  const CASES = [
    ['stale_history', 503, 'network/unavailable'],
    ['service_unavailable', 503, 'network/unavailable'],
    ['bad_request', 400, 'network/malformed'],
    ['transaction_malformed', 400, 'rejected'],
  ] as const
  for (const [name, status, wanted] of CASES) {
    const answering: (real: Fetch) => Fetch = real => (url, init) =>
      init.method === 'POST' ? Promise.resolve(problem(name, status)) : real(url, init)
    const network = open('horizon', answering)
    const found = await network.submit(payment().toXDR(), never).then(
      ({ kind }) => kind,
      (error: unknown) => (isSignerError(error) ? error.code : String(error)),
    )
    assert.equal(found, wanted, name)
  }
})

for (const by of ['rpc', 'horizon'] as const) {
  test(`M-25 ${by}: a transaction that somebody else has put into a fee bump is found under its own hash`, async () => {
    const inner = payment()
    const bump = TransactionBuilder.buildFeeBumpTransaction(bob, '1000', inner, networkPassphrase)
    bump.sign(testKey('bob'))
    // Nodes find both hashes, and answer with the envelope of the outer transaction.
    const both: (real: Fetch) => Fetch = real => async (url, init) => {
      const response = await real(
        url.replace(hashOf(inner), hashOf(bump)),
        typeof init.body === 'string' ? { ...init, body: init.body.replace(hashOf(inner), hashOf(bump)) } : init,
      )
      const text = await response.text()
      // Horizon answers with the hash that it was asked for.
      const told = url.includes(hashOf(inner))
        ? text.replace(`"hash":"${hashOf(bump)}"`, `"hash":"${hashOf(inner)}"`)
        : text
      return new Response(told, { status: response.status })
    }
    const network = open(by, both)
    assert.equal((await network.submit(bump.toXDR(), never)).kind, 'accepted')
    assert.deepEqual(await network.transaction(hashOf(inner), never), { kind: 'success', ledger: 1001 })
    const other = await network.transaction('ab'.repeat(32), never)
    assert.equal(other.kind, 'unknown')
  })
}
