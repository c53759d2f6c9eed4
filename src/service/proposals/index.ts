import type { AuditActor } from '../../domain/audit.ts'
import type { Logger } from '../../domain/ports.ts'
import type { Proposal } from '../../domain/proposals.ts'
import type { Answered } from '../door.ts'
import type { TogetherRequest } from '../together.ts'
import type { Asking, CallerLike } from '../types.ts'
import { freshly } from '../release.ts'
import { cancelProposal, collectFromKeys, type CollectedResult, importSignatures, settledEach } from './collect.ts'
import type { ProposalDeps, ProposalRequest } from './deps.ts'
import { executeProposal } from './execute.ts'
import { openProposal } from './open.ts'
import { exportProposal, type Exported, getProposal, listProposals, type Query } from './read.ts'
import { standing, standingOne } from './standing.ts'
import { tendProposals } from './tend.ts'
import { type ProposalView, viewOf } from './view.ts'

export { PROPOSAL_TIMES, type ProposalDeps, type ProposalRequest, type ProposalTimes } from './deps.ts'
export type { Exported, Query } from './read.ts'
export type { ProposalView } from './view.ts'

/** Transactions that wait for several signatures (M-26). */
export interface Proposals {
  open(request: TogetherRequest): Promise<Answered<ProposalView>>
  collect(request: ProposalRequest): Promise<Answered<ProposalView & { readonly results: readonly CollectedResult[] }>>
  import(request: ProposalRequest): Promise<Answered<ProposalView>>
  cancel(request: ProposalRequest): Promise<Answered<ProposalView>>
  execute(request: ProposalRequest): Promise<Answered<ProposalView>>
  get(request: Asking & { readonly id: string }): Promise<Answered<ProposalView>>
  list(request: Asking & { readonly query: Query }): Promise<Answered<readonly ProposalView[]>>
  export(request: Asking & { readonly id: string; readonly query: Query }): Promise<Answered<Exported>>
  /** For housekeeping, every few seconds. */
  tend(actor: AuditActor, logger: Pick<Logger, 'warn'>): Promise<void>
}

export function createProposals<C extends CallerLike>(deps: ProposalDeps<C>): Proposals {
  const { signing } = deps
  /** What nothing is waited for behind: signatures are in it. */
  const view = async (proposal: Proposal): Promise<ProposalView> =>
    viewOf((await standingOne(deps, proposal)).proposal, signing.clock.now())
  const seen = async (answered: Promise<Answered<Proposal>>): Promise<Answered<ProposalView>> => {
    const { answer, headers } = await answered
    return { answer: await view(answer), headers }
  }
  return {
    open: request => seen(openProposal(deps, request)),
    collect: async request => {
      const { answer, headers } = await collectFromKeys(deps, request)
      const shown = await freshly(signing.clock, async () => {
        const collected = await view(answer.proposal)
        return { ...collected, results: await settledEach(signing, answer.results) } // of the two the last: it is out
      })
      return { answer: shown, headers }
    },
    import: request => seen(importSignatures(deps, request)),
    cancel: request => seen(cancelProposal(deps, request)),
    execute: request => seen(executeProposal(deps, request)),
    get: request => seen(getProposal(deps, request)),
    list: async request => {
      const { answer, headers } = await listProposals(deps, request)
      const { proposals } = await standing(deps, answer)
      return { answer: proposals.map(each => viewOf(each, signing.clock.now())), headers }
    },
    export: async request => {
      const { answer, headers } = await exportProposal(deps, request)
      return { answer: answer.form((await standingOne(deps, answer.proposal)).proposal), headers }
    },
    tend: (actor, logger) => tendProposals(deps, actor, logger),
  }
}
