import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { Keypair } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../../local-kms/index.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { realClock } from '../../support/audit-world.ts'
import { run, scratch } from '../../support/cli.ts'
import { configFile } from '../../support/installation.ts'

const files = scratch()
const PAIR = Keypair.random()
const ENV = { TEST_ID: 'test', TEST_SECRET: 'canary-secret-access-key', VAULT: '', RAW: PAIR.secret() }
const AWS_ID = '00000000-0000-4000-8000-00000000e301'
const OTHER_ID = '00000000-0000-4000-8000-00000000e302'
const material = { material: { hex: Buffer.from(PAIR.rawSecretKey()).toString('hex') } }
let kms: LocalKms

beforeAll(async () => {
  kms = await startLocalKms({
    seed: {
      version: 1,
      keys: [
        { keyId: AWS_ID, spec: 'ECC_NIST_EDWARDS25519', ...material },
        { keyId: OTHER_ID, spec: 'ECC_NIST_EDWARDS25519' },
      ],
      vault: { keys: [{ name: 'wrapping', type: 'aes256-gcm96' }] },
    },
  })
  ENV.VAULT = kms.vaultToken
  writeFileSync(files.path('seed.txt'), `${PAIR.secret()}\n`)
  configFile(files, kms, {
    environment: 'development',
    more: `[flags]
file = "${files.path('flags.json')}"
[providers.vault]
kind = "vault-transit"
address = "${kms.vault}"
auth = "token"
token = "env:VAULT"
[providers.raw]
kind = "raw-env"
[providers.raw.keys]
treasury = "env:RAW"
`,
  })
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const cli = (...argv: readonly string[]) => run([...argv, '--config', files.path('countersign.toml')], { env: ENV })
const failed = async (...argv: readonly string[]) => {
  const { exitCode, json } = await cli(...argv, '--json')
  return { exitCode, code: json['error'].code as string, reason: json['error'].reason as string }
}
const set = (...argv: readonly string[]) => cli('flags', 'set', '--key', 'treasury', ...argv, '--json')

test('M-10 keys bind: the same key in two more places, each proved; another key, two sources or none are refused', async () => {
  expect((await cli('keys', 'import', 'treasury', '--provider', 'raw', '--reference', 'treasury')).exitCode).toBe(0)
  const aws = await cli('keys', 'bind', 'treasury', '--provider', 'aws', '--reference', AWS_ID, '--json')
  expect(aws.json).toMatchObject({ name: 'treasury', provider: 'raw', address: PAIR.publicKey() })
  expect(aws.json['bindings']).toHaveLength(2)
  const seed = ['--seed-file', files.path('seed.txt'), '--wrapping-key', 'transit/wrapping']
  const vault = await cli('keys', 'bind', 'treasury', '--provider', 'vault', ...seed, '--json')
  expect(vault.json['bindings'][2]).toMatchObject({ provider: 'vault', custody: 'envelope' })

  const bind = ['keys', 'bind', 'treasury', '--provider', 'aws']
  expect(await failed(...bind, '--reference', OTHER_ID)).toMatchObject({ exitCode: 1, code: 'key/mismatch' })
  expect(await failed(...bind, '--reference', AWS_ID)).toMatchObject({ exitCode: 1, code: 'key/exists' })
  expect(await failed(...bind)).toMatchObject({ exitCode: 2, code: 'request/malformed' })
  expect(await failed(...bind, '--reference', AWS_ID, ...seed)).toMatchObject({ exitCode: 2 })
  expect(await failed(...bind, '--reference', AWS_ID, '--wrapping-key', 'x')).toMatchObject({ exitCode: 2 })
  const nobody = ['keys', 'bind', 'nobody', '--provider', 'aws', '--reference', AWS_ID]
  expect(await failed(...nobody)).toMatchObject({ exitCode: 1, code: 'key/unknown' })
  const raw = ['keys', 'bind', 'treasury', '--provider', 'raw', ...seed]
  expect(await failed(...raw)).toMatchObject({ exitCode: 1, code: 'key/unsupported' })
  const tail = await run(['audit', 'tail', '--data', files.path('data'), '--json'], { env: ENV })
  expect(tail.out.split('\n').filter(line => line.includes('"binding-added"'))).toHaveLength(2)
})

test('M-10 flags set, show, rollback: beside a process that owns the store; unknown keys, places and percentages are refused', async () => {
  const owner = await openSqliteStore({ path: files.path('data', 'countersign.db'), clock: realClock })
  try {
    expect((await set('--mode', 'canary', '--percent', '5', '--target', 'aws')).exitCode).toBe(0)
    const rule = { key: 'treasury', flag: { mode: 'canary', percent: 5, target: 'aws' } }
    expect(JSON.parse(readFileSync(files.path('flags.json'), 'utf8'))).toEqual({ version: 1, rules: [rule] })
    const shown = await cli('flags', 'show')
    expect(shown.out).toContain('canary 5 % to aws')
    const { hash } = (await cli('flags', 'show', '--json')).json as { hash: string }

    for (const percent of ['101', '-1', '5.001', 'x', '']) {
      const refused = await set('--mode', 'canary', '--percent', percent, '--target', 'aws')
      expect([percent, refused.exitCode]).toEqual([percent, 2])
    }
    for (const bad of [
      ['--mode', 'half'],
      ['--mode', 'on'],
      ['--mode', 'off', '--target', 'aws'],
      ['--mode', 'canary', '--target', 'aws'],
      ['--mode', 'on', '--target', 'nowhere'],
      ['--mode', 'fail-over', '--order', 'aws,gone'],
      ['--mode', 'off', '--expect', 'another'],
    ]) {
      expect([bad, (await set(...bad)).exitCode]).toEqual([bad, 2])
    }
    expect((await failed('flags', 'set', '--key', 'nobody', '--mode', 'on', '--target', 'aws')).reason).toContain(
      'nobody',
    )
    expect((await cli('flags', 'show', '--json')).json['hash']).toBe(hash)

    expect((await set('--mode', 'fail-over', '--order', 'aws,vault,raw', '--expect', hash)).exitCode).toBe(0)
    expect((await cli('flags', 'show')).out).toContain('fail-over aws → vault → raw')
    expect((await cli('flags', 'rollback', '--json')).json['hash']).toBe(hash)
    expect((await cli('flags', 'rollback', '--to', '1')).out).toContain('no rules')
  } finally {
    owner.close()
  }
})

test('M-10 keys restore --binding: out of suspension after a proof, and only then', async () => {
  const { bindings } = (await cli('keys', 'show', 'treasury', '--json')).json as { bindings: { id: string }[] }
  const id = bindings[1]?.id ?? ''
  expect(await failed('keys', 'restore', 'treasury', '--binding', id)).toMatchObject({ code: 'key/unsupported' })
  expect(await failed('keys', 'restore', 'treasury', '--binding', 'b_none')).toMatchObject({ code: 'key/unknown' })
  const store = await openSqliteStore({ path: files.path('data', 'countersign.db'), clock: realClock })
  await store.keys.suspendBinding(id, 'it differed')
  store.close()
  expect((await set('--mode', 'on', '--target', 'aws')).json['error'].reason).toContain('keys restore treasury')
  expect((await cli('keys', 'restore', 'treasury', '--binding', id, '--json')).json['bindings'][1].suspended).toBe(
    undefined,
  )
  expect((await set('--mode', 'on', '--target', 'aws')).exitCode).toBe(0)
})

test('M-10 without a file of flags the command says what to set', async () => {
  const { exitCode, json } = await run(['flags', 'show', '--json'], { env: { COUNTERSIGN_ENVIRONMENT: 'staging' } })
  expect([exitCode, json['error']?.code, json['error']?.problems[0].path]).toEqual([1, 'config/invalid', 'flags.file'])
})
