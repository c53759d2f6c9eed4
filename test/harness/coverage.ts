/** Reads lcov, and says which files fall below what was promised (M-80). */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

export interface FileCoverage {
  readonly file: string
  readonly lines: number
  readonly linesHit: number
  readonly branches: number
  readonly branchesHit: number
  /** Line numbers never run, in order. */
  readonly missed: readonly number[]
  /** Lines with a branch never taken. */
  readonly missedBranches: readonly number[]
}

/** A file may stand in several records, one a test process: a line counts as run when any of them ran it. */
export function readLcov(text: string, root: string): Map<string, FileCoverage> {
  const lines = new Map<string, Map<number, number>>()
  const branches = new Map<string, Map<string, number>>()
  let file = ''
  for (const row of text.split('\n')) {
    const colon = row.indexOf(':')
    const value = row.slice(colon + 1)
    switch (row.slice(0, colon)) {
      case 'SF':
        file = value.startsWith('/') ? relative(root, value) : value
        if (!lines.has(file)) lines.set(file, new Map())
        if (!branches.has(file)) branches.set(file, new Map())
        break
      case 'DA': {
        const [line, hits] = value.split(',').map(Number) as [number, number]
        const known = lines.get(file)
        known?.set(line, (known.get(line) ?? 0) + hits)
        break
      }
      case 'BRDA': {
        const [line, block, branch, hits] = value.split(',') as [string, string, string, string]
        const known = branches.get(file)
        const key = `${line},${block},${branch}`
        known?.set(key, (known.get(key) ?? 0) + (hits === '-' ? 0 : Number(hits)))
        break
      }
    }
  }
  return new Map([...lines].map(([name, of]) => [name, summary(name, of, branches.get(name) ?? new Map())]))
}

function summary(file: string, lines: Map<number, number>, branches: Map<string, number>): FileCoverage {
  const missed = [...lines].filter(([, hits]) => hits === 0).map(([line]) => line)
  const untaken = [...branches].filter(([, hits]) => hits === 0).map(([key]) => Number(key.split(',')[0]))
  return {
    file,
    lines: lines.size,
    linesHit: lines.size - missed.length,
    branches: branches.size,
    branchesHit: branches.size - untaken.length,
    missed: missed.toSorted((a, b) => a - b),
    missedBranches: [...new Set(untaken)].toSorted((a, b) => a - b),
  }
}

/**
 * Every source file below `folders`, with the lines of those no test ever loaded counted as missed: a coverage tool only
 * sees what was loaded, and a forgotten file would otherwise look perfect.
 * @param isCode  false for a file of types alone, which has nothing to run.
 */
export function completeCoverage(
  seen: ReadonlyMap<string, FileCoverage>,
  root: string,
  folders: readonly string[],
  isCode: (source: string) => boolean,
): FileCoverage[] {
  return folders
    .flatMap(folder => sourcesBelow(join(root, folder)))
    .flatMap(path => {
      const file = relative(root, path)
      const known = seen.get(file)
      if (known !== undefined) return [known]
      const source = readFileSync(path, 'utf8')
      if (!isCode(source)) return []
      const missed = source.split('\n').flatMap((line, index) => (isCountable(line) ? [index + 1] : []))
      return [{ file, lines: missed.length, linesHit: 0, branches: 0, branchesHit: 0, missed, missedBranches: [] }]
    })
}

const isCountable = (line: string): boolean => {
  const text = line.trim()
  return text !== '' && !text.startsWith('//') && !text.startsWith('*') && !text.startsWith('/*')
}

export function sourcesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true })
  return entries
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map(entry => join(entry.parentPath, entry.name))
    .toSorted()
}

export const percent = (hit: number, of: number): number => (of === 0 ? 100 : (100 * hit) / of)

/** `3-5, 9`: what to look at first. */
export function ranges(numbers: readonly number[], most = 8): string {
  const found: string[] = []
  for (let at = 0; at < numbers.length; at++) {
    const from = numbers[at]
    while (numbers[at + 1] === (numbers[at] ?? 0) + 1) at++
    found.push(from === numbers[at] ? `${from}` : `${from}-${numbers[at]}`)
  }
  return found.length <= most ? found.join(', ') : `${found.slice(0, most).join(', ')}, …`
}
