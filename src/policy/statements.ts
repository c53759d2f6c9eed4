/** Rules for what is signed and moves nothing by itself: SEP-10 challenges and execution approvals. */
import type { ExecutionApprovalView } from '../domain/execution-approval.ts'
import type { ChallengeView } from '../domain/stellar.ts'
import { deny, type Finding, quote, undecided } from './finding.ts'
import { type Facts, ownAccount } from './question.ts'
import type { Policy } from './schema.ts'

/** Clocks of honest servers differ by this much at most. */
const SKEW_SECONDS = 60n
const SKEW_MS = Number(SKEW_SECONDS) * 1000

/** @see SEP-10: the key answers servers that are listed, or is itself the server. */
export function challengeFinding({ rules }: Policy, view: ChallengeView, facts: Facts): Finding {
  const grant = rules.challenges
  if (grant === undefined) return deny('the policy grants no SEP-10 challenges')
  const { homeDomain, webAuthDomain, clientDomain, serverAddress } = view
  if (!grant.homeDomains.includes(homeDomain)) return deny(`the home domain ${quote(homeDomain)} is not granted`)
  switch (view.role) {
    case 'server':
      if (grant.issue !== true) return deny('the key may not issue challenges')
      // Clients hold its signature against the address in the challenge: that of the key, whatever account it signs for.
      if (serverAddress !== facts.keyAddress)
        return deny('the challenge is issued by another account than that of the key')
      break
    case 'client':
      if (grant.servers?.includes(serverAddress) !== true) return deny(`the server ${serverAddress} is not granted`)
      if (view.clientAccount !== ownAccount(facts))
        return deny('the challenge is for another account than that of the key')
      break
    default:
      return undecided('the role in the challenge is not known')
  }
  if (!(grant.webAuthDomains ?? [homeDomain]).includes(webAuthDomain ?? homeDomain)) {
    return deny(`the domain ${quote(webAuthDomain ?? homeDomain)} of the login is not granted`)
  }
  if (clientDomain !== null && grant.clientDomains?.includes(clientDomain) !== true) {
    return deny(`the client domain ${quote(clientDomain)} is not granted`)
  }
  return lifeFinding(view, grant.maxLifetimeSeconds, facts)
}

function lifeFinding({ minTime, maxTime }: ChallengeView, maxLifetimeSeconds: number, { now }: Facts): Finding {
  if (!Number.isSafeInteger(now) || now < 0) return undecided('the time is not known')
  const seconds = BigInt(now) / 1000n
  if (maxTime < seconds) return deny(`the challenge ended ${seconds - maxTime} seconds ago`)
  if (minTime > seconds + SKEW_SECONDS) return deny(`the challenge begins in ${minTime - seconds} seconds`)
  const ahead = maxTime - seconds
  return ahead > BigInt(maxLifetimeSeconds)
    ? deny(`the challenge is good for ${ahead} seconds; ${maxLifetimeSeconds} is the limit`)
    : undefined
}

export function approvalFinding({ rules }: Policy, view: ExecutionApprovalView, { now }: Facts): Finding {
  const grant = rules.approvals?.find(({ action }) => action === view.action)
  if (grant === undefined) return deny(`the policy grants no approval of ${quote(view.action)}`)
  if (grant.audiences !== 'any' && !grant.audiences.includes(view.audience)) {
    return deny(`approvals of ${quote(view.action)} for ${quote(view.audience)} are not granted`)
  }
  if (grant.subjects !== undefined && !grant.subjects.includes(view.subject)) {
    return deny(`approvals of ${quote(view.action)} about ${quote(view.subject)} are not granted`)
  }
  if (!Number.isSafeInteger(now) || now < 0) return undecided('the time is not known')
  const { issuedAt, expiresAt } = view
  if (!(issuedAt <= now + SKEW_MS)) return deny('the approval is dated in the future')
  if (!(expiresAt > now)) return deny('the approval has expired')
  if (!(issuedAt < expiresAt)) return deny('the approval ends before it begins')
  const life = Math.max(expiresAt - issuedAt, expiresAt - now)
  return life > grant.maxLifetimeSeconds * 1000
    ? deny(`the approval is good for ${Math.ceil(life / 1000)} seconds; ${grant.maxLifetimeSeconds} is the limit`)
    : undefined
}
