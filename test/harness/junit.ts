/** Counts from the JUnit files that Bun and Node write. Only what the closing line needs; both escape their XML properly. */

export interface Skip {
  readonly test: string
  readonly reason: string
}

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly Skip[]
  /** Names of what failed. */
  readonly failures: readonly string[]
}

export const NO_REASON = 'no reason given'

export const NO_COUNTS: Counts = { passed: 0, failed: 0, skipped: [], failures: [] }

export const addCounts = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: [...a.skipped, ...b.skipped],
  failures: [...a.failures, ...b.failures],
})

export function countJUnit(xml: string): Counts {
  let passed = 0
  const skipped: Skip[] = []
  const failures: string[] = []
  for (const chunk of xml.split('<testcase').slice(1)) {
    const tag = chunk.slice(0, endOfTag(chunk))
    const test = [attribute(tag, 'file'), attribute(tag, 'name')].filter(Boolean).join(': ')
    const inside = tag.endsWith('/') ? '' : chunk.slice(tag.length, chunk.indexOf('</testcase>'))
    if (inside.includes('<skipped')) skipped.push({ test, reason: attribute(inside, 'message') || NO_REASON })
    else if (inside.includes('<failure') || inside.includes('<error')) failures.push(test)
    else passed += 1
  }
  return { passed, failed: failures.length, skipped, failures }
}

/** Attribute values may hold a bare `>`: only one outside quotes ends the tag. */
function endOfTag(text: string): number {
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted
    else if (text[at] === '>' && !quoted) return at
  }
  return text.length
}

function attribute(tag: string, name: string): string {
  const from = tag.indexOf(` ${name}="`)
  if (from < 0) return ''
  const start = from + name.length + 3
  return tag
    .slice(start, tag.indexOf('"', start))
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
}
