import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StrKey, xdr } from '@stellar/stellar-sdk/base'
import { stellar } from '../../../src/chains/stellar/index.ts'
import { decide, parsePolicy } from '../../../src/policy/index.ts'
import { bob, contractId, invoke, sourceAuthorization, timeBounds, v1 } from '../../fuzz/xdr-corpus.ts'
import { type Rng, seeded } from '../../fuzz/xdr-mutator.ts'
import { tokenId } from '../../support/policy-random.ts'
import { facts, NOW_S } from './samples.ts'

const LONG = process.env['COUNTERSIGN_TEST_LONG'] === '1'
const COUNT = LONG ? 100_000 : 5_000
const SEED = Number(process.env['POLICY_SEED'] ?? 20_261_125)
const DEPTH = 8

const policy = parsePolicy({
  version: 1,
  network: 'testnet',
  operations: ['invokeHostFunction'],
  fee: { maxStroops: '1000' },
  timeBounds: { maxLifetimeSeconds: 600 },
  contracts: [
    {
      contract: contractId,
      functions: ['open', { name: 'run', arguments: [{ at: 0, integer: { min: '1', max: '10' } }] }],
    },
  ],
  tokens: [{ contract: tokenId, asset: 'native', functions: ['transfer', 'balance'] }],
  payments: {
    destinations: [bob],
    assets: [{ asset: 'native', maxPerOperation: '1000', maxPerTransaction: '1000' }],
  },
})

const fn = xdr.SorobanAuthorizedFunction
const address = (text: string): xdr.ScAddress =>
  text.startsWith('C')
    ? xdr.ScAddress.scAddressTypeContract(new xdr.ContractId(StrKey.decodeContract(text)))
    : xdr.ScAddress.scAddressTypeAccount(xdr.PublicKey.publicKeyTypeEd25519(StrKey.decodeEd25519PublicKey(text)))
const call = (contract: string, functionName: string, args: xdr.ScVal[]): xdr.SorobanAuthorizedFunction =>
  fn.sorobanAuthorizedFunctionTypeContractFn(
    new xdr.InvokeContractArgs({ contractAddress: address(contract), functionName, args }),
  )
const i128 = (value: bigint): xdr.ScVal =>
  xdr.ScVal.scvI128(new xdr.Int128Parts({ hi: value >> 64n, lo: value & ((1n << 64n) - 1n) }))
const who = (text: string): xdr.ScVal => xdr.ScVal.scvAddress(address(text))
const stranger = StrKey.encodeEd25519PublicKey(new Uint8Array(32).fill(9))
const otherContract = StrKey.encodeContract(new Uint8Array(32).fill(9))

const GOOD: ReadonlyArray<() => xdr.SorobanAuthorizedFunction> = [
  () => call(contractId, 'open', []),
  () => call(contractId, 'open', [xdr.ScVal.scvVoid()]),
  () => call(contractId, 'run', [xdr.ScVal.scvU32(5)]),
  () => call(tokenId, 'transfer', [who(stranger), who(bob), i128(1n)]),
  () => call(tokenId, 'balance', [who(stranger)]),
]

const executable = xdr.ContractExecutable.contractExecutableStellarAsset()
const contractIdPreimage = xdr.ContractIdPreimage.contractIdPreimageFromAsset(xdr.Asset.assetTypeNative())

const BAD: ReadonlyArray<() => xdr.SorobanAuthorizedFunction> = [
  () => call(contractId, 'close', []),
  () => call(contractId, 'Open', []),
  () => call(otherContract, 'open', []),
  () => call(contractId, 'run', [xdr.ScVal.scvU32(11)]),
  () => call(contractId, 'run', [xdr.ScVal.scvU32(5), xdr.ScVal.scvU32(5)]),
  () => call(contractId, 'run', [xdr.ScVal.scvSymbol('5')]),
  () => call(tokenId, 'transfer', [who(bob), who(stranger), i128(1n)]),
  () => call(tokenId, 'transfer', [who(stranger), who(bob), i128(-1n)]),
  () => call(tokenId, 'transfer', [who(stranger), who(bob), i128(10_000_000_001n)]),
  () => call(tokenId, 'transfer', [who(stranger), who(bob)]),
  () => call(tokenId, 'approve', [who(stranger), who(bob), i128(1n), xdr.ScVal.scvU32(9)]),
  () =>
    fn.sorobanAuthorizedFunctionTypeCreateContractHostFn(
      new xdr.CreateContractArgs({ contractIdPreimage, executable }),
    ),
  () =>
    fn.sorobanAuthorizedFunctionTypeCreateContractV2HostFn(
      new xdr.CreateContractArgsV2({ contractIdPreimage, executable, constructorArgs: [] }),
    ),
]

interface Node {
  make: () => xdr.SorobanAuthorizedFunction
  readonly children: Node[]
}

/** @returns every node, the root first. */
function grow(rng: Rng): Node[] {
  const good = (): (() => xdr.SorobanAuthorizedFunction) => GOOD[rng.int(GOOD.length)] ?? assert.fail()
  const all: { node: Node; depth: number }[] = [{ node: { make: good(), children: [] }, depth: 0 }]
  const size = 1 + rng.int(24)
  while (all.length < size) {
    const parent = all[rng.int(all.length)] ?? assert.fail()
    if (parent.depth >= DEPTH) continue
    const node = { make: good(), children: [] }
    parent.node.children.push(node)
    all.push({ node, depth: parent.depth + 1 })
  }
  return all.map(({ node }) => node)
}

const treeOf = ({ make, children }: Node): xdr.SorobanAuthorizedInvocation =>
  new xdr.SorobanAuthorizedInvocation({ function: make(), subInvocations: children.map(treeOf) })

function verdictOf(root: Node): string {
  const operation = invoke('open', [sourceAuthorization(treeOf(root))])
  const envelope = v1({ operations: [operation], cond: timeBounds(0n, NOW_S + 60n) }).toXdr('base64')
  const { view } = stellar.parse({ type: 'stellar-transaction', xdr: envelope }, 'testnet')
  return decide(policy, view, facts).kind
}

test(`T30 ${COUNT} authorization trees up to ${DEPTH} deep: all good nodes pass, one bad node anywhere does not`, {
  timeout: 600_000,
}, t => {
  const rng = seeded(SEED)
  const tally: Record<string, number> = {}
  for (let number = 0; number < COUNT; number++) {
    const nodes = grow(rng)
    const [root] = nodes
    const chosen = nodes[rng.int(nodes.length)]
    assert.ok(root !== undefined && chosen !== undefined)
    assert.equal(verdictOf(root), 'allow', `seed ${SEED}, number ${number}`)
    const bad = rng.int(BAD.length)
    chosen.make = BAD[bad] ?? assert.fail()
    const said = verdictOf(root)
    tally[said] = (tally[said] ?? 0) + 1
    assert.notEqual(said, 'allow', `seed ${SEED}, number ${number}, bad node ${bad}`)
    assert.equal(said, bad === 9 ? 'undecided' : 'deny', `bad node ${bad}`)
  }
  t.diagnostic?.(JSON.stringify({ seed: SEED, ...tally }))
})
