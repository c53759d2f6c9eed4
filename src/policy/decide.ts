import type { Decision } from '../domain/audit.ts'
import type { SpendClaim } from '../domain/claims.ts'
import { authorizationFinding, AUTHORIZED_RULES, authorizedQuestion } from './authorizations.ts'
import { contractsRule } from './contracts.ts'
import { EVM_RULE_NAMES, judgeEvm, spendsOf as evmSpendsOf } from './evm/index.ts'
import { operationsRule, setOptionsRule } from './control.ts'
import { amountsRule, destinationsRule } from './payments.ts'
import { type Finding, undecided } from './finding.ts'
import { type Facts, type PolicyView, questionOf, type Rule } from './question.ts'
import { feeBumpRule, feeRule, memoRule, networkRule, sequenceRule, sourcesRule } from './rules.ts'
import type { Policy } from './schema.ts'
import { approvalFinding, challengeFinding } from './statements.ts'
import { preconditionsRule, timeBoundsRule } from './validity.ts'
import { spendsOf } from './windows.ts'

/** Asked of every Stellar transaction, all of them. The name is what a refusal carries; the sentence is for a rule that passes. */
const STELLAR_RULES: ReadonlyArray<readonly [name: string, rule: Rule, passed: string]> = [
  ['sequence', sequenceRule, 'The sequence number is that of a transaction that can run.'],
  ['operations', operationsRule, 'Every operation is of a type that the policy lists.'],
  ['set-options', setOptionsRule, 'No account option is set that the policy does not grant.'],
  ['sources', sourcesRule, "Every source is the key's own account or granted."],
  ['fee', feeRule, 'Every fee is within the cap.'],
  ['fee-bump', feeBumpRule, 'It is not a fee bump, or fee bumps are granted.'],
  ['time-bounds', timeBoundsRule, 'The transaction ends as soon as the policy asks.'],
  ['preconditions', preconditionsRule, 'No condition is present that the policy does not grant.'],
  ['memo', memoRule, 'There is no memo, or one of a granted kind.'],
  ['destinations', destinationsRule, 'Every receiver is granted.'],
  ['amounts', amountsRule, 'What leaves is within the caps of its asset.'],
  ['contracts', contractsRule, 'Every contract call, in all authorization trees, is granted.'],
]

const NETWORK_PASSED = 'Policy, key and payload are for the same network.'
const AUTHORIZATION_PASSED = 'It is for an account the policy grants, and expires as soon as the policy asks.'
const CHALLENGE_PASSED = 'The SEP-10 challenge is of a server and for domains that the policy grants, and ends soon.'
const APPROVAL_PASSED = 'The approval is of an action and for an audience that the policy grants, and ends soon.'

export const RULE_NAMES: readonly string[] = [
  'network',
  ...STELLAR_RULES.map(([name]) => name),
  'authorization',
  'challenges',
  'approvals',
  ...EVM_RULE_NAMES,
]

export interface Check {
  readonly rule: string
  readonly result: 'pass' | 'deny' | 'undecided'
  /** What the rule found, for people. */
  readonly sentence: string
}

/** What each rule says that the payload concerns, in order: for people who ask why. */
export function explain(policy: Policy, view: PolicyView, facts: Facts): readonly Check[] {
  return [...judgements(policy, view, facts)].map(({ rule, finding, passed }) =>
    finding === undefined
      ? { rule, result: 'pass', sentence: passed }
      : { rule, result: finding.kind, sentence: sentenceOf(finding.reason) },
  )
}

const sentenceOf = (reason: string): string => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`

/**
 * May this key sign this? A pure function: the same three arguments give the same answer, and it always gives one. Only
 * `allow` signs, and only when everything in `spends` has room in its window, which a store knows; a rule that denies
 * goes before one that cannot tell.
 */
export function decide(policy: Policy, view: PolicyView, facts: Facts): Decision {
  let doubt: { readonly rule: string; readonly reason: string } | undefined
  for (const { rule, finding } of judgements(policy, view, facts)) {
    if (finding === undefined) continue
    const { kind, reason } = finding
    if (kind === 'deny') return { kind, policyHash: policy.hash, rule, reason }
    doubt ??= { rule, reason }
  }
  if (doubt !== undefined) return { kind: 'undecided', policyHash: policy.hash, ...doubt }
  const spends = spendsOrDoubt(policy, view, facts)
  if (spends === undefined) {
    return { kind: 'undecided', policyHash: policy.hash, rule: 'windows', reason: 'what is spent could not be counted' }
  }
  return { kind: 'allow', policyHash: policy.hash, ...(spends.length === 0 ? {} : { spends }) }
}

interface Judgement {
  readonly rule: string
  readonly finding: Finding
  readonly passed: string
}

function* judgements(policy: Policy, view: PolicyView, facts: Facts): Generator<Judgement> {
  yield { rule: 'network', finding: ask(() => networkRule({ policy, view, facts })), passed: NETWORK_PASSED }
  if (view.kind === 'transaction' || view.kind === 'fee-bump') {
    const question = questionOf(policy, view, facts)
    for (const [rule, judge, passed] of STELLAR_RULES) yield { rule, finding: ask(() => judge(question)), passed }
    return
  }
  if (view.kind === 'authorization') {
    const question = authorizedQuestion(policy, view, facts)
    const finding = ask(() => authorizationFinding(policy, view, facts))
    yield { rule: 'authorization', finding, passed: AUTHORIZATION_PASSED }
    for (const [rule, judge, passed] of AUTHORIZED_RULES) yield { rule, finding: ask(() => judge(question)), passed }
    return
  }
  if (view.kind === 'challenge') {
    yield { rule: 'challenges', finding: ask(() => challengeFinding(policy, view, facts)), passed: CHALLENGE_PASSED }
    return
  }
  if (view.kind === 'approval') {
    yield { rule: 'approvals', finding: ask(() => approvalFinding(policy, view, facts)), passed: APPROVAL_PASSED }
    return
  }
  for (const { rule, finding } of judgeEvm(policy.rules, view, facts)) {
    yield { rule, finding, passed: 'The rule has nothing against it.' }
  }
}

/** A rule that breaks on something unforeseen has not allowed it. */
function ask(rule: () => Finding): Finding {
  try {
    return rule()
  } catch {
    return undecided('the rule could not be evaluated on this payload')
  }
}

function spendsOrDoubt(policy: Policy, view: PolicyView, facts: Facts): readonly SpendClaim[] | undefined {
  try {
    switch (view.kind) {
      case 'transaction':
      case 'fee-bump':
        return spendsOf(questionOf(policy, view, facts))
      case 'authorization':
        return spendsOf(authorizedQuestion(policy, view, facts))
      case 'challenge':
      case 'approval':
        return [] // nothing moves
      default:
        return evmSpendsOf(policy.rules, view, facts)
    }
  } catch {
    return undefined
  }
}
