import { StrKey, xdr } from '@stellar/stellar-sdk/base'
import { oneOperation } from './one-operation.ts'

/** What stands around the one operation. */
export interface OptionsFrame {
  /** Our name of the network. */
  readonly network: string
  /** Of the transaction: one more than the account's. */
  readonly sequence: bigint
  /** Stroops. */
  readonly fee: number
  /** Milliseconds since the epoch. */
  readonly now: number
  /** It can run no later than this after `now`. */
  readonly validSeconds: number
}

export type SignerOptions =
  | { readonly signer: { readonly key: string; readonly weight: number } }
  | { readonly masterWeight: number }

/** Base64 XDR of one unsigned transaction of this account that sets this and nothing else. */
export function setOptionsEnvelope(account: string, options: SignerOptions, frame: OptionsFrame): string {
  const body = xdr.OperationBody.setOptions(
    new xdr.SetOptionsOp({
      inflationDest: null,
      clearFlags: null,
      setFlags: null,
      masterWeight: 'masterWeight' in options ? options.masterWeight : null,
      lowThreshold: null,
      medThreshold: null,
      highThreshold: null,
      homeDomain: null,
      signer: 'signer' in options ? signerOf(options.signer) : null,
    }),
  )
  const { sequence, fee, now, validSeconds } = frame
  const maxTime = BigInt(Math.floor(now / 1000) + validSeconds)
  return oneOperation({ source: account, sequence, fee, maxTime }, body)
}

const signerOf = ({ key, weight }: { readonly key: string; readonly weight: number }): xdr.Signer =>
  new xdr.Signer({ key: xdr.SignerKey.signerKeyTypeEd25519(StrKey.decodeEd25519PublicKey(key)), weight })
