import { sha256 } from '../../src/bytes/sha256.ts'
import { toBase64 } from '../../src/bytes/base64.ts'
import type { Report } from '../matrix/report.ts'
import { GATEWAY_COLUMNS, GATEWAY_MEANINGS, gatewayRows } from './gateway.ts'
import { MEANINGS } from './markdown.ts'
import { exposureBars, latencyBoxes, overheadBars, throughputLines } from './plots.ts'
import { escape } from './svg.ts'
import { aboutLine, COLUMNS, OPEN_COLUMNS, openRows, rowOf } from './table.ts'

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2933}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}svg{max-width:100%;height:auto}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:12px;white-space:nowrap}
td,th{padding:2px 7px;border-bottom:1px solid #d9dde3;text-align:right}td:nth-child(-n+4),th:nth-child(-n+4){text-align:left}
.note{color:#52606d}`

/** No script, nothing from elsewhere, one style sheet by its hash: the page can be opened anywhere and mailed. */
export const POLICY = `default-src 'none'; style-src 'sha256-${toBase64(sha256(new TextEncoder().encode(STYLE)))}'`

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map(cell => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`
  return `<div class="wide"><table><thead>${line('th', head)}</thead><tbody>\n${rows.map(row => line('td', row)).join('\n')}\n</tbody></table></div>`
}

const list = (items: readonly string[]): string =>
  `<ul>${items.map(item => `<li>${escape(item.replaceAll('`', ''))}</li>`).join('\n')}</ul>`

const section = (title: string, note: string, plots: readonly (string | undefined)[]): string => {
  const drawn = plots.filter(plot => plot !== undefined)
  return drawn.length === 0 ? '' : `<h2>${title}</h2>\n<p class="note">${note}</p>\n${drawn.join('\n')}`
}

/** The run on one page, for somebody who decides by it and was not there. */
export function htmlPage(report: Report): string {
  const profiles = [...new Set(report.cells.map(({ profile }) => profile))]
  const { meta } = report
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Countersign benchmark</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Native signing and per-call decrypt, measured</h1>
<p>${escape(aboutLine(report))}, ${escape(meta.date)}.</p>
<p>A signature through the service checks a token and a policy, writes two durable records, has the key service sign (native) or
open the key for this one call (decrypt), verifies, and only then answers. The figures below hold that against the vendor’s own
client called directly.</p>
<h2>What was measured, and what was not</h2>
${list(MEANINGS)}
<p>Assumptions and limits:</p>
${list(meta.assumptions)}
${section('How long key bytes lie in memory', 'With native signing the private key never enters the service. With decrypt it does, for so long at every signature.', [exposureBars(report)])}
${section(
  'Latency: native against decrypt',
  'Concurrency 1. Profiles other than none and fixed are our assumption.',
  profiles.map(profile => latencyBoxes(report, profile)),
)}
${section('What the signer adds to the vendor’s client', 'No latency added by the emulator: the harshest comparison, for a real service’s milliseconds come on top of both bars.', [overheadBars(report, 1), overheadBars(report, 16)])}
${section('Throughput against concurrency', 'Dashed: decrypt. Client, service and emulator share this machine.', [throughputLines(report)])}
<h2>Arrivals at a fixed rate</h2>
<p class="note">Latency from when each call was due, so that what a stall holds up is in it.</p>
${table(OPEN_COLUMNS, openRows(report))}
<h2>What access and policy add</h2>
${list(GATEWAY_MEANINGS)}
${table(GATEWAY_COLUMNS, gatewayRows(report.gateway))}
<h2>All cells</h2>
${table(COLUMNS, report.cells.map(rowOf))}
</body>
</html>
`
}
