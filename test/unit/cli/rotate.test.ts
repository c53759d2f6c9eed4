/** `countersign rotate`, and the page that tells when to use it: its commands are run here, line by line. */
import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keypair, Networks, type Operation, type Transaction, TransactionBuilder } from '@stellar/stellar-sdk'
import { world } from '../../../src/runtime/bun.ts'
import { ROOT, run, scratch } from '../../support/cli.ts'
import { openStubNetwork, STUB_RPC } from '../../support/stub-network.ts'
import { commandsOf, says } from '../../support/walk.ts'

const files = scratch()
afterAll(() => files.remove())

function place(name: string, more = ''): readonly string[] {
  mkdirSync(files.path(name), { recursive: true })
  const config = files.path(name, 'countersign.toml')
  writeFileSync(
    config,
    `environment = "development"\n[data]\ndirectory = "${files.path(name, 'data')}"\n[providers.mock]\nkind = "mock"\n${more}`,
  )
  return ['--config', config]
}

/** As Horizon says it. */
const horizon = (
  address: string,
  signers: Readonly<Record<string, number>>,
  thresholds = [0, 0, 0],
  balance = '10.0000000',
) =>
  JSON.stringify({
    ...{ id: address, account_id: address, sequence: '41', subentry_count: 0, num_sponsoring: 0, num_sponsored: 0 },
    thresholds: { low_threshold: thresholds[0], med_threshold: thresholds[1], high_threshold: thresholds[2] },
    flags: { auth_required: false, auth_revocable: false, auth_immutable: true, auth_clawback_enabled: false },
    balances: [{ balance, buying_liabilities: '0.0000000', selling_liabilities: '0.0000000', asset_type: 'native' }],
    signers: Object.entries(signers).map(([key, weight]) => ({ key, weight, type: 'ed25519_public_key' })),
  })

const optionsOf = (xdr: string) =>
  (TransactionBuilder.fromXDR(xdr.trim(), Networks.TESTNET) as Transaction).operations[0] as Operation.SetOptions

test('M-61 M-62 the commands of docs/operations.md do what the page says, in its order', async () => {
  const config = place('page')
  const policy = files.path('page', 'policy.json')
  writeFileSync(policy, JSON.stringify({ version: 1, sources: 'any' }))
  const made = await run(['keys', 'create', 'treasury', '--provider', 'mock', '--policy', policy, '--json', ...config])
  expect(made.exitCode).toBe(0)
  const old = made.json['address'] as string
  const file = (name: string) => files.path('page', name)
  writeFileSync(file('before.json'), horizon(old, { [old]: 1 }))

  const printed: string[] = []
  let ran = 0
  for (const line of commandsOf(readFileSync(join(ROOT, 'docs/operations.md'), 'utf8'))) {
    if (line.startsWith('# → ')) {
      expect(says(printed.at(-1) ?? '', line.slice(4)), `${line}\n${printed.at(-1)}`).toBe(true)
      continue
    }
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
    const [program, ...argv] = words.map(word => (/^[a-z.]+\.(toml|json|xdr)$/.test(word) ? file(word) : word))
    const to = argv.indexOf('>')
    const { exitCode, out, err } = await run(to < 0 ? argv : argv.slice(0, to))
    expect([program, exitCode], `${line}\n${err}`).toEqual(['countersign', 0])
    if (to >= 0) writeFileSync(argv[to + 1] as string, out)
    printed.push(out + err)
    ran++
    if (line.includes('--begin') && ran === 1) {
      const { json } = await run(['rotate', 'treasury', '--json', ...config])
      writeFileSync(file('after.json'), horizon(old, { [old]: 1, [json['versions'][1].address]: 1 }))
    }
  }
  expect(ran).toBeGreaterThanOrEqual(9)
  const { json } = await run(['rotate', 'treasury', '--status', '--json', ...config])
  const [, second] = json['versions'] as { address: string; times: Record<string, string> }[]
  expect(json).toMatchObject({
    phase: 'none',
    versions: [{ state: 'revoked' }, { state: 'revoked' }, { state: 'active' }],
  })
  expect(Object.keys(second?.times ?? {})).toEqual(['createdAt', 'activeFrom', 'revokedAt'])
  const [add, drop] = ['add.xdr', 'drop.xdr'].map(name => optionsOf(readFileSync(file(name), 'utf8')))
  expect(add?.signer as unknown).toMatchObject({ ed25519PublicKey: second?.address, weight: 1 })
  expect([drop?.masterWeight, drop?.signer]).toEqual([0, undefined])
})

test('M-61 --print: accounts that would be locked out, files that hold none, and what a step has no use for', async () => {
  const config = place('print')
  const { json: key } = await run(['keys', 'create', 'hot', '--provider', 'mock', '--json', ...config])
  const old = key['address'] as string
  const rotate = (...argv: readonly string[]) => run(['rotate', 'hot', ...argv, '--json', ...config])
  const state = (text: string) => {
    writeFileSync(files.path('print', 'account.json'), text)
    return ['--account-state', files.path('print', 'account.json')]
  }
  const good = horizon(old, { [old]: 1 })
  expect((await rotate('--print', 'add', ...state(good))).json['error'].code).toBe('key/rotation')
  expect((await rotate('--begin')).exitCode).toBe(0)
  const add = await rotate('--print', 'add', ...state(good))
  expect(add.json).toMatchObject({ done: false, needs: 1, notes: [], policy: { sources: [old] } })
  expect(optionsOf(add.json['xdr']).signer as unknown).toMatchObject({ weight: 1 })
  const rejected: readonly [string, string][] = [
    ['unreachable', horizon(old, { [old]: 1 }, [1, 1, 2])],
    ['not-a-signer', horizon(Keypair.random().publicKey(), { [Keypair.random().publicKey()]: 1 })],
    ['master-off', horizon(old, { [old]: 0, [Keypair.random().publicKey()]: 1 })],
    ['reserve', horizon(old, { [old]: 1 }, [0, 0, 0], '1.4000000')],
  ]
  for (const [resultCode, text] of rejected) {
    const { exitCode, json } = await rotate('--print', 'add', ...state(text))
    expect([exitCode, json['error'].code, json['error'].resultCode]).toEqual([1, 'transaction/rejected', resultCode])
  }
  for (const text of [
    '',
    '{}',
    '[]',
    'AAAA',
    good.replace('"41"', '41'),
    good.replace('"41"', '"9223372036854775808"'),
    horizon(old, { [old]: 256 }),
    good.replace('"signers":[', '"signers":{"a":[') + '}',
  ]) {
    const { exitCode, json } = await rotate('--print', 'add', ...state(text))
    expect([exitCode, json['error'].code], text.slice(0, 40)).toEqual([2, 'request/malformed'])
  }
  for (const argv of [
    ['--begin', '--open'],
    ['--open', '--provider', 'mock'],
    ['--begin', '--account', old],
    ['--print', 'both'],
    ['--print', 'add', '--sequence', '0'],
    ['--cutover', '--new-account'],
    ['--print', 'add', '--account', Keypair.random().publicKey(), ...state(good)],
  ]) {
    expect((await rotate(...argv)).exitCode, argv.join(' ')).toBe(2)
  }
  const refused = await rotate('--cutover')
  expect([refused.exitCode, refused.json['error'].code]).toEqual([1, 'key/rotation'])
  const none = await rotate('--print', 'add')
  expect(none.json['error']).toMatchObject({ code: 'config/invalid' })
})

test('M-61 --print asks the network of the configuration', async () => {
  const config = place('network', `[networks.testnet]\nrpc = "${STUB_RPC}"\n`)
  const stub = openStubNetwork({ now: () => Date.now() })
  const at = { world: { ...world(), fetch: stub.fetch } }
  await run(['keys', 'create', 'hot', '--provider', 'mock', ...config])
  const { json } = await run(['rotate', 'hot', '--begin', '--json', ...config])
  const missing = await run(['rotate', 'hot', '--print', 'add', '--json', ...config], at)
  expect(JSON.stringify(missing.json['error'])).toContain('no-account')
  stub.account(json['versions'][0].address)
  const { exitCode, out, err } = await run(['rotate', 'hot', '--print', 'add', '--sequence', '99', ...config], at)
  expect([exitCode, out.trim().split('\n').length]).toEqual([0, 1])
  expect(optionsOf(out).signer as unknown).toMatchObject({ ed25519PublicKey: json['versions'][1].address })
  expect(err).toContain('0.5 XLM')
})
