import type { Hex } from 'viem'
import { readEvmAddress } from '../../bytes/evm-address.ts'
import { fromHex, toHex } from '../../bytes/hex.ts'
import { refuse } from '../refusal.ts'

/** What JSON-RPC writes, read the one strict way; `at` names the field in refusals. */
export type Fields = Readonly<Record<string, unknown>>

const NAME_CHARS_MAX = 64
/** Accounts of an access list, and storage slots of one of them: each address costs a hash. */
export const ACCESS_LIST_MAX = 10_000

/** The one spelling of the signer: 0x and pairs of digits in lower case. */
export const hexOf = (bytes: Uint8Array): Hex => `0x${toHex(bytes)}`

/** Of hex that has been read already. */
export const bytesIn = (hex: string): Uint8Array => fromHex(hex.slice(2)) ?? new Uint8Array()

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @throws `payload/invalid` for anything but an object that has no other members than these. */
export function fieldsOf(value: unknown, known: ReadonlySet<string>, at: string, what: string): Fields {
  if (!isFields(value)) throw refuse(at, 'must be an object')
  for (const name of Object.keys(value)) {
    if (!known.has(name)) throw refuse(inside(at, name), `is not a field of ${what}`)
  }
  return value
}

/** Callers choose names, refusals hold printable ones. */
export function inside(at: string, name: string): string {
  const short = name.slice(0, NAME_CHARS_MAX)
  const printable = Array.from(short, letter => (letter >= '!' && letter <= '~' ? letter : '?')).join('')
  return at === '' ? printable : `${at}.${printable}`
}

export const textOf = (value: unknown, at: string): string => {
  if (typeof value !== 'string') throw refuse(at, value === undefined ? 'is missing' : 'must be a text')
  if (!value.isWellFormed()) throw refuse(at, 'holds half of a surrogate pair')
  return value
}

/** @throws `payload/invalid` unless a list of at most `most`. */
export function listOf(value: unknown, at: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw refuse(at, 'must be a list')
  if (value.length > most) throw refuse(at, `has ${value.length} entries; ${most} is the limit`)
  return value
}

/**
 * A quantity of JSON-RPC: 0x, at least one digit, no leading zero; zero is 0x0.
 * @see Ethereum JSON-RPC, "Quantities"
 */
export function quantityOf(value: unknown, at: string, bits = 256): bigint {
  const text = textOf(value, at)
  const digits = text.slice(2)
  if (!text.startsWith('0x') || digits === '' || !isHex(digits))
    throw refuse(at, 'must be a hex quantity such as 0x5208')
  if (digits.length > 1 && digits.startsWith('0')) throw refuse(at, 'must be a hex quantity without leading zeros')
  if (digits.length > 64) throw refuse(at, `is above ${bits} bits`)
  return below(BigInt(text), at, bits)
}

/** Any number of digits. */
const isHex = (digits: string): boolean => fromHex(digits.length % 2 === 0 ? digits : `0${digits}`) !== undefined

export function below(value: bigint, at: string, bits: number): bigint {
  if (value >> BigInt(bits) !== 0n) throw refuse(at, `is above ${bits} bits`)
  return value
}

/** Whole bytes as 0x and digits in either case; comes back in lower case. @param size  absent: any. */
export function bytesOf(value: unknown, at: string, size?: number): Hex {
  const text = textOf(value, at)
  const bytes = text.startsWith('0x') ? fromHex(text.slice(2)) : undefined
  if (bytes === undefined) throw refuse(at, 'must be bytes in hex: 0x and pairs of digits')
  if (size !== undefined && bytes.length !== size) throw refuse(at, `has ${bytes.length} bytes; ${size} are needed`)
  return text.toLowerCase() as Hex
}

/** In lower case, or in mixed case with the right checksum; comes back with the checksum. @see EIP-55 */
export function addressOf(value: unknown, at: string): Hex {
  const address = readEvmAddress(textOf(value, at))
  if (address === undefined)
    throw refuse(at, 'must be an address: 0x and 40 digits, in lower case or with its checksum')
  return address as Hex
}
