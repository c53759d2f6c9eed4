/** `countersign rotate --print sweep`: the list, its options, and the page that tells when to use it. */
import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { world } from '../../../src/runtime/bun.ts'
import { ROOT, run, scratch } from '../../support/cli.ts'
import { addCollection, addToken, EVM_RPC, openStubEvm, type StubEvm } from '../../support/stub-evm.ts'
import { commandsOf, says } from '../../support/walk.ts'

const files = scratch()
afterAll(() => files.remove())

const [USDC, DEX, NFT] = [
  '0x62Af881c0B64958041c3ABF59AC79c32Dc7A6eF2',
  '0x7acEf1435A617Faf22a9CD6aaf592aA527767dcc',
  '0xf2DAA0B97F8e16b8509708880719138b3BCFf1b3',
]
const ENDPOINT = `[networks.sepolia]\nrpc = "${EVM_RPC}"\n`

function place(name: string, networks = ENDPOINT) {
  mkdirSync(files.path(name), { recursive: true })
  const config = files.path(name, 'countersign.toml')
  const lines = [
    'environment = "development"',
    '[data]',
    `directory = "${files.path(name, 'data')}"`,
    '[providers.mock]',
    'kind = "mock"',
  ]
  writeFileSync(config, `${lines.join('\n')}\n${networks}`)
  const stub = openStubEvm()
  const real = world()
  const clock = { ...real.clock, now: () => Number(stub.block.time) * 1000 }
  const at = { world: { ...real, fetch: stub.fetch, clock } }
  const rotate = (...argv: readonly string[]) => run(['rotate', 'payouts', ...argv, '--config', config], at)
  const create = (...argv: readonly string[]) =>
    run(['keys', 'create', 'payouts', '--provider', 'mock', '--json', ...argv, '--config', config], at)
  return {
    config,
    stub,
    at,
    rotate,
    create,
    file: (each: string, text: string) => (writeFileSync(files.path(name, each), text), files.path(name, each)),
  }
}
const EVM = ['--chain', 'evm', '--network', 'sepolia']
const FEE = JSON.stringify({ version: 1, network: 'sepolia', evm: { fee: { maxWei: '1000000000000000' } } })

/** The old address has tokens, an allowance without limit, and coins. */
function holdings(stub: StubEvm, old: string) {
  const token = addToken(stub, USDC)
  token.balances.set(250_000_000n, old)
  token.allowances.set(2n ** 256n - 1n, old, DEX)
  stub.account(old).balance = 5n * 10n ** 17n
  return token
}

test('M-64 the commands of docs/operations.md for an EVM key do what the page says, in its order', async () => {
  const { config, stub, at, create, file } = place('page')
  const tokens = file('tokens.txt', `# what we hold\n${USDC} # USDC\n\n`)
  const policy = file('policy.json', FEE)
  const old = (await create(...EVM, '--policy', policy)).json['address'] as string
  const token = holdings(stub, old)
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  /** As signed and sent, until nothing comes any more. */
  const sendAll = async (lines: string, again: readonly string[]): Promise<void> => {
    if (lines === '') return
    for (const line of lines.trim().split('\n')) {
      const { from, to, data, ...rest } = JSON.parse(line).transaction
      const number = (name: string) => BigInt(rest[name])
      const [value, nonce, gas, maxFeePerGas] = ['value', 'nonce', 'gas', 'maxFeePerGas'].map(number)
      stub.apply({ from, to, data, value, nonce, gas, maxFeePerGas } as never)
    }
    await sendAll((await run(again, at)).out, again)
  }
  let [printed, ran] = ['', 0]
  for (const line of commandsOf(page, 'evm')) {
    if (line.startsWith('# → ')) {
      expect(says(printed, line.slice(4)), `${line}\n${printed}`).toBe(true)
      continue
    }
    const [program, ...words] = line.split(' ')
    const argv = words.map(word => ({ 'countersign.toml': config, 'tokens.txt': tokens })[word] ?? word)
    const to = argv.indexOf('>')
    const told = to < 0 ? argv : argv.slice(0, to)
    const { exitCode, out, err } = await run(told, at)
    expect([program, exitCode], `${line}\n${err}`).toEqual(['countersign', 0])
    printed = out + err
    if (to >= 0) await sendAll(out, told)
    ran++
  }
  expect([token.balances.get(old), token.allowances.get(old, DEX)]).toEqual([0n, 0n])
  expect(ran).toBe(6)
})

test('M-64 --print sweep: text, JSON, a second run, and 1 where something could not be read', async () => {
  const { config, stub, rotate, create, file } = place('list')
  const { json: key } = await create(...EVM, '--policy', file('policy.json', FEE))
  const old = key['address'] as string
  expect((await rotate('--print', 'sweep', '--json')).json['error'].code).toBe('key/rotation')
  const begun = await rotate('--begin', '--json')
  const next = begun.json['versions'][1].address as string
  expect(begun.json['notes'].join()).toContain('--print sweep')
  const token = holdings(stub, old)
  const options = ['--print', 'sweep', '--token', USDC.toLowerCase(), '--spender', DEX]
  const text = await rotate(...options)
  expect([text.exitCode, text.out]).toEqual([
    0,
    `# Sweep of \`payouts\`, version 1 to 2

Network sepolia (chain 11155111), block 7000000, 2026-11-18T11:06:40Z. Done: 4 of 9.

From \`${old}\` (v1, active) to \`${next}\` (v2, pending).

## First

- [x] no transaction of the old address waits
- [x] the old address runs no code
- [x] the new address runs no code
- [x] the new address has sent nothing before
- [ ] the new address has nothing to pay for gas: send it some

## What the new address needs

- [ ] let \`${DEX}\` move \`USDC\` (\`${USDC}\`) of the new address, as far as it still has to

## What the old address has given

- [ ] take back from \`${DEX}\` what it may move of the old address, without limit: all of \`USDC\` (\`${USDC}\`)

## What the old address has

- [ ] move 250 (250000000 units) of \`USDC\` (\`${USDC}\`)

## Last

- [ ] move 0.5 of the native coin (500000000000000000 wei) last, less what the transfer itself costs: everything above is paid out of it
`,
  ])
  expect(text.err).toContain('Not seen from here')
  const { json } = await rotate(...options, '--json')
  expect(Object.keys(json)).toEqual([
    'key',
    'network',
    'chainId',
    'block',
    'from',
    'to',
    'items',
    'unread',
    'notes',
    'policy',
  ])
  expect(text.err).toContain(JSON.stringify(json['policy']))
  expect(json['items'][6]).toEqual({
    kind: 'allowance',
    done: false,
    token: USDC,
    spender: DEX,
    amount: `${2n ** 256n - 1n}`,
    unlimited: true,
    text: expect.any(String),
  })

  const lines = (await rotate(...options, '--payloads')).out.trim().split('\n')
  expect(lines.map(line => JSON.parse(line).transaction.nonce)).toEqual(['0x0', '0x1', '0x2'])
  const both = await rotate(...options, '--payloads', '--json')
  expect(both.json['payloads'].map((payload: object) => JSON.stringify(payload))).toEqual(lines)

  stub.account(old).pending = 1n
  const stuck = await rotate(...options, '--payloads')
  expect([stuck.exitCode, stuck.out]).toEqual([1, ''])
  expect(stuck.err).toContain('Nothing is there to sign, and the list is not done')
  stub.account(old).pending = 0n

  for (const [address, amount] of [
    [old, 0n],
    [next, 250_000_000n],
  ] as const)
    token.balances.set(amount, address)
  token.allowances.set(0n, old, DEX)
  token.allowances.set(5n, next, DEX)
  Object.assign(stub.account(old), { balance: 0n })
  stub.account(next).balance = 1n
  const over = await rotate(...options, '--payloads')
  expect([over.exitCode, over.out]).toEqual([0, ''])
  const again = await rotate(...options)
  expect(again.out).toContain('Done: 9 of 9')
  expect(again.out).not.toContain('[ ]')
  expect(again.err).not.toContain('A policy that allows')

  const list = file('tokens.txt', `${USDC}\r\n${NFT}\n`)
  const blind = await rotate('--print', 'sweep', '--tokens', list)
  expect([blind.exitCode, blind.out.includes(`- [ ] \`${NFT}\`: balanceOf(${old}): nothing answers`)]).toEqual([
    1,
    true,
  ])
  expect(blind.out).toContain('## Could not be read')
  const none = await rotate('--print', 'sweep', '--tokens', list, '--payloads')
  expect([none.exitCode, none.out]).toEqual([1, ''])
  expect(none.err).toContain(`Could not be read: \`${NFT}\`: balanceOf(${old})`)
  addCollection(stub, NFT).operators.set(1n, old, DEX)
  const collected = await rotate('--print', 'sweep', '--only-named', '--collection', NFT, '--spender', DEX)
  expect([
    collected.exitCode,
    collected.out.includes(`what it may move of the old address: everything of the collection \`${NFT}\``),
  ]).toEqual([0, true])

  stub.chainId = 1n
  const lying = await rotate('--print', 'sweep', '--json')
  expect([lying.exitCode, lying.json['error'].code, lying.out.includes(EVM_RPC)]).toEqual([
    1,
    'network/malformed',
    false,
  ])
  // The new address has to be proven by its key service; who cannot ask it prints no address.
  stub.chainId = 11155111n
  expect((await rotate('--print', 'sweep', '--only-named')).exitCode).toBe(0)
  writeFileSync(config, readFileSync(config, 'utf8').replace('[providers.mock]\nkind = "mock"\n', ''))
  const unproven = await rotate('--print', 'sweep', '--only-named', '--json')
  expect([unproven.exitCode, unproven.json['error'].code, unproven.out.includes(next)]).toEqual([
    1,
    'config/invalid',
    false,
  ])
})

test('M-64 --print sweep: what is no address, what a step has no use for, and the key of another chain', async () => {
  const { rotate, create, file } = place('usage')
  await create(...EVM)
  await rotate('--begin')
  const wrong = `${USDC.slice(0, -1)}3`
  for (const argv of [
    ['--print', 'sweep', '--token', wrong],
    ['--print', 'sweep', '--spender', 'vitalik.eth'],
    ['--print', 'sweep', '--tokens', file('bad.txt', `${USDC}\n${wrong}\u001b[31m\n`)],
    ['--print', 'sweep', '--tokens', file('none', 'x') + '.missing'],
    ['--print', 'sweep', '--account', USDC],
    ['--print', 'sweep', '--sequence', '1'],
    ['--print', 'add', '--token', USDC],
    ['--print', 'drop', '--payloads'],
    ['--open', '--spender', DEX],
    ['--status', '--only-named'],
  ]) {
    const { exitCode, out, err } = await rotate(...argv)
    expect([exitCode, out, err.includes('\u001b')], argv.join(' ')).toEqual([2, '', false])
  }
  const add = await rotate('--print', 'add', '--json')
  expect([add.exitCode, add.json['error'].code, add.json['error'].reason]).toEqual([
    1,
    'key/unsupported',
    expect.stringContaining('sweep'),
  ])

  const stellar = place('stellar')
  await stellar.create()
  await stellar.rotate('--begin')
  const refused = await stellar.rotate('--print', 'sweep', '--json')
  expect([refused.exitCode, refused.json['error'].code, refused.json['error'].reason]).toEqual([
    1,
    'key/unsupported',
    expect.stringContaining('add or drop'),
  ])
})

test('M-64 endpoints of EVM networks: rpc alone, of the network of the key', async () => {
  const CASES: readonly (readonly [networks: string, path: string])[] = [
    ['', 'networks.sepolia.rpc'],
    ['[networks.base]\nrpc = "https://a.example/"\n', 'networks.sepolia.rpc'],
    [`${ENDPOINT}horizon = "https://a.example/"\n`, 'networks.sepolia.horizon'],
  ]
  for (const [at, [networks, path]] of CASES.entries()) {
    const { rotate, create } = place(`endpoints-${at}`, networks)
    await create(...EVM)
    await rotate('--begin')
    const { exitCode, json } = await rotate('--print', 'sweep', '--json')
    expect([exitCode, json['error'].problems[0].path], path).toEqual([1, path])
  }
})
