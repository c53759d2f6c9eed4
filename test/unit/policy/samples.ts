import {
  type Amount,
  decimalOf,
  type MemoView,
  type OperationView,
  type PreconditionsView,
  type StellarTransactionView,
  type TransactionBodyView,
} from '../../../src/domain/stellar.ts'
import type { Facts, PolicyDocument } from '../../../src/policy/index.ts'
import { alice, bob, carol, contractId } from '../../fuzz/xdr-corpus.ts'
import type { Rng } from '../../fuzz/xdr-mutator.ts'

/** Views and policies for the policy tests: fixed ones to vary by hand, random ones from a seed. */

export const NOW_MS = 1_790_000_000_500
export const NOW_S = 1_790_000_000n
export const facts: Facts = { now: NOW_MS, keyAddress: alice, keyNetwork: 'testnet' }
export const usd = `USD:${carol}`

export const amount = (stroops: bigint): Amount => ({ stroops, decimal: decimalOf(stroops) })
export const account = (address: string, muxedId: bigint | null = null) => ({ address, muxedId })

export const NO_CONDITIONS: PreconditionsView = {
  timeBounds: null,
  ledgerBounds: null,
  minSequence: null,
  minSequenceAgeSeconds: 0n,
  minSequenceLedgerGap: 0,
  extraSigners: [],
}
export const until = (maxTime: bigint, minTime = 0n): PreconditionsView => ({
  ...NO_CONDITIONS,
  timeBounds: { minTime, maxTime },
})

export type Payment = Extract<OperationView, { type: 'payment' }>

export const payment = (changes: Partial<Payment> = {}): Payment => ({
  type: 'payment',
  source: null,
  destination: account(bob),
  asset: 'native',
  amount: amount(100_000_000n),
  ...changes,
})

export const body = (changes: Partial<TransactionBodyView> = {}): TransactionBodyView => ({
  source: account(alice),
  feeStroops: 100n,
  resourceFeeStroops: null,
  sequence: 5n,
  preconditions: until(NOW_S + 300n),
  memo: { kind: 'none' },
  operations: [payment()],
  signatures: 0,
  ...changes,
})

export const view = (changes: Partial<TransactionBodyView> = {}, network = 'testnet'): StellarTransactionView => ({
  kind: 'transaction',
  network,
  ...body(changes),
})

export const bump = (
  inner: Partial<TransactionBodyView> = {},
  feeStroops = 400n,
  feeSource = account(alice),
): StellarTransactionView => ({
  kind: 'fee-bump',
  network: 'testnet',
  feeSource,
  feeStroops,
  inner: body(inner),
  signatures: 0,
})

/** Allows `view()` with little to spare. */
export const narrow: PolicyDocument = {
  version: 1,
  network: 'testnet',
  operations: ['payment'],
  fee: { maxStroops: '1000' },
  timeBounds: { maxLifetimeSeconds: 600 },
  payments: {
    destinations: [bob],
    assets: [{ asset: 'native', maxPerOperation: '10', maxPerTransaction: '15' }],
  },
}

const pick = <T>(rng: Rng, list: readonly T[]): T => {
  const chosen = list[rng.int(list.length)]
  if (chosen === undefined) throw new RangeError('Cannot pick from an empty list')
  return chosen
}
const often = (rng: Rng, percent: number): boolean => rng.int(100) < percent

const ADDRESSES = [alice, bob, carol]
const ASSETS = ['native', usd, `EUR:${bob}`]
const UNITS = [0n, 1n, 10_000_000n, 50_000_000n, 100_000_000n, 100_000_001n, 1_000_000_000n, -10_000_000n]

const randomAccount = (rng: Rng) => account(pick(rng, ADDRESSES), often(rng, 10) ? BigInt(rng.int(3)) : null)
const randomAmount = (rng: Rng): Amount => amount(pick(rng, UNITS.slice(0, often(rng, 85) ? 5 : UNITS.length)))
const randomPrice = (rng: Rng) => ({ numerator: rng.int(4) - (often(rng, 3) ? 1 : 0), denominator: rng.int(4) })

function randomInvocation(rng: Rng) {
  const roll = rng.int(20)
  if (roll === 0) return { kind: 'create-contract' } as const
  if (roll === 1) return { kind: 'upload-code', bytes: 9 } as const
  if (roll === 2) return { kind: 'unknown', name: 'x' } as const
  return { kind: 'call', contract: contractId, function: pick(rng, ['transfer', 'swap']), arguments: [] } as const
}

export function randomOperation(rng: Rng): OperationView {
  const source = often(rng, 25) ? randomAccount(rng) : null
  const destination = randomAccount(rng)
  const asset = pick(rng, ASSETS)
  const offer = { selling: asset, buying: pick(rng, ASSETS), amount: randomAmount(rng), price: randomPrice(rng) }
  const made: readonly OperationView[] = [
    { type: 'payment', source, destination, asset, amount: randomAmount(rng) },
    { type: 'payment', source, destination, asset, amount: randomAmount(rng) },
    { type: 'createAccount', source, destination: account(destination.address), startingBalance: randomAmount(rng) },
    {
      type: 'pathPaymentStrictReceive',
      source,
      destination,
      sendAsset: asset,
      sendMax: randomAmount(rng),
      destAsset: 'native',
      destAmount: amount(1n),
      path: [],
    },
    {
      type: 'pathPaymentStrictSend',
      source,
      destination,
      sendAsset: asset,
      sendAmount: randomAmount(rng),
      destAsset: 'native',
      destMin: amount(1n),
      path: [],
    },
    { type: 'manageSellOffer', source, ...offer, offerId: 0n },
    { type: 'manageBuyOffer', source, ...offer, offerId: 0n },
    { type: 'createPassiveSellOffer', source, ...offer },
    { type: 'changeTrust', source, line: usd, limit: amount(5n) },
    { type: 'manageData', source, name: 'a', value: null },
    { type: 'accountMerge', source, destination },
    { type: 'bumpSequence', source, bumpTo: 9n },
    {
      type: 'createClaimableBalance',
      source,
      asset,
      amount: randomAmount(rng),
      claimants: [{ destination: destination.address, conditional: false }],
    },
    {
      type: 'invokeHostFunction',
      source,
      invocation: randomInvocation(rng),
      authorizations: Array.from({ length: rng.int(2) }, () => ({
        credentials: pick(rng, ['source-account', 'address', 'unknown'] as const),
        address: null,
        invocations: [randomInvocation(rng)],
      })),
    },
    { type: 'unknown', source, name: 'teleport' },
    { type: 'inflation', source },
  ]
  return often(rng, 60) ? pick(rng, made.slice(0, 9)) : pick(rng, made)
}

const MEMOS: readonly MemoView[] = [
  { kind: 'none' },
  { kind: 'text', text: 'x' },
  { kind: 'id', id: 1n },
  { kind: 'hash', hash: '00' },
  { kind: 'return', hash: '00' },
]
const ENDS = [0n, NOW_S - 1n, NOW_S, NOW_S + 60n, NOW_S + 600n, NOW_S + 601n, (1n << 64n) - 1n]

export function randomView(rng: Rng): StellarTransactionView {
  const sane = often(rng, 70)
  const preconditions: PreconditionsView = {
    timeBounds: often(rng, 10) ? null : { minTime: 0n, maxTime: pick(rng, sane ? ENDS.slice(2, 5) : ENDS) },
    ledgerBounds: null,
    minSequence: often(rng, sane ? 2 : 20) ? 1n : null,
    minSequenceAgeSeconds: often(rng, sane ? 2 : 20) ? 1n : 0n,
    minSequenceLedgerGap: often(rng, sane ? 2 : 20) ? 1 : 0,
    extraSigners: often(rng, sane ? 2 : 20) ? [bob] : [],
  }
  const inner = body({
    source: sane ? account(alice) : randomAccount(rng),
    feeStroops: BigInt(pick(rng, [100, 200, 1000, 1001])),
    resourceFeeStroops: often(rng, 10) ? BigInt(pick(rng, [0, 50, 5000, -1])) : null,
    sequence: sane ? 5n : BigInt(rng.int(3) - 1),
    preconditions,
    memo: sane ? { kind: 'none' } : pick(rng, MEMOS),
    operations: Array.from({ length: sane ? 1 + rng.int(2) : rng.int(4) }, () => randomOperation(rng)),
  })
  const network = often(rng, 97) ? 'testnet' : 'public'
  if (often(rng, 80)) return { kind: 'transaction', network, ...inner }
  const feeStroops = BigInt(pick(rng, [200, 400, 1000, 1001, -1]))
  return { kind: 'fee-bump', network, feeSource: randomAccount(rng), feeStroops, inner, signatures: 0 }
}

export function randomDocument(rng: Rng): PolicyDocument {
  const some = <T>(list: readonly T[], percent = 70): T[] => list.filter(() => often(rng, percent))
  const cap = () => String(pick(rng, [0, 1, 5, 10, 100, 1000]))
  const destinations = often(rng, 40)
    ? ('any' as const)
    : some(ADDRESSES).map(address =>
        often(rng, 50)
          ? address
          : {
              account: address,
              memo: often(rng, 30) ? ('required' as const) : ('optional' as const),
              ...(often(rng, 50) ? { muxedIds: often(rng, 30) ? ('any' as const) : some(['0', '1', '2']) } : {}),
            },
      )
  const parts: Partial<PolicyDocument> = {
    network: often(rng, 95) ? 'testnet' : 'public',
    operations: some(
      ['payment', 'createAccount', 'pathPaymentStrictReceive', 'pathPaymentStrictSend', 'manageSellOffer']
        .concat(['manageBuyOffer', 'createPassiveSellOffer', 'changeTrust', 'manageData', 'createClaimableBalance'])
        .concat(['invokeHostFunction', 'inflation']),
      85,
    ),
    sensitiveOperations: some(['accountMerge', 'bumpSequence'], 40),
    fee: { maxStroops: pick(rng, ['100', '1000', '1000000']) },
    feeBump: often(rng, 70),
    timeBounds: often(rng, 40) ? 'any' : { maxLifetimeSeconds: pick(rng, [60, 600, 3600]) },
    preconditions: some(['minSequence', 'minSequenceAge', 'minSequenceLedgerGap', 'extraSigners'] as const, 40),
    sources: often(rng, 50) ? 'any' : some(ADDRESSES, 50),
    memo: some(['text', 'id', 'hash', 'return'] as const, 60),
    payments: {
      destinations,
      ...(often(rng, 30) ? { muxed: 'any' as const } : {}),
      assets: some(['native', usd, 'any'], 75).map(asset => ({
        asset,
        maxPerOperation: cap(),
        maxPerTransaction: cap(),
      })),
    },
    contracts: often(rng, 60) ? [{ contract: contractId, functions: ['transfer', 'swap'].slice(rng.int(2)) }] : [],
  }
  const kept = Object.entries(parts).filter(() => often(rng, 94))
  return { version: 1, ...Object.fromEntries(kept) }
}
