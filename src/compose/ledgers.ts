import type { Clock, Logger } from '../domain/ports.ts'
import type { StellarNetwork } from '../domain/stellar-network.ts'

const EVERY_MS = 15_000
const ASK_MS = 5_000
/** Ledgers close every five seconds or so; nobody has seen five in one second. */
const LEDGERS_A_SECOND_MAX = 5
const LEDGERS_JITTER = 20

export interface Ledgers {
  /** The last closed ledger that a network told us of, as old as the last answer. @returns undefined before the first one */
  of(network: string): number | undefined
  stop(): void
}

/**
 * The last closed ledger of each network, for policy. One that is some ledgers old makes an authorization look longer than it
 * is, never shorter, so a network that stops answering makes the signer stricter. It never goes back, and never forward faster
 * than ledgers can close: an endpoint that lies from its first answer on is believed, one that begins to lie is not.
 */
export function watchLedgers(networks: ReadonlyMap<string, StellarNetwork>, clock: Clock, logger: Logger): Ledgers {
  const known = new Map<string, { readonly sequence: number; readonly at: number }>()
  const stop = new AbortController()
  const ask = async (name: string, network: StellarNetwork): Promise<void> => {
    const { sequence } = await network.latestLedger(AbortSignal.any([stop.signal, AbortSignal.timeout(ASK_MS)]))
    const at = clock.monotonic()
    const before = known.get(name)
    if (before !== undefined) {
      const most = before.sequence + LEDGERS_JITTER + Math.ceil(((at - before.at) / 1000) * LEDGERS_A_SECOND_MAX)
      if (sequence <= before.sequence) return
      if (sequence > most) {
        logger.warn('ledger-not-believed', { network: name, sequence, most })
        return
      }
    }
    known.set(name, { sequence, at })
  }
  const loop = async (name: string, network: StellarNetwork): Promise<void> => {
    let silent = false
    while (!stop.signal.aborted) {
      try {
        await ask(name, network)
        silent = false
      } catch (error) {
        if (!silent && !stop.signal.aborted) logger.warn('ledger-unknown', { network: name, message: String(error) })
        silent = true
      }
      await clock.sleep(EVERY_MS, stop.signal)
    }
  }
  for (const [name, network] of networks) loop(name, network).catch(() => {}) // the only way out is the signal
  return { of: network => known.get(network)?.sequence, stop: () => stop.abort() }
}
