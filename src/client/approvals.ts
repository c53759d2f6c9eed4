import type { Asker } from './asker.ts'
import { clientError } from './errors.ts'
import type { Transport } from './transport.ts'
import type { CallOptions, OneOfSeveral, Proposal } from './types.ts'

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  /** `ended` unless told; `ready`: also when it has all the weight it needs, and somebody may execute it. */
  readonly until?: 'ended' | 'ready'
  /** How long to wait in all: an hour unless told. */
  readonly timeoutMs?: number
  /** How long between two looks at first; it grows to ten times that. 1 second unless told. */
  readonly pollMs?: number
}

export interface Proposed {
  /** The envelope; signatures that it holds count. */
  readonly xdr: string
  /** Names of keys of the service that may sign it. */
  readonly keys: readonly string[]
  readonly expiresInSeconds?: number
  /** Which accounts have to sign, by how much; read from the network unless given. */
  readonly needed?: readonly {
    readonly account: string
    readonly threshold: number
    readonly signers: readonly { readonly key: string; readonly weight: number }[]
  }[]
}

/** Transactions that wait for signatures: proposals of the service. All throw CountersignError. */
export interface Approvals {
  open(proposed: Proposed, options?: CallOptions): Promise<Proposal>
  get(id: string, options?: Pick<CallOptions, 'signal'>): Promise<Proposal>
  /** Has keys of the service sign it; without `keys`, all that have not. */
  collect(
    id: string,
    keys?: readonly string[],
    options?: CallOptions,
  ): Promise<Proposal & { readonly results: readonly (OneOfSeveral & { readonly key: string })[] }>
  /** Brings signatures of others: the same envelope, signed. */
  addSignatures(id: string, xdr: string, options?: CallOptions): Promise<Proposal>
  /** Sends it. One of all who ask does; the others learn what came of it. */
  execute(id: string, options?: CallOptions): Promise<Proposal>
  cancel(id: string, options?: CallOptions): Promise<Proposal>
  /**
   * Looks until it has ended, one way or the other: see `state`.
   * @throws `client/options` when the time is over, and the reason of the signal
   */
  wait(id: string, options?: WaitOptions): Promise<Proposal>
}

/** Whatever else there may be later is an end too: nobody waits for ever on a word this client does not know. */
const GOES_ON: readonly string[] = ['collecting', 'executing']

export function createApprovals({ get: ask, change }: Asker, { now, sleep }: Transport): Approvals {
  const path = (id: string, step = '') => `/v1/proposals/${encodeURIComponent(id)}${step}`
  const members = ['id', 'state'] as const
  const get: Approvals['get'] = (id, options) => ask<Proposal>(path(id), members, options)
  return {
    open: (proposed, options) => change<Proposal>('/v1/proposals', proposed, members, options),
    get,
    collect: (id, keys, options) => change(path(id, '/collect'), keys === undefined ? {} : { keys }, members, options),
    addSignatures: (id, xdr, options) => change<Proposal>(path(id, '/signatures'), { xdr }, members, options),
    execute: (id, options) => change<Proposal>(path(id, '/execute'), {}, members, options),
    cancel: (id, options) => change<Proposal>(path(id, '/cancel'), {}, members, options),
    wait: async (id, { signal, until = 'ended', timeoutMs = 3_600_000, pollMs = 1000 } = {}) => {
      const end = now() + timeoutMs
      for (let pause = pollMs; ; pause = Math.min(pause * 1.5, pollMs * 10)) {
        const proposal = await get(id, { signal })
        if (!GOES_ON.includes(proposal.state) || (until === 'ready' && proposal.ready)) return proposal
        if (now() + pause > end) {
          throw clientError('client/timeout', `Proposal ${id} is ${proposal.state} after ${timeoutMs} ms`)
        }
        await sleep(pause, signal)
      }
    },
  }
}
