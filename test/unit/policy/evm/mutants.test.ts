import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFunctionData, encodeFunctionData, type Hex, isAddressEqual, maxUint256 } from 'viem'
import type { EvmTransactionView } from '../../../../src/domain/evm.ts'
import { type Rng, seeded } from '../../../fuzz/xdr-mutator.ts'
import {
  abi,
  account,
  address,
  alice,
  allows,
  bob,
  CHAIN,
  encode,
  exec,
  own,
  parse,
  router,
  safe,
  stranger,
  transaction,
  usdc,
  vault,
  wallet,
} from './samples.ts'

const SEED = Number(process.env['POLICY_SEED'] ?? 20_261_122)
const COUNT = 100_000

/**
 * A second reading of the wallet's policy, written apart from `src/policy` and on viem's decoder: what one call, with
 * all inside it, may do.
 */
interface Tally {
  wei: bigint
  tokens: bigint
}

function mayCall(to: string, value: bigint, data: Hex, tally: Tally, depth = 0): boolean {
  if (depth > 4) return false
  tally.wei += value
  const is = (...list: string[]): boolean => list.some(one => isAddressEqual(one as Hex, to as Hex))
  if (data === '0x') return is(alice, own)
  const call = read(data)
  if (call === undefined) return false
  const [a, b, c, d, e] = call.args as unknown as readonly [never, never, never, never, never]
  const one = (given: unknown, ...list: string[]): boolean =>
    list.some(known => isAddressEqual(known as Hex, given as Hex))
  const count = (amount: bigint): boolean => (tally.tokens += amount) <= 1000n
  switch (call.functionName) {
    case 'transfer':
      return is(usdc) && value === 0n && one(a, alice, bob) && count(b)
    case 'transferFrom':
      return is(usdc) && value === 0n && one(a, own) && one(b, alice, bob) && count(c)
    case 'approve':
    case 'increaseAllowance':
      return is(usdc) && value === 0n && one(a, router) && count(b)
    case 'decreaseAllowance':
      return is(usdc) && value === 0n && one(a, router)
    case 'deposit':
      return is(vault) && value === 0n && (a as bigint) >= 1n && (a as bigint) <= 500n && one(b, own)
    case 'swap': {
      const legs = a as readonly (readonly [string, bigint, boolean])[]
      const marks = e as readonly string[]
      return (
        is(router) &&
        value <= 5n &&
        (legs.length === 1 || legs.length === 2) &&
        legs.every(([token, amount, flag]) => one(token, usdc, vault) && amount <= 1000n && flag) &&
        (b === '0x' || b === '0xdeadbeef') &&
        (c === 'memo' || c === '') &&
        Math.abs(Number(d)) <= 100 &&
        marks.every(mark => mark === '0x00000000' || mark === '0x12345678')
      )
    }
    case 'multicall':
      return is(vault, account) && value === 0n && (a as Hex[]).every(inner => mayCall(to, 0n, inner, tally, depth + 1))
    case 'execTransaction': {
      const [target, wei, inner, operation, ...rest] = call.args as readonly [string, bigint, Hex, number, ...unknown[]]
      const refund =
        rest.slice(0, 3).every(part => part === 0n) && one(rest[3], address('0')) && one(rest[4], address('0'))
      return is(safe) && value === 0n && operation === 0 && refund && mayCall(target, wei, inner, tally, depth + 1)
    }
    case 'execute':
      return is(account) && value <= 10n && mayCall(a, b, c, tally, depth + 1)
    case 'executeBatch': {
      const [targets, values, inner] = call.args as readonly [string[], bigint[], Hex[]]
      if (!is(account) || value !== 0n || targets.length !== values.length || values.length !== inner.length)
        return false
      return targets.every((target, at) => mayCall(target, values[at] ?? 0n, inner[at] ?? '0x', tally, depth + 1))
    }
    case 'aggregate3':
      return (
        is(account) &&
        value === 0n &&
        (a as readonly (readonly [string, boolean, Hex])[]).every(([target, , inner]) =>
          mayCall(target, 0n, inner, tally, depth + 1),
        )
      )
    default:
      return false
  }
}

/** Only what an encoder would have written. */
function read(data: Hex): { functionName: string; args: readonly unknown[] } | undefined {
  try {
    const { functionName, args } = decodeFunctionData({ abi, data })
    const again = encodeFunctionData({ abi, functionName, args })
    return again === data ? { functionName, args: args ?? [] } : undefined
  } catch {
    return undefined
  }
}

function mayAll(view: EvmTransactionView): boolean {
  const tally = { wei: 0n, tokens: 0n }
  return (
    mayCall(view.to ?? '', view.valueWei, view.data as Hex, tally) && tally.wei <= 10n ** 18n && tally.tokens <= 1000n
  )
}

const pick = <T>(rng: Rng, list: readonly T[]): T => list[rng.int(list.length)] as T

type Call = readonly [to: string, value: bigint, data: string]

const SMALL = [0n, 1n, 5n, 10n, 400n, 500n, 501n, 1000n, 1001n, maxUint256]
const PEOPLE = [alice, bob, own, router, usdc, vault]

function randomCall(rng: Rng, depth: number): Call {
  const amount = rng.int(4) > 0 ? BigInt(rng.int(400)) : pick(rng, SMALL)
  const person = rng.int(8) > 0 ? pick(rng, [alice, own]) : pick(rng, [...PEOPLE, stranger])
  switch (rng.int(depth > 2 ? 7 : 12)) {
    case 0:
      return [person, amount, '0x']
    case 1:
      return [usdc, 0n, encode('transfer', [person, amount])]
    case 2:
      return [usdc, 0n, encode('transferFrom', [own, person, amount])]
    case 3:
      return [usdc, 0n, encode(pick(rng, ['approve', 'increaseAllowance', 'decreaseAllowance']), [router, amount])]
    case 4:
    case 5:
      return [vault, 0n, encode('deposit', [amount, own])]
    case 6: {
      const legs = Array.from({ length: 1 + rng.int(2) }, () => [pick(rng, [usdc, vault]), amount, true])
      return [
        router,
        BigInt(rng.int(6)),
        encode('swap', [
          legs,
          pick(rng, ['0x', '0xdeadbeef']),
          pick(rng, ['', 'memo']),
          rng.int(201) - 100,
          ['0x12345678', '0x00000000'],
        ]),
      ]
    }
    case 7: {
      const [to, value, data] = randomCall(rng, depth + 1)
      return [safe, 0n, exec(to, value, data, rng.int(12) > 0 ? 0 : 1)]
    }
    case 8:
      return [account, BigInt(rng.int(10)), encode('execute', randomCall(rng, depth + 1))]
    case 9: {
      const calls = Array.from({ length: rng.int(3) }, () => randomCall(rng, depth + 1))
      return [
        account,
        0n,
        encode(
          'executeBatch',
          [0, 1, 2].map(at => calls.map(call => call[at])),
        ),
      ]
    }
    case 10: {
      const calls = Array.from({ length: rng.int(3) }, () => randomCall(rng, depth + 1))
      return [account, 0n, encode('aggregate3', [calls.map(([to, , data]) => [to, true, data])])]
    }
    default: {
      const calls = Array.from({ length: rng.int(3) }, () => encode('deposit', [BigInt(1 + rng.int(500)), own]))
      return [vault, 0n, encode('multicall', [calls])]
    }
  }
}

const word = (value: bigint): string => value.toString(16).padStart(64, '0')

function mutate(rng: Rng, data: string): string {
  const digits = data.slice(2)
  const set = (at: number, text: string): string =>
    `0x${digits.slice(0, at)}${text}${digits.slice(at + text.length)}`.slice(0, data.length)
  const place = 8 + 64 * rng.int(Math.max(1, Math.floor(digits.length / 64)))
  switch (rng.int(9)) {
    case 0:
      return set(rng.int(Math.max(1, digits.length)), rng.int(16).toString(16))
    case 1:
      return set(place, word(pick(rng, SMALL)))
    case 2:
      return set(place, word(BigInt(pick(rng, [...PEOPLE, stranger]))))
    case 3:
      return set(place, word(BigInt(32 * rng.int(24))))
    case 4:
      return `0x${digits.slice(0, place)}${digits.slice(place + 64)}`
    case 5:
      return `0x${digits.slice(0, place)}${word(BigInt(rng.int(128)))}${digits.slice(place)}`
    case 6:
      return set(
        0,
        encode(pick(rng, ['transfer', 'approve', 'increaseAllowance', 'decreaseAllowance']), [alice, 0n]).slice(2, 10),
      )
    case 7:
      return `${data}${'00'.repeat(1 + rng.int(32))}`
    default:
      return set(place + 62, rng.int(256).toString(16).padStart(2, '0'))
  }
}

test(`T35 ${COUNT} ABI mutants: what the policy allows and what viem's reading of it allows are the same`, {
  timeout: 120_000,
}, t => {
  const rng = seeded(SEED)
  const rules = parse(wallet)
  const tally = { allowed: 0, refused: 0 }
  for (let number = 0; number < COUNT; ) {
    const [to, valueWei, data] = randomCall(rng, 0)
    for (let round = 0; round < 10; round++, number++) {
      let mutant = data
      for (let times = round === 0 ? 0 : 1 + rng.int(3); times > 0; times--) mutant = mutate(rng, mutant)
      const target = rng.int(20) === 0 ? pick(rng, [alice, usdc, vault, safe, account, router, stranger]) : to
      const view = transaction({ to: target, valueWei, data: mutant, chainId: CHAIN })
      const ours = allows(rules, view)
      assert.equal(ours, mayAll(view), `seed ${SEED}, number ${number}: ${target} ${valueWei} ${mutant}`)
      tally[ours ? 'allowed' : 'refused']++
    }
  }
  t.diagnostic?.(JSON.stringify({ seed: SEED, ...tally }))
  assert.ok(tally.allowed > COUNT / 20 && tally.refused > COUNT / 3, JSON.stringify(tally))
})

test('T35 an ERC-20 transfer is judged within 0.05 ms', t => {
  const rules = parse(wallet)
  const views = Array.from({ length: 64 }, (_, at) =>
    transaction({ to: usdc, data: encode('transfer', [alice, BigInt(at)]) }),
  )
  const rounds = (): number => {
    const start = performance.now()
    for (let round = 0; round < 20; round++) for (const view of views) assert.ok(allows(rules, view))
    return (performance.now() - start) / (20 * views.length)
  }
  const times = Array.from({ length: 10 }, rounds).toSorted((a, b) => a - b)
  t.diagnostic?.(`${times[5]?.toFixed(4)} ms`)
  assert.ok((times[0] ?? 1) <= 0.05, `${times[0]} ms`)
})
