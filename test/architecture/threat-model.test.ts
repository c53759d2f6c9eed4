/** docs/threat-model.md names the test of every line; here it is held to that. */
import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './modules.ts'

const STATES = ['shown', 'partly', 'not yet', 'operator']
const THREATS = Array.from({ length: 70 }, (_, at) => `T${String(at + 1).padStart(2, '0')}`)

interface Line {
  readonly id: string
  readonly where: string
  readonly test: string
  readonly state: string
  readonly cells: readonly string[]
}

function lines(page: string): readonly Line[] {
  return page
    .split('\n')
    .filter(line => /^\| T\d\d \|/.test(line))
    .map(line => {
      const cells = line
        .slice(1, line.lastIndexOf('|'))
        .split(' | ')
        .map(cell => cell.trim())
      const [id = '', , , where = '', cited = '', state = ''] = cells
      return { id, where, test: cited, state, cells }
    })
}

/** What a line cites: a file, and an id or a whole title that stands in it. */
interface Cited {
  readonly file: string
  readonly id?: string
  readonly title?: string
}

function cited({ id, test: cell }: Line): readonly Cited[] {
  if (cell === 'none') return []
  return cell.split('; ').map(part => {
    const match = /^`([^`]+)`(?: \(([A-Z]-?\d+)\)|: "([^"]+)")?$/.exec(part)
    if (match === null) return { file: JSON.stringify(part) } // in another form: no file is called that
    const [, file = '', other, title] = match
    return title === undefined ? { file, id: other ?? id } : { file, title }
  })
}

const TITLE = /\b(?:test|it|describe|over)(?:\.\w+(?:\([^()]*\))?)?\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g

const titlesOf = (source: string): readonly string[] => [...source.matchAll(TITLE)].map(([, , title = '']) => title)

const names = (title: string, id: string): boolean => new RegExp(`(?<![\\w-])${id}(?!\\d)`).test(title)

/** @returns what is wrong with a page, a sentence each. */
function problems(page: string, sourceOf: (file: string) => string | undefined): readonly string[] {
  const found = lines(page)
  const count = (id: string) => found.filter(line => line.id === id).length
  return [
    ...THREATS.filter(id => count(id) !== 1).map(id => `${id} has ${count(id)} lines`),
    ...found.filter(({ id }) => !THREATS.includes(id)).map(({ id }) => `${id} is no threat`),
    ...found.flatMap(line => lineProblems(line, sourceOf)),
  ]
}

function lineProblems(line: Line, sourceOf: (file: string) => string | undefined): readonly string[] {
  const { id, state, cells } = line
  const tests = cited(line)
  return [
    ...(cells.length === 7 && cells.every(cell => cell !== '') ? [] : [`${id} has not seven cells`]),
    ...(STATES.includes(state) ? [] : [`${id} has the state ${JSON.stringify(state)}`]),
    ...((state === 'shown' || state === 'partly') && tests.length === 0 ? [`${id} is ${state} without a test`] : []),
    ...tests.flatMap(({ file, id: named, title }) => {
      const source = sourceOf(file)
      if (source === undefined) return [`${id} cites ${file}, which is no file below test/`]
      const titles = titlesOf(source)
      if (title !== undefined) return titles.includes(title) ? [] : [`${id}: no test of ${file} is called ${title}`]
      return titles.some(one => names(one, named ?? id)) ? [] : [`${id}: no title in ${file} names ${named}`]
    }),
  ]
}

const page = readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8')

const read = (file: string): string | undefined => {
  const path = join(ROOT, 'test', file)
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

describe('docs/threat-model.md', () => {
  test('M-70 every threat has its line, and every test that is named exists with the id in its title', () => {
    expect(problems(page, read)).toEqual([])
  })

  test('M-70 the files that hold the controls are there, and so are the folders of the figures', () => {
    const files = lines(page).flatMap(({ where }) => where.split('`').filter((_, at) => at % 2 === 1))
    expect(files.length).toBeGreaterThanOrEqual(THREATS.length)
    const figures = [...page.slice(page.indexOf('## What was measured')).matchAll(/`(test\/[^`]+)`/g)]
    const paths = [...files, ...figures.map(([, path = '']) => path)]
    expect(paths.filter(path => !existsSync(join(ROOT, path)))).toEqual([])
  })

  test('M-70 every attacker of the page has a control, and the page ends with what it leaves out', () => {
    for (const name of ['NET', 'TOK', 'RCE', 'INS', 'COT', 'DB', 'HOST', 'SUP']) expect(page).toContain(`**${name}`)
    expect(page).toContain('## What this model leaves out')
  })

  test('M-70 the check notices what it is for', () => {
    const source = "test('tokens T05: good', () => {})\ntest.skipIf(a && !b)(\n  'M-40 whole title', () => {})"
    const one = (id: string, cell: string, state: string) => `| ${id} | a | b | \`c\` | ${cell} | ${state} | d |`
    const whole = THREATS.map(id => one(id, 'none', 'not yet'))
    const of = (line: string) =>
      problems([line, ...whole.slice(0, 4), ...whole.slice(5)].join('\n'), file =>
        file === 'x.ts' ? source : undefined,
      )
    expect(of(one('T05', '`x.ts`', 'shown'))).toEqual([])
    expect(of(one('T05', '`x.ts` (M-40)', 'partly'))).toEqual([])
    expect(of(one('T05', '`x.ts`: "M-40 whole title"', 'shown'))).toEqual([])
    for (const wrong of [
      one('T05', 'none', 'shown'),
      one('T05', 'none', 'done'),
      one('T05', '`y.ts`', 'shown'),
      one('T05', 'x.ts', 'shown'),
      one('T05', '`x.ts` (M-4)', 'shown'),
      one('T05', '`x.ts`: "M-40 whole"', 'shown'),
      one('T04', '`x.ts`', 'shown'),
      one('T71', 'none', 'not yet'),
      one('T05', '', 'not yet'),
      '',
    ]) {
      expect([wrong, of(wrong).length]).not.toEqual([wrong, 0])
    }
  })

  test('M-70 the tests that are read are there', () => {
    expect(readdirSync(join(ROOT, 'test/unit')).length).toBeGreaterThan(10)
    expect(titlesOf(read('architecture/threat-model.test.ts') ?? '')).toContain('M-70 the check notices what it is for')
  })
})
