export interface Measurement {
  readonly name: string
  readonly samples: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly min: number
  readonly callsPerSignature: number
  readonly baseline?: string
}

export interface Report {
  readonly facts: Readonly<Record<string, string | number>>
  readonly settings: { readonly rounds: number; readonly iterations: number; readonly warmup: number }
  readonly measurements: readonly Measurement[]
}

/** Nearest-rank percentile. @param sorted ascending, not empty. */
export function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil((p / 100) * sorted.length) - 1))] ?? Number.NaN
}

export function measurementOf(
  name: string,
  baseline: string | undefined,
  samples: readonly number[],
  callsPerSignature: number,
): Measurement {
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    name,
    samples: sorted.length,
    p50: percentile(sorted, 50),
    p99: percentile(sorted, 99),
    min: percentile(sorted, 0),
    callsPerSignature,
    ...(baseline === undefined ? {} : { baseline }),
  }
}

export function table({ facts, settings, measurements }: Report): string {
  const base = new Map(measurements.map(m => [m.name, m.p50]))
  const rows = measurements.map(m => {
    const against = m.baseline === undefined ? undefined : base.get(m.baseline)
    return [
      m.name,
      m.p50.toFixed(3),
      m.p99.toFixed(3),
      String(m.samples),
      m.callsPerSignature.toFixed(2),
      against === undefined ? 'baseline' : `${(m.p50 / against).toFixed(2)}×`,
    ]
  })
  const all = [['case', 'p50 ms', 'p99 ms', 'samples', 'KMS calls', 'p50 ratio'], ...rows]
  const widths = all[0]?.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0))) ?? []
  const lines = all.map(row =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
  )
  const about = Object.entries(facts).map(([name, value]) => `${name} ${value}`)
  return `${lines.join('\n')}\n\n${settings.rounds} rounds of ${settings.iterations}, order shuffled; ${about.join('; ')}\n`
}
