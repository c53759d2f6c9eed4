import type { AccountView, AssetId } from '../domain/stellar.ts'
import { deny, type Finding, undecided, worst } from './finding.ts'
import { bodyOf, destinationIn, nth, type Question, type Rule } from './question.ts'

export const destinationsRule: Rule = question =>
  worst(
    question.moves.flatMap(({ moves }, at) =>
      moves.flatMap(({ receivers }) => receivers.map(receiver => receiverFinding(receiver, at, question))),
    ),
  )

/** The list holds accounts and contracts; a muxed id is a sub-account there and has a grant of its own. */
function receiverFinding(receiver: AccountView, at: number, question: Question): Finding {
  const { payments } = question.policy.rules
  if (payments === undefined) return deny(`${nth(at)} pays ${receiver.address}; the policy grants no payments`)
  const { destinations } = payments
  const listed = destinations === 'any' ? undefined : destinationIn(destinations, receiver.address)
  if (destinations !== 'any' && listed === undefined) {
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

/** Caps for each asset: on one operation, and on their sum over the transaction, whatever account each one pays from. */
export const amountsRule: Rule = question => {
  const sums = new Map<AssetId, { largest: bigint; total: bigint }>()
  const { operations } = bodyOf(question)
  let doubt: Finding
  for (const [at, { moves, unclear }] of question.moves.entries()) {
    if (unclear !== undefined) doubt ??= undecided(`${nth(at)}: ${unclear}`)
    const here = new Map<AssetId, bigint>()
    for (const { asset, stroops, least } of moves) {
      if (asset === undefined) continue
      if (stroops < least) {
        return deny(`${nth(at)} has an amount, or a price, that no ${operations[at]?.type ?? 'operation'} can have`)
      }
      here.set(asset, (here.get(asset) ?? 0n) + stroops)
    }
    for (const [asset, stroops] of here) {
      const { largest, total } = sums.get(asset) ?? { largest: 0n, total: 0n }
      sums.set(asset, { largest: stroops > largest ? stroops : largest, total: total + stroops })
    }
  }
  const caps = [...sums].map(([asset, { largest, total }]) => capFinding(asset, largest, total, question))
  return worst([...caps, doubt])
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
