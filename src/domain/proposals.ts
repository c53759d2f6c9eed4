/** A transaction that waits for signatures of several keys: ours, and others' that are handed in. */
import type { Notice } from './notices.ts'

/** How much one account of the transaction asks for. */
export interface NeededWeight {
  /** G…. */
  readonly account: string
  /** The threshold that the operations of this account reach (low, medium or high), 1 to 255. */
  readonly threshold: number
  /** Who may sign for it, and with what weight. Ed25519 (G…), pre-authorized transaction (T…), hash (X…), signed payload (P…). */
  readonly signers: readonly { readonly key: string; readonly weight: number }[]
}

export interface CollectedSignature {
  /** Of the signers of an account, the one it verifies under: G…, P… or X…. */
  readonly signer: string
  /** Base64, 64 bytes; of X… the value that its hash was made of. */
  readonly signature: string
  /** Name of our key, where one of ours signed. */
  readonly key: string | null
  /** Subject of the token that brought it. */
  readonly by: string
  readonly at: number
}

/** `executing`: one process has taken it and sends it; only that process, or after `leaseUntil` another, may end it. */
export const PROPOSAL_STATES = ['collecting', 'executing', 'executed', 'failed', 'cancelled', 'expired'] as const
export type ProposalState = (typeof PROPOSAL_STATES)[number]

export interface Proposal {
  readonly id: string
  /** Our name of the network. */
  readonly network: string
  /** Transaction hash, hex. */
  readonly hash: string
  /** The envelope without signatures, base64 XDR. */
  readonly envelope: string
  /** What it does, one sentence. */
  readonly summary: string
  /** Our keys that may sign it, by name. */
  readonly keys: readonly string[]
  readonly needed: readonly NeededWeight[]
  readonly signatures: readonly CollectedSignature[]
  readonly proposedBy: string
  /** Milliseconds since the epoch. */
  readonly proposedAt: number
  readonly expiresAt: number
  readonly state: ProposalState
  /** While executing. */
  readonly leaseUntil: number | null
  /** How it ended: the ledger it is in, or why not. */
  readonly outcome: string | null
}

/** As it is proposed: nothing has happened to it. */
export type NewProposal = Omit<Proposal, 'signatures' | 'state' | 'leaseUntil' | 'outcome'>

export const opened = (proposal: NewProposal): Proposal => ({
  ...proposal,
  signatures: [],
  state: 'collecting',
  leaseUntil: null,
  outcome: null,
})

/**
 * What is told of a change, once and for all who listen: written in the same step as the change, so that neither is without
 * the other. Pure; it sees the proposal as it stands after the change.
 */
export type Tell = (after: Proposal) => readonly Notice[]

export interface ProposalStore {
  /** @throws `proposal/conflict` when the same transaction waits already, or the id is taken */
  open(proposal: NewProposal, tell?: Tell): Promise<void>
  find(id: string): Promise<Proposal | undefined>
  /** Newest first, `after` a place in that order. */
  list(options: {
    readonly state?: ProposalState
    readonly limit: number
    readonly after?: Pick<Proposal, 'proposedAt' | 'id'>
  }): Promise<readonly Proposal[]>
  /** One signature a signer; the same one again changes nothing. @throws `proposal/unknown`, `proposal/conflict` unless it collects and has not expired */
  collect(id: string, signature: CollectedSignature, now: number, tell?: Tell): Promise<Proposal>
  /** One atomic step; of all who ask, one gets it. @returns undefined when another has it, or it is not to be had */
  take(id: string, options: { readonly now: number; readonly leaseUntil: number }): Promise<Proposal | undefined>
  /** Ends what `take` gave. @throws `proposal/conflict` when it is no longer the taker's */
  settle(
    id: string,
    leaseUntil: number,
    end: { readonly state: 'executed' | 'failed'; readonly outcome: string },
    tell?: Tell,
  ): Promise<Proposal>
  /** @throws `proposal/unknown`, `proposal/conflict` once it is executing or has ended */
  cancel(id: string, outcome: string, tell?: Tell): Promise<Proposal>
  /** Ends what has collected for too long. @returns those that it ended, at most `limit` of them */
  expire(now: number, limit: number, tell?: Tell): Promise<readonly Proposal[]>
  /** Those that were taken by somebody who never ended them, by their ids. */
  abandoned(now: number, limit: number): Promise<readonly string[]>
  /** Forgets what has ended and expired before. @returns how many */
  purge(before: number): Promise<number>
}
