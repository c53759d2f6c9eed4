/** A transaction that waits for signatures of several keys: ours, and others' that are handed in. */

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
  /** G… of the public key that verified it. */
  readonly signer: string
  /** Base64, 64 bytes. */
  readonly signature: string
  /** Name of our key, where one of ours signed. */
  readonly key: string | null
  /** Subject of the token that brought it. */
  readonly by: string
  readonly at: number
}

/** `executing`: one process has taken it and sends it; only that process, or after `leaseUntil` another, may end it. */
export const PROPOSAL_STATES = ['collecting', 'executing', 'executed', 'failed', 'cancelled'] as const
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

export interface ProposalStore {
  /** @throws `proposal/conflict` when the same transaction waits already */
  open(proposal: Omit<Proposal, 'signatures' | 'state' | 'leaseUntil' | 'outcome'>): Promise<void>
  find(id: string): Promise<Proposal | undefined>
  /** Newest first. */
  list(options: { readonly state?: ProposalState; readonly limit: number }): Promise<readonly Proposal[]>
  /** One signature a signer; the same one again changes nothing. @throws `proposal/unknown`, `proposal/conflict` unless it collects and has not expired */
  collect(id: string, signature: CollectedSignature, now: number): Promise<Proposal>
  /** One atomic step; of all who ask, one gets it. @returns undefined when another has it, or it is not to be had */
  take(id: string, options: { readonly now: number; readonly leaseUntil: number }): Promise<Proposal | undefined>
  /** Ends what `take` gave. @throws `proposal/conflict` when it is no longer the taker's */
  settle(
    id: string,
    leaseUntil: number,
    end: { readonly state: 'executed' | 'failed'; readonly outcome: string },
  ): Promise<Proposal>
  /** @throws `proposal/unknown`, `proposal/conflict` once it is executing or has ended */
  cancel(id: string, outcome: string): Promise<Proposal>
  purge(before: number): Promise<number>
}
