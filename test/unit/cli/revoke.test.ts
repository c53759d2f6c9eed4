import { afterAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { world } from '../../../src/runtime/bun.ts'
import { run, scratch } from '../../support/cli.ts'

const files = scratch()
afterAll(() => files.remove())

test('M-62 countersign revoke asks the control plane once, with the session of the environment', async () => {
  const asked: { url: string; init: RequestInit }[] = []
  const fake = {
    ...world(),
    fetch: async (url: string, init: RequestInit) => {
      asked.push({ url, init })
      return Response.json({ key: 'treasury', revoked: [1, 2], now: [2] })
    },
  }
  const env = { COUNTERSIGN_URL: 'http://127.0.0.1:9', COUNTERSIGN_TOKEN: 'a.b.c' }
  const done = await run(['revoke', 'treasury', '--key-version', '2', '--reason', 'taken over'], { env, world: fake })
  expect([done.exitCode, done.out]).toEqual([0, 'treasury: revoked version 1, 2\n'])
  expect(asked[0]?.url).toBe('http://127.0.0.1:9/v1/keys/treasury/revoke')
  expect(JSON.parse(asked[0]?.init.body as string)).toEqual({ version: 2, reason: 'taken over' })
  expect(new Headers(asked[0]?.init.headers).get('authorization')).toBe('Bearer a.b.c')
  for (const argv of [
    ['treasury'],
    ['treasury', '--reason', ''],
    ['treasury', '--reason', 'a\nb'],
    ['--reason', 'r'],
  ]) {
    expect((await run(['revoke', ...argv], { env, world: fake })).exitCode).toBe(2)
  }
  expect(asked).toHaveLength(1)
})

test('M-62 --local: in the store of a stopped service; the key signs nothing afterwards and cannot be restored', async () => {
  writeFileSync(
    files.path('countersign.toml'),
    `environment = "development"\n[data]\ndirectory = "${files.path('data')}"\n[providers.mock]\nkind = "mock"\n`,
  )
  const config = ['--config', files.path('countersign.toml')]
  expect((await run(['keys', 'create', 'hot', '--provider', 'mock', ...config])).exitCode).toBe(0)
  const done = await run(['revoke', 'hot', '--local', '--reason', 'test', '--json', ...config])
  expect(done.exitCode).toBe(0)
  expect(done.json).toMatchObject({ key: 'hot', revoked: [1], now: [1] })
  expect(done.json['places']).toMatchObject([{ version: 1, provider: 'mock', outcome: 'disabled' }])
  const again = await run(['revoke', 'hot', '--local', '--reason', 'test', ...config])
  expect(again.out).toMatch(/^hot: revoked version 1 \(it was before\)\n {2}version 1 at mock \(b_[^)]+\): disabled\n$/)
  expect((await run(['keys', 'show', 'hot', '--json', ...config])).json['state']).toBe('revoked')
  expect((await run(['keys', 'restore', 'hot', ...config])).exitCode).toBe(1)
  expect((await run(['revoke', 'nobody', '--local', '--reason', 'test', ...config])).exitCode).toBe(1)
})
