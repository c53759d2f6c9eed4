import { SignerError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'

export interface ArrivalDeadline {
  readonly clock: Pick<Clock, 'sleep'>
  readonly ms: number
}

/** D21, T19. */
export const BODY_DEADLINE_MS = 5_000

/**
 * The parts of a body as they come, all of them within one deadline: a caller that sends a byte a second is as silent as one
 * that sends none. Whoever stops early, or runs out of time, takes nothing more from the connection.
 * @throws `request/malformed` when the body has not ended in time
 */
export async function* beforeDeadline(
  stream: ReadableStream<Uint8Array>,
  { clock, ms }: ArrivalDeadline,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader()
  const over = new AbortController()
  let [late, ended] = [false, false]
  // A cancelled stream says that it has ended, so that nothing has to be raced against the clock part by part.
  clock
    .sleep(ms, over.signal)
    .then(() => {
      late = true
      return reader.cancel()
    })
    .catch(() => {}) // of the cancel, or because the body was in time
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (late) throw tooSlow(ms)
      ended = done
      if (done) return
      yield value
    }
  } finally {
    over.abort('the body has ended') // a reason of its own costs less than the one that would be made
    if (!ended) reader.cancel().catch(() => {})
  }
}

const tooSlow = (ms: number) =>
  new SignerError('request/malformed', {
    field: 'body',
    reason: `did not end within ${ms / 1000} seconds`,
    fix: 'send the whole body at once',
  })
