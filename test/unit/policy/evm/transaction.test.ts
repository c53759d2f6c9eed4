import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keccak256, maxUint256 } from 'viem'
import type { EvmSetCodeView, EvmTransactionView } from '../../../../src/domain/evm.ts'
import { EVM_RULE_NAMES, type EvmRulesDocument, judgeEvm } from '../../../../src/policy/evm/index.ts'
import {
  account,
  address,
  alice,
  bob,
  CHAIN,
  code,
  encode,
  exec,
  facts,
  outcome,
  own,
  parse,
  refusal,
  router,
  safe,
  stranger,
  transaction,
  usdc,
  vault,
  wallet,
} from './samples.ts'

const pay = transaction({ to: alice, valueWei: 10n ** 18n })
const send = (to: string, data: string, changes: Partial<EvmTransactionView> = {}) =>
  transaction({ to, data, ...changes })
const withEvm = (changes: object): EvmRulesDocument => ({ evm: { ...wallet.evm, ...changes } })
const authorization = { chainId: CHAIN, address: code, nonce: 1n }

test('M-52 the empty policy denies every kind of payload', () => {
  const views = [
    pay,
    send(usdc, encode('transfer', [alice, 1n])),
    transaction({ to: null, data: '0x6001' }),
    { kind: 'evm-set-code', network: 'sepolia', ...authorization } as const,
    {
      kind: 'typed-data',
      network: 'sepolia',
      domain: { chainId: CHAIN, verifyingContract: usdc },
      primaryType: 'Mail',
      message: {},
    } as const,
    { kind: 'message', network: 'sepolia', form: 'eip-191', bytes: new TextEncoder().encode('hello there') } as const,
    { kind: 'raw-digest', network: 'sepolia', digest: `0x${'11'.repeat(32)}` } as const,
  ]
  for (const view of views) for (const empty of [{}, { evm: {} }]) assert.match(outcome(empty, view), /^deny/)
})

test('M-52 what the wallet of the samples allows', () => {
  assert.equal(outcome(wallet, pay), 'allow')
  assert.equal(outcome(wallet, transaction({ to: own })), 'allow')
  assert.equal(outcome(wallet, send(usdc, encode('transfer', [bob, 1000n]))), 'allow')
  assert.equal(outcome(wallet, send(usdc, encode('transferFrom', [own, alice, 1n]))), 'allow')
  assert.equal(outcome(wallet, send(usdc, encode('approve', [router, 1000n]))), 'allow')
  assert.equal(outcome(wallet, send(usdc, encode('increaseAllowance', [router, 5n]))), 'allow')
  assert.equal(outcome(wallet, send(usdc, encode('decreaseAllowance', [router, maxUint256]))), 'allow')
  assert.equal(outcome(wallet, send(vault, encode('deposit', [500n, own]))), 'allow')
  const swap = [[[usdc, 1000n, true]], '0xdeadbeef', 'memo', -100, ['0x12345678', '0x00000000']]
  assert.equal(outcome(wallet, send(router, encode('swap', swap), { valueWei: 5n })), 'allow')
})

test('M-52 every rule that a transaction is asked has its say, in order', () => {
  const judgements = judgeEvm(parse(wallet), pay, facts)
  const names = judgements.map(({ rule }) => rule)
  assert.ok(judgements.every(({ passed }) => passed.endsWith('.')))
  assert.deepEqual(names, EVM_RULE_NAMES.slice(0, 10))
})

test('M-52 one thing beyond the grants is denied, by the rule it breaks', () => {
  const cases: ReadonlyArray<readonly [string, string, EvmTransactionView]> = [
    ['value above the cap', 'deny evm-value', transaction({ valueWei: 10n ** 18n + 1n })],
    ['negative value', 'deny evm-value', transaction({ valueWei: -1n })],
    ['stranger paid', 'deny evm-calls', transaction({ to: stranger })],
    ['fee', 'deny evm-fee', transaction({ gasLimit: 200_001n })],
    ['priority above fee', 'deny evm-fee', transaction({ maxPriorityFeePerGasWei: 10_000_000_001n })],
    ['negative gas', 'deny evm-fee', transaction({ gasLimit: -1n })],
    ['other account', 'deny evm-from', transaction({ from: alice })],
    ['other network', 'deny evm-network', transaction({ network: 'mainnet' })],
    ['creation', 'deny evm-create', transaction({ to: null, data: '0x600160' })],
    ['unknown selector', 'deny evm-calls', send(vault, '0x12345678')],
    ['part of a selector', 'deny evm-calls', send(vault, '0x123456')],
    ['known selector, other contract', 'deny evm-calls', send(router, encode('deposit', [1n, own]))],
    ['data for a payee', 'deny evm-calls', send(alice, encode('transfer', [alice, 1n]))],
    ['wei with a call', 'deny evm-calls', send(vault, encode('deposit', [1n, own]), { valueWei: 1n })],
    ['wei with a token call', 'deny evm-calls', send(usdc, encode('transfer', [alice, 1n]), { valueWei: 1n })],
    ['integer below', 'deny evm-calls', send(vault, encode('deposit', [0n, own]))],
    ['integer above', 'deny evm-calls', send(vault, encode('deposit', [501n, own]))],
    ['address not listed', 'deny evm-calls', send(vault, encode('deposit', [5n, alice]))],
    ['token receiver', 'deny evm-calls', send(usdc, encode('transfer', [stranger, 1n]))],
    ['token above the cap', 'deny evm-tokens', send(usdc, encode('transfer', [alice, 1001n]))],
    ['token sender', 'deny evm-calls', send(usdc, encode('transferFrom', [bob, alice, 1n]))],
    ['spender', 'deny evm-calls', send(usdc, encode('approve', [stranger, 1n]))],
    ['allowance above the cap', 'deny evm-calls', send(usdc, encode('approve', [router, 1001n]))],
    ['allowance without end', 'deny evm-calls', send(usdc, encode('approve', [router, maxUint256]))],
    ['increase without end', 'deny evm-calls', send(usdc, encode('increaseAllowance', [router, maxUint256]))],
    ['all of a token', 'deny evm-calls', send(usdc, encode('setApprovalForAll', [router, true]))],
    [
      'permit on chain',
      'deny evm-calls',
      send(usdc, encode('permit', [own, router, 1n, 1n, 27, `0x${'00'.repeat(32)}`, `0x${'00'.repeat(32)}`])),
    ],
  ]
  for (const [what, expected, view] of cases) assert.equal(outcome(wallet, view), expected, what)
})

test('M-52 each argument of a call is held to its bound', () => {
  const good = [[[usdc, 1000n, true]], '0xdeadbeef', 'memo', -100, ['0x12345678', '0x00000000']] as const
  const faults: ReadonlyArray<readonly [number, unknown]> = [
    [0, []],
    [
      0,
      [
        [usdc, 1n, true],
        [usdc, 1n, true],
        [usdc, 1n, true],
      ],
    ],
    [0, [[alice, 1n, true]]],
    [0, [[usdc, 1001n, true]]],
    [0, [[usdc, 1n, false]]],
    [1, '0xdeadbeef00'],
    [2, 'Memo'],
    [3, -101],
    [3, 101],
    [4, ['0x12345678', '0x12345679']],
  ]
  for (const [at, value] of faults) {
    assert.equal(
      outcome(wallet, send(router, encode('swap', good.with(at, value as never)))),
      'deny evm-calls',
      `${at}`,
    )
  }
})

test('T35 an encoding that is not the one is not judged', () => {
  const data = encode('transfer', [alice, 1n])
  for (const other of [
    `${data}00`,
    `${data}${'00'.repeat(32)}`,
    data.slice(0, -2),
    data.slice(0, 10),
    data.replace(/^(0x.{8})00/, '$101'),
    data.toUpperCase().replace('0X', '0x'),
    `0x${data.slice(2)}g`,
  ]) {
    assert.match(outcome(wallet, send(usdc, other)), /^(undecided|deny) evm-calls$/, other)
  }
})

test('T34 transactions of type 0 to 4 with chain id {pinned, other, 0, absent}: only types 0 to 2 on the pinned chain', () => {
  const chains = { pinned: CHAIN, other: 1n, zero: 0n, absent: undefined as unknown as bigint }
  for (const type of [0, 1, 2, 3, 4] as const) {
    for (const [name, chainId] of Object.entries(chains)) {
      const extra = { blobs: type === 3 ? 1 : 0, authorizations: type === 4 ? [authorization] : [] }
      const expected = name === 'pinned' && type <= 2
      assert.equal(outcome(wallet, transaction({ type, chainId, ...extra })) === 'allow', expected, `${type} ${name}`)
      const loose = withEvm({ blobs: { max: 2 }, setCode: { codes: [code] } })
      assert.equal(
        outcome(loose, transaction({ type, chainId, ...extra })) === 'allow',
        name === 'pinned',
        `${type} ${name}, granted`,
      )
    }
  }
  assert.equal(outcome(wallet, pay, { ...facts, keyChainId: undefined }), 'undecided evm-chain')
  assert.equal(outcome(wallet, transaction({ chainId: 0n }), { ...facts, keyChainId: 0n }), 'undecided evm-chain')
  assert.equal(outcome(wallet, transaction({ type: 5 as never })), 'undecided evm-type')
})

test('T34 D16 what belongs to another type of transaction is refused', () => {
  const all = withEvm({ blobs: { max: 2 }, setCode: { codes: [code] } })
  const cases: ReadonlyArray<readonly [string, Partial<EvmTransactionView>]> = [
    ['undecided evm-type', { type: 2, blobs: 1 }],
    ['undecided evm-type', { type: 2, maxFeePerBlobGasWei: 1n }],
    ['undecided evm-type', { type: 2, authorizations: [authorization] }],
    ['deny evm-type', { type: 3, blobs: 0 }],
    ['deny evm-type', { type: 3, blobs: 3 }],
    ['deny evm-type', { type: 4 }],
    ['deny evm-type', { type: 3, blobs: 1, to: null, data: '0x6001' }],
    ['deny evm-fee', { type: 3, blobs: 2, maxFeePerBlobGasWei: 10n ** 10n }],
    ['allow', { type: 3, blobs: 2, maxFeePerBlobGasWei: 1n }],
  ]
  for (const [expected, changes] of cases)
    assert.equal(
      outcome(all, transaction(changes)),
      expected,
      JSON.stringify(changes, (_, v) => String(v)),
    )
})

test('T34 EIP-7702: code by address, chain 0 only where any chain is granted', () => {
  const setCode = (changes: Partial<EvmSetCodeView> = {}): EvmSetCodeView => ({
    kind: 'evm-set-code',
    network: 'sepolia',
    ...authorization,
    ...changes,
  })
  const granted = withEvm({ setCode: { codes: [code] } })
  const anywhere = withEvm({ setCode: { codes: [code], anyChain: true } })
  const cases: ReadonlyArray<readonly [object, Partial<EvmSetCodeView>, string]> = [
    [wallet, {}, 'deny'],
    [granted, {}, 'allow'],
    [granted, { chainId: 0n }, 'deny'],
    [granted, { chainId: 1n }, 'deny'],
    [granted, { address: stranger }, 'deny'],
    [granted, { address: address('0') }, 'deny'],
    [granted, { nonce: -1n }, 'deny'],
    [granted, { address: 'nonsense' }, 'undecided'],
    [anywhere, { chainId: 0n }, 'allow'],
    [anywhere, { chainId: 1n }, 'deny'],
  ]
  for (const [policy, changes, expected] of cases) {
    const want = expected === 'allow' ? 'allow' : `${expected} evm-set-code`
    assert.equal(outcome(policy, setCode(changes)), want)
    const authorizations = [authorization, { ...authorization, ...changes }]
    assert.equal(outcome(policy, transaction({ type: 4, authorizations })).split(' ')[0], expected)
  }
  assert.equal(
    outcome(anywhere, setCode({ chainId: 0n }), { ...facts, keyChainId: undefined }),
    'undecided evm-set-code',
  )
})

test('T35 contracts are created only with the code whose hash is listed', () => {
  const data = '0x6001600155'
  const listed = withEvm({ create: { initCodeHashes: [keccak256(data)] } })
  assert.equal(outcome(listed, transaction({ to: null, data, valueWei: 1n })), 'allow')
  assert.equal(outcome(listed, transaction({ to: null, data: `${data}00` })), 'deny evm-create')
  assert.equal(outcome(listed, transaction({ to: null, data: '0x' })), 'undecided evm-create')
  assert.equal(
    outcome(withEvm({ create: { initCodeHashes: 'any' } }), transaction({ to: null, data: '0x00' })),
    'allow',
  )
  assert.equal(outcome(listed, transaction({ to: null, data, valueWei: 10n ** 18n + 1n })), 'deny evm-value')
})

test('T35 calls inside calls are judged like calls', () => {
  const transfer = encode('transfer', [alice, 600n])
  const deposit = encode('deposit', [1n, own])
  const cases: ReadonlyArray<readonly [string, string, EvmTransactionView]> = [
    ['allow', 'a Safe sends tokens', send(safe, exec(usdc, 0n, transfer))],
    ['allow', 'a Safe pays', send(safe, exec(alice, 5n, '0x'))],
    ['allow', 'two deposits', send(vault, encode('multicall', [[deposit, deposit]]))],
    ['allow', 'nothing at all', send(vault, encode('multicall', [[]]))],
    ['allow', 'a call with wei', send(account, encode('execute', [alice, 5n, '0x']), { valueWei: 5n })],
    ['deny evm-calls', 'Bybit: delegatecall', send(safe, exec(usdc, 0n, transfer, 1))],
    ['deny evm-calls', 'delegatecall without data', send(safe, exec(alice, 0n, '0x', 1))],
    ['deny evm-calls', 'operation 2', send(safe, exec(usdc, 0n, transfer, 2))],
    [
      'deny evm-calls',
      'one bad among good',
      send(vault, encode('multicall', [[deposit, encode('deposit', [501n, own])]])),
    ],
    ['deny evm-calls', 'another function inside', send(vault, encode('multicall', [[transfer]]))],
    ['deny evm-calls', 'a stranger paid by a Safe', send(safe, exec(stranger, 5n, '0x'))],
    [
      'deny evm-value',
      'a sum of wei',
      send(
        account,
        encode('executeBatch', [
          [alice, alice],
          [10n ** 18n, 1n],
          ['0x', '0x'],
        ]),
      ),
    ],
    [
      'deny evm-tokens',
      'a sum of tokens',
      send(
        account,
        encode('executeBatch', [
          [usdc, usdc],
          [0n, 0n],
          [transfer, transfer],
        ]),
      ),
    ],
    [
      'undecided evm-calls',
      'lists of other lengths',
      send(account, encode('executeBatch', [[usdc, usdc], [0n], [transfer, transfer]])),
    ],
    [
      'deny evm-calls',
      'upgrade in a batch',
      send(account, encode('aggregate3', [[[vault, true, encode('upgradeTo', [stranger])]]])),
    ],
    ['deny evm-calls', 'multiSend', send(safe, exec(vault, 0n, encode('multiSend', ['0x00'])))],
    ['undecided evm-calls', 'half an encoding inside', send(safe, exec(usdc, 0n, `${transfer}00`))],
  ]
  for (const [expected, what, view] of cases) assert.equal(outcome(wallet, view), expected, what)
})

test('T35 depth and number of calls inside calls have an end', () => {
  let data = '0x'
  let to: string = alice
  const depths: string[] = []
  for (let depth = 1; depth <= 6; depth++) {
    data = encode('execute', [to, 0n, data])
    to = account
    depths.push(outcome(wallet, send(account, data)))
  }
  assert.deepEqual(depths, ['allow', 'allow', 'allow', 'allow', 'undecided evm-calls', 'undecided evm-calls'])
  const batch = (count: number) =>
    encode('multicall', [Array.from({ length: count }, () => encode('deposit', [1n, own]))])
  assert.equal(outcome(wallet, send(vault, batch(255))), 'allow')
  assert.equal(outcome(wallet, send(vault, batch(256))), 'undecided evm-calls')
})

test('T35 D16 upgrades need the louder list, and then their arguments too', () => {
  const bad = parseError({ evm: { calls: [{ to: [vault], function: 'upgradeTo(address)', arguments: ['any'] }] } })
  assert.match(bad, /sensitiveCalls/)
  const loud = withEvm({
    sensitiveCalls: [{ to: [vault], function: 'upgradeTo(address)', arguments: [{ addresses: [code] }] }],
  })
  assert.equal(outcome(loud, send(vault, encode('upgradeTo', [code]))), 'allow')
  assert.equal(outcome(loud, send(vault, encode('upgradeTo', [stranger]))), 'deny evm-calls')
  assert.equal(outcome(loud, send(vault, encode('setImplementation', [code]))), 'deny evm-calls')
  assert.equal(outcome(loud, send(vault, encode('upgradeToAndCall', [code, '0x']))), 'deny evm-calls')
})

test('D16 unlimited approvals need the word, on each of the two lists', () => {
  const [token] = wallet.evm?.tokens ?? []
  const unlimited = withEvm({ tokens: [{ ...token, unlimitedApprovals: true }] })
  assert.equal(outcome(unlimited, send(usdc, encode('approve', [router, maxUint256]))), 'allow')
  assert.equal(outcome(unlimited, send(usdc, encode('approve', [stranger, maxUint256]))), 'deny evm-calls')
  assert.equal(outcome(unlimited, send(usdc, encode('transfer', [alice, maxUint256]))), 'deny evm-tokens')
  const entry = { to: [usdc], function: 'approve(address,uint256)', arguments: ['any', 'any'] }
  assert.match(parseError({ evm: { calls: [entry] } }), /unlimitedApprovals/)
  assert.match(
    parseError({ evm: { calls: [{ ...entry, arguments: ['any', { between: ['0', String(maxUint256)] }] }] } }),
    /unlimitedApprovals/,
  )
  const nft = { to: [vault], function: 'setApprovalForAll(address,bool)', arguments: ['any', 'any'] }
  assert.match(parseError({ evm: { calls: [nft] } }), /unlimitedApprovals/)
  const all = {
    fee: wallet.evm?.fee,
    calls: [
      { ...entry, unlimitedApprovals: true },
      { ...nft, arguments: ['any', { is: false }] },
    ],
  }
  assert.equal(outcome({ evm: all }, send(usdc, encode('approve', [stranger, maxUint256]))), 'allow')
  assert.equal(outcome({ evm: all }, send(vault, encode('setApprovalForAll', [stranger, false]))), 'allow')
  assert.equal(outcome({ evm: all }, send(vault, encode('setApprovalForAll', [stranger, true]))), 'deny evm-calls')
})

test('M-52 a document that cannot mean what it says is refused', () => {
  const call = (entry: object) => ({
    evm: { calls: [{ to: [vault], function: 'f(uint256)', arguments: ['any'], ...entry }] },
  })
  const cases: ReadonlyArray<readonly [object, RegExp]> = [
    [{ evm: { unknown: 1 } }, /unknown/],
    [{ other: 1 }, /other/],
    [{ evm: { maxWei: 5 } }, /expected string/],
    [{ evm: { maxWei: '1e18' } }, /whole number/],
    [{ evm: { maxWei: '01' } }, /whole number/],
    [{ evm: { maxWei: String(1n << 256n) } }, /whole number/],
    [{ evm: { payments: { destinations: [alice.toLowerCase()] } } }, /checksum/],
    [{ evm: { payments: { destinations: [alice, alice] } } }, /twice/],
    [call({ function: 'f(uint)' }), /signature/],
    [call({ arguments: [] }), /takes 1 arguments/],
    [call({ arguments: [{ addresses: [] }] }), /does not fit/],
    [call({ arguments: ['nested'] }), /does not fit/],
    [call({ arguments: [{ entries: [0, 1] }] }), /does not fit/],
    [call({ function: 'multicall(bytes[])' }), /describes a call/],
    [{ evm: { sensitiveCalls: [{ to: [vault], function: 'f()', arguments: [] }] } }, /not sensitive/],
    [{ evm: { windows: [{ asset: 'fee', destination: 'each', seconds: 60, max: '1' }] } }, /destination/],
    [
      {
        evm: {
          windows: [
            { asset: 'native', seconds: 60, max: '1' },
            { asset: 'native', seconds: 60, max: '2' },
          ],
        },
      },
      /twice/,
    ],
    [{ messages: [{ prefix: 'short', maxBytes: 10 }] }, /beginning/],
    [{ messages: [{ prefix: 'with\nnew line', maxBytes: 10 }] }, /beginning/],
  ]
  for (const [document, reason] of cases) {
    assert.match(parseError(document), reason, JSON.stringify(document))
  }
})

test('T35 a function with the four bytes of a known one cannot pass for another', () => {
  // transferFrom(address,address,uint256) and gasprice_bit_ether(int128) share 0x23b872dd.
  const entry = { to: [usdc], function: 'gasprice_bit_ether(int128)', arguments: ['any'] }
  assert.match(parseError({ evm: { calls: [entry] } }), /has the selector of transferFrom/)
})

test('T35 a router whose calls cannot be read is denied, and needs the louder list', () => {
  const universal = 'execute(bytes,bytes[],uint256)'
  assert.equal(outcome(wallet, send(router, '0x3593564c')), 'deny evm-calls')
  const entry = { to: [router], function: universal, arguments: ['any', 'any', 'any'] }
  assert.match(parseError({ evm: { calls: [entry] } }), /calls that cannot be read/)
  assert.equal(parseError({ evm: { sensitiveCalls: [entry] } }), '')
})

test('EIP-55 addresses of a policy have the checksum of the published examples, and no other spelling', () => {
  for (const published of [
    '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
    '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359',
    '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
    '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb',
    '0x52908400098527886E0F7030069857D2E4169EE7',
    '0xde709f2102306220921060314715629080e2fb77',
  ]) {
    const payTo = (text: string) => withEvm({ payments: { destinations: [text] } })
    assert.equal(outcome(payTo(published), transaction({ to: published })), 'allow')
    const swapped = published.replace(/[a-f]/, letter => letter.toUpperCase())
    if (swapped !== published) assert.match(parseError(payTo(swapped)), /checksum/, swapped)
    assert.match(parseError(payTo(published.slice(0, -1))), /EIP-55/)
  }
})

test('T34 the example of EIP-155 passes where its key is pinned to chain 1, and nowhere else', () => {
  const to = '0x3535353535353535353535353535353535353535'
  const example = transaction({
    type: 0,
    chainId: 1n,
    nonce: 9n,
    gasLimit: 21_000n,
    maxFeePerGasWei: 20n * 10n ** 9n,
    maxPriorityFeePerGasWei: 20n * 10n ** 9n,
    to,
    valueWei: 10n ** 18n,
  })
  const policy = withEvm({ payments: { destinations: [to] } })
  assert.equal(outcome(policy, example, { ...facts, keyChainId: 1n }), 'allow')
  assert.equal(outcome(policy, example), 'deny evm-chain')
})

test('M-52 a refusal says what and where', () => {
  const found = refusal(wallet, send(safe, exec(usdc, 0n, '0x', 1)))
  assert.equal(found?.reason, `a call of ${usdc} is made by delegatecall, which runs foreign code as its own`)
})

test('M-52 a payload that breaks its own type gets an answer', () => {
  for (const field of [
    'to',
    'data',
    'valueWei',
    'nonce',
    'gasLimit',
    'maxFeePerGasWei',
    'maxPriorityFeePerGasWei',
    'blobs',
    'from',
    'authorizations',
    'type',
    'chainId',
    'network',
  ]) {
    for (const value of [undefined, 'x', {}]) {
      assert.notEqual(outcome(wallet, { ...pay, [field]: value }), 'allow', field)
    }
  }
  assert.match(outcome(wallet, { kind: 'other', network: 'sepolia' } as never), /^undecided evm-type/)
})

function parseError(document: unknown): string {
  try {
    parse(document)
  } catch (error) {
    return String(error)
  }
  return ''
}
