import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OperationView } from '../../../src/domain/stellar.ts'
import { outgoingOf, parsePolicy } from '../../../src/policy/index.ts'
import { alice, bob, contractId } from '../../fuzz/xdr-corpus.ts'
import { tokenId } from '../../support/policy-random.ts'
import { account, amount, bump, narrow, payment, usd, view } from './samples.ts'

const policy = parsePolicy({ ...narrow, tokens: [{ contract: tokenId, asset: usd, functions: ['transfer'] }] })
const sums = (...operations: OperationView[]) => outgoingOf(policy, view({ operations }))

const transfer = (contract: string, name = 'transfer', count = 3): OperationView => ({
  type: 'invokeHostFunction',
  source: null,
  invocation: {
    kind: 'call',
    contract,
    function: name,
    arguments: (
      [
        { kind: 'address', address: alice, muxedId: null },
        { kind: 'address', address: bob, muxedId: null },
        { kind: 'integer', type: 'i128', value: 7n },
      ] as const
    ).slice(0, count),
  },
  authorizations: [],
})

test('what leaves, for each asset, tokens and the inner transaction of a fee bump included', () => {
  assert.deepEqual(sums(payment(), payment()), new Map([['native', 200_000_000n]]))
  assert.deepEqual(sums(payment({ asset: usd, amount: amount(5n) }), transfer(tokenId)), new Map([[usd, 12n]]))
  assert.deepEqual(outgoingOf(policy, bump()), new Map([['native', 100_000_000n]]))
  assert.deepEqual(sums({ type: 'manageData', source: null, name: 'a', value: null }), new Map())
})

test('what cannot be measured makes the whole unknown', () => {
  const merge: OperationView = { type: 'accountMerge', source: null, destination: account(bob) }
  const deploy: OperationView = {
    type: 'invokeHostFunction',
    source: null,
    invocation: { kind: 'create-contract' },
    authorizations: [],
  }
  for (const operation of [
    merge,
    deploy,
    transfer(contractId),
    transfer(tokenId, 'set_admin'),
    transfer(tokenId, 'transfer', 2),
    { type: 'unknown', source: null, name: 'x' } as const,
  ]) {
    assert.equal(sums(payment(), operation), undefined)
  }
})
