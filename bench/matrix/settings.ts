import type { Extent } from './cells.ts'

/** How long and how often. */
export interface Settings {
  readonly extent: Extent
  /** Every cell is measured once a round, in a new order each time; samples of all rounds are pooled. */
  readonly rounds: number
  /** Of one cell in one round. */
  readonly timeMs: number
  /** A cell goes on past its time until it has so many in a round, to three times its time at most. */
  readonly samplesMin: number
  /** Signatures before a cell is timed, without latency. */
  readonly warmup: number
  /** The same for ways whose signature costs tens of milliseconds by design. */
  readonly slow: { readonly timeMs: number; readonly samplesMin: number; readonly warmup: number }
  readonly open: { readonly timeMs: number; readonly shares: readonly number[] }
}

export const SETTINGS: Readonly<Record<Extent, Settings>> = {
  quick: {
    extent: 'quick',
    rounds: 2,
    timeMs: 500,
    samplesMin: 20,
    warmup: 40,
    slow: {
      timeMs: 700,
      samplesMin: 4,
      warmup: 1,
    },
    open: {
      timeMs: 2500,
      shares: [0.5],
    },
  },
  full: {
    extent: 'full',
    rounds: 2,
    timeMs: 1e3,
    samplesMin: 20,
    warmup: 64,
    slow: {
      timeMs: 2e3,
      samplesMin: 10,
      warmup: 1,
    },
    open: {
      timeMs: 5e3,
      shares: [0.25, 0.5, 0.75],
    },
  },
}
