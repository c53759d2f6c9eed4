import type { PayloadView } from '../domain/payload.ts'
import type { StellarTransactionView, TransactionBodyView } from '../domain/stellar.ts'
import type { Finding } from './finding.ts'
import { type Moves, movesOf } from './moves.ts'
import type { Destination, Policy } from './schema.ts'

/** What a decision depends on besides policy and transaction; nothing else in the world does. */
export interface Facts {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** G… or 0x… of the key that would sign. */
  readonly keyAddress: string
  /** The account that it signs for, where that is not its address: a Stellar account keeps its name when its key changes. */
  readonly keyAccount?: string | undefined
  /**
   * The key, whose versions share what they spend: during a rotation two of them sign for one account. Absent where no key is
   * registered: then its address stands for it.
   */
  readonly keyName?: string
  /** The network the key is bound to. */
  readonly keyNetwork: string
  /** The last closed ledger, where somebody knows it. */
  readonly ledger?: number
  /** The chain an EVM key is pinned to. */
  readonly keyChainId?: bigint
}

/** What `own` and `self` mean: nothing else is the key's own, not even its bare address where it signs for another account. */
export const ownAccount = ({ keyAccount, keyAddress }: Pick<Facts, 'keyAccount' | 'keyAddress'>): string =>
  keyAccount ?? keyAddress

export interface Question {
  readonly policy: Policy
  readonly view: StellarTransactionView
  readonly facts: Facts
  /** What each operation moves, in their order. */
  readonly moves: readonly Moves[]
}

/** Whatever a key may be asked to sign. */
export type PolicyView = PayloadView

export type Rule = (question: Question) => Finding

export const nth = (at: number): string => `operation ${at + 1}`

export function questionOf(policy: Policy, view: StellarTransactionView, facts: Facts): Question {
  let moves: readonly Moves[] | undefined
  return {
    policy,
    view,
    facts,
    get moves() {
      moves ??= bodyOf({ view }).operations.map(operation => movesOf(operation, policy.rules.tokens ?? []))
      return moves
    },
  }
}

/** The transaction that would run: of a fee bump, the inner one. */
export const bodyOf = ({ view }: Pick<Question, 'view'>): TransactionBodyView =>
  view.kind === 'transaction' ? view : view.inner

const indexes = new WeakMap<readonly Destination[], ReadonlyMap<string, Destination>>()

/** A list of destinations may be long, and stays the same as long as its policy does. */
export function destinationIn(list: readonly Destination[], account: string): Destination | undefined {
  let index = indexes.get(list)
  if (index === undefined) {
    index = new Map(list.map(entry => [entry.account, entry]))
    indexes.set(list, index)
  }
  return index.get(account)
}
