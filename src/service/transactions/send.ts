import { isSignerError, SignerError } from '../../domain/errors.ts'
import type { Clock } from '../../domain/ports.ts'
import type { StellarNetwork, TransactionStatus } from '../../domain/stellar-network.ts'
import type { SignedTransaction, TransactionEnd } from '../../domain/transactions.ts'

export interface Sending {
  readonly network: StellarNetwork
  readonly signed: SignedTransaction
  /** Milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  readonly pollMs: number
  /** The end of the request. */
  readonly signal: AbortSignal
  /** True: it may have been sent before. */
  readonly again: boolean
  /** Told once it is in the queue of the network. */
  submitted(): Promise<void>
}

/**
 * Sends a signed transaction and waits for its ledger. The same may be sent as often as one likes: a network runs it once.
 * @returns undefined when it is on its way at the deadline
 * @throws `network/unavailable` when it cannot be said that it is on its way; `network/malformed`
 */
export async function send(sending: Sending): Promise<TransactionEnd | undefined> {
  const { network, signed, signal } = sending
  if (sending.again) {
    const end = await endOf(sending)
    if (end !== undefined) return end
  }
  for (;;) {
    const submission = await network.submit(signed.envelope, signal)
    switch (submission.kind) {
      case 'accepted':
        await sending.submitted()
        return wait(sending)
      case 'try-again':
        if (!(await slept(sending, submission.afterMs))) {
          const reason = 'it is busy and has not taken the transaction'
          throw new SignerError('network/unavailable', {
            network: network.name,
            reason,
            retryAfterMs: submission.afterMs,
          })
        }
        break
      case 'rejected': {
        // It may be in a ledger already: then its own sequence number is what makes it bad.
        const end = await endOf(sending)
        return end ?? { status: 'rejected', code: submission.code, reason: submission.reason }
      }
    }
  }
}

/** A node that does not answer now may answer later; one that answers wrongly ends it. */
async function wait(sending: Sending): Promise<TransactionEnd | undefined> {
  while (!sending.signal.aborted) {
    try {
      const end = await endOf(sending)
      if (end !== undefined) return end
    } catch (error) {
      if (!isSignerError(error) || error.code !== 'network/unavailable') throw error
    }
    if (!(await slept(sending, sending.pollMs))) return undefined
  }
  return undefined
}

/** How it ended, if it did: in a ledger, or by its time, once a ledger has closed after that. */
export async function endOf({
  network,
  signed,
  expiresAt,
  clock,
  signal,
}: Pick<Sending, 'network' | 'signed' | 'expiresAt' | 'clock' | 'signal'>): Promise<TransactionEnd | undefined> {
  const found = await network.transaction(signed.hash, signal)
  if (found.kind !== 'unknown') return ending(found)
  if (expiresAt === null || clock.now() <= expiresAt) return undefined
  const { closedAt } = await network.latestLedger(signal)
  if (closedAt <= expiresAt) return undefined
  // Between the two questions it may have got in after all.
  const last = await network.transaction(signed.hash, signal)
  if (last.kind !== 'unknown') return ending(last)
  return { status: 'rejected', code: 'txTooLate', reason: 'its time is over, and it is in no ledger' }
}

function ending(found: Exclude<TransactionStatus, { kind: 'unknown' }>): TransactionEnd {
  if (found.kind === 'failed') return { status: 'failed', ledger: found.ledger, code: found.code }
  const { ledger, result } = found
  return { status: 'success', ledger, ...(result === undefined ? {} : { result }) }
}

/** @returns false when the request has ended meanwhile */
async function slept({ clock, signal }: Sending, ms: number): Promise<boolean> {
  try {
    await clock.sleep(ms, signal)
    return !signal.aborted
  } catch {
    return false
  }
}
