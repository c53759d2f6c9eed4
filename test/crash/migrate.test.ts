/** Killed in the middle of a migration, and started again as it was: every row is a key, once. */
import { afterAll, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { reference } from '../../providers/mock/keys.ts'
import { run, scratch } from '../support/cli.ts'
import { jsonLines, numbered, passphraseRow } from '../support/migration.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const ROWS = 1_000
const LONG = process.env['COUNTERSIGN_TEST_LONG'] !== undefined
const KILLED_AT = LONG ? [50, 300, 301, 650, 940] : [500]
const PASSPHRASE = 'what the platform has in its environment'
const files = scratch()
afterAll(() => files.remove())

/** Ends with kill -9 when the command says that it has come this far; resolves with what it said last. */
function killedAt(argv: readonly string[], rows: number): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', NODE_V8_COVERAGE: '' }
  const child = spawn(process.execPath, [MAIN, ...argv], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (part: Uint8Array) => {
    said += new TextDecoder().decode(part)
    const done = [...said.matchAll(/^(\d+) of /gm)].at(-1)?.[1] ?? '0'
    if (Number(done) >= rows) child.kill('SIGKILL')
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) =>
      signal === 'SIGKILL' ? resolve(said) : reject(new Error(`it ended by itself with ${code}: ${said}`)),
    )
  })
}

test(`M-66 ${ROWS} passphrase rows, killed in the middle: none lost, none twice, and another run finds all of them`, async () => {
  const pairs = Array.from({ length: ROWS }, (_, number) => numbered(number))
  const rows = pairs.map((pair, number) => ({
    address: pair.publicKey(),
    row: passphraseRow(pair.secret(), PASSPHRASE),
    name: `channel-${number}`,
  }))
  writeFileSync(files.path('rows.jsonl'), jsonLines(rows))
  writeFileSync(files.path('passphrase'), `${PASSPHRASE}\n`)
  writeFileSync(
    files.path('c.toml'),
    `environment = "development"\n[data]\ndirectory = "${files.path('data')}"\n[providers.mock]\nkind = "mock"\n`,
  )
  const argv = [
    ...[
      'migrate',
      'passphrase-rows',
      '--rows',
      files.path('rows.jsonl'),
      '--passphrase-file',
      files.path('passphrase'),
    ],
    ...['--provider', 'mock', '--wrapping-key', reference('wrapping', 'pool'), '--config', files.path('c.toml')],
  ]
  for (const rows of KILLED_AT) await killedAt(argv, rows)
  const ended = await run([...argv, '--json'])
  expect({ exitCode: ended.exitCode, failed: ended.json['failed'] }).toEqual({ exitCode: 0, failed: [] })
  const { migrated, present } = ended.json as { migrated: number; present: number }
  expect(migrated + present).toBe(ROWS)
  expect(present).toBeGreaterThanOrEqual(500)
  expect(migrated).toBeGreaterThan(0)

  const list = await run(['keys', 'list', '--config', files.path('c.toml'), '--json'])
  const keys = list.json['keys'] as { name: string; address: string; version: number; state: string }[]
  expect(keys.map(({ name, address, version, state }) => `${name} ${address} ${version} ${state}`).toSorted()).toEqual(
    rows.map(({ name, address }) => `${name} ${address} 1 active`).toSorted(),
  )
  const again = await run([...argv, '--json'])
  expect(again.json).toMatchObject({ migrated: 0, present: ROWS, failed: [] })
  const log = await run(['audit', 'verify', '--data', files.path('data'), '--json'])
  expect(log.exitCode).toBe(0)
}, 60_000)
