/**
 * A Stellar transaction as a human and a policy see it: decoded, typed, nothing left as bytes. The Stellar chain module
 * makes it, policy judges it; neither knows the other.
 *
 * Every text in it that a caller chose (memo, home domain, data name, asset code, function name) is in the escape form of
 * SEP-51: printable ASCII, with `\n`, `\xff` and so on for the rest, so it can stand in a log line or a sentence.
 */

/** @see SEP-23. `muxedId` is the sub-account number of an M… address; the account that signs and pays is `address`. */
export interface AccountView {
  /** G…, the account underneath. */
  readonly address: string
  readonly muxedId: bigint | null
}

/** @see SEP-11: `native` or `CODE:ISSUER`. The same text for the same asset, always. */
export type AssetId = string

/** Seven decimal places, whatever the asset. May be negative: the encoding allows it, the network and policy do not. */
export interface Amount {
  readonly stroops: bigint
  readonly decimal: string
}

export interface PriceView {
  readonly numerator: number
  readonly denominator: number
}

export type MemoView =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'id'; readonly id: bigint }
  /** Hex. */
  | { readonly kind: 'hash' | 'return'; readonly hash: string }

/** @see CAP-21. Times in seconds since the epoch; `maxTime` 0 means no end. */
export interface PreconditionsView {
  readonly timeBounds: { readonly minTime: bigint; readonly maxTime: bigint } | null
  readonly ledgerBounds: { readonly minLedger: number; readonly maxLedger: number } | null
  readonly minSequence: bigint | null
  readonly minSequenceAgeSeconds: bigint
  readonly minSequenceLedgerGap: number
  /** Strkeys (G, T, X, P). */
  readonly extraSigners: readonly string[]
}

export const NO_PRECONDITIONS: PreconditionsView = {
  timeBounds: null,
  ledgerBounds: null,
  minSequence: null,
  minSequenceAgeSeconds: 0n,
  minSequenceLedgerGap: 0,
  extraSigners: [],
}

export const CONTRACT_INTEGERS = [
  'u32',
  'i32',
  'u64',
  'i64',
  'u128',
  'i128',
  'u256',
  'i256',
  'timepoint',
  'duration',
] as const

/**
 * A value handed to a contract (SCVal). Whatever the Soroban host would not take as an argument, or this signer does not
 * know, is `unknown`: no rule matches it.
 */
export type ContractValue =
  | { readonly kind: 'void' }
  | { readonly kind: 'bool'; readonly value: boolean }
  /** `timepoint` and `duration` in seconds. */
  | { readonly kind: 'integer'; readonly type: (typeof CONTRACT_INTEGERS)[number]; readonly value: bigint }
  | { readonly kind: 'symbol' | 'string'; readonly text: string }
  /** Hex. */
  | { readonly kind: 'bytes'; readonly hex: string }
  /** G…, C…, B… or L…; of a muxed account the G… underneath and its id. */
  | { readonly kind: 'address'; readonly address: string; readonly muxedId: bigint | null }
  | { readonly kind: 'vec'; readonly items: readonly ContractValue[] }
  | {
      readonly kind: 'map'
      readonly entries: readonly { readonly key: ContractValue; readonly value: ContractValue }[]
    }
  | { readonly kind: 'error'; readonly name: string }
  | { readonly kind: 'unknown'; readonly name: string }

/** One contract call or deployment, wherever it stands: in the operation itself or in an authorization tree. */
export type InvocationView =
  | {
      readonly kind: 'call'
      readonly contract: string
      readonly function: string
      readonly arguments: readonly ContractValue[]
    }
  | { readonly kind: 'create-contract' }
  | { readonly kind: 'upload-code'; readonly bytes: number }
  | { readonly kind: 'unknown'; readonly name: string }

/** An authorization entry. `source-account` entries are authorized by the very signature that is asked for. */
export interface AuthorizationView {
  readonly credentials: 'source-account' | 'address' | 'address-v2' | 'address-with-delegates' | 'unknown'
  /** Null for `source-account`. */
  readonly address: string | null
  /** The whole tree, root first, depth first. */
  readonly invocations: readonly InvocationView[]
}

export interface ClaimantView {
  readonly destination: string
  readonly conditional: boolean
}

interface Typed<T extends string> {
  readonly type: T
  /** Null: the source of the transaction. */
  readonly source: AccountView | null
}

interface Offer {
  readonly selling: AssetId
  readonly buying: AssetId
  readonly amount: Amount
  readonly price: PriceView
}

/** One arm an operation type of protocol 27. A type this list does not have is `unknown` and never allowed. */
export type OperationView =
  | (Typed<'createAccount'> & { readonly destination: AccountView; readonly startingBalance: Amount })
  | (Typed<'payment'> & { readonly destination: AccountView; readonly asset: AssetId; readonly amount: Amount })
  | (Typed<'pathPaymentStrictReceive'> & {
      readonly sendAsset: AssetId
      readonly sendMax: Amount
      readonly destination: AccountView
      readonly destAsset: AssetId
      readonly destAmount: Amount
      readonly path: readonly AssetId[]
    })
  | (Typed<'pathPaymentStrictSend'> & {
      readonly sendAsset: AssetId
      readonly sendAmount: Amount
      readonly destination: AccountView
      readonly destAsset: AssetId
      readonly destMin: Amount
      readonly path: readonly AssetId[]
    })
  | (Typed<'manageSellOffer'> & Offer & { readonly offerId: bigint })
  /** `amount` is what is bought; `price` is in units sold for one bought. */
  | (Typed<'manageBuyOffer'> & Offer & { readonly offerId: bigint })
  | (Typed<'createPassiveSellOffer'> & Offer)
  | (Typed<'setOptions'> & {
      readonly inflationDestination: string | null
      readonly clearFlags: number | null
      readonly setFlags: number | null
      readonly masterWeight: number | null
      readonly lowThreshold: number | null
      readonly mediumThreshold: number | null
      readonly highThreshold: number | null
      readonly homeDomain: string | null
      readonly signer: { readonly key: string; readonly weight: number } | null
    })
  /** `line` is an asset, or `pool:` and both assets and the fee of a liquidity pool. Limit 0 removes the line. */
  | (Typed<'changeTrust'> & { readonly line: string; readonly limit: Amount })
  | (Typed<'allowTrust'> & { readonly trustor: string; readonly code: string; readonly authorize: number })
  | (Typed<'accountMerge'> & { readonly destination: AccountView })
  | Typed<'inflation'>
  /** `value` is hex; null removes the entry. */
  | (Typed<'manageData'> & { readonly name: string; readonly value: string | null })
  | (Typed<'bumpSequence'> & { readonly bumpTo: bigint })
  | (Typed<'createClaimableBalance'> & {
      readonly asset: AssetId
      readonly amount: Amount
      readonly claimants: readonly ClaimantView[]
    })
  | (Typed<'claimClaimableBalance'> & { readonly balance: string })
  | (Typed<'beginSponsoringFutureReserves'> & { readonly sponsored: string })
  | Typed<'endSponsoringFutureReserves'>
  | (Typed<'revokeSponsorship'> & { readonly target: string })
  | (Typed<'clawback'> & { readonly asset: AssetId; readonly from: AccountView; readonly amount: Amount })
  | (Typed<'clawbackClaimableBalance'> & { readonly balance: string })
  | (Typed<'setTrustLineFlags'> & {
      readonly trustor: string
      readonly asset: AssetId
      readonly clearFlags: number
      readonly setFlags: number
    })
  | (Typed<'liquidityPoolDeposit'> & {
      readonly pool: string
      readonly maxAmountA: Amount
      readonly maxAmountB: Amount
      readonly minPrice: PriceView
      readonly maxPrice: PriceView
    })
  | (Typed<'liquidityPoolWithdraw'> & {
      readonly pool: string
      readonly amount: Amount
      readonly minAmountA: Amount
      readonly minAmountB: Amount
    })
  | (Typed<'invokeHostFunction'> & {
      readonly invocation: InvocationView
      readonly authorizations: readonly AuthorizationView[]
    })
  | (Typed<'extendFootprintTtl'> & { readonly extendTo: number })
  | Typed<'restoreFootprint'>
  | (Typed<'unknown'> & { readonly name: string })

export type OperationType = OperationView['type']

/** What a V0 or V1 envelope asks for; V0 is seen as the V1 it stands for. */
export interface TransactionBodyView {
  readonly source: AccountView
  /** The most the network may charge, resource fee included. */
  readonly feeStroops: bigint
  /** The part of it that pays for Soroban resources; null outside Soroban. */
  readonly resourceFeeStroops: bigint | null
  /** 0 marks a SEP-10 challenge. */
  readonly sequence: bigint
  readonly preconditions: PreconditionsView
  readonly memo: MemoView
  readonly operations: readonly OperationView[]
  /** Signatures already on the envelope. */
  readonly signatures: number
}

export type StellarTransactionView =
  | ({ readonly kind: 'transaction'; readonly network: string } & TransactionBodyView)
  | {
      readonly kind: 'fee-bump'
      readonly network: string
      readonly feeSource: AccountView
      /** What the fee source may be charged in all. May be negative in the encoding. */
      readonly feeStroops: bigint
      readonly inner: TransactionBodyView
      readonly signatures: number
    }

/**
 * A Soroban authorization that an account gives apart from a transaction: what its signature lets contracts do.
 * @see CAP-46-11, CAP-71
 */
export interface StellarAuthorizationView {
  readonly kind: 'authorization'
  readonly network: string
  /** `legacy`: the preimage does not name the account, so it is good for every account of the key (T31). */
  readonly form: 'legacy' | 'with-address'
  /** Of the entry that was sent; a preimage says nothing about it beyond its form. */
  readonly credentials: 'address' | 'address-v2' | 'address-with-delegates'
  /** Whose authorization: G… or C…; null in a legacy preimage that came without its entry. */
  readonly address: string | null
  /** True: the key signs as a delegate of `address`, not as `address` itself. */
  readonly asDelegate: boolean
  readonly nonce: bigint
  /** The last ledger in which it is good. */
  readonly expirationLedger: number
  /** The whole tree, root first, depth first. */
  readonly invocations: readonly InvocationView[]
}

/** A SEP-10 challenge: a transaction that can never run, signed to show who somebody is. Addresses are G…, or M… for a muxed client. */
export interface ChallengeView {
  readonly kind: 'challenge'
  readonly network: string
  /** `server`: the key issues the challenge, as an anchor does. `client`: the key answers one that the server has signed. */
  readonly role: 'server' | 'client'
  readonly serverAddress: string
  readonly clientAddress: string
  /** G…, the account underneath. */
  readonly clientAccount: string
  readonly homeDomain: string
  readonly webAuthDomain: string | null
  readonly clientDomain: string | null
  /** Memo id, where the client is a sub-account. */
  readonly memo: bigint | null
  /** Seconds since the epoch. */
  readonly minTime: bigint
  readonly maxTime: bigint
}

/** Every operation type there is, in the order of the protocol. */
export const OPERATION_TYPES = [
  'createAccount',
  'payment',
  'pathPaymentStrictReceive',
  'manageSellOffer',
  'createPassiveSellOffer',
  'setOptions',
  'changeTrust',
  'allowTrust',
  'accountMerge',
  'inflation',
  'manageData',
  'bumpSequence',
  'manageBuyOffer',
  'pathPaymentStrictSend',
  'createClaimableBalance',
  'claimClaimableBalance',
  'beginSponsoringFutureReserves',
  'endSponsoringFutureReserves',
  'revokeSponsorship',
  'clawback',
  'clawbackClaimableBalance',
  'setTrustLineFlags',
  'liquidityPoolDeposit',
  'liquidityPoolWithdraw',
  'invokeHostFunction',
  'extendFootprintTtl',
  'restoreFootprint',
] as const satisfies readonly OperationType[]

/** Seven places, no exponent, no superfluous zeros: 105000000n is `10.5`. */
export function decimalOf(stroops: bigint): string {
  const sign = stroops < 0n ? '-' : ''
  const digits = (stroops < 0n ? -stroops : stroops).toString().padStart(8, '0')
  const whole = digits.slice(0, -7)
  let end = 7
  const fraction = digits.slice(-7)
  while (end > 0 && fraction.charAt(end - 1) === '0') end--
  return end === 0 ? `${sign}${whole}` : `${sign}${whole}.${fraction.slice(0, end)}`
}
