import { xdr } from '@stellar/stellar-sdk/base'
import { sha256 } from '../../bytes/sha256.ts'
import type { Digest32 } from '../../domain/brands.ts'
import type { SignInput } from '../../domain/provider.ts'

/** On Stellar the 32 bytes of the transaction hash are the message; Ed25519 hashes them once more in its own way. */
export const toSign = (parsed: { readonly hash: Digest32 }): SignInput => ({ scheme: 'ed25519', message: parsed.hash })

/**
 * SHA-256 of network id, envelope type and transaction, from our own encoding. Fee-bump: the outer transaction with the
 * whole inner envelope in it.
 */
export function hashOf(envelope: xdr.TransactionEnvelope, networkId: Digest32): Digest32 {
  const taggedTransaction =
    envelope.type === 'envelopeTypeTxFeeBump'
      ? xdr.TransactionSignaturePayloadTaggedTransaction.envelopeTypeTxFeeBump(envelope.feeBump.tx)
      : xdr.TransactionSignaturePayloadTaggedTransaction.envelopeTypeTx(transactionOf(envelope))
  return sha256(new xdr.TransactionSignaturePayload({ networkId, taggedTransaction }).toXdr())
}

/** V0 is an older spelling of V1: the same signature is valid on both, so both are judged and hashed as V1. */
export function transactionOf(envelope: xdr.TransactionEnvelopeTx | xdr.TransactionEnvelopeTxV0): xdr.Transaction {
  if (envelope.type === 'envelopeTypeTx') return envelope.v1.tx
  const { sourceAccountEd25519, timeBounds, fee, seqNum, memo, operations } = envelope.v0.tx
  return new xdr.Transaction({
    sourceAccount: xdr.MuxedAccount.keyTypeEd25519(sourceAccountEd25519),
    cond: timeBounds === null ? xdr.Preconditions.precondNone() : xdr.Preconditions.precondTime(timeBounds),
    ext: xdr.TransactionExt.v0(),
    fee,
    seqNum,
    memo,
    operations,
  })
}
