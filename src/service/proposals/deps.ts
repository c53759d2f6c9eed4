import { signaturesOf } from '../../chains/stellar/index.ts'
import { SignerError } from '../../domain/errors.ts'
import type { Clock, KeyCatalogue } from '../../domain/ports.ts'
import type { Proposal, ProposalStore } from '../../domain/proposals.ts'
import type { StellarNetwork } from '../../domain/stellar-network.ts'
import type { Action } from '../../domain/actions.ts'
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
export const PROPOSAL_ID = /^p_[0-9a-f]{32}$/

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
  try {
    requireAll(deps, caller, action, keys)
    return true
  } catch {
    return false
  }
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

/** @throws `key/unknown` */
export async function resolveKey(catalogue: Pick<KeyCatalogue, 'resolve'>, key: string) {
  const resolved = await catalogue.resolve(key)
  if (resolved === undefined) throw new SignerError('key/unknown', { key })
  return resolved
}

/** Gives `body` a signal that ends it after `ms`. */
export async function before<T>(
  clock: Pick<Clock, 'sleep'>,
  ms: number,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const [late, done] = [new AbortController(), new AbortController()]
  clock.sleep(ms, done.signal).then(
    () => late.abort('no answer in time'),
    () => {},
  )
  try {
    return await body(late.signal)
  } finally {
    done.abort('done')
  }
}
