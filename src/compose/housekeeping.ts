import type { Clock, Logger } from '../domain/ports.ts'
import type { Room } from './room.ts'

const HOUR_MS = 60 * 60 * 1000
/** Longer than policy lets a transaction stay good, or a window last: 366 days each. */
const CLAIMS_KEPT_MS = 400 * 24 * HOUR_MS
const CLAIMS_EVERY_HOURS = 24
/** After they have expired. */
const PROPOSALS_KEPT_MS = 90 * 24 * HOUR_MS

/**
 * Answers once an hour, and what signatures used up once a day, so that the store does not grow for ever. A failure is tried
 * again the next time.
 */
export function forgetOld(
  { store: { idempotency, claims, proposals, transactions } }: Pick<Room, 'store'>,
  clock: Clock,
  keptMs: number,
  logger: Logger,
): AbortController {
  const stop = new AbortController()
  const loop = async (): Promise<void> => {
    for (let hour = 0; !stop.signal.aborted; hour++) {
      await idempotency
        .purge(clock.now() - keptMs)
        .catch(error => logger.warn('answers-not-purged', { message: String(error) }))
      await transactions
        .purge(clock.now() - keptMs)
        .catch(error => logger.warn('transactions-not-purged', { message: String(error) }))
      if (hour % CLAIMS_EVERY_HOURS === 0) {
        await proposals
          .purge(clock.now() - PROPOSALS_KEPT_MS)
          .catch(error => logger.warn('proposals-not-purged', { message: String(error) }))
        await claims
          .purge(clock.now() - CLAIMS_KEPT_MS)
          .catch(error => logger.warn('claims-not-purged', { message: String(error) }))
      }
      await clock.sleep(HOUR_MS, stop.signal)
    }
  }
  loop().catch(() => stop.abort()) // the only way out is the signal
  return stop
}
