import type { AccountView, AssetId, ContractValue, InvocationView, OperationView } from '../domain/stellar.ts'
import type { TokenGrant } from './contract-fields.ts'

/** So much of an asset that can leave because of an operation, at most, and who receives it. */
export interface Move {
  /** Undefined: all there is, which no amount says (`accountMerge`). */
  readonly asset: AssetId | undefined
  /** The smallest unit. */
  readonly stroops: bigint
  /** Zero where the network has a use for it: an account created under sponsorship, an offer deleted. */
  readonly least: bigint
  readonly receivers: readonly AccountView[]
}

export interface Moves {
  readonly moves: readonly Move[]
  /** A call of a token that cannot be read as what its name says. */
  readonly unclear?: string
}

const NOTHING: Moves = { moves: [] }

const one = (asset: AssetId | undefined, stroops: bigint, least: bigint, receivers: readonly AccountView[]): Moves => ({
  moves: [{ asset, stroops, least, receivers }],
})

export function movesOf(operation: OperationView, tokens: readonly TokenGrant[]): Moves {
  switch (operation.type) {
    case 'payment':
      return one(operation.asset, operation.amount.stroops, 1n, [operation.destination])
    case 'createClaimableBalance': {
      const receivers = operation.claimants.map(({ destination }) => ({ address: destination, muxedId: null }))
      return one(operation.asset, operation.amount.stroops, 1n, receivers)
    }
    case 'createAccount':
      return one('native', operation.startingBalance.stroops, 0n, [operation.destination])
    case 'pathPaymentStrictReceive':
      return one(operation.sendAsset, operation.sendMax.stroops, 1n, [operation.destination])
    case 'pathPaymentStrictSend':
      return one(operation.sendAsset, operation.sendAmount.stroops, 1n, [operation.destination])
    case 'manageSellOffer':
    case 'createPassiveSellOffer':
      return one(operation.selling, operation.amount.stroops, 0n, [])
    case 'manageBuyOffer':
      return one(operation.selling, costOf(operation), 0n, [])
    case 'accountMerge':
      return one(undefined, 0n, 0n, [operation.destination])
    case 'invokeHostFunction':
      return tokens.length === 0 ? NOTHING : tokenMoves(operation, tokens)
    default:
      return NOTHING
  }
}

/** What buying costs at the stated price, rounded up. A price that is none makes it negative, which is refused. */
function costOf({ amount, price }: Extract<OperationView, { type: 'manageBuyOffer' }>): bigint {
  const { numerator, denominator } = price
  if (!(numerator > 0 && denominator > 0) || amount.stroops < 0n) return -1n
  const divisor = BigInt(denominator)
  return (amount.stroops * BigInt(numerator) + divisor - 1n) / divisor
}

type Call = Extract<InvocationView, { kind: 'call' }>

/** Where amount and receiver stand among the arguments. @see SEP-41, CAP-46-6 */
const MEASURED: ReadonlyMap<string, { readonly count: number; readonly amount: number; readonly receiver?: number }> =
  new Map([
    ['transfer', { count: 3, receiver: 1, amount: 2 }],
    ['transfer_from', { count: 4, receiver: 2, amount: 3 }],
    ['approve', { count: 4, receiver: 1, amount: 2 }], // whoever may take it has received it
    ['burn', { count: 2, amount: 1 }],
    ['burn_from', { count: 3, amount: 2 }],
    ['mint', { count: 2, receiver: 0, amount: 1 }],
    ['clawback', { count: 2, amount: 1 }],
  ])

/** Functions of a token whose amount counts as a payment. */
export const MEASURED_FUNCTIONS: readonly string[] = [...MEASURED.keys()]

/**
 * Every authorization of a transfer can be used once, so all of them are added up. The call of the operation itself needs
 * one of them: it is not counted again when a tree begins with the same call.
 */
function tokenMoves(
  { invocation, authorizations }: Extract<OperationView, { type: 'invokeHostFunction' }>,
  tokens: readonly TokenGrant[],
): Moves {
  const calls = authorizations.flatMap(({ invocations }) => invocations)
  if (!authorizations.some(({ invocations: [root] }) => root !== undefined && sameCall(root, invocation))) {
    calls.unshift(invocation)
  }
  const moves: Move[] = []
  for (const call of calls) {
    if (call.kind !== 'call') continue
    const token = tokens.find(({ contract }) => contract === call.contract)
    if (token === undefined || !MEASURED.has(call.function)) continue
    const move = moveOf(call, token.asset)
    if (move === undefined) {
      return { moves, unclear: `${call.function} of ${call.contract} has arguments that are not those of a token` }
    }
    moves.push(move)
  }
  return { moves }
}

function moveOf(call: Call, asset: AssetId): Move | undefined {
  const shape = MEASURED.get(call.function)
  if (shape === undefined || call.arguments.length !== shape.count) return undefined
  const amount = call.arguments[shape.amount]
  if (amount?.kind !== 'integer' || amount.type !== 'i128') return undefined
  if (shape.receiver === undefined) return { asset, stroops: amount.value, least: 0n, receivers: [] }
  const to = call.arguments[shape.receiver]
  if (to?.kind !== 'address') return undefined
  return { asset, stroops: amount.value, least: 0n, receivers: [{ address: to.address, muxedId: to.muxedId }] }
}

function sameCall(a: InvocationView, b: InvocationView): boolean {
  if (a.kind !== 'call' || b.kind !== 'call') return false
  return a.contract === b.contract && a.function === b.function && sameList(a.arguments, b.arguments)
}

const sameList = (a: readonly ContractValue[], b: readonly ContractValue[]): boolean =>
  a.length === b.length &&
  a.every((value, at) => {
    const other = b[at]
    return other !== undefined && sameValue(value, other)
  })

/** Equal beyond doubt: values that are not known are never the same. */
function sameValue(a: ContractValue, b: ContractValue): boolean {
  switch (a.kind) {
    case 'void':
      return b.kind === 'void'
    case 'bool':
      return b.kind === 'bool' && a.value === b.value
    case 'integer':
      return b.kind === 'integer' && a.type === b.type && a.value === b.value
    case 'symbol':
    case 'string':
      return b.kind === a.kind && a.text === b.text
    case 'bytes':
      return b.kind === 'bytes' && a.hex === b.hex
    case 'address':
      return b.kind === 'address' && a.address === b.address && a.muxedId === b.muxedId
    case 'vec':
      return b.kind === 'vec' && sameList(a.items, b.items)
    case 'map':
      return (
        b.kind === 'map' &&
        sameList(
          a.entries.flatMap(({ key, value }) => [key, value]),
          b.entries.flatMap(({ key, value }) => [key, value]),
        )
      )
    default:
      return false
  }
}
