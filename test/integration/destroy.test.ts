/** Issue 7 part 1: `countersign keys destroy` on the key services of local-kms, and the page that tells when to use it. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keypair } from '@stellar/stellar-sdk/base'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { type Ended, ROOT, run, scratch } from '../support/cli.ts'
import { configFile, credentialsFor, inRoom, startKeyServices, vaultAndGcp } from '../support/installation.ts'
import { commandsOf, says } from '../support/walk.ts'

const files = scratch()
let kms: LocalKms
let env: Record<string, string>
let file: string

beforeAll(async () => {
  kms = await startKeyServices()
  env = credentialsFor(kms)
  file = configFile(files, kms, { more: vaultAndGcp(kms) })
})
afterAll(async () => {
  await kms.close()
  files.remove()
})

const command = (argv: readonly string[], config = file): Promise<Ended> => run([...argv, '--config', config], { env })
const good = async (argv: readonly string[], config = file): Promise<Record<string, any>> => {
  const ended = await command([...argv, '--json'], config)
  expect(ended.exitCode, `${argv.join(' ')}\n${ended.err}`).toBe(0)
  return ended.json
}
/** A key whose first version is retired; @returns its address */
async function rotated(name: string, ...made: readonly string[]): Promise<string> {
  const { address } = await good(['keys', 'create', name, ...made, '--policy', policy()])
  for (const step of ['--begin', '--open', '--cutover']) await good(['rotate', name, step])
  return address
}
function policy(): string {
  writeFileSync(files.path('policy.json'), JSON.stringify({ version: 1, sources: 'any' }))
  return files.path('policy.json')
}
const destroy = (name: string, address: string, ...more: readonly string[]): readonly string[] => [
  ...['keys', 'destroy', name, '--at-once', '--key-version', '1', '--confirm', address],
  ...more,
]

test('M-61 M-62 the commands of docs/operations.md that end a key do what the page says, in its order', async () => {
  const old = await rotated('treasury', '--provider', 'aws')
  const legacy = await good(['keys', 'create', 'legacy', '--provider', 'aws', '--custody', 'envelope'])
  // The page is read a week after the cut-over.
  const rested = configFile(files, kms, { name: 'rested', more: `${vaultAndGcp(kms)}[keys]\ndestroyAfterDays = 0\n` })
  const meant: Readonly<Record<string, string>> = {
    $OLD: old,
    $LEGACY: legacy['address'],
    'countersign.toml': rested,
  }
  let printed = ''
  let ran = 0
  for (const line of commandsOf(readFileSync(join(ROOT, 'docs/operations.md'), 'utf8'), 'end')) {
    if (line.startsWith('# → ')) {
      expect(says(printed, line.slice(4)), `${line}\n${printed}`).toBe(true)
      continue
    }
    const [, ...argv] = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => {
      const word = quoted ?? plain ?? ''
      return meant[word] ?? word
    })
    const { exitCode, out, err } = await run(argv, { env })
    expect([line, exitCode], err).toEqual([line, 0])
    printed = out
    ran++
  }
  expect(ran).toBe(5)
  const { keys } = await good(['keys', 'inventory'])
  expect(keys.map((each: any) => [each.name, each.version, each.state])).toEqual([
    ['legacy', 1, 'destroyed'],
    ['treasury', 1, 'destroyed'],
    ['treasury', 2, 'active'],
  ])
  expect((await run(['audit', 'verify', '--data', files.path('data'), '--json'])).exitCode).toBe(0)
}, 20_000)

test('M-61 three key services: scheduled where they wait, gone where they do not; repeated it is the same, and the next version signs on', async () => {
  const days: Readonly<Record<string, number>> = { aws: 7, gcp: 30, vault: 0 }
  for (const provider of ['aws', 'gcp', 'vault']) {
    const name = `hot-${provider}`
    const address = await rotated(name, '--provider', provider)
    const asked = destroy(name, address, '--days', String(days[provider]))
    const from = Date.now()
    const first = await good(asked)
    const second = await good(asked)
    expect([first['changed'], second['changed'], first['done'], second['done']]).toEqual([true, false, true, true])
    const [[place], [again]] = [first['places'], second['places']]
    if (provider === 'vault') {
      expect([place.outcome, again.outcome]).toEqual(['removed', 'removed'])
    } else {
      expect([place.outcome, again.outcome, again.at]).toEqual(['scheduled', 'scheduled', place.at])
      expect(Date.parse(place.at) - from).toBeGreaterThan((days[provider] as number) * 86_400_000 - 60_000)
    }
    await inRoom(file, env, async room => {
      const service = await room.provider(provider)
      const call = { requestId: 'r', signal: AbortSignal.timeout(10_000) }
      const input = { scheme: 'ed25519', message: new Uint8Array(32) } as const
      await expect(service.sign(place.reference, input, call)).rejects.toMatchObject({ code: 'provider/refused' })
      const next = await room.store.keys.resolve(name)
      expect(next?.version.version).toBe(2)
      await service.sign(next?.bindings[0]?.reference as string, input, call)
    })
    // Nobody is told every day that what was given up does not sign.
    const { out } = await command(['doctor', '--provider', provider])
    expect([out.includes(place.reference), out.length > 100]).toEqual([false, true])
  }
}, 30_000)

test('M-61 M-62 nothing ends within keys.destroyAfterDays of its retirement, unless the owner of the machine says so', async () => {
  const address = await rotated('fresh', '--provider', 'aws')
  const asked = destroy('fresh', address).filter(word => word !== '--at-once')
  const planned = await command([...asked, '--dry-run'])
  expect([planned.exitCode, planned.out]).toEqual([1, expect.stringContaining('WOULD BE REFUSED: it has not rested')])
  const refused = await command([...asked, '--json'])
  expect([refused.exitCode, refused.json['error'].code]).toEqual([1, 'key/unsupported'])
  const [, from = ''] = /from (\S+) on/.exec(refused.json['error'].reason) ?? []
  expect(Math.abs(Date.parse(from) - Date.now() - 7 * 86_400_000)).toBeLessThan(60_000)
  expect((await good(['rotate', 'fresh']))['versions'][0].state).toBe('retired')
  expect((await good(destroy('fresh', address)))['done']).toBe(true)
  // What was begun is gone on with at any time.
  expect((await good(asked))['done']).toBe(true)
}, 20_000)

test('M-61 days that a service does not grant, a wrong address, a state that it may not come from: refused with 2 or 1, and nothing is done', async () => {
  const address = await rotated('waits', '--provider', 'vault')
  const refusals: readonly (readonly [number, string, readonly string[]])[] = [
    [2, 'days', destroy('waits', address)],
    [2, 'confirm', destroy('waits', Keypair.random().publicKey(), '--days', '0')],
    [2, '--reason', destroy('waits', address, '--days', '0', '--reason', 'a\nb')],
    [
      1,
      'key/unsupported',
      [
        'keys',
        'destroy',
        'waits',
        '--at-once',
        '--key-version',
        '2',
        '--confirm',
        await current('waits'),
        '--days',
        '0',
      ],
    ],
    [1, 'key/unknown', destroy('nobody', address, '--days', '0')],
    [2, '--key-version', ['keys', 'destroy', 'waits', '--confirm', address]],
  ]
  for (const [code, word, argv] of refusals) {
    const { exitCode, err } = await command(argv)
    expect([exitCode, err.includes(word)], `${argv.join(' ')}\n${err}`).toEqual([code, true])
  }
  const shown = await good(['rotate', 'waits'])
  expect(shown['versions'].map((each: { state: string }) => each.state)).toEqual(['retired', 'active'])
}, 20_000)
const current = async (name: string): Promise<string> => (await good(['keys', 'show', name]))['address']

test('M-61 a service that is down half-way: destroyed, told, exit code 1; the same command ends it when the service is back', async () => {
  const address = await rotated('half', '--provider', 'aws', '--custody', 'native')
  const other = await startLocalKms({ faces: ['aws'] })
  const away = other.aws
  await other.close()
  const down = configFile(files, { aws: away }, { name: 'down', more: vaultAndGcp(kms) })
  const failed = await command(destroy('half', address), down)
  expect([failed.exitCode, failed.out.includes('FAILED'), failed.err.includes('same command again')]).toEqual([
    1,
    true,
    true,
  ])
  expect((await good(['rotate', 'half']))['versions'][0].state).toBe('destroyed')
  expect(await good(destroy('half', address))).toMatchObject({
    changed: false,
    done: true,
    places: [{ outcome: 'scheduled' }],
  })
}, 30_000)
