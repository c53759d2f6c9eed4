import type { xdr } from '@stellar/stellar-sdk/base'
import { toHex } from '../../bytes/hex.ts'
import {
  type MemoView,
  NO_PRECONDITIONS,
  type PreconditionsView,
  type StellarTransactionView,
  type TransactionBodyView,
} from '../../domain/stellar.ts'
import { operationOf } from './operations.ts'
import { refuse } from '../refusal.ts'
import { transactionOf } from './to-sign.ts'
import { accountOf, strkeyOf } from './values.ts'

export function viewOf(envelope: xdr.TransactionEnvelope, network: string): StellarTransactionView {
  switch (envelope.type) {
    case 'envelopeTypeTxV0':
      return { kind: 'transaction', network, ...bodyOf(transactionOf(envelope), envelope.v0.signatures.length) }
    case 'envelopeTypeTx':
      return { kind: 'transaction', network, ...bodyOf(envelope.v1.tx, envelope.v1.signatures.length) }
    case 'envelopeTypeTxFeeBump': {
      const { tx, signatures } = envelope.feeBump
      return {
        kind: 'fee-bump',
        network,
        feeSource: accountOf(tx.feeSource),
        feeStroops: tx.fee,
        inner: bodyOf(tx.innerTx.v1.tx, tx.innerTx.v1.signatures.length),
        signatures: signatures.length,
      }
    }
    default:
      throw refuse('xdr', 'is an envelope of an unknown kind')
  }
}

/** The transaction that would run: of a fee bump, the inner one. */
export const bodyIn = (view: StellarTransactionView): TransactionBodyView =>
  view.kind === 'transaction' ? view : view.inner

/** Later than a clock can tell is no end. */
const SECONDS_MAX = 8_640_000_000_000n

/** After this, in milliseconds since the epoch, it can never run; undefined: it has no end. */
export function endOf(view: StellarTransactionView): number | undefined {
  const maxTime = bodyIn(view).preconditions.timeBounds?.maxTime ?? 0n
  return maxTime === 0n || maxTime > SECONDS_MAX ? undefined : Number(maxTime) * 1000
}

function bodyOf(tx: xdr.Transaction, signatures: number): TransactionBodyView {
  return {
    source: accountOf(tx.sourceAccount),
    feeStroops: BigInt(tx.fee),
    resourceFeeStroops: tx.ext.type === 'sorobanData' ? tx.ext.sorobanData.resourceFee : null,
    sequence: tx.seqNum,
    preconditions: preconditionsOf(tx.cond),
    memo: memoOf(tx.memo),
    operations: tx.operations.map(operationOf),
    signatures,
  }
}

function preconditionsOf(cond: xdr.Preconditions): PreconditionsView {
  switch (cond.type) {
    case 'precondNone':
      return NO_PRECONDITIONS
    case 'precondTime':
      return { ...NO_PRECONDITIONS, timeBounds: timeBoundsOf(cond.timeBounds) }
    case 'precondV2': {
      const { timeBounds, ledgerBounds, minSeqNum, minSeqAge, minSeqLedgerGap, extraSigners } = cond.v2
      return {
        timeBounds: timeBounds === null ? null : timeBoundsOf(timeBounds),
        ledgerBounds:
          ledgerBounds === null ? null : { minLedger: ledgerBounds.minLedger, maxLedger: ledgerBounds.maxLedger },
        minSequence: minSeqNum,
        minSequenceAgeSeconds: minSeqAge,
        minSequenceLedgerGap: minSeqLedgerGap,
        extraSigners: extraSigners.map(strkeyOf),
      }
    }
    default:
      throw refuse('xdr', 'holds preconditions of an unknown kind')
  }
}

const timeBoundsOf = (bounds: xdr.TimeBounds): { minTime: bigint; maxTime: bigint } => ({
  minTime: bounds.minTime,
  maxTime: bounds.maxTime,
})

function memoOf(memo: xdr.Memo): MemoView {
  switch (memo.type) {
    case 'memoNone':
      return { kind: 'none' }
    case 'memoText':
      return { kind: 'text', text: memo.text.toJson() }
    case 'memoId':
      return { kind: 'id', id: memo.id }
    case 'memoHash':
      return { kind: 'hash', hash: toHex(memo.hash.toBytes()) }
    case 'memoReturn':
      return { kind: 'return', hash: toHex(memo.retHash.toBytes()) }
    default:
      throw refuse('xdr', 'holds a memo of an unknown kind')
  }
}
