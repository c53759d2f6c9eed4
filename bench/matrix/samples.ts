import { percentile } from '../report.ts'

/** Milliseconds. Nearest rank, so that every figure is one that was measured. */
export interface Spread {
  readonly samples: number
  readonly minMs: number
  readonly p25Ms: number
  readonly p50Ms: number
  readonly p75Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (p: number) => percentile(sorted, p)
  return {
    samples: sorted.length,
    minMs: at(0),
    p25Ms: at(25),
    p50Ms: at(50),
    p75Ms: at(75),
    p95Ms: at(95),
    p99Ms: at(99),
    maxMs: at(100),
  }
}

export const median = (values: readonly number[]): number =>
  percentile(
    values.toSorted((a, b) => a - b),
    50,
  )

/** Half of what lies between the quartiles, as a part of the median: how much rounds disagree. */
export function unrest(values: readonly number[]): number {
  const { p25Ms, p50Ms, p75Ms } = spreadOf(values)
  return (p75Ms - p25Ms) / 2 / p50Ms
}

/** Milliseconds of the smallest step this clock makes. Figures near it are not believed. */
export function clockStep(now: () => number = () => performance.now(), looks = 20_000): number {
  let smallest = Number.POSITIVE_INFINITY
  let last = now()
  for (let look = 0; look < looks; look++) {
    const next = now()
    if (next > last) smallest = Math.min(smallest, next - last)
    last = next
  }
  return smallest
}

/** A latency has to be so many steps of the clock long before it is called measured. */
export const STEPS_MIN = 50
