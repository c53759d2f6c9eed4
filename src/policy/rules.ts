import type { AccountView, InvocationView, OperationView, TransactionBodyView } from '../domain/stellar.ts'
import type { Finding, Question, Rule } from './decide.ts'

export const deny = (reason: string): Finding => ({ kind: 'deny', reason })
export const undecided = (reason: string): Finding => ({ kind: 'undecided', reason })

/** The transaction that would run: of a fee bump, the inner one. */
export const bodyOf = ({ view }: Question): TransactionBodyView => (view.kind === 'transaction' ? view : view.inner)

/** The first denial, else the first doubt: what comes later in a list never outvotes it. */
export function worst(findings: Iterable<Finding>): Finding {
  let doubt: Finding
  for (const finding of findings) {
    if (finding?.kind === 'deny') return finding
    doubt ??= finding
  }
  return doubt
}

/** Policy, key and transaction must all mean the same network. */
export const networkRule: Rule = ({ policy, view, facts }) => {
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

export const operationsRule: Rule = question => {
  const { operations = [], sensitiveOperations = [] } = question.policy.rules
  const asked = bodyOf(question).operations
  if (asked.length === 0) return undecided('the transaction has no operation to judge')
  return worst(
    asked.map((operation, at) => {
      if (operation.type === 'unknown') return undecided(`${nth(at)} is of an unknown type (${operation.name})`)
      if (operations.includes(operation.type) || sensitiveOperations.includes(operation.type)) return undefined
      return deny(`${nth(at)} is ${operation.type}, which the policy does not list`)
    }),
  )
}

export const nth = (at: number): string => `operation ${at + 1}`

/** The key's own account may always be source; a muxed source counts as the account underneath. */
export const sourcesRule: Rule = question => {
  const { policy, view, facts } = question
  const { sources = [] } = policy.rules
  if (sources === 'any') return undefined
  const may = (account: AccountView): boolean =>
    account.address === facts.keyAddress || sources.includes(account.address)
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

/** A signature without end can be kept and used when it hurts most. */
export const timeBoundsRule: Rule = question => {
  const { policy, facts } = question
  const rule = policy.rules.timeBounds
  if (rule === undefined) return deny('the policy grants no time bounds')
  if (rule === 'any') return undefined
  if (!Number.isSafeInteger(facts.now) || facts.now < 0) return undecided('the time is not known')
  const { timeBounds } = bodyOf(question).preconditions
  if (timeBounds === null || timeBounds.maxTime === 0n) return deny('the transaction is valid without end')
  const nowSeconds = BigInt(facts.now) / 1000n
  const latest = nowSeconds + BigInt(rule.maxLifetimeSeconds)
  if (timeBounds.maxTime > latest) {
    const ahead = timeBounds.maxTime - nowSeconds
    return deny(`the transaction is valid for ${ahead} seconds; ${rule.maxLifetimeSeconds} is the limit`)
  }
  if (timeBounds.maxTime < nowSeconds)
    return deny(`the transaction ended ${nowSeconds - timeBounds.maxTime} seconds ago`)
  if (timeBounds.minTime > timeBounds.maxTime) return deny('the transaction begins after it ends')
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
  return worst(
    present.map(([name, there]) =>
      there && !granted.includes(name) ? deny(`the policy does not grant the condition ${name}`) : undefined,
    ),
  )
}

export const memoRule: Rule = question => {
  const { memo: granted = [] } = question.policy.rules
  const { memo } = bodyOf(question)
  if (memo.kind === 'none' || granted.includes(memo.kind)) return undefined
  return deny(`the policy does not grant a memo of kind ${memo.kind}`)
}

/**
 * Contract calls, in the operation and anywhere in its authorization trees: an entry with source-account credentials
 * is authorized by the very signature that is asked for. Arguments are not looked at.
 */
export const contractsRule: Rule = question =>
  worst(bodyOf(question).operations.map((operation, at) => contractsOf(operation, at, question)))

function contractsOf(operation: OperationView, at: number, { policy }: Question): Finding {
  if (operation.type !== 'invokeHostFunction') return undefined
  const { contracts = [] } = policy.rules
  const judge = (invocation: InvocationView): Finding => {
    switch (invocation.kind) {
      case 'call': {
        const { contract, function: called } = invocation
        const listed = contracts.some(one => one.contract === contract && one.functions.includes(called))
        return listed ? undefined : deny(`${nth(at)} calls ${called} of ${contract}, which the policy does not list`)
      }
      case 'create-contract':
      case 'upload-code':
        return deny(`${nth(at)} would ${invocation.kind}, which no policy of this form allows`)
      default:
        return undecided(`${nth(at)} holds an invocation of an unknown kind`)
    }
  }
  const entries = operation.authorizations.flatMap(({ credentials, invocations }) => [
    credentials === 'unknown' ? undecided(`${nth(at)} holds credentials of an unknown kind`) : undefined,
    ...invocations.map(judge),
  ])
  return worst([judge(operation.invocation), ...entries])
}
