import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OperationView, StellarTransactionView } from '../../../src/domain/stellar.ts'
import { decide, parsePolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { alice, bob, carol } from '../../fuzz/xdr-corpus.ts'
import { tokenId } from '../../support/policy-random.ts'
import { account, amount, bump, facts, narrow, payment, usd, view } from './samples.ts'

type Windows = NonNullable<PolicyDocument['windows']>

const base: PolicyDocument = {
  ...narrow,
  operations: ['payment', 'createClaimableBalance', 'manageSellOffer', 'invokeHostFunction', 'manageData'],
  feeBump: true,
  tokens: [{ contract: tokenId, asset: usd, functions: ['transfer'] }],
  payments: {
    destinations: 'any',
    muxed: 'any',
    assets: [{ asset: 'any', maxPerOperation: '1000', maxPerTransaction: '1000' }],
  },
}

function claims(windows: Windows, asked: StellarTransactionView = view()) {
  const decision = decide(parsePolicy({ ...base, windows }), asked, facts)
  assert.ok(decision.kind === 'allow', decision.kind === 'allow' ? '' : decision.reason)
  return (decision.spends ?? []).map(({ counter, amount: much, limit, windowMs, rule }) => {
    assert.equal(rule, 'windows')
    return [counter.split('|').slice(3).join('|'), much, limit, windowMs] as const
  })
}

const pays = (...operations: OperationView[]): StellarTransactionView => view({ operations })
const ten = 100_000_000n

test('M-52 windows: one claim a counter, named by key, network, length, asset and receiver', () => {
  const policy = parsePolicy({ ...base, windows: [{ asset: 'native', seconds: 3600, max: '50' }] })
  const decision = decide(policy, view(), facts)
  assert.deepEqual(decision, {
    kind: 'allow',
    policyHash: policy.hash,
    spends: [
      {
        counter: `spent|testnet|${alice}|3600|native|*`,
        amount: ten,
        limit: 500_000_000n,
        windowMs: 3_600_000,
        rule: 'windows',
      },
    ],
  })
})

test('M-52 windows: sums over the transaction, as the caps count them', () => {
  const two = pays(payment(), payment({ destination: account(carol), source: account(alice, 3n) }))
  assert.deepEqual(claims([{ asset: 'native', seconds: 60, max: '1' }], two), [
    ['60|native|*', 2n * ten, 10_000_000n, 60_000],
  ])
  assert.deepEqual(claims([{ asset: usd, seconds: 60, max: '1' }], two), [])
  const mixed = pays(payment(), payment({ asset: usd, amount: amount(7n) }))
  assert.deepEqual(
    claims([{ asset: 'any', seconds: 60, max: '1' }], mixed).map(([name, much]) => [name, much]),
    [
      ['60|native|*', ten],
      [`60|${usd}|*`, 7n],
    ],
  )
})

test('M-52 windows: by receiver, the account underneath a muxed one, each claimant in full', () => {
  const asked = pays(
    payment({ destination: account(bob, 1n) }),
    payment({ destination: account(bob, 2n) }),
    payment({ destination: account(carol), amount: amount(5n) }),
  )
  const each = claims([{ asset: 'native', destination: 'each', seconds: 60, max: '1' }], asked)
  assert.deepEqual(
    each.map(([name, much]) => [name, much]),
    [
      [`60|native|${bob}`, 2n * ten],
      [`60|native|${carol}`, 5n],
    ],
  )
  const named = claims([{ asset: 'native', destination: carol, seconds: 60, max: '1' }], asked)
  assert.deepEqual(
    named.map(([name, much]) => [name, much]),
    [[`60|native|${carol}`, 5n]],
  )
  const claimable: OperationView = {
    type: 'createClaimableBalance',
    source: null,
    asset: 'native',
    amount: amount(9n),
    claimants: [
      { destination: bob, conditional: true },
      { destination: carol, conditional: false },
      { destination: bob, conditional: false },
    ],
  }
  const all: Windows = [
    { asset: 'native', destination: 'each', seconds: 60, max: '1' },
    { asset: 'native', seconds: 60, max: '1' },
  ]
  assert.deepEqual(
    claims(all, pays(claimable)).map(([name, much]) => [name, much]),
    [
      [`60|native|${bob}`, 9n],
      [`60|native|${carol}`, 9n],
      ['60|native|*', 9n],
    ],
  )
})

test('M-52 windows: two over the same counter are one claim with the lower limit', () => {
  const windows: Windows = [
    { asset: 'any', seconds: 60, max: '20' },
    { asset: 'native', seconds: 60, max: '15' },
    { asset: 'native', seconds: 61, max: '99' },
    { asset: 'native', destination: bob, seconds: 60, max: '12' },
    { asset: 'any', destination: 'each', seconds: 60, max: '13' },
  ]
  assert.deepEqual(
    claims(windows).map(([name, , limit]) => [name, limit]),
    [
      ['60|native|*', 150_000_000n],
      ['61|native|*', 990_000_000n],
      [`60|native|${bob}`, 120_000_000n],
    ],
  )
})

test('M-52 windows: tokens fill the window of their asset, offers have no receiver, nothing spent asks for nothing', () => {
  const transfer: OperationView = {
    type: 'invokeHostFunction',
    source: null,
    invocation: {
      kind: 'call',
      contract: tokenId,
      function: 'transfer',
      arguments: [
        { kind: 'address', address: alice, muxedId: null },
        { kind: 'address', address: bob, muxedId: 4n },
        { kind: 'integer', type: 'i128', value: 6n },
      ],
    },
    authorizations: [],
  }
  const windows: Windows = [
    { asset: usd, seconds: 60, max: '1' },
    { asset: usd, destination: 'each', seconds: 60, max: '1' },
  ]
  assert.deepEqual(
    claims(windows, pays(transfer, payment({ asset: usd, amount: amount(2n) }))).map(([name, much]) => [name, much]),
    [
      [`60|${usd}|*`, 8n],
      [`60|${usd}|${bob}`, 8n],
    ],
  )
  const offer: OperationView = {
    type: 'manageSellOffer',
    source: null,
    selling: usd,
    buying: 'native',
    amount: amount(3n),
    price: { numerator: 1, denominator: 1 },
    offerId: 0n,
  }
  assert.deepEqual(
    claims(windows, pays(offer)).map(([name, much]) => [name, much]),
    [[`60|${usd}|*`, 3n]],
  )
  const decision = decide(
    parsePolicy({ ...base, windows }),
    pays({ type: 'manageData', source: null, name: 'a', value: null }),
    facts,
  )
  assert.ok(decision.kind === 'allow' && !('spends' in decision))
})

test('M-52 windows: fees have a window of their own, of the fee bump if there is one', () => {
  const windows: Windows = [{ asset: 'fee', seconds: 60, max: '1' }]
  assert.deepEqual(claims(windows, view({ feeStroops: 300n })), [['60|fee|*', 300n, 10_000_000n, 60_000]])
  assert.deepEqual(claims(windows, bump({ feeStroops: 300n }, 900n)), [['60|fee|*', 900n, 10_000_000n, 60_000]])
  assert.throws(() => parsePolicy({ ...base, windows: [{ asset: 'fee', destination: bob, seconds: 60, max: '1' }] }))
})

test('windows do not change the decision: the room is asked of the store', () => {
  const windows: Windows = [{ asset: 'any', seconds: 60, max: '0' }]
  assert.deepEqual(claims(windows), [['60|native|*', ten, 0n, 60_000]])
  const denied = decide(parsePolicy({ ...base, fee: { maxStroops: '1' }, windows }), view(), facts)
  assert.ok(denied.kind === 'deny' && !('spends' in denied))
})

test('windows: what a document may not say', () => {
  const window = { asset: 'native', seconds: 60, max: '1' }
  for (const windows of [
    [window, window],
    [{ ...window, seconds: 59 }],
    [{ ...window, seconds: 60.5 }],
    [{ ...window, max: '-1' }],
    [{ ...window, asset: 'XLM' }],
    [{ ...window, destination: 'anybody' }],
    [{ asset: 'native', seconds: 60 }],
  ]) {
    assert.throws(() => parsePolicy({ ...base, windows }), JSON.stringify(windows))
  }
})
