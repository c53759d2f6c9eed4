import { isSignerError } from '../domain/errors.ts'
import type { Binding } from '../domain/key.ts'
import type { Clock } from '../domain/ports.ts'

/** Not worth a call any more. */
const LEAST_MS = 20

/**
 * Asks one binding after another. The next is asked only after `provider/unavailable`, which says that nothing was signed
 * (an open breaker says it too); never after an answer, a refusal, or a silence in which a signature may have been made.
 *
 * All of them share one deadline. An opening of an encrypted key that takes too long is harmless, so such a binding gets
 * its even share of the time that is left; a native signature gets all of it, because breaking it off would leave open
 * whether it was made.
 *
 * @param run  `withinMs`: the time this binding has
 * @throws what the last binding that was asked threw
 */
export async function oneAfterAnother<T>(
  bindings: readonly [Binding, ...Binding[]],
  { clock, deadlineMs }: { readonly clock: Pick<Clock, 'monotonic'>; readonly deadlineMs: number },
  run: (binding: Binding, withinMs: number) => Promise<T>,
): Promise<T> {
  const endsAt = clock.monotonic() + deadlineMs
  for (let at = 0; ; at++) {
    const binding = bindings[at] as Binding
    const left = endsAt - clock.monotonic()
    const others = bindings.length - at
    try {
      return await run(binding, binding.custody === 'native' ? left : left / others)
    } catch (error) {
      if (others === 1 || !isSignerError(error) || error.code !== 'provider/unavailable') throw error
      if (endsAt - clock.monotonic() < LEAST_MS) throw error
    }
  }
}
