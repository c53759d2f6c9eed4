import { isSignerError } from '../domain/errors.ts'
import type { Clock, Random } from '../domain/ports.ts'
import type { Attempts, Remote } from './attempts.ts'
import { type Circuit, type CircuitState, createCircuit, type Lane, type Verdict } from './circuit.ts'
import { isShed, shed } from './shed.ts'

export interface BreakerOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly random: Random
  /** Failures in a row that open a breaker. */
  readonly failures?: number
  /** Share of the calls of one key that opens its breaker when it fails. */
  readonly ratio?: number
  /** An open breaker lets a call through after half of this time to all of it. */
  readonly resetMs?: number
  /** A wait that the service asks for and that no call could sit out holds its key back. */
  readonly deadlineMs?: number
  /** Keys remembered for each provider, the last used ones. */
  readonly keysMax?: number
  readonly onChange?: (change: BreakerChange) => void
}

export interface BreakerChange {
  readonly provider: string
  /** Of one key, or of the provider with all its keys. */
  readonly of: 'key' | 'provider'
  /** Our id of the binding whose call it was; a reference of the provider's never stands here. */
  readonly binding?: string
  readonly state: CircuitState
  /** True when a probe failed: it was open before. */
  readonly again: boolean
}

export interface ProviderState {
  readonly state: CircuitState
  readonly keysOpen: number
}

export interface Breakers {
  readonly around: (inner: Attempts) => Attempts
  stateOf(provider: string): ProviderState
}

type Called = Pick<Remote<unknown>, 'provider' | 'key' | 'binding'>

interface KeyBreaker {
  readonly circuit: Circuit
  /** Until when the service asked us not to come back. */
  heldUntil: number
}

interface ProviderBreaker {
  readonly circuit: Circuit
  /** Least recently used first. */
  readonly keys: Map<string, KeyBreaker>
  /** Two of the keys that have failed since any key was answered. */
  readonly witnesses: Set<string>
}

/** A header cannot switch a key off for longer than this. */
const HELD_MS_MAX = 60_000

/**
 * A breaker for each key, and one for each provider above them. What opens them is silence and "not now", never a
 * refusal or an answer that is wrong: those are answers.
 *
 * The provider's breaker opens when everything fails in a row and more than one key has seen it (a provider with one key
 * needs no second witness), and is then probed once a reset time, not once for each key. Keys that are well must not
 * suffer for others: any answer to any of them keeps it closed; and when it is open all the same, because they were
 * silent, the second lane lets a call of a key whose last call went well through, whatever the others do.
 */
export function createBreakers(options: BreakerOptions): Breakers {
  const { clock, random, failures = 5, ratio = 0.5, resetMs = 5_000, deadlineMs = 5_000, keysMax = 1_024 } = options
  const providers = new Map<string, ProviderBreaker>()

  const openProvider = (): ProviderBreaker => {
    const keys: ProviderBreaker['keys'] = new Map()
    const witnesses = new Set<string>()
    const mayOpen = (): boolean => witnesses.size >= Math.min(2, keys.size)
    return { circuit: createCircuit({ random, failures, resetMs, mayOpen }), keys, witnesses }
  }
  const find = ({ provider: name, key }: Called) => {
    const provider = providers.get(name) ?? openProvider()
    providers.set(name, provider)
    const own = provider.keys.get(key) ?? {
      circuit: createCircuit({ random, failures, resetMs, ratio }),
      heldUntil: 0,
    }
    provider.keys.delete(key)
    provider.keys.set(key, own)
    if (provider.keys.size > keysMax) {
      const [oldest = key] = provider.keys.keys()
      provider.keys.delete(oldest)
    }
    return { provider, own }
  }

  const laneOf = (own: KeyBreaker): Lane => (own.circuit.isWell() ? 'second' : 'first')
  const refuse = (remote: Called, provider: ProviderBreaker, own: KeyBreaker): void => {
    const now = clock.monotonic()
    const held = own.heldUntil - now
    if (held > 0) throw shed(remote.provider, 'it asked for a pause that is not over', held)
    const wait = Math.max(own.circuit.waitMs(now), provider.circuit.waitMs(now, laneOf(own)))
    if (wait > 0) throw shed(remote.provider, 'it did not answer the calls before', wait)
  }
  const tell = (remote: Called, of: BreakerChange['of'], state: CircuitState, again = false): void => {
    const binding = remote.binding === undefined ? {} : { binding: remote.binding }
    try {
      options.onChange?.({ provider: remote.provider, of, ...binding, state, again })
    } catch {
      // Whoever watches decides nothing: a throw here would lose a signature, or keep a probe's lane taken for ever.
    }
  }
  const record = (remote: Called, of: BreakerChange['of'], change: ReturnType<Circuit['leave']>): void => {
    if (change !== undefined) tell(remote, of, change === 'closed' ? 'closed' : 'open', change === 'reopened')
  }

  const pass = async <T>(remote: Remote<T>, body: () => Promise<T>): Promise<T> => {
    const { provider, own } = find(remote)
    refuse(remote, provider, own)
    const entered = clock.monotonic()
    const above = provider.circuit.enter(entered, laneOf(own))
    const below = own.circuit.enter(entered)
    if (above.probe !== undefined) tell(remote, 'provider', 'half-open')
    if (below.probe !== undefined) tell(remote, 'key', 'half-open')
    let verdict: Verdict = 'answered'
    try {
      return await body()
    } catch (error) {
      verdict = verdictOf(error)
      const wait = waitAsked(error)
      if (wait >= deadlineMs) own.heldUntil = clock.monotonic() + Math.min(wait, HELD_MS_MAX)
      throw error
    } finally {
      const now = clock.monotonic()
      if (verdict === 'answered') provider.witnesses.clear()
      else if (verdict === 'failed' && provider.witnesses.size < 2) provider.witnesses.add(remote.key)
      record(remote, 'key', own.circuit.leave(now, below, verdict))
      record(remote, 'provider', provider.circuit.leave(now, above, verdict))
    }
  }

  return {
    around: inner => async remote => {
      const { provider, own } = find(remote)
      refuse(remote, provider, own) // at once, before a place is waited for
      const isOpen = (): boolean => {
        const now = clock.monotonic()
        return own.circuit.waitMs(now) > 0 || provider.circuit.waitMs(now, laneOf(own)) > 0
      }
      return inner({
        ...remote,
        run: call => pass(remote, () => remote.run(call)),
        mayRetry: () => !isOpen() && remote.mayRetry?.() !== false,
      })
    },
    stateOf: name => {
      const now = clock.monotonic()
      const provider = providers.get(name)
      const keysOpen = [...(provider?.keys.values() ?? [])].filter(
        ({ circuit }) => circuit.state(now) === 'open',
      ).length
      return { state: provider?.circuit.state(now) ?? 'closed', keysOpen }
    },
  }
}

/** A fault that is not ours to name says nothing about the service either. */
function verdictOf(error: unknown): Verdict {
  if (!isSignerError(error) || error.code === 'key/unsupported') return 'unsent'
  if (error.code !== 'provider/unavailable' && error.code !== 'provider/ambiguous') return 'answered'
  return isShed(error) ? 'unsent' : 'failed'
}

const waitAsked = (error: unknown): number =>
  isSignerError(error) && error.code === 'provider/unavailable' && !isShed(error) ? (error.detail.retryAfterMs ?? 0) : 0
