import { contractDifferences } from './diff-contracts.ts'
import { jsonChanges } from './diff-json.ts'
import { destinationDifferences, assetDifferences, windowDifferences } from './diff-payments.ts'
import { statementDifferences } from './diff-statements.ts'
import { type Difference, less, more, ofLimits, ofRanges, ofSets, ofSetsOrAny } from './differences.ts'
import { directionOfEvm } from './evm/index.ts'
import type { Policy, PolicyRules, SetOptionsGrant } from './schema.ts'

/**
 * What `after` allows more, and what less, than `before`. Every way to allow more is in the list; what cannot be compared
 * counts as more. A change that only says the same in other words gives none.
 */
export function diff(before: Policy, after: Policy): readonly Difference[] {
  const was = before.rules
  const is = after.rules
  const found = [
    ...networkDifferences(was.network, is.network),
    ...ofSets('operations', was.operations, is.operations),
    ...ofSets('sensitiveOperations', was.sensitiveOperations, is.sensitiveOperations),
    ...trustLineDifferences(was, is),
    ...setOptionsDifferences(was, is),
    ...ofLimits('fee.maxStroops', was.fee?.maxStroops, is.fee?.maxStroops),
    ...ofSets('feeBump', was.feeBump === true ? ['a fee bump'] : [], is.feeBump === true ? ['a fee bump'] : []),
    ...validityDifferences(was, is),
    ...ofSets('preconditions', was.preconditions, is.preconditions),
    ...ofSetsOrAny('sources', was.sources, is.sources),
    ...ofSets('memo', was.memo, is.memo),
    ...destinationDifferences(was, is),
    ...assetDifferences(was, is),
    ...windowDifferences(was, is),
    ...contractDifferences(was, is),
    ...statementDifferences(was, is),
    ...evmDifferences(before, after),
  ]
  // Without a network nothing is allowed, whatever else the policy says.
  return is.network === undefined ? found.filter(({ change }) => change === 'less') : found
}

/**
 * `tightening` only when nothing is allowed afterwards that was not allowed before, whatever the transaction and whatever
 * the windows hold by then; a policy is a tightening of itself. It may call a change a loosening that is none, never the
 * other way round. A policy without a network allows nothing at all, so it is a tightening of every other, also of one whose
 * spend windows go with it: in an emergency one person can stop a key.
 */
export const directionOf = (before: Policy, after: Policy): 'tightening' | 'loosening' =>
  diff(before, after).every(({ change }) => change === 'less') ? 'tightening' : 'loosening'

function networkDifferences(before: string | undefined, after: string | undefined): Difference[] {
  if (before === after) return []
  if (after === undefined) return [less('network', `Nothing is granted on ${before} any more.`)]
  return [more('network', `The policy is for ${after} now, not for ${before ?? 'any network'}.`)]
}

/** `operations` grants all trust lines at once. */
function trustLineDifferences(before: PolicyRules, after: PolicyRules): Difference[] {
  const lines = (rules: PolicyRules): readonly string[] | 'any' =>
    rules.operations?.includes('changeTrust') === true ? 'any' : (rules.trustLines ?? [])
  return ofSetsOrAny('trustLines', lines(before), lines(after))
}

const WEIGHTS = ['masterWeight', 'lowThreshold', 'mediumThreshold', 'highThreshold'] as const
const LISTS = ['setFlags', 'clearFlags', 'homeDomains', 'inflationDestinations'] as const

/** `sensitiveOperations` grants all options at once. */
function setOptionsDifferences(before: PolicyRules, after: PolicyRules): Difference[] {
  const all = (rules: PolicyRules): boolean => rules.sensitiveOperations?.includes('setOptions') === true
  if (all(before) || all(after)) return [] // `sensitiveOperations` says it, if there is a difference
  const was: SetOptionsGrant = before.setOptions ?? {}
  const is: SetOptionsGrant = after.setOptions ?? {}
  const some = (grant: SetOptionsGrant | undefined): string[] => (grant === undefined ? [] : ['setOptions'])
  const signers = new Set([...(was.signers ?? []), ...(is.signers ?? [])].map(({ key }) => key))
  return [
    ...ofSets('setOptions', some(before.setOptions), some(after.setOptions)),
    ...[...signers].flatMap(key => ofRanges(`setOptions.signers.${key}`, weightsOf(was, key), weightsOf(is, key))),
    ...WEIGHTS.flatMap(name => ofRanges(`setOptions.${name}`, was[name], is[name])),
    ...LISTS.flatMap(name => ofSets<string>(`setOptions.${name}`, was[name], is[name])),
  ]
}

function weightsOf(grant: SetOptionsGrant, key: string): { min: number; max: number } | undefined {
  const entry = grant.signers?.find(one => one.key === key)
  return entry === undefined ? undefined : { min: entry.minWeight, max: entry.maxWeight }
}

function validityDifferences(before: PolicyRules, after: PolicyRules): Difference[] {
  if (before.timeBounds === 'any') {
    return after.timeBounds === 'any' ? [] : [less('timeBounds', 'Transactions must end now.')]
  }
  if (after.timeBounds === 'any') return [more('timeBounds', 'Transactions without end are granted now.')]
  return [
    ...ofLimits('timeBounds', before.timeBounds?.maxLifetimeSeconds, after.timeBounds?.maxLifetimeSeconds),
    ...ofLimits('ledgerBounds', before.ledgerBounds?.maxLedgersAhead, after.ledgerBounds?.maxLedgersAhead),
  ]
}

const EVM_FIELDS = ['evm', 'messages', 'typedData', 'rawDigests'] as const

/** Compared grant by grant as a whole; what is listed here says where they differ. */
function evmDifferences(before: Policy, after: Policy): Difference[] {
  const was: Record<string, unknown> = JSON.parse(before.text)
  const is: Record<string, unknown> = JSON.parse(after.text)
  const changes = EVM_FIELDS.flatMap(name => jsonChanges(name, was[name], is[name]))
  const tightening = directionOfEvm(before.rules, after.rules) === 'tightening'
  const found = changes.map(({ path, what }) => {
    const sentence = `It is ${what === 'another' ? 'another than before' : what}.`
    return tightening || what === 'gone' ? less(path, sentence) : more(path, sentence)
  })
  if (tightening || found.some(({ change }) => change === 'more')) return found
  return [...found, more('evm', 'It cannot be shown that nothing more is allowed.')]
}
