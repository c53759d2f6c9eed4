import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  Bun: [process.execPath],
  Node: ['node_modules/.bin/node', '--disable-warning=ExperimentalWarning'],
  Deno: ['node_modules/.bin/deno', 'run', '--allow-all', '--no-check', '--node-modules-dir=manual', '--quiet'],
}

for (const [name, [command = '', ...argv]] of Object.entries(RUNTIMES)) {
  test(`M-11 local-kms embedded in ${name}: all faces in one line, twice in one process, which then ends by itself`, () => {
    const started = performance.now()
    const ran = spawnSync(command, [...argv, 'test/local-kms/embed/all-faces.ts'], {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, NO_COLOR: '1' },
    })
    console.log(`# ${name}: ${(performance.now() - started).toFixed(0)} ms`)
    expect({ status: ran.status, signal: ran.signal, err: ran.stderr }).toEqual({ status: 0, signal: null, err: '' })
    expect(ran.stdout.trim().split('\n')).toEqual(['round 1: 200 200 200 0', 'round 2: 200 200 200 0'])
  }, 70_000)
}
