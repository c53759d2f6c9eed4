import type { PayloadView } from '../domain/payload.ts'
import type { InvocationView, OperationView } from '../domain/stellar.ts'
import { asTransaction } from './authorizations.ts'
import { MEASURED_FUNCTIONS, movesOf } from './moves.ts'
import { bodyOf } from './question.ts'
import type { Policy } from './schema.ts'

/**
 * The most of each asset that can leave because of a transaction, fees aside, counted as the caps of a policy count it.
 * @returns undefined when that cannot be told: an account that is merged, a pool, a contract that is no declared token,
 *          a payload that is no Stellar transaction
 */
export function outgoingOf(policy: Policy, view: PayloadView): ReadonlyMap<string, bigint> | undefined {
  const transaction = view.kind === 'authorization' ? asTransaction(view) : view
  if (transaction.kind !== 'transaction' && transaction.kind !== 'fee-bump') return undefined
  const { tokens = [] } = policy.rules
  const declared = new Set(tokens.map(({ contract }) => contract))
  const sums = new Map<string, bigint>()
  for (const operation of bodyOf({ view: transaction }).operations) {
    if (!isMeasured(operation, declared)) return undefined
    const { moves, unclear } = movesOf(operation, tokens)
    if (unclear !== undefined) return undefined
    for (const { asset, stroops } of moves) {
      if (asset === undefined) return undefined
      sums.set(asset, (sums.get(asset) ?? 0n) + stroops)
    }
  }
  return sums
}

function isMeasured(operation: OperationView, declared: ReadonlySet<string>): boolean {
  switch (operation.type) {
    case 'unknown':
    case 'accountMerge':
    case 'liquidityPoolDeposit':
      return false
    case 'invokeHostFunction': {
      const calls = [operation.invocation, ...operation.authorizations.flatMap(({ invocations }) => invocations)]
      return calls.every(call => isToken(call, declared))
    }
    default:
      return true
  }
}

const isToken = (call: InvocationView, declared: ReadonlySet<string>): boolean =>
  call.kind === 'call' && declared.has(call.contract) && MEASURED_FUNCTIONS.includes(call.function)
