/** M-30: `@ethersproject/testcases` (MIT): transactions and typed data of another hand, with digests and signatures. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Transaction } from 'ethers'
import { keccak256 } from 'viem'
import { toHex } from '../../../../src/bytes/hex.ts'
import { typedDataHash, typedDataOf } from '../../../../src/chains/evm/typed-data.ts'
import {
  askTransaction,
  askTypedData,
  askUnsigned,
  attached,
  bytes,
  type Fields,
  keyOf,
  quantity,
  refusal,
  signatory,
} from './samples.ts'
import { checksummed } from '../../../../src/bytes/evm-address.ts'

const FOLDER = new URL('testcases/', import.meta.resolve('@ethersproject/testcases/package.json'))
const cases = (name: string): Fields[] =>
  JSON.parse(gunzipSync(readFileSync(new URL(`${name}.json.gz`, FOLDER))).toString('utf8')) as Fields[]

/** Signing costs a millisecond and more; one in so many shows it. */
const SIGNED_EVERY = 16

/** Quantities as JSON-RPC has them; the cases write zero as 0x and keep leading zeros. */
const amount = (value: unknown): string => quantity(integer(value))
const integer = (value: unknown): bigint =>
  value === undefined || value === '0x' ? 0n : BigInt(value as string | number)

test('legacy transactions: 1,067 digests, by bytes and by fields; those without a chain are refused', () => {
  const all = cases('transactions')
  assert.equal(all.length, 1067)
  let wide = 0
  for (const [at, each] of all.entries()) {
    const unsigned = each['unsignedTransactionChainId5'] as string
    const by = signatory(5n, checksummed(bytes(String(each['accountAddress']))))
    const { to, data, gasLimit, gasPrice, value, nonce } = each
    const fields: Fields = { chainId: '0x5', nonce: amount(nonce), gasPrice: amount(gasPrice), gas: amount(gasLimit) }
    const json = { ...fields, value: amount(value), data: data ?? '0x', ...(to === undefined ? {} : { to }) }
    assert.match(
      refusal(() => askUnsigned(each['unsignedTransaction'], by)),
      /^unsigned: names no chain/,
    )
    assert.match(
      refusal(() => askUnsigned(each['signedTransactionChainId5'], by)),
      /^unsigned: is signed already/,
    )
    // The cases are wider than any chain: gas has 64 bits there.
    if (integer(gasLimit) >> 64n !== 0n) {
      wide++
      assert.match(
        refusal(() => askTransaction(json, by)),
        /^transaction.gas: is above 64 bits/,
      )
      continue
    }
    const asked = askUnsigned(unsigned, by)
    assert.equal(askTransaction(json, by).hash, asked.hash)
    assert.equal(`0x${asked.hash}`, keccak256(unsigned as `0x${string}`))
    if (at % SIGNED_EVERY === 0) {
      const key = keyOf(String(each['privateKey']))
      assert.equal(attached(asked, key).signedTransaction, each['signedTransactionChainId5'])
    }
  }
  console.log(`# legacy transactions: ${all.length - wide} of ${all.length} accepted`)
  assert.ok(wide < 400)
})

test('types 1 and 2: 1,792 digests, by bytes and by fields', () => {
  const all = cases('typed-transactions')
  assert.equal(all.length, 1792)
  let accepted = 0
  for (const [at, each] of all.entries()) {
    const tx = each['tx'] as Fields
    const unsigned = each['unsigned'] as string
    const by = (chainId: bigint) => signatory(chainId, checksummed(bytes(String(each['address']))))
    if (tx['chainId'] === undefined || tx['chainId'] === 0) {
      assert.match(
        refusal(() => askUnsigned(unsigned, by(1n))),
        /chainId: is 0/,
      )
      continue
    }
    const [tip, most] = [integer(tx['maxPriorityFeePerGas']), integer(tx['maxFeePerGas'])]
    const own = by(BigInt(Number(tx['chainId'])))
    if (tx['type'] === 2 && tip > most) {
      assert.match(
        refusal(() => askUnsigned(unsigned, own)),
        /maxPriorityFeePerGas: is \d+, which is above/,
      )
      continue
    }
    accepted++
    const asked = askUnsigned(unsigned, own)
    const json = {
      type: amount(tx['type']),
      chainId: amount(tx['chainId']),
      nonce: amount(tx['nonce']),
      gas: amount(tx['gasLimit']),
      value: amount(tx['value']),
      data: tx['data'] ?? '0x',
      ...(tx['to'] === undefined ? {} : { to: tx['to'] }),
      accessList: tx['accessList'] ?? [],
      ...(tx['type'] === 1
        ? { gasPrice: amount(tx['gasPrice']) }
        : { maxFeePerGas: amount(tx['maxFeePerGas']), maxPriorityFeePerGas: amount(tx['maxPriorityFeePerGas']) }),
    }
    assert.equal(askTransaction(json, own).hash, asked.hash)
    assert.equal(`0x${asked.hash}`, Transaction.from(unsigned).unsignedHash)
    if (at % SIGNED_EVERY === 0) {
      assert.equal(attached(asked, keyOf(String(each['key']))).signedTransaction, each['signed'])
    }
    assert.match(
      refusal(() => askUnsigned(each['signed'], own)),
      /^unsigned: is signed already/,
    )
  }
  console.log(`# typed transactions: ${accepted} of ${all.length} accepted`)
  assert.ok(accepted > 800)
})

test('EIP-712: 1,025 digests; only those that name the chain of the key are asked to be signed', () => {
  const all = cases('eip712')
  assert.equal(all.length, 1025)
  let pinned = 0
  for (const each of all) {
    const { types, primaryType, data, digest } = each
    const domain = each['domain'] as Fields
    const given = { types, primaryType, domain, message: data }
    const read = typedDataOf(given)
    assert.equal(`0x${toHex(typedDataHash(read))}`, digest, String(each['name']))
    const chainId = domain['chainId']
    if (chainId === undefined) {
      assert.match(
        refusal(() => askTypedData(given)),
        /^typedData.domain.chainId: is missing/,
      )
      continue
    }
    if (integer(chainId) === 0n) continue
    pinned++
    assert.equal(`0x${askTypedData(given, signatory(integer(chainId))).hash}`, digest)
  }
  console.log(`# typed data: ${pinned} of ${all.length} name a chain`)
  assert.ok(pinned > 100)
})
