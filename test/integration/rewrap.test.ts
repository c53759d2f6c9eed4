/** M-63: `countersign keys rewrap`, one seed from key service to key service: what it signs stays what it signed. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keypair } from '@stellar/stellar-sdk/base'
import type { LocalKms } from '../../local-kms/index.ts'
import { type Ended, ROOT, run, scratch } from '../support/cli.ts'
import {
  configFile,
  credentialsFor,
  inRoom,
  signedFrom,
  startKeyServices,
  vaultAndGcp,
} from '../support/installation.ts'
import { commandsOf } from '../support/walk.ts'

const SEED = Keypair.random()
const files = scratch()
let kms: LocalKms
let env: Record<string, string>
let file: string

beforeAll(async () => {
  kms = await startKeyServices()
  env = credentialsFor(kms)
  writeFileSync(files.path('seed'), `${SEED.secret()}\n`, { mode: 0o600 })
  file = configFile(files, kms, { more: vaultAndGcp(kms) })
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const command = (argv: readonly string[]): Promise<Ended> => run([...argv, '--config', file], { env })

const newWrappingKey = (provider: string): Promise<string> =>
  inRoom(file, env, async room => {
    const admin = await room.admin(provider)
    return admin.createWrappingKey({ label: 'next' }, { requestId: 'test', signal: AbortSignal.timeout(10_000) })
  })

test('M-63 AWS, Vault, Google, AWS again: the same address and the same signature bit for bit, one row at a time', async () => {
  const moved = await command(['migrate', 'env', 'treasury', '--provider', 'aws', '--seed-file', files.path('seed')])
  expect(moved.exitCode).toBe(0)
  const message = crypto.getRandomValues(new Uint8Array(32))
  for (const [at, provider] of ['vault', 'gcp', 'aws'].entries()) {
    const wrappingKey = await newWrappingKey(provider)
    const target = ['--provider', provider, '--wrapping-key', wrappingKey]
    const which = at % 2 === 0 ? ['treasury'] : ['--all']
    const done = await command(['keys', 'rewrap', ...which, ...target, '--json'])
    expect(done.json).toEqual({ rows: 1, dryRun: false, rewrapped: 1, present: 0, failed: [] })
    expect(done.err).toContain('1 of 1 rows · 1 re-wrapped')
    const { signature, address, bindings } = await signedFrom(file, env, message)
    expect([address, signature]).toEqual([SEED.publicKey(), Uint8Array.from(SEED.sign(Buffer.from(message)))])
    expect(bindings.map(each => [each.provider, each.reference])).toEqual([[provider, wrappingKey]])
    const again = await command(['keys', 'rewrap', ...which, ...target, '--json'])
    expect(again.json).toMatchObject({ rewrapped: 0, present: 1 })
  }
}, 20_000)

test('M-63 a row that fails ends with 1 and says why; a command that names nothing, or too much, with 2', async () => {
  const nowhere = ['--provider', 'aws', '--wrapping-key', '00000000-0000-4000-8000-00000000dead']
  const failed = await command(['keys', 'rewrap', 'treasury', ...nowhere, '--json'])
  expect([failed.exitCode, failed.json['failed']]).toMatchObject([1, [{ key: 'treasury', version: 1 }]])
  const said = await command(['keys', 'rewrap', 'treasury', ...nowhere])
  expect(said.out).toContain('treasury')
  expect((await signedFrom(file, env, new Uint8Array(32))).address).toBe(SEED.publicKey())
  for (const which of [[], ['treasury', '--all']]) {
    expect((await command(['keys', 'rewrap', ...which, ...nowhere])).exitCode).toBe(2)
  }
})

test('M-63 the commands of docs/operations.md that re-wrap do what the page says, in its order', async () => {
  const meant: Readonly<Record<string, string>> = {
    $NEXT: await newWrappingKey('vault'),
    'countersign.toml': file,
  }
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  let printed = ''
  let ran = 0
  for (const line of commandsOf(page, 'rewrap')) {
    if (line.startsWith('# → ')) {
      expect(printed).toContain(line.slice(4))
      continue
    }
    const [, ...argv] = line.split(' ').map(word => meant[word] ?? word)
    const { exitCode, out } = await run(argv, { env })
    expect([line, exitCode]).toEqual([line, 0])
    printed = out
    ran++
  }
  expect(ran).toBe(3)
})
