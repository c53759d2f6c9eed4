/** Questions to contracts, and what they answer. A contract answers what it likes: whatever is not the one encoding of the type is none. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { checksummed } from '../../bytes/evm-address.ts'
import { fromHex, toHex } from '../../bytes/hex.ts'

const WORD = 32
const utf8 = new TextEncoder()

/**
 * The data of a call whose arguments are addresses and unsigned integers.
 * @param signature  in the form that is hashed: `balanceOf(address)`
 * @param words      0x… with 40 digits, or an integer
 */
export function questionData(signature: string, ...words: readonly (string | bigint)[]): Uint8Array {
  const data = new Uint8Array(4 + WORD * words.length)
  data.set(keccak_256(utf8.encode(signature)).subarray(0, 4))
  for (const [at, word] of words.entries()) {
    const digits = (typeof word === 'string' ? word.slice(2) : word.toString(16)).padStart(2 * WORD, '0')
    data.set(fromHex(digits) ?? [], 4 + WORD * at)
  }
  return data
}

/** So many unsigned integers, and nothing after them. */
export function wordsIn(data: Uint8Array, count: number): readonly bigint[] | undefined {
  if (data.length !== WORD * count) return undefined
  return Array.from({ length: count }, (_, at) => BigInt(`0x${toHex(data.subarray(WORD * at, WORD * (at + 1)))}`))
}

export const uintIn = (data: Uint8Array): bigint | undefined => wordsIn(data, 1)?.[0]

export function boolIn(data: Uint8Array): boolean | undefined {
  const word = uintIn(data)
  return word === undefined || word > 1n ? undefined : word === 1n
}

/** With the checksum of EIP-55. */
export function addressIn(data: Uint8Array): string | undefined {
  const word = uintIn(data)
  return word === undefined || word >> 160n !== 0n ? undefined : checksummed(data.subarray(12))
}

const TICKER = /^[A-Za-z0-9][A-Za-z0-9 .+$-]{0,22}[A-Za-z0-9.]$|^[A-Za-z0-9]$/

/**
 * What a token calls itself: a string, or 32 bytes as older tokens have it. Anybody may call a token anything, so only names of
 * a few letters and digits are taken, which cannot pass for anything else in a line of text.
 */
export function tickerIn(data: Uint8Array): string | undefined {
  const bytes = stringIn(data) ?? (data.length === WORD ? untilZero(data) : undefined)
  if (bytes === undefined || bytes.length > 24) return undefined
  const text = String.fromCharCode(...bytes)
  return TICKER.test(text) ? text : undefined
}

function stringIn(data: Uint8Array): Uint8Array | undefined {
  const [offset, length] = wordsIn(data.subarray(0, 2 * WORD), 2) ?? []
  if (offset !== BigInt(WORD) || length === undefined || length > 64n) return undefined
  const end = 2 * WORD + Number(length)
  if (data.length !== Math.ceil(end / WORD) * WORD || data.subarray(end).some(byte => byte !== 0)) return undefined
  return data.subarray(2 * WORD, end)
}

function untilZero(data: Uint8Array): Uint8Array | undefined {
  const end = data.indexOf(0)
  const text = end < 0 ? data : data.subarray(0, end)
  return data.subarray(text.length).some(byte => byte !== 0) ? undefined : text
}

/** Where an account runs its code from, if it has nothing but that. @see EIP-7702 */
export function delegateIn(code: Uint8Array): string | undefined {
  const delegated = code.length === 23 && code[0] === 0xef && code[1] === 0x01 && code[2] === 0
  return delegated ? checksummed(code.subarray(3)) : undefined
}

/** 10^-decimals, without rounding: `1.5`. */
export function unitsText(amount: bigint, decimals: number): string {
  const digits = amount.toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const part = decimals === 0 ? '' : digits.slice(-decimals)
  let end = part.length
  while (end > 0 && part[end - 1] === '0') end--
  return end === 0 ? whole : `${whole}.${part.slice(0, end)}`
}
