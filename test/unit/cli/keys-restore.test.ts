import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { realClock } from '../../support/audit-world.ts'
import { run, scratch } from '../../support/cli.ts'
import { configFile } from '../../support/installation.ts'

const files = scratch()
const ENV = { TEST_ID: 'test', TEST_SECRET: 'canary-secret-access-key' }
let kms: LocalKms
beforeAll(async () => {
  kms = await startLocalKms({})
  configFile(files, kms, { more: '[providers.mock]\nkind = "mock"\n' })
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const keys = (...argv: readonly string[]) =>
  run(['keys', ...argv, '--config', files.path('countersign.toml')], { env: ENV })
const failed = async (...argv: readonly string[]) => {
  const { exitCode, json } = await keys(...argv, '--json')
  return { exitCode, code: json['error'].code as string, reason: json['error'].reason as string }
}
async function quarantine(name: string): Promise<void> {
  const store = await openSqliteStore({ path: files.path('data', 'countersign.db'), clock: realClock })
  await store.keys.setState(name, 1, 'quarantined', ['active', 'overlap'])
  store.close()
}

test('T37 keys restore: list and show say that it is in quarantine; restored after a proof through the key service', async () => {
  for (const custody of ['native', 'envelope']) {
    const name = `treasury-${custody}`
    expect((await keys('create', name, '--provider', 'aws', '--custody', custody)).exitCode).toBe(0)
    expect(await failed('restore', name)).toMatchObject({ exitCode: 1, code: 'key/unsupported' })
    await quarantine(name)
    expect((await keys('list')).out).toContain(`${name}\tv1\tquarantined\t`)
    expect((await keys('show', name)).out).toContain('state       quarantined\n')
    const before = { ...kms.calls() }
    const restored = await keys('restore', name, '--json')
    expect(restored.json).toMatchObject({ name, state: 'active', version: 1 })
    const call = custody === 'native' ? 'Sign' : 'Decrypt'
    expect(kms.calls()[call]).toBe((before[call] ?? 0) + 1)
    expect((await keys('show', name)).out).toContain('state       active\n')
  }
  const tail = await run(['audit', 'tail', '--data', files.path('data'), '--json'], { env: ENV })
  expect(tail.out.split('\n').filter(line => line.includes('"key-restored"'))).toHaveLength(2)
})

test('T37 keys restore: a key that cannot prove itself stays where it is, with the reason', async () => {
  expect((await keys('create', 'gone', '--provider', 'aws')).exitCode).toBe(0)
  await quarantine('gone')
  await kms.close()
  const refused = await failed('restore', 'gone')
  expect(refused).toMatchObject({ exitCode: 5, code: 'provider/unavailable' })
  expect((await keys('show', 'gone')).out).toContain('state       quarantined\n')
  expect(await failed('restore', 'nobody')).toMatchObject({ exitCode: 1, code: 'key/unknown' })
})
