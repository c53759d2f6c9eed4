/** M-61: what is a key's own where it signs for another account than its address. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChallengeView, ContractValue, StellarAuthorizationView } from '../../../src/domain/stellar.ts'
import {
  decide,
  type Facts,
  parsePolicy,
  type PolicyDocument,
  type PolicyView,
  runTests,
} from '../../../src/policy/index.ts'
import { alice, bob, carol } from '../../fuzz/xdr-corpus.ts'
import { appId } from '../../support/policy-random.ts'
import { account, body, bump, facts as ofAlice, narrow, NOW_MS, NOW_S, payment, view } from './samples.ts'

/** The key is carol now, and signs for alice. */
const facts: Facts = { ...ofAlice, keyAddress: carol, keyAccount: alice, ledger: 1_000 }
const said = (document: PolicyDocument, asked: PolicyView, of: Facts = facts): string => {
  const decision = decide(parsePolicy(document), asked, of)
  return decision.kind === 'allow' ? 'allow' : `${decision.kind} by ${decision.rule}`
}

test('M-61 sources: the account may be one of transaction, operation and fee; the bare address of the key may not', () => {
  const wide = { ...narrow, feeBump: true }
  for (const [source, expected] of [
    [alice, 'allow'],
    [carol, 'deny by sources'],
    [bob, 'deny by sources'],
  ] as const) {
    assert.equal(said(wide, view({ source: account(source) })), expected)
    assert.equal(said(wide, view({ operations: [payment({ source: account(source) })] })), expected)
    assert.equal(said(wide, bump({}, 400n, account(source))), expected)
    assert.equal(said(wide, view({ source: account(source, 7n) })), expected, 'muxed: the account underneath')
    assert.equal(said({ ...wide, sources: [source] }, view({ source: account(source) })), 'allow', 'listed')
  }
  assert.equal(said(wide, view(), { ...facts, keyAccount: undefined }), 'deny by sources', 'absent: the address')
  assert.equal(said(wide, view(), { ...facts, keyAccount: carol }), 'deny by sources')
})

test('M-61 contracts: self is the account', () => {
  const policy: PolicyDocument = {
    ...narrow,
    operations: ['invokeHostFunction'],
    contracts: [{ contract: appId, functions: [{ name: 'open', arguments: [{ at: 'all', addresses: ['self'] }] }] }],
  }
  const called = (value: ContractValue) => {
    const invocation = { kind: 'call', contract: appId, function: 'open', arguments: [value] } as const
    return said(
      policy,
      view({ operations: [{ type: 'invokeHostFunction', source: null, invocation, authorizations: [] }] }),
    )
  }
  const by = (address: string, muxedId: bigint | null = null) => called({ kind: 'address', address, muxedId })
  assert.deepEqual([by(alice), by(carol), by(bob)], ['allow', 'deny by contracts', 'deny by contracts'])
  assert.equal(by(alice, 3n), 'deny by contracts', 'a sub-account is another address')
})

test('M-61 authorizations: those of the account, and of no address besides', () => {
  const policy: PolicyDocument = {
    version: 1,
    network: 'testnet',
    contracts: [{ contract: appId, functions: ['open'] }],
    authorizations: { expiration: 'any', legacy: true, delegateOf: [bob] },
  }
  const of = (over: Partial<StellarAuthorizationView>) =>
    said(policy, {
      ...{
        kind: 'authorization',
        network: 'testnet',
        form: 'with-address',
        credentials: 'address-v2',
        asDelegate: false,
      },
      ...{ nonce: 7n, expirationLedger: 1_100, address: alice },
      invocations: [{ kind: 'call', contract: appId, function: 'open', arguments: [] }],
      ...over,
    })
  assert.equal(of({}), 'allow')
  assert.match(of({ address: carol }), /^deny by authorization/)
  assert.match(of({ address: bob }), /^deny by authorization/)
  assert.equal(of({ address: bob, asDelegate: true }), 'allow', 'as a delegate by the list alone')
  assert.match(of({ address: alice, asDelegate: true }), /^deny by authorization/)
  assert.equal(of({ address: null, form: 'legacy' }), 'allow')
})

test('M-61 SEP-10: the account logs in; challenges are issued by the key itself, whose signature clients look for', () => {
  const policy: PolicyDocument = {
    version: 1,
    network: 'testnet',
    challenges: { homeDomains: ['anchor.example'], servers: [bob], issue: true, maxLifetimeSeconds: 900 },
  }
  const of = (over: Partial<ChallengeView>) =>
    said(policy, {
      ...{ kind: 'challenge', network: 'testnet', role: 'client', serverAddress: bob, clientAddress: alice },
      ...{ clientAccount: alice, homeDomain: 'anchor.example', webAuthDomain: null, clientDomain: null, memo: null },
      ...{ minTime: NOW_S - 5n, maxTime: NOW_S + 300n },
      ...over,
    })
  assert.equal(of({}), 'allow')
  assert.match(of({ clientAddress: carol, clientAccount: carol }), /^deny by challenge/)
  const issuing = { role: 'server', clientAddress: bob, clientAccount: bob } as const
  assert.equal(of({ ...issuing, serverAddress: carol }), 'allow')
  assert.match(of({ ...issuing, serverAddress: alice }), /^deny by challenge/)
})

test('M-61 golden tests may name an account; another key signs for its own unless they do', () => {
  const policy = parsePolicy(narrow)
  const key = { keyAddress: carol, keyAccount: alice, keyNetwork: 'testnet' }
  const one = { name: 'x', view: view(), now: NOW_MS, expect: 'allow' } as const
  const denied = { expect: 'deny', rule: 'sources' } as const
  const results = runTests(
    policy,
    [
      one,
      { ...one, keyAccount: bob, ...denied },
      { ...one, keyAddress: bob, ...denied },
      { ...one, keyAddress: bob, keyAccount: alice },
      { ...one, view: view({ source: account(carol) }), ...denied },
    ],
    () => view(body()),
    key,
  )
  assert.deepEqual(
    results.map(({ passed, sentence }) => (passed ? true : sentence)),
    [true, true, true, true, true],
  )
})
