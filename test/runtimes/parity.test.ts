/** M-14, R-36: Bun, Node, Deno and workerd give the same bytes. */
import { describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { signCases } from './cases/sign.ts'
import type { SuiteResult } from './suite.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const runner = (name: string): string => join(ROOT, 'test/runtimes/runners', `${name}.ts`)

/** The binary itself stands in a package for this platform; the `deno` package only finds it after a script it may not run. */
function denoBinary(): string {
  const folder = join(ROOT, 'node_modules/@deno')
  const wanted = `${process.platform}-${process.arch}`
  const name = readdirSync(folder).find(each => each.startsWith(wanted))
  if (name === undefined) throw new Error(`No package of Deno for ${wanted} is installed`)
  return join(folder, name, process.platform === 'win32' ? 'deno.exe' : 'deno')
}

const RUNNERS: Readonly<Record<string, () => readonly string[]>> = {
  bun: () => [process.execPath, runner('bun')],
  node: () => [join(ROOT, 'node_modules/.bin/node'), '--disable-warning=ExperimentalWarning', runner('node')],
  // No network, no writing, no processes: what the core needs is reading its own sources.
  deno: () => [
    denoBinary(),
    'run',
    '--no-check',
    '--no-remote',
    '--cached-only',
    '--node-modules-dir=manual',
    '--allow-read',
    '--allow-env',
    runner('deno'),
  ],
  workerd: () => [process.execPath, runner('workerd')],
}

function run(name: string): Promise<SuiteResult & { readonly runtime: string }> {
  const [program = '', ...args] = RUNNERS[name]?.() ?? []
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', part => (stdout += String(part)))
    child.stderr.on('data', part => (stderr += String(part)))
    child.once('error', reject)
    child.once('close', code => {
      const line = stdout.split('\n').findLast(each => each.startsWith('{'))
      if (code !== 0 || line === undefined) reject(new Error(`${name} ended with ${code}:\n${stdout}${stderr}`))
      else resolve(JSON.parse(line) as SuiteResult & { runtime: string })
    })
  })
}

describe('M-14 R-36 one suite, four runtimes', () => {
  const reference = run('bun')

  test('the suite is not empty and no case failed', async () => {
    const { results } = await reference
    expect(results.length).toBeGreaterThan(25)
    expect(results.filter(each => each.failed !== undefined)).toEqual([])
    // No two different cases give the same thing, so none is empty by mistake.
    expect(new Set(results.map(each => each.digest)).size).toBeGreaterThan(results.length * 0.8)
  })

  test('the path signs what it should, so that four runtimes do not merely agree on refusing everything', async () => {
    const cases = signCases({ wasmFromBytes: true })
    const everyEnvelope = cases['I1–I5 every envelope through the whole path']
    if (everyEnvelope === undefined) throw new Error('the case has another name now')
    const [seen] = (await everyEnvelope()) as [[string, string, object][]]
    const signed = seen.filter(([, , answer]) => 'value' in answer).map(([name, key]) => `${name} by ${key}`)
    for (const key of ['treasury', 'vault']) expect(signed).toContain(`payment by ${key}`)
    expect(signed).not.toContain('set options by treasury')
    expect(signed.length).toBeGreaterThanOrEqual(8)
    expect(seen.length - signed.length).toBeGreaterThanOrEqual(16)
  })

  test('two runs on one runtime agree: nothing in it depends on time or chance', async () => {
    expect((await run('bun')).digest).toBe((await reference).digest)
  }, 120_000)

  test.each(Object.keys(RUNNERS))(
    '%s gives the same bytes',
    async name => {
      const [expected, seen] = [await reference, await run(name)]
      console.log(`# ${seen.runtime}: ${seen.results.length} cases, digest ${seen.digest}`)
      expect(seen.results).toEqual(expected.results as never)
      expect(seen.digest).toBe(expected.digest)
    },
    120_000,
  )
})
