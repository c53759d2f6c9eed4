/** `countersign keys check`, and what a service does by itself when it starts, against the three key services. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openAdmin } from '../../../providers/admin.ts'
import type { LocalKms } from '../../../local-kms/index.ts'
import { createDevIssuer } from '../../../src/access/dev-tokens.ts'
import { serviceSettings } from '../../../src/compose/settings.ts'
import { loadConfig } from '../../../src/config/load.ts'
import type { DatedVersion } from '../../../src/domain/key.ts'
import * as bun from '../../../src/runtime/bun.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { realClock } from '../../support/audit-world.ts'
import { type Ended, ROOT, run, scratch, start } from '../../support/cli.ts'
import { configFile, credentialsFor, startKeyServices, vaultAndGcp } from '../../support/installation.ts'
import { commandsOf, says } from '../../support/walk.ts'

const files = scratch()
const issuer = createDevIssuer({ clock: realClock, issuer: 'https://issuer.example', audience: 'countersign' })
let kms: LocalKms
let env: Record<string, string>

beforeAll(async () => {
  kms = await startKeyServices()
  env = credentialsFor(kms)
  writeFileSync(files.path('jwks.json'), JSON.stringify(issuer.jwks))
  const tokens = `[tokens]\nissuer = "https://issuer.example"\naudience = "countersign"\njwks = "${files.path('jwks.json')}"\n`
  configFile(files, kms, { more: `${vaultAndGcp(kms)}[server]\nport = 0\n${tokens}` })
  for (const [provider, custody] of PLACES) {
    for (const which of ['a', 'b']) {
      const name = `${provider}-${custody}-${which}`
      const made = await keys('create', name, '--provider', provider, '--custody', custody)
      expect(made.exitCode, made.err).toBe(0)
    }
  }
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const PLACES = [
  ['aws', 'native'],
  ['aws', 'envelope'],
  ['gcp', 'native'],
  ['vault', 'native'],
] as const

const keys = (...argv: readonly string[]): Promise<Ended> =>
  run(['keys', ...argv, '--config', files.path('countersign.toml')], { env })
const events = async (name: string): Promise<Record<string, any>[]> =>
  (await run(['audit', 'tail', '--data', files.path('data'), '--json'], { env })).out
    .split('\n')
    .filter(line => line.includes(`"event":"${name}"`))
    .map(line => JSON.parse(line))

async function inStore<T>(body: (keys: Store['keys']) => Promise<T>, role?: 'guest'): Promise<T> {
  const path = files.path('data', 'countersign.db')
  const store = await openSqliteStore({ path, clock: realClock, ...(role === undefined ? {} : { role }) })
  try {
    return await body(store.keys)
  } finally {
    store.close()
  }
}

/** `name`, pinned as `a` is, and lying where `b` lies. */
const plant = (name: string, a: string, b: string): Promise<void> =>
  inStore(async registry => {
    const of = async (each: string): Promise<DatedVersion> => (await registry.versions(each))[0]!
    const [pinned, other] = [await of(a), await of(b)]
    const [own, lying] = [pinned.bindings[0]!, other.bindings[0]!]
    const id = `b_${name}`
    const [row, rowOfOther] = [await registry.envelope(own.id), await registry.envelope(lying.id)]
    await registry.add({
      key: { ...pinned.key, name },
      version: { ...pinned.version, key: name },
      binding: { ...lying, id, key: name },
      ...(row === undefined ? {} : { envelope: { ...row, bindingId: id, ciphertext: rowOfOther!.ciphertext } }),
    })
  })

test('M-60 keys check: every key at three key services is as it was pinned; a table, JSON, a name, no proof', async () => {
  const before = { ...kms.calls() }
  const text = await keys('check')
  expect({ exitCode: text.exitCode, err: text.err }).toEqual({ exitCode: 0, err: '' })
  expect(text.out).toMatch(/^KEY +VERSION +PLACE +VERDICT +REASON\n/)
  expect(text.out).toMatch(/\ngcp-native-a +v1 +gcp native b_\S+ +ok/)
  expect(text.out).toEndWith('8 places: 8 ok · 0 wrong · 0 did not answer\n')
  const now = kms.calls()
  const more = ['Sign', 'Decrypt', 'GetPublicKey'].map(call => (now[call] ?? 0) - (before[call] ?? 0))
  expect(more).toEqual([2, 2, 2])

  const one = await keys('check', 'aws-envelope-a', '--json')
  expect(one.json).toMatchObject({ checked: 1, ok: 1, wrong: 0, unanswered: 0, skipped: 0, stopped: false })
  expect(one.json['places']).toEqual([
    expect.objectContaining({ key: 'aws-envelope-a', version: 1, provider: 'aws', custody: 'envelope', verdict: 'ok' }),
  ])
  const bare = await keys('check', '--no-proof')
  expect(bare.out).toEndWith('6 places: 6 ok · 0 wrong · 0 did not answer · 2 wrapped: not looked at without a proof\n')
  expect([kms.calls()['Decrypt'], kms.calls()['Sign']]).toEqual([(now['Decrypt'] ?? 0) + 1, now['Sign']])
  expect(await events('pins-checked')).toEqual([])

  // The page that tells of it: its commands, in its order.
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  const lines = commandsOf(page, 'check')
  expect(lines.filter(line => line.startsWith('countersign'))).toHaveLength(2)
  let printed = ''
  for (const line of lines) {
    if (line.startsWith('# → ')) {
      expect(says(printed, line.slice(4)), `${line}\n${printed}`).toBe(true)
      continue
    }
    const words = line
      .split(' ')
      .slice(1)
      .map(word => (word === 'treasury' ? 'aws-native-a' : word))
    const { exitCode, out } = await run(
      words.map(word => (word.endsWith('.toml') ? files.path(word) : word)),
      { env },
    )
    expect([line, exitCode]).toEqual([line, 0])
    printed = out
  }
})

test('M-60 T41 T43 keys check: another key behind the reference, the ciphertext of another row: told, and nothing changed unless asked for', async () => {
  for (const [provider, custody] of PLACES) {
    const name = `${provider}-${custody}`
    await plant(`planted-${name}`, `${name}-a`, `${name}-b`)
  }
  const told = await keys('check', '--json')
  expect({ exitCode: told.exitCode, ok: told.json['ok'], wrong: told.json['wrong'] }).toEqual({
    exitCode: 1,
    ok: 8,
    wrong: 4,
  })
  const codes = (told.json['places'] as Record<string, any>[])
    .filter(({ verdict }) => verdict === 'wrong')
    .map(({ key, code }) => `${key} ${code}`)
  expect(codes).toEqual([
    'planted-aws-envelope envelope/unreadable',
    'planted-aws-native key/mismatch',
    'planted-gcp-native key/mismatch',
    'planted-vault-native key/mismatch',
  ])
  expect((await keys('check', '--no-proof')).exitCode).toBe(1)
  const shown = await keys('check', 'planted-gcp-native')
  expect(shown.out).toMatch(/wrong +key\/mismatch: the key service gives another public key/)
  expect(shown.out).toContain('"Every day"')
  expect((await keys('list')).out).not.toContain('quarantined')

  const acted = await keys('check', 'planted-gcp-native', '--quarantine')
  expect(acted.exitCode).toBe(1)
  expect((await keys('list')).out.match(/quarantined/g)).toHaveLength(1)
  const [round] = await events('pins-checked')
  const [arrest] = await events('key-quarantined')
  expect([round?.['actor'].subject, round?.['detail'].wrong]).toEqual(['operator', 1])
  expect(arrest?.['detail']).toMatchObject({ key: 'planted-gcp-native', version: 1, errorCode: 'key/mismatch' })
  expect((await keys('check', 'planted-gcp-native')).out).toContain('0 places')
})

test('M-60 a service that starts finds what was exchanged while it was away, and what signs well signs on', async () => {
  const service = start(['serve', '--json', '--config', files.path('countersign.toml')], { env })
  await service.ready
  let rounds: Record<string, any>[] = []
  for (let tries = 0; tries < 100 && rounds.length < 2; tries++) {
    await new Promise(resolve => setTimeout(resolve, 100))
    rounds = await events('pins-checked')
  }
  expect(rounds[1]?.['actor']).toEqual({ subject: 'system', peer: 'none' })
  expect(rounds[1]?.['detail']).toMatchObject({ checked: 11, ok: 8, wrong: 3, unanswered: 0 })
  const states = await inStore(
    async registry => (await registry.versions()).map(({ version }) => version.state),
    'guest',
  )
  expect(states.toSorted()).toEqual([...Array(8).fill('active'), ...Array(4).fill('quarantined')])
  const beside = await keys('check', '--json')
  expect([beside.exitCode, beside.json['ok']]).toEqual([0, 8]) // takes no lock of the store
  expect((await keys('check', '--quarantine', '--json')).exitCode).toBe(1) // the store has one owner
  const { exitCode, err } = await service.stop()
  expect(exitCode).toBe(0)
  expect(err).toContain('pin-wrong')
}, 20_000)

test('M-60 keys.recheckHours: a day unless told, never at 0, and at most a month', async () => {
  const settings = async (hours?: string) => {
    const more = hours === undefined ? {} : { COUNTERSIGN_KEYS_RECHECK_HOURS: hours }
    const readFile = (path: string): Promise<string> => Bun.file(path).text()
    const config = await loadConfig({
      file: files.path('countersign.toml'),
      env: { ...env, ...more },
      flags: {},
      readFile,
    })
    return serviceSettings(config, bun.world()).recheckMs
  }
  expect([await settings(), await settings('0'), await settings('720')]).toEqual([86_400_000, undefined, 2_592_000_000])
  for (const bad of ['721', '-1', '1.5', 'daily'])
    await expect(settings(bad), bad).rejects.toMatchObject({ code: 'config/invalid' })
})

test('M-60 keys check: a disabled key, a service that is gone, what is not there: told by code and exit code', async () => {
  const config = await loadConfig({
    file: files.path('countersign.toml'),
    env,
    flags: {},
    readFile: path => Bun.file(path).text(),
  })
  const admin = await openAdmin(config.providers['aws']!, { ...bun.world(), environment: 'staging' })
  const reference = await inStore(
    async registry => (await registry.versions('aws-native-a'))[0]!.bindings[0]!.reference,
  )
  await admin.disable(reference, { requestId: 'r', signal: new AbortController().signal })
  const disabled = await keys('check', 'aws-native-a', '--json')
  expect({ exitCode: disabled.exitCode, code: disabled.json['places'][0].code }).toEqual({
    exitCode: 5,
    code: 'provider/refused',
  })
  expect((await keys('show', 'aws-native-a')).out).toContain('state       active\n')

  const failed = async (...argv: readonly string[]) => {
    const { exitCode, json } = await keys('check', ...argv, '--json')
    return { exitCode, code: json['error']?.code as string }
  }
  expect(await failed('nobody')).toEqual({ exitCode: 1, code: 'key/unknown' })
  expect(await failed('--quarantine', '--no-proof')).toEqual({ exitCode: 2, code: 'request/malformed' })
  expect(await failed('--data', files.path('nowhere'))).toEqual({ exitCode: 1, code: 'start/refused' })
  await kms.close()
  const gone = await keys('check', 'aws-envelope-a')
  expect(gone.exitCode).toBe(5)
  expect(gone.out).toMatch(/unanswered +provider\/unavailable/)
}, 20_000)
