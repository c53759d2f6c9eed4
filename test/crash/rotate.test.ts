/** Killed at every point of every step of a rotation: the same step, asked for again, comes to the same end. */
import { afterAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { run, scratch } from '../support/cli.ts'
import { killed } from './children.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] !== undefined
const files = scratch()
afterAll(() => files.remove())

/** In the short run those between a record and what it says. */
const POINTS: readonly (readonly [step: string, end: string, points: readonly number[]])[] = [
  ['begin', 'active pending', LONG ? [1, 2, 3, 4, 5, 6, 7, 8] : [5]],
  ['open', 'overlap active', LONG ? [1, 2, 3, 4] : [3]],
  ['revert', 'active pending', LONG ? [1, 2, 3, 4] : []],
  ['open', 'overlap active', LONG ? [1, 2, 3, 4] : []],
  ['cutover', 'retired active', LONG ? [1, 2, 3, 4] : [3]],
]

test('M-61 kill -9 at each step of a rotation: asked for again it comes to the same end, and the log is whole', async () => {
  const config = files.path('c.toml')
  const text = (directory: string) =>
    `environment = "development"\n[data]\ndirectory = "${directory}"\n[providers.mock]\nkind = "mock"\n`
  const directory = files.path('data')
  writeFileSync(config, text(directory))
  const rotate = (...argv: readonly string[]) => run(['rotate', 'treasury', ...argv, '--json', '--config', config])
  const states = (json: Record<string, any>) => json['versions'].map((each: { state: string }) => each.state).join(' ')
  expect((await run(['keys', 'create', 'treasury', '--provider', 'mock', '--config', config])).exitCode).toBe(0)
  let [kills, start] = [0, 'active']
  for (const [step, end, points] of POINTS) {
    for (const nth of points) {
      if (await killed('rotate-child.ts', directory, step, String(nth))) kills++
      const now = states((await rotate()).json)
      expect([start, end], `${step} ${nth}`).toContain(now)
    }
    const again = await rotate(`--${step}`)
    const isThere = step === 'begin' && again.json['error']?.code === 'key/rotation'
    if (!isThere) expect(again.exitCode, `${step}: ${again.err}`).toBe(0)
    expect(states((await rotate()).json), step).toBe(end)
    start = end
  }
  expect(kills).toBeGreaterThanOrEqual(LONG ? 12 : 3)
  expect((await run(['audit', 'verify', '--data', directory, '--json'])).exitCode).toBe(0)
  console.log(`# ${kills} times killed`)
}, 120_000)
