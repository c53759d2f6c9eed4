import type { Cell, Report } from '../matrix/report.ts'
import { GATEWAY_COLUMNS, gatewayRows } from './gateway.ts'

export const COLUMNS = [
  'subject',
  'provider',
  'transport',
  'custody',
  'profile',
  'c',
  'p50',
  'p95',
  'p99',
  'max',
  'per s',
  'calls',
  'cpu ms',
  'peak MB',
  'exposed ms',
  'over SDK',
  'ratio',
  'samples',
  'refused',
] as const

const number = (value: number | null, digits: number): string => (value === null ? '–' : value.toFixed(digits))

export function rowOf(cell: Cell): readonly string[] {
  const turnedAway = Object.values(cell.refused).reduce((all, count) => all + count, 0)
  return [
    cell.subject,
    cell.provider,
    cell.transport,
    cell.custody,
    cell.profile,
    String(cell.concurrency),
    `${cell.clockTrusted ? '' : '~'}${number(cell.p50Ms, 3)}`,
    ...[cell.p95Ms, cell.p99Ms, cell.maxMs].map(value => number(value, 3)),
    number(cell.perSecond, 0),
    number(cell.callsPerSignature, 2),
    number(cell.cpuMsPerSignature, 3),
    number(cell.peakRssMb, 0),
    number(cell.exposureP50Ms, 3),
    number(cell.overheadMs, 3),
    number(cell.overheadRatio, 2),
    String(cell.samples),
    String(turnedAway),
  ]
}

export const OPEN_COLUMNS = [
  'subject',
  'provider',
  'custody',
  'asked per s',
  'given per s',
  'p50',
  'p95',
  'p99',
  'max',
  'in flight',
] as const

export const openRows = ({ openLoop }: Report): readonly (readonly string[])[] =>
  openLoop.map(cell => [
    cell.subject,
    cell.provider,
    cell.custody,
    String(cell.ratePerSecond),
    number(cell.perSecond, 0),
    ...[cell.p50Ms, cell.p95Ms, cell.p99Ms, cell.maxMs].map(value => number(value, 3)),
    String(cell.inFlightMax),
  ])

const TEXTS = 5

/** Aligned for a terminal: words to the left, figures to the right. */
export function aligned(head: readonly string[], rows: readonly (readonly string[])[], texts: number): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((text, at) => (at < texts ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd()
  return all.map(line).join('\n')
}

export const terminalTable = (report: Report): string =>
  [
    aligned(COLUMNS, report.cells.map(rowOf), TEXTS),
    ...(report.openLoop.length === 0
      ? []
      : ['', 'Arrivals at a fixed rate, latency from when each was due:', aligned(OPEN_COLUMNS, openRows(report), 3)]),
    ...(report.gateway.length === 0
      ? []
      : ['', 'What access and policy add:', aligned(GATEWAY_COLUMNS, gatewayRows(report.gateway), 4)]),
    '',
    aboutLine(report),
  ].join('\n')

export function aboutLine({ meta }: Report): string {
  const steal = meta.stealPercent === null ? '' : `, ${meta.stealPercent.toFixed(1)} % steal`
  const { machine, settings } = meta
  return `milliseconds; ${settings.rounds} rounds in random order; ${machine.cpu}, ${machine.cores} cores${steal}; ${meta.runtime}; commit ${meta.commit}; ${meta.seconds.toFixed(0)} s`
}
