import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maxUint256 } from 'viem'
import { type EvmView, spendsOf } from '../../../../src/policy/evm/index.ts'
import {
  account,
  alice,
  bob,
  encode,
  exec,
  facts,
  own,
  parse,
  permit,
  router,
  safe,
  transaction,
  usdc,
  vault,
  wallet,
} from './samples.ts'

const windows = [
  { asset: 'native', seconds: 86_400, max: '1000' },
  { asset: 'native', destination: 'each', seconds: 3600, max: '100' },
  { asset: 'native', destination: alice, seconds: 3600, max: '50' },
  { asset: 'fee', seconds: 3600, max: '9' },
  { asset: usdc, seconds: 3600, max: '5000' },
  { asset: usdc, destination: 'each', seconds: 3600, max: '2000' },
]
const rules = parse({ evm: { ...wallet.evm, windows } })
const root = `evm/11155111/${own.toLowerCase()}`

/** Counter without the account, and amount. */
const spends = (view: EvmView): readonly string[] =>
  spendsOf(rules, view, facts).map(({ counter, amount }) => `${counter.replace(root, '')} ${amount}`)

const fee = `/fee/all/3600 ${10n ** 15n}`
const [a, b, r, u] = [alice, bob, router, usdc].map(one => one.toLowerCase())

test('M-52 a payment fills the windows of its asset, of its receiver, and of fees', () => {
  assert.deepEqual(spends(transaction({ valueWei: 7n })), [
    '/native/all/86400 7',
    `/native/each/${a}/3600 7`,
    `/native/${a}/3600 7`,
    fee,
  ])
  assert.deepEqual(spends(transaction({ to: bob, valueWei: 7n })), [
    '/native/all/86400 7',
    `/native/each/${b}/3600 7`,
    fee,
  ])
  assert.deepEqual(spends(transaction()), [fee])
})

test('M-52 a claim carries what the store needs', () => {
  assert.deepEqual(spendsOf(rules, transaction({ valueWei: 7n }), facts)[0], {
    counter: `${root}/native/all/86400`,
    amount: 7n,
    limit: 1000n,
    windowMs: 86_400_000,
    rule: 'evm-windows',
  })
})

test('M-52 tokens are counted wherever a call moves them, once a counter', () => {
  const transfer = (to: string, amount: bigint) => encode('transfer', [to, amount])
  const tokens = (...list: string[]) => list
  const cases: ReadonlyArray<readonly [readonly string[], EvmView]> = [
    [tokens(`/${u}/all/3600 5`, `/${u}/each/${a}/3600 5`), transaction({ to: usdc, data: transfer(alice, 5n) })],
    [
      tokens(`/${u}/all/3600 5`, `/${u}/each/${b}/3600 5`),
      transaction({ to: usdc, data: encode('transferFrom', [own, bob, 5n]) }),
    ],
    [
      tokens(`/${u}/all/3600 5`, `/${u}/each/${r}/3600 5`),
      transaction({ to: usdc, data: encode('approve', [router, 5n]) }),
    ],
    [[], transaction({ to: usdc, data: encode('approve', [router, maxUint256]) })],
    [[], transaction({ to: usdc, data: encode('decreaseAllowance', [router, 5n]) })],
    [[], transaction({ to: vault, data: transfer(alice, 5n) })],
    [
      tokens(`/${u}/all/3600 5`, `/${u}/each/${a}/3600 5`),
      transaction({ to: safe, data: exec(usdc, 0n, transfer(alice, 5n)) }),
    ],
    [
      tokens(`/${u}/all/3600 12`, `/${u}/each/${a}/3600 8`, `/${u}/each/${b}/3600 4`),
      transaction({
        to: account,
        data: encode('aggregate3', [
          [
            [usdc, true, transfer(alice, 5n)],
            [usdc, true, transfer(bob, 4n)],
            [usdc, true, transfer(alice, 3n)],
          ],
        ]),
      }),
    ],
  ]
  for (const [expected, view] of cases) assert.deepEqual(spends(view), [fee, ...expected])
})

test('M-52 permits fill the windows of the token; what has no measure fills none', () => {
  assert.deepEqual(spends(permit()), [`/${u}/all/3600 500`, `/${u}/each/${r}/3600 500`])
  assert.deepEqual(spends(permit({ value: maxUint256 })), [])
  assert.deepEqual(spends({ kind: 'raw-digest', network: 'sepolia', digest: '0x' }), [])
})

test('M-52 value inside calls and value of new contracts count', () => {
  const inside = transaction({ to: account, valueWei: 5n, data: encode('execute', [alice, 5n, '0x']) })
  assert.deepEqual(spends(inside).slice(0, 1), ['/native/all/86400 10'])
  assert.deepEqual(spends(transaction({ to: null, data: '0x00', valueWei: 3n })), [
    '/native/all/86400 3',
    '/native/each/create/3600 3',
    fee,
  ])
})
