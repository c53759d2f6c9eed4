import { isSignerError, SignerError } from '../../domain/errors.ts'
import type { Clock } from '../../domain/ports.ts'
import type { StellarNetwork, Submission, TransactionStatus } from '../../domain/stellar-network.ts'
import type { SignedTransaction, TransactionEnd } from '../../domain/transactions.ts'
import { isRefusedForGood, statusOf } from '../sent.ts'

export interface Sending {
  readonly network: Pick<StellarNetwork, 'name' | 'transaction' | 'latestLedger'>
  readonly signed: SignedTransaction
  /** Milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  readonly pollMs: number
  /** The end of the request. */
  readonly signal: AbortSignal
  /** True: it may have been sent before. */
  readonly again: boolean
  /** Sends it, while what is in it may leave. @throws as `submitStanding` */
  submit(): Promise<Submission>
  /** Told once it is in the queue of the network. */
  submitted(): Promise<void>
}

/**
 * Sends a signed transaction and waits for its ledger. The same may be sent as often as one likes: a network runs it once.
 * @returns undefined when it is on its way at the deadline
 * @throws `network/unavailable` when it cannot be said that it is on its way; `network/malformed`
 */
export async function send(sending: Sending): Promise<TransactionEnd | undefined> {
  if (sending.again) {
    const end = await endOf(sending)
    if (end !== undefined) return end
  }
  for (;;) {
    const submission = await sending.submit()
    switch (submission.kind) {
      case 'accepted':
        await sending.submitted()
        return wait(sending)
      case 'try-again':
        if (!(await slept(sending, submission.afterMs))) {
          const reason = 'it is busy and has not taken the transaction'
          throw new SignerError('network/unavailable', {
            network: sending.network.name,
            reason,
            retryAfterMs: submission.afterMs,
          })
        }
        break
      case 'rejected':
        return refused(sending, submission)
    }
  }
}

/**
 * It may be in a ledger already, and then its own sequence number is what makes it bad; and what refuses it may know of
 * that ledger before what is asked for it does.
 * @returns undefined when the request ends before anybody can tell
 */
async function refused(
  sending: Sending,
  { code, reason }: Extract<Submission, { kind: 'rejected' }>,
): Promise<TransactionEnd | undefined> {
  let first: number | undefined
  for (;;) {
    const status = await statusNow(sending)
    if (status.kind !== 'unknown') return ending(status)
    first ??= status.latestLedger
    if (isRefusedForGood(code, first, status.latestLedger)) return { status: 'rejected', code, reason }
    if (!(await slept(sending, sending.pollMs))) return undefined
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

/** What the network calls it, and what we do where nobody has told us. */
export const TOO_LATE = 'txTooLate'

/** How it ended, if it did: in a ledger, or by its time, once a ledger has closed after that. */
export async function endOf(sending: About): Promise<TransactionEnd | undefined> {
  const { network, expiresAt, clock, signal } = sending
  const found = await statusNow(sending)
  if (found.kind !== 'unknown') return ending(found)
  if (expiresAt === null || clock.now() <= expiresAt) return undefined
  const { closedAt, sequence } = await network.latestLedger(signal)
  if (closedAt <= expiresAt) return undefined
  // Between the two questions it may have got in after all; and of several nodes one may be behind the other.
  const last = await statusNow(sending)
  if (last.kind !== 'unknown') return ending(last)
  if (last.latestLedger < sequence) return undefined
  return { status: 'rejected', code: TOO_LATE, reason: 'its time is over, and it is in no ledger' }
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

type About = Pick<Sending, 'network' | 'signed' | 'expiresAt' | 'clock' | 'signal'>

const statusNow = ({ network, signed, signal }: About): Promise<TransactionStatus> =>
  statusOf({ network: network.name, ...signed }, hash => network.transaction(hash, signal))
