import type { SpendClaim } from '../domain/claims.ts'
import type { Question } from './question.ts'
import type { SpendWindow } from './schema.ts'

const EVERYBODY = '*'

/**
 * What the transaction takes from the spend windows of its policy: one claim a counter, in the order of the windows.
 * What counts is what counts for the caps; a claim whose amount is zero is left out.
 *
 * A counter is named by what it counts, not by the rule that asks: key, network, length, asset, receiver. So a change of
 * policy keeps what was counted before, and two rules over the same counter are one claim with the lower limit.
 */
export function spendsOf(question: Question): readonly SpendClaim[] {
  const { windows } = question.policy.rules
  if (windows === undefined || windows.length === 0) return []
  const claims = new Map<string, SpendClaim>()
  for (const window of windows) {
    for (const [counted, amount] of sumsOf(window, question)) {
      if (amount <= 0n) continue
      const counter = counterOf(window, counted, question)
      const other = claims.get(counter)
      if (other !== undefined && other.limit <= window.max) continue
      claims.set(counter, { counter, amount, limit: window.max, windowMs: window.seconds * 1000, rule: 'windows' })
    }
  }
  return [...claims.values()]
}

/** `asset|receiver` to amount. */
function sumsOf({ asset: wanted, destination }: SpendWindow, question: Question): ReadonlyMap<string, bigint> {
  const sums = new Map<string, bigint>()
  const add = (asset: string, receiver: string, stroops: bigint): void => {
    const name = `${asset}|${receiver}`
    sums.set(name, (sums.get(name) ?? 0n) + stroops)
  }
  if (wanted === 'fee') {
    add('fee', EVERYBODY, question.view.feeStroops)
    return sums
  }
  for (const { moves } of question.moves) {
    for (const { asset, stroops, receivers } of moves) {
      if (asset === undefined || (wanted !== 'any' && wanted !== asset)) continue
      if (destination === undefined) {
        add(asset, EVERYBODY, stroops)
        continue
      }
      for (const receiver of new Set(receivers.map(({ address }) => address))) {
        if (destination === 'each' || destination === receiver) add(asset, receiver, stroops)
      }
    }
  }
  return sums
}

const counterOf = ({ seconds }: SpendWindow, counted: string, { facts }: Question): string =>
  `spent|${facts.keyNetwork}|${facts.keyName ?? facts.keyAddress}|${seconds}|${counted}`
