/** `countersign rotate`, and the page that tells when to use it: its commands are run here, line by line. */
import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keypair, Networks, type Operation, type Transaction, TransactionBuilder } from '@stellar/stellar-sdk'
import { createDevIssuer } from '../../../src/access/dev-tokens.ts'
import { storePath } from '../../../src/compose/places.ts'
import { parsePolicy } from '../../../src/policy/index.ts'
import { world } from '../../../src/runtime/bun.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { ROOT, run, scratch, start } from '../../support/cli.ts'
import { openStubNetwork, STUB_RPC } from '../../support/stub-network.ts'
import { blocksOf, says } from '../../support/walk.ts'

const files = scratch()
const issuer = createDevIssuer({ clock: world().clock, issuer: 'https://issuer.example', audience: 'countersign' })
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

/** Puts the printed policy in force, as its approvers would. */
async function grant(directory: string, printed: string): Promise<void> {
  const { text, hash: toHash } = parsePolicy(JSON.parse(/nothing else: (\{.*\})/.exec(printed)?.[1] ?? ''))
  const { clock } = world()
  const store = await openSqliteStore({ path: storePath(directory), clock })
  const fromHash = (await store.keys.versions('treasury'))[0]?.key.policyHash ?? ''
  const at = clock.now()
  const id = `c_${toHash.slice(0, 32)}`
  await store.changes.propose({
    ...{ id, key: 'treasury', fromHash, toHash, toText: text, direction: 'loosening', proposedBy: 'G' },
    ...{ proposedAt: at, expiresAt: at + 60_000, testsText: '[]' },
  })
  await store.changes.activate(id, at)
  store.close()
}

/** While a service runs on the store of this configuration. @returns what to give to commands that ask it */
async function whileServed<T>(
  config: readonly string[],
  body: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  const service = start(['serve', '--json', ...config])
  try {
    const { dataUrl } = JSON.parse(await service.ready) as { dataUrl: string }
    const token = await issuer.issue({ subject: 'operator', scopes: ['sign:treasury'] })
    return await body({ COUNTERSIGN_URL: dataUrl, COUNTERSIGN_TOKEN: token })
  } finally {
    await service.stop()
  }
}

test('M-61 M-62 the commands of docs/operations.md do what the page says, in its order, those for a running service too', async () => {
  writeFileSync(files.path('jwks.json'), JSON.stringify(issuer.jwks))
  const tokens = `issuer = "${issuer.issuer}"\naudience = "${issuer.audience}"\njwks = "${files.path('jwks.json')}"`
  const config = place('page', `[server]\nport = 0\n[tokens]\n${tokens}\n`)
  const policy = files.path('page', 'policy.json')
  writeFileSync(policy, JSON.stringify({ version: 1, network: 'testnet', fee: { maxStroops: '1000' } }))
  const made = await run(['keys', 'create', 'treasury', '--provider', 'mock', '--policy', policy, '--json', ...config])
  expect(made.exitCode).toBe(0)
  const old = made.json['address'] as string
  const file = (name: string) => files.path('page', name)
  writeFileSync(file('before.json'), horizon(old, { [old]: 1 }))

  const printed: string[] = []
  const ran: string[] = []
  const runLine = async (line: string, env: Record<string, string>): Promise<void> => {
    if (line.startsWith('# → ')) {
      expect(says(printed.at(-1) ?? '', line.slice(4)), `${line}\n${printed.at(-1)}`).toBe(true)
      return
    }
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
    const [program, ...argv] = words.map(word => (/^[a-z.]+\.(toml|json|xdr)$/.test(word) ? file(word) : word))
    const to = argv.indexOf('>')
    const { exitCode, out, err } = await run(to < 0 ? argv : argv.slice(0, to), { env })
    expect([program, exitCode], `${line}\n${err}`).toEqual(['countersign', 0])
    if (to >= 0) writeFileSync(argv[to + 1] as string, out)
    printed.push(out + err)
    ran.push(line)
    if (line.includes('--print')) await grant(file('data'), err)
    if (ran.length > 1) return
    const { json } = await run(['rotate', 'treasury', '--json', ...config])
    const after = horizon(old, { [old]: 1, [json['versions'][1].address]: 1 })
    writeFileSync(file('after.json'), after.replace('"sequence":"41"', '"sequence":"42"'))
  }
  const days = blocksOf(readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')).filter(({ section }) =>
    ['Rotation day', 'Compromise day'].includes(section),
  )
  for (const { word, lines } of days) {
    expect([undefined, 'service']).toContain(word)
    const runAll = async (env: Record<string, string>): Promise<void> => {
      for (const line of lines) await runLine(line, env)
    }
    if (word === undefined) await runAll({})
    else await whileServed(config, runAll)
  }
  expect(ran.filter(line => line.startsWith('countersign sign')).length).toBe(2)
  expect(ran.length).toBeGreaterThanOrEqual(11)
  const { json } = await run(['rotate', 'treasury', '--status', '--json', ...config])
  const [, second] = json['versions'] as { address: string; account: string; times: Record<string, string> }[]
  expect(json).toMatchObject({
    phase: 'none',
    versions: ['revoked', 'revoked', 'active'].map(state => ({ state, account: old })),
  })
  expect(Object.keys(second?.times ?? {})).toEqual(['createdAt', 'activeFrom', 'revokedAt'])
  const [add, drop] = ['add.xdr', 'drop.xdr'].map(name => optionsOf(readFileSync(file(name), 'utf8')))
  expect(add?.signer as unknown).toMatchObject({ ed25519PublicKey: second?.address, weight: 1 })
  expect([drop?.masterWeight, drop?.signer]).toEqual([0, undefined])

  const signed = ['add.signed.xdr', 'drop.signed.xdr'].map(
    name => TransactionBuilder.fromXDR(readFileSync(file(name), 'utf8').trim(), Networks.TESTNET) as Transaction,
  )
  for (const [at, signer] of [old, second?.address ?? ''].entries()) {
    const tx = signed[at] as Transaction
    const [signature, ...more] = tx.signatures
    expect([tx.source, more.length], 'the account is the same in both').toEqual([old, 0])
    expect(Keypair.fromPublicKey(signer).verify(tx.hash(), signature?.signature.toBytes() as Buffer)).toBe(true)
  }
  const shown = await run(['keys', 'show', 'treasury', '--json', ...config])
  expect(shown.json['policy'].sources, 'nor does any policy name the account').toBeUndefined()
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
  expect(add.json).toMatchObject({ done: false, needs: 1, notes: [], policy: { network: 'testnet' } })
  expect(add.json['policy'].sources, 'it is the account of both').toBeUndefined()
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
    ['--status', '--account', old],
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

test('M-61 a new account is asked for with --begin, said again with --open, and any other is named', async () => {
  const config = place('accounts')
  const policy = files.path('accounts', 'policy.json')
  writeFileSync(policy, JSON.stringify({ version: 1, network: 'testnet', fee: { maxStroops: '1000' } }))
  const create = ['--provider', 'mock', '--policy', policy, '--json', ...config]
  const { json: key } = await run(['keys', 'create', 'hot', ...create])
  const old = key['address'] as string
  const rotate = (...argv: readonly string[]) => run(['rotate', 'hot', ...argv, '--json', ...config])
  const codeOf = ({ exitCode, json }: Awaited<ReturnType<typeof rotate>>) => [exitCode, json['error'].code]
  const begun = await rotate('--begin', '--new-account')
  const [, two] = begun.json['versions'] as { address: string; account: string }[]
  expect(two?.account).toBe(two?.address as string)
  expect(begun.json['notes'].join(' ')).toContain(`from ${old} to ${two?.address}`)
  expect(codeOf(await rotate('--open'))).toEqual([1, 'key/rotation'])
  expect(codeOf(await rotate('--print', 'add'))).toEqual([1, 'key/rotation'])
  expect((await rotate('--open', '--new-account')).json['phase']).toBe('overlap')
  const text = await run(['rotate', 'hot', ...config])
  expect(text.out).not.toContain(' for G')
  await rotate('--cutover')

  // Back to the account that stands on the chain, by its name.
  const named = await rotate('--begin', '--account', old)
  expect((named.json['versions'] as { account: string }[])[2]?.account).toBe(old)
  expect((await run(['rotate', 'hot', ...config])).out).toContain(`for ${old}\n`)
  expect(codeOf(await rotate('--open'))).toEqual([1, 'key/rotation'])
  expect((await rotate('--open', '--new-account')).exitCode).toBe(0)
  await rotate('--cutover')
  await rotate('--begin')
  expect(codeOf(await rotate('--open', '--new-account'))).toEqual([1, 'key/rotation'])
  expect((await rotate('--open')).exitCode).toBe(0)
  for (const argv of [
    ['--begin', '--account', 'G'],
    ['--begin', '--account', Keypair.random().secret()],
    ['--begin', '--account', old, '--new-account'],
    ['--revert', '--account', old],
  ]) {
    await rotate('--cutover')
    expect((await rotate(...argv)).exitCode, argv.join(' ')).toBe(2)
  }
  await run(['keys', 'create', 'evm', '--chain', 'evm', '--provider', 'mock', ...config])
  for (const wish of [['--new-account'], ['--account', old]]) {
    const ended = await run(['rotate', 'evm', '--begin', ...wish, '--json', ...config])
    expect(codeOf(ended)).toEqual([2, 'request/malformed'])
  }
})
