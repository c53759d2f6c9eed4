/** M-63: `countersign keys rewrap`, one seed from key service to key service: what it signs stays what it signed. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keypair } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { openRoom, type Room } from '../../src/compose/room.ts'
import { roomSettings } from '../../src/compose/settings.ts'
import { loadConfig } from '../../src/config/load.ts'
import * as bun from '../../src/runtime/bun.ts'
import { type Ended, ROOT, run, scratch } from '../support/cli.ts'

const SEED = Keypair.random()
const PLACE = { project: 'payments', location: 'europe-west3', keyRing: 'signing' }
const files = scratch()
let kms: LocalKms
let env: Record<string, string>

beforeAll(async () => {
  kms = await startLocalKms()
  const { project, location, keyRing } = PLACE
  const ring = `${kms.gcpRest}/v1/projects/${project}/locations/${location}/keyRings?keyRingId=${keyRing}`
  expect((await fetch(ring, { method: 'POST' })).ok).toBe(true)
  await fetch(`${kms.vault}/v1/sys/mounts/transit`, {
    method: 'POST',
    headers: { 'x-vault-token': kms.vaultToken },
    body: '{"type":"transit"}',
  })
  env = { TEST_ID: 'test', TEST_SECRET: 'test', TEST_TOKEN: kms.vaultToken }
  writeFileSync(files.path('seed'), `${SEED.secret()}\n`, { mode: 0o600 })
  writeFileSync(
    files.path('c.toml'),
    `environment = "staging"
[data]
directory = "${files.path('data')}"
[providers.aws]
kind = "aws-kms"
region = "us-east-1"
endpoint = "${kms.aws}"
accessKeyId = "env:TEST_ID"
secretAccessKey = "env:TEST_SECRET"
[providers.vault]
kind = "vault-transit"
address = "${kms.vault}"
token = "env:TEST_TOKEN"
[providers.gcp]
kind = "gcp-kms"
endpoint = "${kms.gcpRest}"
project = "${project}"
location = "${location}"
keyRing = "${keyRing}"
`,
  )
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const command = (argv: readonly string[]): Promise<Ended> => run([...argv, '--config', files.path('c.toml')], { env })

async function inRoom<T>(body: (room: Room) => Promise<T>): Promise<T> {
  const readFile = async (path: string) => readFileSync(path, 'utf8')
  const loaded = await loadConfig({ file: files.path('c.toml'), flags: {}, env, readFile })
  const room = await openRoom(roomSettings(loaded), bun.world())
  try {
    return await body(room)
  } finally {
    await room.close()
  }
}

const newWrappingKey = (provider: string): Promise<string> =>
  inRoom(async room => {
    const admin = await room.admin(provider)
    return admin.createWrappingKey({ label: 'next' }, { requestId: 'test', signal: AbortSignal.timeout(10_000) })
  })

/** What the key signs from where it is now, and where that is. */
const signs = (message: Uint8Array) =>
  inRoom(async room => {
    const key = await room.store.keys.resolve('treasury')
    if (key === undefined) throw new Error('no key')
    const row = await room.store.keys.envelope(key.bindings[0]?.id ?? '')
    const { trial } = registerDeps(room, bun.world(), 'staging')
    const { signature } = await trial(key, row, { scheme: 'ed25519', message })
    return { signature: Uint8Array.from(signature), address: key.version.address, bindings: key.bindings }
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
    const { signature, address, bindings } = await signs(message)
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
  expect((await signs(new Uint8Array(32))).address).toBe(SEED.publicKey())
  for (const which of [[], ['treasury', '--all']]) {
    expect((await command(['keys', 'rewrap', ...which, ...nowhere])).exitCode).toBe(2)
  }
})

test('M-63 the commands of docs/operations.md that re-wrap do what the page says, in its order', async () => {
  const meant: Readonly<Record<string, string>> = {
    $NEXT: await newWrappingKey('vault'),
    'countersign.toml': files.path('c.toml'),
  }
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  const blocks = [...page.matchAll(/^```sh rewrap\n([^`]*)^```/gm)].map(([, block = '']) => block.trim())
  let printed = ''
  let ran = 0
  for (const line of blocks.join('\n').split('\n')) {
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
