import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Asset, Operation, StrKey, xdr } from '@stellar/stellar-sdk/base'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import {
  checkPolicy,
  decide,
  defaultPolicy,
  demoPolicy,
  escrowPreset,
  type GoldenTest,
  lint,
  parsePolicy,
  parsePolicyFile,
  type Payload,
  payoutsPreset,
  type PolicyDocument,
  runTests,
  sorobanOperatorPreset,
  vestingRevocationPreset,
} from '../../../src/policy/index.ts'
import { alice, bob, carol, contractId, invoke, muxed, timeBounds, v1 } from '../../fuzz/xdr-corpus.ts'
import { tokenId } from '../../support/policy-random.ts'
import { facts, narrow, NOW_MS, NOW_S, usd, view } from './samples.ts'

const key = { keyAddress: alice, keyNetwork: 'testnet' }
const parse = (payload: Payload, network: string) => stellar.parse(payload, network).view
const xdrOf = (operations: readonly xdr.Operation[], memo = xdr.Memo.memoNone()): string =>
  v1({ operations, cond: timeBounds(0n, NOW_S + 60n), memo }).toXdr('base64')
const pay = (amount: string, destination = bob, asset = Asset.native()): xdr.Operation =>
  Operation.payment({ destination, amount, asset })

const tests: readonly GoldenTest[] = [
  { name: 'pays bob', xdr: xdrOf([pay('10')]), now: NOW_MS, expect: 'allow' },
  { name: 'not too much', xdr: xdrOf([pay('10.1')]), now: NOW_MS, expect: 'deny', rule: 'amounts' },
  {
    name: 'not carol',
    payload: { type: 'stellar-transaction', xdr: xdrOf([pay('1', carol)]) },
    now: NOW_MS,
    expect: 'deny',
  },
  { name: 'not later', xdr: xdrOf([pay('1')]), now: NOW_MS + 100_000, expect: 'deny', rule: 'time-bounds' },
  {
    name: 'not for another key',
    xdr: xdrOf([pay('1')]),
    now: NOW_MS,
    keyAddress: bob,
    expect: 'deny',
    rule: 'sources',
  },
  { name: 'an empty one is not judged', view: view({ operations: [] }), now: NOW_MS, expect: 'undecided' },
]

test('golden tests: each passes or says what was expected and what the policy says', () => {
  const policy = parsePolicy(narrow)
  const results = runTests(policy, tests, parse, key)
  assert.deepEqual(
    results.map(({ name, passed }) => [name, passed]),
    tests.map(({ name }) => [name, true]),
  )
  const loose = parsePolicy({ ...narrow, payments: demoDocument().payments })
  const failed = runTests(loose, tests, parse, key).filter(({ passed }) => !passed)
  assert.deepEqual(
    failed.map(({ name, sentence }) => [name, sentence]),
    [
      ['not too much', 'Expected deny by amounts; the policy says allow.'],
      ['not carol', 'Expected deny; the policy says allow.'],
    ],
  )
})

const demoDocument = (): PolicyDocument => JSON.parse(demoPolicy().text)

test('golden tests: the wrong rule, and what cannot be decoded, fail', () => {
  const policy = parsePolicy(narrow)
  const wrong: readonly GoldenTest[] = [
    { name: 'a', xdr: xdrOf([pay('99')]), now: NOW_MS, expect: 'deny', rule: 'memo' },
    { name: 'b', xdr: 'AAAA', now: NOW_MS, expect: 'deny' },
    { name: 'c', payload: { type: 'evm-transaction' }, now: NOW_MS, expect: 'deny' },
    { name: 'd', now: NOW_MS, expect: 'undecided' },
  ]
  const results = runTests(policy, wrong, parse, key)
  assert.ok(results.every(({ passed }) => !passed))
  assert.match(results[0]?.sentence ?? '', /Expected deny by memo; the policy says deny by amounts/u)
  assert.match(results[1]?.sentence ?? '', /cannot be decoded/u)
  const broken = (): never => {
    throw new TypeError('ours')
  }
  assert.throws(() => runTests(policy, wrong, broken, key), TypeError)
})

test('golden tests: a ledger can be given', () => {
  const { timeBounds: _, ...rest } = narrow
  const policy = parsePolicy({ ...rest, ledgerBounds: { maxLedgersAhead: 5 } })
  const cond = xdr.Preconditions.precondV2(
    new xdr.PreconditionsV2({
      timeBounds: null,
      ledgerBounds: new xdr.LedgerBounds({ minLedger: 0, maxLedger: 104 }),
      minSeqNum: null,
      minSeqAge: 0n,
      minSeqLedgerGap: 0,
      extraSigners: [],
    }),
  )
  const bounded = v1({ operations: [pay('1')], cond }).toXdr('base64')
  const results = runTests(
    policy,
    [
      { name: 'near', xdr: bounded, now: NOW_MS, ledger: 100, expect: 'allow' },
      { name: 'far', xdr: bounded, now: NOW_MS, ledger: 98, expect: 'deny' },
      { name: 'unknown', xdr: bounded, now: NOW_MS, expect: 'undecided', rule: 'time-bounds' },
    ],
    parse,
    key,
  )
  assert.ok(results.every(({ passed }) => passed))
})

test('a policy file holds a policy and its tests, and says everything that is wrong with them', () => {
  const written = tests.filter(one => one.view === undefined)
  const file = parsePolicyFile(JSON.parse(JSON.stringify({ policy: narrow, tests: written })))
  assert.equal(file.policy.hash, parsePolicy(narrow).hash)
  assert.ok(runTests(file.policy, file.tests, parse, key).every(({ passed }) => passed))
  const bad = {
    policy: { version: 1, colour: 'red' },
    tests: [
      { name: 'a', now: 1, expect: 'allow' },
      { name: 'b', now: 1, xdr: '', payload: { type: 'x' }, expect: 'deny' },
      { name: 'c', now: 1, xdr: '', expect: 'allow', rule: 'memo' },
      { name: 'd', now: -1, xdr: '', expect: 'yes' },
      { name: 'e', now: 1, xdr: '', expect: 'deny', when: 5 },
    ],
  }
  assert.throws(
    () => parsePolicyFile(bad),
    error => {
      assert.ok(isSignerError(error) && error.code === 'config/invalid')
      const paths = error.detail.problems.map(({ path }) => path)
      for (const path of [
        'file.policy.colour',
        'file.tests.0',
        'file.tests.1',
        'file.tests.2',
        'file.tests.3.now',
        'file.tests.3.expect',
        'file.tests.4.when',
      ]) {
        assert.ok(paths.includes(path), `${path} in ${paths.join(' ')}`)
      }
      return true
    },
  )
})

const codesOf = (document: PolicyDocument): string[] => [
  ...new Set(lint(parsePolicy(document)).map(({ code }) => code)),
]

test('policy check: warnings for what is rarely meant', () => {
  assert.deepEqual(codesOf({ ...narrow, windows: [{ asset: 'any', seconds: 60, max: '1' }] }), [])
  const warned: ReadonlyArray<readonly [change: Partial<PolicyDocument>, code: string]> = [
    [{}, 'no-window'],
    [{ network: undefined }, 'no-network'],
    [{ fee: undefined }, 'no-fee'],
    [{ fee: { maxStroops: '10000001' } }, 'no-fee-window'],
    [{ timeBounds: undefined }, 'no-time-bounds'],
    [{ timeBounds: 'any' }, 'no-end'],
    [{ timeBounds: { maxLifetimeSeconds: 3601 } }, 'long-life'],
    [{ preconditions: ['minSequence'] }, 'any-sequence'],
    [{ sources: 'any' }, 'any-source'],
    [{ rawDigests: true }, 'raw-digests'],
    [{ payments: undefined }, 'no-payments'],
    [{ operations: ['manageData'] }, 'idle-payments'],
    [{ operations: ['manageSellOffer'] }, 'any-price'],
    [{ payments: { destinations: 'any', assets: [] } }, 'any-destination'],
    [
      { payments: { destinations: [], assets: [{ asset: 'any', maxPerOperation: '1', maxPerTransaction: '1' }] } },
      'any-asset',
    ],
    [
      { payments: { destinations: [], assets: [{ asset: usd, maxPerOperation: '2', maxPerTransaction: '1' }] } },
      'idle-cap',
    ],
    [{ sensitiveOperations: ['accountMerge'] }, 'not-measured'],
    [{ sensitiveOperations: ['accountMerge'] }, 'sensitive'],
    [{ setOptions: { signers: [{ key: bob, minWeight: 0, maxWeight: 1 }] } }, 'adds-signer'],
    [{ setOptions: { masterWeight: { min: 0, max: 1 } } }, 'locks-out'],
    [{ contracts: [{ contract: contractId, functions: ['run'] }] }, 'idle-contracts'],
    [{ contracts: [{ contract: contractId, functions: ['run'] }] }, 'any-arguments'],
    [{ contracts: [{ contract: contractId, functions: ['transfer'] }] }, 'uncounted-token'],
    [{ tokens: [{ contract: tokenId, asset: 'native', functions: ['set_admin'] }] }, 'rules-contract'],
    [{ operations: ['invokeHostFunction'] }, 'no-contracts'],
  ]
  for (const [change, code] of warned) {
    const document = Object.fromEntries(
      Object.entries({ ...narrow, ...change }).filter(([, value]) => value !== undefined),
    )
    assert.ok(codesOf(document as PolicyDocument).includes(code), code)
  }
  const quiet = { signers: [{ key: bob, minWeight: 0, maxWeight: 0 }] }
  assert.ok(!codesOf({ ...narrow, setOptions: quiet }).includes('adds-signer'))
})

test('policy check: problems of a document that is none, warnings of one that is', () => {
  const bad = checkPolicy({ version: 2 })
  assert.ok(bad.kind === 'bad' && bad.problems.length > 0)
  const good = checkPolicy(demoDocument())
  assert.ok(good.kind === 'good' && good.policy.hash === demoPolicy().hash)
  assert.ok(good.warnings.every(({ path, sentence }) => path.length > 0 && sentence.endsWith('.')))
  assert.deepEqual(codesOf(JSON.parse(defaultPolicy().text)), ['no-network'])
})

const money = { asset: usd, maxPerPayment: '10', maxPerTransaction: '20', maxPerDay: '100' }
const dollar = new Asset('USD', carol)
const scAddress = (id: string): xdr.ScAddress =>
  id.startsWith('C')
    ? xdr.ScAddress.scAddressTypeContract(new xdr.ContractId(StrKey.decodeContract(id)))
    : xdr.ScAddress.scAddressTypeAccount(xdr.PublicKey.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(id)))
const who = (id: string): xdr.ScVal => xdr.ScVal.scvAddress(scAddress(id))
const i128 = (lo: bigint): xdr.ScVal => xdr.ScVal.scvI128(new xdr.Int128Parts({ hi: 0n, lo }))
const callOf = (id: string, functionName: string, args: xdr.ScVal[]): xdr.Operation => {
  const hostFunction = xdr.HostFunction.hostFunctionTypeInvokeContract(
    new xdr.InvokeContractArgs({ contractAddress: scAddress(id), functionName, args }),
  )
  const op = new xdr.InvokeHostFunctionOp({ hostFunction, auth: [] })
  return new xdr.Operation({ sourceAccount: null, body: xdr.OperationBody.invokeHostFunction(op) })
}

type Case = readonly [operations: readonly xdr.Operation[], expected: string]

const PRESETS: ReadonlyArray<readonly [name: string, document: PolicyDocument, cases: readonly Case[]]> = [
  [
    'payouts',
    payoutsPreset({ network: 'testnet', ...money, destinations: 'any', maxPerDestinationPerDay: '15' }),
    [
      [[pay('10', carol, dollar)], 'allow'],
      [[pay('10', carol, dollar), pay('10', bob, dollar)], 'allow'],
      [[pay('10.1', carol, dollar)], 'amounts'],
      [[pay('1', bob)], 'amounts'],
      [[Operation.setOptions({ masterWeight: 0 })], 'operations'],
      [[invoke()], 'operations'],
    ],
  ],
  [
    'escrow',
    escrowPreset({ network: 'testnet', ...money, parties: [bob], arbiters: [carol] }),
    [
      [[pay('10', bob, dollar)], 'allow'],
      [[Operation.payment({ destination: bob, amount: '1', asset: dollar, source: carol })], 'allow'],
      [[pay('10', carol, dollar)], 'destinations'],
      [[Operation.accountMerge({ destination: bob })], 'operations'],
      [[new xdr.Operation({ sourceAccount: muxed(bob, 1n), body: pay('1', bob, dollar).body })], 'sources'],
    ],
  ],
  [
    'vesting revocation',
    vestingRevocationPreset({ network: 'testnet', contract: contractId, grantees: [bob], treasury: carol }),
    [
      [[callOf(contractId, 'revoke', [who(bob), who(carol)])], 'allow'],
      [[callOf(contractId, 'revoke', [who(alice), who(carol)])], 'contracts'],
      [[callOf(contractId, 'revoke', [who(bob), who(alice)])], 'contracts'],
      [[callOf(contractId, 'release', [who(bob)])], 'contracts'],
      [[callOf(tokenId, 'transfer', [who(alice), who(bob), i128(1n)])], 'contracts'],
      [[pay('1')], 'operations'],
    ],
  ],
  [
    'soroban operator',
    sorobanOperatorPreset({
      network: 'testnet',
      contracts: [
        { contract: contractId, functions: ['tick', { name: 'set', arguments: [{ at: 0, symbols: ['a'] }] }] },
      ],
      token: { ...money, contract: tokenId, destinations: [contractId] },
    }),
    [
      [[callOf(contractId, 'tick', [])], 'allow'],
      [[callOf(contractId, 'set', [xdr.ScVal.scvSymbol('a')])], 'allow'],
      [[callOf(contractId, 'set', [xdr.ScVal.scvSymbol('b')])], 'contracts'],
      [[callOf(tokenId, 'transfer', [who(alice), who(contractId), i128(100_000_000n)])], 'allow'],
      [[callOf(tokenId, 'transfer', [who(alice), who(contractId), i128(100_000_001n)])], 'amounts'],
      [[callOf(tokenId, 'transfer', [who(alice), who(bob), i128(1n)])], 'destinations'],
      [[callOf(tokenId, 'burn', [who(alice), i128(1n)])], 'contracts'],
    ],
  ],
  [
    'soroban operator without a token',
    sorobanOperatorPreset({ network: 'testnet', contracts: [{ contract: contractId, functions: ['tick'] }] }),
    [
      [[callOf(contractId, 'tick', [])], 'allow'],
      [[callOf(tokenId, 'transfer', [who(alice), who(contractId), i128(1n)])], 'contracts'],
    ],
  ],
]

for (const [name, document, cases] of PRESETS) {
  test(`preset ${name}: allows its work and nothing beside it`, () => {
    const policy = parsePolicy(document)
    assert.ok(policy.rules.windows !== undefined && policy.rules.windows.length > 0)
    for (const [operations, expected] of cases) {
      const { view: asked } = stellar.parse({ type: 'stellar-transaction', xdr: xdrOf(operations) }, 'testnet')
      const decision = decide(policy, asked, facts)
      assert.equal(decision.kind === 'allow' ? 'allow' : decision.rule, expected)
      if (decision.kind === 'allow') assert.ok((decision.spends ?? []).length > 0, 'fees are counted')
    }
    const lints = lint(policy).map(({ code }) => code)
    assert.ok(!lints.includes('no-window') && !lints.includes('no-end'), lints.join(' '))
  })
}
