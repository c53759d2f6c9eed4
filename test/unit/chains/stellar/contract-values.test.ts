import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StrKey, xdr } from '@stellar/stellar-sdk/base'
import { stellar } from '../../../../src/chains/stellar/index.ts'
import type { ContractValue } from '../../../../src/domain/stellar.ts'
import { alice, bob, contractId, invoke, sourceAuthorization, v1 } from '../../../fuzz/xdr-corpus.ts'

const key = (address: string): Uint8Array => StrKey.decodeEd25519PublicKey(address)
const account = (address: string): xdr.ScVal =>
  xdr.ScVal.scvAddress(xdr.ScAddress.scAddressTypeAccount(xdr.PublicKey.publicKeyTypeEd25519(key(address))))
const contract = (id: string): xdr.ScVal =>
  xdr.ScVal.scvAddress(xdr.ScAddress.scAddressTypeContract(new xdr.ContractId(StrKey.decodeContract(id))))
const muxedAccount = (address: string, id: bigint): xdr.ScVal =>
  xdr.ScVal.scvAddress(
    xdr.ScAddress.scAddressTypeMuxedAccount(new xdr.MuxedEd25519Account({ id, ed25519: key(address) })),
  )

const viewOfCall = (values: xdr.ScVal[]) => {
  const envelope = v1({ operations: [invoke('f', [], values)] })
  const parsed = stellar.parse({ type: 'stellar-transaction', xdr: envelope.toXdr('base64') }, 'testnet')
  assert.ok(parsed.view.kind === 'transaction')
  const [operation] = parsed.view.operations
  assert.ok(operation?.type === 'invokeHostFunction' && operation.invocation.kind === 'call')
  return { values: operation.invocation.arguments, sentence: stellar.describe(parsed).sentence }
}

const MAX_64 = (1n << 64n) - 1n

const CASES: ReadonlyArray<readonly [value: xdr.ScVal, view: ContractValue, text: string]> = [
  [xdr.ScVal.scvVoid(), { kind: 'void' }, 'nothing'],
  [xdr.ScVal.scvBool(true), { kind: 'bool', value: true }, 'true'],
  [xdr.ScVal.scvU32(4_294_967_295), { kind: 'integer', type: 'u32', value: 4_294_967_295n }, '4294967295'],
  [xdr.ScVal.scvI32(-5), { kind: 'integer', type: 'i32', value: -5n }, '-5'],
  [xdr.ScVal.scvU64(MAX_64), { kind: 'integer', type: 'u64', value: MAX_64 }, String(MAX_64)],
  [xdr.ScVal.scvI64(-(1n << 63n)), { kind: 'integer', type: 'i64', value: -(1n << 63n) }, String(-(1n << 63n))],
  [xdr.ScVal.scvTimepoint(9n), { kind: 'integer', type: 'timepoint', value: 9n }, '9'],
  [xdr.ScVal.scvDuration(8n), { kind: 'integer', type: 'duration', value: 8n }, '8'],
  [
    xdr.ScVal.scvU128(new xdr.Uint128Parts({ hi: MAX_64, lo: MAX_64 })),
    { kind: 'integer', type: 'u128', value: (1n << 128n) - 1n },
    String((1n << 128n) - 1n),
  ],
  [
    xdr.ScVal.scvI128(new xdr.Int128Parts({ hi: -1n, lo: MAX_64 })),
    { kind: 'integer', type: 'i128', value: -1n },
    '-1',
  ],
  [
    xdr.ScVal.scvI128(new xdr.Int128Parts({ hi: -(1n << 63n), lo: 0n })),
    { kind: 'integer', type: 'i128', value: -(1n << 127n) },
    String(-(1n << 127n)),
  ],
  [
    xdr.ScVal.scvU256(new xdr.Uint256Parts({ hiHi: 1n, hiLo: 2n, loHi: 3n, loLo: 4n })),
    { kind: 'integer', type: 'u256', value: (1n << 192n) + (2n << 128n) + (3n << 64n) + 4n },
    String((1n << 192n) + (2n << 128n) + (3n << 64n) + 4n),
  ],
  [
    xdr.ScVal.scvI256(new xdr.Int256Parts({ hiHi: -1n, hiLo: MAX_64, loHi: MAX_64, loLo: MAX_64 - 1n })),
    { kind: 'integer', type: 'i256', value: -2n },
    '-2',
  ],
  [xdr.ScVal.scvSymbol('deposit'), { kind: 'symbol', text: 'deposit' }, 'symbol "deposit"'],
  [xdr.ScVal.scvString('a"\n'), { kind: 'string', text: 'a"\\n' }, '"a\\"\\n"'],
  [xdr.ScVal.scvBytes(new Uint8Array([0, 255])), { kind: 'bytes', hex: '00ff' }, 'hex 00ff'],
  [account(bob), { kind: 'address', address: bob, muxedId: null }, bob],
  [contract(contractId), { kind: 'address', address: contractId, muxedId: null }, contractId],
  [muxedAccount(bob, 7n), { kind: 'address', address: bob, muxedId: 7n }, `${bob} (muxed id 7)`],
  [
    xdr.ScVal.scvVec([xdr.ScVal.scvU32(1), xdr.ScVal.scvVoid()]),
    { kind: 'vec', items: [{ kind: 'integer', type: 'u32', value: 1n }, { kind: 'void' }] },
    '[1, nothing]',
  ],
  [
    xdr.ScVal.scvMap([new xdr.ScMapEntry({ key: xdr.ScVal.scvSymbol('to'), val: account(alice) })]),
    {
      kind: 'map',
      entries: [{ key: { kind: 'symbol', text: 'to' }, value: { kind: 'address', address: alice, muxedId: null } }],
    },
    `{symbol "to": ${alice}}`,
  ],
  [xdr.ScVal.scvError(xdr.ScError.sceContract(3)), { kind: 'error', name: 'sceContract' }, 'error sceContract'],
  [xdr.ScVal.scvVec(null), { kind: 'unknown', name: 'scvVec' }, 'DOES NOT KNOW (scvVec)'],
  [xdr.ScVal.scvMap(null), { kind: 'unknown', name: 'scvMap' }, 'DOES NOT KNOW (scvMap)'],
  [
    xdr.ScVal.scvLedgerKeyContractInstance(),
    { kind: 'unknown', name: 'scvLedgerKeyContractInstance' },
    'DOES NOT KNOW (scvLedgerKeyContractInstance)',
  ],
]

test('M-52 arguments of a contract call are typed values, every kind there is, and each has its words', () => {
  const { values } = viewOfCall(CASES.map(([value]) => value))
  assert.deepEqual(
    values,
    CASES.map(([, view]) => view),
  )
  for (const [value, , text] of CASES) {
    const { sentence } = viewOfCall([value])
    assert.ok(sentence.includes(text) && sentence.includes('with 1 argument ('), `${text} in ${sentence}`)
  }
})

test('addresses of balances and pools are strkeys too', () => {
  const pool = xdr.ScAddress.scAddressTypeLiquidityPool(new xdr.PoolId(new Uint8Array(32)))
  const hash = new xdr.Hash(new Uint8Array(32))
  const balance = xdr.ScAddress.scAddressTypeClaimableBalance(xdr.ClaimableBalanceId.claimableBalanceIdTypeV0(hash))
  const { values } = viewOfCall([xdr.ScVal.scvAddress(pool), xdr.ScVal.scvAddress(balance)])
  const addresses = values.map(value => (value.kind === 'address' ? value.address.charAt(0) : ''))
  assert.deepEqual(addresses, ['L', 'B'])
})

test('long arguments are cut with a count, so the rest of the sentence stays in sight', () => {
  const long = xdr.ScVal.scvBytes(new Uint8Array(1000))
  assert.match(viewOfCall([long]).sentence, /hex (?:00){64}\.\.\. and 936 more bytes/u)
  const many = xdr.ScVal.scvVec(Array.from({ length: 30 }, (_, at) => xdr.ScVal.scvU32(at)))
  assert.match(viewOfCall([many]).sentence, /\[0, 1, 2, 3, 4, 5, 6, 7 and 22 more\]/u)
  const wide = xdr.ScVal.scvString('x'.repeat(5000))
  const { sentence } = viewOfCall([wide])
  assert.match(sentence, /x\.\.\. and \d+ more characters\) by G/u)
  assert.ok(sentence.length < 1500)
})

test('arguments in authorization trees are read as well', () => {
  const tree = new xdr.SorobanAuthorizedInvocation({
    function: xdr.SorobanAuthorizedFunction.sorobanAuthorizedFunctionTypeContractFn(
      new xdr.InvokeContractArgs({
        contractAddress: xdr.ScAddress.scAddressTypeContract(new xdr.ContractId(StrKey.decodeContract(contractId))),
        functionName: 'g',
        args: [xdr.ScVal.scvU32(5)],
      }),
    ),
    subInvocations: [],
  })
  const envelope = v1({ operations: [invoke('f', [sourceAuthorization(tree)])] })
  const { view } = stellar.parse({ type: 'stellar-transaction', xdr: envelope.toXdr('base64') }, 'testnet')
  assert.ok(view.kind === 'transaction' && view.operations[0]?.type === 'invokeHostFunction')
  assert.deepEqual(view.operations[0].authorizations[0]?.invocations[0], {
    kind: 'call',
    contract: contractId,
    function: 'g',
    arguments: [{ kind: 'integer', type: 'u32', value: 5n }],
  })
})
