/** Signatures that have been collected, and may not go out any more. */
import type { Proposal } from '../../domain/proposals.ts'
import { type Signer, signersAmong } from '../standing.ts'
import type { CallerLike } from '../types.ts'
import type { ProposalDeps } from './deps.ts'

export interface Standing {
  /** In the order they were given, without the signatures of our keys that do not stand: they count for nothing, and nobody sees them. */
  readonly proposals: readonly Proposal[]
  /** Of our keys, whoever has signed one of them. */
  readonly signers: readonly Signer[]
}

/** For the last moment before they are shown or sent. */
export async function standing<C extends CallerLike>(
  { signing }: Pick<ProposalDeps<C>, 'signing'>,
  proposals: readonly Proposal[],
): Promise<Standing> {
  const addresses = proposals.flatMap(({ signatures }) => signatures.map(({ signer }) => signer))
  const signers = await signersAmong(
    signing,
    proposals.flatMap(({ keys }) => keys),
    addresses,
  )
  const fallen = new Set(signers.flatMap(({ stands, address }) => (stands ? [] : [address])))
  const without = (proposal: Proposal): Proposal => ({
    ...proposal,
    signatures: proposal.signatures.filter(({ signer }) => !fallen.has(signer)),
  })
  return { proposals: fallen.size === 0 ? proposals : proposals.map(without), signers }
}

export async function standingOne<C extends CallerLike>(
  deps: Pick<ProposalDeps<C>, 'signing'>,
  proposal: Proposal,
): Promise<{ readonly proposal: Proposal; readonly signers: readonly Signer[] }> {
  const { proposals, signers } = await standing(deps, [proposal])
  return { proposal: proposals[0] ?? proposal, signers }
}
