import type { Cell, Report } from '../matrix/report.ts'
import { COLOURS, figure, GRID, line, linearScale, logScale, rect, rowsPlot, seriesColour, svg, text } from './svg.ts'

const way = ({ provider, transport }: Cell): string => (transport === 'none' ? provider : `${provider} ${transport}`)
const CUSTODY_KEYS = [
  ['native', COLOURS.native],
  ['decrypt', COLOURS.decrypt],
] as const

const service = ({ cells }: Report): readonly Cell[] => cells.filter(({ subject }) => subject === 'service')

/** Quartiles as a box, p5 to p95 left to the table: the line goes from the least to p95, the dot is p99. */
export function latencyBoxes(report: Report, profile: string): string | undefined {
  const cells = service(report).filter(cell => cell.profile === profile && cell.concurrency === 1)
  if (cells.length === 0) return undefined
  const rows = cells.map(cell => ({ cell, label: `${way(cell)} ${cell.custody}`, colour: COLOURS[cell.custody] }))
  const all = cells.flatMap(({ minMs, p99Ms }) => [minMs, p99Ms])
  const id = `latency-${profile.replaceAll(/[^a-z0-9]/g, '-')}`
  const label = `Latency through the service at concurrency 1, latency profile ${profile}: native against decrypt`
  return rowsPlot(
    id,
    label,
    'milliseconds, logarithmic; box: middle half, bar: p50, line: least to p95, dot: p99',
    rows,
    (from, to) => logScale(all, from, to),
    ({ cell, colour }, scale, y) => [
      line(scale(cell.minMs), y, scale(cell.p95Ms), y, `stroke="${colour}" stroke-width="1.5"`),
      rect(
        scale(cell.p25Ms),
        y - 7,
        Math.max(2, scale(cell.p75Ms) - scale(cell.p25Ms)),
        14,
        `fill="${colour}" fill-opacity="0.45" stroke="${colour}"`,
      ),
      line(scale(cell.p50Ms), y - 7, scale(cell.p50Ms), y + 7, `stroke="${colour}" stroke-width="3"`),
      `<circle cx="${scale(cell.p99Ms).toFixed(1)}" cy="${y}" r="3" fill="${colour}"/>`,
      text(scale(cell.p99Ms) + 8, y + 4, `${figure(cell.p50Ms)} ms`),
    ],
    CUSTODY_KEYS,
  )
}

/** One line a way and custody. */
export function throughputLines(report: Report): string | undefined {
  const cells = service(report).filter(({ profile }) => profile === 'none')
  const series = [...Map.groupBy(cells, cell => `${way(cell)} ${cell.custody}`)].filter(([, all]) => all.length > 1)
  if (series.length === 0) return undefined
  const [width, left, right, top, bottom] = [860, 70, 610, 24, 360]
  const x = logScale([1, 64], left, right)
  const y = linearScale(
    cells.map(({ perSecond }) => perSecond),
    bottom,
    top,
  )
  const concurrencies = [...new Set(cells.map(({ concurrency }) => concurrency))].toSorted((a, b) => a - b)
  const marks = series.flatMap(([name, all], i) => {
    const colour = seriesColour(Math.floor(i / 2))
    const dashes = name.endsWith('decrypt') ? ' stroke-dasharray="5 4"' : ''
    const sorted = all.toSorted((a, b) => a.concurrency - b.concurrency)
    const points = sorted.map(cell => `${x(cell.concurrency).toFixed(1)},${y(cell.perSecond).toFixed(1)}`).join(' ')
    const key = top + 8 + i * 20
    return [
      `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>`,
      ...sorted.map(
        cell =>
          `<circle cx="${x(cell.concurrency).toFixed(1)}" cy="${y(cell.perSecond).toFixed(1)}" r="3" fill="${colour}"/>`,
      ),
      line(right + 30, key, right + 58, key, `stroke="${colour}" stroke-width="2"${dashes}`),
      text(right + 64, key + 4, name),
    ]
  })
  return svg(
    'throughput',
    width,
    Math.max(bottom + 44, top + 20 * series.length + 20),
    'Signatures a second against concurrency',
    [
      ...y.ticks.flatMap(tick => [
        line(left, y(tick), right, y(tick), GRID),
        text(left - 8, y(tick) + 4, figure(tick), ' text-anchor="end"'),
      ]),
      ...concurrencies.map(c => text(x(c), bottom + 18, String(c), ' text-anchor="middle"')),
      ...marks,
      text(
        (left + right) / 2,
        bottom + 36,
        'callers at once; signatures a second upwards; no latency added',
        ' text-anchor="middle"',
      ),
    ],
  )
}

/** How long opened keys lay in memory; native has none. */
export function exposureBars(report: Report): string | undefined {
  const cells = service(report).filter(
    cell => cell.concurrency === 1 && cell.profile === 'none' && cell.exposureP50Ms !== null,
  )
  if (cells.length === 0) return undefined
  const rows = cells.map(cell => ({ cell, label: `${way(cell)} ${cell.custody}`, colour: COLOURS[cell.custody] }))
  const values = cells.map(({ exposureMaxMs }) => exposureMaxMs ?? 0)
  return rowsPlot(
    'exposure',
    'Milliseconds that key bytes lay in the memory of the service, a signature',
    'milliseconds a signature; bar: median, line: longest seen',
    rows,
    (from, to) => linearScale(values, from, to),
    ({ cell, colour }, scale, y) => [
      line(scale(0), y, scale(cell.exposureMaxMs ?? 0), y, `stroke="${colour}" stroke-width="1.5"`),
      rect(scale(0), y - 6, scale(cell.exposureP50Ms ?? 0) - scale(0), 12, `fill="${colour}"`),
      text(
        scale(cell.exposureMaxMs ?? 0) + 8,
        y + 4,
        cell.custody === 'native' ? 'never' : `${(cell.exposureP50Ms ?? 0).toFixed(3)} ms`,
      ),
    ],
    CUSTODY_KEYS,
  )
}

/** p50 of the vendor's client, and what everything else adds to it. */
export function overheadBars(report: Report, concurrency: number): string | undefined {
  const cells = report.cells.filter(
    cell => cell.overheadMs !== null && cell.concurrency === concurrency && cell.profile === 'none',
  )
  if (cells.length === 0) return undefined
  const rows = cells.map(cell => ({
    cell,
    label: `${cell.subject === 'service' ? way(cell) : cell.subject} ${cell.custody}`,
    colour: cell.subject === 'service' ? COLOURS[cell.custody] : COLOURS.third,
  }))
  const values = cells.flatMap(({ p50Ms, overheadMs }) => [p50Ms, p50Ms - (overheadMs ?? 0)])
  return rowsPlot(
    `overhead-${concurrency}`,
    `p50 beside that of the vendor’s client called directly, concurrency ${concurrency}`,
    'milliseconds; grey: the vendor’s client in the same run, bar: the subject, both p50',
    rows,
    (from, to) => linearScale(values, from, to),
    ({ cell, colour }, scale, y) => {
      const base = cell.p50Ms - (cell.overheadMs ?? 0)
      return [
        rect(scale(0), y - 8, scale(base) - scale(0), 7, `fill="${COLOURS.muted}" fill-opacity="0.6"`),
        rect(scale(0), y, scale(cell.p50Ms) - scale(0), 8, `fill="${colour}"`),
        text(Math.max(scale(cell.p50Ms), scale(base)) + 8, y + 4, `${(cell.overheadRatio ?? 0).toFixed(2)}×`),
      ]
    },
    [...CUSTODY_KEYS, ['library', COLOURS.third], ['vendor’s client', COLOURS.muted]],
  )
}
