import type { xdr } from '@stellar/stellar-sdk/base'
import { toHex } from '../../bytes/hex.ts'
import type { OperationView } from '../../domain/stellar.ts'
import { authorizationOf, invocationOf } from './soroban.ts'
import { accountOf, addressOf, amountOf, assetOf, codeOf, plain, priceOf, quoted, strkeyOf } from './values.ts'

/** An operation type the SDK can decode but this list does not have becomes `unknown`, which no policy allows. */
export function operationOf(operation: xdr.Operation): OperationView {
  const source = operation.sourceAccount === null ? null : accountOf(operation.sourceAccount)
  const { body } = operation
  switch (body.type) {
    case 'createAccount': {
      const { destination, startingBalance } = body.createAccountOp
      return { type: body.type, source, destination: plain(destination), startingBalance: amountOf(startingBalance) }
    }
    case 'payment': {
      const { destination, asset, amount } = body.paymentOp
      const to = accountOf(destination)
      return { type: body.type, source, destination: to, asset: assetOf(asset), amount: amountOf(amount) }
    }
    case 'pathPaymentStrictReceive': {
      const op = body.pathPaymentStrictReceiveOp
      return {
        type: body.type,
        source,
        sendAsset: assetOf(op.sendAsset),
        sendMax: amountOf(op.sendMax),
        destination: accountOf(op.destination),
        destAsset: assetOf(op.destAsset),
        destAmount: amountOf(op.destAmount),
        path: op.path.map(assetOf),
      }
    }
    case 'pathPaymentStrictSend': {
      const op = body.pathPaymentStrictSendOp
      return {
        type: body.type,
        source,
        sendAsset: assetOf(op.sendAsset),
        sendAmount: amountOf(op.sendAmount),
        destination: accountOf(op.destination),
        destAsset: assetOf(op.destAsset),
        destMin: amountOf(op.destMin),
        path: op.path.map(assetOf),
      }
    }
    case 'manageSellOffer': {
      const op = body.manageSellOfferOp
      return { type: body.type, source, ...offerOf(op, op.amount), offerId: op.offerId }
    }
    case 'manageBuyOffer': {
      const op = body.manageBuyOfferOp
      return { type: body.type, source, ...offerOf(op, op.buyAmount), offerId: op.offerId }
    }
    case 'createPassiveSellOffer': {
      const op = body.createPassiveSellOfferOp
      return { type: body.type, source, ...offerOf(op, op.amount) }
    }
    case 'setOptions': {
      const op = body.setOptionsOp
      return {
        type: body.type,
        source,
        inflationDestination: op.inflationDest === null ? null : addressOf(op.inflationDest),
        clearFlags: op.clearFlags,
        setFlags: op.setFlags,
        masterWeight: op.masterWeight,
        lowThreshold: op.lowThreshold,
        mediumThreshold: op.medThreshold,
        highThreshold: op.highThreshold,
        homeDomain: op.homeDomain === null ? null : op.homeDomain.toJson(),
        signer: op.signer === null ? null : { key: strkeyOf(op.signer.key), weight: op.signer.weight },
      }
    }
    case 'changeTrust': {
      const { line, limit } = body.changeTrustOp
      return { type: body.type, source, line: assetOf(line), limit: amountOf(limit) }
    }
    case 'allowTrust': {
      const { trustor, asset, authorize } = body.allowTrustOp
      return { type: body.type, source, trustor: addressOf(trustor), code: codeOf(asset.value.toBytes()), authorize }
    }
    case 'accountMerge':
      return { type: body.type, source, destination: accountOf(body.destination) }
    case 'inflation':
    case 'endSponsoringFutureReserves':
    case 'restoreFootprint':
      return { type: body.type, source }
    case 'manageData': {
      const { dataName, dataValue } = body.manageDataOp
      const value = dataValue === null ? null : toHex(dataValue.toBytes())
      return { type: body.type, source, name: dataName.toJson(), value }
    }
    case 'bumpSequence':
      return { type: body.type, source, bumpTo: body.bumpSequenceOp.bumpTo }
    case 'createClaimableBalance': {
      const { asset, amount, claimants } = body.createClaimableBalanceOp
      const to = claimants.map(({ v0 }) => ({
        destination: addressOf(v0.destination),
        conditional: v0.predicate.type !== 'claimPredicateUnconditional',
      }))
      return { type: body.type, source, asset: assetOf(asset), amount: amountOf(amount), claimants: to }
    }
    case 'claimClaimableBalance':
      return { type: body.type, source, balance: strkeyOf(body.claimClaimableBalanceOp.balanceId) }
    case 'beginSponsoringFutureReserves':
      return { type: body.type, source, sponsored: addressOf(body.beginSponsoringFutureReservesOp.sponsoredId) }
    case 'revokeSponsorship':
      return { type: body.type, source, target: sponsoredOf(body.revokeSponsorshipOp) }
    case 'clawback': {
      const { asset, from, amount } = body.clawbackOp
      return { type: body.type, source, asset: assetOf(asset), from: accountOf(from), amount: amountOf(amount) }
    }
    case 'clawbackClaimableBalance':
      return { type: body.type, source, balance: strkeyOf(body.clawbackClaimableBalanceOp.balanceId) }
    case 'setTrustLineFlags': {
      const { trustor, asset, clearFlags, setFlags } = body.setTrustLineFlagsOp
      return { type: body.type, source, trustor: addressOf(trustor), asset: assetOf(asset), clearFlags, setFlags }
    }
    case 'liquidityPoolDeposit': {
      const op = body.liquidityPoolDepositOp
      return {
        type: body.type,
        source,
        pool: strkeyOf(op.liquidityPoolId),
        maxAmountA: amountOf(op.maxAmountA),
        maxAmountB: amountOf(op.maxAmountB),
        minPrice: priceOf(op.minPrice),
        maxPrice: priceOf(op.maxPrice),
      }
    }
    case 'liquidityPoolWithdraw': {
      const op = body.liquidityPoolWithdrawOp
      return {
        type: body.type,
        source,
        pool: strkeyOf(op.liquidityPoolId),
        amount: amountOf(op.amount),
        minAmountA: amountOf(op.minAmountA),
        minAmountB: amountOf(op.minAmountB),
      }
    }
    case 'invokeHostFunction': {
      const { hostFunction, auth } = body.invokeHostFunctionOp
      const authorizations = auth.map(authorizationOf)
      return { type: body.type, source, invocation: invocationOf(hostFunction), authorizations }
    }
    case 'extendFootprintTtl':
      return { type: body.type, source, extendTo: body.extendFootprintTtlOp.extendTo }
    default:
      return { type: 'unknown', source, name: String((body as { type?: unknown }).type).slice(0, 64) }
  }
}

type OfferFields = Pick<
  Extract<OperationView, { type: 'createPassiveSellOffer' }>,
  'selling' | 'buying' | 'amount' | 'price'
>

function offerOf(op: { selling: xdr.Asset; buying: xdr.Asset; price: xdr.Price }, amount: bigint): OfferFields {
  return {
    selling: assetOf(op.selling),
    buying: assetOf(op.buying),
    amount: amountOf(amount),
    price: priceOf(op.price),
  }
}

function sponsoredOf(op: xdr.RevokeSponsorshipOp): string {
  if (op.type === 'revokeSponsorshipSigner') {
    return `signer ${strkeyOf(op.signer.signerKey)} of account ${addressOf(op.signer.accountId)}`
  }
  const key = op.ledgerKey
  switch (key.type) {
    case 'account':
      return `account ${addressOf(key.account.accountId)}`
    case 'trustline':
      return `trust line of ${addressOf(key.trustLine.accountId)} for ${assetOf(key.trustLine.asset)}`
    case 'offer':
      return `offer ${key.offer.offerId} of ${addressOf(key.offer.sellerId)}`
    case 'data':
      return `data entry ${quoted(key.data.dataName.toJson())} of ${addressOf(key.data.accountId)}`
    case 'claimableBalance':
      return `claimable balance ${strkeyOf(key.claimableBalance.balanceId)}`
    default:
      return `ledger entry of kind ${key.type}`
  }
}
