import type { AccountView } from '../domain/stellar.ts'
import { deny, type Finding, worst } from './finding.ts'
import { bodyOf, type Facts, nth, ownAccount, type PolicyView, type Rule } from './question.ts'
import type { Policy } from './schema.ts'

interface Asked {
  readonly policy: Policy
  readonly view: PolicyView
  readonly facts: Facts
}

/** Policy, key and transaction must all mean the same network. */
export const networkRule = ({ policy, view, facts }: Asked): Finding => {
  const { network } = policy.rules
  if (network === undefined) return deny('the policy names no network')
  if (facts.keyNetwork !== network) return deny(`the key is bound to ${facts.keyNetwork}; the policy is for ${network}`)
  if (view.network !== network) return deny(`the transaction is for ${view.network}; the policy is for ${network}`)
  return undefined
}

/** Sequence 0 cannot run: it marks a login challenge (SEP-10), which is not a payment and not signed here. */
export const sequenceRule: Rule = question => {
  const { sequence } = bodyOf(question)
  if (sequence === 0n) return deny('sequence 0 marks a SEP-10 challenge, not a transaction')
  if (sequence < 0n) return deny(`sequence ${sequence} is negative`)
  return undefined
}

/** The account of the key may always be source; a muxed source counts as the account underneath. */
export const sourcesRule: Rule = question => {
  const { policy, view, facts } = question
  const { sources = [] } = policy.rules
  if (sources === 'any') return undefined
  const may = (account: AccountView): boolean =>
    account.address === ownAccount(facts) || sources.includes(account.address)
  if (view.kind === 'fee-bump' && !may(view.feeSource)) {
    return deny(`fee source ${view.feeSource.address} is neither the key's own account nor listed`)
  }
  const { source, operations } = bodyOf(question)
  if (!may(source)) return deny(`source ${source.address} is neither the key's own account nor listed`)
  return worst(
    operations.map((operation, at) =>
      operation.source === null || may(operation.source)
        ? undefined
        : deny(`source ${operation.source.address} of ${nth(at)} is neither the key's own account nor listed`),
    ),
  )
}

/** One cap for every fee there is: of the transaction, and of the fee bump around it. */
export const feeRule: Rule = question => {
  const { policy, view } = question
  const { fee } = policy.rules
  if (fee === undefined) return deny('the policy grants no fee')
  const { feeStroops, resourceFeeStroops } = bodyOf(question)
  if (feeStroops > fee.maxStroops) return deny(`the fee of ${feeStroops} stroops is above ${fee.maxStroops}`)
  if (resourceFeeStroops !== null && (resourceFeeStroops < 0n || resourceFeeStroops > feeStroops)) {
    return deny(`the resource fee of ${resourceFeeStroops} stroops is not a part of the fee of ${feeStroops}`)
  }
  if (view.kind === 'transaction') return undefined
  if (view.feeStroops < 0n) return deny(`the fee of the fee bump is negative: ${view.feeStroops} stroops`)
  if (view.feeStroops > fee.maxStroops) {
    return deny(`the fee of the fee bump, ${view.feeStroops} stroops, is above ${fee.maxStroops}`)
  }
  return undefined
}

export const feeBumpRule: Rule = ({ policy, view }) =>
  view.kind === 'transaction' || policy.rules.feeBump === true ? undefined : deny('the policy grants no fee bumps')

export const memoRule: Rule = question => {
  const { memo: granted = [] } = question.policy.rules
  const { memo } = bodyOf(question)
  if (memo.kind === 'none' || granted.includes(memo.kind)) return undefined
  return deny(`the policy does not grant a memo of kind ${memo.kind}`)
}
