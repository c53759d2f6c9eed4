import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StrKey } from '@stellar/stellar-sdk/base'
import type { ContractValue, InvocationView, OperationView } from '../../../src/domain/stellar.ts'
import { decide, parsePolicy, type PolicyDocument } from '../../../src/policy/index.ts'
import { alice, bob, carol, contractId } from '../../fuzz/xdr-corpus.ts'
import { tokenId } from '../../support/policy-random.ts'
import { account, amount, facts, narrow, payment, usd, view } from './samples.ts'

type Call = Extract<InvocationView, { kind: 'call' }>
type Invoke = Extract<OperationView, { type: 'invokeHostFunction' }>

const call = (contract: string, name: string, ...values: ContractValue[]): Call => ({
  kind: 'call',
  contract,
  function: name,
  arguments: values,
})
const address = (text: string, muxedId: bigint | null = null): ContractValue => ({
  kind: 'address',
  address: text,
  muxedId,
})
const i128 = (value: bigint): ContractValue => ({ kind: 'integer', type: 'i128', value })
const u32 = (value: bigint): ContractValue => ({ kind: 'integer', type: 'u32', value })
const symbol = (text: string): ContractValue => ({ kind: 'symbol', text })

const invoke = (invocation: InvocationView, ...trees: InvocationView[][]): Invoke => ({
  type: 'invokeHostFunction',
  source: null,
  invocation,
  authorizations: trees.map(invocations => ({ credentials: 'source-account', address: null, invocations })),
})

const verdict = (policy: Partial<PolicyDocument>, ...operations: OperationView[]) =>
  decide(
    parsePolicy({ ...narrow, operations: ['payment', 'invokeHostFunction'], ...policy }),
    view({ operations }),
    facts,
  )

function allows(policy: Partial<PolicyDocument>, ...operations: OperationView[]) {
  const decision = verdict(policy, ...operations)
  assert.equal(decision.kind, 'allow', JSON.stringify(decision))
}

function refuses(rule: string, reason: RegExp, policy: Partial<PolicyDocument>, ...operations: OperationView[]) {
  const decision = verdict(policy, ...operations)
  assert.ok(decision.kind !== 'allow', 'allowed')
  assert.equal(decision.rule, rule, decision.reason)
  assert.match(decision.reason, reason)
  return decision.kind
}

type Functions = NonNullable<PolicyDocument['contracts']>[number]['functions']
type Grants = Exclude<Functions[number], string>['arguments']
const runs = (...grants: Grants): Partial<PolicyDocument> => ({
  contracts: [{ contract: contractId, functions: [{ name: 'run', arguments: grants }] }],
})
const run = (...values: ContractValue[]): Invoke => invoke(call(contractId, 'run', ...values))

const muxedBob = StrKey.encodeMed25519PublicKey(
  new Uint8Array([...StrKey.decodeEd25519PublicKey(bob), 0, 0, 0, 0, 0, 0, 1, 0]),
)

const KINDS: ReadonlyArray<readonly [grant: Omit<Grants[number], 'at'>, good: ContractValue[], bad: ContractValue[]]> =
  [
    [{ any: true }, [{ kind: 'void' }, { kind: 'unknown', name: 'x' }, u32(1n)], []],
    [{ void: true }, [{ kind: 'void' }], [u32(0n), { kind: 'unknown', name: 'scvVoid' }]],
    [{ bools: [true] }, [{ kind: 'bool', value: true }], [{ kind: 'bool', value: false }, u32(1n)]],
    [
      { integer: { min: '-5', max: '10' } },
      [u32(0n), i128(-5n), i128(10n), { kind: 'integer', type: 'duration', value: 10n }],
      [i128(-6n), i128(11n), symbol('5'), { kind: 'bytes', hex: '05' }],
    ],
    [
      { integer: { min: String(-(1n << 255n)), max: String((1n << 256n) - 1n) } },
      [{ kind: 'integer', type: 'u256', value: (1n << 256n) - 1n }],
      [{ kind: 'void' }],
    ],
    [{ symbols: ['open'] }, [symbol('open')], [symbol('Open'), { kind: 'string', text: 'open' }]],
    [
      { strings: ['open', ''] },
      [
        { kind: 'string', text: 'open' },
        { kind: 'string', text: '' },
      ],
      [symbol('open')],
    ],
    [{ bytes: ['00ff'] }, [{ kind: 'bytes', hex: '00ff' }], [{ kind: 'bytes', hex: '00fe' }, symbol('00ff')]],
    [
      { addresses: ['self', bob, contractId] },
      [address(alice), address(bob), address(contractId)],
      [address(carol), address(bob, 0n), address(alice, 1n)],
    ],
    [{ addresses: [muxedBob] }, [address(bob, 256n)], [address(bob), address(bob, 1n)]],
    [
      { vec: { minLength: 1, maxLength: 2 } },
      [{ kind: 'vec', items: [u32(1n)] }],
      [
        { kind: 'vec', items: [] },
        { kind: 'vec', items: [u32(1n), u32(1n), u32(1n)] },
        { kind: 'map', entries: [{ key: u32(1n), value: u32(1n) }] },
      ],
    ],
    [
      { map: { minLength: 0, maxLength: 0 } },
      [{ kind: 'map', entries: [] }],
      [
        { kind: 'vec', items: [] },
        { kind: 'map', entries: [{ key: u32(1n), value: u32(1n) }] },
      ],
    ],
  ]

test('M-52 arguments: each kind of grant takes its values and no other, at its position or at all', () => {
  for (const [grant, good, bad] of KINDS) {
    for (const value of good) {
      allows(runs({ at: 0, ...grant }), run(value))
      allows(runs({ at: 'all', ...grant }), run(value, value))
      if (grant.any !== true) refuses('contracts', /argument 2/u, runs({ at: 0, ...grant }), run(value, value))
    }
    for (const value of bad) refuses('contracts', /argument 1/u, runs({ at: 0, ...grant }), run(value))
  }
})

test('M-52 arguments: grants add up, a position without one takes nothing, a function without any takes all', () => {
  const two = runs({ at: 0, symbols: ['open'] }, { at: 0, void: true }, { at: 1, any: true })
  allows(two, run(symbol('open'), u32(9n)))
  allows(two, run({ kind: 'void' }))
  allows(two, run())
  refuses('contracts', /argument 3/u, two, run(symbol('open'), u32(9n), u32(9n)))
  refuses('contracts', /argument 1/u, runs(), run(u32(1n)))
  allows(runs(), run())
  allows({ contracts: [{ contract: contractId, functions: ['run'] }] }, run(u32(1n), symbol('x')))
  const either: Partial<PolicyDocument> = {
    contracts: [
      {
        contract: contractId,
        functions: [
          { name: 'run', arguments: [{ at: 0, symbols: ['open'] }] },
          {
            name: 'run',
            arguments: [
              { at: 0, symbols: ['close'] },
              { at: 1, bools: [true] },
            ],
          },
        ],
      },
    ],
  }
  allows(either, run(symbol('open')))
  allows(either, run(symbol('close'), { kind: 'bool', value: true }))
  refuses('contracts', /argument 2/u, either, run(symbol('open'), { kind: 'bool', value: true }))
})

test('T30 arguments are bound in authorization trees as well', () => {
  const bound = runs({ at: 0, integer: { min: '1', max: '5' } })
  const good = call(contractId, 'run', u32(5n))
  allows(bound, invoke(good, [good, good]))
  refuses('contracts', /argument 1/u, bound, invoke(good, [good, call(contractId, 'run', u32(6n))]))
})

const token = (functions: Functions, asset = 'native'): Partial<PolicyDocument> => ({
  tokens: [{ contract: tokenId, asset, functions }],
})
const transfer = (to: ContractValue, value: bigint): Call => call(tokenId, 'transfer', address(alice), to, i128(value))

test('M-52 token transfers count as payments of the asset: receiver, cap on an operation, cap on a transaction', () => {
  const policy = token(['transfer'])
  allows(policy, invoke(transfer(address(bob), 100_000_000n)))
  refuses(
    'amounts',
    /100000001 stroops of native in one operation/u,
    policy,
    invoke(transfer(address(bob), 100_000_001n)),
  )
  refuses('destinations', new RegExp(`pays ${carol}`, 'u'), policy, invoke(transfer(address(carol), 1n)))
  refuses('destinations', /muxed id 3/u, policy, invoke(transfer(address(bob, 3n), 1n)))
  refuses('amounts', /an amount, or a price/u, policy, invoke(transfer(address(bob), -1n)))
  refuses('amounts', /does not list it/u, token(['transfer'], usd), invoke(transfer(address(bob), 1n)))
  refuses('destinations', /grants no payments/u, { ...policy, payments: undefined }, invoke(transfer(address(bob), 1n)))
  const both = [payment({ amount: amount(80_000_000n) }), invoke(transfer(address(bob), 80_000_000n))]
  refuses('amounts', /160000000 stroops of native in one transaction/u, policy, ...both)
})

test('M-52 a transfer and the authorization of it are one; every other authorization counts', () => {
  const policy = token(['transfer'])
  const direct = transfer(address(bob), 60_000_000n)
  allows(policy, invoke(direct, [direct]))
  refuses('amounts', /120000000 stroops/u, policy, invoke(direct, [direct], [direct]))
  refuses('amounts', /120000000 stroops/u, policy, invoke(direct, [transfer(address(bob), 60_000_000n), direct]))
  refuses('amounts', /120000001 stroops/u, policy, invoke(direct, [transfer(address(bob), 60_000_001n)]))
  const strange = call(tokenId, 'transfer', { kind: 'unknown', name: 'x' }, address(bob), i128(60_000_000n))
  refuses('amounts', /120000000 stroops/u, policy, invoke(strange, [strange]))
  const inside: Partial<PolicyDocument> = { ...policy, ...runs({ at: 'all', any: true }) }
  const outer = call(contractId, 'run')
  allows(inside, invoke(outer, [outer, transfer(address(bob), 100_000_000n)]))
  refuses('amounts', /100000001/u, inside, invoke(outer, [outer, transfer(address(bob), 100_000_001n)]))
})

test('M-52 a call is the same only when every argument of it is', () => {
  const policy = token(['transfer'])
  const values: readonly ContractValue[] = [
    ...KINDS.flatMap(([, good, bad]) => [...good, ...bad]),
    { kind: 'map', entries: [{ key: u32(1n), value: symbol('x') }] },
    { kind: 'vec', items: [symbol('y')] },
    { kind: 'error', name: 'sceContract' },
  ]
  const text = (value: ContractValue): string =>
    JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner))
  const from = (value: ContractValue): Call => call(tokenId, 'transfer', value, address(bob), i128(60_000_000n))
  let same = 0
  for (const one of values) {
    for (const other of values) {
      const known = one.kind !== 'unknown' && one.kind !== 'error'
      const once = known && text(one) === text(other)
      if (once) same++
      const decision = verdict(policy, invoke(from(one), [from(structuredClone(other))]))
      assert.equal(decision.kind, once ? 'allow' : 'deny', `${text(one)} and ${text(other)}`)
    }
  }
  assert.ok(same > 20)
})

test('M-52 every function of a token that moves value is counted, and one that is called otherwise is not judged', () => {
  const over = 100_000_001n
  const calls: readonly Call[] = [
    transfer(address(bob), over),
    call(tokenId, 'transfer_from', address(alice), address(carol), address(bob), i128(over)),
    call(tokenId, 'approve', address(alice), address(bob), i128(over), u32(9n)),
    call(tokenId, 'burn', address(alice), i128(over)),
    call(tokenId, 'burn_from', address(alice), address(carol), i128(over)),
    call(tokenId, 'mint', address(bob), i128(over)),
    call(tokenId, 'clawback', address(carol), i128(over)),
  ]
  for (const one of calls) {
    const policy = token([one.function])
    refuses('amounts', /100000001/u, policy, invoke(one))
    const withAmount = (other: ContractValue): Call => ({
      ...one,
      arguments: one.arguments.map(value => (value.kind === 'integer' && value.type === 'i128' ? other : value)),
    })
    const small = withAmount(i128(5n))
    allows(policy, invoke(small))
    for (const odd of [
      { ...one, arguments: one.arguments.slice(1) },
      { ...one, arguments: [...one.arguments, u32(1n)] },
      withAmount(u32(5n)),
    ]) {
      assert.equal(refuses('amounts', /not those of a token/u, policy, invoke(odd)), 'undecided', one.function)
    }
  }
  const nobody = call(tokenId, 'transfer', address(alice), symbol('bob'), i128(1n))
  assert.equal(refuses('amounts', /not those of a token/u, token(['transfer']), invoke(nobody)), 'undecided')
  allows(token(['balance']), invoke(call(tokenId, 'balance', address(carol))))
})

test('M-52 a token may pay a contract, and be an asset of its own', () => {
  const own: Partial<PolicyDocument> = {
    ...token(['transfer'], tokenId),
    payments: {
      destinations: [contractId],
      assets: [{ asset: tokenId, maxPerOperation: '1', maxPerTransaction: '1' }],
    },
  }
  allows(own, invoke(transfer(address(contractId), 10_000_000n)))
  refuses('amounts', /10000001/u, own, invoke(transfer(address(contractId), 10_000_001n)))
})

const problemOf = (document: unknown): string => {
  try {
    parsePolicy(document)
  } catch (error) {
    const { detail } = error as { detail: { problems: { path: string; problem: string }[] } }
    return detail.problems.map(({ path, problem }) => `${path} ${problem}`).join('; ')
  }
  return 'good'
}

test('contracts: what a document may not say, with the field named', () => {
  const functions = ['transfer']
  const grant = (...grants: unknown[]) => ({
    version: 1,
    contracts: [{ contract: contractId, functions: [{ name: 'run', arguments: grants }] }],
  })
  const cases: ReadonlyArray<readonly [document: unknown, problem: RegExp]> = [
    [
      {
        version: 1,
        contracts: [{ contract: tokenId, functions }],
        tokens: [{ contract: tokenId, asset: 'native', functions }],
      },
      /policy\.tokens\.0\.contract is listed in contracts too/u,
    ],
    [{ version: 1, tokens: [{ contract: tokenId, asset: 'any', functions }] }, /asset "any" is not one asset/u],
    [{ version: 1, tokens: [{ contract: tokenId, asset: contractId, functions }] }, /names another contract/u],
    [{ version: 1, tokens: [{ contract: tokenId, functions }] }, /asset/u],
    [grant({ at: 0 }), /grants no kind of value/u],
    [grant({ at: 0, any: true, void: true }), /grants any and void together/u],
    [grant({ at: 64, any: true }), /at/u],
    [grant({ at: -1, any: true }), /at/u],
    [grant({ any: true }), /at/u],
    [grant({ at: 0, integer: { min: '1' } }), /max/u],
    [grant({ at: 0, integer: { min: '01', max: '2' } }), /"01" is not an integer/u],
    [grant({ at: 0, integer: { min: '-0', max: '2' } }), /"-0" is not an integer/u],
    [grant({ at: 0, integer: { min: '0', max: String(1n << 256n) } }), /is not an integer/u],
    [grant({ at: 0, bytes: ['0F'] }), /is not hex/u],
    [grant({ at: 0, bytes: ['0'] }), /is not hex/u],
    [grant({ at: 0, addresses: ['me'] }), /is not an address/u],
    [grant({ at: 0, symbols: ['\n'] }), /is not a text/u],
    [grant({ at: 0, colour: 'red' }), /colour is not a field/u],
    [{ version: 1, contracts: [{ contract: contractId, functions: [{ name: 'run' }] }] }, /arguments/u],
  ]
  for (const [document, problem] of cases) assert.match(problemOf(document), problem)
  assert.equal(problemOf(grant({ at: 0, addresses: [muxedBob, 'self', account(bob).address] })), 'good')
})
