import type { Notice, NoticeQueue } from '../domain/notices.ts'
import { opened, type Proposal, type ProposalStore, type Tell } from '../domain/proposals.ts'
import {
  byNewest,
  checkCancel,
  checkCollect,
  checkProposal,
  checkSettle,
  idTaken,
  isOver,
  mayTake,
  unknownProposal,
  waitsAlready,
} from './checks-proposals.ts'

const sameKeys = (a: readonly string[], b: readonly string[]): boolean => JSON.stringify(a) === JSON.stringify(b)

/** Proposals, and what is told of them, in memory. Every body runs in one go, so each is one atomic step. */
export function memoryProposals(): { readonly proposals: ProposalStore; readonly notices: NoticeQueue } {
  const kept = new Map<string, Proposal>()
  const queue = new Map<string, Notice & { readonly dueAt: number; readonly tries: number }>()
  const known = (id: string): Proposal => {
    const proposal = kept.get(id)
    if (proposal === undefined) throw unknownProposal(id)
    return proposal
  }
  const keep = (proposal: Proposal, tell?: Tell): Proposal => {
    const whole = checkProposal(proposal)
    const told = tell?.(whole) ?? []
    kept.set(whole.id, whole)
    for (const notice of told) {
      if (!queue.has(notice.id)) queue.set(notice.id, { ...notice, dueAt: notice.at, tries: 0 })
    }
    return whole
  }
  const ended = (before: Proposal, state: Proposal['state'], outcome: string | null, tell?: Tell): Proposal =>
    keep({ ...before, state, outcome, leaseUntil: null }, tell)

  const proposals: ProposalStore = {
    async open(proposal, tell) {
      if (kept.has(proposal.id)) throw idTaken(proposal.id)
      for (const other of kept.values()) {
        if (other.hash !== proposal.hash || !sameKeys(other.keys, proposal.keys)) continue
        if (isOver(other, proposal.proposedAt)) ended(other, 'expired', null, tell)
        else if (other.state === 'collecting' || other.state === 'executing') throw waitsAlready(other.id)
      }
      keep(opened(proposal), tell)
    },
    async find(id) {
      return kept.get(id)
    },
    async list({ state, limit, after }) {
      const isAfter = (each: Proposal) =>
        after === undefined ||
        each.proposedAt < after.proposedAt ||
        (each.proposedAt === after.proposedAt && each.id > after.id)
      return [...kept.values()]
        .filter(each => (state === undefined || each.state === state) && isAfter(each))
        .toSorted(byNewest)
        .slice(0, limit)
    },
    async collect(id, signature, now, tell) {
      const before = known(id)
      if (!checkCollect(before, signature, now)) return before
      return keep({ ...before, signatures: [...before.signatures, { ...signature }] }, tell)
    },
    async take(id, { now, leaseUntil }) {
      const before = kept.get(id)
      if (before === undefined || !mayTake(before, now)) return undefined
      return keep({ ...before, state: 'executing', leaseUntil })
    },
    async settle(id, leaseUntil, { state, outcome }, tell) {
      const before = known(id)
      checkSettle(before, leaseUntil)
      return ended(before, state, outcome, tell)
    },
    async cancel(id, outcome, tell) {
      const before = known(id)
      checkCancel(before)
      return ended(before, 'cancelled', outcome, tell)
    },
    async expire(now, limit, tell) {
      const over = [...kept.values()].filter(each => isOver(each, now)).slice(0, limit)
      return over.map(each => ended(each, 'expired', null, tell))
    },
    async abandoned(now, limit) {
      const left = [...kept.values()].filter(each => each.state === 'executing' && mayTake(each, now))
      return left.slice(0, limit).map(({ id }) => id)
    },
    async purge(before) {
      const old = [...kept.values()].filter(
        ({ state, expiresAt }) => state !== 'collecting' && state !== 'executing' && expiresAt < before,
      )
      for (const { id } of old) kept.delete(id)
      return old.length
    },
  }
  const notices: NoticeQueue = {
    async take(now, until, limit) {
      const due = [...queue.values()]
        .filter(({ dueAt }) => dueAt <= now)
        .toSorted((a, b) => a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1))
        .slice(0, limit)
      return due.map(({ dueAt: _, ...notice }) => {
        const taken = { ...notice, tries: notice.tries + 1 }
        queue.set(notice.id, { ...taken, dueAt: until })
        return taken
      })
    },
    async end(id) {
      queue.delete(id)
    },
    async postpone(id, until) {
      const waiting = queue.get(id)
      if (waiting !== undefined) queue.set(id, { ...waiting, dueAt: until })
    },
  }
  return { proposals, notices }
}
