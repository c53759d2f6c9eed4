import { StrKey, xdr } from '@stellar/stellar-sdk/base'

/** What stands around the one operation of a transaction that is made here. */
export interface Frame {
  /** G… of the source account. */
  readonly source: string
  /** Of the transaction: one more than the account's. */
  readonly sequence: bigint
  /** Stroops in all. */
  readonly fee: number
  /** Seconds since the epoch. */
  readonly maxTime: bigint
  readonly ext?: xdr.TransactionExt
}

/** Base64 XDR of one unsigned transaction of this account that does this and nothing else. */
export function oneOperation(frame: Frame, body: xdr.OperationBody): string {
  const { source, sequence, fee, maxTime, ext = xdr.TransactionExt.v0() } = frame
  const tx = new xdr.Transaction({
    sourceAccount: muxedOf(source),
    fee,
    seqNum: sequence,
    cond: xdr.Preconditions.precondTime(new xdr.TimeBounds({ minTime: 0n, maxTime })),
    memo: xdr.Memo.memoNone(),
    operations: [new xdr.Operation({ sourceAccount: null, body })],
    ext,
  })
  return unsignedEnvelope(tx)
}

export const unsignedEnvelope = (tx: xdr.Transaction): string =>
  xdr.TransactionEnvelope.envelopeTypeTx(new xdr.TransactionV1Envelope({ tx, signatures: [] })).toXdr('base64')

export const muxedOf = (address: string): xdr.MuxedAccount =>
  xdr.MuxedAccount.keyTypeEd25519(StrKey.decodeEd25519PublicKey(address))
