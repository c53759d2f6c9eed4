import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExecutionApprovalView } from '../../../src/domain/execution-approval.ts'
import type { ChallengeView, InvocationView, StellarAuthorizationView } from '../../../src/domain/stellar.ts'
import {
  decide,
  directionOf,
  type Facts,
  outgoingOf,
  parsePolicy,
  type PolicyDocument,
} from '../../../src/policy/index.ts'
import { alice, bob, carol } from '../../fuzz/xdr-corpus.ts'
import { seeded } from '../../fuzz/xdr-mutator.ts'
import { appId, often, pick, tokenId } from '../../support/policy-random.ts'

const NOW = Date.UTC(2026, 10, 22, 12)
const SECONDS = BigInt(NOW) / 1000n
const facts: Facts = { now: NOW, keyAddress: alice, keyNetwork: 'testnet', ledger: 1_000 }
type Document = PolicyDocument

const call = (contract: string, name: string, args: Extract<InvocationView, { kind: 'call' }>['arguments'] = []) =>
  ({ kind: 'call', contract, function: name, arguments: args }) as const
const transfer = (to: string, amount: bigint) =>
  call(tokenId, 'transfer', [
    { kind: 'address', address: alice, muxedId: null },
    { kind: 'address', address: to, muxedId: null },
    { kind: 'integer', type: 'i128', value: amount },
  ])

const authorization = (over: Partial<StellarAuthorizationView> = {}): StellarAuthorizationView => ({
  kind: 'authorization',
  network: 'testnet',
  form: 'with-address',
  credentials: 'address-v2',
  address: alice,
  asDelegate: false,
  nonce: 7n,
  expirationLedger: 1_100,
  invocations: [call(appId, 'open')],
  ...over,
})
const challenge = (over: Partial<ChallengeView> = {}): ChallengeView => ({
  kind: 'challenge',
  network: 'testnet',
  role: 'client',
  serverAddress: carol,
  clientAddress: alice,
  clientAccount: alice,
  homeDomain: 'anchor.example',
  webAuthDomain: 'anchor.example',
  clientDomain: null,
  memo: null,
  minTime: SECONDS - 5n,
  maxTime: SECONDS + 300n,
  ...over,
})
const approval = (over: Partial<ExecutionApprovalView> = {}): ExecutionApprovalView => ({
  kind: 'approval',
  network: 'testnet',
  action: 'escrow.release',
  audience: 'vault',
  subject: 'escrow-7',
  issuedAt: NOW,
  expiresAt: NOW + 60_000,
  correlationId: 'c-1',
  details: {},
  ...over,
})

const base: Document = {
  version: 1,
  network: 'testnet',
  contracts: [{ contract: appId, functions: ['open'] }],
  tokens: [{ contract: tokenId, asset: tokenId, functions: ['transfer'] }],
  payments: { destinations: [bob], assets: [{ asset: tokenId, maxPerOperation: '10', maxPerTransaction: '15' }] },
  windows: [{ asset: tokenId, seconds: 3600, max: '100' }],
  authorizations: { expiration: { maxLedgersAhead: 120 }, accounts: [appId], delegateOf: [carol] },
  challenges: { homeDomains: ['anchor.example'], servers: [carol], maxLifetimeSeconds: 900 },
  approvals: [{ action: 'escrow.release', audiences: ['vault'], subjects: ['escrow-7'], maxLifetimeSeconds: 300 }],
}

/** The rule that refuses, or `allow`. */
function says(
  view: StellarAuthorizationView | ChallengeView | ExecutionApprovalView,
  over: Partial<Document> = {},
  known: Partial<Facts> = {},
): string {
  const decision = decide(parsePolicy({ ...base, ...over }), view, { ...facts, ...known })
  return decision.kind === 'allow' ? 'allow' : `${decision.kind} ${decision.rule}`
}

test('M-22 an authorization is granted for the account of the key, or one that is listed, with every call of its tree', () => {
  assert.equal(says(authorization()), 'allow')
  assert.equal(says(authorization({ address: appId })), 'allow')
  assert.equal(says(authorization({ address: bob })), 'deny authorization')
  assert.equal(says(authorization({ address: null })), 'undecided authorization')
  assert.equal(says(authorization({ address: carol, asDelegate: true })), 'allow')
  assert.equal(says(authorization({ address: carol })), 'deny authorization')
  assert.equal(says(authorization({ address: alice, asDelegate: true })), 'deny authorization')
  assert.equal(says(authorization(), { authorizations: undefined }), 'deny authorization')
  assert.equal(says(authorization({ network: 'public' })), 'deny network')
  assert.equal(says(authorization({ invocations: [call(appId, 'open'), call(appId, 'close')] })), 'deny contracts')
  assert.equal(
    says(authorization({ invocations: [call(appId, 'open'), { kind: 'create-contract' }] })),
    'deny contracts',
  )
  assert.equal(says(authorization({ invocations: [] })), 'undecided contracts')
  assert.equal(says(authorization({ invocations: [{ kind: 'unknown', name: 'x' }] })), 'undecided contracts')
})

test('T31 a form that does not name its account needs a grant of its own', () => {
  const legacy = authorization({ form: 'legacy', credentials: 'address' })
  const granted = { authorizations: { expiration: { maxLedgersAhead: 120 }, legacy: true } } as const
  assert.equal(says(legacy), 'deny authorization')
  assert.equal(says(legacy, granted), 'allow')
  assert.equal(says({ ...legacy, address: null }, granted), 'allow')
  assert.equal(says({ ...legacy, address: bob }, granted), 'deny authorization')
  assert.equal(says(authorization({ form: 'later' as 'legacy' }), granted), 'undecided authorization')
})

test('M-22 expired, too far ahead, and a ledger that nobody knows', () => {
  assert.equal(says(authorization({ expirationLedger: 1_000 })), 'deny authorization')
  assert.equal(says(authorization({ expirationLedger: 1_001 })), 'allow')
  assert.equal(says(authorization({ expirationLedger: 1_120 })), 'allow')
  assert.equal(says(authorization({ expirationLedger: 1_121 })), 'deny authorization')
  const { ledger: _, ...blind } = facts
  const without = (over: Partial<Document>) => decide(parsePolicy({ ...base, ...over }), authorization(), blind).kind
  assert.equal(without({}), 'undecided')
  assert.equal(without({ authorizations: { expiration: 'any' } }), 'allow')
  assert.equal(
    says(authorization({ expirationLedger: 999 }), { authorizations: { expiration: 'any' } }),
    'deny authorization',
  )
})

test('M-22 what the tree moves is capped, counted once, and takes room in the windows', () => {
  const paid = authorization({ invocations: [transfer(bob, 100_000_000n)] })
  assert.equal(says(paid), 'allow')
  assert.equal(says(authorization({ invocations: [transfer(bob, 100_000_001n)] })), 'deny amounts')
  assert.equal(says(authorization({ invocations: [transfer(carol, 1n)] })), 'deny destinations')
  const nested = authorization({
    invocations: [call(appId, 'open'), transfer(bob, 70_000_000n), transfer(bob, 80_000_000n)],
  })
  assert.equal(says(nested), 'deny amounts') // 15 in one operation
  const policy = parsePolicy(base)
  const decision = decide(policy, paid, facts)
  assert.ok(decision.kind === 'allow')
  assert.deepEqual(
    decision.spends?.map(({ amount, limit }) => [amount, limit]),
    [[100_000_000n, 1_000_000_000n]],
  )
  assert.deepEqual(outgoingOf(policy, paid), new Map([[tokenId, 100_000_000n]]))
  assert.equal(outgoingOf(policy, authorization()), undefined) // a contract that is no token
  assert.equal(outgoingOf(policy, challenge()), undefined)
})

test('M-23 T13 SEP-10: answers listed servers for listed domains, for the own account, and for a short time', () => {
  assert.equal(says(challenge()), 'allow')
  assert.equal(says(challenge({ serverAddress: bob })), 'deny challenges')
  assert.equal(says(challenge({ clientAccount: bob, clientAddress: bob })), 'deny challenges')
  assert.equal(says(challenge({ homeDomain: 'other.example' })), 'deny challenges')
  assert.equal(says(challenge({ webAuthDomain: 'auth.other.example' })), 'deny challenges')
  assert.equal(says(challenge({ webAuthDomain: null })), 'allow')
  assert.equal(says(challenge({ clientDomain: 'wallet.example' })), 'deny challenges')
  assert.equal(says(challenge({ maxTime: SECONDS - 1n })), 'deny challenges')
  assert.equal(says(challenge({ maxTime: SECONDS + 901n })), 'deny challenges')
  assert.equal(says(challenge({ minTime: SECONDS + 61n })), 'deny challenges')
  assert.equal(says(challenge({ network: 'public' })), 'deny network')
  assert.equal(says(challenge(), { challenges: undefined }), 'deny challenges')
  assert.equal(says(challenge({ role: 'nobody' as 'client' })), 'undecided challenges')
  assert.equal(says(challenge(), {}, { now: Number.NaN }), 'undecided challenges')
})

test('M-23 SEP-10: a server issues only where that is granted, as itself', () => {
  const issued = challenge({ role: 'server', serverAddress: alice, clientAddress: bob, clientAccount: bob })
  const granted = { challenges: { homeDomains: ['anchor.example'], issue: true, maxLifetimeSeconds: 900 } }
  assert.equal(says(issued), 'deny challenges')
  assert.equal(says(issued, granted), 'allow')
  assert.equal(says({ ...issued, serverAddress: carol }, granted), 'deny challenges')
  assert.equal(says(challenge(), granted), 'deny challenges') // who issues does not answer
})

test('M-35 an approval: of a granted action, for its audience and subject, and not for long', () => {
  assert.equal(says(approval()), 'allow')
  assert.equal(says(approval({ action: 'escrow.cancel' })), 'deny approvals')
  assert.equal(says(approval({ audience: 'other' })), 'deny approvals')
  assert.equal(says(approval({ subject: 'escrow-8' })), 'deny approvals')
  assert.equal(says(approval({ expiresAt: NOW })), 'deny approvals')
  assert.equal(says(approval({ expiresAt: NOW + 300_001 })), 'deny approvals')
  assert.equal(says(approval({ issuedAt: NOW - 299_000, expiresAt: NOW + 2_000 })), 'deny approvals')
  assert.equal(says(approval({ issuedAt: NOW + 60_001, expiresAt: NOW + 90_000 })), 'deny approvals')
  assert.equal(says(approval({ issuedAt: Number.NaN })), 'deny approvals')
  assert.equal(says(approval({ network: 'public' })), 'deny network')
  assert.equal(says(approval(), { approvals: [] }), 'deny approvals')
  assert.equal(
    says(approval({ audience: 'x' }), {
      approvals: [{ action: 'escrow.release', audiences: 'any', maxLifetimeSeconds: 60 }],
    }),
    'allow',
  )
})

test('the default policy and the empty one sign none of them', () => {
  for (const view of [authorization(), challenge(), approval()]) {
    const decision = decide(parsePolicy({ version: 1, network: 'testnet' }), view, facts)
    assert.equal(decision.kind, 'deny')
  }
})

test('M-52 T61 8,000 random changes of these grants: a tightening never allows what was refused before', () => {
  const seed = 20_261_122
  const rng = seeded(seed)
  let tightenings = 0
  let compared = 0
  const some = <T>(list: readonly T[]): T[] => list.filter(() => often(rng, 60))
  const domains = () => [...some(['anchor.example', 'other.example']), 'third.example']
  const document = (): Document => ({
    ...base,
    authorizations: often(rng, 15)
      ? undefined
      : {
          expiration: often(rng, 20) ? 'any' : { maxLedgersAhead: pick(rng, [10, 100, 120]) },
          ...(often(rng, 60) ? { accounts: some([appId, bob]) } : {}),
          ...(often(rng, 60) ? { delegateOf: some([carol, bob]) } : {}),
          ...(often(rng, 50) ? { legacy: often(rng, 50) } : {}),
        },
    challenges: often(rng, 15)
      ? undefined
      : {
          homeDomains: domains(),
          ...(often(rng, 70) ? { servers: some([carol, bob]) } : {}),
          ...(often(rng, 40) ? { issue: often(rng, 50) } : {}),
          ...(often(rng, 40) ? { webAuthDomains: domains() } : {}),
          ...(often(rng, 40) ? { clientDomains: domains() } : {}),
          maxLifetimeSeconds: pick(rng, [60, 300, 900]),
        },
    approvals: some(['escrow.release', 'escrow.cancel']).map(action => ({
      action,
      audiences: often(rng, 20) ? ('any' as const) : domains().concat(some(['vault'])),
      ...(often(rng, 40) ? { subjects: [...some(['escrow-7']), 'none'] } : {}),
      maxLifetimeSeconds: pick(rng, [30, 60, 300]),
    })),
  })
  const views = () => [
    authorization({
      form: pick(rng, ['legacy', 'with-address']),
      address: pick(rng, [alice, bob, carol, appId, null]),
      asDelegate: often(rng, 30),
      expirationLedger: pick(rng, [1_010, 1_100, 1_120, 5_000]),
    }),
    challenge({
      role: pick(rng, ['client', 'server']),
      serverAddress: pick(rng, [alice, bob, carol]),
      homeDomain: pick(rng, ['anchor.example', 'other.example', 'third.example']),
      webAuthDomain: pick(rng, ['anchor.example', 'other.example', null]),
      clientDomain: pick(rng, [null, null, 'anchor.example']),
      maxTime: SECONDS + pick(rng, [30n, 200n, 800n]),
    }),
    approval({
      action: pick(rng, ['escrow.release', 'escrow.cancel']),
      audience: pick(rng, ['vault', 'third.example']),
      subject: pick(rng, ['escrow-7', 'none']),
      expiresAt: NOW + pick(rng, [20_000, 50_000, 200_000]),
    }),
  ]
  for (let round = 0; round < 8_000; round++) {
    const before = document()
    // Mostly one part is another, otherwise hardly any change is a tightening.
    const other = document()
    const part = pick(rng, ['authorizations', 'challenges', 'approvals'] as const)
    const [was, is] = [parsePolicy(before), parsePolicy({ ...before, [part]: other[part] })]
    if (directionOf(was, is) === 'loosening') continue
    tightenings++
    for (const view of views()) {
      if (decide(is, view, facts).kind !== 'allow') continue
      compared++
      assert.equal(decide(was, view, facts).kind, 'allow', `seed ${seed}, round ${round}`)
    }
  }
  assert.ok(tightenings > 500 && compared > 500, `${tightenings} tightenings, ${compared} views allowed`)
})
