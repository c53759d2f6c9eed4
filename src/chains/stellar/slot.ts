import { xdr } from '@stellar/stellar-sdk/base'
import { toHex } from '../../bytes/hex.ts'
import { sha256 } from '../../bytes/sha256.ts'
import type { SlotClaim } from '../../domain/claims.ts'
import { networkIdOf, sameNetworkName } from './networks.ts'
import type { StellarParsed } from './parse.ts'
import { transactionOf } from './to-sign.ts'
import { bodyIn, endOf } from './view.ts'

/**
 * The place that a transaction takes on its network: the sequence number of its source account. A fee bump takes the place
 * of the transaction in it, has its effects, and the fee of its own. Sequence 0 (SEP-10) takes none.
 *
 * `effects`: SHA-256 of network id, envelope type and transaction in our own encoding, as for signing, with the fee set to
 * zero; signatures are not part of it, and neither are its preconditions: they say when it may run and not what it does, and
 * of all that take one place only one ever runs. So what has expired can be made anew with other bounds. The resource fee of
 * a contract call counts as an effect: it stays the same in a transaction that is sent again for a higher fee.
 */
export function slotOf(parsed: StellarParsed): SlotClaim | undefined {
  const { envelope, network, hash, view } = parsed
  const { source, sequence } = bodyIn(view)
  if (sequence === 0n) return undefined
  const bumped = envelope.type === 'envelopeTypeTxFeeBump'
  const tx = bumped ? envelope.feeBump.tx.innerTx.v1.tx : transactionOf(envelope)
  const expiresAt = endOf(view)
  return {
    slot: `${sameNetworkName(network)}|${source.address}|${sequence}`,
    hash: toHex(hash),
    effects: toHex(effectsOf(tx, network)),
    fee: bumped ? envelope.feeBump.tx.fee : BigInt(tx.fee),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}

function effectsOf(tx: xdr.Transaction, network: string): Uint8Array {
  const { sourceAccount, seqNum, memo, operations, ext } = tx
  const cond = xdr.Preconditions.precondNone()
  const free = new xdr.Transaction({ sourceAccount, fee: 0, seqNum, cond, memo, operations, ext })
  const taggedTransaction = xdr.TransactionSignaturePayloadTaggedTransaction.envelopeTypeTx(free)
  return sha256(new xdr.TransactionSignaturePayload({ networkId: networkIdOf(network), taggedTransaction }).toXdr())
}
