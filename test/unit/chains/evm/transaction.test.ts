import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { fromRlp, keccak256, parseTransaction, serializeTransaction, sha256, toRlp } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { EvmTransactionView } from '../../../../src/domain/evm.ts'
import { isSignerError } from '../../../../src/domain/errors.ts'
import { chainIdOf, EVM_NETWORKS, evmPayloads } from '../../../../src/chains/evm/index.ts'
import {
  alice,
  ask,
  askTransaction,
  askUnsigned,
  attached,
  cow,
  type Fields,
  quantity,
  refusal,
  signatory,
  signWith,
} from './samples.ts'

type Hex = `0x${string}`

const TO = `0x${'35'.repeat(20)}`
const legacy: Fields = { chainId: '0x1', nonce: '0x9', gasPrice: '0x4a817c800', gas: '0x5208', to: TO, value: '0x1' }
const { gasPrice: _, ...common } = legacy
const market: Fields = { ...common, maxFeePerGas: '0x20', maxPriorityFeePerGas: '0x10' }
const HASH = `0x01${'ab'.repeat(31)}`
const blob: Fields = { ...market, maxFeePerBlobGas: '0x7', blobVersionedHashes: [HASH] }

/** Signed by cow, for chain 1. */
const account = privateKeyToAccount(cow.privateKey)
const tuple = await account.signAuthorization({ chainId: 1, address: TO as Hex, nonce: 3 })
const authorization: Fields = {
  chainId: '0x1',
  address: TO,
  nonce: '0x3',
  yParity: quantity(tuple.yParity ?? 0),
  r: quantity(BigInt(tuple.r)),
  s: quantity(BigInt(tuple.s)),
}
const setCode: Fields = { ...market, authorizationList: [authorization] }

const ALL: readonly (readonly [number, Fields])[] = [
  [0, legacy],
  [1, { ...legacy, accessList: [{ address: TO, storageKeys: [`0x${'00'.repeat(32)}`] }] }],
  [2, market],
  [3, blob],
  [4, setCode],
]

const why = (over: Fields, base: Fields = market): string => refusal(() => askTransaction({ ...base, ...over }))
const without = (name: string, base: Fields = market): string => {
  const { [name]: gone, ...rest } = base
  assert.ok(gone !== undefined)
  return refusal(() => askTransaction(rest))
}

test('M-30 the type is told by the fields, or said; the view has what policy asks for', () => {
  for (const [type, fields] of ALL) {
    const asked = askTransaction(fields)
    const view = asked.view as EvmTransactionView
    assert.equal(view.type, type)
    assert.equal(
      askTransaction({ ...fields, type: quantity(type), from: alice.address.toLowerCase() }).hash,
      asked.hash,
    )
    assert.deepEqual(asked.operations, type === 4 ? ['evm-transaction', 'evm-set-code'] : ['evm-transaction'])
    assert.deepEqual(
      [view.kind, view.network, view.chainId, view.from, view.to, view.valueWei, view.nonce, view.gasLimit, view.data],
      ['evm-transaction', 'mainnet', 1n, alice.address, TO, 1n, 9n, 21000n, '0x'],
    )
    const fees = [view.maxFeePerGasWei, view.maxPriorityFeePerGasWei, view.maxFeePerBlobGasWei]
    assert.deepEqual(fees, type < 2 ? [20_000_000_000n, 20_000_000_000n, 0n] : [32n, 16n, type === 3 ? 7n : 0n])
    assert.equal(view.blobs, type === 3 ? 1 : 0)
    assert.equal(view.accessList, type === 1 ? 1 : 0)
    assert.deepEqual(view.authorizations, type === 4 ? [{ chainId: 1n, address: TO, nonce: 3n }] : [])
    assert.equal(asked.input.scheme, 'ecdsa-secp256k1')
  }
})

test('M-30 by fields or by bytes: one hash, and viem signs the same transaction to the byte', async () => {
  const signer = privateKeyToAccount(alice.privateKey)
  for (const [, fields] of ALL) {
    const asked = askTransaction(fields)
    const { signedTransaction, evmSignature } = attached(asked, alice)
    const { r, s, v, yParity, ...rest } = parseTransaction(signedTransaction as Hex) as never as Fields
    assert.ok(r !== undefined && s !== undefined && (v !== undefined || yParity !== undefined))
    const unsigned = serializeTransaction(rest as never)
    assert.equal(askUnsigned(unsigned).hash, asked.hash)
    assert.equal(askUnsigned(unsigned.toUpperCase().replace('0X', '0x')).hash, asked.hash)
    assert.equal(keccak256(unsigned), `0x${asked.hash}`)
    assert.equal(await signer.signTransaction(rest as never), signedTransaction)
    assert.match(evmSignature ?? '', /^0x[0-9a-f]{128}1[bc]$/)
  }
})

test('data or input, gas or gasLimit: one of them, or both alike', () => {
  const data = '0xA9059CBB00'
  const { hash } = askTransaction({ ...market, data })
  assert.equal(askTransaction({ ...market, input: data.toLowerCase().replace('0X', '0x') }).hash, hash)
  assert.equal(askTransaction({ ...market, data, input: data }).hash, hash)
  assert.match(why({ data, input: '0x' }), /^transaction.input: is not the same as data/)
  const { gas, ...noGas } = market
  assert.equal(askTransaction({ ...noGas, gasLimit: gas }).hash, askTransaction(market).hash)
  assert.match(why({ gasLimit: '0x5209' }), /^transaction.gasLimit: is not the same as gas/)
})

test('M-30 the chain: absent, zero, of another key, too large; a name for each of ours', () => {
  assert.match(without('chainId'), /^transaction.chainId: is missing/)
  assert.match(why({ chainId: '0x0' }), /^transaction.chainId: is 0; the key is pinned to chain 1$/)
  assert.match(why({ chainId: '0x5' }), /^transaction.chainId: is 5; the key is pinned to chain 1$/)
  assert.match(why({ chainId: `0x1${'0'.repeat(64)}` }), /^transaction.chainId: is above 256 bits/)
  for (const name of [...EVM_NETWORKS, 'eip155:9223372036854775790']) {
    const id = chainIdOf(name)
    for (const [type, fields] of ALL) {
      const asked = evmPayloads['evm-transaction']?.(
        {
          type: 'evm-transaction',
          transaction: {
            ...fields,
            chainId: quantity(id),
            ...(type === 4 ? { authorizationList: [{ ...authorization, chainId: '0x0' }] } : {}),
          },
        },
        { ...signatory(1n), network: name },
      )
      assert.ok(asked !== undefined)
      if (name !== 'eip155:9223372036854775790') continue
      // v of a legacy transaction is beyond what a double holds.
      const { signedTransaction = '0x' } = attached(asked, alice)
      if (type > 0) continue
      const [v] = (fromRlp(signedTransaction as Hex) as Hex[]).slice(6)
      assert.ok([2n * id + 35n, 2n * id + 36n].includes(BigInt(v ?? 0)))
    }
  }
})

test('quantities are strict', () => {
  for (const bad of ['0x', '0x00', '0x09', '9', '0X9', '0xg', ' 0x9', '0x9 ', '-0x9', '0x-9', '0x٣', '']) {
    assert.match(why({ nonce: bad }), /^transaction.nonce: must be a hex quantity/, bad)
  }
  for (const bad of [9, null, true, [], {}, 9n]) assert.match(why({ nonce: bad }), /^transaction.nonce: must be a text/)
  assert.equal(askTransaction({ ...market, value: '0xAb' }).hash, askTransaction({ ...market, value: '0xab' }).hash)
  assert.match(why({ value: `0x1${'0'.repeat(64)}` }), /^transaction.value: is above 256 bits/)
  assert.match(why({ nonce: `0x1${'0'.repeat(16)}` }), /^transaction.nonce: is above 64 bits/)
  assert.match(why({ nonce: `0x${'f'.repeat(16)}` }), /EIP-2681/)
  assert.match(why({ gas: `0x1${'0'.repeat(16)}` }), /^transaction.gas: is above 64 bits/)
  assert.ok(askTransaction({ ...market, nonce: '0xfffffffffffffffe', value: `0x${'f'.repeat(64)}` }))
})

test('bytes and addresses are strict', () => {
  for (const bad of ['0x0', 'ab', '0xzz', '0X00', ''])
    assert.match(why({ data: bad }), /^transaction.data: must be bytes/)
  const mixed = '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826'
  assert.equal(
    askTransaction({ ...market, to: mixed }).hash,
    askTransaction({ ...market, to: mixed.toLowerCase() }).hash,
  )
  for (const bad of [
    mixed.replace('CD2a', 'cD2a'),
    mixed.toUpperCase(),
    mixed.slice(0, 40),
    '0x',
    '',
    'deployer.eth',
  ]) {
    assert.match(why({ to: bad }), /^transaction.to: must be an address/, bad)
  }
  assert.equal((askTransaction({ ...market, to: null, data: '0x00' }).view as EvmTransactionView).to, null)
  assert.equal(
    (askTransaction({ ...common, gasPrice: '0x1', to: undefined, data: '0x00' }).view as EvmTransactionView).to,
    null,
  )
})

test('what is missing is not made up', () => {
  for (const name of ['nonce', 'gas', 'maxPriorityFeePerGas', 'maxFeePerGas']) {
    assert.match(without(name), new RegExp(`^transaction.${name}: is missing`))
  }
  assert.match(without('gasPrice', legacy), /^transaction.type: is missing, and no field tells it/)
  assert.match(without('gasPrice', { ...legacy, type: '0x0' }), /^transaction.gasPrice: is missing/)
  assert.match(without('maxFeePerBlobGas', blob), /^transaction.maxFeePerBlobGas: is missing/)
  assert.match(why({ type: '0x1' }, common), /^transaction.gasPrice: is missing/)
})

test('what is unknown, or belongs to another type, is refused', () => {
  assert.match(why({ gasprice: '0x1' }), /^transaction.gasprice: is not a field of a transaction of type 2/)
  assert.match(why({ gasPrice: '0x1' }), /^transaction.gasPrice: is not a field of a transaction of type 2/)
  assert.match(
    why({ accessList: [] }, { ...legacy, type: '0x0' }),
    /accessList: is not a field of a transaction of type 0/,
  )
  assert.match(why({ authorizationList: [authorization] }, blob), /: is not a field of a transaction of type 4/)
  for (const type of ['0x5', '0x7e', '0x7f']) assert.match(why({ type }), /^transaction.type: is \d+; types 0 to 4/)
  for (const type of ['0x02', 2, 'eip1559']) assert.match(why({ type }), /^transaction.type: must be/)
  for (const name of ['v', 'r', 's', 'yParity', 'hash']) {
    assert.match(why({ [name]: '0x1' }), new RegExp(`^transaction.${name}: is there: it is signed already`))
  }
  assert.match(why({ ['ключ\n']: 1 }), /^transaction\.\?{5}: is not a field/)
  assert.match(
    refusal(() => ask({ type: 'evm-transaction' })),
    /^transaction: must be an object/,
  )
  for (const bad of [null, [], 'text', 1])
    assert.match(
      refusal(() => askTransaction(bad)),
      /^transaction: must be an object/,
    )
  const both = { type: 'evm-transaction', transaction: market, unsigned: '0xc0' }
  assert.match(
    refusal(() => ask(both)),
    /^unsigned: stands beside transaction/,
  )
  assert.match(
    refusal(() => ask({ type: 'evm-transaction', transaction: market, chainId: '0x1' })),
    /^chainId: is not a field/,
  )
  assert.match(why({ from: cow.address }), /^transaction.from: is 0xCD2a.*; the account of the key is 0x/)
  assert.match(why({ from: cow.address.replace('CD2a', 'cD2a') }), /^transaction.from: must be an address/)
})

test('what no chain runs is refused', () => {
  assert.match(why({ maxPriorityFeePerGas: '0x21' }), /maxPriorityFeePerGas: is 33, which is above maxFeePerGas, 32/)
  assert.match(why({ to: null }, blob), /^transaction.to: is missing: a transaction of type 3 creates no contract/)
  assert.match(why({ to: null }, setCode), /^transaction.to: is missing: a transaction of type 4 creates no contract/)
  assert.match(why({ authorizationList: [] }, setCode), /^transaction.authorizationList: is empty/)
  assert.match(why({ blobVersionedHashes: [] }, blob), /^transaction.blobVersionedHashes: is empty/)
  assert.match(without('blobVersionedHashes', blob), /^transaction.blobVersionedHashes: must be a list/)
  assert.match(why({ blobVersionedHashes: [`0x02${'ab'.repeat(31)}`] }, blob), /\[0\]: does not begin with 01/)
  assert.match(why({ blobVersionedHashes: [HASH.slice(0, -2)] }, blob), /\[0\]: has 31 bytes; 32 are needed/)
})

test('access lists are whole', () => {
  const list = (accessList: unknown): string => why({ accessList })
  assert.match(list({}), /^transaction.accessList: must be a list/)
  assert.match(list([{ address: TO }]), /accessList\[0\].storageKeys: must be a list/)
  assert.match(list([{ address: TO, storageKeys: ['0x00'] }]), /storageKeys\[0\]: has 1 bytes; 32 are needed/)
  assert.match(list([{ address: '0x00', storageKeys: [] }]), /accessList\[0\].address: must be an address/)
  assert.match(list([{ address: TO, storageKeys: [], extra: 1 }]), /accessList\[0\].extra: is not a field/)
  assert.match(list([[TO, []]]), /accessList\[0\]: must be an object/)
})

test('T20 access lists have a limit, by fields and by bytes', () => {
  const [zero, one] = ['0x', '0x01'] as const
  const unsigned = (list: unknown): Hex => {
    const fields = [one, zero, one, one, '0x5208', TO.toLowerCase(), zero, zero, list]
    return `0x02${toRlp(fields as never).slice(2)}`
  }
  const entry = [TO.toLowerCase(), []]
  const entries = Array.from({ length: 10_001 }, () => entry)
  const keys = Array.from({ length: 10_001 }, () => HASH)
  const limit = /has 10001 entries; 10000 is the limit/
  assert.ok(askUnsigned(unsigned([entry])))
  assert.match(
    refusal(() => askUnsigned(unsigned(entries))),
    limit,
  )
  assert.match(
    refusal(() => askUnsigned(unsigned([[TO.toLowerCase(), keys]]))),
    limit,
  )
  assert.match(why({ accessList: entries }), limit)
  assert.match(why({ accessList: [{ address: TO, storageKeys: keys }] }), limit)
})

test('M-30 EIP-7702: each signed authorization is checked', () => {
  const bad = (over: Fields): string =>
    why({ authorizationList: [authorization, { ...authorization, ...over }] }, setCode)
  const at = String.raw`^transaction.authorizationList\[1\].`
  const order = secp256k1.Point.CURVE().n
  assert.match(bad({ chainId: '0x5' }), new RegExp(`${at}chainId: is 5; the key is pinned to chain 1`))
  assert.match(bad({ address: '0x' }), new RegExp(`${at}address: must be an address`))
  assert.match(bad({ nonce: '0xffffffffffffffff' }), new RegExp(`${at}nonce: is above 2`))
  assert.match(bad({ nonce: 3 }), new RegExp(`${at}nonce: must be a text`))
  assert.match(bad({ yParity: '0x2' }), new RegExp(`${at}yParity: must be 0 or 1`))
  assert.match(bad({ yParity: '0x1b' }), new RegExp(`${at}yParity: must be 0 or 1`))
  assert.match(bad({ yParity: undefined }), new RegExp(`${at}yParity: is missing`))
  assert.match(bad({ r: '0x0' }), new RegExp(`${at}r: is not between`))
  assert.match(bad({ r: quantity(order) }), new RegExp(`${at}r: is not between`))
  assert.match(bad({ s: '0x0' }), new RegExp(`${at}s: is not between`))
  assert.match(bad({ s: quantity(order - BigInt(tuple.s)) }), new RegExp(`${at}s: is not between 1 and half the order`))
  assert.match(bad({ v: '0x1b' }), new RegExp(`${at}v: is not a field`))
  const anywhere = { ...authorization, chainId: '0x0', r: tuple.r, s: tuple.s }
  assert.ok(askTransaction({ ...setCode, authorizationList: [anywhere] }))
  const many = Array.from({ length: 101 }, () => authorization)
  assert.match(why({ authorizationList: many }, setCode), /has 101 entries; 100 is the limit/)
})

test('M-30 RLP: only the one form of an unsigned transaction', () => {
  const bytesOf = (fields: Fields): Hex => {
    const made = attached(askTransaction(fields), alice).signedTransaction as Hex
    const parsed = parseTransaction(made) as never as Fields
    return serializeTransaction(
      Object.fromEntries(
        Object.entries(parsed).filter(([name]) => !['r', 's', 'v', 'yParity'].includes(name)),
      ) as never,
    )
  }
  const bad = (unsigned: unknown): string => refusal(() => askUnsigned(unsigned))
  for (const [type, fields] of ALL) {
    const good = bytesOf(fields)
    const head = type === 0 ? '' : good.slice(2, 4)
    const items = fromRlp(`0x${good.slice(2 + head.length)}`) as (Hex | Hex[])[]
    const again = (list: unknown[]): string => `0x${head}${toRlp(list as never).slice(2)}`
    const changed = (place: number, value: unknown): string => bad(again(items.with(place, value as Hex)))
    assert.ok(askUnsigned(again(items)))
    assert.match(bad(`${good}00`), /^unsigned: is not canonical RLP/)
    assert.match(bad(good.slice(0, -2)), /^unsigned/)
    // The length of the list in more bytes than it needs.
    const size =
      (good.length - 2 - head.length) / 2 -
      (items.length > 0 && good.slice(2 + head.length, 4 + head.length) > 'f7' ? 2 : 1)
    const rest = good.slice(-2 * size)
    assert.match(bad(`0x${head}f9${size.toString(16).padStart(4, '0')}${rest}`), /^unsigned: is not canonical RLP/)
    assert.match(bad(attached(askTransaction(fields), alice).signedTransaction), /^unsigned: is signed already/)
    assert.match(bad(again([...items, '0x'])), /^unsigned: has \d+ fields/)
    assert.match(bad(again(items.slice(1))), /^unsigned: has \d+ fields/)
    // A nonce with a leading zero; zero as a byte of its own.
    const nonce = type === 0 ? 0 : 1
    assert.match(changed(nonce, '0x0009'), /^unsigned.nonce: has leading zeros/)
    assert.match(changed(nonce, '0x00'), /^unsigned.nonce: has leading zeros/)
    assert.match(changed(nonce, []), /^unsigned.nonce: is not an integer/)
    assert.match(changed(nonce, `0x${'ff'.repeat(8)}`), /EIP-2681/)
    assert.match(changed(nonce, `0x${'ff'.repeat(33)}`), /^unsigned.nonce: is above 64 bits/)
    const to = [3, 4, 5, 5, 5][type] ?? 0
    assert.match(changed(to, `0x${'35'.repeat(19)}`), /^unsigned.to: must be an address/)
    assert.match(changed(to, []), /^unsigned.to: must be a text/)
    assert.match(changed(to + 2, []), /^unsigned.data: must be a text/)
    const chain = type === 0 ? 6 : 0
    assert.match(changed(chain, '0x'), /^unsigned.chainId: is 0; the key is pinned to chain 1/)
    assert.match(changed(chain, '0x05'), /^unsigned.chainId: is 5; the key is pinned to chain 1/)
    if (type > 0) {
      assert.match(changed(to + 3, '0x'), /^unsigned.accessList: is not a list/)
      assert.match(changed(to + 3, [[TO]]), /accessList\[0\].storageKeys: is not a list/)
      assert.match(changed(to + 3, [[TO, [], []]]), /accessList\[0\]: has more than an address and its keys/)
    }
  }
  assert.match(bad('0xc6808080808080'), /^unsigned: names no chain/)
  assert.match(bad('0xc0'), /^unsigned: has 0 fields/)
  for (const text of ['0x', '0x05c0', '0x7ec0', '0x00c0', '0x80'])
    assert.match(bad(text), /^unsigned: is neither a legacy/)
  for (const text of ['0x02', '0x0280', '0x0263']) assert.match(bad(text), /^unsigned/)
  for (const value of [undefined, null, 5, 'c0', '0xc']) assert.match(bad(value), /^(unsigned|transaction): must be/)
  assert.match(bad(`0x${'c1'.repeat(40_000)}`), /^unsigned: is not canonical RLP/)
  assert.match(bad(`0x02${'f9ffff'.repeat(20_000)}`), /^unsigned: is not canonical RLP/)
})

test('a wrong authorization inside of RLP is refused by its place', () => {
  const made = attached(askTransaction(setCode), alice).signedTransaction as Hex
  const items = (fromRlp(`0x${made.slice(4)}`) as Hex[]).slice(0, 10)
  const [good] = items[9] as never as Hex[][]
  const changed = (place: number, value: unknown): string =>
    refusal(() => askUnsigned(`0x04${toRlp(items.with(9, [good?.with(place, value as Hex)] as never)).slice(2)}`))
  assert.match(changed(0, '0x05'), /^unsigned.authorizationList\[0\].chainId: is 5/)
  assert.match(changed(1, '0x35'), /^unsigned.authorizationList\[0\].address: must be an address/)
  assert.match(changed(3, '0x02'), /^unsigned.authorizationList\[0\].yParity: must be 0 or 1/)
  assert.match(changed(4, '0x'), /^unsigned.authorizationList\[0\].r: is not between/)
  assert.match(changed(5, `0x${'ff'.repeat(32)}`), /^unsigned.authorizationList\[0\].s: is not between/)
  assert.match(changed(5, []), /^unsigned.authorizationList\[0\].s: is not an integer/)
  const short = `0x04${toRlp(items.with(9, [good?.slice(0, 3)] as never)).slice(2)}`
  assert.match(
    refusal(() => askUnsigned(short)),
    /authorizationList\[0\]: has not the six fields/,
  )
})

const chunk = (size: number, byte: string): Hex => `0x${byte.repeat(size)}`
const versioned = (commitment: Hex): Hex => `0x01${sha256(commitment).slice(4)}`
const COMMITMENTS = [chunk(48, 'c1'), chunk(48, 'c2')]
const BLOBS = [chunk(131_072, 'b1'), chunk(131_072, 'b2')]
const sidecar: Fields = {
  blobVersionedHashes: COMMITMENTS.map(versioned),
  blobs: BLOBS,
  commitments: COMMITMENTS,
  proofs: [chunk(48, 'a1'), chunk(48, 'a2')],
}

test('M-30 EIP-4844: hashed without the blobs, sent with them; by fields and by bytes', async () => {
  const asked = askTransaction({ ...blob, ...sidecar })
  const bare = { ...blob, blobVersionedHashes: sidecar['blobVersionedHashes'] }
  assert.equal(asked.hash, askTransaction(bare).hash)
  assert.deepEqual(asked.slot(), askTransaction(bare).slot())
  assert.equal((asked.view as EvmTransactionView).blobs, 2)
  const { signedTransaction = '0x' } = attached(asked, alice)
  const parsed = parseTransaction(signedTransaction as `0x03${string}`)
  assert.equal(parsed.sidecars?.length, 2)
  const { r, s, yParity, ...rest } = parsed
  assert.ok(r && s && yParity !== undefined)
  assert.equal(await privateKeyToAccount(alice.privateKey).signTransaction(rest as never), signedTransaction)
  const unsigned = serializeTransaction(rest as never)
  assert.ok(unsigned.length > 500_000)
  const again = askUnsigned(unsigned)
  assert.equal(again.hash, asked.hash)
  assert.equal(attached(again, alice).signedTransaction, signedTransaction)
  // Left out, the hashes are those of the commitments.
  const { blobVersionedHashes: left, ...derived } = { ...blob, ...sidecar }
  assert.ok(left !== undefined)
  assert.equal(askTransaction(derived).hash, asked.hash)
  assert.equal((asked.describe().json as Fields)['blobsIncluded'], 2)
})

test('M-30 EIP-7594: 128 proofs a blob make the wrapper of cells', () => {
  const proofs = Array.from({ length: 256 }, (_, at) => chunk(48, (at % 250).toString(16).padStart(2, '0')))
  const asked = askTransaction({ ...blob, ...sidecar, proofs })
  const { signedTransaction = '0x' } = attached(asked, alice)
  const [body, version, blobs, commitments, cells] = fromRlp(`0x${signedTransaction.slice(4)}`) as (Hex | Hex[])[]
  assert.deepEqual([version, blobs, commitments, cells], ['0x01', BLOBS, COMMITMENTS, proofs])
  const alone = attached(askTransaction({ ...blob, blobVersionedHashes: sidecar['blobVersionedHashes'] }), alice)
  assert.equal(`0x03${toRlp(body as never).slice(2)}`, alone.signedTransaction)
  const inner = (body as Hex[]).slice(0, 11)
  const wrap = (parts: unknown[]): string => `0x03${toRlp(parts as never).slice(2)}`
  const unsigned = wrap([inner, '0x01', BLOBS, COMMITMENTS, proofs])
  assert.equal(attached(askUnsigned(unsigned), alice).signedTransaction, signedTransaction)
  const bad = (...parts: unknown[]): string => refusal(() => askUnsigned(wrap(parts)))
  assert.match(bad(inner, '0x02', BLOBS, COMMITMENTS, proofs), /^unsigned: has a wrapper of another version/)
  assert.match(bad(inner, BLOBS, COMMITMENTS, proofs), /^unsigned.proofs: has 256 entries for 2 blobs; 2 are needed/)
  assert.match(
    bad(inner, '0x01', BLOBS, COMMITMENTS, proofs.slice(0, 2)),
    /^unsigned.proofs: has 2 entries for 2 blobs; 256/,
  )
  assert.match(bad(inner, BLOBS, COMMITMENTS), /^unsigned: has a wrapper of 3 parts/)
  assert.match(
    bad(inner, BLOBS, COMMITMENTS.toReversed(), sidecar['proofs']),
    /blobVersionedHashes\[0\]: is not the hash/,
  )
  assert.match(bad(body, BLOBS, COMMITMENTS, sidecar['proofs']), /^unsigned: is signed already/)
})

test('M-30 blobs without what proves them, or with what does not fit, are refused', () => {
  const bad = (over: Fields): string => why({ ...sidecar, ...over }, blob)
  assert.match(
    bad({ commitments: undefined, proofs: undefined }),
    /^transaction.commitments: is missing: .*no KZG setup/,
  )
  assert.match(bad({ proofs: undefined }), /^transaction.proofs: is missing: .*no KZG setup/)
  assert.match(bad({ blobs: undefined }), /^transaction.blobs: is missing/)
  assert.match(bad({ blobs: [BLOBS[0]] }), /^transaction.commitments: has 2 entries for 1 blobs/)
  assert.match(bad({ proofs: [chunk(48, 'a1')] }), /^transaction.proofs: has 1 entries for 2 blobs; 2, or 256 of cells/)
  assert.match(bad({ blobs: [BLOBS[0], chunk(131_071, 'b2')] }), /^transaction.blobs\[1\]: has 131071 bytes/)
  assert.match(bad({ commitments: [chunk(48, 'c1'), chunk(47, 'c2')] }), /^transaction.commitments\[1\]: has 47 bytes/)
  assert.match(bad({ proofs: [chunk(48, 'a1'), chunk(49, 'a2')] }), /^transaction.proofs\[1\]: has 49 bytes/)
  assert.match(
    bad({ blobVersionedHashes: [HASH] }),
    /^transaction.blobVersionedHashes: has 1 entries for 2 commitments/,
  )
  assert.match(
    bad({ blobVersionedHashes: COMMITMENTS.map(versioned).toReversed() }),
    /^transaction.blobVersionedHashes\[0\]: is not the hash of its commitment/,
  )
  const none = { blobVersionedHashes: [], blobs: [], commitments: [], proofs: [] }
  assert.match(bad(none), /^transaction.blobVersionedHashes: is empty/)
  assert.match(bad({ ...none, blobVersionedHashes: undefined }), /^transaction.blobVersionedHashes: is empty/)
})

test('M-30 EIP-2: a signature is released low, recoverable and for the pinned key alone', () => {
  const asked = askTransaction(market)
  const good = signWith(alice, asked.hash)
  const order = secp256k1.Point.CURVE().n
  const { r, s } = secp256k1.Signature.fromBytes(good, 'compact')
  const high = new secp256k1.Signature(r, order - s).toBytes('compact')
  const code = (body: () => unknown): string => {
    try {
      body()
    } catch (error) {
      return isSignerError(error) ? error.code : String(error)
    }
    return 'released'
  }
  assert.equal(
    code(() => asked.attach(alice.publicKey, good)),
    'released',
  )
  assert.equal(
    code(() => asked.attach(alice.publicKey, high)),
    'signature/unverified',
  )
  assert.equal(
    code(() => asked.attach(cow.publicKey, signWith(cow, asked.hash))),
    'signature/unverified',
  )
  assert.equal(
    code(() => asked.attach(alice.publicKey, signWith(cow, asked.hash))),
    'signature/unverified',
  )
  assert.equal(
    code(() => asked.attach(alice.publicKey, signWith(alice, askTransaction(legacy).hash))),
    'signature/unverified',
  )
  assert.equal(
    code(() => asked.attach(alice.publicKey, new Uint8Array(64))),
    'signature/unverified',
  )
})

test('M-30 the place of a transaction: chain, account and nonce; fees are no effect, all else is', () => {
  for (const [type, fields] of ALL) {
    const slot = askTransaction(fields).slot()
    assert.equal(slot?.slot, `1|${alice.address}|9`)
    assert.equal(slot.hash, askTransaction(fields).hash)
    assert.equal(slot.expiresAt, undefined)
    const change = (over: Fields) => askTransaction({ ...fields, ...over }).slot()
    const dearer = change(type < 2 ? { gasPrice: '0x4a817c801' } : { maxFeePerGas: '0x21' })
    assert.equal(dearer?.effects, slot.effects)
    assert.ok((dearer?.fee ?? 0n) > slot.fee)
    if (type >= 2) assert.equal(change({ maxPriorityFeePerGas: '0x11' })?.effects, slot.effects)
    for (const over of [{ value: '0x2' }, { to: alice.address }, { data: '0x01' }, { gas: '0x5209' }]) {
      assert.notEqual(change(over)?.effects, slot.effects)
    }
    assert.notEqual(change({ nonce: '0xa' })?.slot, slot.slot)
  }
  const [one, more] = [blob, { ...blob, maxFeePerBlobGas: '0x8' }].map(fields => askTransaction(fields).slot())
  assert.equal(one?.fee, 21000n * 32n + 131_072n * 7n)
  assert.equal(more?.effects, one.effects)
  assert.equal(more?.fee, 21000n * 32n + 131_072n * 8n)
})

test('M-20 in words: payments, tokens, creations, calls nobody knows, and who hands over what', () => {
  const say = (over: Fields, base: Fields = market): readonly string[] =>
    askTransaction({ ...base, ...over }).describe().sentences
  const word = (value: string): string => value.replace('0x', '').toLowerCase().padStart(64, '0')
  const call = (selector: string, ...words: string[]): Fields => ({
    value: '0x0',
    data: `0x${selector}${words.map(word).join('')}`,
  })
  const me = `Account ${alice.address}`
  const fee = "; fee at most 672000 wei (0.000000000000672 of the chain's coin)"
  assert.deepEqual(say({ value: '0xde0b6b3a7640000' }), [
    `${me} pays 1000000000000000000 wei (1 of the chain's coin) to ${TO}${fee}`,
  ])
  assert.deepEqual(say(call('a9059cbb', cow.address, 'f4240')), [
    `${me} transfers 1000000 units of the token ${TO} to ${cow.address}${fee}`,
  ])
  assert.deepEqual(say(call('095ea7b3', cow.address, '5')), [
    `${me} lets ${cow.address} spend 5 units of the token ${TO}${fee}`,
  ])
  assert.match(say(call('095ea7b3', cow.address, 'f'.repeat(64)))[0] ?? '', /spend without limit \(\d+ units\)/)
  assert.match(say(call('39509351', cow.address, '5'))[0] ?? '', /spend 5 units more of the token/)
  assert.match(say(call('a457c2d7', cow.address, '5'))[0] ?? '', /spend 5 units less of the token/)
  assert.match(say(call('23b872dd', cow.address, alice.address, '5'))[0] ?? '', /transfers 5 units \(or number 5\)/)
  assert.match(say(call('a22cb465', cow.address, '1'))[0] ?? '', / lets 0xCD2a.* move every token of/)
  assert.match(say(call('a22cb465', cow.address, '0'))[0] ?? '', / no longer lets 0xCD2a/)
  // Not the one encoding: no words of ours for it.
  for (const odd of [
    call('a9059cbb', cow.address),
    call('a9059cbb', `ff${'0'.repeat(62)}`, '5'),
    call('a22cb465', cow.address, '2'),
  ]) {
    assert.match(say(odd)[0] ?? '', /calls function [a-zA-Z]+ \(0x[0-9a-f]{8}\) of 0x35.* with \d+ bytes of arguments/)
  }
  assert.match(say({ data: '0xac9650d800' })[0] ?? '', /calls function multicall \(0xac9650d8\).* and sends 1 wei/)
  assert.match(say({ data: '0x12345678' })[0] ?? '', /calls function 0x12345678 of 0x35.* with 0 bytes/)
  assert.match(say({ data: '0x1234' })[0] ?? '', /with 2 bytes, which are no whole selector/)
  assert.match(
    say({ to: null, data: '0x6000', value: '0x0' })[0] ?? '',
    /creates a contract of 2 bytes with keccak-256 0x/,
  )
  assert.equal(
    say({}, setCode)[1],
    `${cow.address} hands itself over to the code at ${TO} (EIP-7702), on chain 1, at nonce 3`,
  )
  const zero = { ...authorization, address: `0x${'00'.repeat(20)}` }
  assert.match(say({ authorizationList: [zero] }, setCode)[1] ?? '', /gives up the code it runs/)
  assert.equal(say({}, setCode).length, 2)
  for (const [, fields] of ALL) {
    const { sentence, describe } = askTransaction(fields)
    assert.match(sentence, /; nonce 9; .*; type \d; chain 1; network mainnet\.$/)
    const text = JSON.stringify(describe().json)
    assert.ok(text.includes('"nonce":"9"') && text.includes('"chainId":"1"') && text.includes('"value":"1"'))
  }
})
