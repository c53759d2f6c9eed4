/**
 * The one test command: `bun run test [--only STAGE[,STAGE]] [--long] [--json] [--filter PATTERN]`.
 *
 * Runs every stage as a child process, reads what it counted, holds it against the coverage that was promised (M-80), and ends
 * with the plain line `N passed, N failed`. Reports and full logs stand in `reports/`.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { addCounts, type Counts, countJUnit, NO_COUNTS, NO_REASON, type Skip } from './harness/junit.ts'
import { completeCoverage, type FileCoverage, percent, ranges, readLcov } from './harness/coverage.ts'
import { endChildren, type Ran, runChild, testEnvironment } from './harness/stage.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
const REPORTS = join(ROOT, 'reports')
const BUN = process.execPath
const NODE = join(ROOT, 'node_modules/.bin/node')

/** What M-80 promises. */
const LINES_MIN = 95
const COVERED_FOLDERS = ['src', 'providers', 'local-kms', 'bench']
/** Where a branch not taken could release a signature it should not. Bun counts no branches, so Node does. */
const FULL_BRANCHES = [
  'src/bytes/verify.ts',
  'src/service/verify-after-sign.ts',
  'src/service/release.ts',
  'src/service/quarantine.ts',
  'src/audit/log.ts',
  'src/access/authorize.ts',
  'src/access/tokens.ts',
]
const PORTABLE_ROOMS = ['bytes', 'audit', 'access', 'custody', 'chains', 'policy', 'store', 'service']

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    long: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    filter: { type: 'string' },
  },
})

interface Outcome {
  readonly counts: Counts
  readonly problems: readonly string[]
  readonly notes?: readonly string[]
}
interface Stage {
  readonly name: string
  readonly what: string
  readonly run: () => Promise<Outcome>
}

/** What `--long` says to the tests: larger counts of the same code. */
const LONG = {
  COUNTERSIGN_TEST_LONG: '1',
  AUDIT_KILLS: '3000',
  AUDIT_IMAGES: '50000',
  AUDIT_EDITS: '100000',
  AUDIT_FLIPS: '100000',
}

const say = (line: string): void => console[options.json ? 'error' : 'log'](line)
const environment = testEnvironment({
  PATH: `${dirname(BUN)}:${process.env.PATH ?? ''}`,
  ...(options.long ? LONG : {}),
})

const child = (name: string, command: readonly string[], limitMinutes: number): Promise<Ran> =>
  runChild(command, {
    cwd: ROOT,
    log: join(REPORTS, `${name}.log`),
    env: environment,
    limitMinutes: options.long ? limitMinutes * 10 : limitMinutes,
    heartbeat: (seconds, last) => say(`  … ${name} ${seconds.toFixed(0)} s${last === '' ? '' : `: ${last}`}`),
  })

const tail = (text: string, lines: number): string[] => text.trimEnd().split('\n').slice(-lines)

/** Our code and settings. Texts and vectors keep the form they were written or published in. */
const formatted = (): string[] => [
  ...['src', 'providers', 'local-kms', 'bench', 'test', 'scripts', 'examples'].flatMap(folder => [
    ...new Bun.Glob(`${folder}/**/*.ts`).scanSync({ cwd: ROOT }),
  ]),
  ...new Bun.Glob('{package,tsconfig,knip}.json').scanSync({ cwd: ROOT }),
]

/** The checks that run no test. Each counts as one. */
async function check(): Promise<Outcome> {
  const tools: readonly (readonly [string, readonly string[]])[] = [
    ['types', ['typescript/bin/tsc', '--noEmit', '-p', '.']],
    ['lint', ['oxlint/bin/oxlint']],
    ['format', ['@biomejs/biome/bin/biome', 'format', ...formatted()]],
    ['unused', ['knip/bin/knip.js', '--no-progress']],
  ]
  let passed = 0
  const problems: string[] = []
  for (const [name, [script = '', ...rest]] of tools) {
    const ran = await child(`check-${name}`, [BUN, '--bun', join('node_modules', script), ...rest], 5)
    say(`  ${ran.ok ? 'ok' : 'FAILED'} ${name} (${ran.seconds.toFixed(1)} s)`)
    if (ran.ok) passed += 1
    else problems.push([`${name}: ${ran.why}`, ...tail(ran.output, 60)].join('\n    '))
  }
  return { counts: { ...NO_COUNTS, passed }, problems }
}

/** Reads what a test runner wrote, and does not believe an exit code that disagrees with it. */
function judge(name: string, ran: Ran, junit: string, lines: readonly string[]): Outcome {
  const path = join(REPORTS, junit)
  const counts = existsSync(path) ? countJUnit(readFileSync(path, 'utf8')) : NO_COUNTS
  const problems: string[] = []
  if (!ran.ok && counts.failed === 0) problems.push([`${name}: ${ran.why}`, ...tail(ran.output, 40)].join('\n    '))
  if (ran.ok && counts.failed > 0) problems.push(`${name}: exit code 0 with ${counts.failed} failures`)
  if (counts.passed + counts.failed === 0) problems.push(`${name}: no test was run`)
  return { counts, problems, notes: counts.failed > 0 ? lines : [] }
}

const bunTest = (name: string, args: readonly string[], limitMinutes: number): Promise<Ran> =>
  child(
    name,
    [
      BUN,
      'test',
      '--timeout',
      '180000',
      '--reporter=junit',
      `--reporter-outfile=${join(REPORTS, `${name}.xml`)}`,
      ...args,
    ],
    limitMinutes,
  )

/** Lines of Bun's own report that say what went wrong, with the error above each. */
function failureLines(output: string): string[] {
  // At its end Bun says all of them once more.
  const rows = output.split(/^\d+ tests? failed:$/m)[0]?.split('\n') ?? []
  return rows.flatMap((row, index) => (row.startsWith('(fail)') ? rows.slice(Math.max(0, index - 25), index + 1) : []))
}

async function unit(): Promise<Outcome> {
  const filter = options.filter
  const ran = await bunTest(
    'unit',
    [
      ...(filter === undefined
        ? ['--coverage', '--coverage-reporter=lcov', `--coverage-dir=${join(REPORTS, 'bun')}`]
        : []),
      '--path-ignore-patterns=test/binary/**',
      '--path-ignore-patterns=test/runtimes/**',
      '--path-ignore-patterns=test/faults/**',
      ...(filter === undefined ? [] : [filter]),
    ],
    25,
  )
  const outcome = judge('unit', ran, 'unit.xml', failureLines(ran.output))
  if (filter !== undefined) return outcome
  const coverage = lineCoverage()
  return {
    ...outcome,
    problems: [...outcome.problems, ...coverage.problems],
    notes: [...(outcome.notes ?? []), ...coverage.notes],
  }
}

function lineCoverage(): { problems: string[]; notes: string[] } {
  const path = join(REPORTS, 'bun/lcov.info')
  if (!existsSync(path)) return { problems: ['coverage: no report was written'], notes: [] }
  const transpiler = new Bun.Transpiler({ loader: 'ts' })
  const isCode = (source: string) => transpiler.transformSync(source).replaceAll('export {};', '').trim() !== ''
  const folders = COVERED_FOLDERS.filter(folder => existsSync(join(ROOT, folder)))
  const files = completeCoverage(readLcov(readFileSync(path, 'utf8'), ROOT), ROOT, folders, isCode)
  const total = percent(sum(files, 'linesHit'), sum(files, 'lines'))
  const notes = [
    `lines covered: ${total.toFixed(2)} % of ${sum(files, 'lines')} in ${files.length} files (at least ${LINES_MIN} %)`,
  ]
  for (const file of files.filter(each => percent(each.linesHit, each.lines) < LINES_MIN)) notes.push(row(file))
  return {
    problems: total < LINES_MIN ? [`coverage: ${total.toFixed(2)} % of lines, ${LINES_MIN} % are promised`] : [],
    notes,
  }
}

const sum = (files: readonly FileCoverage[], field: 'lines' | 'linesHit'): number =>
  files.reduce((all, file) => all + file[field], 0)
const row = (file: FileCoverage): string =>
  `  ${percent(file.linesHit, file.lines).toFixed(1).padStart(5)} %  ${file.file}  ${ranges(file.missed)}`

/** The portable tests once more, on the oldest Node we support; it also counts branches. */
async function node(): Promise<Outcome> {
  const files = PORTABLE_ROOMS.map(room => join(ROOT, 'test/unit', room))
    .filter(folder => existsSync(folder))
    .flatMap(testsBelow)
    .concat(join(ROOT, 'test/conformance/conformance.test.ts'))
    .filter(file => !/from 'bun[:']/.test(readFileSync(file, 'utf8')))
    .map(file => relative(ROOT, file))
  const out = (reporter: string, file: string) => [
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${file === 'stdout' ? file : join(REPORTS, file)}`,
  ]
  const ran = await child(
    'node',
    [
      NODE,
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-concurrency=2',
      '--import=./test/harness/node-test.ts',
      '--experimental-test-coverage',
      '--test-coverage-include=src/**',
      '--test-coverage-include=providers/**',
      ...out('junit', 'node.xml'),
      ...out('lcov', 'node.info'),
      ...out('spec', 'stdout'),
      ...files,
    ],
    15,
  )
  const shown = ran.output.slice(Math.max(0, ran.output.indexOf('✖ failing tests:'))).split('\n')
  const outcome = judge('node', ran, 'node.xml', shown.slice(0, 200))
  const coverage = branchCoverage()
  return {
    ...outcome,
    problems: [...outcome.problems, ...coverage.problems],
    notes: [...(outcome.notes ?? []), ...coverage.notes],
  }
}

const testsBelow = (folder: string): string[] =>
  [...new Bun.Glob('**/*.test.ts').scanSync({ cwd: folder, absolute: true })].toSorted()

function branchCoverage(): { problems: string[]; notes: string[] } {
  const path = join(REPORTS, 'node.info')
  if (!existsSync(path)) return { problems: ['branches: no report was written'], notes: [] }
  const seen = readLcov(readFileSync(path, 'utf8'), ROOT)
  const problems: string[] = []
  const notes = FULL_BRANCHES.map(name => {
    const file = seen.get(name)
    if (file === undefined) {
      problems.push(`branches: ${name} was not loaded by any portable test`)
      return `  ${name}: not loaded`
    }
    const part = percent(file.branchesHit, file.branches)
    if (part < 100)
      problems.push(`branches: ${name} ${part.toFixed(2)} %, 100 % are promised; lines ${ranges(file.missedBranches)}`)
    return `  ${part.toFixed(1).padStart(5)} %  ${name}  (${file.branchesHit} of ${file.branches})`
  })
  return { problems, notes: ['branches covered under Node (100 % are promised):', ...notes] }
}

const bunStage = (name: string, folder: string, limitMinutes: number) => async (): Promise<Outcome> => {
  const ran = await bunTest(name, [folder], limitMinutes)
  const spoken = ran.output.split('\n').filter(line => line.startsWith('# '))
  const outcome = judge(name, ran, `${name}.xml`, failureLines(ran.output))
  return { ...outcome, notes: [...(outcome.notes ?? []), ...spoken] }
}

/** M-13. Ratios within one run; counts as one test. */
async function gate(): Promise<Outcome> {
  const ran = await child('gate', [BUN, 'bench/gate.ts'], 5)
  const problems = ran.ok ? [] : [[`gate: ${ran.why}`, ...tail(ran.output, 20)].join('\n    ')]
  return { counts: { ...NO_COUNTS, passed: ran.ok ? 1 : 0 }, problems, notes: tail(ran.output, 6) }
}

const STAGES: readonly Stage[] = [
  { name: 'check', what: 'types, lint, format, unused code', run: check },
  { name: 'unit', what: 'all tests under Bun, with coverage', run: unit },
  { name: 'node', what: 'portable tests under Node 22, with branches', run: node },
  {
    name: 'runtimes',
    what: 'one suite on Bun, Node, Deno and workerd',
    run: bunStage('runtimes', './test/runtimes/', 10),
  },
  {
    name: 'faults',
    what: 'every fault of every key service, through the whole path',
    run: bunStage('faults', './test/faults/', 10),
  },
  {
    name: 'binary',
    what: 'the single binary, built twice and attacked',
    run: bunStage('binary', './test/binary/', 10),
  },
  {
    name: 'gate',
    what: 'signing has not become slower against the vendor’s client in the same run',
    run: gate,
  },
]

async function main(): Promise<number> {
  const wanted = options.only?.split(',')
  const unknown = wanted?.filter(name => !STAGES.some(stage => stage.name === name)) ?? []
  if (unknown.length > 0) {
    console.error(`No stage is named ${unknown.join(', ')}; there are ${STAGES.map(stage => stage.name).join(', ')}`)
    return 2
  }
  rmSync(REPORTS, { recursive: true, force: true })
  mkdirSync(REPORTS, { recursive: true })
  const stages = STAGES.filter(stage => wanted?.includes(stage.name) ?? true)
  const results: { name: string; seconds: number; outcome: Outcome }[] = []
  for (const [index, stage] of stages.entries()) {
    say(`[${index + 1}/${stages.length}] ${stage.name}: ${stage.what}`)
    const started = performance.now()
    const outcome = await stage.run()
    const seconds = (performance.now() - started) / 1000
    results.push({ name: stage.name, seconds, outcome })
    for (const line of outcome.notes ?? []) say(`  ${line}`)
    for (const problem of outcome.problems) say(`  FAILED ${problem}`)
    const { passed, failed, skipped } = outcome.counts
    say(`  ${passed} passed, ${failed} failed, ${skipped.length} skipped in ${seconds.toFixed(1)} s`)
  }
  return conclude(results)
}

function conclude(results: readonly { name: string; seconds: number; outcome: Outcome }[]): number {
  const counts = results.map(result => result.outcome.counts).reduce(addCounts, NO_COUNTS)
  const problems = results.flatMap(result => result.outcome.problems)
  // What failed without being a test (a check, a stage that died, coverage that fell) counts as one failure each.
  const failed = counts.failed + problems.length
  const closing = [`${counts.passed} passed`, `${failed} failed`]
  if (counts.skipped.length > 0) closing.push(`${counts.skipped.length} skipped`)
  if (options.json) {
    const stages = results.map(({ name, seconds, outcome }) => ({ name, seconds, ...outcome }))
    console.log(JSON.stringify({ passed: counts.passed, failed, skipped: counts.skipped, problems, stages }))
    return failed === 0 ? 0 : 1
  }
  console.log('')
  for (const { test, reason } of withReasons(counts.skipped)) console.log(`skipped  ${test} (${reason})`)
  for (const failure of counts.failures) console.log(`failed   ${failure}`)
  for (const problem of problems) console.log(`failed   ${problem.split('\n')[0]}`)
  for (const { name, seconds } of results) console.log(`${name.padEnd(9)}${seconds.toFixed(1).padStart(7)} s`)
  console.log(closing.join(', '))
  return failed === 0 ? 0 : 1
}

/** Bun's report leaves the reason of a skip out, Node's has it: the same test skipped under both has the same one. */
function withReasons(skips: readonly Skip[]): readonly Skip[] {
  const titleOf = (test: string) => test.slice(test.indexOf(': ') + 1).trim()
  const known = new Map(skips.filter(skip => skip.reason !== NO_REASON).map(skip => [titleOf(skip.test), skip.reason]))
  return skips.map(skip => ({ ...skip, reason: known.get(titleOf(skip.test)) ?? skip.reason }))
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    endChildren()
    process.exit(130)
  })
}
process.exitCode = await main()
