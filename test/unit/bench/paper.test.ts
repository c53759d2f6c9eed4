import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { squaresOf } from '../../../bench/matrix/cells.ts'
import type { GatewayCell } from '../../../bench/gateway/measure.ts'
import { ASSUMPTIONS, type Cell, cellOf, type Report, withOverheads } from '../../../bench/matrix/report.ts'
import { spreadOf } from '../../../bench/matrix/samples.ts'
import { SETTINGS } from '../../../bench/matrix/settings.ts'
import { htmlPage, POLICY } from '../../../bench/paper/html.ts'
import { markdown } from '../../../bench/paper/markdown.ts'
import { exposureBars, latencyBoxes, overheadBars, throughputLines } from '../../../bench/paper/plots.ts'
import { escape, figure, linearScale, logScale } from '../../../bench/paper/svg.ts'
import { terminalTable } from '../../../bench/paper/table.ts'

/** The first of a group, with nothing to be held against, and the second. */
const gatewayCells: readonly GatewayCell[] = [null, 0.25].map((overMs, i) => ({
  ...{ provider: 'mock', transport: 'none', custody: 'native', variant: i === 0 ? 'bearer' : 'gateway, DPoP' },
  ...{ concurrency: 16, perSecond: 900, cpuMsPerSignature: 0.75, overMs, sharePercent: overMs === null ? null : 20 },
  ...{ overUnrestMs: overMs === null ? null : 0.0625, ...spreadOf([1 + (overMs ?? 0)]) },
}))

/** Figures made up from the position of a cell, so that the papers have something of every kind to show. */
function sample(): Report {
  const squares = squaresOf('full')
  const cells: readonly Cell[] = withOverheads(
    squares.map((square, i) => {
      const ms = 1 + (i % 17) / 3 + (square.profile === 'fixed:126' ? 126 : 0)
      const latencies = Array.from({ length: 40 }, (_, k) => ms * (1 + k / 20))
      const refused = i % 9 === 0 ? new Map([['service/overloaded', 2]]) : new Map<string, number>()
      const load = { latencies, elapsedMs: 1000 / square.concurrency, signatures: [], refused, inFlightMax: 1 }
      const usage = { cpuMs: 40, peakRssMb: 200, exposuresMs: [0.09, 0.12, 0.4] }
      return cellOf(square, [{ load, usage, calls: 40 }], i === 3 ? 1 : 0.0001)
    }),
  )
  const [first] = cells
  const open = { ...first!, ratePerSecond: 100, inFlightMax: 7 }
  return {
    cells,
    openLoop: [open],
    gateway: gatewayCells,
    meta: {
      ...{ commit: 'abc<def>', runtime: 'bun 1.4.5', version: '0.1.0', date: '2030-01-01T00:00:00.000Z', seconds: 61 },
      ...{ settings: SETTINGS.full, timerStepMs: 0.00005, stealPercent: 1.25, steal: { before: 1, after: 2 } },
      machine: { cpu: 'A & B', cores: 2, memoryGb: 8, platform: 'linux 6', loadBefore: 0.5 },
      assumptions: ASSUMPTIONS,
    },
  }
}

const report = sample()

describe('M-13 what is written', () => {
  test('the table has a line for each cell, aligned; figures near the step of the clock are marked', () => {
    const lines = terminalTable(report).split('\n')
    expect(lines.length).toBeGreaterThan(report.cells.length + 4)
    expect(lines[0]).toMatch(/^subject +provider +transport +custody +profile +c +p50/)
    expect(lines.filter(line => / ~\d/.test(line)).length).toBe(1)
    expect(lines.at(-1)).toContain('1.3 % steal')
    const { stealPercent: _, ...meta } = report.meta
    const bare = terminalTable({ ...report, openLoop: [], meta: { ...meta, stealPercent: null } })
    expect(bare).not.toContain('steal')
    expect(bare).not.toContain('Arrivals')
  })

  test('Markdown has every cell, how to read it and the assumptions', () => {
    const text = markdown(report)
    expect(text.split('\n').filter(line => line.startsWith('| service')).length).toBe(
      report.cells.filter(({ subject }) => subject === 'service').length,
    )
    for (const each of ASSUMPTIONS) expect(text).toContain(each)
  })

  test('what access and policy add stands in the table, in Markdown and on the page; without figures the table says nothing', () => {
    const line = / gateway, DPoP +16 +1\.250 +1\.250 +0\.250 +0\.063 +20\.0 +0\.750 +900 +1$/m
    expect(terminalTable(report)).toMatch(line)
    expect(terminalTable(report)).toMatch(/ bearer +16 .* – +– +– /)
    expect(markdown(report)).toContain('| mock | none | native | gateway, DPoP | 16 | 1.250 |')
    expect(htmlPage(report)).toContain('<td>gateway, DPoP</td><td>16</td><td>1.250</td>')
    expect(terminalTable({ ...report, gateway: [] })).not.toContain('access and policy')
  })

  test('JSON keeps the members that were promised', () => {
    const [cell] = (JSON.parse(JSON.stringify(report)) as Report).cells
    const promised = ['provider', 'transport', 'custody', 'subject', 'profile', 'concurrency', 'samples', 'p50Ms']
    const more = ['p95Ms', 'p99Ms', 'maxMs', 'perSecond', 'callsPerSignature', 'cpuMsPerSignature']
    for (const member of [...promised, ...more]) expect(cell).toHaveProperty(member)
  })

  test('the page holds the plots, no script, nothing from elsewhere, and escapes what it quotes', () => {
    const page = htmlPage(report)
    const ids = ['exposure', 'latency-none', 'latency-fixed-126', 'overhead-1', 'overhead-16', 'throughput']
    for (const id of ids) expect(page).toContain(`<svg id="${id}"`)
    expect(page).not.toMatch(/<script|\sstyle=|\son\w+=|href=|src=|url\(/i)
    expect(page.match(/https?:\/\/[^"\s<]+/g)?.filter(url => url !== 'http://www.w3.org/2000/svg')).toEqual([])
    expect(page).toContain('abc&lt;def&gt;')
    expect(page).toContain(`content="${POLICY}"`)
    expect(page).not.toMatch(/NaN|undefined|Infinity/)
  })

  test('a plot without figures is left out', () => {
    const none = { ...report, cells: [] }
    expect([latencyBoxes(none, 'none'), throughputLines(none), exposureBars(none), overheadBars(none, 1)]).toEqual([
      ...[undefined, undefined, undefined, undefined],
    ])
    expect(htmlPage(none)).not.toContain('<svg')
  })

  test('scales meet their ends; figures are short', () => {
    const log = logScale([0.5, 20], 0, 100)
    expect([log(0.1), log(100)]).toEqual([0, 100])
    expect(log.ticks.every(tick => tick >= 0.1 && tick <= 100.1)).toBe(true)
    const linear = linearScale([0, 47], 0, 100)
    expect(linear(0)).toBe(0)
    expect(linear.ticks).toEqual([0, 10, 20, 30, 40, 50])
    expect(linearScale([-3, 9], 0, 100)(-5)).toBeLessThanOrEqual(0)
    expect([figure(1500), figure(12.345), figure(0.0123)]).toEqual(['1.5k', '12.35', '0.01'])
    expect(escape('<a b="c">&')).toBe('&lt;a b=&quot;c&quot;&gt;&amp;')
  })
})

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome']
  .map(name => Bun.which(name))
  .find(path => path !== null)

/** Bun's runner tells no reason of a skip: the title does. */
describe('M-13 the page in a browser', () => {
  test.skipIf(CHROMIUM === undefined)(
    'Chromium draws the plots, and has nothing to complain about (skipped where no Chromium is installed)',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'countersign-page-'))
      try {
        const [page, shot] = [join(folder, 'report.html'), join(folder, 'report.png')]
        writeFileSync(page, htmlPage(report))
        const common = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${join(folder, 'profile')}`]
        const chromium = (...args: string[]) =>
          spawnSync(CHROMIUM!, [...common, '--enable-logging=stderr', '--v=0', ...args, `file://${page}`], {
            encoding: 'utf8',
            timeout: 60_000,
          })
        const taken = chromium('--window-size=1000,6000', `--screenshot=${shot}`)
        expect([taken.status, /CONSOLE.*(error|refused)/i.exec(taken.stderr)?.[0]]).toEqual([0, undefined])
        const png = readFileSync(shot)
        expect(png.subarray(1, 4).toString()).toBe('PNG')
        expect(png.length).toBeGreaterThan(50_000) // an empty page of that size is a tenth of it
        const dom = chromium('--dump-dom').stdout
        expect((dom.match(/<svg /g) ?? []).length).toBeGreaterThanOrEqual(6)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
    120_000,
  )
})
