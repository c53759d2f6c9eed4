import type {
  AccountView,
  Amount,
  AssetId,
  AuthorizationView,
  InvocationView,
  OperationView,
  PriceView,
} from '../../domain/stellar.ts'
import { argumentsText } from './argument-sentences.ts'
import { quoted } from './values.ts'

/** Addresses are written in full: a shortened one can be imitated. */
export const accountText = ({ address, muxedId }: AccountView): string =>
  muxedId === null ? address : `${address} (muxed id ${muxedId})`

const assetText = (asset: AssetId): string => (asset === 'native' ? 'XLM' : asset)
const moneyText = (amount: Amount, asset: AssetId): string => `${amount.decimal} ${assetText(asset)}`
const priceText = ({ numerator, denominator }: PriceView): string => `${numerator}/${denominator}`

/** One plain clause an operation. */
export function operationText(operation: OperationView, source: AccountView): string {
  const from = accountText(operation.source ?? source)
  switch (operation.type) {
    case 'createAccount': {
      const { destination, startingBalance } = operation
      return `Create account ${accountText(destination)} with ${moneyText(startingBalance, 'native')} from ${from}`
    }
    case 'payment': {
      const { amount, asset, destination } = operation
      return `Pay ${moneyText(amount, asset)} from ${from} to ${accountText(destination)}`
    }
    case 'pathPaymentStrictReceive': {
      const { sendMax, sendAsset, destination, destAmount, destAsset, path } = operation
      const spend = `Spend at most ${moneyText(sendMax, sendAsset)} of ${from}`
      return `${spend} to pay ${accountText(destination)} exactly ${moneyText(destAmount, destAsset)}${pathText(path)}`
    }
    case 'pathPaymentStrictSend': {
      const { sendAmount, sendAsset, destination, destMin, destAsset, path } = operation
      const spend = `Spend exactly ${moneyText(sendAmount, sendAsset)} of ${from}`
      return `${spend} to pay ${accountText(destination)} at least ${moneyText(destMin, destAsset)}${pathText(path)}`
    }
    case 'manageSellOffer': {
      if (operation.amount.stroops === 0n) return `Delete sell offer ${operation.offerId} of ${from}`
      return `${offerVerb(operation.offerId)} offer of ${from} to sell ${offerText(operation)}`
    }
    case 'createPassiveSellOffer':
      return `Create passive offer of ${from} to sell ${offerText(operation)}`
    case 'manageBuyOffer': {
      const { amount, offerId, buying, selling, price } = operation
      if (amount.stroops === 0n) return `Delete buy offer ${offerId} of ${from}`
      const wanted = `${moneyText(amount, buying)} for ${assetText(selling)} at price ${priceText(price)}`
      return `${offerVerb(offerId)} offer of ${from} to buy ${wanted}`
    }
    case 'setOptions':
      return `CHANGE THE OPTIONS of account ${from}: ${optionsText(operation)}`
    case 'changeTrust': {
      const { line, limit } = operation
      if (limit.stroops === 0n) return `Remove the trust line of ${from} for ${assetText(line)}`
      return `Trust ${assetText(line)} up to ${limit.decimal} by ${from}`
    }
    case 'allowTrust': {
      const { trustor, code, authorize } = operation
      return `Set authorization of ${trustor} for ${code}:${from} to ${authorize}`
    }
    case 'accountMerge':
      return `CLOSE ACCOUNT ${from} and send all of its XLM to ${accountText(operation.destination)}`
    case 'inflation':
      return `Run inflation by ${from}`
    case 'manageData': {
      const { name, value } = operation
      if (value === null) return `Remove data entry ${quoted(name)} of ${from}`
      return `Set data entry ${quoted(name)} of ${from} to hex ${value === '' ? '(empty)' : value}`
    }
    case 'bumpSequence':
      return `Bump the sequence number of ${from} to ${operation.bumpTo}`
    case 'createClaimableBalance': {
      const { amount, asset, claimants } = operation
      const who = claimants.map(one => `${one.destination}${one.conditional ? ' (under conditions)' : ''}`).join(', ')
      return `Set aside ${moneyText(amount, asset)} of ${from} to be claimed by ${who === '' ? 'nobody' : who}`
    }
    case 'claimClaimableBalance':
      return `Claim balance ${operation.balance} for ${from}`
    case 'beginSponsoringFutureReserves':
      return `Begin to pay the reserves of ${operation.sponsored} from ${from}`
    case 'endSponsoringFutureReserves':
      return `End the sponsorship that ${from} receives`
    case 'revokeSponsorship':
      return `Revoke sponsorship by ${from} of ${operation.target}`
    case 'clawback': {
      const { amount, asset, from: holder } = operation
      return `CLAW BACK ${moneyText(amount, asset)} from ${accountText(holder)} by ${from}`
    }
    case 'clawbackClaimableBalance':
      return `CLAW BACK claimable balance ${operation.balance} by ${from}`
    case 'setTrustLineFlags': {
      const { trustor, asset, setFlags, clearFlags } = operation
      const flags = `set flags ${setFlags}, clear flags ${clearFlags}`
      return `Change the trust line of ${trustor} for ${assetText(asset)} by ${from}: ${flags}`
    }
    case 'liquidityPoolDeposit': {
      const { maxAmountA, maxAmountB, pool, minPrice, maxPrice } = operation
      const most = `at most ${maxAmountA.decimal} of the first and ${maxAmountB.decimal} of the second asset`
      const price = `price ${priceText(minPrice)} to ${priceText(maxPrice)}`
      return `Deposit ${most} of ${from} into liquidity pool ${pool}, ${price}`
    }
    case 'liquidityPoolWithdraw': {
      const { amount, pool, minAmountA, minAmountB } = operation
      const least = `at least ${minAmountA.decimal} of the first and ${minAmountB.decimal} of the second asset`
      return `Withdraw ${amount.decimal} shares of ${from} from liquidity pool ${pool} for ${least}`
    }
    case 'invokeHostFunction': {
      const { invocation, authorizations } = operation
      return `${invocationText(invocation)} by ${from}${authorizations.map(authorizationText).join('')}`
    }
    case 'extendFootprintTtl':
      return `Extend the life of contract entries to ${operation.extendTo} ledgers by ${from}`
    case 'restoreFootprint':
      return `Restore archived contract entries by ${from}`
    case 'unknown':
      return `DO SOMETHING THIS SIGNER DOES NOT KNOW (${operation.name}) by ${from}`
  }
}

/** The same for people who have room to read: whoever authorizes a call has a sentence for it, all of them. */
export function operationSentences(operation: OperationView, source: AccountView): string[] {
  if (operation.type !== 'invokeHostFunction') return [operationText(operation, source)]
  const { invocation, authorizations } = operation
  const calls = authorizations.flatMap(each =>
    each.invocations.map(one => `${authorText(each)}: ${invocationText(one)}`),
  )
  return [`${invocationText(invocation)} by ${accountText(operation.source ?? source)}`, ...calls]
}

const pathText = (path: readonly AssetId[]): string =>
  path.length === 0 ? '' : ` through ${path.map(assetText).join(', ')}`

const offerVerb = (offerId: bigint): string => (offerId === 0n ? 'Create' : `Change offer ${offerId} into`)

const offerText = (offer: { amount: Amount; selling: AssetId; buying: AssetId; price: PriceView }): string =>
  `${moneyText(offer.amount, offer.selling)} for ${assetText(offer.buying)} at price ${priceText(offer.price)}`

function optionsText(options: Extract<OperationView, { type: 'setOptions' }>): string {
  const { signer } = options
  const changes = [
    ['inflation destination', options.inflationDestination],
    ['clear flags', options.clearFlags],
    ['set flags', options.setFlags],
    ['master weight', options.masterWeight],
    ['low threshold', options.lowThreshold],
    ['medium threshold', options.mediumThreshold],
    ['high threshold', options.highThreshold],
    ['home domain', options.homeDomain === null ? null : quoted(options.homeDomain)],
    ['signer', signer === null ? null : `${signer.key} with weight ${signer.weight}`],
  ] as const
  const texts = changes.flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`]))
  return texts.length === 0 ? 'nothing' : texts.join(', ')
}

/** Enough for a human; a policy judges all of them, and the JSON holds all of them. */
export const INVOCATIONS_SHOWN = 20

export function invocationText(invocation: InvocationView): string {
  switch (invocation.kind) {
    case 'call': {
      const { contract, function: name, arguments: values } = invocation
      return `Call ${quoted(name)} of contract ${contract} ${argumentsText(values)}`
    }
    case 'create-contract':
      return 'Create a contract'
    case 'upload-code':
      return `Upload contract code of ${invocation.bytes} bytes`
    case 'unknown':
      return `DO SOMETHING THIS SIGNER DOES NOT KNOW (${invocation.name})`
  }
}

const authorText = ({ credentials, address }: AuthorizationView): string =>
  credentials === 'source-account' ? 'AUTHORIZING BY THIS SIGNATURE' : `authorized by ${address ?? credentials}`

function authorizationText(authorization: AuthorizationView): string {
  const { invocations } = authorization
  const shown = invocations.slice(0, INVOCATIONS_SHOWN).map(invocationText)
  const hidden = invocations.length - shown.length
  return `, ${authorText(authorization)}: ${shown.join(' and ')}${hidden > 0 ? ` and ${hidden} more calls` : ''}`
}
