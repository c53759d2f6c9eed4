import { afterAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import type { CliContext } from '../../../src/cli/context.ts'
import { running } from '../../../src/compose/running.ts'
import type { Config } from '../../../src/config/schema.ts'
import { type CliOptions, run, scratch, start } from '../../support/cli.ts'

const files = scratch()
afterAll(() => files.remove())
writeFileSync(files.path('c.toml'), 'environment = "development"\n[server]\nport = 0\n')

/** What the command hands to the service, and what it says of what comes back. */
function asked(ready: Readonly<Record<string, unknown>>) {
  const seen: Config[] = []
  const services = (real: CliContext['services']): CliContext['services'] => ({
    ...real,
    serve: async config => {
      seen.push(config)
      return running(ready, async () => {})
    },
  })
  return { seen, services }
}
const serve = (args: readonly string[], options: CliOptions) =>
  start(['serve', '--config', files.path('c.toml'), ...args], options)

test('M-73 serve --plane and --control-port win over file and environment', async () => {
  const { seen, services } = asked({ ready: true })
  const env = { COUNTERSIGN_PLANE: 'all', COUNTERSIGN_CONTROL_PORT: '9001' }
  for (const args of [[], ['--plane', 'control', '--control-port', '9002', '--port', '9003'], ['--plane', 'data']]) {
    const service = serve([...args, '--json'], { services, env })
    await service.ready
    await service.stop()
  }
  expect(seen.map(({ plane, control, server }) => [plane, control.port, server.port])).toEqual([
    ['all', 9001, 0],
    ['control', 9002, 9003],
    ['data', 9001, 0],
  ])
})

test('serve says a line for each plane; --json has both URLs', async () => {
  const both = { ready: true, dataUrl: 'http://127.0.0.1:1', controlUrl: 'unix:/run/c.sock' }
  const text = serve([], asked(both))
  expect(await text.ready).toBe(
    'countersign is ready at http://127.0.0.1:1\nthe control plane is ready at unix:/run/c.sock\n',
  )
  await text.stop()
  const control = serve([], asked({ ready: true, controlUrl: 'http://127.0.0.1:2' }))
  expect(await control.ready).toBe('the control plane is ready at http://127.0.0.1:2\n')
  await control.stop()
  const json = serve(['--json'], asked(both))
  expect(JSON.parse(await json.ready)).toEqual(both)
  await json.stop()
})

test('serve --plane: a word that is none is a mistake of use', async () => {
  const ended = await run(['serve', '--plane', 'both'])
  expect(ended.exitCode).toBe(2)
  expect(ended.err).toContain('data, control, all')
})
