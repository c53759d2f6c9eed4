import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OperationView, StellarTransactionView } from '../../../src/domain/stellar.ts'
import {
  decide,
  defaultPolicy,
  demoPolicy,
  explain,
  type Facts,
  parsePolicy,
  type PolicyDocument,
  RULE_NAMES,
} from '../../../src/policy/index.ts'
import { alice, bob, carol, contractId } from '../../fuzz/xdr-corpus.ts'
import { account, amount, bump, facts, narrow, NO_CONDITIONS, NOW_S, payment, usd, until, view } from './samples.ts'

interface Case {
  readonly policy?: Partial<PolicyDocument>
  readonly view?: StellarTransactionView
  readonly facts?: Partial<Facts>
}

const verdict = (given: Case) =>
  decide(parsePolicy({ ...narrow, ...given.policy }), given.view ?? view(), { ...facts, ...given.facts })

function allows(given: Case, label?: string): void {
  const decision = verdict(given)
  assert.equal(decision.kind, 'allow', `${label ?? ''} ${JSON.stringify(decision)}`)
}

function refuses(rule: string, reason: RegExp, given: Case, kind: 'deny' | 'undecided' = 'deny'): void {
  const decision = verdict(given)
  assert.ok(decision.kind !== 'allow', 'allowed')
  assert.deepEqual({ kind: decision.kind, rule: decision.rule }, { kind, rule }, decision.reason)
  assert.match(decision.reason, reason)
}

/** A policy that grants everything but what a test takes away. */
const wide: Partial<PolicyDocument> = {
  ...JSON.parse(demoPolicy().text),
  operations: [...JSON.parse(demoPolicy().text).operations, 'invokeHostFunction'],
  sensitiveOperations: ['accountMerge', 'liquidityPoolDeposit', 'setOptions'],
}

test('M-52 the narrow policy allows its transaction, and says under which policy', () => {
  const decision = verdict({})
  assert.deepEqual(decision, { kind: 'allow', policyHash: parsePolicy(narrow).hash })
})

test('M-52 an empty policy denies everything, each rule for its own reason', () => {
  const decision = decide(defaultPolicy(), view(), facts)
  assert.ok(decision.kind === 'deny' && decision.rule === 'network')
  const denied = explain(defaultPolicy(), bump(), facts).filter(check => check.result === 'deny')
  assert.deepEqual(
    denied.map(check => check.rule),
    ['network', 'operations', 'fee', 'fee-bump', 'time-bounds', 'destinations', 'amounts'],
  )
  assert.ok(denied.every(check => check.sentence.endsWith('.')))
})

test('explain asks every rule and agrees with decide', () => {
  const checks = explain(parsePolicy(narrow), view(), facts)
  assert.deepEqual(
    checks.map(({ rule, result }) => [rule, result]),
    RULE_NAMES.slice(0, checks.length).map(rule => [rule, 'pass']),
  )
  assert.ok(checks.every(({ sentence }) => sentence.endsWith('.')))
})

test('T25 network: policy, key and transaction must agree', () => {
  refuses('network', /the key is bound to public/u, { facts: { keyNetwork: 'public' } })
  refuses('network', /the transaction is for public/u, { view: view({}, 'public') })
  refuses('network', /the key is bound to testnet/u, { policy: { network: 'public' } })
  allows({ policy: { network: 'public' }, facts: { keyNetwork: 'public' }, view: view({}, 'public') })
})

test('sequence 0 is a login challenge, below it nothing is valid', () => {
  refuses('sequence', /SEP-10/u, { view: view({ sequence: 0n }) })
  refuses('sequence', /-1 is negative/u, { view: view({ sequence: -1n }) })
  refuses('sequence', /SEP-10/u, { policy: { ...wide }, view: bump({ sequence: 0n }) })
})

test('operations: listed ones only; no operation and unknown ones cannot be judged', () => {
  const merge: OperationView = { type: 'accountMerge', source: null, destination: account(bob) }
  refuses('operations', /operation 2 is accountMerge/u, { view: view({ operations: [payment(), merge] }) })
  allows({ policy: { sensitiveOperations: ['accountMerge'] }, view: view({ operations: [payment(), merge] }) })
  refuses('operations', /no operation/u, { view: view({ operations: [] }) }, 'undecided')
  const unknown: OperationView = { type: 'unknown', source: null, name: 'teleport' }
  refuses(
    'operations',
    /operation 1 is of an unknown type \(teleport\)/u,
    { view: view({ operations: [unknown] }) },
    'undecided',
  )
  refuses('operations', /operation 2 is accountMerge/u, { view: view({ operations: [unknown, merge] }) })
})

test('sources: the own account always, others when listed; a muxed source is the account underneath', () => {
  refuses('sources', new RegExp(`source ${carol}`, 'u'), { view: view({ source: account(carol) }) })
  refuses('sources', new RegExp(`source ${carol} of operation 1`, 'u'), {
    view: view({ operations: [payment({ source: account(carol) })] }),
  })
  refuses('sources', /fee source/u, { policy: { feeBump: true }, view: bump({}, 400n, account(carol)) })
  allows({ view: view({ source: account(alice, 7n), operations: [payment({ source: account(alice, 8n) })] }) })
  allows({ policy: { sources: [carol] }, view: view({ source: account(carol) }) })
  allows({ policy: { sources: [carol] } }, 'the own account need not be listed')
  allows({ policy: { sources: 'any', feeBump: true }, view: bump({ source: account(bob) }, 400n, account(carol)) })
})

test('fee: one cap for the transaction and for the fee bump around it', () => {
  allows({ view: view({ feeStroops: 1000n }) })
  refuses('fee', /1001 stroops is above 1000/u, { view: view({ feeStroops: 1001n }) })
  const policy = { feeBump: true }
  allows({ policy, view: bump({}, 1000n) })
  refuses('fee', /fee bump, 1001 stroops, is above 1000/u, { policy, view: bump({}, 1001n) })
  refuses('fee', /negative/u, { policy, view: bump({}, -1n) })
  refuses('fee', /1001 stroops is above/u, { policy, view: bump({ feeStroops: 1001n }, 10n) })
  allows({ view: view({ feeStroops: 100n, resourceFeeStroops: 100n }) })
  refuses('fee', /resource fee of 101/u, { view: view({ feeStroops: 100n, resourceFeeStroops: 101n }) })
  refuses('fee', /resource fee of -1/u, { view: view({ resourceFeeStroops: -1n }) })
  refuses('fee-bump', /grants no fee bumps/u, { view: bump() })
})

test('T29 time bounds: within the lifetime, not over, not without end', () => {
  const at = (end: bigint, start = 0n): Case => ({ view: view({ preconditions: until(end, start) }) })
  allows(at(NOW_S + 600n))
  allows(at(NOW_S), 'the last second counts')
  refuses('time-bounds', /valid for 601 seconds; 600 is the limit/u, at(NOW_S + 601n))
  refuses('time-bounds', /ended 1 seconds ago/u, at(NOW_S - 1n))
  refuses('time-bounds', /without end/u, at(0n))
  refuses('time-bounds', /without end/u, { view: view({ preconditions: NO_CONDITIONS }) })
  refuses('time-bounds', /begins after it ends/u, at(NOW_S + 10n, NOW_S + 11n))
  refuses('time-bounds', /without end/u, { policy: { feeBump: true }, view: bump({ preconditions: NO_CONDITIONS }) })
  for (const end of [0n, NOW_S - 1n, (1n << 64n) - 1n]) allows({ ...at(end), policy: { timeBounds: 'any' } })
})

test('T29 a clock that says nothing decides nothing', () => {
  for (const now of [Number.NaN, Number.POSITIVE_INFINITY, -1, 1.5, 2 ** 60]) {
    refuses('time-bounds', /time is not known/u, { facts: { now } }, 'undecided')
  }
})

test('memo: kinds that are granted, and none', () => {
  const memo = (kind: 'hash' | 'return'): StellarTransactionView => view({ memo: { kind, hash: '00' } })
  for (const kind of ['hash', 'return'] as const) {
    refuses('memo', new RegExp(`memo of kind ${kind}`, 'u'), { view: memo(kind) })
    allows({ policy: { memo: [kind] }, view: memo(kind) })
  }
  refuses('memo', /memo of kind id/u, { policy: { memo: ['text'] }, view: view({ memo: { kind: 'id', id: 1n } }) })
  allows({ policy: { memo: ['text'] } }, 'no memo is always possible')
})

test('T27 destinations: the account underneath counts, a muxed id needs a grant of its own', () => {
  const to = (address: string, muxedId: bigint | null = null): StellarTransactionView =>
    view({ operations: [payment({ destination: account(address, muxedId) })] })
  const payments = narrow.payments
  assert.ok(payments !== undefined)
  refuses('destinations', new RegExp(`pays ${carol}, which is not a listed`, 'u'), { view: to(carol) })
  refuses('destinations', new RegExp(`pays ${carol}, which is not a listed`, 'u'), { view: to(carol, 1n) })
  refuses('destinations', new RegExp(`muxed id 1 of ${bob}`, 'u'), { view: to(bob, 1n) })
  refuses('destinations', /muxed id 0 /u, { view: to(bob, 0n) })
  const some = { account: bob, memo: 'optional' as const, muxedIds: ['1', '18446744073709551615'] }
  const listed = { payments: { ...payments, destinations: [some] } }
  allows({ policy: listed, view: to(bob, 1n) })
  allows({ policy: listed, view: to(bob, (1n << 64n) - 1n) })
  allows({ policy: listed, view: to(bob) })
  refuses('destinations', /muxed id 2 /u, { policy: listed, view: to(bob, 2n) })
  const every = { payments: { ...payments, destinations: [{ ...some, muxedIds: 'any' as const }] } }
  allows({ policy: every, view: to(bob, 2n) })
  const anywhere = { payments: { ...payments, destinations: 'any' as const } }
  allows({ policy: anywhere, view: to(carol) })
  refuses('destinations', /muxed id 2 /u, { policy: anywhere, view: to(carol, 2n) })
  allows({ policy: { payments: { ...anywhere.payments, muxed: 'any' } }, view: to(carol, 2n) })
  allows({ policy: { payments: { ...payments, muxed: 'any' } }, view: to(bob, 2n) })
  refuses('destinations', /not a listed/u, { policy: { payments: { ...payments, muxed: 'any' } }, view: to(carol, 2n) })
})

test('SEP-29 a destination that requires a memo gets none of our payments without one', () => {
  const payments = narrow.payments
  assert.ok(payments !== undefined)
  const destinations = [{ account: bob, memo: 'required' as const, muxedIds: ['3'] }]
  const policy = { memo: ['text' as const], payments: { ...payments, destinations } }
  refuses('destinations', /without the memo it requires/u, { policy })
  allows({ policy, view: view({ memo: { kind: 'text', text: 'x' } }) })
  allows({ policy, view: view({ operations: [payment({ destination: account(bob, 3n) })] }) }, 'a muxed id replaces it')
})

test('destinations are judged wherever an operation names a receiver', () => {
  const payments = { ...(wide.payments ?? assert.fail()), destinations: [bob] }
  const price = { numerator: 1, denominator: 1 }
  const toCarol: readonly OperationView[] = [
    payment({ destination: account(carol) }),
    { type: 'createAccount', source: null, destination: account(carol), startingBalance: amount(1n) },
    { type: 'accountMerge', source: null, destination: account(carol) },
    {
      type: 'createClaimableBalance',
      source: null,
      asset: 'native',
      amount: amount(1n),
      claimants: [
        { destination: bob, conditional: false },
        { destination: carol, conditional: true },
      ],
    },
    {
      type: 'pathPaymentStrictSend',
      source: null,
      sendAsset: 'native',
      sendAmount: amount(1n),
      destination: account(carol),
      destAsset: usd,
      destMin: amount(1n),
      path: [],
    },
    {
      type: 'pathPaymentStrictReceive',
      source: null,
      sendAsset: 'native',
      sendMax: amount(1n),
      destination: account(carol),
      destAsset: usd,
      destAmount: amount(1n),
      path: [],
    },
  ]
  for (const operation of toCarol) {
    refuses('destinations', new RegExp(carol, 'u'), {
      policy: { ...wide, payments },
      view: view({ operations: [operation] }),
    })
    allows({ policy: wide, view: view({ operations: [operation] }) }, operation.type)
  }
  const offer: OperationView = {
    type: 'createPassiveSellOffer',
    source: null,
    selling: 'native',
    buying: usd,
    amount: amount(1n),
    price,
  }
  allows({ policy: { ...wide, payments }, view: view({ operations: [offer] }) })
})

test('amounts: caps on each operation and on the sum, for each asset', () => {
  const pays = (...stroops: readonly bigint[]) =>
    view({ operations: stroops.map(one => payment({ amount: amount(one) })) })
  allows({ view: pays(100_000_000n) })
  refuses('amounts', /100000001 stroops of native in one operation is above 100000000/u, { view: pays(100_000_001n) })
  allows({ view: pays(100_000_000n, 50_000_000n) })
  refuses('amounts', /150000001 stroops of native in one transaction is above 150000000/u, {
    view: pays(100_000_000n, 50_000_001n),
  })
  refuses('amounts', /operation 2 has an amount/u, { view: pays(100_000_000n, -50_000_000n) })
  refuses('amounts', /operation 1 has an amount/u, { view: pays(0n) })
  refuses('amounts', new RegExp(`${usd} would leave the account; the policy does not list it`, 'u'), {
    view: view({ operations: [payment({ asset: usd })] }),
  })
  refuses('amounts', /does not list it/u, { view: view({ operations: [payment({ asset: `XLM:${carol}` })] }) })
})

test('amounts: grants add up, the wider one wins', () => {
  const payments = narrow.payments
  assert.ok(payments !== undefined)
  const assets = [
    { asset: 'any', maxPerOperation: '1', maxPerTransaction: '1' },
    { asset: usd, maxPerOperation: '5', maxPerTransaction: '5' },
  ]
  const pays = (asset: string, stroops: bigint): Case => ({
    policy: { payments: { ...payments, assets } },
    view: view({ operations: [payment({ asset, amount: amount(stroops) })] }),
  })
  allows(pays(usd, 50_000_000n))
  allows(pays('native', 10_000_000n))
  refuses('amounts', /50000001 stroops of USD:.* is above 50000000/u, pays(usd, 50_000_001n))
  refuses('amounts', /10000001 stroops of native in one operation is above 10000000/u, pays('native', 10_000_001n))
})

test('amounts: what an operation can take at most, for every kind that takes something', () => {
  const assets = [{ asset: usd, maxPerOperation: '10', maxPerTransaction: '10' }]
  const policy = { ...wide, payments: { destinations: 'any' as const, assets } }
  const limit = 100_000_000n
  const make = (stroops: bigint): readonly OperationView[] => {
    const offer = { source: null, selling: usd, buying: 'native', amount: amount(stroops) }
    const price = { numerator: 9, denominator: 1 }
    const path = { source: null, sendAsset: usd, destination: account(bob), destAsset: 'native', path: [] }
    return [
      { type: 'pathPaymentStrictSend', ...path, sendAmount: amount(stroops), destMin: amount(1n) },
      { type: 'pathPaymentStrictReceive', ...path, sendMax: amount(stroops), destAmount: amount(1n) },
      { type: 'manageSellOffer', ...offer, price, offerId: 0n },
      { type: 'createPassiveSellOffer', ...offer, price },
      { type: 'manageBuyOffer', ...offer, price: { numerator: 1, denominator: 1 }, offerId: 0n },
      { type: 'createClaimableBalance', source: null, asset: usd, amount: amount(stroops), claimants: [] },
    ]
  }
  for (const operation of make(limit)) allows({ policy, view: view({ operations: [operation] }) }, operation.type)
  for (const operation of [...make(limit + 1n), ...make(-1n)]) {
    refuses('amounts', /./u, { policy, view: view({ operations: [operation] }) })
  }
  const create: OperationView = {
    type: 'createAccount',
    source: null,
    destination: account(bob),
    startingBalance: amount(1n),
  }
  refuses('amounts', /native would leave/u, { policy, view: view({ operations: [create] }) })
})

test('amounts: buying costs its price, rounded up, and a price must be one', () => {
  const buy = (stroops: bigint, numerator: number, denominator: number): Case => ({
    policy: {
      ...wide,
      payments: { destinations: 'any', assets: [{ asset: usd, maxPerOperation: '1', maxPerTransaction: '1' }] },
    },
    view: view({
      operations: [
        {
          type: 'manageBuyOffer',
          source: null,
          selling: usd,
          buying: 'native',
          amount: amount(stroops),
          price: { numerator, denominator },
          offerId: 0n,
        },
      ],
    }),
  })
  allows(buy(10_000_000n, 1, 1))
  allows(buy(30_000_000n, 1, 3))
  refuses('amounts', /10000001 stroops/u, buy(30_000_001n, 1, 3))
  refuses('amounts', /a price/u, buy(1n, 1, 0))
  refuses('amounts', /a price/u, buy(1n, 0, 1))
  refuses('amounts', /a price/u, buy(1n, -1, -1))
  refuses('amounts', /stroops/u, buy(9_223_372_036_854_775_807n, 2_147_483_647, 1))
})

test('contracts: every call in the tree must be listed; deployments never', () => {
  const call = (name: string, contract = contractId) =>
    ({ kind: 'call', contract, function: name, arguments: [] }) as const
  type Invoke = Extract<OperationView, { type: 'invokeHostFunction' }>
  const invokes = (changes: Partial<Invoke>): Case => ({
    policy: { ...wide, contracts: [{ contract: contractId, functions: ['transfer', 'approve'] }] },
    view: view({
      operations: [
        { type: 'invokeHostFunction', source: null, invocation: call('transfer'), authorizations: [], ...changes },
      ],
    }),
  })
  const tree = (...invocations: Invoke['authorizations'][number]['invocations']): Partial<Invoke> => ({
    authorizations: [{ credentials: 'source-account', address: null, invocations }],
  })
  allows(invokes({}))
  allows(invokes(tree(call('transfer'), call('approve'))))
  refuses('contracts', /calls burn of C/u, invokes({ invocation: call('burn') }))
  refuses('contracts', /calls transfer of CAAA/u, invokes({ invocation: call('transfer', 'CAAA') }))
  refuses('contracts', /calls burn of C/u, invokes(tree(call('transfer'), call('burn'))))
  refuses('contracts', /would create-contract/u, invokes({ invocation: { kind: 'create-contract' } }))
  refuses('contracts', /would upload-code/u, invokes({ invocation: { kind: 'upload-code', bytes: 3 } }))
  refuses('contracts', /would create-contract/u, invokes(tree({ kind: 'create-contract' })))
  refuses(
    'contracts',
    /invocation of an unknown kind/u,
    invokes({ invocation: { kind: 'unknown', name: 'x' } }),
    'undecided',
  )
  const strange = { authorizations: [{ credentials: 'unknown' as const, address: null, invocations: [] }] }
  refuses('contracts', /credentials of an unknown kind/u, invokes(strange), 'undecided')
  refuses('contracts', /calls transfer/u, { ...invokes({}), policy: wide })
})

test('a denial goes before a doubt, and a broken view decides nothing', () => {
  const both = verdict({
    view: view({ operations: [{ type: 'unknown', source: null, name: 'x' }], feeStroops: 5000n }),
  })
  assert.ok(both.kind === 'deny' && both.rule === 'fee')
  const broken: StellarTransactionView = JSON.parse('{"kind":"transaction","network":"testnet"}')
  const decision = verdict({ view: broken })
  assert.ok(decision.kind === 'undecided')
  assert.match(decision.reason, /could not be evaluated/u)
  const hollow = view({ operations: [JSON.parse('{}')] })
  assert.notEqual(decide(parsePolicy(narrow), hollow, facts).kind, 'allow')
})

test('I8 a view that breaks at any moment is never allowed, also while its spending is counted', () => {
  const policy = parsePolicy({ ...narrow, windows: [{ asset: 'any', seconds: 60, max: '1' }] })
  const rules = new Set<string>()
  for (let limit = 0; limit < 100; limit++) {
    let reads = 0
    const { operations, ...rest } = view() as Extract<StellarTransactionView, { kind: 'transaction' }>
    const fragile: StellarTransactionView = {
      ...rest,
      get operations() {
        if (reads++ >= limit) throw new TypeError('gone')
        return operations
      },
    }
    const decision = decide(policy, fragile, facts)
    if (decision.kind === 'allow') {
      assert.ok(reads <= limit)
      break
    }
    assert.equal(decision.kind, 'undecided')
    rules.add(decision.rule)
  }
  assert.ok(rules.has('windows') && rules.has('operations'))
})

test('M-52 other payloads than transactions are judged too, under the same network', () => {
  const digest = { kind: 'raw-digest', network: 'testnet', digest: '00'.repeat(32) } as const
  const denied = decide(parsePolicy(narrow), digest, facts)
  assert.ok(denied.kind === 'deny' && denied.rule === 'raw-digests')
  const policy = parsePolicy({ version: 1, network: 'testnet', rawDigests: true })
  assert.equal(decide(policy, digest, facts).kind, 'allow')
  const elsewhere = decide(policy, { ...digest, network: 'public' }, facts)
  assert.ok(elsewhere.kind === 'deny' && elsewhere.rule === 'network')
  const checks = explain(policy, digest, facts)
  assert.equal(checks[0]?.rule, 'network')
  assert.ok(
    checks.every(({ rule, result, sentence }) => RULE_NAMES.includes(rule) && result === 'pass' && sentence !== ''),
  )
})
