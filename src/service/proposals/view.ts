import { signaturesOf, type Weights, weigh, withSignatures } from '../../chains/stellar/index.ts'
import type { Proposal, ProposalState } from '../../domain/proposals.ts'

/** A proposal as callers see it. */
export interface ProposalView {
  readonly id: string
  readonly state: ProposalState
  /** True: it has all the weight it needs, and may be executed. */
  readonly ready: boolean
  readonly network: string
  /** Transaction hash, hex. */
  readonly hash: string
  readonly summary: string
  /** Our keys that may sign it. */
  readonly keys: readonly string[]
  readonly accounts: readonly {
    readonly account: string
    readonly threshold: number
    /** Of those who have signed. */
    readonly weight: number
    /** What is missing to the threshold. */
    readonly missing: number
    readonly signers: readonly { readonly key: string; readonly weight: number; readonly signed: boolean }[]
  }[]
  readonly signatures: readonly {
    readonly signer: string
    readonly signature: string
    readonly key: string | null
    readonly by: string
    readonly at: string
  }[]
  readonly proposedBy: string
  /** ISO 8601. */
  readonly proposedAt: string
  readonly expiresAt: string
  /** How it ended, where it has. */
  readonly outcome: string | null
}

export const weightsOf = ({ needed, hash, signatures }: Pick<Proposal, 'needed' | 'hash' | 'signatures'>): Weights =>
  weigh(
    needed,
    hash,
    signatures.map(({ signer }) => signer),
  )

export function viewOf(proposal: Proposal, now: number): ProposalView {
  const { accounts, ready } = weightsOf(proposal)
  const { state, expiresAt } = proposal
  return {
    id: proposal.id,
    state: state === 'collecting' && expiresAt <= now ? 'expired' : state,
    ready,
    network: proposal.network,
    hash: proposal.hash,
    summary: proposal.summary,
    keys: proposal.keys,
    accounts: accounts.map(({ account, threshold, weight, missing, signers, signed }) => ({
      account,
      threshold,
      weight,
      missing,
      signers: signers.map(({ key, weight: counts }) => ({ key, weight: counts, signed: signed.includes(key) })),
    })),
    signatures: proposal.signatures.map(({ signer, signature, key, by, at }) => ({
      signer,
      signature,
      key,
      by,
      at: new Date(at).toISOString(),
    })),
    proposedBy: proposal.proposedBy,
    proposedAt: new Date(proposal.proposedAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
    outcome: proposal.outcome,
  }
}

/** With all that has been collected. */
export const envelopeOf = ({ envelope, signatures, network }: Proposal): string =>
  withSignatures(envelope, signatures, network)

/** With what a validator has a use for, and no more: it refuses a signature too many. */
export function finalEnvelopeOf(proposal: Proposal): string {
  const { used } = weightsOf(proposal)
  const signatures = proposal.signatures.filter(({ signer }) => used.includes(signer))
  return withSignatures(proposal.envelope, signatures, proposal.network)
}

/** Whoever may sign for any account, once each. */
export const candidatesOf = ({ needed }: Pick<Proposal, 'needed'>): readonly string[] => [
  ...new Set(needed.flatMap(({ signers }) => signers.map(({ key }) => key))),
]

/** Whose signatures an envelope holds, of those who may sign. @throws `payload/invalid` */
export const readSignatures = (xdr: string, { network, needed }: Pick<Proposal, 'network' | 'needed'>) =>
  signaturesOf(xdr, network, candidatesOf({ needed }))
