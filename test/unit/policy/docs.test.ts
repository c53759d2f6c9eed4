/** docs/policy.md says what the program does: every field and rule has its line, and every example is run. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Account, Asset, Memo, Operation, StrKey, TransactionBuilder, xdr } from '@stellar/stellar-sdk/base'
import { encodeFunctionData, parseAbi } from 'viem'
import { z } from 'zod'
import { passphraseOf, stellar } from '../../../src/chains/stellar/index.ts'
import type { SpendClaim } from '../../../src/domain/claims.ts'
import type { EvmTransactionView } from '../../../src/domain/evm.ts'
import {
  decide,
  type Facts,
  lint,
  parsePolicy,
  parsePolicyFile,
  type Policy,
  policySchema,
  readPolicy,
  RULE_NAMES,
  runTests,
} from '../../../src/policy/index.ts'
import { muxed } from '../../fuzz/xdr-corpus.ts'

const page = await readFile(new URL('../../../docs/policy.md', import.meta.url), 'utf8')

const KEY = 'GDQFAXNU55ROBMVM5IO4WGX2Z7VQU4BF4H5JBGLMNXQTJMKPRJ5LTQG6'
const BUYER = 'GBXWD2UN3KAOSKC36KPGYJKGEEKVESPIN5UIVIPF5FOS52QQLSVFXP2R'
const SELLER = 'GAZ5ST6D2JCLCNAOR3LJUHPRGZTA2RIOPAUCIJR5HHEKUWFDLEQY26QD'
const ARBITER = 'GCTC4RR5DFZNFZVHC7QPKGXTS4PDBL6KAKQTVNVILOODIQBHCLCZTNY4'
const ISSUER = 'GBHTRCPUAPILRABCGLV6A4ICLKG4UC2XBDSSSWWBBT6RDCR3J4TVS373'
const GRANTEE = 'GACVI36PKSH4Q4KX5AHKPN5JGAXS566BJIQGM3USOTVCBFBD7U4MRUNZ'
const TREASURY = 'GBRU6MPXSKE5QGTZLRFXOU6MSGLIVG56CBJJBGREAVTSZVEPAKYRRRP4'
const VESTING = 'CCFNRK3IPNN2UHVLCUPMNKKSDSM4REP2QL27JHK4T3CP4P2PLTPXHGQQ'
const ORACLE = 'CBETBRRLIG3NDSL2QL64U24HF5QAQZ5FSZF3QIEDWBXE2VTN4545327P'
const TOKEN = 'CDPSVLMF5JZA4IMESN2WLKKXTBFWZI6R36KGAZQUYEK6CE45FTPYBLED'
const POOL = 'CCKDCTF7XWAOUHAOHBTJL3GIL7DRW4HXXZMXISKKHWI33GUQ6YU4RU5R'
const WALLET = '0xf2DAA0B97F8e16b8509708880719138b3BCFf1b3'
const CUSTOMER = '0x7acEf1435A617Faf22a9CD6aaf592aA527767dcc'
const EXCHANGE = '0x62Af881c0B64958041c3ABF59AC79c32Dc7A6eF2'
const USDC = '0x966f113CD771F768DC30eF203663Ca3884516380'
const VAULT = '0x0ca65928EA3e5a3d3827d86232FE6A39b0956eA7'
const STRANGER = '0xb3a56373175d2Aa088C8a1D8951b1165F20debaE'

const NOW_MS = 1_790_000_000_000
const facts: Facts = { now: NOW_MS, keyAddress: KEY, keyNetwork: 'public' }
const dollar = new Asset('USD', ISSUER)

/** The JSON below a heading of the page. */
function jsonOf(heading: string): unknown {
  const section = sectionOf(heading)
  const from = section.indexOf('```json\n')
  assert.ok(from >= 0, heading)
  return JSON.parse(section.slice(from + 8, section.indexOf('\n```', from)))
}

function sectionOf(heading: string): string {
  const from = page.indexOf(`\n${heading}\n`)
  assert.ok(from >= 0, heading)
  const level = heading.slice(0, heading.indexOf(' ') + 1)
  const rest = page.slice(from + heading.length + 2)
  const ends = [`\n${level}`, '\n## '].map(mark => rest.indexOf(mark)).filter(at => at >= 0)
  return rest.slice(0, Math.min(rest.length, ...ends))
}

/** As it would be stored: what the example says is what its canonical text says. */
function policyOf(heading: string): Policy {
  const policy = readPolicy(parsePolicy(jsonOf(heading)).text)
  const codes = lint(policy).map(({ code }) => code)
  assert.deepEqual(
    codes.filter(code => code !== 'any-destination' || heading !== '### Payout batch'),
    [],
  )
  return policy
}

// --- fields, bounds, rules

type Node = {
  readonly anyOf?: readonly Node[]
  readonly items?: Node | boolean
  readonly properties?: Readonly<Record<string, Node>>
}

/** Members of the other list are those of the first, as the page says. */
const SAME: Readonly<Record<string, string>> = {
  'tokens[].functions[].': 'contracts[].functions[].',
  'evm.sensitiveCalls[].': 'evm.calls[].',
}

function pathsOf(node: Node, path: string, into: Set<string>): Set<string> {
  for (const arm of node.anyOf ?? []) pathsOf(arm, path, into)
  if (typeof node.items === 'object') pathsOf(node.items, `${path}[]`, into)
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const full = path === '' ? name : `${path}.${name}`
    if (!Object.keys(SAME).some(prefix => full.startsWith(prefix))) into.add(full)
    pathsOf(child, full, into)
  }
  return into
}

const schema = z.toJSONSchema(policySchema, { io: 'input', unrepresentable: 'any' }) as Node & {
  readonly $defs?: Readonly<Record<string, Node>>
}

/** `a.{b,c}` to `a.b` and `a.c`. */
function expand(text: string): readonly string[] {
  const open = text.indexOf('{')
  if (open < 0) return [text]
  const close = text.indexOf('}', open)
  const words = text.slice(open + 1, close).split(',')
  return words.flatMap(word => expand(text.slice(0, open) + word + text.slice(close + 1)))
}

/** What stands between backticks in the first column of every table of a section. */
const firstCells = (section: string): readonly string[] =>
  section
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .map(line => line.slice(2, line.indexOf(' |', 2)))

const named = (cell: string): readonly string[] => cell.split('`').filter((_, at) => at % 2 === 1)

test('docs/policy.md: every field of a policy has its line, and no line is about a field there is not', () => {
  const documented = firstCells(sectionOf('## Fields'))
    .filter(cell => !cell.startsWith('`"') && !cell.startsWith('`{'))
    .flatMap(named)
    .flatMap(expand)
  assert.equal(new Set(documented).size, documented.length, 'no field twice')
  assert.deepEqual(documented.toSorted(), [...pathsOf(schema, '', new Set())].toSorted())
})

test('docs/policy.md: every bound of an argument has its line', () => {
  const known = Object.values(schema.$defs ?? {}).flatMap(definition => [...pathsOf(definition, '', new Set())])
  const rows = firstCells(sectionOf('### Messages, typed data, digests')).filter(cell => !/^`[a-z]/i.test(cell))
  const documented = rows.flatMap(cell => [...cell.matchAll(/"([a-z]+)"/g)].map(([, word = '']) => word))
  for (const bound of new Set(known)) assert.ok(documented.includes(bound), bound)
  for (const word of ['any', 'nested']) assert.ok(documented.includes(word), word)
  assert.ok(known.length >= 8, 'the schema of bounds was found')
})

test('docs/policy.md: every rule that can say no has its line', () => {
  const documented = firstCells(sectionOf('## How it is decided')).flatMap(named)
  assert.deepEqual(documented.toSorted(), [...RULE_NAMES, 'windows', 'evm-windows', 'equivocation'].toSorted())
})

// --- examples

interface Made {
  readonly operations: readonly xdr.Operation[]
  readonly memo?: string
  readonly source?: string
  readonly lifetime?: number
}

function envelopeOf({ operations, memo, source = KEY, lifetime = 300 }: Made): string {
  const builder = new TransactionBuilder(new Account(source, '41'), {
    fee: '100',
    networkPassphrase: passphraseOf('public'),
    timebounds: { minTime: 0, maxTime: NOW_MS / 1000 + lifetime },
  })
  if (memo !== undefined) builder.addMemo(Memo.text(memo))
  for (const operation of operations) builder.addOperation(operation)
  return builder.build().toEnvelope().toXdr('base64')
}

const viewOf = (made: Made) => stellar.parse({ type: 'stellar-transaction', xdr: envelopeOf(made) }, 'public').view

const pay = (destination: string, amount: string, asset = Asset.native(), source?: string): xdr.Operation =>
  Operation.payment({ destination, amount, asset, ...(source === undefined ? {} : { source }) })

type Case = readonly [made: Made, expected: string]

function holds(policy: Policy, cases: readonly Case[]): void {
  for (const [made, expected] of cases) {
    const decision = decide(policy, viewOf(made), facts)
    assert.equal(decision.kind === 'allow' ? 'allow' : `${decision.kind} by ${decision.rule}`, expected)
  }
}

const spendsOf = (policy: Policy, made: Made): readonly SpendClaim[] => {
  const decision = decide(policy, viewOf(made), facts)
  assert.equal(decision.kind, 'allow')
  return (decision.kind === 'allow' && decision.spends) || []
}

/** How many times the same may be signed before this window is full. */
function timesIn(policy: Policy, made: Made, asset: string): bigint {
  const claims = spendsOf(policy, made).filter(({ counter }) => counter.includes(`|${asset}`))
  assert.ok(claims.length > 0, asset)
  return claims.map(({ amount, limit }) => limit / amount).reduce((least, one) => (one < least ? one : least))
}

test('docs/policy.md: escrow release', () => {
  const policy = policyOf('### Escrow release')
  const release: Made = { operations: [pay(SELLER, '25000', dollar)], memo: 'deal 4711' }
  holds(policy, [
    [release, 'allow'],
    [{ operations: [pay(BUYER, '1', dollar, ARBITER)], memo: 'deal 4711' }, 'allow'],
    [{ ...release, source: ARBITER }, 'allow'],
    [{ operations: [pay(SELLER, '25000', dollar)] }, 'deny by destinations'],
    [{ ...release, operations: [pay(SELLER, '25000.0000001', dollar)] }, 'deny by amounts'],
    [{ ...release, operations: [pay(TREASURY, '1', dollar)] }, 'deny by destinations'],
    [{ ...release, operations: [pay(SELLER, '1')] }, 'deny by amounts'],
    [
      { ...release, operations: [pay(SELLER, '1', dollar), Operation.accountMerge({ destination: BUYER })] },
      'deny by operations',
    ],
    [{ ...release, source: BUYER }, 'deny by sources'],
    [{ ...release, lifetime: 601 }, 'deny by time-bounds'],
  ])
  assert.equal(timesIn(policy, release, 'USD'), 4n, 'a fifth release on one day has no room')
})

test('docs/policy.md: payout batch', () => {
  const policy = policyOf('### Payout batch')
  const receiver = (n: number): string => StrKey.encodeEd25519PublicKey(new Uint8Array(32).fill(n))
  const batch = (count: number, amount = '500') =>
    Array.from({ length: count }, (_, at) => pay(receiver(at + 1), amount))
  const toMuxed = new xdr.Operation({
    sourceAccount: null,
    body: xdr.OperationBody.payment(
      new xdr.PaymentOp({
        destination: muxed(SELLER, 7n),
        asset: xdr.Asset.assetTypeNative(),
        amount: 5_000_000_000n,
      }),
    ),
  })
  holds(policy, [
    [{ operations: [...batch(39), toMuxed], memo: 'salaries' }, 'allow'],
    [{ operations: batch(40) }, 'allow'],
    [{ operations: batch(41) }, 'deny by amounts'],
    [{ operations: batch(1, '500.0000001') }, 'deny by amounts'],
    [{ operations: [Operation.createAccount({ destination: SELLER, startingBalance: '2' })] }, 'allow'],
    [{ operations: [pay(SELLER, '1', dollar)] }, 'deny by amounts'],
    [{ operations: [Operation.setOptions({ masterWeight: 0 })] }, 'deny by operations'],
  ])
  assert.equal(timesIn(policy, { operations: [pay(SELLER, '500')] }, `native|${SELLER}`), 2n)
  assert.equal(timesIn(policy, { operations: batch(40) }, 'native|*'), 5n)
})

const scAddress = (id: string): xdr.ScAddress =>
  id.startsWith('C')
    ? xdr.ScAddress.scAddressTypeContract(new xdr.ContractId(StrKey.decodeContract(id)))
    : xdr.ScAddress.scAddressTypeAccount(xdr.PublicKey.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(id)))
const who = (id: string): xdr.ScVal => xdr.ScVal.scvAddress(scAddress(id))
const i128 = (lo: bigint): xdr.ScVal => xdr.ScVal.scvI128(new xdr.Int128Parts({ hi: 0n, lo }))
const called = (id: string, functionName: string, args: xdr.ScVal[]): xdr.InvokeContractArgs =>
  new xdr.InvokeContractArgs({ contractAddress: scAddress(id), functionName, args })

/** @param below  a call that the tree authorizes besides. */
function call(id: string, name: string, args: xdr.ScVal[], below?: xdr.InvokeContractArgs): Made {
  const fn = xdr.SorobanAuthorizedFunction.sorobanAuthorizedFunctionTypeContractFn
  const node = (which: xdr.InvokeContractArgs, subInvocations: xdr.SorobanAuthorizedInvocation[]) =>
    new xdr.SorobanAuthorizedInvocation({ function: fn(which), subInvocations })
  const outer = called(id, name, args)
  const entry = new xdr.SorobanAuthorizationEntry({
    credentials: xdr.SorobanCredentials.sorobanCredentialsSourceAccount(),
    rootInvocation: node(outer, below === undefined ? [] : [node(below, [])]),
  })
  const op = new xdr.InvokeHostFunctionOp({
    hostFunction: xdr.HostFunction.hostFunctionTypeInvokeContract(outer),
    auth: [entry],
  })
  return { operations: [new xdr.Operation({ sourceAccount: null, body: xdr.OperationBody.invokeHostFunction(op) })] }
}

test('docs/policy.md: vesting revocation', () => {
  const theft = called(TOKEN, 'transfer', [who(KEY), who(BUYER), i128(1n)])
  holds(policyOf('### Vesting revocation (Soroban)'), [
    [call(VESTING, 'revoke', [who(GRANTEE), who(TREASURY)]), 'allow'],
    [call(VESTING, 'revoke', [who(BUYER), who(TREASURY)]), 'deny by contracts'],
    [call(VESTING, 'revoke', [who(GRANTEE), who(BUYER)]), 'deny by contracts'],
    [call(VESTING, 'revoke', [who(GRANTEE), who(TREASURY), i128(1n)]), 'deny by contracts'],
    [call(VESTING, 'release', [who(GRANTEE)]), 'deny by contracts'],
    [call(VESTING, 'revoke', [who(GRANTEE), who(TREASURY)], theft), 'deny by contracts'],
    [{ operations: [pay(TREASURY, '1')] }, 'deny by operations'],
  ])
})

test('docs/policy.md: Soroban operator', () => {
  const policy = policyOf('### Soroban operator')
  const symbol = (text: string) => xdr.ScVal.scvSymbol(text)
  const transfer = (to: string, units: bigint) => call(TOKEN, 'transfer', [who(KEY), who(to), i128(units)])
  holds(policy, [
    [call(ORACLE, 'set_price', [symbol('XLM'), i128(1_234_567n)]), 'allow'],
    [call(ORACLE, 'set_price', [symbol('XLM'), i128(0n)]), 'deny by contracts'],
    [call(ORACLE, 'set_price', [symbol('BTC'), i128(1n)]), 'deny by contracts'],
    [transfer(POOL, 10_000_000_000n), 'allow'],
    [transfer(POOL, 10_000_000_001n), 'deny by amounts'],
    [transfer(BUYER, 1n), 'deny by destinations'],
    [call(TOKEN, 'approve', [who(KEY), who(POOL), i128(1n), xdr.ScVal.scvU32(9)]), 'deny by contracts'],
    [call(ORACLE, 'upgrade', [xdr.ScVal.scvBytes(new Uint8Array(32))]), 'deny by contracts'],
    [{ ...transfer(POOL, 1n), lifetime: 301 }, 'deny by time-bounds'],
  ])
  assert.equal(timesIn(policy, transfer(POOL, 10_000_000_000n), TOKEN), 5n)
})

const abi = parseAbi([
  'function transfer(address,uint256)',
  'function approve(address,uint256)',
  'function deposit(uint256,address)',
  'function withdraw(uint256)',
])
const data = (functionName: string, args: readonly unknown[]): string =>
  encodeFunctionData<readonly unknown[]>({ abi, functionName, args })

const evmView = (changes: Partial<EvmTransactionView>): EvmTransactionView => ({
  kind: 'evm-transaction',
  network: 'sepolia',
  chainId: 11_155_111n,
  type: 2,
  from: WALLET,
  to: CUSTOMER,
  valueWei: 0n,
  nonce: 3n,
  gasLimit: 100_000n,
  maxFeePerGasWei: 20_000_000_000n,
  maxPriorityFeePerGasWei: 1_000_000_000n,
  maxFeePerBlobGasWei: 0n,
  blobs: 0,
  data: '0x',
  accessList: 0,
  authorizations: [],
  ...changes,
})

test('docs/policy.md: EVM hot wallet', () => {
  const policy = policyOf('### EVM hot wallet')
  const world: Facts = { now: NOW_MS, keyAddress: WALLET, keyNetwork: 'sepolia', keyChainId: 11_155_111n }
  const token = (name: string, ...args: readonly unknown[]) => ({ to: USDC, data: data(name, args) })
  const ether = 1_000_000_000_000_000_000n
  const good = { valueWei: ether / 5n }
  const code = { chainId: 11_155_111n, address: STRANGER, nonce: 0n }
  const cases: ReadonlyArray<readonly [changes: Partial<EvmTransactionView>, expected: string]> = [
    [good, 'allow'],
    [{ valueWei: ether / 5n + 1n }, 'deny by evm-value'],
    [{ ...good, to: STRANGER }, 'deny by evm-calls'],
    [{ ...good, chainId: 1n }, 'deny by evm-chain'],
    [{ ...good, type: 4, authorizations: [code] }, 'deny by evm-type'],
    [{ ...good, gasLimit: 10_000_000n }, 'deny by evm-fee'],
    [token('transfer', EXCHANGE, 1_000_000_000n), 'allow'],
    [token('transfer', EXCHANGE, 1_000_000_001n), 'deny by evm-tokens'],
    [token('transfer', STRANGER, 1n), 'deny by evm-calls'],
    [token('approve', EXCHANGE, 1n), 'deny by evm-calls'],
    [{ to: VAULT, data: data('deposit', [1n, WALLET]) }, 'allow'],
    [{ to: VAULT, data: data('deposit', [1n, STRANGER]) }, 'deny by evm-calls'],
    [{ to: VAULT, data: data('withdraw', [1n]) }, 'deny by evm-calls'],
    [{ to: null, data: '0x00' }, 'deny by evm-create'],
  ]
  for (const [changes, expected] of cases) {
    const decision = decide(policy, evmView(changes), world)
    assert.equal(decision.kind === 'allow' ? 'allow' : `${decision.kind} by ${decision.rule}`, expected)
  }
  const decision = decide(policy, evmView(good), world)
  const windows = (decision.kind === 'allow' && decision.spends) || []
  assert.deepEqual(
    windows.map(({ amount, limit }) => limit / amount),
    [5n, 25n],
  )
})

test('docs/policy.md: the golden tests of the page pass, and their envelopes are the ones it speaks of', () => {
  const { policy, tests } = parsePolicyFile(jsonOf('## Golden tests'))
  const parse = (payload: { readonly type: string }, network: string) => stellar.parse(payload, network).view
  for (const { passed, sentence } of runTests(policy, tests, parse, facts)) assert.ok(passed, sentence)
  const envelopes = ['100', '100.0000001'].map(amount => envelopeOf({ operations: [pay(SELLER, amount)] }))
  assert.deepEqual(
    tests.map(({ xdr }) => xdr),
    envelopes,
  )
})
