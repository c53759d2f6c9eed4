import { StrKey } from '@stellar/stellar-sdk/base'
import { fromHex } from '../../bytes/hex.ts'
import type { NeededWeight } from '../../domain/proposals.ts'
import type { OperationView, StellarTransactionView } from '../../domain/stellar.ts'

/** Signatures against thresholds, as validators count them. Pure. */

export type Level = 'low' | 'medium' | 'high'

/** What an account has to agree to, at which of its thresholds. */
export interface AccountLevel {
  readonly account: string
  readonly level: Level
}

const RANK: Readonly<Record<Level, number>> = { low: 0, medium: 1, high: 2 }

/** What is not here takes the medium threshold; what is not known, the high one. */
const LEVELS: Partial<Readonly<Record<OperationView['type'], Level>>> = {
  allowTrust: 'low',
  setTrustLineFlags: 'low',
  bumpSequence: 'low',
  claimClaimableBalance: 'low',
  inflation: 'low',
  extendFootprintTtl: 'low',
  restoreFootprint: 'low',
  accountMerge: 'high',
  unknown: 'high',
}

/** @see https://developers.stellar.org/docs/learn/fundamentals/transactions/signatures-multisig, table of thresholds */
function levelOf(operation: OperationView): Level {
  if (operation.type !== 'setOptions') return LEVELS[operation.type] ?? 'medium'
  const { masterWeight, lowThreshold, mediumThreshold, highThreshold, signer } = operation
  const rules = [masterWeight, lowThreshold, mediumThreshold, highThreshold, signer]
  return rules.some(each => each !== null) ? 'high' : 'medium'
}

/**
 * The accounts whose signatures a transaction needs, its source first, each with the highest threshold that it reaches. Of a
 * fee bump the account that pays, for the inner transaction is signed already.
 */
export function levelsOf(view: StellarTransactionView): readonly AccountLevel[] {
  if (view.kind === 'fee-bump') return [{ account: view.feeSource.address, level: 'low' }]
  const levels = new Map<string, Level>([[view.source.address, 'low']])
  for (const operation of view.operations) {
    const { address } = operation.source ?? view.source
    const [level, before] = [levelOf(operation), levels.get(address)]
    if (before === undefined || RANK[level] > RANK[before]) levels.set(address, level)
  }
  return [...levels].map(([account, level]) => ({ account, level }))
}

/** Signers that the transaction itself asks for, whatever accounts say (CAP-21). Of a fee bump the inner one has been signed for. */
export const extraSignersOf = (view: StellarTransactionView): readonly string[] =>
  view.kind === 'transaction' ? view.preconditions.extraSigners : []

/** No signer counts for more, whatever its account says. */
export const WEIGHT_MAX = 255

export interface Weighed extends NeededWeight {
  /** Of those who have signed, with transactions approved beforehand. */
  readonly weight: number
  /** What is still missing; 0: this account agrees. */
  readonly missing: number
  /** Who has signed for this account. */
  readonly signed: readonly string[]
}

export interface Weights {
  readonly accounts: readonly Weighed[]
  readonly ready: boolean
  /** The signers whose signatures a validator has a use for, in the order that was given. It refuses more than that (txBAD_AUTH_EXTRA). */
  readonly used: readonly string[]
}

/**
 * @param hash    of the transaction, hex: an account may have approved it beforehand (T…)
 * @param signers who has signed, in the order of the envelope
 */
export function weigh(needed: readonly NeededWeight[], hash: string, signers: readonly string[]): Weights {
  const approved = preAuthorized(hash)
  const used = new Set<string>()
  const accounts = needed.map((account): Weighed => {
    const weights = new Map(account.signers.map(({ key, weight }) => [key, Math.min(weight, WEIGHT_MAX)]))
    const signed = [approved, ...signers].filter(signer => (weights.get(signer) ?? 0) > 0)
    let weight = 0
    for (const signer of inTurn(signed)) {
      if (weight < account.threshold && signer !== approved) used.add(signer)
      weight += weights.get(signer) ?? 0
    }
    return { ...account, weight, missing: Math.max(0, account.threshold - weight), signed }
  })
  return {
    accounts,
    ready: accounts.every(({ missing }) => missing === 0),
    used: signers.filter(signer => used.has(signer)),
  }
}

/** The order in which validators look at them: T…, X…, G…, P…; within a kind that of the envelope. */
const inTurn = (signers: readonly string[]): readonly string[] =>
  ['T', 'X', 'G', 'P'].flatMap(kind => signers.filter(signer => signer.startsWith(kind)))

function preAuthorized(hash: string): string {
  const bytes = fromHex(hash)
  if (bytes?.length !== 32) throw new RangeError('a transaction hash has 32 bytes')
  return StrKey.encodePreAuthTx(bytes)
}

/** Whether those who may sign can reach the threshold at all, with all other signatures they can give. */
export const canBeReached = ({ threshold, signers }: NeededWeight): boolean =>
  signers.reduce((sum, { weight }) => sum + Math.min(weight, WEIGHT_MAX), 0) >= threshold
