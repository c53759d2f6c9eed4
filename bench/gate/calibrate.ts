import { median } from '../matrix/samples.ts'
import { type Budget, type Finding, RATIO_NAMES, type RatioName } from './rule.ts'

/**
 * Above what was measured. For latency half of what a path that is 30 % slower adds, so that either side is as far away.
 * Processor time is restless when others use the machine, so it is there for what is far slower among many callers.
 */
const HEADROOM: Readonly<Record<RatioName, number>> = {
  nativeOverParts: 1.15,
  decryptOverNative: 1.25,
  nativeOverSdkCpu: 1.5,
}

const round = (value: number): number => Math.round(value * 1000) / 1000

/** The budget that these runs of the gate ask for. */
export function calibrated(budget: Budget, runs: readonly (readonly Finding[])[]): Budget {
  const ratioOf = (name: RatioName) => {
    const measured = median(runs.flatMap(run => run.filter(each => each.name === name).map(each => each.median)))
    return { max: round(measured * HEADROOM[name]), measured: round(measured) }
  }
  const ratios = Object.fromEntries(RATIO_NAMES.map(name => [name, ratioOf(name)])) as unknown as Budget['ratios']
  return { ...budget, ratios }
}
