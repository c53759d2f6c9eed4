import { aligned } from '../paper/table.ts'
import type { Gated } from './rounds.ts'

/** What the gate says: each ratio, its budget, and how restless the rounds were. */
export function gateTable({ findings, rounds, verdict }: Gated, steal: number | null): string {
  const rows = findings.map(({ name, median, max, unrest, over }) => [
    name,
    over ? 'OVER' : 'ok',
    median.toFixed(3),
    max.toFixed(3),
    `${(unrest * 100).toFixed(1)} %`,
  ])
  const about = `${rounds.length} rounds; steal ${steal === null ? 'not counted here' : `${steal.toFixed(1)} %`}`
  return `${aligned(['ratio', '', 'median', 'budget', 'unrest'], rows, 2)}\n${verdict}: ${about}`
}
