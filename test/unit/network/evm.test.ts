/** What a node of an EVM network answers, and what comes instead. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeFunctionResult, encodeFunctionData, encodeFunctionResult, type Hex, parseAbi, stringToHex } from 'viem'
import {
  addressIn,
  boolIn,
  delegateIn,
  questionData,
  tickerIn,
  uintIn,
  unitsText,
  wordsIn,
} from '../../../src/chains/evm/index.ts'
import { fromHex, toHex } from '../../../src/bytes/hex.ts'
import { isSignerError } from '../../../src/domain/errors.ts'
import type { Fetch } from '../../../src/domain/ports.ts'
import { openEvmNetwork } from '../../../src/network/evm.ts'
import { manualClock } from '../../support/audit-world.ts'
import { addToken, erc20, EVM_RPC, type Lie, openStubEvm, type StubEvm } from '../../support/stub-evm.ts'

const [OWNER, TOKEN] = ['0x62Af881c0B64958041c3ABF59AC79c32Dc7A6eF2', '0x7acEf1435A617Faf22a9CD6aaf592aA527767dcc']
const never = new AbortController().signal
const bytes = (hex: string): Uint8Array => fromHex(hex.slice(2)) ?? new Uint8Array()

function open(stub: StubEvm, fetch: Fetch = stub.fetch, bodyBytesMax = 100_000) {
  const clock = manualClock(0)
  const limits = { deadlineMs: 1000, bodyBytesMax, tries: 1 }
  return {
    clock,
    network: openEvmNetwork({ name: 'sepolia', chainId: 11155111n, rpcUrl: EVM_RPC, fetch, clock, limits }),
  }
}

/** The code that all of it is refused with, and the reason. */
const failure = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'answered',
    (error: unknown) => (isSignerError(error) ? `${error.code} ${JSON.stringify(error.detail)}` : String(error)),
  )

async function everything(stub: StubEvm, fetch?: Fetch): Promise<void> {
  const state = await open(stub, fetch).network.latest(never)
  await Promise.all([state.balance(OWNER), state.sent(OWNER), state.sentWithPending(OWNER), state.code(OWNER)])
  await state.call(TOKEN, questionData('balanceOf(address)', OWNER))
  assert.ok(await state.stands())
}

test('M-64 an EVM node is asked for its chain first, and for everything else at one block', async () => {
  const stub = openStubEvm()
  Object.assign(stub.account(OWNER), { balance: 5n, nonce: 3n, pending: 2n, code: '0xef0100' })
  addToken(stub, TOKEN).balances.set(77n, OWNER)
  const state = await open(stub).network.latest(never)
  assert.deepEqual(stub.asked, ['eth_chainId', 'eth_getBlockByNumber'])
  assert.deepEqual(
    [await state.balance(OWNER), await state.sent(OWNER), await state.sentWithPending(OWNER)],
    [5n, 3n, 5n],
  )
  assert.deepEqual(await state.code(OWNER), bytes('0xef0100'))
  const found = await state.call(TOKEN, questionData('balanceOf(address)', OWNER))
  assert.equal(found.kind === 'returned' && uintIn(found.data), 77n)
  assert.deepEqual(
    [state.block.number, state.block.time, state.block.baseFeeWei],
    [7_000_000n, 1_795_000_000n, 10n ** 9n],
  )
  assert.equal(await state.stands(), true)
  stub.block.hash = `0x${'1'.repeat(64)}`
  assert.equal(await state.stands(), false, 'another block has its number now')
  stub.lies.set('eth_getBlockByNumber', result(null))
  assert.equal(await state.stands(), false, 'no block has it any more')
})

/** The same envelope with another result. */
const result =
  (value: unknown): Lie =>
  async honest => {
    const { error: _, ...rest } = (await honest.json()) as Record<string, unknown>
    return Response.json({ ...rest, result: value })
  }
const changed =
  (change: (body: Record<string, unknown>) => unknown): Lie =>
  async honest =>
    Response.json(change((await honest.json()) as Record<string, unknown>))
const block = (change: Record<string, unknown>): Lie =>
  changed(body => ({ ...body, result: { ...(body['result'] as object), ...change } }))

const LIES: readonly (readonly [name: string, method: string, lie: Lie, code: string])[] = [
  ['another chain', 'eth_chainId', result('0x1'), 'network/malformed'],
  ['a chain in decimal', 'eth_chainId', result('11155111'), 'network/malformed'],
  ['a chain as a number', 'eth_chainId', result(11155111), 'network/malformed'],
  ['no block', 'eth_getBlockByNumber', result(null), 'network/malformed'],
  ['a block as text', 'eth_getBlockByNumber', result('0x6acfc0'), 'network/malformed'],
  ['a block without a hash', 'eth_getBlockByNumber', block({ hash: undefined }), 'network/malformed'],
  ['a short hash', 'eth_getBlockByNumber', block({ hash: '0x07' }), 'network/malformed'],
  ['a block that waits', 'eth_getBlockByNumber', block({ number: null }), 'network/malformed'],
  ['a time with a sign', 'eth_getBlockByNumber', block({ timestamp: '-0x1' }), 'network/malformed'],
  ['a fee that is none', 'eth_getBlockByNumber', block({ baseFeePerGas: '1' }), 'network/malformed'],
  ['a leading zero', 'eth_getBalance', result('0x05'), 'network/malformed'],
  ['upper case', 'eth_getBalance', result('0xA'), 'network/malformed'],
  ['nothing after 0x', 'eth_getBalance', result('0x'), 'network/malformed'],
  ['257 bits', 'eth_getBalance', result(`0x1${'0'.repeat(64)}`), 'network/malformed'],
  ['a number', 'eth_getBalance', result(5), 'network/malformed'],
  ['null', 'eth_getBalance', result(null), 'network/malformed'],
  ['a list', 'eth_getTransactionCount', result(['0x1']), 'network/malformed'],
  ['a newline', 'eth_getTransactionCount', result('0x1\n'), 'network/malformed'],
  ['half a byte', 'eth_getCode', result('0xe'), 'network/malformed'],
  ['code in upper case', 'eth_getCode', result('0xEF'), 'network/malformed'],
  ['half a byte of a contract', 'eth_call', result('0x0'), 'network/malformed'],
  ['no hex of a contract', 'eth_call', result('0xzz'), 'network/malformed'],
  ['no result and no error', 'eth_call', changed(({ result: _, ...rest }) => rest), 'network/malformed'],
  [
    'result and error',
    'eth_call',
    changed(body => ({ ...body, error: { code: 3, message: '' } })),
    'network/malformed',
  ],
  ['another id', 'eth_call', changed(body => ({ ...body, id: 999 })), 'network/malformed'],
  ['JSON-RPC 1.0', 'eth_call', changed(body => ({ ...body, jsonrpc: '1.0' })), 'network/malformed'],
  ['a list of answers', 'eth_call', changed(body => [body]), 'network/malformed'],
  [
    'an error without a code',
    'eth_call',
    changed(({ result: _, ...rest }) => ({ ...rest, error: {} })),
    'network/malformed',
  ],
  [
    'an error',
    'eth_getBalance',
    changed(({ result: _, ...rest }) => ({ ...rest, error: { code: -32005, message: 'slow down' } })),
    'network/unavailable',
  ],
  [
    'HTML',
    'eth_getCode',
    () => new Response('<html>hello</html>', { headers: { 'content-type': 'text/html' } }),
    'network/malformed',
  ],
  [
    'a name twice',
    'eth_getCode',
    () => new Response('{"jsonrpc":"2.0","id":1,"result":"0x","result":"0x01"}'),
    'network/malformed',
  ],
  [
    'a redirect',
    'eth_getCode',
    () => new Response(null, { status: 307, headers: { location: 'http://127.0.0.1/other' } }),
    'network/malformed',
  ],
  ['busy', 'eth_getCode', () => new Response('later', { status: 429 }), 'network/unavailable'],
  ['not allowed', 'eth_getCode', () => new Response('', { status: 401 }), 'network/malformed'],
  ['endless', 'eth_call', result(`0x${'00'.repeat(60_000)}`), 'network/malformed'],
]

for (const [name, method, lie, code] of LIES) {
  test(`M-64 an EVM node that answers ${method} with ${name} is ${code}`, async () => {
    const stub = openStubEvm()
    addToken(stub, TOKEN)
    await everything(stub)
    stub.lies.set(method, lie)
    const found = await failure(everything(stub))
    assert.equal(found.split(' ')[0], code, found)
    assert.ok(!found.includes(EVM_RPC) && !found.includes('slow down'), found)
  })
}

test('M-64 an EVM node that is behind by more than an hour is not believed to know what there is', async () => {
  const stub = openStubEvm()
  const at = async (behindMs: number) => {
    const clock = manualClock(Number(stub.block.time) * 1000 + behindMs)
    return failure(
      openEvmNetwork({ name: 'sepolia', chainId: 11155111n, rpcUrl: EVM_RPC, fetch: stub.fetch, clock }).latest(never),
    )
  }
  assert.match(await at(3_600_001), /^network\/unavailable.*60 minutes old/)
  stub.block.time = 0n
  assert.match(await at(1_795_000_000_000), /^network\/unavailable/, 'one that has only begun to follow the chain')
  stub.block.time = 1_795_000_000n
  for (const behindMs of [3_600_000, 0, -12_000]) assert.equal(await at(behindMs), 'answered')
})

test('M-64 an EVM node that says neither a result nor an error is told so', async () => {
  const stub = openStubEvm()
  const state = await open(stub).network.latest(never)
  stub.lies.set(
    'eth_getBlockByNumber',
    changed(({ result: _, ...rest }) => rest),
  )
  assert.match(await failure(state.stands()), /^network\/malformed.*neither a result nor an error/)
})

test('M-64 an EVM node that does not answer is given up at the deadline, and few questions are under way at once', async () => {
  const stub = openStubEvm()
  const { clock, network } = open(stub, (url, init) =>
    JSON.stringify(init).includes('eth_getBalance') ? new Promise<Response>(() => {}) : stub.fetch(url, init),
  )
  const state = await network.latest(never)
  const waiting = failure(state.balance(OWNER))
  clock.advance(1001)
  assert.match(await waiting, /^network\/unavailable.*within 1000 ms/)

  let [now, most] = [0, 0]
  const counted = open(stub, async (url, init) => {
    most = Math.max(most, ++now)
    await Promise.resolve()
    now--
    return stub.fetch(url, init)
  })
  const quick = await counted.network.latest(never)
  await Promise.all(Array.from({ length: 100 }, () => quick.balance(OWNER)))
  assert.equal(most, 8)
})

test('M-64 code that gives up is told from a node that does not run it', async () => {
  const stub = openStubEvm()
  const state = await open(stub).network.latest(never)
  const answers: readonly [code: number, message: string, kind: string][] = [
    [3, 'execution reverted: no such function', 'reverted'],
    [3, '', 'reverted'],
    [-32000, 'execution reverted', 'reverted'],
    [-32000, 'Invalid opcode: INVALID', 'reverted'],
    [-32015, 'VM execution error.', 'reverted'],
    [-32000, 'header not found', 'failed'],
    [-32005, 'limit exceeded', 'failed'],
    [-32601, '', 'failed'],
  ]
  for (const [code, message, kind] of answers) {
    stub.contracts.set(TOKEN.toLowerCase(), () => ({ code, message }))
    assert.equal((await state.call(TOKEN, questionData('owner()'))).kind, kind, message)
  }
})

test('M-64 questions and answers of contracts are those of viem, and nothing else is an answer', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 256n - 1n), fc.uint8Array({ minLength: 20, maxLength: 20 }), (amount, account) => {
      const address: Hex = `0x${toHex(account)}`
      const question = encodeFunctionData({ abi: erc20, functionName: 'transfer', args: [address, amount] })
      assert.equal(`0x${toHex(questionData('transfer(address,uint256)', address, amount))}`, question)
      const answered = encodeFunctionResult({ abi: erc20, functionName: 'balanceOf', result: amount })
      assert.equal(uintIn(bytes(answered)), amount)
      const owner = parseAbi(['function owner() view returns (address)'])
      const said = encodeFunctionResult({ abi: owner, functionName: 'owner', result: address })
      assert.equal(addressIn(bytes(said)), decodeFunctionResult({ abi: owner, data: said }))
      assert.equal(addressIn(bytes(answered)) === undefined, amount >> 160n !== 0n)
      assert.equal(boolIn(bytes(answered)), amount > 1n ? undefined : amount === 1n)
      for (const odd of [`${answered}00`, answered.slice(0, -2), '0x', `0x00${answered.slice(2)}`]) {
        assert.deepEqual(
          [uintIn(bytes(odd)), boolIn(bytes(odd)), addressIn(bytes(odd)), wordsIn(bytes(odd), 3)],
          [undefined, undefined, undefined, undefined],
        )
      }
    }),
    { numRuns: 300 },
  )
})

test('M-64 a token is called what it says only where that is a few letters and digits', () => {
  const said = (text: string): Uint8Array =>
    bytes(encodeFunctionResult({ abi: erc20, functionName: 'symbol', result: text }))
  for (const text of ['USDC', 'USDC.e', 'stETH', 'A', 'Dai Stablecoin', 'LP-2', 'x'.repeat(24)])
    assert.equal(tickerIn(said(text)), text)
  for (const text of [
    '',
    ' USDC',
    'USDC ',
    'x'.repeat(25),
    'x'.repeat(5000),
    'USD\u0007',
    'USD\nC',
    '[x](http://a)',
    '`rm`',
    'USDС',
    '‮CDSU',
    '\u001b[31m',
    '<b>',
  ]) {
    assert.equal(tickerIn(said(text)), undefined, text)
  }
  assert.equal(tickerIn(bytes(stringToHex('MKR', { size: 32 }))), 'MKR')
  assert.equal(tickerIn(bytes(`0x4d4b5200${'41'.repeat(28)}`)), undefined, 'letters after its end')
  assert.equal(tickerIn(bytes(`0x${'00'.repeat(32)}`)), undefined)
  const honest = toHex(said('USDC'))
  for (const odd of [
    honest.slice(0, -2),
    `${honest}00`,
    honest.replace(/^(0+)20/, '$140'),
    `${honest.slice(0, -2)}01`,
    'ff'.repeat(96),
  ]) {
    assert.equal(tickerIn(bytes(`0x${odd}`)), undefined, odd)
  }
  assert.equal(delegateIn(bytes(`0xef0100${OWNER.slice(2)}`)), OWNER)
  for (const code of ['0x', '0xef0100', `0xef0101${OWNER.slice(2)}`, `0xef0100${OWNER.slice(2)}00`])
    assert.equal(delegateIn(bytes(code)), undefined)
})

test('M-64 amounts are written without rounding', () => {
  for (const [units, decimals, text] of [
    [0n, 6, '0'],
    [1n, 6, '0.000001'],
    [1_500_000n, 6, '1.5'],
    [10n, 0, '10'],
    [10n ** 18n, 18, '1'],
    [2n ** 256n - 1n, 36, '115792089237316195423570985008687907853269.984665640564039457584007913129639935'],
  ] as const) {
    assert.equal(unitsText(units, decimals), text)
  }
})
