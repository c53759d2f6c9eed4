import type { Admin, AdminStore, ChallengeStore, TokenLedger, TokenRecord } from '../domain/admins.ts'
import type { ChangeStore, PolicyChange } from '../domain/changes.ts'
import {
  changed,
  checkActivation,
  checkAdmin,
  checkApproval,
  checkProposal,
  conflict,
  existing,
  otherPolicy,
  recorded,
  refuseLast,
  requireProposed,
  SLACK_MS,
  unknown,
  unknownChange,
} from './checks-gateway.ts'

/** Administrators, tokens and policy changes in memory. Every body runs in one go, so each is one atomic step. */

export function memoryAdmins(): AdminStore {
  const admins = new Map<string, Admin>()
  return {
    async list() {
      return [...admins.values()].toSorted((a, b) => (a.address < b.address ? -1 : 1))
    },
    async find(address) {
      return admins.get(address)
    },
    async add(admin) {
      const whole = checkAdmin(admin)
      if (admins.has(admin.address)) throw existing(admin.address)
      admins.set(admin.address, whole)
    },
    async change(address, wanted) {
      const before = admins.get(address)
      if (before === undefined) throw unknown(address)
      const after = checkAdmin(changed(before, wanted))
      refuseLast([...admins.values()], before, after)
      admins.set(address, after)
      return after
    },
  }
}

export function memoryChallenges(): ChallengeStore {
  const challenges = new Map<string, { readonly expiresAt: number; readonly used: boolean }>()
  return {
    async issue(id, expiresAt) {
      for (const [old, challenge] of challenges) if (challenge.expiresAt < expiresAt - SLACK_MS) challenges.delete(old)
      if (!challenges.has(id)) challenges.set(id, { expiresAt, used: false })
    },
    async use(id, now) {
      const challenge = challenges.get(id)
      if (challenge === undefined || challenge.used || challenge.expiresAt <= now) return false
      challenges.set(id, { ...challenge, used: true })
      return true
    },
  }
}

export function memoryTokens(): TokenLedger {
  const tokens = new Map<string, TokenRecord>()
  const revocations = new Map<string, { readonly at: number; readonly expiresAt: number }>()
  const withRevocation = (token: TokenRecord): TokenRecord => {
    const revoked = revocations.get(token.id)
    return Object.freeze({ ...token, ...(revoked === undefined ? {} : { revokedAt: revoked.at }) })
  }
  return {
    async record({ id, subject, issuedBy, issuedAt, expiresAt, grants }) {
      for (const [old, token] of tokens) if (token.expiresAt < issuedAt - SLACK_MS) tokens.delete(old)
      if (tokens.has(id)) throw recorded()
      tokens.set(id, { id, subject, issuedBy, issuedAt, expiresAt, grants })
    },
    async find(id) {
      const token = tokens.get(id)
      return token === undefined ? undefined : withRevocation(token)
    },
    async list({ now, limit }) {
      return [...tokens.values()]
        .filter(({ expiresAt }) => expiresAt > now)
        .toSorted((a, b) => b.issuedAt - a.issuedAt || (a.id < b.id ? -1 : 1))
        .slice(0, limit)
        .map(withRevocation)
    },
    async revoke(id, at, expiresAt) {
      for (const [old, revoked] of revocations) if (revoked.expiresAt < at - SLACK_MS) revocations.delete(old)
      const before = revocations.get(id)
      revocations.set(id, { at: before?.at ?? at, expiresAt: Math.max(before?.expiresAt ?? 0, expiresAt) })
    },
    async isRevoked(id) {
      return revocations.has(id)
    },
  }
}

/** Puts a policy in force for every version of a key, if the one with this hash is. @returns the hash that was in force */
export type SwapPolicy = (
  key: string,
  swap: { readonly fromHash: string; readonly toText: string; readonly toHash: string },
) => string | undefined

export function memoryChanges(swapPolicy: SwapPolicy): ChangeStore {
  const changes = new Map<string, PolicyChange>()
  const known = (id: string): PolicyChange => {
    const change = changes.get(id)
    if (change === undefined) throw unknownChange(id)
    return change
  }
  const keep = (change: PolicyChange): PolicyChange => {
    const kept = Object.freeze({ ...change, approvals: Object.freeze([...change.approvals]) })
    changes.set(kept.id, kept)
    return kept
  }
  return {
    async propose(proposal) {
      checkProposal(proposal)
      if (changes.has(proposal.id)) throw conflict(proposal.id, 'its id is taken')
      keep({ ...proposal, state: 'proposed', approvals: [] })
    },
    async find(id) {
      return changes.get(id)
    },
    async list(key, limit) {
      return [...changes.values()]
        .filter(change => key === undefined || change.key === key)
        .toSorted((a, b) => b.proposedAt - a.proposedAt || (a.id < b.id ? -1 : 1))
        .slice(0, limit)
    },
    async approve(id, { address, signature, at }) {
      const before = known(id)
      checkApproval(before, { address, signature, at })
      const approvals = [...before.approvals, Object.freeze({ address, signature, at })]
      return keep({
        ...before,
        approvals: approvals.toSorted((a, b) => a.at - b.at || (a.address < b.address ? -1 : 1)),
      })
    },
    async activate(id, at) {
      const before = known(id)
      checkActivation(before, at)
      const inForce = swapPolicy(before.key, before)
      if (inForce !== before.fromHash) throw conflict(id, otherPolicy(inForce))
      return keep({ ...before, state: 'activated' })
    },
    async withdraw(id) {
      const before = known(id)
      requireProposed(before)
      return keep({ ...before, state: 'withdrawn' })
    },
  }
}
