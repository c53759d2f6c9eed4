/** What is sent and how it ended: on record, and as the caller is told. */
import { returnedJson } from '../../chains/stellar/index.ts'
import { SignerError } from '../../domain/errors.ts'
import type { IdempotencyEntry } from '../../domain/ports.ts'
import type { StellarNetwork } from '../../domain/stellar-network.ts'
import type { PreparedTransaction, SignedTransaction, TransactionEnd } from '../../domain/transactions.ts'
import type { Visitor } from '../door.ts'
import { recordEvent } from '../events.ts'
import { submitStanding } from '../standing.ts'
import type { CallerLike } from '../types.ts'
import { send, type Sending } from './send.ts'
import type { TransactionAnswer, TransactionParts } from './types.ts'

interface Leaving extends Pick<Sending, 'signed' | 'signal' | 'again'> {
  readonly network: StellarNetwork
  readonly requestId: string
  readonly prepared: PreparedTransaction
}

/** @returns, throws as `send` does */
export function sendOnRecord<C extends CallerLike>(
  parts: TransactionParts<C>,
  visitor: Pick<Visitor<C>, 'actor' | 'auditId'>,
  { requestId, prepared, ...sending }: Leaving,
): Promise<TransactionEnd | undefined> {
  const about = sentAs(requestId, prepared, sending.signed)
  const { auditId, actor } = visitor
  const { network, signed, signal } = sending
  return send({
    ...sending,
    submit: () => submitStanding(parts.room.deps, network, { ...signed, auditId, actor, requestId }, signal),
    expiresAt: prepared.expiresAt,
    clock: parts.room.deps.clock,
    pollMs: parts.limits.pollMs,
    submitted: () => record(parts, visitor, 'transaction-submitted', about),
  })
}

const sentAs = (requestId: string, { network, source: key }: PreparedTransaction, { hash }: SignedTransaction) => ({
  requestId,
  hash,
  network,
  key,
})

export async function settle<C extends CallerLike>(
  parts: TransactionParts<C>,
  visitor: Pick<Visitor<C>, 'actor'>,
  requestId: string,
  prepared: PreparedTransaction,
  signed: SignedTransaction,
  entry: Pick<IdempotencyEntry, 'scope' | 'key'>,
  end: TransactionEnd,
): Promise<void> {
  const { status } = end
  const more = { ...('ledger' in end ? { ledger: end.ledger } : {}), ...('code' in end ? { code: end.code } : {}) }
  await record(parts, visitor, 'transaction-settled', { ...sentAs(requestId, prepared, signed), status, ...more })
  await parts.store.settle(entry, end)
}

export const record = async <C extends CallerLike>(
  { room: { deps } }: TransactionParts<C>,
  { actor }: Pick<Visitor<C>, 'actor'>,
  event: string,
  detail: Readonly<Record<string, string | number | boolean>>,
): Promise<void> => void (await recordEvent({ audit: deps.audit, random: deps.random, actor }, event, detail))

/** @throws `transaction/rejected` when a network refused it for good */
export function answerOf(
  prepared: PreparedTransaction,
  { hash }: SignedTransaction,
  end: TransactionEnd | undefined,
): TransactionAnswer {
  const { network, template, authorizers, signers, feeSource } = prepared
  const keys = [
    ...new Set([...authorizers.map(({ key }) => key), ...signers, ...(feeSource === null ? [] : [feeSource])]),
  ]
  const about = { hash, network, ...(template === null ? {} : { template }), keys }
  if (end === undefined) return { ...about, status: 'pending' }
  switch (end.status) {
    case 'rejected': {
      const { code: resultCode, reason } = end
      throw new SignerError('transaction/rejected', { network, resultCode, reason, hash })
    }
    case 'failed':
      return { ...about, status: 'failed', ledger: end.ledger, code: end.code }
    case 'success': {
      const { ledger, result } = end
      const value = result === undefined ? {} : { result, value: returnedJson(result) }
      return { ...about, status: 'success', ledger, ...value }
    }
  }
}
