import type { DigestView, EvmSetCodeView, EvmTransactionView, MessageView, TypedDataView } from '../../domain/evm.ts'
import { deny, type Finding, undecided } from '../finding.ts'
import { digestFinding, messageFinding } from './messages.ts'
import type { EvmRules } from './schema.ts'
import { chainFinding, type EvmFacts, type Named, setCodeRules, transactionRules } from './transaction.ts'
import { typedDataFinding } from './typed-data.ts'

export type EvmView = EvmTransactionView | EvmSetCodeView | TypedDataView | MessageView | DigestView

export interface Judgement {
  readonly rule: string
  readonly finding: Finding
  /** A sentence for people, where there is no finding. */
  readonly passed: string
}

/** Every rule there is, and what it means that it has nothing against a payload. */
const PASSED: ReadonlyMap<string, string> = new Map([
  ['evm-network', 'Key and payload are for the same network.'],
  ['evm-chain', 'The payload is for the chain that the key is pinned to.'],
  ['evm-type', 'The type of the transaction is granted, and it has nothing that belongs to another type.'],
  ['evm-from', 'The transaction is from the account of the key.'],
  ['evm-fee', 'The most that gas and blobs may cost is within the cap.'],
  ['evm-set-code', 'No account is given code that is not listed.'],
  ['evm-create', 'No contract is created, or its code is listed.'],
  ['evm-value', 'The wei that all calls carry are within the cap.'],
  ['evm-calls', 'Every call, and every call inside it, is granted with its arguments.'],
  ['evm-tokens', 'The sum of each token is within its cap.'],
  ['messages', 'The message is readable and begins as granted.'],
  ['typed-data', 'Domain and type are registered, and every field is within its bound.'],
  ['raw-digests', 'Raw digests are granted.'],
])

/** Every name that a finding may carry. */
export const EVM_RULE_NAMES: readonly string[] = [...PASSED.keys()]

/**
 * What each rule says of a payload, in order, those that have nothing against it included. Pure: the same three arguments
 * give the same answer, and it always gives one. Only where every finding is undefined may be signed.
 *
 * Windows are not asked here: `spendsOf` says what they are asked for.
 */
export const judgeEvm = (rules: EvmRules, view: EvmView, facts: EvmFacts): readonly Judgement[] =>
  rulesFor(rules, view, facts).map(([rule, finding]) => ({
    rule,
    finding: ask(finding),
    passed: PASSED.get(rule) ?? '',
  }))

function rulesFor(rules: EvmRules, view: EvmView, facts: EvmFacts): readonly Named[] {
  const network: Named = ['evm-network', () => networkFinding(view, facts)]
  switch (view.kind) {
    case 'evm-transaction':
      return [network, ...transactionRules(rules.evm, view, facts)]
    case 'evm-set-code':
      return [network, ...setCodeRules(rules.evm, view, facts)]
    case 'typed-data':
      return [
        network,
        ['evm-chain', () => chainFinding(view.domain.chainId, facts)],
        ['typed-data', () => typedDataFinding(rules, view, facts)],
      ]
    case 'message':
      return [network, ['messages', () => messageFinding(rules, view)]]
    case 'raw-digest':
      return [network, ['raw-digests', () => digestFinding(rules, view)]]
    default:
      return [network, ['evm-type', () => undecided('the payload is of an unknown kind')]]
  }
}

const networkFinding = (view: EvmView, { keyNetwork }: EvmFacts): Finding =>
  view.network === keyNetwork
    ? undefined
    : deny(`the payload is for ${view.network}; the key is bound to ${keyNetwork}`)

/** A rule that breaks on something unforeseen has not allowed it. */
function ask(finding: () => Finding): Finding {
  try {
    return finding()
  } catch {
    return undecided('the rule could not be evaluated on this payload')
  }
}
