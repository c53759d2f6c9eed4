import type { Report } from '../matrix/report.ts'
import { GATEWAY_COLUMNS, GATEWAY_MEANINGS, gatewayRows } from './gateway.ts'
import { aboutLine, COLUMNS, OPEN_COLUMNS, openRows, rowOf } from './table.ts'

const grid = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

export const MEANINGS: readonly string[] = [
  'Times are milliseconds, nearest rank; `c` is how many callers ask at once, each again as soon as it has its answer.',
  '`over SDK` and `ratio`: p50 less, and divided by, the p50 of the vendor’s client called directly in the same run (same custody, latency, concurrency). That difference is what the signer adds; what remains is client, emulator and the latency that was set.',
  '`calls`: answers of the key service a signature. `cpu ms`: processor time a signature of the process that signs (the service; the bench itself where a client or a library signs).',
  '`exposed ms`: how long an opened key lay in the service’s memory, median; 0 for native, – where it is not measured. A `~` marks a figure of too few steps of the clock.',
  'Every signature was verified after its cell was timed.',
]

/** The whole run for people who read Markdown. */
export const markdown = (report: Report): string => `# Benchmark

${aboutLine(report)}, ${report.meta.date}

${grid(COLUMNS, report.cells.map(rowOf))}

## Arrivals at a fixed rate

Latency counts from when a call was due, so that what a stall holds up is in it (no coordinated omission).

${grid(OPEN_COLUMNS, openRows(report))}

## What access and policy add

${GATEWAY_MEANINGS.map(each => `- ${each}`).join('\n')}

${grid(GATEWAY_COLUMNS, gatewayRows(report.gateway))}

## How to read it

${MEANINGS.map(each => `- ${each}`).join('\n')}

## Assumptions

${report.meta.assumptions.map(each => `- ${each}`).join('\n')}
`
