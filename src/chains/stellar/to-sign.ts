import { xdr } from '@stellar/stellar-sdk/base'
import { sha256 } from '../../bytes/sha256.ts'
import type { Digest32 } from '../../domain/brands.ts'
import type { SignInput } from '../../domain/provider.ts'

/** On Stellar the 32 bytes of the transaction hash are the message; Ed25519 hashes them once more in its own way. */
export const toSign = (parsed: { readonly hash: Digest32 }): SignInput => ({ scheme: 'ed25519', message: parsed.hash })

/**
 * SHA-256 of the signature payload: network id, envelope type, transaction. An envelope begins with its type and goes on
 * with the transaction, so the payload of a V1 or a fee-bump is the network id and the beginning of our own encoding of
 * the envelope. Fee-bump: the outer transaction with the whole inner envelope in it.
 * @param unsigned  that beginning: everything before the signatures.
 */
export function hashOf(envelope: xdr.TransactionEnvelope, networkId: Digest32, unsigned: Uint8Array): Digest32 {
  if (envelope.type !== 'envelopeTypeTxV0') return sha256(networkId, unsigned)
  const taggedTransaction = xdr.TransactionSignaturePayloadTaggedTransaction.envelopeTypeTx(transactionOf(envelope))
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
