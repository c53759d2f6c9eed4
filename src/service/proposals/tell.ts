import { toHex } from '../../bytes/hex.ts'
import { sha256 } from '../../bytes/sha256.ts'
import type { Notice, NoticeEvent } from '../../domain/notices.ts'
import type { CollectedSignature, Proposal, Tell } from '../../domain/proposals.ts'
import type { CallerLike } from '../types.ts'
import type { ProposalDeps } from './deps.ts'
import { weightsOf } from './view.ts'

/**
 * What is told of each change. Nothing in it moves money or needs to be kept from the endpoint, and whoever wants more asks
 * for the proposal: what is told may be late.
 */
export function tellOf(event: NoticeEvent, now: number, about: { readonly signer?: string } = {}): Tell {
  return after => [noticeOf(event, after, now, about)]
}

/** One more signature, and what is told of it. */
export const keepSignature = <C extends CallerLike>(
  { store, tells }: ProposalDeps<C>,
  id: string,
  collected: CollectedSignature,
): Promise<Proposal> =>
  store.collect(id, collected, collected.at, tells ? tellSigned(collected.signer, collected.at) : undefined)

/** A signature, and that it was the one that was missing. */
const tellSigned =
  (signer: string, now: number): Tell =>
  after => {
    const before = { ...after, signatures: after.signatures.filter(each => each.signer !== signer) }
    const isReady = weightsOf(after).ready && !weightsOf(before).ready
    const signed = noticeOf('proposal.signed', after, now, { signer })
    return isReady ? [signed, noticeOf('proposal.ready', after, now)] : [signed]
  }

/** Of one that takes the place of another, which has expired unnoticed, both are told. */
export const tellOpened =
  (now: number): Tell =>
  after => {
    if (after.state === 'expired') return [noticeOf('proposal.expired', after, now)]
    const opened = noticeOf('proposal.opened', after, now)
    // Somebody may have approved it beforehand.
    return weightsOf(after).ready ? [opened, noticeOf('proposal.ready', after, now)] : [opened]
  }

function noticeOf(
  event: NoticeEvent,
  proposal: Proposal,
  at: number,
  about: { readonly signer?: string } = {},
): Notice {
  const { id, hash, network, state, keys, outcome, expiresAt } = proposal
  const { accounts, ready } = weightsOf(proposal)
  const missing = accounts
    .filter(each => each.missing > 0)
    .map(each => ({ account: each.account, weight: each.missing }))
  const data = { id, hash, network, state, keys, ready, missing, outcome, expiresAt: iso(expiresAt), ...about }
  return {
    id: `msg_${toHex(sha256(new TextEncoder().encode(`${id} ${event} ${about.signer ?? ''}`))).slice(0, 32)}`,
    event,
    body: JSON.stringify({ type: event, timestamp: iso(at), data }),
    at,
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()
