import { NO_PRECONDITIONS, type StellarAuthorizationView, type StellarTransactionView } from '../domain/stellar.ts'
import { contractsRule } from './contracts.ts'
import { deny, type Finding, undecided } from './finding.ts'
import { amountsRule, destinationsRule } from './payments.ts'
import { type Facts, ownAccount, type Question, questionOf, type Rule } from './question.ts'
import type { Policy } from './schema.ts'
import type { AuthorizationGrant } from './statement-fields.ts'

/** Asked of the whole tree of an authorization as if a transaction held it. */
export const AUTHORIZED_RULES: ReadonlyArray<readonly [name: string, rule: Rule, passed: string]> = [
  ['destinations', destinationsRule, 'Every receiver is granted.'],
  ['amounts', amountsRule, 'What leaves is within the caps of its asset.'],
  ['contracts', contractsRule, 'Every contract call, in the whole tree, is granted.'],
]

/** Who it is for, and how long it is good. */
export function authorizationFinding(policy: Policy, view: StellarAuthorizationView, facts: Facts): Finding {
  const grant = policy.rules.authorizations
  if (grant === undefined) return deny('the policy grants no authorizations apart from transactions')
  if (view.form === 'legacy') {
    if (grant.legacy !== true) {
      return deny('the authorization does not name its account, so every account of the key would be bound by it')
    }
  } else if (view.form !== 'with-address') return undecided('the authorization has an unknown form')
  return accountFinding(grant, view, facts) ?? expirationFinding(grant, view.expirationLedger, facts)
}

function accountFinding(
  { accounts = [], delegateOf = [] }: AuthorizationGrant,
  { address, asDelegate, form }: StellarAuthorizationView,
  facts: Facts,
): Finding {
  if (address === null) return form === 'legacy' ? undefined : undecided('nobody says whose authorization it is')
  if (asDelegate) {
    return delegateOf.includes(address) ? undefined : deny(`the key may not sign as a delegate of ${address}`)
  }
  if (address === ownAccount(facts) || accounts.includes(address)) return undefined
  return deny(`the authorization is for ${address}, which the policy does not grant`)
}

/** The last ledger that is known may be some ledgers old: then what remains looks longer than it is, never shorter. */
function expirationFinding({ expiration }: AuthorizationGrant, last: number, { ledger }: Facts): Finding {
  if (ledger !== undefined && last <= ledger)
    return deny(`the authorization ends with ledger ${last}, and ${ledger} is closed`)
  if (expiration === 'any') return undefined
  if (ledger === undefined || !Number.isSafeInteger(ledger) || ledger < 0) {
    return undecided('the current ledger is not known: configure the network, or grant any expiration')
  }
  const { maxLedgersAhead } = expiration
  const ahead = last - ledger
  return ahead > maxLedgersAhead
    ? deny(`the authorization is good for ${ahead} ledgers; ${maxLedgersAhead} is the limit`)
    : undefined
}

/** The tree of an authorization, asked as the one operation of a transaction that costs nothing. */
export const authorizedQuestion = (policy: Policy, view: StellarAuthorizationView, facts: Facts): Question =>
  questionOf(policy, asTransaction(view), facts)

/** Nobody asks for the source of what costs nothing, so it may stay open. */
export function asTransaction(view: StellarAuthorizationView): StellarTransactionView {
  const [root] = view.invocations
  const account = { address: view.address ?? '', muxedId: null }
  return {
    kind: 'transaction',
    network: view.network,
    source: account,
    feeStroops: 0n,
    resourceFeeStroops: null,
    sequence: 1n,
    preconditions: NO_PRECONDITIONS,
    memo: { kind: 'none' },
    operations: [
      {
        type: 'invokeHostFunction',
        source: null,
        invocation: root ?? { kind: 'unknown', name: 'nothing' },
        authorizations: [{ credentials: view.credentials, address: view.address, invocations: view.invocations }],
      },
    ],
    signatures: 0,
  }
}
