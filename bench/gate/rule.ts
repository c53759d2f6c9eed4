import { median, unrest } from '../matrix/samples.ts'

/** One round: the same work by each, right after one another, in random order. */
export interface GateRound {
  readonly sdkMs: number
  /** One small write that is on disk when it ends. */
  readonly barrierMs: number
  readonly nativeMs: number
  readonly decryptMs: number
  readonly sdkCpuMs: number
  readonly nativeCpuMs: number
}

/**
 * What is held against the budget: ratios within one round. The latency of a round is that of its quickest tenth, and 16
 * callers are weighed by processor time: a busy machine makes some calls wait, and can neither make any quicker nor have
 * them use less. A slower path moves both.
 */
export const RATIOS = {
  /**
   * Through the service against its parts, one caller: the vendor's client and the two barriers of the audit log. Without
   * the barriers a slower disk would look like slower code.
   */
  nativeOverParts: ({ nativeMs, sdkMs, barrierMs }: GateRound) => nativeMs / (sdkMs + 2 * barrierMs),
  /** Per-call decrypt against native signing, one caller. */
  decryptOverNative: ({ decryptMs, nativeMs }: GateRound) => decryptMs / nativeMs,
  /** Processor time a signature, 16 callers: what bounds throughput on machines of their own. */
  nativeOverSdkCpu: ({ nativeCpuMs, sdkCpuMs }: GateRound) => nativeCpuMs / sdkCpuMs,
} as const
export type RatioName = keyof typeof RATIOS
export const RATIO_NAMES = Object.keys(RATIOS) as readonly RatioName[]

export interface Budget {
  /** The most each median of ratios may be. `measured` and `headroom` say where it comes from. */
  readonly ratios: Readonly<Record<RatioName, { readonly max: number; readonly measured: number }>>
  readonly rounds: { readonly min: number; readonly step: number; readonly max: number }
  /** Half the middle half of the rounds, as a part of their median: above it, more rounds are taken first. */
  readonly unrestMax: number
}

export interface Finding {
  readonly name: RatioName
  readonly median: number
  readonly max: number
  readonly unrest: number
  readonly over: boolean
}

export interface Verdict {
  readonly findings: readonly Finding[]
  /** `again`: not yet believable, and more rounds are allowed. */
  readonly verdict: 'pass' | 'fail' | 'again'
}

/**
 * All within budget and calm passes. Anything else asks for more rounds until there are no more: then the medians of all
 * rounds decide; `last` says that time is up. One bad moment moves a few rounds and not the median; a slower path moves them all.
 */
export function judge(rounds: readonly GateRound[], budget: Budget, last = false): Verdict {
  const findings = RATIO_NAMES.map((name): Finding => {
    const values = rounds.map(RATIOS[name])
    const { max } = budget.ratios[name]
    const middle = median(values)
    return { name, median: middle, max, unrest: unrest(values), over: middle > max }
  })
  const over = findings.some(finding => finding.over)
  const restless = findings.some(finding => finding.unrest > budget.unrestMax)
  const more = !last && rounds.length < budget.rounds.max
  if (more && (rounds.length < budget.rounds.min || over || restless)) return { findings, verdict: 'again' }
  return { findings, verdict: over ? 'fail' : 'pass' }
}
