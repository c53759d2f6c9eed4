import { type Difference, less, more, ofLimits, ofSets, ofSetsOrAny } from './differences.ts'
import type { PolicyRules } from './schema.ts'
import type { ApprovalGrant } from './statement-fields.ts'

export const statementDifferences = (before: PolicyRules, after: PolicyRules): readonly Difference[] => [
  ...authorizationDifferences(before.authorizations, after.authorizations),
  ...challengeDifferences(before.challenges, after.challenges),
  ...approvalDifferences(before.approvals, after.approvals),
]

/** What a whole part of the policy is, when it comes or goes. */
function ofParts<T>(path: string, before: T | undefined, after: T | undefined): Difference[] {
  if ((before === undefined) === (after === undefined)) return []
  return after === undefined ? [less(path, 'None are granted any more.')] : [more(path, 'They are granted now.')]
}

const flag = (on: boolean | undefined): readonly string[] => (on === true ? ['It'] : [])

function authorizationDifferences(
  before: PolicyRules['authorizations'],
  after: PolicyRules['authorizations'],
): Difference[] {
  const found = ofParts('authorizations', before, after)
  if (before === undefined || after === undefined) return found
  const path = 'authorizations.expiration'
  const ahead = ({ expiration }: typeof after) => (expiration === 'any' ? undefined : expiration.maxLedgersAhead)
  const [was, is] = [ahead(before), ahead(after)]
  const expirations =
    was === undefined
      ? is === undefined
        ? []
        : [less(path, 'Authorizations must expire soon now.')]
      : is === undefined
        ? [more(path, 'Any expiration is granted now.')]
        : ofLimits(path, was, is)
  return [
    ...expirations,
    ...ofSets('authorizations.accounts', before.accounts, after.accounts),
    ...ofSets('authorizations.delegateOf', before.delegateOf, after.delegateOf),
    ...ofSets('authorizations.legacy', flag(before.legacy), flag(after.legacy)),
  ]
}

function challengeDifferences(before: PolicyRules['challenges'], after: PolicyRules['challenges']): Difference[] {
  const found = ofParts('challenges', before, after)
  if (before === undefined || after === undefined) return found
  return [
    ...ofSets('challenges.homeDomains', before.homeDomains, after.homeDomains),
    ...ofSets('challenges.servers', before.servers, after.servers),
    ...ofSets('challenges.issue', flag(before.issue), flag(after.issue)),
    // Without a list it is the home domain itself, so a list that comes or goes may allow more.
    ...(before.webAuthDomains === undefined && after.webAuthDomains === undefined
      ? []
      : before.webAuthDomains === undefined || after.webAuthDomains === undefined
        ? [more('challenges.webAuthDomains', 'Logins at other domains than before are granted now.')]
        : ofSets('challenges.webAuthDomains', before.webAuthDomains, after.webAuthDomains)),
    ...ofSets('challenges.clientDomains', before.clientDomains, after.clientDomains),
    ...ofLimits('challenges.maxLifetimeSeconds', before.maxLifetimeSeconds, after.maxLifetimeSeconds),
  ]
}

function approvalDifferences(
  before: readonly ApprovalGrant[] = [],
  after: readonly ApprovalGrant[] = [],
): Difference[] {
  const of = (list: readonly ApprovalGrant[], action: string) => list.find(one => one.action === action)
  const actions = new Set([...before, ...after].map(({ action }) => action))
  return [...actions].flatMap(action => {
    const path = `approvals.${action}`
    const [was, is] = [of(before, action), of(after, action)]
    const found = ofParts(path, was, is)
    if (was === undefined || is === undefined) return found
    return [
      ...ofSetsOrAny(`${path}.audiences`, was.audiences, is.audiences),
      ...ofSetsOrAny(`${path}.subjects`, was.subjects ?? 'any', is.subjects ?? 'any'),
      ...ofLimits(`${path}.maxLifetimeSeconds`, was.maxLifetimeSeconds, is.maxLifetimeSeconds),
    ]
  })
}
