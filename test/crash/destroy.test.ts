/** Killed at every point of the end of a key: nothing has happened, or the same command ends it. */
import { afterAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { run, scratch } from '../support/cli.ts'
import { killed } from './children.ts'

type Point = readonly [number, 'native' | 'envelope']
/** Record, state, the place, its record, the last record: before and after each. */
const ALL = Array.from({ length: 10 }, (_, at): Point[] => [
  [at + 1, 'native'],
  [at + 1, 'envelope'],
]).flat()
/** In the short run: between record and state, and between state and place. */
const SHORT: readonly Point[] = [
  [3, 'native'],
  [5, 'envelope'],
]
const POINTS = process.env['COUNTERSIGN_TEST_LONG'] === undefined ? SHORT : ALL
const files = scratch()
afterAll(() => files.remove())

test('M-61 issue 7 kill -9 at each step of a destruction: no start goes on by itself, the same command comes to the same end', async () => {
  const directory = files.path('data')
  const config = ['--config', files.path('c.toml')]
  writeFileSync(
    files.path('c.toml'),
    `environment = "development"\n[data]\ndirectory = "${directory}"\n[providers.mock]\nkind = "mock"\n`,
  )
  const good = async (...argv: readonly string[]): Promise<Record<string, any>> => {
    const { exitCode, err, json } = await run([...argv, '--json', ...config])
    expect(exitCode, `${argv.join(' ')}\n${err}`).toBe(0)
    return json
  }
  let kills = 0
  for (const [nth, custody] of POINTS) {
    const name = `hot-${nth}-${custody}`
    const { address } = await good('keys', 'create', name, '--provider', 'mock', '--custody', custody)
    await good('revoke', name, '--local', '--reason', 'r')
    if (await killed('destroy-child.ts', directory, name, address, String(nth))) kills++
    const state = async () => (await good('rotate', name))['versions'][0].state
    expect(await state(), name).toBe(nth <= 3 ? 'revoked' : 'destroyed')

    const again = await good('keys', 'destroy', name, '--at-once', '--key-version', '1', '--confirm', address)
    const outcome = custody === 'native' ? 'scheduled' : 'removed'
    expect(again).toMatchObject({ done: true, changed: nth <= 3, places: [{ outcome }] })
  }
  expect(kills).toBe(POINTS.length)
  expect((await run(['audit', 'verify', '--data', directory, '--json'])).exitCode).toBe(0)
  console.log(`# ${kills} times killed`)
}, 120_000)
