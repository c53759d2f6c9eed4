/** What a signature uses up: room in spend windows, and a sequence number. */
import type { Decision } from '../domain/audit.ts'
import type { Claims } from '../domain/claims.ts'
import type { Job } from './records.ts'
import type { SignDeps } from './types.ts'

/** What an allowed request uses up; undefined when that is nothing. */
export function claimsOf(deps: SignDeps, { asked, resolved }: Job, decision: Decision): Claims | undefined {
  if (decision.kind !== 'allow') return undefined
  const slot = deps.unguarded.has(resolved.key.name) ? undefined : asked.slot()
  const { spends = [] } = decision
  if (spends.length === 0 && slot === undefined) return undefined
  return { spends, ...(slot === undefined ? {} : { slot }) }
}

/** All or nothing; where there is no room, it is denied. */
export async function claimed(
  deps: SignDeps,
  { entry }: Job,
  { policyHash }: Decision,
  claims: Claims,
): Promise<Decision> {
  const answer = await deps.claims.claim(entry, claims)
  switch (answer.kind) {
    case 'claimed':
      return { kind: 'allow', policyHash }
    case 'exceeded': {
      const { amount, limit, windowMs, rule } = answer.claim
      const reason = `${amount} would make ${answer.used + amount} in ${windowMs / 1000} seconds; ${limit} is the limit`
      return { kind: 'deny', policyHash, rule, reason }
    }
    case 'taken':
      return { kind: 'deny', policyHash, rule: 'equivocation', reason: takenBy(answer.hash) }
    default:
      answer satisfies never
      return { kind: 'undecided', policyHash, rule: 'claims', reason: 'the store gave an unknown answer' }
  }
}

const takenBy = (hash: string): string =>
  `transaction ${hash} has this sequence number; only one with the same effects and a higher fee may take its place`
