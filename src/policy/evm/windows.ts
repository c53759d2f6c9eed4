import type { SpendClaim } from '../../domain/claims.ts'
import { nodesOf, type CallNode } from './tree.ts'
import { TOKEN_FUNCTIONS, UNLIMITED } from './known.ts'
import { lowerAddress } from './fields.ts'
import { permitOf } from './permits.ts'
import type { EvmRules, EvmWindow } from './schema.ts'
import { callInside } from './typed-data.ts'
import { callOf, type EvmFacts, feeOf } from './transaction.ts'
import type { EvmView } from './judge.ts'

const RULE = 'evm-windows'

/** Something of value that may leave because of a signature. */
interface Outgoing {
  /** `native`, `fee`, or the address of a token in lower case. */
  readonly asset: string
  readonly to: string
  readonly amount: bigint
}

/**
 * What a signature takes of the windows: wei, the most the fee may be, and tokens that standard functions and permits
 * move or let others move, inner calls included, whoever pays. Allowances without end have no measure and are not counted.
 * @returns one claim a counter, in the order of the windows.
 */
export function spendsOf({ evm }: EvmRules, view: EvmView, facts: EvmFacts): readonly SpendClaim[] {
  const windows = evm?.windows ?? []
  if (windows.length === 0) return []
  const outgoing = outgoingOf(view)
  const account = `evm/${facts.keyChainId ?? facts.keyNetwork}/${facts.keyName ?? facts.keyAddress.toLowerCase()}`
  return windows.flatMap(window => claimsOf(window, outgoing, account))
}

function claimsOf(window: EvmWindow, outgoing: readonly Outgoing[], account: string): readonly SpendClaim[] {
  const { asset, destination, seconds, max } = window
  const sums = new Map<string, bigint>()
  for (const one of outgoing) {
    if (one.asset !== asset || one.amount <= 0n) continue
    if (destination !== undefined && destination !== 'each' && destination !== one.to) continue
    const to = destination === undefined ? 'all' : one.to
    sums.set(to, (sums.get(to) ?? 0n) + one.amount)
  }
  const each = destination === 'each' ? 'each/' : ''
  return [...sums].map(([to, amount]) => ({
    counter: `${account}/${asset}/${each}${to}/${seconds}`,
    amount,
    limit: max,
    windowMs: seconds * 1000,
    rule: RULE,
  }))
}

function outgoingOf(view: EvmView): readonly Outgoing[] {
  switch (view.kind) {
    case 'evm-transaction': {
      const call = callOf(view)
      const fee = { asset: 'fee', to: '', amount: feeOf(view) }
      return call === undefined
        ? [fee, { asset: 'native', to: 'create', amount: view.valueWei }]
        : [fee, ...[...nodesOf(call)].flatMap(ofCall)]
    }
    case 'typed-data': {
      const call = callInside(view)
      const contract = lowerAddress(view.domain.verifyingContract)
      const permit = contract === undefined ? undefined : permitOf(view.primaryType, view.message, contract)
      return [
        ...(call === undefined ? [] : [...nodesOf(call)].flatMap(ofCall)),
        ...(permit?.gives ?? []).flatMap(({ token, to, amount }) =>
          amount === 'all' || amount >= UNLIMITED ? [] : [{ asset: token, to, amount }],
        ),
      ]
    }
    default:
      return []
  }
}

function ofCall({ to, valueWei, selector, values }: CallNode): readonly Outgoing[] {
  const native = { asset: 'native', to, amount: valueWei }
  const known = selector === undefined ? undefined : TOKEN_FUNCTIONS.get(selector)
  if (known === undefined || values === undefined) return [native]
  const asset = known.token === undefined ? to : values[known.token]
  const receiver = values[known.to]
  const amount = values[known.amount]
  if (typeof asset !== 'string' || typeof receiver !== 'string' || typeof amount !== 'bigint') return [native]
  if (known.kind === 'approval' && amount >= UNLIMITED) return [native]
  return [native, { asset, to: receiver, amount }]
}
