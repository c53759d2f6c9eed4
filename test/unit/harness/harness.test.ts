/** The test command judges everything else, so it is judged too. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { completeCoverage, percent, ranges, readLcov } from '../../harness/coverage.ts'
import { addCounts, countJUnit, NO_COUNTS } from '../../harness/junit.ts'
import { runChild, testEnvironment } from '../../harness/stage.ts'

test('junit of Bun: passes, failures, skips; names with quotes and angle brackets', () => {
  const counts = countJUnit(`<?xml version="1.0"?>
    <testsuites name="bun test" tests="4"><testsuite name="a.test.ts" file="a.test.ts">
      <testcase name="R &amp; S -&gt; &quot;ok&quot;" classname="" time="0" file="a.test.ts" line="3" />
      <testcase name="a > b" file="a.test.ts"></testcase>
      <testcase name="breaks" file="a.test.ts"><failure type="AssertionError" message="no" /></testcase>
      <testcase name="later" file="a.test.ts"><skipped /></testcase>
    </testsuite></testsuites>`)
  assert.equal(counts.passed, 2)
  assert.deepEqual(counts.failures, ['a.test.ts: breaks'])
  assert.deepEqual(counts.skipped, [{ test: 'a.test.ts: later', reason: 'no reason given' }])
})

test('junit of Node: nested suites, skips with their reason', () => {
  const counts = countJUnit(`<testsuites><testsuite name="outer" tests="2">
      <testcase name="one" time="0.1" classname="test" file="/x/one.test.ts"/>
      <testcase name="two" classname="test"><skipped type="skipped" message="needs &lt;vectors&gt;"/></testcase>
      <testcase name="three" classname="test" failure="x"><failure type="testCodeFailure" message="x">[Error]</failure></testcase>
    </testsuite></testsuites>`)
  assert.deepEqual([counts.passed, counts.failed], [1, 1])
  assert.deepEqual(counts.skipped, [{ test: 'two', reason: 'needs <vectors>' }])
  const twice = addCounts(counts, addCounts(counts, NO_COUNTS))
  assert.deepEqual([twice.passed, twice.failed, twice.skipped.length], [2, 2, 2])
})

test('lcov: records of one file are joined, a line run by any of them counts', () => {
  const lcov = `SF:/root/src/a.ts\nDA:1,1\nDA:2,0\nDA:3,0\nBRDA:1,0,0,1\nBRDA:2,0,1,0\nBRDA:2,0,2,-\nend_of_record
SF:src/a.ts\nDA:2,4\nBRDA:2,0,1,3\nend_of_record\nSF:src/b.ts\nend_of_record\n`
  const seen = readLcov(lcov, '/root')
  const a = seen.get('src/a.ts')
  assert.deepEqual([a?.lines, a?.linesHit, a?.missed], [3, 2, [3]])
  assert.deepEqual([a?.branches, a?.branchesHit, a?.missedBranches], [3, 2, [2]])
  assert.equal(seen.get('src/b.ts')?.lines, 0)
  assert.equal(percent(0, 0), 100)
  assert.equal(ranges([1, 2, 3, 7, 9, 10]), '1-3, 7, 9-10')
  assert.equal(ranges([1, 3, 5], 2), '1, 3, …')
})

test('M-80 a file no test loads counts as missed, a file of types does not count', () => {
  const root = mkdtempSync(join(tmpdir(), 'countersign-coverage-'))
  mkdirSync(join(root, 'src'))
  writeFileSync(join(root, 'src/forgotten.ts'), '// words\nexport const a = 1\n\nexport const b = 2\n')
  writeFileSync(join(root, 'src/types.ts'), 'export interface A {}\n')
  writeFileSync(join(root, 'src/a.test.ts'), 'not counted')
  const files = completeCoverage(new Map(), root, ['src'], source => !source.includes('interface'))
  assert.deepEqual(
    files.map(file => [file.file, file.lines, file.linesHit, file.missed]),
    [['src/forgotten.ts', 2, 0, [2, 4]]],
  )
  rmSync(root, { recursive: true })
})

test('a stage: output, exit code, signal and a program that is not there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-stage-'))
  const options = { cwd: folder, log: join(folder, 'x.log'), env: {}, limitMinutes: 1, heartbeat: () => {} }
  const node = (code: string) => runChild([process.execPath, '-e', code], options)
  const good = await node('console.log("out"); console.error("err")')
  assert.equal(good.ok, true)
  assert.match(good.output, /out[\s\S]*err|err[\s\S]*out/)
  assert.deepEqual([(await node('process.exit(3)')).ok, (await node('process.exit(3)')).why], [false, 'exit code 3'])
  assert.equal((await node('process.kill(process.pid, "SIGKILL")')).why, 'ended by SIGKILL')
  assert.equal((await runChild(['/no/such/program'], options)).ok, false)
  rmSync(folder, { recursive: true })
})

test('a stage sees no credentials, proxies or runtime switches of the machine', () => {
  const name = 'AWS_SECRET_ACCESS_KEY'
  const before = process.env[name]
  process.env[name] = 'canary'
  process.env['https_proxy'] = 'http://127.0.0.1:1'
  const env = testEnvironment({ EXTRA: 'yes' })
  assert.deepEqual([env[name], env['https_proxy'], env['EXTRA'], env['NO_COLOR']], [undefined, undefined, 'yes', '1'])
  assert.equal(env['PATH'], process.env['PATH'])
  delete process.env['https_proxy']
  if (before === undefined) delete process.env[name]
  else process.env[name] = before
})
