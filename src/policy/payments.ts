import type { AccountView, AssetId, OperationView } from '../domain/stellar.ts'
import type { Finding, Question, Rule } from './decide.ts'
import { bodyOf, deny, nth, undecided, worst } from './rules.ts'

/** Who receives, wherever an operation names a receiver. */
function receiversOf(operation: OperationView): readonly AccountView[] {
  switch (operation.type) {
    case 'createAccount':
    case 'payment':
    case 'pathPaymentStrictReceive':
    case 'pathPaymentStrictSend':
    case 'accountMerge':
      return [operation.destination]
    case 'createClaimableBalance':
      return operation.claimants.map(({ destination }) => ({ address: destination, muxedId: null }))
    default:
      return []
  }
}

export const destinationsRule: Rule = question =>
  worst(
    bodyOf(question).operations.flatMap((operation, at) =>
      receiversOf(operation).map(receiver => receiverFinding(receiver, at, question)),
    ),
  )

/** The list holds accounts; a muxed id is a sub-account there and has a grant of its own. */
function receiverFinding(receiver: AccountView, at: number, question: Question): Finding {
  const { payments } = question.policy.rules
  if (payments === undefined) return deny(`${nth(at)} pays ${receiver.address}; the policy grants no payments`)
  const listed =
    payments.destinations === 'any'
      ? undefined
      : payments.destinations.find(({ account }) => account === receiver.address)
  if (payments.destinations !== 'any' && listed === undefined) {
    return deny(`${nth(at)} pays ${receiver.address}, which is not a listed destination`)
  }
  if (receiver.muxedId !== null) {
    const ids = listed?.muxedIds ?? []
    if (payments.muxed === 'any' || ids === 'any' || ids.includes(receiver.muxedId)) return undefined
    return deny(`${nth(at)} pays muxed id ${receiver.muxedId} of ${receiver.address}, which is not granted`)
  }
  if (listed?.memo === 'required' && bodyOf(question).memo.kind === 'none') {
    return deny(`${nth(at)} pays ${receiver.address} without the memo it requires`)
  }
  return undefined
}

type Outgoing = { readonly asset: AssetId; readonly stroops: bigint }

/**
 * What may leave the source because of an operation, at most; `undefined`: nothing of value. Zero is possible where
 * the network has a use for it: an account created under sponsorship, an offer deleted.
 */
function outgoingOf(operation: OperationView): { out: Outgoing; least: bigint } | undefined {
  switch (operation.type) {
    case 'payment':
    case 'createClaimableBalance':
      return { out: { asset: operation.asset, stroops: operation.amount.stroops }, least: 1n }
    case 'createAccount':
      return { out: { asset: 'native', stroops: operation.startingBalance.stroops }, least: 0n }
    case 'pathPaymentStrictReceive':
      return { out: { asset: operation.sendAsset, stroops: operation.sendMax.stroops }, least: 1n }
    case 'pathPaymentStrictSend':
      return { out: { asset: operation.sendAsset, stroops: operation.sendAmount.stroops }, least: 1n }
    case 'manageSellOffer':
    case 'createPassiveSellOffer':
      return { out: { asset: operation.selling, stroops: operation.amount.stroops }, least: 0n }
    case 'manageBuyOffer':
      return { out: { asset: operation.selling, stroops: costOf(operation) }, least: 0n }
    default:
      return undefined
  }
}

/** What buying costs at the stated price, rounded up. A price that is none makes it negative, which is refused. */
function costOf({ amount, price }: Extract<OperationView, { type: 'manageBuyOffer' }>): bigint {
  const { numerator, denominator } = price
  if (!(numerator > 0 && denominator > 0) || amount.stroops < 0n) return -1n
  const divisor = BigInt(denominator)
  return (amount.stroops * BigInt(numerator) + divisor - 1n) / divisor
}

/** Caps for each asset: on one operation, and on their sum over the transaction, whatever account each one pays from. */
export const amountsRule: Rule = question => {
  const sums = new Map<AssetId, { largest: bigint; total: bigint }>()
  const { operations } = bodyOf(question)
  for (const [at, operation] of operations.entries()) {
    const outgoing = outgoingOf(operation)
    if (outgoing === undefined) continue
    const { out, least } = outgoing
    if (out.stroops < least) return deny(`${nth(at)} has an amount, or a price, that no ${operation.type} can have`)
    const sum = sums.get(out.asset) ?? { largest: 0n, total: 0n }
    const largest = out.stroops > sum.largest ? out.stroops : sum.largest
    sums.set(out.asset, { largest, total: sum.total + out.stroops })
  }
  return worst([...sums].map(([asset, { largest, total }]) => capFinding(asset, largest, total, question)))
}

/** Grants add up: `any` covers every asset, and an entry of its own can only give an asset more. */
function capFinding(asset: AssetId, largest: bigint, total: bigint, { policy }: Question): Finding {
  const { payments } = policy.rules
  if (payments === undefined) return deny(`${asset} would leave the account; the policy grants no payments`)
  const caps = payments.assets.filter(cap => cap.asset === asset || cap.asset === 'any')
  if (caps.length === 0) return deny(`${asset} would leave the account; the policy does not list it`)
  if (caps.some(cap => largest <= cap.maxPerOperation && total <= cap.maxPerTransaction)) return undefined
  const cap = caps.find(one => one.asset === asset) ?? caps[0]
  if (cap === undefined) return undecided(`no cap for ${asset}`)
  return largest > cap.maxPerOperation
    ? deny(`${largest} stroops of ${asset} in one operation is above ${cap.maxPerOperation}`)
    : deny(`${total} stroops of ${asset} in one transaction is above ${cap.maxPerTransaction}`)
}
