import { ORDINARY_OPERATIONS } from './fields.ts'
import { type Policy, type PolicyDocument, parsePolicy } from './schema.ts'

const STRICT: PolicyDocument = { version: 1 }

/**
 * What `dev` gives its keys: everyday operations on the test network, from any account to any account, up to 10,000 of
 * an asset in one operation and 100,000 in one transaction, fees up to 10 XLM, fee bumps, any memo, with or without
 * time bounds (stellar-cli writes none). Nothing that changes control of an account, no contracts.
 */
const DEMO: PolicyDocument = {
  version: 1,
  network: 'testnet',
  operations: ORDINARY_OPERATIONS.filter(type => type !== 'invokeHostFunction'),
  fee: { maxStroops: '100000000' },
  feeBump: true,
  timeBounds: 'any',
  sources: 'any',
  memo: ['text', 'id', 'hash', 'return'],
  payments: {
    destinations: 'any',
    muxed: 'any',
    assets: [{ asset: 'any', maxPerOperation: '10000', maxPerTransaction: '100000' }],
  },
  messages: [{ prefix: 'Countersign demo', maxBytes: 1000 }],
  approvals: [{ action: 'demo.release', audiences: 'any', maxLifetimeSeconds: 3600 }],
}

/** The policy of a new key: it denies everything until its operator says otherwise. */
export const defaultPolicy = (): Policy => parsePolicy(STRICT)

/** What `dev` gives its EVM keys: up to 1 ether to anybody on Sepolia, fees up to 0.1 ether, and messages that say what they are. */
const DEMO_EVM: PolicyDocument = {
  version: 1,
  network: 'sepolia',
  evm: {
    fee: { maxWei: '100000000000000000' },
    maxWei: '1000000000000000000',
    payments: { destinations: 'any' },
  },
  messages: [{ prefix: 'Countersign demo', maxBytes: 1000 }],
  approvals: [{ action: 'demo.release', audiences: 'any', maxLifetimeSeconds: 3600 }],
}

/** For development keys only. */
export const demoEvmPolicy = (): Policy => parsePolicy(DEMO_EVM)

/** For development keys only. */
export const demoPolicy = (): Policy => parsePolicy(DEMO)

/** What every preset below asks for. Amounts are decimal text, fees stroops. */
interface Common {
  readonly network: string
  /** 100,000 stroops are enough for a busy network and many operations; contract calls need more. */
  readonly feeMaxStroops?: string
}

const DAY_SECONDS = 86_400

/** Ends within ten minutes. */
const base = ({ network, feeMaxStroops = '100000' }: Common) =>
  ({
    version: 1,
    network,
    fee: { maxStroops: feeMaxStroops },
    timeBounds: { maxLifetimeSeconds: 600 },
  }) as const satisfies PolicyDocument

/** Of all transactions of a day. */
const FEE_WINDOW = { asset: 'fee', seconds: DAY_SECONDS, max: '10' } as const

/** One asset, capped for each payment, each receiver and the day. */
interface Money {
  readonly asset: string
  readonly maxPerPayment: string
  readonly maxPerTransaction: string
  readonly maxPerDay: string
}

const capsOf = ({ asset, maxPerPayment, maxPerTransaction }: Money) => [
  { asset, maxPerOperation: maxPerPayment, maxPerTransaction },
]

/** Payments to many receivers, whose accounts exist or may be created when `asset` is `native`. */
export const payoutsPreset = (
  given: Common &
    Money & { readonly destinations: 'any' | readonly string[]; readonly maxPerDestinationPerDay: string },
): PolicyDocument => ({
  ...base(given),
  operations: given.asset === 'native' ? ['payment', 'createAccount'] : ['payment', 'createClaimableBalance'],
  feeBump: true,
  memo: ['text', 'id', 'hash'],
  payments: {
    destinations: given.destinations === 'any' ? 'any' : [...given.destinations],
    muxed: 'any',
    assets: capsOf(given),
  },
  windows: [
    { asset: given.asset, seconds: DAY_SECONDS, max: given.maxPerDay },
    { asset: given.asset, destination: 'each', seconds: DAY_SECONDS, max: given.maxPerDestinationPerDay },
    FEE_WINDOW,
  ],
})

/**
 * Money held for others: it leaves to the parties of the deal alone, at once or as a claimable balance, and nothing else
 * can be done with the account. `arbiters` are those who may be source beside the key's own account.
 */
export const escrowPreset = (
  given: Common & Money & { readonly parties: readonly string[]; readonly arbiters?: readonly string[] },
): PolicyDocument => ({
  ...base(given),
  operations: ['payment', 'createClaimableBalance'],
  ...(given.arbiters === undefined ? {} : { sources: [...given.arbiters] }),
  memo: ['text', 'hash'],
  payments: { destinations: [...given.parties], assets: capsOf(given) },
  windows: [{ asset: given.asset, seconds: DAY_SECONDS, max: given.maxPerDay }, FEE_WINDOW],
})

/**
 * The key that may take back what has not vested: it calls `revoke` of the vesting contract for the grantees named, with
 * the treasury as the only place where tokens may go, and moves nothing itself.
 */
export const vestingRevocationPreset = (
  given: Common & {
    readonly contract: string
    readonly revoke?: string
    readonly grantees: readonly string[]
    readonly treasury: string
  },
): PolicyDocument => ({
  ...base({ feeMaxStroops: '10000000', ...given }),
  operations: ['invokeHostFunction', 'extendFootprintTtl', 'restoreFootprint'],
  contracts: [
    {
      contract: given.contract,
      functions: [
        {
          name: given.revoke ?? 'revoke',
          arguments: [
            { at: 0, addresses: [...given.grantees] },
            { at: 1, addresses: [given.treasury] },
          ],
        },
      ],
    },
  ],
  windows: [FEE_WINDOW],
})

/**
 * A key that runs contracts: the functions named, with the arguments named; and a token, whose transfers and allowances
 * stay within caps, receivers and days, wherever in the call tree they stand.
 */
export const sorobanOperatorPreset = (
  given: Common & {
    readonly contracts: NonNullable<PolicyDocument['contracts']>
    readonly token?: Money & { readonly contract: string; readonly destinations: readonly string[] }
  },
): PolicyDocument => {
  const { contracts, token } = given
  const calls = {
    ...base({ feeMaxStroops: '10000000', ...given }),
    operations: ['invokeHostFunction', 'extendFootprintTtl', 'restoreFootprint'],
    contracts,
  } satisfies PolicyDocument
  if (token === undefined) return { ...calls, windows: [FEE_WINDOW] }
  return {
    ...calls,
    tokens: [{ contract: token.contract, asset: token.asset, functions: ['transfer', 'approve', 'balance'] }],
    payments: { destinations: [...token.destinations], assets: capsOf(token) },
    windows: [{ asset: token.asset, seconds: DAY_SECONDS, max: token.maxPerDay }, FEE_WINDOW],
  }
}
