import { passphraseOf } from '../../chains/stellar/index.ts'
import type { Proposal } from '../../domain/proposals.ts'
import { type Answered, attend, NO_BODY } from '../door.ts'
import type { Asking, CallerLike } from '../types.ts'
import { mayAll, type ProposalDeps, proposalFor } from './deps.ts'
import { readExport, readList } from './input.ts'
import { envelopeOf, weightsOf } from './view.ts'

export type Query = Readonly<Record<string, unknown>>

/** The proposals of which the caller may read every key, the newest first; of others there is no trace. */
export async function listProposals<C extends CallerLike>(
  deps: ProposalDeps<C>,
  request: Asking & { readonly query: Query },
): Promise<Answered<readonly Proposal[]>> {
  const matter = { event: 'proposals-listed', operation: 'read', body: NO_BODY }
  return attend(deps.signing, request, matter, async ({ caller }) => {
    const { limit, ...about } = readList(request.query)
    const seen: Proposal[] = []
    let after: Proposal | undefined
    for (let page = 0; page < PAGES_MAX && seen.length < limit; page++) {
      const found = await deps.store.list({ ...about, limit: PAGE, ...(after === undefined ? {} : { after }) })
      seen.push(...found.filter(({ keys }) => mayAll(deps, caller, 'read', keys)))
      after = found.at(-1)
      if (found.length < PAGE) break
    }
    return seen.slice(0, limit)
  })
}

const PAGE = 100
/** A caller who may read few of very many sees those among the newest. */
const PAGES_MAX = 20

export async function getProposal<C extends CallerLike>(
  deps: ProposalDeps<C>,
  request: Asking & { readonly id: string },
): Promise<Answered<Proposal>> {
  const matter = { event: 'proposal-read', operation: 'read', body: NO_BODY }
  return attend(deps.signing, request, matter, async ({ caller, note }) => {
    const proposal = await proposalFor(deps, caller, 'read', request.id)
    note({ proposal: proposal.id })
    return proposal
  })
}

export interface Exported {
  /** The envelope with all signatures so far, base64 XDR. */
  readonly xdr: string
  readonly hash: string
  readonly network: string
  readonly networkPassphrase: string
  readonly ready: boolean
  /** For a wallet: `web+stellar:tx?…` (SEP-7), unsigned, without origin domain. */
  readonly link: string
}

/** @returns how it is told, once it is known which signatures may go: what comes in between is waited for */
export async function exportProposal<C extends CallerLike>(
  deps: ProposalDeps<C>,
  request: Asking & { readonly id: string; readonly query: Query },
): Promise<Answered<{ readonly proposal: Proposal; form(standing: Proposal): Exported }>> {
  const matter = { event: 'proposal-exported', operation: 'read', body: NO_BODY }
  return attend(deps.signing, request, matter, async ({ caller, note }) => {
    const { callback, message } = readExport(request.query)
    const proposal = await proposalFor(deps, caller, 'read', request.id)
    note({ proposal: proposal.id })
    return { proposal, form: standing => exported(standing, callback, message) }
  })
}

function exported(proposal: Proposal, callback: string | undefined, message: string | undefined): Exported {
  const { hash, network } = proposal
  const networkPassphrase = passphraseOf(network)
  const xdr = envelopeOf(proposal)
  const parts = [
    ['xdr', xdr],
    ...(callback === undefined ? [] : [['callback', `url:${callback}`]]),
    ...(message === undefined ? [] : [['msg', message]]),
    // Wallets take the public network unless told.
    ...(network === 'public' ? [] : [['network_passphrase', networkPassphrase]]),
  ]
  const link = `web+stellar:tx?${parts.map(([name, value = '']) => `${name}=${encodeURIComponent(value)}`).join('&')}`
  return { xdr, hash, network, networkPassphrase, ready: weightsOf(proposal).ready, link }
}
