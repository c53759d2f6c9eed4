import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type AbiParameter,
  decodeAbiParameters,
  encodeAbiParameters,
  type Hex,
  parseAbiItem,
  toFunctionSelector,
} from 'viem'
import { fromHex } from '../../../../src/bytes/hex.ts'
import { type AbiValue, decodeArguments } from '../../../../src/policy/evm/abi.ts'
import { readSignature } from '../../../../src/policy/evm/signature.ts'
import { type Rng, seeded } from '../../../fuzz/xdr-mutator.ts'

const SEED = Number(process.env['POLICY_SEED'] ?? 20_261_122)
const COUNT = 30_000

const bytes = (hex: string): Uint8Array => fromHex(hex.startsWith('0x') ? hex.slice(2) : hex) ?? new Uint8Array()
const words = (...list: string[]): string => list.map(word => word.padStart(64, '0')).join('')
const left = (hex: string): string => hex.padEnd(64, '0')

/** https://docs.soliditylang.org/en/latest/abi-spec.html#examples and #use-of-dynamic-types */
const PUBLISHED: ReadonlyArray<
  readonly [signature: string, selector: string, data: string, values: readonly AbiValue[]]
> = [
  ['baz(uint32,bool)', 'cdcd77c0', words('45', '1'), [69n, true]],
  ['bar(bytes3[2])', 'fce353f6', left('616263') + left('646566'), [['0x616263', '0x646566']]],
  [
    'sam(bytes,bool,uint256[])',
    'a5643bf2',
    words('60', '1', 'a0', '4') + left('64617665') + words('3', '1', '2', '3'),
    ['0x64617665', true, [1n, 2n, 3n]],
  ],
  [
    'f(uint256,uint32[],bytes10,bytes)',
    '8be65246',
    words('123', '80') +
      left('31323334353637383930') +
      words('e0', '2', '456', '789', 'd') +
      left('48656c6c6f2c20776f726c6421'),
    [0x123n, [0x456n, 0x789n], '0x31323334353637383930', '0x48656c6c6f2c20776f726c6421'],
  ],
  [
    'g(uint256[][],string[])',
    '2289b18c',
    words('40', '140', '2', '40', 'a0', '2', '1', '2', '1', '3', '3', '60', 'a0', 'e0', '3') +
      left('6f6e65') +
      words('3') +
      left('74776f') +
      words('5') +
      left('7468726565'),
    [
      [[1n, 2n], [3n]],
      ['one', 'two', 'three'],
    ],
  ],
]

test('T35 the examples of the ABI specification: selector and values', () => {
  for (const [signature, selector, data, values] of PUBLISHED) {
    const read = readSignature(signature)
    assert.equal(read?.selector, selector, signature)
    assert.deepEqual(decodeArguments(read?.parameters ?? [], bytes(data)), values, signature)
  }
})

test('T35 a signature has one form; every other is no signature', () => {
  for (const text of [
    '',
    'f',
    '()',
    'f(',
    'f)',
    'f() ',
    ' f()',
    'f(uint)',
    'f(int)',
    'f(uint7)',
    'f(uint0)',
    'f(uint264)',
    'f(uint08)',
    'f(bytes0)',
    'f(bytes33)',
    'f(byte)',
    'f(function)',
    'f(fixed)',
    'f(ufixed128x18)',
    'f(address payable)',
    'f(address a)',
    'f(address, bool)',
    'f(address,)',
    'f(,address)',
    'f(())',
    'f(uint256[0])',
    'f(uint256[01])',
    'f(uint256[-1])',
    'f(uint256[)',
    'f(uint256])',
    'f(uint256[1025])',
    'f(uint256[1024][1024])',
    'f(uint256)(bool)',
    '1f()',
    'f-g()',
    'f(Address)',
    `f(${'('.repeat(20)}uint256${')'.repeat(20)})`,
    `f(uint256${'[]'.repeat(20)})`,
    `${'f'.repeat(2000)}()`,
    'f(address)\n',
  ]) {
    assert.equal(readSignature(text), undefined, text)
  }
  for (const text of ['f()', '_f$1(uint8)', 'f((address,(bool,bytes)[])[3][],string)']) {
    assert.equal(`0x${readSignature(text)?.selector}`, toFunctionSelector(text), text)
  }
})

function randomType(rng: Rng, depth: number): string {
  const kind = rng.int(depth > 2 ? 7 : 10)
  if (kind === 0) return `uint${8 * (1 + rng.int(32))}`
  if (kind === 1) return `int${8 * (1 + rng.int(32))}`
  if (kind === 2) return `bytes${1 + rng.int(32)}`
  if (kind < 7) return ['address', 'bool', 'bytes', 'string'][kind - 3] ?? 'bool'
  if (kind === 7) return `${randomType(rng, depth + 1)}[]`
  if (kind === 8) return `${randomType(rng, depth + 1)}[${1 + rng.int(3)}]`
  return `(${Array.from({ length: 1 + rng.int(3) }, () => randomType(rng, depth + 1)).join(',')})`
}

const hex = (rng: Rng, length: number): Hex =>
  `0x${Array.from({ length: 2 * length }, () => rng.int(16).toString(16)).join('')}`

const big = (rng: Rng, bits: number): bigint => BigInt(hex(rng, 32)) >> BigInt(256 - 1 - rng.int(bits))

function randomValue(rng: Rng, type: AbiParameter): unknown {
  const array = type.type.endsWith(']') ? type.type.lastIndexOf('[') : -1
  if (array >= 0) {
    const length = type.type.slice(array + 1, -1)
    const of = { ...type, type: type.type.slice(0, array) }
    return Array.from({ length: length === '' ? rng.int(4) : Number(length) }, () => randomValue(rng, of))
  }
  if (type.type === 'tuple')
    return (type as { components: readonly AbiParameter[] }).components.map(one => randomValue(rng, one))
  if (type.type === 'address') return hex(rng, 20)
  if (type.type === 'bool') return rng.int(2) === 1
  if (type.type === 'string') return ['', 'a', 'käse', 'x'.repeat(rng.int(70))][rng.int(4)]
  if (type.type === 'bytes') return hex(rng, rng.int(70))
  if (type.type.startsWith('bytes')) return hex(rng, Number(type.type.slice(5)))
  const bits = Number(type.type.replace('uint', '').replace('int', ''))
  return type.type.startsWith('u') ? big(rng, bits) : BigInt.asIntN(bits, big(rng, bits))
}

/** What an encoder would have made of what a decoder sees in it, or undefined where it sees nothing. */
function canonical(types: readonly AbiParameter[], data: Hex): readonly unknown[] | undefined {
  try {
    const values: readonly unknown[] = decodeAbiParameters(types, data)
    return encodeAbiParameters(types, values) === data ? values : undefined
  } catch {
    return undefined
  }
}

/** viem names tuples of unnamed fields by their place, and writes small integers as numbers. */
const plain = (value: unknown): unknown => {
  if (typeof value === 'number') return BigInt(value)
  if (typeof value === 'string' && value.startsWith('0x')) return value.toLowerCase()
  if (Array.isArray(value)) return value.map(plain)
  return typeof value === 'object' && value !== null ? Object.values(value).map(plain) : value
}

function mutateWord(rng: Rng, data: Hex): Hex {
  const digits = data.slice(2)
  const word = 64 * rng.int(Math.max(1, digits.length / 64))
  const set = (at: number, text: string): Hex => `0x${digits.slice(0, at)}${text}${digits.slice(at + text.length)}`
  switch (rng.int(7)) {
    case 0:
      return set(rng.int(Math.max(1, digits.length)), rng.int(16).toString(16))
    case 1:
      return set(word, rng.int(2) === 0 ? 'f'.repeat(64) : '0'.repeat(64))
    case 2:
      return set(word, words((32 * rng.int(20)).toString(16)))
    case 3:
      return set(word + 62, rng.int(256).toString(16).padStart(2, '0'))
    case 4:
      return `0x${digits.slice(0, word)}${digits.slice(word + 64)}`
    case 5:
      return `0x${digits.slice(0, word)}${words(rng.int(64).toString(16))}${digits.slice(word)}`
    default:
      return `0x${digits}${rng.int(2) === 0 ? '00' : words('0')}`
  }
}

test(`T35 the decoder takes exactly what viem decodes and encodes to the same bytes, ${COUNT} mutants of random types`, t => {
  const rng = seeded(SEED)
  const tally = { taken: 0, refused: 0 }
  for (let number = 0; number < COUNT; ) {
    const signature = `f(${Array.from({ length: 1 + rng.int(3) }, () => randomType(rng, 0)).join(',')})`
    const item = parseAbiItem(`function ${signature}`) as { inputs: readonly AbiParameter[] }
    const data = encodeAbiParameters(
      item.inputs,
      item.inputs.map(type => randomValue(rng, type)),
    )
    const types = readSignature(signature)?.parameters
    assert.ok(types, signature)
    for (const mutant of [data, ...Array.from({ length: 9 }, () => mutateWord(rng, data))]) {
      number++
      const ours = decodeArguments(types, bytes(mutant))
      const theirs = canonical(item.inputs, mutant)
      assert.deepEqual(plain(ours), plain(theirs), `seed ${SEED}: ${signature} ${mutant}`)
      tally[ours === undefined ? 'refused' : 'taken']++
    }
  }
  t.diagnostic?.(JSON.stringify({ seed: SEED, ...tally }))
  assert.ok(tally.taken > COUNT / 4 && tally.refused > COUNT / 4)
})
