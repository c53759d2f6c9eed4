import { type Attempts, type AttemptsOptions, createTries, inTime } from './attempts.ts'
import { type BreakerOptions, createBreakers, type ProviderState } from './breaker.ts'
import { withRetryBudget } from './budget.ts'
import { createBulkhead } from './bulkhead.ts'

export interface ResilienceOptions extends AttemptsOptions {
  /** Calls under way at one provider at one time; half as many may wait. */
  readonly places: number
  readonly breaker?: Omit<BreakerOptions, 'clock' | 'random' | 'deadlineMs'>
}

export interface Resilience {
  readonly attempts: Attempts
  /** By the provider's name; one that was never called is closed. */
  stateOf(provider: string): ProviderState & { readonly inFlight: number; readonly waiting: number }
}

/**
 * The data plane's attempts, one mechanism for every provider. On its way to the wire a try passes, in this order: tries
 * under one deadline, a place among the provider's calls, the breakers, the count of the budget, the end in time.
 */
export function createResilience(options: ResilienceOptions): Resilience {
  const { clock, random, deadlineMs = 5_000, places } = options
  const breakers = createBreakers({ clock, random, deadlineMs, ...options.breaker })
  const bulkhead = createBulkhead({ places, queue: Math.ceil(places / 2) })
  const budget = withRetryBudget({ clock })
  return {
    attempts: inTime(options)(budget(breakers.around(bulkhead.around(createTries(options))))),
    stateOf: provider => ({ ...breakers.stateOf(provider), ...bulkhead.load(provider) }),
  }
}
