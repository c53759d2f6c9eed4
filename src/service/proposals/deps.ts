import { signaturesOf } from '../../chains/stellar/index.ts'
import { SignerError } from '../../domain/errors.ts'
import type { Proposal, ProposalStore } from '../../domain/proposals.ts'
import type { StellarNetwork } from '../../domain/stellar-network.ts'
import type { Action } from '../../domain/actions.ts'
import { mayDo } from '../admit.ts'
import { type Answered, attend, type Visitor } from '../door.ts'
import type { Asking, CallerLike, SignDeps } from '../types.ts'

export interface ProposalTimes {
  /** How long a proposal collects unless its proposer says otherwise. */
  readonly expiryMs: number
  /** How long one process may be sending it, before another goes on. */
  readonly leaseMs: number
  /** How long a caller waits for the ledger. Shorter than the lease. */
  readonly waitMs: number
  readonly pollMs: number
  /** For one question to the network. */
  readonly askMs: number
}

export const PROPOSAL_TIMES: ProposalTimes = {
  expiryMs: 86_400_000,
  leaseMs: 90_000,
  waitMs: 15_000,
  pollMs: 1_000,
  askMs: 5_000,
}

export interface ProposalDeps<Caller extends CallerLike = CallerLike> {
  /** The door, and the path of a signature. */
  readonly signing: SignDeps<Caller>
  readonly store: ProposalStore
  /** By our name; undefined: nothing is configured for it, so weights must be given and nothing can be sent. */
  network(name: string): StellarNetwork | undefined
  readonly times: ProposalTimes
  /** True: others are told by webhook. */
  readonly tells: boolean
}

export interface ProposalRequest extends Asking {
  readonly id: string
  readonly body: Uint8Array
}

/** `p_` and 128 bits in hex. */
const PROPOSAL_ID = /^p_[0-9a-f]{32}$/

/** @throws `access/denied` unless it is granted for each of these keys */
export function requireAll<C extends CallerLike>(
  { signing }: ProposalDeps<C>,
  caller: C,
  action: Action,
  keys: readonly string[],
): void {
  for (const key of keys) signing.authorize(caller, action, key)
}

export function mayAll<C extends CallerLike>(
  deps: ProposalDeps<C>,
  caller: C,
  action: Action,
  keys: readonly string[],
): boolean {
  return keys.every(key => mayDo(deps.signing, caller, action, key))
}

/**
 * The proposal, for somebody who may do this with every key of it.
 * @throws `proposal/unknown` also for those who may neither do it nor look: there is no trace of it; `access/denied`;
 *         `store/unavailable` when its envelope is not the transaction that was proposed
 */
export async function proposalFor<C extends CallerLike>(
  deps: ProposalDeps<C>,
  caller: C,
  action: Action,
  id: string,
): Promise<Proposal> {
  const found = PROPOSAL_ID.test(id) ? await deps.store.find(id) : undefined
  const unknown = new SignerError('proposal/unknown', { id: id.slice(0, 64) })
  if (found === undefined) throw unknown
  try {
    requireAll(deps, caller, action, found.keys)
  } catch (denied) {
    throw mayAll(deps, caller, 'read', found.keys) ? denied : unknown
  }
  // Whoever changed a row of the store has nothing signed, shown or sent by it.
  const { hash } = await signaturesOf(found.envelope, found.network, [])
  if (hash === found.hash) return found
  throw new SignerError('store/unavailable', { reason: `the record of proposal ${id} is damaged` })
}

/** What somebody wants of one proposal. */
interface ProposalMatter<I> {
  readonly event: string
  readonly action: Action
  /** What the body says, before anything else is looked at. */
  readonly read: (body: Uint8Array) => I
}

/** At the door, for somebody who may do this with every key of the proposal. @throws as `read` and `proposalFor` */
export async function attendTo<C extends CallerLike, I, T>(
  deps: ProposalDeps<C>,
  request: ProposalRequest,
  { event, action, read }: ProposalMatter<I>,
  work: (what: { readonly proposal: Proposal; readonly input: I }, visitor: Visitor<C>) => Promise<T>,
): Promise<Answered<T>> {
  const { id, body } = request
  return attend(deps.signing, request, { event, operation: action, body }, async visitor => {
    const input = read(body)
    const proposal = await proposalFor(deps, visitor.caller, action, id)
    visitor.note({ proposal: id, hash: proposal.hash })
    return work({ proposal, input }, visitor)
  })
}
