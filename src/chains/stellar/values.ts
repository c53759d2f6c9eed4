import { StrKey, type xdr } from '@stellar/stellar-sdk/base'
import { type AccountView, type Amount, type AssetId, decimalOf, type PriceView } from '../../domain/stellar.ts'
import { refuse } from '../refusal.ts'

export const amountOf = (stroops: bigint): Amount => ({ stroops, decimal: decimalOf(stroops) })

export const priceOf = (price: xdr.Price): PriceView => ({ numerator: price.n, denominator: price.d })

/** G… of a plain account id. */
export const addressOf = (account: xdr.AccountId): string => StrKey.encodeEd25519PublicKey(account.ed25519.toBytes())

export const plain = (account: xdr.AccountId): AccountView => ({ address: addressOf(account), muxedId: null })

export function accountOf(account: xdr.MuxedAccount): AccountView {
  if (account.type === 'keyTypeEd25519') {
    return { address: StrKey.encodeEd25519PublicKey(account.ed25519.toBytes()), muxedId: null }
  }
  const { ed25519, id } = account.med25519
  return { address: StrKey.encodeEd25519PublicKey(ed25519.toBytes()), muxedId: id }
}

/** Values whose SEP-51 form is a strkey: contracts, signers, pools, claimable balances. */
export function strkeyOf(value: { toJson(): unknown }): string {
  const text = value.toJson()
  if (typeof text !== 'string') throw refuse('xdr', 'holds an address of an unknown kind')
  return text
}

type AnyAsset = xdr.Asset | xdr.ChangeTrustAsset | xdr.TrustLineAsset

/** `native`, `CODE:ISSUER`, or `pool:…` where a pool share can stand. */
export function assetOf(asset: AnyAsset): AssetId {
  switch (asset.type) {
    case 'assetTypeNative':
      return 'native'
    case 'assetTypeCreditAlphanum4':
      return `${codeOf(asset.alphaNum4.assetCode.toBytes())}:${addressOf(asset.alphaNum4.issuer)}`
    case 'assetTypeCreditAlphanum12':
      return `${codeOf(asset.alphaNum12.assetCode.toBytes())}:${addressOf(asset.alphaNum12.issuer)}`
    case 'assetTypePoolShare':
      return 'liquidityPoolId' in asset ? `pool:${strkeyOf(asset.liquidityPoolId)}` : poolOf(asset.liquidityPool)
    default:
      throw refuse('xdr', 'holds an asset of an unknown kind')
  }
}

function poolOf(pool: xdr.LiquidityPoolParameters): string {
  const { assetA, assetB, fee } = pool.constantProduct
  return `pool:${assetOf(assetA)}/${assetOf(assetB)}/${fee}`
}

/**
 * Letters and digits, then zeros: 1 to 4 in the short form, 5 to 12 in the long one. The network accepts no other, and
 * a code that reads like another one must not reach a policy.
 */
export function codeOf(bytes: Uint8Array): string {
  let code = ''
  for (const byte of bytes) {
    if (byte === 0) break
    if (!isAlphanumeric(byte)) throw refuse('xdr', `holds an asset code with the byte ${byte}; letters and digits only`)
    code += String.fromCharCode(byte)
  }
  const shortest = bytes.length === 4 ? 1 : 5
  const rest = bytes.subarray(code.length)
  if (code.length < shortest || rest.some(byte => byte !== 0)) {
    throw refuse('xdr', `holds an asset code that is not ${shortest} to ${bytes.length} letters and digits`)
  }
  return code
}

const isAlphanumeric = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)

/**
 * Text that a caller chose, in quotation marks it cannot leave: it comes in SEP-51 escape form, where a backslash is
 * written twice, so `\\"` can only be a quotation mark of its own.
 */
export const quoted = (text: string): string => `"${text.replaceAll('"', '\\"')}"`
