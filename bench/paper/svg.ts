/** Plots as SVG text, made here: no script, no style attribute, no reference to anything outside. */
export const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

export const COLOURS = { native: '#1b6ca8', decrypt: '#c8553d', third: '#4f772d', muted: '#6b7280' } as const
const SERIES = ['#1b6ca8', '#c8553d', '#4f772d', '#7b2d8b', '#b8860b', '#2a9d8f', '#5c4033', '#d1495b'] as const
export const seriesColour = (index: number): string => SERIES[index % SERIES.length] ?? COLOURS.muted

const round = (value: number): string => String(Math.round(value * 100) / 100)

/** Figures for an axis: as short as they can be told apart. */
export const figure = (value: number): string =>
  value >= 1000 ? `${round(value / 1000)}k` : value >= 1 ? round(value) : String(Number(value.toPrecision(1)))

export interface Scale {
  (value: number): number
  readonly ticks: readonly number[]
}

/** Powers of ten, with 2 and 5 between where there is room. */
export function logScale(values: readonly number[], from: number, to: number): Scale {
  const positive = values.filter(value => value > 0 && Number.isFinite(value))
  const low = Math.floor(Math.log10(Math.min(...positive, 1e9)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 1e-9))))
  const at = (value: number): number =>
    from + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (to - from)
  const steps = high - low > 2 ? [1] : [1, 2, 5]
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)).flatMap(power =>
    steps.map(step => step * power).filter(tick => tick <= 10 ** high * 1.0001),
  )
  return Object.assign(at, { ticks })
}

export function linearScale(values: readonly number[], from: number, to: number): Scale {
  const top = Math.max(...values, 1e-9)
  const low = Math.min(0, ...values)
  const raw = (top - low) / 5
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map(each => each * power).find(each => each >= raw) ?? raw
  const [first, last] = [Math.floor(low / step), Math.ceil(top / step)]
  const at = (value: number): number => from + ((value - first * step) / ((last - first) * step)) * (to - from)
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(6)))
  return Object.assign(at, { ticks })
}

export const text = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${round(x)}" y="${round(y)}"${more}>${escape(content)}</text>`
export const rect = (x: number, y: number, width: number, height: number, more: string): string =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(height)}" ${more}/>`
export const line = (x1: number, y1: number, x2: number, y2: number, more: string): string =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" ${more}/>`
export const GRID = `stroke="#d9dde3" stroke-width="1"`

/** @param label  what a reader who does not see it is told. */
export const svg = (id: string, width: number, height: number, label: string, inside: readonly string[]): string =>
  `<svg id="${id}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${round(height)}" width="${width}" height="${round(height)}" role="img" aria-label="${escape(label)}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">
${inside.join('\n')}
</svg>`

export const legend = (x: number, y: number, entries: readonly (readonly [string, string])[]): string[] =>
  entries.flatMap(([name, colour], i) => {
    const left = x + i * 110
    return [rect(left, y - 9, 10, 10, `fill="${colour}"`), text(left + 15, y, name)]
  })

const WIDTH = 860
const LEFT = 260
const ROW = 24

export interface BarRow {
  readonly label: string
  readonly colour: string
}

/** Rows down the page along one axis; `draw` makes what stands in a row. */
export function rowsPlot<T extends BarRow>(
  id: string,
  label: string,
  unit: string,
  rows: readonly T[],
  scaleOf: (from: number, to: number) => Scale,
  draw: (row: T, scale: Scale, y: number) => readonly string[],
  keys: readonly (readonly [string, string])[],
): string {
  const [top, right] = [34, WIDTH - 90]
  const bottom = top + rows.length * ROW + 6
  const scale = scaleOf(LEFT, right)
  const grid = scale.ticks.flatMap(tick => [
    line(scale(tick), top, scale(tick), bottom, GRID),
    text(scale(tick), bottom + 16, figure(tick), ' text-anchor="middle"'),
  ])
  const marks = rows.flatMap((row, i) => {
    const y = top + i * ROW + ROW / 2 + 3
    return [text(LEFT - 8, y + 4, row.label, ' text-anchor="end"'), ...draw(row, scale, y)]
  })
  return svg(id, WIDTH, bottom + 40, label, [
    ...legend(LEFT, 16, keys),
    ...grid,
    ...marks,
    text((LEFT + right) / 2, bottom + 34, unit, ' text-anchor="middle"'),
  ])
}
