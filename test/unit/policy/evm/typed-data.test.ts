import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maxUint160, maxUint256 } from 'viem'
import type { TypedDataView } from '../../../../src/domain/evm.ts'
import type { EvmRulesDocument } from '../../../../src/policy/evm/index.ts'
import { type Rng, seeded } from '../../../fuzz/xdr-mutator.ts'
import {
  address,
  alice,
  bob,
  CHAIN,
  encode,
  facts,
  NOW_S,
  outcome,
  own,
  parse,
  permit,
  permits,
  router,
  safe,
  stranger,
  usdc,
  vault,
  wallet,
} from './samples.ts'

const SEED = Number(process.env['POLICY_SEED'] ?? 20_261_122)
const COUNT = 500
const permit2 = address('77')
const dai = address('88')
const mailer = '0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC'

const domain = (name: string | null, version: string | null, verifyingContract: string, chainId = String(CHAIN)) => ({
  name,
  version,
  chainId,
  verifyingContract,
})
const caps = { maxAmount: '1000', maxLifetimeSeconds: 3600 }
const spender = { addresses: [router] }

const DOCUMENT: EvmRulesDocument = {
  ...wallet,
  typedData: [
    ...(permits.typedData ?? []),
    {
      domain: domain('Dai', '1', dai),
      primaryType: 'Permit',
      fields: { holder: { addresses: ['self'] }, spender, nonce: 'any', expiry: 'any', allowed: 'any' },
      permit: caps,
    },
    {
      domain: domain('Permit2', null, permit2),
      primaryType: 'PermitSingle',
      fields: {
        'details.token': { addresses: [usdc] },
        'details.amount': { between: ['0', '900'] },
        'details.expiration': 'any',
        'details.nonce': 'any',
        spender,
        sigDeadline: 'any',
      },
      permit: caps,
    },
    {
      domain: domain('Permit2', null, permit2),
      primaryType: 'PermitBatchTransferFrom',
      fields: {
        permitted: { entries: [1, 2] },
        'permitted[].token': { addresses: [usdc, vault] },
        'permitted[].amount': 'any',
        spender,
        nonce: 'any',
        deadline: 'any',
      },
      permit: caps,
    },
    {
      domain: domain('USD Coin', '2', usdc),
      primaryType: 'TransferWithAuthorization',
      fields: {
        from: { addresses: ['self'] },
        to: { addresses: [alice] },
        value: 'any',
        validAfter: 'any',
        validBefore: 'any',
        nonce: 'any',
      },
      permit: caps,
    },
    {
      domain: domain('Ether Mail', '1', mailer),
      primaryType: 'Mail',
      fields: {
        'from.name': { texts: ['Cow'] },
        'from.wallet': { addresses: ['0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826'] },
        to: 'any',
        contents: { texts: ['Hello, Bob!'] },
      },
    },
    {
      domain: domain(null, null, safe),
      primaryType: 'SafeTx',
      fields: {
        to: 'nested',
        value: 'nested',
        data: 'nested',
        operation: 'nested',
        safeTxGas: { between: ['0', '0'] },
        baseGas: { between: ['0', '0'] },
        gasPrice: { between: ['0', '0'] },
        gasToken: { addresses: [address('0')] },
        refundReceiver: { addresses: [address('0')] },
        nonce: 'any',
      },
    },
  ],
}

const view = (
  name: string | undefined,
  version: string | undefined,
  verifyingContract: string,
  primaryType: string,
  message: Record<string, unknown>,
): TypedDataView => ({
  kind: 'typed-data',
  network: 'sepolia',
  domain: {
    chainId: CHAIN,
    verifyingContract,
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
  },
  primaryType,
  message,
})

const later = NOW_S + 600n

/** One good payload of each kind that the policy knows. */
const GOOD: readonly TypedDataView[] = [
  permit(),
  view('Dai', '1', dai, 'Permit', { holder: own, spender: router, nonce: 0n, expiry: later, allowed: false }),
  view('Permit2', undefined, permit2, 'PermitSingle', {
    details: { token: usdc, amount: 900n, expiration: later, nonce: 0n },
    spender: router,
    sigDeadline: later,
  }),
  view('Permit2', undefined, permit2, 'PermitBatchTransferFrom', {
    permitted: [
      { token: usdc, amount: 600n },
      { token: usdc, amount: 400n },
    ],
    spender: router,
    nonce: 0n,
    deadline: later,
  }),
  view('USD Coin', '2', usdc, 'TransferWithAuthorization', {
    from: own,
    to: alice,
    value: 1000n,
    validAfter: 0n,
    validBefore: later,
    nonce: `0x${'00'.repeat(32)}`,
  }),
  // The example of EIP-712.
  view('Ether Mail', '1', mailer, 'Mail', {
    from: { name: 'Cow', wallet: '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826' },
    to: { name: 'Bob', wallet: '0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB' },
    contents: 'Hello, Bob!',
  }),
  view(undefined, undefined, safe, 'SafeTx', {
    to: usdc,
    value: 0n,
    data: encode('transfer', [alice, 5n]),
    operation: 0n,
    safeTxGas: 0n,
    baseGas: 0n,
    gasPrice: 0n,
    gasToken: address('0'),
    refundReceiver: address('0'),
    nonce: 3n,
  }),
]

type Path = readonly (string | number)[]

const set = (value: unknown, [key, ...rest]: Path, leaf: unknown): unknown => {
  if (key === undefined) return leaf
  const holder = (value ?? {}) as Record<string | number, unknown>
  if (Array.isArray(value)) return key in value ? value.with(Number(key), set(holder[key], rest, leaf)) : value
  return { ...holder, [key]: set(holder[key], rest, leaf) }
}

const change = (of: TypedDataView, path: Path, leaf: unknown): TypedDataView => set(of, path, leaf) as TypedDataView

/** Each makes a good payload one that must not be signed. */
const COMMON: ReadonlyArray<readonly [Path, unknown]> = [
  [['network'], 'mainnet'],
  [['domain', 'chainId'], 1n],
  [['domain', 'chainId'], 0n],
  [['domain', 'chainId'], undefined],
  [['domain', 'verifyingContract'], stranger],
  [['domain', 'verifyingContract'], undefined],
  [['domain', 'verifyingContract'], 'usdc'],
  [['domain', 'name'], 'Other'],
  [['domain', 'version'], '9'],
  [['domain', 'salt'], `0x${'00'.repeat(32)}`],
  [['primaryType'], 'Order'],
  [['primaryType'], 'permit'],
  [['message', 'extra'], 1n],
  [['message', 'details.amount'], 1n],
  [['message', 'a b'], 1n],
  [['message', '__proto__x'], 1n],
]

const OWN: ReadonlyArray<ReadonlyArray<readonly [Path, unknown]>> = [
  [
    [['message', 'value'], 1001n],
    [['message', 'value'], maxUint256],
    [['message', 'value'], -1n],
    [['message', 'value'], '5'],
    [['message', 'spender'], stranger],
    [['message', 'owner'], alice],
    [['message', 'deadline'], NOW_S + 3601n],
    [['message', 'deadline'], maxUint256],
    [['message', 'deadline'], undefined],
    [['message', 'allowed'], true],
    [['message', 'tokenId'], 1n],
  ],
  [
    [['message', 'allowed'], true],
    [['message', 'expiry'], 0n],
    [['message', 'expiry'], maxUint256],
    [['message', 'holder'], bob],
    [['message', 'allowed'], 1n],
  ],
  [
    [['message', 'details', 'amount'], 901n],
    [['message', 'details', 'amount'], maxUint160],
    [['message', 'details', 'token'], dai],
    [['message', 'details', 'expiration'], later + 86_400n],
    [['message', 'sigDeadline'], maxUint256],
    [['message', 'details'], []],
    [['message', 'details'], 5n],
    [['message', 'spender'], alice],
    [['message', 'details', 'more'], 1n],
  ],
  [
    [['message', 'permitted', 0, 'amount'], 601n],
    [['message', 'permitted', 1, 'token'], dai],
    [['message', 'permitted'], []],
    [['message', 'deadline'], maxUint256],
    [['message', 'permitted', 1, 'note'], 'x'],
    [['message', 'permitted', 0], 7n],
    [['message', 'permitted'], [1n, 2n, 3n].map(amount => ({ token: usdc, amount }))],
    [['message', 'permitted', 0, 'amount'], 'all'],
  ],
  [
    [['message', 'value'], 1001n],
    [['message', 'to'], stranger],
    [['message', 'validBefore'], maxUint256],
    [['message', 'from'], bob],
  ],
  [
    [['message', 'contents'], 'Hello, Eve!'],
    [['message', 'from', 'wallet'], stranger],
    [['message', 'from', 'name'], 'cow'],
    [['message', 'from', 'wallets'], [own]],
    [['message', 'cc'], own],
  ],
  [
    [['message', 'operation'], 1n],
    [['message', 'operation'], undefined],
    [['message', 'to'], stranger],
    [['message', 'value'], 1n],
    [['message', 'data'], encode('transfer', [stranger, 5n])],
    [['message', 'data'], '0x'],
    [['message', 'data'], encode('upgradeTo', [stranger])],
    [['message', 'gasPrice'], 1n],
    [['message', 'refundReceiver'], stranger],
    [['message', 'data'], encode('transfer', [alice, 1001n])],
  ],
]

const pick = <T>(rng: Rng, list: readonly T[]): T => list[rng.int(list.length)] as T

test('T33 a good payload of each registered kind passes', () => {
  for (const good of GOOD) assert.equal(outcome(DOCUMENT, good), 'allow', good.primaryType)
})

test('T33 every single fault in every kind is refused', () => {
  for (const [at, good] of GOOD.entries()) {
    for (const [path, leaf] of [...COMMON, ...(OWN[at] ?? [])]) {
      assert.match(
        outcome(DOCUMENT, change(good, path, leaf)),
        /^(deny|undecided)/,
        `${good.primaryType} ${path.join('.')} ${String(leaf)}`,
      )
    }
  }
})

test(`T33 ${COUNT} payloads with none to three faults: signed only without a fault`, t => {
  const rng = seeded(SEED)
  const tally = { good: 0, bad: 0 }
  for (let number = 0; number < COUNT; number++) {
    const at = rng.int(GOOD.length)
    let payload = GOOD[at] as TypedDataView
    const faults = rng.int(4)
    for (let fault = 0; fault < faults; fault++)
      payload = change(payload, ...pick(rng, [...COMMON, ...(OWN[at] ?? [])]))
    const result = outcome(DOCUMENT, payload)
    assert.equal(result === 'allow', faults === 0, `seed ${SEED}, number ${number}: ${payload.primaryType} ${result}`)
    tally[faults === 0 ? 'good' : 'bad']++
  }
  t.diagnostic?.(JSON.stringify({ seed: SEED, ...tally }))
  assert.ok(tally.good > 50)
})

test('T33 permits need caps, whatever the bounds of their fields say', () => {
  const [entry] = permits.typedData ?? []
  const { permit: _, ...without } = entry ?? {}
  assert.equal(outcome({ typedData: [without] }, permit()), 'deny typed-data')
  const unlimited = { typedData: [{ ...entry, unlimitedApprovals: true }] }
  assert.equal(outcome(unlimited, permit({ value: maxUint256 })), 'allow')
  assert.equal(outcome(unlimited, permit({ deadline: maxUint256 })), 'deny typed-data')
  assert.equal(outcome(permits, permit(), { ...facts, now: Number.NaN }), 'undecided typed-data')
  const strange = { typedData: [{ ...entry, primaryType: 'PermitForEverybody', fields: { owner: 'any' } }] }
  assert.equal(
    outcome(strange, { ...permit(), primaryType: 'PermitForEverybody', message: { owner: own } }),
    'undecided typed-data',
  )
})

test('T33 a permit that cannot be read whole is not judged', () => {
  const [entry] = permits.typedData ?? []
  const any = (primaryType: string, fields: readonly string[]) => ({
    typedData: [{ ...entry, primaryType, fields: Object.fromEntries(fields.map(field => [field, 'any' as const])) }],
  })
  const cases: ReadonlyArray<readonly [string, string, Record<string, unknown>]> = [
    ['undecided typed-data', 'Permit', { spender: 'x', value: 1n, deadline: NOW_S }],
    ['undecided typed-data', 'Permit', { spender: router, value: 1n }],
    ['undecided typed-data', 'Permit', { spender: router, deadline: NOW_S }],
    ['undecided typed-data', 'Permit', { spender: router, value: '1', deadline: NOW_S }],
    ['undecided typed-data', 'Permit', { spender: router, value: 1n, allowed: false, deadline: NOW_S }],
    ['deny typed-data', 'Permit', { spender: router, tokenId: 1n, deadline: NOW_S }],
    [
      'undecided typed-data',
      'PermitBatch',
      { details: [{ token: usdc, amount: 1n }], spender: router, sigDeadline: NOW_S },
    ],
    ['undecided typed-data', 'PermitBatch', { details: 5n, spender: router, sigDeadline: NOW_S }],
    ['undecided typed-data', 'PermitTransferFrom', { permitted: 5n, spender: router, deadline: NOW_S }],
    ['undecided typed-data', 'PermitTransferFrom', { permitted: { token: usdc, amount: 1n }, spender: router }],
    ['undecided typed-data', 'ReceiveWithAuthorization', { to: alice, value: 1n }],
    [
      'allow',
      'PermitBatch',
      { details: [{ token: usdc, amount: 1n, expiration: NOW_S }], spender: router, sigDeadline: NOW_S },
    ],
    [
      'allow',
      'PermitWitnessTransferFrom',
      { permitted: { token: usdc, amount: 1n }, spender: router, deadline: NOW_S },
    ],
    ['allow', 'PermitBatchWitnessTransferFrom', { permitted: [], spender: router, deadline: NOW_S }],
    ['allow', 'ReceiveWithAuthorization', { to: alice, value: 1n, validBefore: NOW_S }],
  ]
  for (const [expected, primaryType, message] of cases) {
    const policy = any(primaryType, Object.keys(message))
    assert.equal(
      outcome(policy, { ...permit(), primaryType, message }),
      expected,
      `${primaryType} ${Object.keys(message).join()}`,
    )
  }
})

test('T33 a message nested without end is not judged', () => {
  let message: Record<string, unknown> = { x: 1n }
  for (let depth = 0; depth < 10_000; depth++) message = { x: message }
  assert.equal(outcome(permits, { ...permit(), message }), 'undecided typed-data')
})

test('T33 T35 typed data that stands for a call says so in its policy', () => {
  const entry = { domain: domain(null, null, safe), primaryType: 'SafeTx', fields: { data: 'any' } }
  assert.throws(() => parse({ typedData: [entry] }), /describes a call/)
  assert.throws(
    () => parse({ typedData: [{ ...entry, primaryType: 'Mail', fields: { data: 'nested' } }] }),
    /describes no call/,
  )
})
