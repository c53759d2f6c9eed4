import type { Decision } from '../domain/audit.ts'
import type { StellarTransactionView } from '../domain/stellar.ts'
import { amountsRule, destinationsRule } from './payments.ts'
import {
  contractsRule,
  feeBumpRule,
  feeRule,
  memoRule,
  networkRule,
  operationsRule,
  preconditionsRule,
  sequenceRule,
  sourcesRule,
  timeBoundsRule,
} from './rules.ts'
import type { Policy } from './schema.ts'

/** What a decision depends on besides policy and transaction; nothing else in the world does. */
export interface Facts {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** G… of the key that would sign. */
  readonly keyAddress: string
  /** The network the key is bound to. */
  readonly keyNetwork: string
}

export interface Question {
  readonly policy: Policy
  readonly view: StellarTransactionView
  readonly facts: Facts
}

/** `undefined`: the rule has nothing against it. */
export type Finding = { readonly kind: 'deny' | 'undecided'; readonly reason: string } | undefined
export type Rule = (question: Question) => Finding

/** Every rule there is, each asked every time. The name is what a refusal carries. */
const RULES: ReadonlyArray<readonly [name: string, rule: Rule]> = [
  ['network', networkRule],
  ['sequence', sequenceRule],
  ['operations', operationsRule],
  ['sources', sourcesRule],
  ['fee', feeRule],
  ['fee-bump', feeBumpRule],
  ['time-bounds', timeBoundsRule],
  ['preconditions', preconditionsRule],
  ['memo', memoRule],
  ['destinations', destinationsRule],
  ['amounts', amountsRule],
  ['contracts', contractsRule],
]

export const RULE_NAMES: readonly string[] = RULES.map(([name]) => name)

export interface Check {
  readonly rule: string
  readonly result: 'pass' | 'deny' | 'undecided'
  readonly reason?: string
}

/** What each rule says, in order: for people who ask why. */
export function explain(policy: Policy, view: StellarTransactionView, facts: Facts): readonly Check[] {
  const question = { policy, view, facts }
  return RULES.map(([name, rule]) => {
    const finding = ask(rule, question)
    return finding === undefined
      ? { rule: name, result: 'pass' }
      : { rule: name, result: finding.kind, reason: finding.reason }
  })
}

/**
 * May this key sign this transaction? A pure function: the same three arguments give the same answer, and it always
 * gives one. Only `allow` signs; a rule that denies goes before one that cannot tell.
 */
export function decide(policy: Policy, view: StellarTransactionView, facts: Facts): Decision {
  const checks = explain(policy, view, facts)
  const found = checks.find(check => check.result === 'deny') ?? checks.find(check => check.result === 'undecided')
  if (found === undefined) return { kind: 'allow', policyHash: policy.hash }
  const { rule, result, reason = '' } = found
  return { kind: result === 'deny' ? 'deny' : 'undecided', policyHash: policy.hash, rule, reason }
}

/** A rule that breaks on something unforeseen has not allowed it. */
function ask(rule: Rule, question: Question): Finding {
  try {
    return rule(question)
  } catch {
    return { kind: 'undecided', reason: 'the rule could not be evaluated on this transaction' }
  }
}
