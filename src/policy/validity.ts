import { deny, type Finding, undecided } from './finding.ts'
import { bodyOf, type Question, type Rule } from './question.ts'

/** A signature without end can be kept and used when it hurts most. An end by time or by ledger will do, as granted. */
export const timeBoundsRule: Rule = question => {
  const { timeBounds, ledgerBounds } = question.policy.rules
  if (timeBounds === 'any') return undefined
  const byTime = timeFinding(question)
  if (byTime === undefined || ledgerBounds === undefined) return byTime
  const byLedger = ledgerFinding(question, ledgerBounds.maxLedgersAhead)
  if (byLedger === undefined) return undefined
  const { ledgerBounds: asked } = bodyOf(question).preconditions
  return timeBounds === undefined || (asked?.maxLedger ?? 0) !== 0 ? byLedger : byTime
}

function timeFinding(question: Question): Finding {
  const { policy, facts } = question
  const rule = policy.rules.timeBounds
  if (rule === undefined || rule === 'any') return deny('the policy grants no time bounds')
  if (!Number.isSafeInteger(facts.now) || facts.now < 0) return undecided('the time is not known')
  const { timeBounds } = bodyOf(question).preconditions
  if (timeBounds === null || timeBounds.maxTime === 0n) return deny('the transaction is valid without end')
  const nowSeconds = BigInt(facts.now) / 1000n
  const latest = nowSeconds + BigInt(rule.maxLifetimeSeconds)
  if (timeBounds.maxTime > latest) {
    const ahead = timeBounds.maxTime - nowSeconds
    return deny(`the transaction is valid for ${ahead} seconds; ${rule.maxLifetimeSeconds} is the limit`)
  }
  if (timeBounds.maxTime < nowSeconds) {
    return deny(`the transaction ended ${nowSeconds - timeBounds.maxTime} seconds ago`)
  }
  if (timeBounds.minTime > timeBounds.maxTime) return deny('the transaction begins after it ends')
  return undefined
}

/** @see CAP-21: valid in ledgers from `minLedger` up to, not including, `maxLedger`; 0 is no end. */
function ledgerFinding(question: Question, maxLedgersAhead: number): Finding {
  const { ledger } = question.facts
  const bounds = bodyOf(question).preconditions.ledgerBounds
  if (bounds === null || bounds.maxLedger === 0) return deny('the transaction is valid in ledgers without end')
  if (ledger === undefined || !Number.isSafeInteger(ledger) || ledger < 0) {
    return undecided('the current ledger is not known')
  }
  const ahead = bounds.maxLedger - ledger
  if (ahead > maxLedgersAhead) {
    return deny(`the transaction is valid for ${ahead} ledgers; ${maxLedgersAhead} is the limit`)
  }
  if (ahead <= 0) return deny(`the transaction ended before ledger ${bounds.maxLedger}, and ${ledger} is closed`)
  if (bounds.minLedger >= bounds.maxLedger) return deny('the transaction begins at a ledger after it ends')
  return undefined
}

/** CAP-21: conditions that let a transaction run at other sequence numbers, or ask for other signers. */
export const preconditionsRule: Rule = question => {
  const { preconditions: granted = [] } = question.policy.rules
  const asked = bodyOf(question).preconditions
  const present = [
    ['minSequence', asked.minSequence !== null],
    ['minSequenceAge', asked.minSequenceAgeSeconds !== 0n],
    ['minSequenceLedgerGap', asked.minSequenceLedgerGap !== 0],
    ['extraSigners', asked.extraSigners.length > 0],
  ] as const
  for (const [name, there] of present) {
    if (there && !granted.includes(name)) return deny(`the policy does not grant the condition ${name}`)
  }
  return undefined
}
