/** Killed at every point of a re-wrap: the key goes on signing, and the same command comes to the same end. */
import { afterAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { createAdmin } from '../../providers/mock/admin.ts'
import * as bun from '../../src/runtime/bun.ts'
import { run, scratch } from '../support/cli.ts'
import { killed } from './children.ts'

/** In the short run: between the record and the change, between the change and the record, and before the old row goes. */
const POINTS = process.env['COUNTERSIGN_TEST_LONG'] === undefined ? [3, 5, 7] : [1, 2, 3, 4, 5, 6, 7, 8]
const files = scratch()
afterAll(() => files.remove())

test('M-63 kill -9 at each step of a re-wrap: asked for again it comes to the same end, the address stays, the log is whole', async () => {
  const directory = files.path('data')
  const config = ['--config', files.path('c.toml')]
  writeFileSync(
    files.path('c.toml'),
    `environment = "development"\n[data]\ndirectory = "${directory}"\n[providers.mock]\nkind = "mock"\n`,
  )
  const call = { requestId: 'r', signal: AbortSignal.timeout(60_000) }
  const admin = await createAdmin({ kind: 'mock' }, { ...bun.world(), environment: 'development' })
  const reference = await admin.createWrappingKey({ label: 'next' }, call)
  const keys = (...argv: readonly string[]) => run(['keys', ...argv, '--json', ...config])
  let kills = 0
  for (const nth of POINTS) {
    const name = `hot-${nth}`
    const made = await keys('create', name, '--provider', 'mock', '--custody', 'envelope')
    expect(made.exitCode, made.err).toBe(0)
    if (await killed('rewrap-child.ts', directory, name, reference, String(nth))) kills++
    const between = (await keys('show', name)).json
    expect([between['state'], between['address']]).toEqual(['active', made.json['address']])

    const again = await keys('rewrap', name, '--provider', 'mock', '--wrapping-key', reference)
    expect(again.exitCode, `${nth}: ${again.err}`).toBe(0)
    const { state, address, bindings } = (await keys('show', name)).json
    expect([state, address]).toEqual(['active', made.json['address']])
    expect(bindings.map((each: { reference: string }) => each.reference)).toEqual([reference])
  }
  expect(kills).toBe(POINTS.length)
  expect((await run(['audit', 'verify', '--data', directory, '--json'])).exitCode).toBe(0)
  console.log(`# ${kills} times killed`)
}, 120_000)
