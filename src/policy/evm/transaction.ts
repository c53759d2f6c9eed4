import type { EvmAuthorizationView, EvmSetCodeView, EvmTransactionView } from '../../domain/evm.ts'
import { judgeCall, tokenCaps, type TokenSums } from './calls.ts'
import { deny, type Finding, undecided, worst } from '../finding.ts'
import { lowerAddress } from './fields.ts'
import type { EvmGrants } from './schema.ts'
import { bytesOf, type CallNode, hashOf, readCall, valueOf } from './tree.ts'

const GAS_PER_BLOB = 131_072n // EIP-4844
const TYPES: readonly number[] = [0, 1, 2, 3, 4]

/** What a decision depends on besides policy and payload; nothing else in the world does. */
export interface EvmFacts {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Of the key that would sign: 0x… or G…. */
  readonly keyAddress: string
  /** The key, whose versions share what they spend. */
  readonly keyName?: string | undefined
  /** The network the key is bound to. */
  readonly keyNetwork: string
  /** The chain the key is pinned to; absent for a key that is not of an EVM chain. */
  readonly keyChainId?: bigint | undefined
}

export type Named = readonly [rule: string, finding: () => Finding]

/** The most that gas and blobs may cost. */
export const feeOf = (view: EvmTransactionView): bigint =>
  view.gasLimit * view.maxFeePerGasWei + BigInt(view.blobs) * GAS_PER_BLOB * view.maxFeePerBlobGasWei

/** What the transaction calls; `undefined` where it creates a contract instead. */
export const callOf = (view: EvmTransactionView): CallNode | undefined =>
  view.to === null ? undefined : readCall({ to: view.to, valueWei: view.valueWei, data: view.data, operation: 0n })

export function transactionRules(grants: EvmGrants | undefined, view: EvmTransactionView, facts: EvmFacts): Named[] {
  const given = grants ?? {}
  const own = lowerAddress(facts.keyAddress)
  const sums: TokenSums = new Map()
  let read: { readonly call: CallNode | undefined } | undefined
  const called = (): CallNode | undefined => (read ??= { call: callOf(view) }).call
  return [
    ['evm-chain', () => chainFinding(view.chainId, facts)],
    ['evm-type', () => typeFinding(given, view)],
    ['evm-from', () => fromFinding(view, own)],
    ['evm-fee', () => feeFinding(given, view)],
    ['evm-set-code', () => worst(view.authorizations.map(one => authorizationFinding(given, one, facts)))],
    ['evm-create', () => (called() === undefined ? createFinding(given, view) : undefined)],
    ['evm-value', () => valueFinding(given, movedBy(called(), view))],
    [
      'evm-calls',
      () => {
        const call = called()
        if (call === undefined) return undefined
        return own === undefined
          ? undecided('the key has no EVM address')
          : judgeCall(call, { grants: given, own }, sums)
      },
    ],
    ['evm-tokens', () => tokenCaps(given, sums)],
  ]
}

const movedBy = (call: CallNode | undefined, { valueWei }: EvmTransactionView): bigint =>
  call === undefined ? valueWei : valueOf(call)

export const setCodeRules = (grants: EvmGrants | undefined, view: EvmSetCodeView, facts: EvmFacts): Named[] => [
  ['evm-set-code', () => authorizationFinding(grants ?? {}, view, facts)],
]

/** Key and payload must mean the same chain, and it must be one. */
export function chainFinding(chainId: unknown, { keyChainId }: EvmFacts): Finding {
  if (typeof keyChainId !== 'bigint' || keyChainId <= 0n) return undecided('the key is not pinned to a chain')
  if (typeof chainId !== 'bigint') return undecided('the payload names no chain')
  return chainId === keyChainId
    ? undefined
    : deny(`the payload is for chain ${chainId}; the key is pinned to ${keyChainId}`)
}

/** Types 3 and 4 have grants of their own, and each type has only what belongs to it. */
function typeFinding({ blobs, setCode }: EvmGrants, view: EvmTransactionView): Finding {
  if (!TYPES.includes(view.type)) return undecided(`transactions of type ${view.type} are not known here`)
  if (view.type === 3) {
    if (blobs === undefined) return deny('the policy grants no transactions with blobs (type 3)')
    if (!(view.blobs >= 1 && view.blobs <= blobs.max))
      return deny(`${view.blobs} blobs are not between 1 and ${blobs.max}`)
  } else if (view.blobs !== 0 || view.maxFeePerBlobGasWei !== 0n) {
    return undecided(`a transaction of type ${view.type} has no blobs`)
  }
  if (view.type === 4) {
    if (setCode === undefined) return deny('the policy grants no transactions that set code (type 4)')
    if (view.authorizations.length === 0) return deny('a transaction of type 4 needs an authorization')
  } else if (view.authorizations.length !== 0) {
    return undecided(`a transaction of type ${view.type} has no authorizations`)
  }
  return view.type > 2 && view.to === null ? deny(`a transaction of type ${view.type} creates no contract`) : undefined
}

function fromFinding({ from, nonce }: EvmTransactionView, own: string | undefined): Finding {
  if (own === undefined) return undecided('the key has no EVM address')
  if (lowerAddress(from) !== own) return deny(`the transaction is from ${from}, which is not the account of the key`)
  return nonce >= 0n ? undefined : deny(`nonce ${nonce} is not one`)
}

function feeFinding({ fee }: EvmGrants, view: EvmTransactionView): Finding {
  const { gasLimit, maxFeePerGasWei, maxPriorityFeePerGasWei, maxFeePerBlobGasWei } = view
  if (fee === undefined) return deny('the policy grants no fee')
  for (const part of [gasLimit, maxFeePerGasWei, maxPriorityFeePerGasWei, maxFeePerBlobGasWei]) {
    if (!(part >= 0n)) return deny(`a part of the fee is ${part}`)
  }
  if (view.type >= 2 && maxPriorityFeePerGasWei > maxFeePerGasWei) {
    return deny(`the priority fee of ${maxPriorityFeePerGasWei} wei is above the whole of ${maxFeePerGasWei}`)
  }
  const most = feeOf(view)
  return most > fee.maxWei ? deny(`the fee of up to ${most} wei is above ${fee.maxWei}`) : undefined
}

/** Also of those that others signed: the transaction brings them to the chain. */
function authorizationFinding({ setCode }: EvmGrants, view: EvmAuthorizationView, facts: EvmFacts): Finding {
  const code = lowerAddress(view.address)
  if (setCode === undefined) return deny('the policy grants no account to be given code (EIP-7702)')
  if (code === undefined) return undecided('an authorization names no code')
  if (!(view.nonce >= 0n)) return deny(`nonce ${view.nonce} is not one`)
  if (view.chainId === 0n) {
    if (setCode.anyChain !== true) return deny('an authorization for chain 0 is good on every chain')
    if (typeof facts.keyChainId !== 'bigint') return undecided('the key is not pinned to a chain')
  } else {
    const finding = chainFinding(view.chainId, facts)
    if (finding !== undefined) return finding
  }
  return setCode.codes.has(code) ? undefined : deny(`the code at ${code} is not listed`)
}

function createFinding({ create }: EvmGrants, { data }: EvmTransactionView): Finding {
  if (create === undefined) return deny('the policy grants no contracts to be created')
  const code = bytesOf(data)
  if (code === undefined || code.length === 0) return undecided('the transaction creates a contract of no code')
  const hash = hashOf(code)
  if (create.initCodeHashes === 'any' || create.initCodeHashes.includes(hash)) return undefined
  return deny(`the hash of the init code, ${hash}, is not listed`)
}

export function valueFinding({ maxWei = 0n }: EvmGrants, sum: bigint): Finding {
  if (!(sum >= 0n)) return deny(`the transaction carries ${sum} wei`)
  return sum > maxWei ? deny(`${sum} wei in one transaction are above ${maxWei}`) : undefined
}
