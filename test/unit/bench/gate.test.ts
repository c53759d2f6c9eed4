import { describe, expect, test } from 'bun:test'
import budget from '../../../bench/budget.json' with { type: 'json' }
import { calibrated } from '../../../bench/gate/calibrate.ts'
import { gateTable } from '../../../bench/gate/paper.ts'
import { type Budget, type GateRound, judge, RATIO_NAMES } from '../../../bench/gate/rule.ts'

const BUDGET: Budget = {
  ratios: {
    nativeOverParts: { max: 2, measured: 1.6 },
    decryptOverNative: { max: 1.4, measured: 1.1 },
    nativeOverSdkCpu: { max: 3, measured: 2.4 },
  },
  rounds: { min: 5, step: 2, max: 11 },
  unrestMax: 0.1,
}
const calm: GateRound = { sdkMs: 0.8, barrierMs: 0.1, nativeMs: 1.6, decryptMs: 1.76, sdkCpuMs: 1, nativeCpuMs: 2.4 }
const rounds = (count: number, round: GateRound = calm) => Array.from({ length: count }, () => round)

describe('M-13 the rule of the gate', () => {
  test('calm rounds within budget pass as soon as there are enough', () => {
    expect(judge(rounds(4), BUDGET).verdict).toBe('again')
    expect(judge(rounds(5), BUDGET).verdict).toBe('pass')
  })

  test('a path that is 30 % slower fails, after as many rounds as are allowed', () => {
    const slow = { ...calm, nativeMs: calm.nativeMs * 1.3, decryptMs: calm.decryptMs * 1.3 }
    expect(judge(rounds(5, slow), BUDGET).verdict).toBe('again')
    const { verdict, findings } = judge(rounds(11, slow), BUDGET)
    expect(verdict).toBe('fail')
    expect(findings.filter(({ over }) => over).map(({ name }) => name)).toEqual(['nativeOverParts'])
  })

  test('a machine that is three times slower for a while does not fail it, and neither do a few wild rounds', () => {
    const busy = Object.fromEntries(Object.entries(calm).map(([name, ms]) => [name, ms * 3])) as unknown as GateRound
    expect(judge([...rounds(3), ...rounds(4, busy)], BUDGET).verdict).toBe('pass')
    const wild = { ...calm, nativeMs: 9 }
    expect(judge([...rounds(4), ...rounds(3, wild)], BUDGET).verdict).toBe('again')
    expect(judge([...rounds(6), ...rounds(5, wild)], BUDGET).verdict).toBe('pass')
  })

  test('restless rounds are not believed while more are allowed; when time is up, the medians decide', () => {
    const mixed = [1.2, 1.9, 1.3, 1.8, 1.6].map(nativeMs => ({ ...calm, nativeMs, decryptMs: nativeMs * 1.1 }))
    expect(judge(mixed, BUDGET).verdict).toBe('again')
    expect(judge(mixed, BUDGET, true).verdict).toBe('pass')
    expect(judge(rounds(2, { ...calm, nativeCpuMs: 4 }), BUDGET, true).verdict).toBe('fail')
  })

  test('the budget that is checked in has room above what was measured, and less than the 30 % it must see', () => {
    expect(Object.keys(budget.ratios)).toEqual([...RATIO_NAMES])
    for (const name of RATIO_NAMES) expect(budget.ratios[name].max / budget.ratios[name].measured).toBeGreaterThan(1.1)
    const { max, measured } = budget.ratios.nativeOverParts
    expect(max / measured).toBeLessThan(1.25)
  })

  test('calibration takes the median of the runs and adds the headroom', () => {
    const run = (factor: number) =>
      judge(rounds(5, { ...calm, nativeMs: 1.6 * factor, decryptMs: 1.76 * factor }), BUDGET).findings
    const { ratios, unrestMax } = calibrated(BUDGET, [run(1), run(1.1), run(5)])
    expect(ratios.nativeOverParts).toEqual({ measured: 1.76, max: 2.024 })
    expect(ratios.nativeOverSdkCpu).toEqual({ measured: 2.4, max: 3.6 })
    expect(unrestMax).toBe(BUDGET.unrestMax)
  })

  test('it says each ratio, its budget and what came of it', () => {
    const slow = { ...calm, nativeMs: 3, decryptMs: 3.3 }
    const judged = judge(rounds(11, slow), BUDGET)
    const text = gateTable({ ...judged, rounds: rounds(11, slow) }, 1.26)
    expect(text).toMatch(/nativeOverParts +OVER +3\.000 +2\.000 +0\.0 %/)
    expect(text).toContain('fail: 11 rounds; steal 1.3 %')
    expect(gateTable({ ...judged, rounds: [] }, null)).toContain('steal not counted here')
  })
})
